/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/document.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ctl/input.h"

static JsonArray *list_of(JsonObject *document, const char *key)
{
	JsonArray *list;

	if (!json_object_has_member(document, key))
		json_object_set_array_member(document, key, json_array_new());
	list = json_object_get_array_member(document, key);
	return list;
}

/* "a,b=c" into an object with type "a". on and off become booleans, as QEMU means them. */
static CtlExit parse_properties(const char *what, const char *text, JsonObject *object)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);

	if (!parts[0] || !*parts[0]) {
		ctl_error(_("%s: the type is missing"), what);
		return CTL_USAGE;
	}
	json_object_set_string_member(object, "type", parts[0]);
	for (unsigned i = 1; parts[i]; i++) {
		char *equals = strchr(parts[i], '=');

		if (!equals || equals == parts[i]) {
			ctl_error(_("%s: '%s' is not of the form KEY=VALUE"), what, parts[i]);
			return CTL_USAGE;
		}
		*equals = '\0';
		if (json_object_has_member(object, parts[i])) {
			ctl_error(_("%s: '%s' is given twice"), what, parts[i]);
			return CTL_USAGE;
		}
		if (g_str_equal(equals + 1, "on") || g_str_equal(equals + 1, "off"))
			json_object_set_boolean_member(object, parts[i],
						       g_str_equal(equals + 1, "on"));
		else
			json_object_set_string_member(object, parts[i], equals + 1);
	}
	return CTL_OK;
}

static CtlExit set_machine(JsonObject *document, const char *machine)
{
	g_autoptr(JsonObject) object = json_object_new();
	CtlExit code;

	code = parse_properties("--machine", machine, object);
	if (code != CTL_OK)
		return code;
	if (strchr(machine, ','))
		json_object_set_object_member(document, "machine", g_steal_pointer(&object));
	else
		json_object_set_string_member(document, "machine", machine);
	return CTL_OK;
}

static CtlExit set_memory(JsonObject *document, const char *memory)
{
	/* QEMU takes a bare number for MiB, a definition for bytes: one of them would be surprised. */
	if (!*memory || g_ascii_isdigit(memory[strlen(memory) - 1])) {
		ctl_error(_("--memory: '%s' needs a unit, such as 512M or 2G"), memory);
		return CTL_USAGE;
	}
	json_object_set_string_member(document, "memory", memory);
	return CTL_OK;
}

/* The path is made absolute, because the service has another working directory. */
static CtlExit parse_image(const char *what, const char *text, char **ret_path, const char **ret_format)
{
	static const struct {
		const char *suffix;
		const char *format;
	} formats[] = {
		{ ".qcow2", "qcow2" }, { ".raw", "raw" },   { ".img", "raw" },   { ".iso", "raw" },
		{ ".vmdk", "vmdk" },   { ".vdi", "vdi" },   { ".vhdx", "vhdx" },
	};
	/* The last one, because a path may have commas. */
	const char *option = g_strrstr(text, ",format=");
	g_autofree char *path = option ? g_strndup(text, (gsize) (option - text)) : g_strdup(text);
	const char *format = option ? option + strlen(",format=") : NULL;

	if (!*path || (format && !*format)) {
		ctl_error(_("%s: '%s' is not of the form PATH[,format=FORMAT]"), what, text);
		return CTL_USAGE;
	}
	for (unsigned i = 0; !format && i < G_N_ELEMENTS(formats); i++) {
		if (g_str_has_suffix(path, formats[i].suffix))
			format = formats[i].format;
	}
	if (!format) {
		ctl_error(_("%s: the format of '%s' is not known by its name, add ,format=FORMAT"),
			  what, path);
		return CTL_USAGE;
	}
	*ret_path = g_canonicalize_filename(path, NULL);
	*ret_format = format;
	return CTL_OK;
}

static CtlExit add_image(JsonObject *document, const char *what, const char *text, const char *id,
			 bool cdrom, int boot_index)
{
	g_autofree char *path = NULL;
	const char *format = NULL;
	JsonObject *file, *blockdev, *device;
	CtlExit code;

	code = parse_image(what, text, &path, &format);
	if (code != CTL_OK)
		return code;
	file = json_object_new();
	json_object_set_string_member(file, "driver", "file");
	json_object_set_string_member(file, "filename", path);
	blockdev = json_object_new();
	json_object_set_string_member(blockdev, "driver", format);
	json_object_set_string_member(blockdev, "node-name", id);
	if (cdrom)
		json_object_set_boolean_member(blockdev, "read-only", true);
	json_object_set_object_member(blockdev, "file", file);
	json_array_add_object_element(list_of(document, "blockdevs"), blockdev);

	device = json_object_new();
	json_object_set_string_member(device, "driver", cdrom ? "ide-cd" : "virtio-blk-pci");
	json_object_set_string_member(device, "id", id);
	json_object_set_string_member(device, "drive", id);
	json_object_set_int_member(device, "bootindex", boot_index);
	json_array_add_object_element(list_of(document, "devices"), device);
	return CTL_OK;
}

/* Disks boot before CD-ROMs: an empty disk falls through to the installer, an installed one does
 * not start it again. */
static CtlExit add_images(JsonObject *document, const DocumentOptions *options)
{
	const struct {
		const char *what;
		const char *prefix;
		char **texts;
		bool cdrom;
	} kinds[] = {
		{ "--disk", "disk", options->disks, false },
		{ "--cdrom", "cdrom", options->cdroms, true },
	};
	int boot_index = 1;

	for (unsigned kind = 0; kind < G_N_ELEMENTS(kinds); kind++) {
		for (unsigned i = 0; kinds[kind].texts && kinds[kind].texts[i]; i++) {
			g_autofree char *id = g_strdup_printf("%s%u", kinds[kind].prefix, i);
			CtlExit code;

			code = add_image(document, kinds[kind].what, kinds[kind].texts[i], id,
					 kinds[kind].cdrom, boot_index++);
			if (code != CTL_OK)
				return code;
		}
	}
	return CTL_OK;
}

/* All other values are words, also where they look like numbers: a link may have such a name. */
static void set_queues(JsonObject *interface)
{
	const char *text = json_object_get_string_member_with_default(interface, "queues", "");
	uint64_t queues;

	if (g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &queues, NULL))
		json_object_set_int_member(interface, "queues", (gint64) queues);
}

CtlExit document_parse_interface(const char *what, const char *text, JsonObject *interface)
{
	CtlExit code = parse_properties(what, text, interface);

	if (code == CTL_OK)
		set_queues(interface);
	return code;
}

static CtlExit add_nets(JsonObject *document, char **nets)
{
	for (unsigned i = 0; nets && nets[i]; i++) {
		g_autoptr(JsonObject) interface = json_object_new();
		CtlExit code;

		code = document_parse_interface("--net", nets[i], interface);
		if (code != CTL_OK)
			return code;
		if (!json_object_has_member(interface, "id")) {
			g_autofree char *id = g_strdup_printf("net%u", i);

			json_object_set_string_member(interface, "id", id);
		}
		json_array_add_object_element(list_of(document, "interfaces"),
					      g_steal_pointer(&interface));
	}
	return CTL_OK;
}

static CtlExit add_objects(JsonObject *document, const DocumentOptions *options)
{
	const struct {
		const char *what;
		const char *key;
		char **texts;
	} lists[] = {
		{ "--blockdev", "blockdevs", options->blockdevs },
		{ "--netdev", "netdevs", options->netdevs },
		{ "--object", "objects", options->objects },
		{ "--device", "devices", options->devices },
	};

	for (unsigned list = 0; list < G_N_ELEMENTS(lists); list++) {
		for (unsigned i = 0; lists[list].texts && lists[list].texts[i]; i++) {
			JsonNode *node = NULL;
			CtlExit code;

			code = input_check_object(lists[list].what, lists[list].texts[i], &node);
			if (code != CTL_OK)
				return code;
			json_array_add_element(list_of(document, lists[list].key), node);
		}
	}
	return CTL_OK;
}

static void set_strings(JsonObject *document, const char *name, const DocumentOptions *options)
{
	const struct {
		const char *key;
		const char *value;
	} strings[] = {
		{ "name", name },
		{ "uuid", options->uuid },
		{ "title", options->title },
		{ "emulator", options->emulator },
		{ "cpu", options->cpu },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(strings); i++) {
		if (strings[i].value)
			json_object_set_string_member(document, strings[i].key, strings[i].value);
	}
}

CtlExit document_new(const char *name, const DocumentOptions *options, JsonNode **ret_document)
{
	g_autoptr(JsonObject) document = json_object_new();
	CtlExit code = CTL_OK;

	set_strings(document, name, options);
	if (options->machine)
		code = set_machine(document, options->machine);
	for (unsigned i = 0; options->accels && options->accels[i]; i++)
		json_array_add_string_element(list_of(document, "accel"), options->accels[i]);
	if (options->cpus > 0)
		json_object_set_int_member(document, "cpus", options->cpus);
	if (code == CTL_OK && options->memory)
		code = set_memory(document, options->memory);
	if (code == CTL_OK)
		code = add_nets(document, options->nets);
	if (code == CTL_OK)
		code = add_images(document, options);
	if (code == CTL_OK)
		code = add_objects(document, options);
	for (unsigned i = 0; options->arguments && options->arguments[i]; i++)
		json_array_add_string_element(list_of(document, "arguments"), options->arguments[i]);
	if (options->autostart)
		json_object_set_boolean_member(document, "autostart", true);
	if (code == CTL_OK) {
		*ret_document = json_node_new(JSON_NODE_OBJECT);
		json_node_take_object(*ret_document, g_steal_pointer(&document));
	}
	return code;
}
