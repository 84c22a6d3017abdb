/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <string.h>

#include "client/value-internal.h"

/* Values as JSON, in the form that json-glib gives them, without building a tree of nodes for it. */

static const char *get_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

static void append_string(GString *json, const char *string)
{
	g_string_append_c(json, '"');
	for (const char *p = string; *p; p++) {
		unsigned char c = (unsigned char)*p;
		const char *escape = get_escape(c);

		if (escape)
			g_string_append(json, escape);
		else if (c < ' ' || c == 0x7f)
			g_string_append_printf(json, "\\u%04x", c);
		else
			g_string_append_c(json, *p);
	}
	g_string_append_c(json, '"');
}

static void append_double(GString *json, double number)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	/* JSON has neither infinity nor what is no number. */
	if (!isfinite(number)) {
		g_string_append(json, "null");
		return;
	}
	g_string_append(json, g_ascii_dtostr(text, sizeof(text), number));
	if (!strpbrk(text, ".e"))
		g_string_append(json, ".0");
}

static void append_basic(GString *json, GVariant *variant)
{
	const VmhValue *value = value_from_gvariant(variant);
	const char *string = vmh_value_get_string(value);
	uint64_t positive;
	int64_t number;

	if (string)
		append_string(json, string);
	else if (vmh_value_get_int64(value, &number))
		g_string_append_printf(json, "%" G_GINT64_FORMAT, number);
	else if (vmh_value_get_uint64(value, &positive))
		g_string_append_printf(json, "\"%" G_GUINT64_FORMAT "\"", positive);
	else if (g_variant_is_of_type(variant, G_VARIANT_TYPE_BOOLEAN))
		g_string_append(json, g_variant_get_boolean(variant) ? "true" : "false");
	else if (g_variant_is_of_type(variant, G_VARIANT_TYPE_DOUBLE))
		append_double(json, g_variant_get_double(variant));
	else
		g_string_append(json, "null");
}

static void append_value(GString *json, GVariant *variant);

/* Keys of JSON are strings: others are what they would be as values. */
static void append_entry(GString *json, GVariant *entry)
{
	g_autoptr(GVariant) key = g_variant_get_child_value(entry, 0);
	g_autoptr(GVariant) value = g_variant_get_child_value(entry, 1);
	g_autoptr(GString) text = g_string_new(NULL);

	append_basic(text, key);
	if (text->str[0] == '"')
		g_string_append_len(json, text->str, (gssize)text->len);
	else
		append_string(json, text->str);
	g_string_append_c(json, ':');
	append_value(json, value);
}

static void append_children(GString *json, GVariant *variant)
{
	bool entries = g_variant_is_of_type(variant, G_VARIANT_TYPE_DICTIONARY);

	g_string_append_c(json, entries ? '{' : '[');
	for (size_t i = 0; i < g_variant_n_children(variant); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(variant, i);

		if (i > 0)
			g_string_append_c(json, ',');
		if (entries)
			append_entry(json, child);
		else
			append_value(json, child);
	}
	g_string_append_c(json, entries ? '}' : ']');
}

static void append_value(GString *json, GVariant *variant)
{
	g_autoptr(GVariant) value = value_unbox(g_variant_ref(variant));

	if (g_variant_is_container(value))
		append_children(json, value);
	else
		append_basic(json, value);
}

char *vmh_value_to_json(const VmhValue *value)
{
	GString *json = g_string_new(NULL);

	append_value(json, value_get_gvariant(value));
	return g_string_free(json, false);
}
