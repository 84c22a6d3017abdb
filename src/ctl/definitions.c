/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb "reload", and what the service says of its files of definitions. */
#include "ctl/definitions.h"

#include <glib/gi18n.h>
#include <stdio.h>

#include "ctl/call.h"
#include "ctl/output.h"
#include "ctl/value.h"
#include "ctl/verbs.h"

/* A note of more is no note. */
#define FILES_NOTED_MAX 8u

/* An a(suuss) as JSON: what each of its elements is. */
enum { FILE_NAME, LINE, COLUMN, PATH, MESSAGE };

/* FILE:LINE:COLUMN: PATH: MESSAGE, as compilers do: editors find their way by it. */
static void print_problem(JsonArray *problem)
{
	g_autoptr(GString) text = g_string_new(json_array_get_string_element(problem, FILE_NAME));
	const char *path = json_array_get_string_element(problem, PATH);
	int64_t line = json_array_get_int_element(problem, LINE);
	g_autofree char *safe = NULL;

	/* 0: it is of no place in the file. */
	if (line > 0)
		g_string_append_printf(text, ":%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, line,
				       json_array_get_int_element(problem, COLUMN));
	if (*path)
		g_string_append_printf(text, ": %s", path);
	g_string_append_printf(text, ": %s", json_array_get_string_element(problem, MESSAGE));
	safe = output_safe(text->str);
	puts(safe);
}

static JsonObject *name_parts(JsonArray *problem)
{
	static const char *const names[] = {
		[FILE_NAME] = "file", [LINE] = "line", [COLUMN] = "column", [PATH] = "path", [MESSAGE] = "problem",
	};
	JsonObject *object = json_object_new();

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		json_object_set_member(object, names[i], json_array_dup_element(problem, i));
	return object;
}

static CtlExit show_problems(const Ctl *ctl, const VmhValue *value)
{
	g_autoptr(JsonNode) problems = value_to_json(value);
	g_autoptr(JsonNode) shown = json_node_new(JSON_NODE_ARRAY);
	JsonArray *array = json_node_get_array(problems);
	JsonArray *objects = json_array_new();

	json_node_take_array(shown, objects);
	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		JsonArray *problem = json_array_get_array_element(array, i);

		if (!ctl->json)
			print_problem(problem);
		json_array_add_object_element(objects, name_parts(problem));
	}
	if (ctl->json)
		output_json(shown);
	return json_array_get_length(array) > 0 ? CTL_FAILED : CTL_OK;
}

CtlExit reload_run(Ctl *ctl, char **arguments)
{
	g_autoptr(VmhValue) problems = NULL;
	g_auto(Call) call = {};
	CtlExit code;

	code = call_begin(ctl, NULL, NULL, &call);
	if (code == CTL_OK)
		code = call_end(&call, vmh_connection_reload(ctl->connection, &call.error));
	if (code != CTL_OK)
		return code;
	problems = vmh_connection_get_property(ctl->connection, "DefinitionProblems", &call.error);
	if (!problems)
		return call_end(&call, call_is_unknown(call.error));
	if (!g_str_equal(vmh_value_get_type(problems), "a(suuss)")) {
		ctl_error(_("The service gave an answer that is not understood"));
		return CTL_FAILED;
	}
	return show_problems(ctl, problems);
}

static bool is_wanted(const char *file, const char *domain)
{
	g_autofree char *wanted = domain ? g_strconcat(domain, ".json", NULL) : NULL;

	return !wanted || g_str_equal(file, wanted);
}

void definitions_note_changed(Ctl *ctl, const char *domain)
{
	g_autoptr(GString) names = g_string_new(NULL);
	g_autoptr(VmhValue) files = NULL;
	unsigned n = 0;

	if (!ctl->terminal || ctl->json)
		return;
	files = vmh_connection_get_property(ctl->connection, "DefinitionsChanged", NULL);
	for (size_t i = 0; i < vmh_value_get_length(files); i++) {
		g_autoptr(VmhValue) child = vmh_value_get_child(files, i);
		const char *file = vmh_value_get_string(child);

		if (file && is_wanted(file, domain) && n++ < FILES_NOTED_MAX)
			g_string_append_printf(names, "%s%s", n > 1 ? ", " : "", file);
	}
	if (n > FILES_NOTED_MAX)
		g_string_append(names, ", …");
	if (n > 0)
		ctl_error(_("changed by hand, and used after 'vmheraldctl reload' only: %s"), names->str);
}
