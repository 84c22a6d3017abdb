/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb "reload", and what the service says of its files of definitions. */
#include "ctl/definitions.h"

#include <glib/gi18n.h>
#include <stdio.h>

#include "ctl/bus.h"
#include "ctl/names.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

/* A note of more is no note. */
#define FILES_NOTED_MAX 8u

/* Inside the variant. CTL_OK without a reply: the service does not have it. */
static CtlExit get_property(Ctl *ctl, const char *name, const char *signature,
			    sd_bus_message **ret_reply)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
	CtlExit code;
	int r;

	code = bus_method_new(ctl, NAMES_MANAGER_PATH, NAMES_PROPERTIES, "Get", &message);
	if (code == CTL_OK)
		code = bus_append(message, "ss", NAMES_INTERFACE("Manager"), name);
	if (code != CTL_OK)
		return code;
	r = sd_bus_call(ctl->bus, message, UINT64_MAX, &error, &reply);
	if (r < 0 && bus_is_unknown(&error))
		return CTL_OK;
	if (r >= 0)
		r = sd_bus_message_enter_container(reply, 'v', signature);
	if (r < 0)
		return bus_report(&error, r);
	*ret_reply = g_steal_pointer(&reply);
	return CTL_OK;
}

/* FILE:LINE:COLUMN: PATH: MESSAGE, as compilers do: editors find their way by it. */
static void print_problem(const char *file, unsigned line, unsigned column, const char *path,
			  const char *message)
{
	g_autoptr(GString) text = g_string_new(file);
	g_autofree char *safe = NULL;

	if (line > 0)
		g_string_append_printf(text, ":%u:%u", line, column);
	if (*path)
		g_string_append_printf(text, ": %s", path);
	g_string_append_printf(text, ": %s", message);
	safe = output_safe(text->str);
	puts(safe);
}

static CtlExit show_problems(Ctl *ctl, sd_bus_message *reply)
{
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_ARRAY);
	JsonArray *array = json_array_new();
	const char *file, *path, *message;
	uint32_t line, column;
	int r;

	json_node_take_array(node, array);
	r = sd_bus_message_enter_container(reply, 'a', "(suuss)");
	while (r > 0 && (r = sd_bus_message_read(reply, "(suuss)", &file, &line, &column, &path,
						 &message)) > 0) {
		JsonObject *object = json_object_new();

		json_object_set_string_member(object, "file", file);
		json_object_set_int_member(object, "line", line);
		json_object_set_int_member(object, "column", column);
		json_object_set_string_member(object, "path", path);
		json_object_set_string_member(object, "problem", message);
		json_array_add_object_element(array, object);
		if (!ctl->json)
			print_problem(file, line, column, path, message);
	}
	if (r < 0)
		return bus_report(NULL, r);
	if (ctl->json)
		output_json(node);
	return json_array_get_length(array) > 0 ? CTL_FAILED : CTL_OK;
}

CtlExit reload_run(Ctl *ctl, char **arguments)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	CtlExit code;

	code = bus_method_new(ctl, NAMES_MANAGER_PATH, "Manager", "Reload", &message);
	if (code == CTL_OK)
		code = bus_call(ctl, message, NULL);
	if (code == CTL_OK)
		code = get_property(ctl, "DefinitionProblems", "a(suuss)", &reply);
	return code == CTL_OK && reply ? show_problems(ctl, reply) : code;
}

static bool is_wanted(const char *file, const char *domain)
{
	g_autofree char *wanted = domain ? g_strconcat(domain, ".json", NULL) : NULL;

	return !wanted || g_str_equal(file, wanted);
}

void definitions_note_changed(Ctl *ctl, const char *domain)
{
	g_autoptr(sd_bus_message) reply = NULL;
	g_autoptr(GString) names = g_string_new(NULL);
	const char *file;
	unsigned n = 0;
	int r;

	if (!ctl->terminal || ctl->json ||
	    get_property(ctl, "DefinitionsChanged", "as", &reply) != CTL_OK || !reply)
		return;
	r = sd_bus_message_enter_container(reply, 'a', "s");
	while (r > 0 && (r = sd_bus_message_read(reply, "s", &file)) > 0) {
		if (is_wanted(file, domain) && n++ < FILES_NOTED_MAX)
			g_string_append_printf(names, "%s%s", n > 1 ? ", " : "", file);
	}
	if (n > FILES_NOTED_MAX)
		g_string_append(names, ", …");
	if (n > 0)
		ctl_error(_("changed by hand, and used after 'vmheraldctl reload' only: %s"), names->str);
}
