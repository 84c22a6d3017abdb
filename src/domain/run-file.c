/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/run-file.h"

#include <string.h>
#include <unistd.h>

#include "base/atomic-file.h"
#include "base/error.h"
#include "base/json-read.h"
#include "base/json-text.h"
#include "base/log.h"

/* Bumped when a reader of the old form would misunderstand the new one. */
#define RUN_FILE_VERSION 1

static void write_backends(JsonBuilder *builder, GHashTable *backends)
{
	GHashTableIter iter;
	void *id, *value;

	json_builder_set_member_name(builder, "backends");
	json_builder_begin_object(builder);
	g_hash_table_iter_init(&iter, backends);
	while (g_hash_table_iter_next(&iter, &id, &value)) {
		const Backends *of_device = value;

		json_builder_set_member_name(builder, id);
		json_builder_begin_object(builder);
		for (unsigned i = 0; i < BACKEND_MAX; i++) {
			if (!of_device->ids[i])
				continue;
			json_builder_set_member_name(builder, backend_rows[i].name);
			json_builder_add_string_value(builder, of_device->ids[i]);
		}
		json_builder_end_object(builder);
	}
	json_builder_end_object(builder);
}

static void write_devices(JsonBuilder *builder, GHashTable *devices)
{
	GHashTableIter iter;
	void *id, *driver;

	json_builder_set_member_name(builder, "devices");
	json_builder_begin_object(builder);
	g_hash_table_iter_init(&iter, devices);
	while (g_hash_table_iter_next(&iter, &id, &driver)) {
		json_builder_set_member_name(builder, id);
		json_builder_add_string_value(builder, driver);
	}
	json_builder_end_object(builder);
}

static void write_int(JsonBuilder *builder, const char *member, int64_t value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_int_value(builder, value);
}

static void write_bool(JsonBuilder *builder, const char *member, bool value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_boolean_value(builder, value);
}

static void write_string(JsonBuilder *builder, const char *member, const char *value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_string_value(builder, value);
}

char *run_file_to_json(const RunFile *run)
{
	g_autoptr(JsonBuilder) builder = json_builder_new_immutable();
	g_autofree char *definition = definition_to_json(run->definition);
	g_autoptr(JsonNode) node = NULL;

	json_builder_begin_object(builder);
	write_int(builder, "version", RUN_FILE_VERSION);
	write_int(builder, "incarnation", (int64_t)run->incarnation);
	write_int(builder, "pid", run->pid);
	write_int(builder, "start-time", (int64_t)run->start_time);
	write_int(builder, "owner", run->owner);
	write_bool(builder, "started", run->started);
	write_bool(builder, "released", run->released);
	write_int(builder, "started-at", run->started_at);
	write_string(builder, "emulator", run->emulator ? run->emulator : "");
	if (run->unit)
		write_string(builder, "unit", run->unit);
	/* As text: the definition is read by its own parser and by nobody else. */
	write_string(builder, "definition", definition);
	if (run->backends)
		write_backends(builder, run->backends);
	if (run->adopted)
		adopted_write(run->adopted, builder, "adopted");
	if (run->under_way && g_hash_table_size(run->under_way) > 0) {
		json_builder_set_member_name(builder, "under-way");
		under_way_table_write(builder, run->under_way);
	}
	if (run->host_nics && g_hash_table_size(run->host_nics) > 0)
		host_nics_write(builder, "host-nics", run->host_nics);
	if (run->devices)
		write_devices(builder, run->devices);
	json_builder_end_object(builder);
	node = json_builder_get_root(builder);
	return json_text_from_node(node);
}

bool run_file_write(const char *directory, const char *json, GError **error)
{
	return atomic_file_write(directory, RUN_FILE_NAME, json, strlen(json), 0600, error);
}

static GHashTable *read_backends(JsonObject *object)
{
	GHashTable *table = backends_table_new();
	JsonObjectIter iter;
	const char *id;
	JsonNode *node;

	if (!object)
		return table;
	json_object_iter_init(&iter, object);
	while (json_object_iter_next(&iter, &id, &node)) {
		Backends *backends = g_new0(Backends, 1);

		for (unsigned i = 0; i < BACKEND_MAX; i++) {
			const char *name;

			if (json_read_string(json_node_as_object(node), backend_rows[i].name, &name))
				backends->ids[i] = g_strdup(name);
		}
		g_hash_table_insert(table, g_strdup(id), backends);
	}
	return table;
}

static GHashTable *read_devices(JsonObject *object)
{
	GHashTable *devices;
	JsonObjectIter iter;
	const char *id;
	JsonNode *node;

	if (!object)
		return NULL;
	devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	json_object_iter_init(&iter, object);
	while (json_object_iter_next(&iter, &id, &node)) {
		const char *driver = "";

		(void)json_read_string(object, id, &driver);
		g_hash_table_insert(devices, g_strdup(id), g_strdup(driver));
	}
	return devices;
}

/* Killed between the start of QEMU and the second writing: QEMU has left its number itself. The start time is
 * not in that file; launch_find_orphan() then looks whether that is our QEMU. */
static pid_t read_pid_file(const char *directory)
{
	g_autofree char *text = atomic_file_read(directory, RUN_PID_FILE_NAME, 64, NULL, NULL);
	gint64 pid = text ? g_ascii_strtoll(text, NULL, 10) : 0;

	return pid > 1 && pid <= G_MAXINT32 ? (pid_t)pid : 0;
}

RunFile *run_file_read(const char *directory, GError **error)
{
	size_t length;
	g_autofree char *text = atomic_file_read(directory, RUN_FILE_NAME, RUN_FILE_MAX, &length,
						 error);
	g_autoptr(JsonNode) node = text ? json_text_parse(text, length, RUN_FILE_MAX, 64, error) : NULL;
	JsonObject *object = json_node_as_object(node);
	const char *definition, *emulator = "", *unit = NULL;
	int64_t version = 0, incarnation = 0, pid = 0, start_time = 0, started_at = 0, owner = geteuid();
	g_autoptr(GError) picture_error = NULL;
	g_autoptr(RunFile) run = NULL;

	if (!node) {
		/* Of a file that can be read, the parser does not know the name. */
		if (text)
			g_prefix_error(error, "%s/%s: ", directory, RUN_FILE_NAME);
		return NULL;
	}
	if (!json_read_int(object, "version", &version) || version != RUN_FILE_VERSION ||
	    !json_read_int(object, "incarnation", &incarnation) ||
	    !json_read_int(object, "pid", &pid) || !json_read_string(object, "definition", &definition)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s/%s: not a run file of version %d",
			    directory, RUN_FILE_NAME, RUN_FILE_VERSION);
		return NULL;
	}

	run = g_new0(RunFile, 1);
	run->definition = definition_parse(definition, strlen(definition), error);
	if (!run->definition) {
		g_prefix_error(error, "%s/%s: definition: ", directory, RUN_FILE_NAME);
		return NULL;
	}
	(void)json_read_bool(object, "started", &run->started);
	(void)json_read_bool(object, "released", &run->released);
	(void)json_read_int(object, "start-time", &start_time);
	(void)json_read_int(object, "started-at", &started_at);
	(void)json_read_string(object, "emulator", &emulator);
	run->incarnation = (uint64_t)incarnation;
	run->start_time = (uint64_t)start_time;
	run->pid = pid > 1 && pid <= G_MAXINT32 ? (pid_t)pid : read_pid_file(directory);
	run->started_at = started_at;
	(void)json_read_int(object, "owner", &owner);
	run->owner = (uid_t)owner;
	(void)json_read_string(object, "unit", &unit);
	run->emulator = g_strdup(emulator);
	run->unit = g_strdup(unit);
	run->backends = read_backends(json_read_object(object, "backends"));
	run->devices = read_devices(json_read_object(object, "devices"));
	run->under_way = under_way_table_read(json_read_object(object, "under-way"));
	run->host_nics = host_nics_read(json_read_object(object, "host-nics"));
	run->picture = run_picture_open(directory, &picture_error);
	if (!run->picture)
		log_problem(LOG_ID_STORE_FAILED, directory, picture_error->message);
	/* Taken for one of ours, it would be ended where it must not be. */
	if (json_object_has_member(object, "adopted") &&
	    !(run->adopted = adopted_read(json_read_object(object, "adopted")))) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s/%s: adopted: not understood", directory,
			    RUN_FILE_NAME);
		return NULL;
	}
	return g_steal_pointer(&run);
}

GHashTable *run_file_read_links(const char *directory)
{
	size_t length = 0;
	g_autofree char *text = atomic_file_read(directory, RUN_FILE_NAME, RUN_FILE_MAX, &length, NULL);
	g_autoptr(JsonNode) node = text ? json_text_parse(text, length, RUN_FILE_MAX, 64, NULL) : NULL;
	JsonObject *object = json_node_as_object(node);
	GHashTable *links = host_nics_read(json_read_object(object, "host-nics"));
	g_autoptr(GHashTable) under_way = under_way_table_read(json_read_object(object, "under-way"));

	under_way_table_add_links(under_way, links);
	return links;
}

RunFile *run_file_free(RunFile *run)
{
	if (!run)
		return NULL;
	g_clear_pointer(&run->definition, definition_unref);
	g_clear_pointer(&run->backends, g_hash_table_unref);
	g_clear_pointer(&run->devices, g_hash_table_unref);
	g_clear_pointer(&run->under_way, g_hash_table_unref);
	g_clear_pointer(&run->host_nics, g_hash_table_unref);
	g_clear_pointer(&run->picture, run_picture_free);
	adopted_free(run->adopted);
	g_free(run->emulator);
	g_free(run->unit);
	g_free(run);
	return NULL;
}

GPtrArray *run_file_list(const char *domains)
{
	GPtrArray *directories = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(domains, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		if (definition_uuid_is_valid(name))
			g_ptr_array_add(directories, g_build_filename(domains, name, NULL));
	}
	return directories;
}
