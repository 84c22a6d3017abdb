/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "descriptions.h"

typedef struct Description {
	char *interface, *member;
	GString *types, *names;
	GHashTable *signals;
} Description;

static const char *get_attribute(const char *name, const char **names, const char **values)
{
	for (unsigned i = 0; names[i]; i++)
		if (g_str_equal(names[i], name))
			return values[i];
	return "";
}

static void on_begin(GMarkupParseContext *context, const char *element, const char **names,
		     const char **values, void *userdata, GError **error)
{
	Description *description = userdata;

	if (g_str_equal(element, "interface")) {
		g_free(description->interface);
		description->interface = g_strdup(get_attribute("name", names, values));
	} else if (g_str_equal(element, "signal")) {
		description->member = g_strdup(get_attribute("name", names, values));
		g_string_truncate(description->types, 0);
		g_string_truncate(description->names, 0);
	} else if (g_str_equal(element, "arg") && description->member) {
		g_string_append(description->types, get_attribute("type", names, values));
		g_string_append_printf(description->names, " %s",
				       get_attribute("name", names, values));
	}
}

static void on_end(GMarkupParseContext *context, const char *element, void *userdata, GError **error)
{
	Description *description = userdata;

	if (!g_str_equal(element, "signal"))
		return;
	g_hash_table_insert(description->signals,
			    g_strconcat(description->interface, ".", description->member, NULL),
			    g_strconcat(description->types->str, description->names->str, NULL));
	g_clear_pointer(&description->member, g_free);
}

static void read_file(const char *path, Description *description)
{
	static const GMarkupParser parser = { .start_element = on_begin, .end_element = on_end };
	g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, description, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, &error));
	g_assert_no_error(error);
	g_assert_true(g_markup_parse_context_parse(context, text, -1, &error));
	g_assert_no_error(error);
}

GHashTable *descriptions_read_signals(void)
{
	const char *folder = g_getenv("VMHERALD_INTROSPECTION"), *name;
	g_autoptr(GDir) files = g_dir_open(folder, 0, NULL);
	Description description = {
		.types = g_string_new(NULL),
		.names = g_string_new(NULL),
		.signals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
	};

	g_assert_nonnull(files);
	while ((name = g_dir_read_name(files))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		if (g_str_has_suffix(name, ".xml"))
			read_file(path, &description);
	}
	g_free(description.interface);
	g_string_free(description.types, TRUE);
	g_string_free(description.names, TRUE);
	return description.signals;
}
