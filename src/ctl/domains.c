/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that list domains, and show or set one thing of a domain. */
#include <glib/gi18n.h>
#include <stdio.h>

#include "ctl/bus.h"
#include "ctl/definitions.h"
#include "ctl/names.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

/* Who pressed the tabulator key does not wait longer for names: microseconds. */
#define NAMES_TIMEOUT (2u * G_USEC_PER_SEC)

static char *list_state;
static gboolean command_line;

const GOptionEntry list_options[] = {
	{ "state", 0, 0, G_OPTION_ARG_FILENAME, &list_state,
	  N_("Only domains in this state (running, shut-off, …)"), N_("STATE") },
	{},
};

CtlExit list_run(Ctl *ctl, char **arguments)
{
	const char *const heads[] = { _("NAME"), _("STATE"), _("UUID"), NULL };
	const BusOption options[] = { { "state", .text = list_state }, {} };
	g_autoptr(OutputTable) table = output_table_new(heads, 1);
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_ARRAY);
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *path, *name, *uuid, *state;
	JsonArray *array = json_array_new();
	CtlExit code;
	int r;

	json_node_take_array(node, array);
	code = bus_method_new(ctl, NAMES_MANAGER_PATH, "Manager", "ListDomains", &message);
	if (code == CTL_OK)
		code = bus_append_options(message, options);
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code != CTL_OK)
		return code;
	r = sd_bus_message_enter_container(reply, 'a', "(osss)");
	while (r > 0 && (r = sd_bus_message_read(reply, "(osss)", &path, &name, &uuid, &state)) > 0) {
		JsonObject *object = json_object_new();

		json_object_set_string_member(object, "path", path);
		json_object_set_string_member(object, "name", name);
		json_object_set_string_member(object, "uuid", uuid);
		json_object_set_string_member(object, "state", state);
		json_array_add_object_element(array, object);
		output_table_add(table, name, state, uuid, NULL);
	}
	if (r < 0)
		return bus_report(NULL, r);
	if (ctl->json)
		output_json(node);
	else
		output_table_print(ctl, table);
	definitions_note_changed(ctl, NULL);
	return CTL_OK;
}

void list_names(Ctl *ctl)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *name;
	int r;

	if (bus_method_new(ctl, NAMES_MANAGER_PATH, "Manager", "ListDomains", &message) != CTL_OK ||
	    bus_append_options(message, NULL) != CTL_OK ||
	    sd_bus_message_set_auto_start(message, false) < 0)
		return;
	if (sd_bus_call(ctl->bus, message, NAMES_TIMEOUT, NULL, &reply) < 0)
		return;
	r = sd_bus_message_enter_container(reply, 'a', "(osss)");
	while (r > 0 && (r = sd_bus_message_read(reply, "(osss)", NULL, &name, NULL, NULL)) > 0) {
		g_autofree char *safe = output_safe(name);

		puts(safe);
	}
}

const GOptionEntry definition_options[] = {
	{ "command-line", 0, 0, G_OPTION_ARG_NONE, &command_line,
	  N_("Print QEMU's command line instead, of what runs or of the next start"), NULL },
	{},
};

/* As a shell can read it; with --json a string. */
static void print_command_line(const Ctl *ctl, const char *text)
{
	g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), text);
	g_autofree char *safe = output_safe_lines(text);

	if (ctl->json)
		output_json(node);
	else
		fputs(safe, stdout);
}

CtlExit definition_run(Ctl *ctl, char **arguments)
{
	const BusOption options[] = { { "command-line", .flag = command_line }, {} };
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *definition = NULL;
	CtlExit code;

	code = bus_domain_method_new(ctl, arguments[0], "Domain", "GetDefinition", &message);
	if (code == CTL_OK)
		code = bus_append_options(message, options);
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code == CTL_OK)
		code = bus_read(reply, "s", &definition);
	if (code == CTL_OK && command_line)
		print_command_line(ctl, definition);
	else if (code == CTL_OK)
		output_json_text(definition);
	return code;
}

static CtlExit show_autostart(Ctl *ctl, const char *domain)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	int autostart = 0;
	CtlExit code;

	code = bus_domain_method_new(ctl, domain, NAMES_PROPERTIES, "Get", &message);
	if (code == CTL_OK)
		code = bus_append(message, "ss", NAMES_INTERFACE("Domain"), "Autostart");
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code == CTL_OK)
		code = bus_read(reply, "v", "b", &autostart);
	if (code == CTL_OK && ctl->json)
		puts(autostart ? "true" : "false");
	else if (code == CTL_OK)
		puts(autostart ? "on" : "off");
	return code;
}

CtlExit autostart_run(Ctl *ctl, char **arguments)
{
	g_autoptr(sd_bus_message) message = NULL;
	bool autostart;
	CtlExit code;

	if (!arguments[1])
		return show_autostart(ctl, arguments[0]);
	autostart = g_str_equal(arguments[1], "on");
	if (!autostart && !g_str_equal(arguments[1], "off")) {
		ctl_error(_("autostart: '%s' is neither on nor off"), arguments[1]);
		return CTL_USAGE;
	}
	code = bus_domain_method_new(ctl, arguments[0], "Domain", "SetAutostart", &message);
	if (code == CTL_OK)
		code = bus_append(message, "b", autostart);
	return code == CTL_OK ? bus_call(ctl, message, NULL) : code;
}
