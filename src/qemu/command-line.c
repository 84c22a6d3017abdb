/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/command-line.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "qemu/interface.h"
#include "qemu/program.h"
#include "qemu/sandbox.h"

#define EMULATOR_PREFIX "qemu-system-"
#define MONITOR_ID      "vmherald-monitor"
#define MEMORY_ID       "vmherald-memory"
#define CODE_NODE       "vmherald-firmware"
#define VARS_NODE       "vmherald-firmware-vars"

/* QEMU itself is to become another user. */
#define SANDBOX_OTHER_USER "on,obsolete=deny,spawn=deny,resourcecontrol=deny"

/* Takes value over. */
static void add(GPtrArray *line, const char *option, char *value)
{
	g_ptr_array_add(line, g_strdup(option));
	if (value)
		g_ptr_array_add(line, value);
}

/* QEMU's option syntax ends a value at a comma, and writes a comma in a value as two. */
static char *double_commas(const char *value)
{
	g_auto(GStrv) parts = g_strsplit(value, ",", -1);

	return g_strjoinv(",,", parts);
}

static char *option_value(JsonNode *node)
{
	if (json_node_get_value_type(node) == G_TYPE_BOOLEAN)
		return g_strdup(json_node_get_boolean(node) ? "on" : "off");
	if (json_node_get_value_type(node) == G_TYPE_STRING)
		return double_commas(json_node_get_string(node));
	return definition_entry_to_json(node);
}

static void append_machine(GString *options, JsonObject *machine)
{
	g_autofree char *type = double_commas(json_object_get_string_member(machine, "type"));
	JsonObjectIter iter;
	const char *name;
	JsonNode *value;

	g_string_append_printf(options, ",type=%s", type);
	json_object_iter_init_ordered(&iter, machine);
	while (json_object_iter_next_ordered(&iter, &name, &value)) {
		g_autofree char *written = option_value(value);

		if (strcmp(name, "type") != 0)
			g_string_append_printf(options, ",%s=%s", name, written);
	}
}

static void add_machine(GPtrArray *line, const Definition *definition,
			const QemuCommandLineContext *context)
{
	g_autoptr(GString) options = g_string_new(NULL);

	if (definition->machine)
		append_machine(options, definition->machine);
	if (definition->memory_backend)
		g_string_append(options, ",memory-backend=" MEMORY_ID);
	if (context->firmware_code)
		g_string_append(options, ",pflash0=" CODE_NODE);
	if (context->firmware_code && context->firmware_vars)
		g_string_append(options, ",pflash1=" VARS_NODE);
	if (options->len > 0)
		add(line, "-machine", g_strdup(options->str + 1));
}

static void add_sandbox(GPtrArray *line, const Definition *definition, bool is_known)
{
	bool other_user = definition_has_argument(definition, "runas") ||
			  definition_has_argument(definition, "run-with");

	/* Twice the same option would be one, mixed of both. */
	if (definition_has_argument(definition, "sandbox"))
		return;
	/* Off is what QEMU does by itself, and one without a sandbox would refuse the option. */
	if (definition->sandbox) {
		if (strcmp(definition->sandbox, "off") != 0)
			add(line, "-sandbox", g_strdup(definition->sandbox));
	} else if (is_known) {
		add(line, "-sandbox", g_strdup(other_user ? SANDBOX_OTHER_USER : QEMU_SANDBOX_SAFE));
	}
}

/* The emulators whose machines take -cpu max: all that the host or TCG can do. */
static bool knows_cpu_max(const char *emulator)
{
	static const char *const architectures[] = {
		"x86_64", "i386", "aarch64", "arm", "s390x", "riscv64", "riscv32",
	};
	g_autofree char *name = g_path_get_basename(emulator);
	size_t i;

	if (!g_str_has_prefix(name, EMULATOR_PREFIX))
		return false;

	/* Distributions append to the architecture: qemu-system-x86_64-microvm. */
	for (i = 0; i < G_N_ELEMENTS(architectures); i++) {
		const char *rest = name + strlen(EMULATOR_PREFIX);
		size_t length = strlen(architectures[i]);

		if (strncmp(rest, architectures[i], length) == 0 &&
		    (rest[length] == '\0' || rest[length] == '-'))
			return true;
	}
	return false;
}

static void add_cpu(GPtrArray *line, const Definition *definition, const char *emulator)
{
	const char *machine = definition->machine ?
		json_object_get_string_member(definition->machine, "type") : "";

	/* The machine "none" refuses any -cpu model of x86. */
	if (definition->cpu)
		add(line, "-cpu", g_strdup(definition->cpu));
	else if (strcmp(machine, "none") != 0 && knows_cpu_max(emulator))
		add(line, "-cpu", g_strdup("max"));
}

/* What QEMU is to do by itself. All other policies are kept by the service, which sees the events. */
static void add_action(GPtrArray *line, const Definition *definition)
{
	bool keep_shut_down = definition->on_shutdown == DEFINITION_POLICY_PRESERVE ||
			      definition->on_shutdown == DEFINITION_POLICY_PAUSE;
	/* For a dump it has to stand still until the service has what it wants. */
	bool keep_panicked = definition->on_panic == DEFINITION_POLICY_PRESERVE ||
			     definition->on_panic == DEFINITION_POLICY_PAUSE ||
			     definition->panic_dump;
	bool reset_by_watchdog = strcmp(definition->on_watchdog, "reset") == 0;

	add(line, "-action",
	    g_strdup_printf("reboot=%s,shutdown=%s,panic=%s%s%s",
			    definition->on_reboot == DEFINITION_POLICY_STOP ? "shutdown" : "reset",
			    keep_shut_down ? "pause" : "poweroff",
			    keep_panicked ? "pause" : "shutdown",
			    reset_by_watchdog ? "" : ",watchdog=",
			    reset_by_watchdog ? "" : definition->on_watchdog));
}

static void add_object(GPtrArray *line, const char *option, JsonObject *object)
{
	g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), object);

	add(line, option, definition_entry_to_json(node));
}

/* As text: what is in a definition's nodes is shared with other threads, and counted without atomic
 * operations. */
static void add_memory_backend(GPtrArray *line, const Definition *definition)
{
	g_autofree char *backend = NULL;

	if (!definition->memory_backend)
		return;

	backend = definition_entry_to_json(definition->memory_backend);
	g_assert(g_str_has_suffix(backend, "}"));
	backend[strlen(backend) - 1] = '\0';
	add(line, "-object", g_strdup_printf("%s,\"id\":\"" MEMORY_ID "\",\"size\":%" G_GUINT64_FORMAT
					     "}", backend, definition->memory));
}

static void add_flash(GPtrArray *line, const char *node, const char *path, bool read_only)
{
	JsonObject *file = json_object_new();
	g_autoptr(JsonObject) blockdev = json_object_new();

	json_object_set_string_member(file, "driver", "file");
	json_object_set_string_member(file, "filename", path);
	json_object_set_string_member(blockdev, "driver", "raw");
	json_object_set_string_member(blockdev, "node-name", node);
	json_object_set_boolean_member(blockdev, "read-only", read_only);
	json_object_set_object_member(blockdev, "file", file);
	add_object(line, "-blockdev", blockdev);
}

static void add_firmware(GPtrArray *line, const DefinitionFirmware *firmware,
			 const QemuCommandLineContext *context)
{
	if (firmware->image)
		add(line, "-bios", g_strdup(firmware->image));
	if (context->firmware_code)
		add_flash(line, CODE_NODE, context->firmware_code, true);
	if (context->firmware_code && context->firmware_vars)
		add_flash(line, VARS_NODE, context->firmware_vars, false);
}

char *qemu_console_log_name(const DefinitionConsole *console)
{
	return g_strdup_printf("console-%s.log", console->id);
}

GStrv qemu_console_log_paths(const Definition *definition, const char *directory)
{
	g_autoptr(GStrvBuilder) paths = g_strv_builder_new();

	for (unsigned i = 0; i < definition->consoles->len; i++) {
		g_autofree char *name = qemu_console_log_name(g_ptr_array_index(definition->consoles, i));
		g_autofree char *path = g_build_filename(directory, name, NULL);

		g_strv_builder_add(paths, path);
	}
	return g_strv_builder_end(paths);
}

/* Without a reader, so that nobody can keep the guest waiting. QEMU appends, so that the file may be
 * emptied while it is written to. */
static void add_console(GPtrArray *line, const DefinitionConsole *console, const char *log)
{
	g_autofree char *written = double_commas(log);
	g_autofree char *chardev = g_strconcat("vmherald-console-", console->id, NULL);

	add(line, "-chardev", g_strdup_printf("null,id=%s,logfile=%s,logappend=on", chardev, written));
	if (strcmp(console->type, "serial") == 0) {
		add(line, "-serial", g_strconcat("chardev:", chardev, NULL));
	} else {
		g_autoptr(JsonObject) device = json_object_new();

		json_object_set_string_member(device, "driver", "virtconsole");
		json_object_set_string_member(device, "id", console->id);
		json_object_set_string_member(device, "chardev", chardev);
		json_object_set_string_member(device, "bus", DEFINITION_CONSOLES_DEVICE ".0");
		add_object(line, "-device", device);
	}
}

static void add_consoles(GPtrArray *line, const GPtrArray *consoles, const char *const *logs)
{
	bool has_bus = false;
	unsigned i;

	for (i = 0; i < consoles->len; i++) {
		const DefinitionConsole *console = g_ptr_array_index(consoles, i);

		if (strcmp(console->type, "virtio") == 0 && !has_bus) {
			g_autoptr(JsonObject) bus = json_object_new();

			/* That name is an alias for what the machine's bus needs. */
			json_object_set_string_member(bus, "driver", "virtio-serial");
			json_object_set_string_member(bus, "id", DEFINITION_CONSOLES_DEVICE);
			add_object(line, "-device", bus);
			has_bus = true;
		}
		add_console(line, console, logs[i]);
	}
}

static void add_node(GPtrArray *line, const char *option, JsonNode *node)
{
	if (node)
		add(line, option, definition_entry_to_json(node));
	g_clear_pointer(&node, json_node_unref);
}

/* Numbered in their order, whether they are there yet or not: the line is the same before a start. */
static void add_interfaces(GPtrArray *line, const GPtrArray *interfaces)
{
	int next_fd = QEMU_INTERFACE_FD_FIRST;
	unsigned i;

	for (i = 0; i < interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(interfaces, i);

		add_node(line, "-netdev", qemu_interface_make_numbered_netdev(interface, next_fd));
		add_node(line, "-device", qemu_interface_make_device(interface));
		next_fd += (int) definition_interface_count_descriptors(interface);
	}
}

static void add_entries(GPtrArray *line, const char *option, const GPtrArray *entries)
{
	unsigned i;

	for (i = 0; i < entries->len; i++)
		add(line, option, definition_entry_to_json(g_ptr_array_index(entries, i)));
}

GStrv qemu_command_line_build(const Definition *definition, const QemuCommandLineContext *context)
{
	g_autofree char *name = double_commas(definition->name);
	GPtrArray *line = g_ptr_array_new();
	unsigned i;

	add(line, context->emulator, NULL);
	add(line, "-name", g_strdup_printf("guest=%s,debug-threads=on", name));
	add(line, "-uuid", g_strdup(definition->uuid));
	add(line, "-nodefaults", NULL);
	add(line, "-no-user-config", NULL);
	add(line, "-display", g_strdup("none"));
	add(line, "-S", NULL);

	add_sandbox(line, definition, context->knows_sandbox);
	qemu_fdsets_add_options(context->fdsets, line);
	add_machine(line, definition, context);
	for (i = 0; definition->accel[i]; i++)
		add(line, "-accel", g_strdup(definition->accel[i]));
	add_cpu(line, definition, context->emulator);
	add(line, "-smp", g_strdup_printf("cpus=%u", definition->cpus));
	/* A number without a unit would be mebibytes. */
	add(line, "-m", g_strdup_printf("size=%" G_GUINT64_FORMAT "B", definition->memory));
	add_action(line, definition);
	add_memory_backend(line, definition);
	add_firmware(line, &definition->firmware, context);

	add_interfaces(line, definition->interfaces);
	add_consoles(line, definition->consoles, context->console_logs);
	add_entries(line, "-object", definition->objects);
	add_entries(line, "-blockdev", context->blockdevs ? context->blockdevs : definition->blockdevs);
	add_entries(line, "-netdev", definition->netdevs);
	add_entries(line, "-device", definition->devices);

	add(line, "-chardev", g_strdup_printf("socket,id=" MONITOR_ID ",fd=%d,server=on,wait=off",
					      context->monitor_fd));
	add(line, "-mon", g_strdup("chardev=" MONITOR_ID ",mode=control"));
	if (context->pid_file)
		add(line, "-pidfile", g_strdup(context->pid_file));
	if (context->incoming)
		add(line, "-incoming", g_strdup("defer"));
	for (i = 0; definition->arguments[i]; i++)
		g_ptr_array_add(line, g_strdup(definition->arguments[i]));

	g_ptr_array_add(line, NULL);
	return (GStrv) g_ptr_array_free(line, FALSE);
}

/* QEMU's name for the machine we run on. */
static const char *architecture(const char *machine)
{
	static const struct {
		const char *prefix, *name;
	} names[] = {
		{ "i486", "i386" },    { "i586", "i386" },  { "i686", "i386" },
		{ "arm", "arm" },      { "ppc64", "ppc64" },
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_has_prefix(machine, names[i].prefix))
			return names[i].name;
	return machine;
}

char *qemu_emulator_find(const char *emulator, GError **error)
{
	g_autofree char *name = g_strdup(emulator);
	g_auto(GStrv) directories = NULL;
	g_autofree char *looked = NULL;
	struct utsname host;
	size_t i;

	if (!name) {
		uname(&host);
		name = g_strconcat(EMULATOR_PREFIX, architecture(host.machine), NULL);
	}

	if (g_path_is_absolute(name)) {
		if (qemu_program_is_executable(name))
			return g_steal_pointer(&name);
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "the emulator %s is not there or cannot be executed", name);
		return NULL;
	}

	directories = qemu_program_directories();
	for (i = 0; directories[i] && !strchr(name, '/'); i++) {
		g_autofree char *path = g_build_filename(directories[i], name, NULL);

		if (qemu_program_is_executable(path))
			return g_steal_pointer(&path);
	}
	looked = g_strjoinv(":", directories);
	g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
		    "the emulator %s was not found in %s", name, looked);
	return NULL;
}
