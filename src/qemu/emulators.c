/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/emulators.h"

#include <string.h>
#include <sys/stat.h>

#include "base/atomic-file.h"
#include "base/json-read.h"
#include "base/json-text.h"
#include "qemu/program.h"

#define EMULATOR_PREFIX "qemu-system-"
#define FILE_VERSION    1

/* What a file is: if all of it is as it was, so is what is in it. */
typedef struct Identity {
	int64_t device, inode, size, modified_ns, changed_ns;
} Identity;

/* Rows, so that writing and reading cannot differ. */
static const struct {
	const char *name;
	size_t offset;
} identity_members[] = {
	{ "device",   offsetof(Identity, device) },
	{ "inode",    offsetof(Identity, inode) },
	{ "size",     offsetof(Identity, size) },
	{ "modified", offsetof(Identity, modified_ns) },
	{ "changed",  offsetof(Identity, changed_ns) },
};

typedef struct Entry {
	Identity identity;
	QemuEmulator *emulator;      /* NULL: it does not answer like QEMU */
	uint64_t used;
} Entry;

struct QemuEmulators {
	char *directory;
	const QemuLauncher *launcher; /* NULL: none */
	GMutex lock;                 /* of all below; held while the file is read or written */
	bool is_read;
	GHashTable *entries;         /* path -> Entry */
	uint64_t uses;
};

static void entry_free(void *data)
{
	Entry *entry = data;

	qemu_emulator_unref(entry->emulator);
	g_free(entry);
}

QemuEmulators *qemu_emulators_new(const char *directory)
{
	QemuEmulators *emulators = g_new0(QemuEmulators, 1);

	emulators->directory = g_strdup(directory);
	g_mutex_init(&emulators->lock);
	emulators->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
	return emulators;
}

void qemu_emulators_use_launcher(QemuEmulators *emulators, const QemuLauncher *launcher)
{
	emulators->launcher = launcher;
}

QemuEmulators *qemu_emulators_free(QemuEmulators *emulators)
{
	if (!emulators)
		return NULL;
	g_hash_table_unref(emulators->entries);
	g_mutex_clear(&emulators->lock);
	g_free(emulators->directory);
	g_free(emulators);
	return NULL;
}

static bool identify(const char *path, Identity *ret_identity)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return false;
	*ret_identity = (Identity) {
		.device = (int64_t) info.st_dev,
		.inode = (int64_t) info.st_ino,
		.size = info.st_size,
		.modified_ns = (int64_t) info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec,
		.changed_ns = (int64_t) info.st_ctim.tv_sec * 1000000000 + info.st_ctim.tv_nsec,
	};
	return true;
}

static bool is_same(const Identity *a, const Identity *b)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(identity_members); i++)
		if (G_STRUCT_MEMBER(int64_t, a, identity_members[i].offset) !=
		    G_STRUCT_MEMBER(int64_t, b, identity_members[i].offset))
			return false;
	return true;
}

/* ---- the table, with the lock held ---- */

static void remove_oldest(GHashTable *entries)
{
	const char *oldest = NULL;
	uint64_t used = UINT64_MAX;
	GHashTableIter iter;
	void *path, *value;

	g_hash_table_iter_init(&iter, entries);
	while (g_hash_table_iter_next(&iter, &path, &value)) {
		const Entry *entry = value;

		if (entry->used < used) {
			oldest = path;
			used = entry->used;
		}
	}
	g_hash_table_remove(entries, oldest);
}

static void remember(QemuEmulators *emulators, const char *path, const Identity *identity,
		     QemuEmulator *emulator)
{
	Entry *entry = g_new0(Entry, 1);

	entry->identity = *identity;
	entry->emulator = emulator ? qemu_emulator_ref(emulator) : NULL;
	entry->used = ++emulators->uses;
	g_hash_table_replace(emulators->entries, g_strdup(path), entry);
	/* Definitions may name any number of them. */
	if (g_hash_table_size(emulators->entries) > QEMU_EMULATORS_MAX)
		remove_oldest(emulators->entries);
}

/* ---- the file ---- */

static void write_strings(JsonBuilder *builder, const char *member, char *const *values)
{
	size_t i;

	json_builder_set_member_name(builder, member);
	json_builder_begin_array(builder);
	for (i = 0; values[i]; i++)
		json_builder_add_string_value(builder, values[i]);
	json_builder_end_array(builder);
}

static void write_entry(JsonBuilder *builder, const Entry *entry)
{
	const QemuEmulator *emulator = entry->emulator;
	size_t i;

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "path");
	json_builder_add_string_value(builder, emulator->path);
	for (i = 0; i < G_N_ELEMENTS(identity_members); i++) {
		json_builder_set_member_name(builder, identity_members[i].name);
		json_builder_add_int_value(builder, G_STRUCT_MEMBER(int64_t, &entry->identity,
								    identity_members[i].offset));
	}
	json_builder_set_member_name(builder, "version");
	json_builder_add_string_value(builder, emulator->version);
	write_strings(builder, "machines", emulator->machines);
	json_builder_set_member_name(builder, "default-machine");
	json_builder_add_string_value(builder, emulator->default_machine);
	write_strings(builder, "accelerators", emulator->accelerators);
	json_builder_set_member_name(builder, "sandbox");
	json_builder_add_boolean_value(builder, emulator->knows_sandbox);
	json_builder_end_object(builder);
}

/* Without the file, they are asked again by the next service: no reason to fail. */
static void write_file(QemuEmulators *emulators)
{
	g_autoptr(JsonBuilder) builder = json_builder_new_immutable();
	g_autoptr(JsonNode) node = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	GHashTableIter iter;
	void *path, *entry;

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "version");
	json_builder_add_int_value(builder, FILE_VERSION);
	json_builder_set_member_name(builder, "emulators");
	json_builder_begin_array(builder);
	g_hash_table_iter_init(&iter, emulators->entries);
	while (g_hash_table_iter_next(&iter, &path, &entry))
		if (((const Entry *) entry)->emulator && g_utf8_validate(path, -1, NULL))
			write_entry(builder, entry);
	json_builder_end_array(builder);
	json_builder_end_object(builder);
	node = json_builder_get_root(builder);
	text = json_text_from_node(node);
	if (!atomic_file_write(emulators->directory, QEMU_EMULATORS_FILE, text, strlen(text), 0600,
			       &error))
		g_message("What emulators can do is not kept: %s", error->message);
}

/* NULL if it is no list of strings, or too long a one. */
static GStrv read_strings(JsonObject *object, const char *member, unsigned max)
{
	JsonArray *array = json_read_array(object, member);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	unsigned i;

	if (!array || json_array_get_length(array) > max)
		return NULL;
	for (i = 0; i < json_array_get_length(array); i++) {
		JsonNode *node = json_array_get_element(array, i);

		if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
			return NULL;
		g_strv_builder_add(builder, json_node_get_string(node));
	}
	return g_strv_builder_end(builder);
}

static QemuEmulator *read_emulator(JsonObject *object)
{
	g_autoptr(QemuEmulator) emulator = g_new0(QemuEmulator, 1);
	const char *path, *version, *default_machine;

	emulator->ref_count = 1;
	emulator->machines = read_strings(object, "machines", QEMU_EMULATOR_MACHINES_MAX);
	emulator->accelerators = read_strings(object, "accelerators", QEMU_EMULATOR_ACCELERATORS_MAX);
	if (!emulator->machines || !emulator->accelerators ||
	    !json_read_string(object, "path", &path) || !g_path_is_absolute(path) ||
	    !json_read_string(object, "version", &version) ||
	    !json_read_string(object, "default-machine", &default_machine) ||
	    !json_read_bool(object, "sandbox", &emulator->knows_sandbox))
		return NULL;
	emulator->path = g_strdup(path);
	emulator->name = g_path_get_basename(path);
	emulator->version = g_strdup(version);
	emulator->default_machine = g_strdup(default_machine);
	return g_steal_pointer(&emulator);
}

static void read_entry(QemuEmulators *emulators, JsonObject *object)
{
	g_autoptr(QemuEmulator) emulator = read_emulator(object);
	Identity identity;
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(identity_members); i++)
		if (!json_read_int(object, identity_members[i].name,
				   &G_STRUCT_MEMBER(int64_t, &identity, identity_members[i].offset)))
			return;
	if (emulator)
		remember(emulators, emulator->path, &identity, emulator);
}

static void read_file(QemuEmulators *emulators)
{
	size_t length = 0;
	g_autofree char *text = atomic_file_read(emulators->directory, QEMU_EMULATORS_FILE,
						 QEMU_EMULATORS_FILE_MAX, &length, NULL);
	g_autoptr(JsonNode) node = text ? json_text_parse(text, length, QEMU_EMULATORS_FILE_MAX, 8, NULL)
					: NULL;
	JsonObject *object = json_node_as_object(node);
	JsonArray *array = json_read_array(object, "emulators");
	int64_t version = 0;
	unsigned i;

	emulators->is_read = true;
	if (!json_read_int(object, "version", &version) || version != FILE_VERSION || !array)
		return;
	for (i = 0; i < json_array_get_length(array); i++)
		read_entry(emulators, json_node_as_object(json_array_get_element(array, i)));
}

/* ---- look-up ---- */

/* False if path has not been asked since it became what it is. */
static bool look_up_locked(QemuEmulators *emulators, const char *path, const Identity *identity,
			   QemuEmulator **ret_emulator)
{
	Entry *entry;

	if (!emulators->is_read)
		read_file(emulators);
	entry = g_hash_table_lookup(emulators->entries, path);
	if (!entry || !is_same(&entry->identity, identity))
		return false;
	entry->used = ++emulators->uses;
	*ret_emulator = entry->emulator ? qemu_emulator_ref(entry->emulator) : NULL;
	return true;
}

static bool look_up(QemuEmulators *emulators, const char *path, const Identity *identity,
		    QemuEmulator **ret_emulator)
{
	bool found;

	g_mutex_lock(&emulators->lock);
	found = look_up_locked(emulators, path, identity, ret_emulator);
	g_mutex_unlock(&emulators->lock);
	return found;
}

/* *ret_asked: it had to be, and the file does not have its answer yet. */
static QemuEmulator *get(QemuEmulators *emulators, const char *path, bool *ret_asked)
{
	QemuEmulator *emulator = NULL;
	Identity identity;

	if (!identify(path, &identity) || look_up(emulators, path, &identity, &emulator))
		return emulator;

	/* If the file is exchanged from here on, the entry is that of the old one, and known to be. */
	emulator = qemu_probe(path, emulators->launcher);
	g_mutex_lock(&emulators->lock);
	remember(emulators, path, &identity, emulator);
	g_mutex_unlock(&emulators->lock);
	*ret_asked = emulator != NULL;
	return emulator;
}

static void keep(QemuEmulators *emulators)
{
	g_mutex_lock(&emulators->lock);
	write_file(emulators);
	g_mutex_unlock(&emulators->lock);
}

QemuEmulator *qemu_emulators_get(QemuEmulators *emulators, const char *path)
{
	bool asked = false;
	QemuEmulator *emulator = get(emulators, path, &asked);

	if (asked)
		keep(emulators);
	return emulator;
}

/* Name -> path of those that are there, at most QEMU_EMULATORS_MAX. */
static GHashTable *list_programs(void)
{
	GHashTable *programs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) directories = qemu_program_directories();
	size_t i;

	for (i = 0; directories[i]; i++) {
		g_autoptr(GDir) directory = g_dir_open(directories[i], 0, NULL);
		const char *name;

		while (directory && (name = g_dir_read_name(directory))) {
			g_autofree char *path = NULL;

			if (!g_str_has_prefix(name, EMULATOR_PREFIX) ||
			    !g_utf8_validate(name, -1, NULL) ||
			    g_hash_table_contains(programs, name))
				continue;
			path = g_build_filename(directories[i], name, NULL);
			if (!qemu_program_is_executable(path))
				continue;
			if (g_hash_table_size(programs) >= QEMU_EMULATORS_MAX) {
				g_message("more than %u emulators on PATH, %s and others left out",
					  QEMU_EMULATORS_MAX, path);
				return programs;
			}
			g_hash_table_insert(programs, g_strdup(name), g_steal_pointer(&path));
		}
	}
	return programs;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void free_emulator(void *emulator)
{
	qemu_emulator_unref(emulator);
}

GPtrArray *qemu_emulators_find(QemuEmulators *emulators)
{
	GPtrArray *found = g_ptr_array_new_with_free_func(free_emulator);
	g_autoptr(GHashTable) programs = list_programs();
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(programs), compare_names);
	bool any_asked = false;
	const GList *item;

	for (item = names; item; item = item->next) {
		bool asked = false;
		QemuEmulator *emulator = get(emulators, g_hash_table_lookup(programs, item->data), &asked);

		if (emulator)
			g_ptr_array_add(found, emulator);
		any_asked |= asked;
	}
	if (any_asked)
		keep(emulators);
	return found;
}
