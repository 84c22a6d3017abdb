/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver-internal.h"

/*
 * Files of definitions that somebody else has changed: told, not used. The look at them is an item of the strand
 * on which they are read and written, so it never sees what we are just about to do ourselves.
 */

/* Named in one line of the log; all are in the property. */
#define NAMES_LOGGED_MAX 8u

typedef struct Look {
	Driver *driver;
	DefinitionStore *definitions;
	DefinitionWatch *watch;
	GPtrArray *changed;
	GError *error;
} Look;

static void log_changed(const Driver *driver)
{
	const GPtrArray *changed = driver->changed_files;
	g_autoptr(GString) names = g_string_new(NULL);

	for (unsigned i = 0; i < MIN(changed->len, NAMES_LOGGED_MAX); i++)
		g_string_append_printf(names, "%s%s", i > 0 ? ", " : "",
				       (const char *)g_ptr_array_index(changed, i));
	if (changed->len > NAMES_LOGGED_MAX)
		g_string_append_printf(names, " and %u more", changed->len - NAMES_LOGGED_MAX);
	g_message("%s: changed by hand, and used after a reload only: %s",
		  driver->directories->definitions, names->str);
}

static bool are_same(const GPtrArray *a, const GPtrArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned i = 0; i < a->len; i++)
		if (!g_str_equal(g_ptr_array_index(a, i), g_ptr_array_index(b, i)))
			return false;
	return true;
}

void driver_set_changed_files(Driver *driver, GPtrArray *changed)
{
	bool same = are_same(driver->changed_files, changed);

	g_ptr_array_unref(driver->changed_files);
	driver->changed_files = changed;
	if (same)
		return;
	if (changed->len > 0)
		log_changed(driver);
	driver->observer.changed_files_changed(driver->observer.userdata);
}

GPtrArray *driver_get_changed_files(const Driver *driver)
{
	return driver->changed_files;
}

static StrandStep look_work(void *data)
{
	Look *look = data;

	definition_watch_renew(look->watch);
	look->changed = definition_store_find_changed(look->definitions, &look->error);
	return STRAND_DONE;
}

static void look_done(void *data)
{
	Look *look = data;

	if (look->changed)
		driver_set_changed_files(look->driver, g_steal_pointer(&look->changed));
	else
		g_warning("%s", look->error->message);
	definition_watch_resume(look->watch);
}

static void look_free(void *data)
{
	Look *look = data;

	g_clear_pointer(&look->changed, g_ptr_array_unref);
	g_clear_error(&look->error);
	g_free(look);
}

static const StrandItemClass look_class = { look_work, NULL, look_done, look_free };

static void on_reason(void *userdata)
{
	Driver *driver = userdata;
	Look *look = g_new0(Look, 1);

	look->driver = driver;
	look->definitions = driver->definitions;
	look->watch = driver->definition_watch;
	strand_push(driver->store, &look_class, look);
}

void driver_watch_definitions(Driver *driver)
{
	g_autoptr(GError) error = NULL;

	driver->definition_watch =
		definition_watch_new(driver->loop, driver->directories->definitions,
				     DEFINITION_WATCH_INTERVAL_MS, DEFINITION_WATCH_RETRY_MS,
				     on_reason, driver, &error);
	if (!driver->definition_watch) {
		g_warning("%s; what is changed by hand is not noticed", error->message);
		return;
	}
	definition_watch_renew(driver->definition_watch);
	definition_watch_resume(driver->definition_watch);
}
