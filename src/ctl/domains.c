/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that list domains, and show or set one thing of a domain. */
#include <glib/gi18n.h>
#include <stdio.h>

#include "ctl/call.h"
#include "ctl/definitions.h"
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
	const CallOption options[] = { { "state", .text = list_state }, {} };
	g_autoptr(OutputTable) table = output_table_new(heads, 1);
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_ARRAY);
	JsonArray *array = json_array_new();
	VmhDomainEntry *entries = NULL;
	g_auto(Call) call = {};
	size_t length = 0;
	CtlExit code;

	json_node_take_array(node, array);
	code = call_begin(ctl, NULL, options, &call);
	if (code != CTL_OK)
		return code;
	entries = vmh_connection_list_domains(ctl->connection, call.options, &length, &call.error);
	if (call.error)
		return call_end(&call, false);
	for (size_t i = 0; i < length; i++) {
		const VmhDomainEntry *entry = &entries[i];
		JsonObject *object = json_object_new();

		json_object_set_string_member(object, "path", vmh_domain_get_path(entry->domain));
		json_object_set_string_member(object, "name", entry->name);
		json_object_set_string_member(object, "uuid", entry->uuid);
		json_object_set_string_member(object, "state", entry->state_name);
		json_array_add_object_element(array, object);
		output_table_add(table, entry->name, entry->state_name, entry->uuid, NULL);
	}
	vmh_domain_entries_free(entries, length);
	if (ctl->json)
		output_json(node);
	else
		output_table_print(ctl, table);
	definitions_note_changed(ctl, NULL);
	return CTL_OK;
}

void list_names(Ctl *ctl)
{
	VmhDomainEntry *entries;
	size_t length = 0;

	if (call_connect(ctl, VMH_CONNECTION_NO_AUTO_START) != CTL_OK)
		return;
	vmh_connection_set_call_timeout(ctl->connection, NAMES_TIMEOUT);
	entries = vmh_connection_list_domains(ctl->connection, NULL, &length, NULL);
	for (size_t i = 0; i < length; i++) {
		g_autofree char *safe = output_safe(entries[i].name);

		puts(safe);
	}
	vmh_domain_entries_free(entries, length);
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
	const CallOption options[] = { { "command-line", .flag = command_line }, {} };
	g_autofree char *definition = NULL;
	g_auto(Call) call = {};
	CtlExit code = call_begin(ctl, arguments[0], options, &call);

	if (code != CTL_OK)
		return code;
	definition = vmh_domain_get_definition(call.domain, call.options, &call.error);
	if (definition && command_line)
		print_command_line(ctl, definition);
	else if (definition)
		output_json_text(definition);
	return call_end(&call, definition);
}

static CtlExit show_autostart(const Ctl *ctl, Call *call)
{
	g_autoptr(VmhValue) value = vmh_domain_get_property(call->domain, "Domain", "Autostart", &call->error);
	bool autostart = false;

	vmh_value_get_bool(value, &autostart);
	if (value && ctl->json)
		puts(autostart ? "true" : "false");
	else if (value)
		puts(autostart ? "on" : "off");
	return call_end(call, value);
}

CtlExit autostart_run(Ctl *ctl, char **arguments)
{
	bool autostart = g_strcmp0(arguments[1], "on") == 0;
	g_auto(Call) call = {};
	CtlExit code;

	if (arguments[1] && !autostart && !g_str_equal(arguments[1], "off")) {
		ctl_error(_("autostart: '%s' is neither on nor off"), arguments[1]);
		return CTL_USAGE;
	}
	code = call_begin(ctl, arguments[0], NULL, &call);
	if (code != CTL_OK)
		return code;
	if (!arguments[1])
		return show_autostart(ctl, &call);
	return call_end(&call, vmh_domain_set_autostart(call.domain, autostart, &call.error));
}
