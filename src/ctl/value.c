/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/value.h"

#include <string.h>

#include "ctl/output.h"

bool value_is_dictionary(const VmhValue *value)
{
	return value && g_str_has_prefix(vmh_value_get_type(value), "a{");
}

bool value_is_list(const VmhValue *value)
{
	return value && !value_is_dictionary(value) && strchr("a(", *vmh_value_get_type(value));
}

bool value_is_empty(const VmhValue *value)
{
	const char *string = vmh_value_get_string(value);

	if (value_is_dictionary(value) || value_is_list(value))
		return vmh_value_get_length(value) == 0;
	return string && !*string;
}

bool value_is_among(const char *words, const char *text)
{
	g_auto(GStrv) list = g_strsplit(words, "|", -1);

	return g_strv_contains((const char *const *) list, text);
}

JsonNode *value_to_json(const VmhValue *value)
{
	g_autofree char *text = vmh_value_to_json(value);

	return json_from_string(text, NULL);
}

char *value_shorten(const char *text)
{
	g_autofree char *head = NULL;
	g_autofree char *cut = NULL;

	/* The text may be a megabyte of a guest's; only the head of it is looked at. */
	if (g_utf8_strlen(text, -1) <= (glong) VALUE_TEXT_STRING_MAX)
		return output_safe(text);
	head = g_utf8_substring(text, 0, VALUE_TEXT_STRING_MAX);
	cut = g_strconcat(head, "…", NULL);
	return output_safe(cut);
}

void value_append_string(GString *string, const char *text)
{
	g_autofree char *safe = value_shorten(text);
	bool bare = *safe && !strpbrk(safe, " \"'=,[]{}");

	if (bare) {
		g_string_append(string, safe);
		return;
	}
	g_string_append_c(string, '"');
	for (const char *p = safe; *p; p++) {
		if (*p == '"')
			g_string_append_c(string, '\\');
		g_string_append_c(string, *p);
	}
	g_string_append_c(string, '"');
}

static void append_dictionary(GString *string, const VmhValue *value, bool braces)
{
	if (braces)
		g_string_append_c(string, '{');
	for (size_t i = 0; i < vmh_value_get_length(value); i++) {
		g_autoptr(VmhValue) child = vmh_value_get_child(value, i);

		if (i > 0)
			g_string_append(string, braces ? ", " : " ");
		value_append_string(string, vmh_value_get_key(value, i));
		g_string_append_c(string, '=');
		value_append_inner_text(string, child);
	}
	if (braces)
		g_string_append_c(string, '}');
}

static void append_list(GString *string, const VmhValue *value)
{
	size_t length = vmh_value_get_length(value);

	g_string_append_c(string, '[');
	for (size_t i = 0; i < MIN(length, VALUE_TEXT_LIST_MAX); i++) {
		g_autoptr(VmhValue) child = vmh_value_get_child(value, i);

		if (i > 0)
			g_string_append(string, ", ");
		value_append_inner_text(string, child);
	}
	if (length > VALUE_TEXT_LIST_MAX)
		g_string_append_printf(string, ", … +%" G_GSIZE_FORMAT, length - VALUE_TEXT_LIST_MAX);
	g_string_append_c(string, ']');
}

void value_append_inner_text(GString *string, const VmhValue *value)
{
	const char *text = vmh_value_get_string(value);
	g_autofree char *json = NULL;
	uint64_t number;

	if (text) {
		value_append_string(string, text);
	} else if (vmh_value_get_uint64(value, &number)) {
		g_string_append_printf(string, "%" G_GUINT64_FORMAT, number);
	} else if (value_is_list(value)) {
		append_list(string, value);
	} else if (value_is_dictionary(value) && (value_is_empty(value) || vmh_value_get_key(value, 0))) {
		append_dictionary(string, value, true);
	} else {
		/* true, -1, 0.5; and dictionaries whose keys are no strings, of which the service has none. */
		json = vmh_value_to_json(value);
		g_string_append(string, json);
	}
}

void value_append_text(GString *string, const VmhValue *value)
{
	if (value_is_dictionary(value) && vmh_value_get_key(value, 0))
		append_dictionary(string, value, false);
	else
		value_append_inner_text(string, value);
}

char *value_to_text(const VmhValue *value)
{
	GString *string = g_string_new(NULL);

	value_append_text(string, value);
	return g_string_free(string, false);
}
