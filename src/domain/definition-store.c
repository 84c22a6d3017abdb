/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/definition-store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic-file.h"
#include "base/error.h"

/* Of the uuids in a file that cannot be read; a definition has one. */
#define UUIDS_IN_DOUBT_MAX 16u
#define UUID_LENGTH 36

/* Tells that a file is untouched without reading it. */
typedef struct Signature {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
} Signature;

/* A file as it was read or written last. */
typedef struct KnownFile {
	Signature signature;     /* all zero: look again */
	char *digest;            /* "" if it cannot be read */
	bool in_force;           /* a domain has its definition from it */
} KnownFile;

struct DefinitionStore {
	char *directory;
	GHashTable *known;       /* file name -> KnownFile */
};

static void known_file_free(void *data)
{
	KnownFile *known = data;

	g_free(known->digest);
	g_free(known);
}

DefinitionStore *definition_store_new(const char *directory)
{
	DefinitionStore *store = g_new0(DefinitionStore, 1);

	store->directory = g_strdup(directory);
	store->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_file_free);
	return store;
}

DefinitionStore *definition_store_free(DefinitionStore *store)
{
	if (!store)
		return NULL;
	g_hash_table_unref(store->known);
	g_free(store->directory);
	g_free(store);
	return NULL;
}

const char *definition_store_get_directory(const DefinitionStore *store)
{
	return store->directory;
}

/* ---- what is known of a file ---- */

static char *path_of(const DefinitionStore *store, const char *file)
{
	return g_build_filename(store->directory, file, NULL);
}

/* False if it is not there. */
static bool read_signature(const DefinitionStore *store, const char *file, Signature *ret_signature)
{
	g_autofree char *path = path_of(store, file);
	struct stat status;

	if (lstat(path, &status) < 0)
		return false;
	*ret_signature = (Signature){ status.st_dev, status.st_ino, status.st_size, status.st_mtim,
				      status.st_ctim };
	return true;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same_signature(const Signature *a, const Signature *b)
{
	return a->inode == b->inode && a->device == b->device && a->size == b->size &&
	       is_same_time(a->modified, b->modified) && is_same_time(a->changed, b->changed);
}

static void note(DefinitionStore *store, const char *file, const Signature *signature,
		 const char *text, size_t length, bool in_force)
{
	KnownFile *known = g_new0(KnownFile, 1);

	if (signature)
		known->signature = *signature;
	known->digest = text ? g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text,
							   length)
			     : g_strdup("");
	known->in_force = in_force;
	g_hash_table_insert(store->known, g_strdup(file), known);
}

static void note_renamed(DefinitionStore *store, const char *from, const char *to)
{
	char *key = NULL;
	void *known = NULL;

	if (g_hash_table_steal_extended(store->known, from, (void **)&key, &known))
		g_hash_table_insert(store->known, g_strdup(to), known);
	g_free(key);
}

/* The other way round at once. */
static void note_exchanged(DefinitionStore *store, const char *a, const char *b)
{
	note_renamed(store, a, "");
	note_renamed(store, b, a);
	note_renamed(store, "", b);
}

/* Whether the file is there and differs from what is known of it. */
static bool has_changed(DefinitionStore *store, const char *file)
{
	KnownFile *known = g_hash_table_lookup(store->known, file);
	g_autofree char *text = NULL, *digest = NULL;
	Signature signature;
	size_t length = 0;

	/* The signature is older than the text: what comes in between is found the next time. */
	if (!read_signature(store, file, &signature))
		return false;
	if (!known)
		return true;
	if (is_same_signature(&signature, &known->signature))
		return false;
	text = atomic_file_read(store->directory, file, DEFINITION_LENGTH_MAX, &length, NULL);
	if (text)
		digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, length);
	if (g_strcmp0(digest ? digest : "", known->digest) != 0)
		return true;
	known->signature = signature;
	return false;
}

/* ---- write, remove ---- */

static bool write_file(DefinitionStore *store, const char *file, const Definition *definition,
		       bool in_force, GError **error)
{
	g_autofree char *json = definition_to_json(definition);

	if (!atomic_file_write(store->directory, file, json, strlen(json), 0600, error))
		return false;
	/* Without its signature: somebody may have been at it since. */
	note(store, file, NULL, json, strlen(json), in_force);
	return true;
}

/* Somebody has put it there, and it may be all there is of what it says. */
static bool check_not_foreign(DefinitionStore *store, const char *file, GError **error)
{
	const KnownFile *known = g_hash_table_lookup(store->known, file);
	g_autofree char *path = path_of(store, file);
	Signature signature;

	if ((known && known->in_force) || !read_signature(store, file, &signature))
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS,
		    "%s is there already, and no domain was loaded from it: take it in by Reload(), "
		    "repair or remove it", path);
	return false;
}

/* The old file may have been taken away by somebody: then there is nothing to rename. */
static bool rename_file(DefinitionStore *store, const char *old_file, const char *file, GError **error)
{
	g_autofree char *old_path = path_of(store, old_file), *path = path_of(store, file);

	if (renameat2(AT_FDCWD, old_path, AT_FDCWD, path, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return true;
	/* Not every file system has that; that there is none has been seen before. */
	if (errno == EINVAL && rename(old_path, path) == 0)
		return true;
	core_error_set_errno(error, errno, "%s: cannot be renamed to %s", old_path, file);
	return false;
}

bool definition_store_write(DefinitionStore *store, const Definition *definition,
			    const char *old_name, GError **error)
{
	g_autofree char *file = stored_file_of(definition->name);
	g_autofree char *old_file = NULL;

	if (!check_not_foreign(store, file, error))
		return false;
	if (old_name && !g_str_equal(old_name, definition->name)) {
		old_file = stored_file_of(old_name);
		if (!rename_file(store, old_file, file, error))
			return false;
	} else if (has_changed(store, file)) {
		g_message("%s/%s was changed by hand, and is overwritten", store->directory, file);
	}
	if (write_file(store, file, definition, true, error)) {
		if (old_file)
			g_hash_table_remove(store->known, old_file);
		return true;
	}
	/* What was there before is there again, under the name it had. */
	if (old_file)
		(void)rename_file(store, file, old_file, NULL);
	return false;
}

bool definition_store_remove(DefinitionStore *store, const char *name, GError **error)
{
	g_autofree char *file = stored_file_of(name);

	if (!atomic_file_remove(store->directory, file, error))
		return false;
	g_hash_table_remove(store->known, file);
	return true;
}

/* ---- load ---- */

static int compare_files(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted. */
static GPtrArray *list_files(const DefinitionStore *store, bool *ret_complete, GError **error)
{
	g_autoptr(GDir) dir = g_dir_open(store->directory, 0, error);
	GPtrArray *files;
	const char *file;

	if (!dir)
		return NULL;
	*ret_complete = true;
	files = g_ptr_array_new_with_free_func(g_free);
	while ((file = g_dir_read_name(dir))) {
		g_autofree char *name = stored_name_of(file);

		if (!name)
			continue;
		if (files->len >= DEFINITION_STORE_FILES_MAX) {
			*ret_complete = false;
			break;
		}
		g_ptr_array_add(files, g_strdup(file));
	}
	g_ptr_array_sort(files, compare_files);
	return files;
}

/* What was made up (uuid, MAC) is not in the text: keep what it is now. */
static bool is_complete(const char *text, const Definition *definition)
{
	if (!strcasestr(text, definition->uuid))
		return false;
	for (unsigned i = 0; i < definition->interfaces->len; i++) {
		const DefinitionInterface *interface =
			g_ptr_array_index(definition->interfaces, i);

		if (!strcasestr(text, interface->mac))
			return false;
	}
	return true;
}

/* Nobody knows whose file it is that cannot be read, but its name, and what looks like a uuid in it, say of whom
 * it speaks. */
static void note_doubt(StoredDefinitions *stored, const char *file, const char *text)
{
	unsigned n_uuids = 0;

	g_hash_table_add(stored->doubtful, stored_name_of(file));
	for (const char *p = text; p && (p = strchr(p, '"')); p++) {
		g_autofree char *uuid = NULL;

		if (strnlen(p + 1, UUID_LENGTH + 1) <= UUID_LENGTH || p[UUID_LENGTH + 1] != '"')
			continue;
		uuid = g_ascii_strdown(p + 1, UUID_LENGTH);
		if (!definition_uuid_is_valid(uuid))
			continue;
		if (n_uuids++ == UUIDS_IN_DOUBT_MAX) {
			stored->complete = false;
			return;
		}
		g_hash_table_add(stored->doubtful, g_steal_pointer(&uuid));
	}
}

static void add_error(StoredDefinitions *stored, const char *file, const GError *error)
{
	stored_definitions_add_problem(stored, file, (DefinitionPlace){ 0 }, "", error->message);
}

static void load_file(DefinitionStore *store, const char *file, StoredDefinitions *stored)
{
	size_t length = 0;
	Signature signature = { 0 };
	g_autoptr(GError) error = NULL;
	g_autoptr(Definition) definition = NULL;
	g_autofree char *text = NULL;

	(void)read_signature(store, file, &signature);
	text = atomic_file_read(store->directory, file, DEFINITION_LENGTH_MAX, &length, &error);
	note(store, file, &signature, text, length, false);
	if (text)
		definition = definition_parse(text, length, &error);
	if (definition && !is_complete(text, definition) &&
	    !write_file(store, file, definition, false, &error))
		g_clear_pointer(&definition, definition_unref);
	if (definition) {
		stored_definitions_add(stored, file, g_steal_pointer(&definition));
		return;
	}
	note_doubt(stored, file, text);
	if (!text || !stored_definitions_add_problems_of(stored, file, text, length))
		add_error(stored, file, error);
}

StoredDefinitions *definition_store_load(DefinitionStore *store)
{
	StoredDefinitions *stored = stored_definitions_new(store->directory);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) files = list_files(store, &stored->complete, &error);

	if (!files) {
		stored->complete = false;
		add_error(stored, NULL, error);
		return stored;
	}
	g_hash_table_remove_all(store->known);
	if (!stored->complete) {
		g_autofree char *message = g_strdup_printf("has more than %u files; the rest is not "
							   "read", DEFINITION_STORE_FILES_MAX);

		stored_definitions_add_problem(stored, NULL, (DefinitionPlace){ 0 }, "", message);
	}
	for (unsigned i = 0; i < files->len; i++)
		load_file(store, g_ptr_array_index(files, i), stored);
	return stored;
}

/* ---- proper names ---- */

/* Two files whose definitions have each other's name change places at once: so at no time one is missing. */
static void move_file(DefinitionStore *store, StoredDefinition *entry, const char *proper,
		      StoredDefinition *occupant)
{
	g_autofree char *old_path = path_of(store, entry->file), *path = path_of(store, proper);

	if (renameat2(AT_FDCWD, old_path, AT_FDCWD, path,
		      occupant ? RENAME_EXCHANGE : RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			g_message("%s cannot be called %s, as what it defines: %s", old_path, proper,
				  g_strerror(errno));
		return;
	}
	g_message("%s: is called %s from now on, as what it defines", old_path, proper);
	if (occupant) {
		note_exchanged(store, entry->file, proper);
		g_free(occupant->file);
		occupant->file = g_steal_pointer(&entry->file);
	} else {
		note_renamed(store, entry->file, proper);
		g_free(entry->file);
	}
	entry->file = g_strdup(proper);
}

/* By the file they are in, as it is now. */
static void settle_one(DefinitionStore *store, StoredDefinition *entry, GHashTable *by_file)
{
	g_autofree char *proper = stored_file_of(entry->definition->name);
	StoredDefinition *occupant = g_hash_table_lookup(by_file, proper);

	if (occupant == entry)
		return;
	/* Both keys belong to the entries, and change with them. */
	g_hash_table_remove(by_file, entry->file);
	g_hash_table_remove(by_file, proper);
	move_file(store, entry, proper, occupant);
	g_hash_table_insert(by_file, entry->file, entry);
	if (occupant)
		g_hash_table_insert(by_file, occupant->file, occupant);
}

void definition_store_settle(DefinitionStore *store, GPtrArray *definitions)
{
	g_autoptr(GHashTable) by_file = g_hash_table_new(g_str_hash, g_str_equal);

	for (unsigned i = 0; i < definitions->len; i++) {
		StoredDefinition *entry = g_ptr_array_index(definitions, i);

		g_hash_table_insert(by_file, entry->file, entry);
	}
	/* Each step puts one in its place for good. Who was in it is either behind us in the list, or comes. */
	for (unsigned i = 0; i < definitions->len; i++)
		settle_one(store, g_ptr_array_index(definitions, i), by_file);
	for (unsigned i = 0; i < definitions->len; i++) {
		const StoredDefinition *entry = g_ptr_array_index(definitions, i);
		KnownFile *known = g_hash_table_lookup(store->known, entry->file);

		if (known)
			known->in_force = true;
	}
}

/* ---- changed by somebody else ---- */

static void add_changed(GPtrArray *changed, const char *file)
{
	g_ptr_array_add(changed, g_utf8_make_valid(file, -1));
}

GPtrArray *definition_store_find_changed(DefinitionStore *store, GError **error)
{
	g_autoptr(GError) list_error = NULL;
	bool complete = true;
	g_autoptr(GPtrArray) files = list_files(store, &complete, &list_error);
	GPtrArray *changed;
	GHashTableIter iter;
	void *file;
	Signature signature;

	if (!files && !g_error_matches(list_error, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		g_propagate_error(error, g_steal_pointer(&list_error));
		return NULL;
	}
	changed = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; files && i < files->len; i++) {
		if (has_changed(store, g_ptr_array_index(files, i)))
			add_changed(changed, g_ptr_array_index(files, i));
	}
	g_hash_table_iter_init(&iter, store->known);
	while (g_hash_table_iter_next(&iter, &file, NULL)) {
		if (!read_signature(store, file, &signature))
			add_changed(changed, file);
	}
	g_ptr_array_sort(changed, compare_files);
	if (changed->len > DEFINITION_STORE_CHANGED_MAX)
		g_ptr_array_set_size(changed, DEFINITION_STORE_CHANGED_MAX);
	return changed;
}
