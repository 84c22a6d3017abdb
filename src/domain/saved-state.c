/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/saved-state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "model/definition.h"

#define WHOLE   ".state"
#define PARTIAL ".state.partial"
#define USED    ".state.used"

static char *entry_path(const char *directory, const char *uuid, const char *suffix)
{
	g_autofree char *name = g_strconcat(uuid, suffix, NULL);

	return g_build_filename(directory, name, NULL);
}

static bool sync_folder(const char *folder, GError **error)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (!ok)
		core_error_set_errno(error, errno, "%s: cannot be brought to the disk", folder);
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static bool sync_folder_of(const char *path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);

	return sync_folder(folder, error);
}

static bool unlink_file(const char *path, GError **error)
{
	if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
		return true;
	core_error_set_errno(error, errno, "%s: cannot be removed", path);
	return false;
}

/* The file before the link to it: cut off in between, the link is still there to be removed. */
static bool remove_entry(const char *entry, GError **error)
{
	g_autofree char *target = g_file_read_link(entry, NULL);

	return (!target || unlink_file(target, error)) && unlink_file(entry, error);
}

static int create_file(const char *path, GError **error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		core_error_set_errno(error, errno, "%s: cannot be made", path);
	return fd;
}

static int create_elsewhere(const char *partial, const char *uuid, const char *path, GError **error)
{
	g_autofree char *target = g_strconcat(path, ".", uuid, ".partial", NULL);
	struct stat status;
	int fd;

	if (lstat(path, &status) == 0) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "%s: there is such a file already; it is not overwritten", path);
		return -1;
	}
	/* The link first: cut off after that, the next start of the service finds what to remove. */
	if (symlink(target, partial) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be made", partial);
		return -1;
	}
	fd = create_file(target, error);
	if (fd < 0)
		(void)unlink(partial);
	return fd;
}

int saved_state_create(const char *directory, const char *uuid, const char *path, const char *header,
		       GError **error)
{
	g_autofree char *partial = entry_path(directory, uuid, PARTIAL);
	int fd;

	if (!remove_entry(partial, error))
		return -1;
	fd = path ? create_elsewhere(partial, uuid, path, error) : create_file(partial, error);
	if (fd < 0 || state_header_write(fd, header, error))
		return fd;
	g_prefix_error(error, "%s: ", path ? path : partial);
	(void)close(fd);
	(void)remove_entry(partial, NULL);
	return -1;
}

/* Never over another file, which may have come in the meantime. */
static bool rename_to_new(const char *from, const char *to, GError **error)
{
	struct stat status;

	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return true;
	/* Some file systems cannot promise that. */
	if (errno == EINVAL && lstat(to, &status) < 0 && rename(from, to) == 0)
		return true;
	core_error_set_errno(error, errno, "%s: cannot be made", to);
	return false;
}

static bool commit_elsewhere(const char *partial, const char *path, GError **error)
{
	g_autofree char *target = g_file_read_link(partial, NULL);

	if (!target) {
		core_error_set_errno(error, errno, "%s: cannot be read", partial);
		return false;
	}
	if (!rename_to_new(target, path, error))
		return false;
	if (!sync_folder_of(path, error) || !unlink_file(partial, error)) {
		(void)unlink(path);
		return false;
	}
	if (symlink(path, partial) == 0)
		return true;
	core_error_set_errno(error, errno, "%s: cannot be made", partial);
	(void)unlink(path);
	return false;
}

bool saved_state_commit(const char *directory, const char *uuid, const char *path, int fd,
			GError **error)
{
	g_autofree char *partial = entry_path(directory, uuid, PARTIAL);
	g_autofree char *whole = entry_path(directory, uuid, WHOLE);

	if (!state_header_complete(fd, error)) {
		g_prefix_error(error, "%s: ", path ? path : partial);
		return false;
	}
	if (fsync(fd) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be brought to the disk",
				     path ? path : partial);
		return false;
	}
	if (path && !commit_elsewhere(partial, path, error))
		return false;
	if (rename(partial, whole) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be made", whole);
		return false;
	}
	return sync_folder(directory, error);
}

bool saved_state_discard(const char *directory, const char *uuid, bool committed, GError **error)
{
	g_autofree char *partial = entry_path(directory, uuid, PARTIAL);
	g_autofree char *whole = entry_path(directory, uuid, WHOLE);

	return remove_entry(partial, error) && (!committed || remove_entry(whole, error));
}

int saved_state_open(const char *directory, const char *uuid, StateHeader **ret_header, GError **error)
{
	g_autofree char *whole = entry_path(directory, uuid, WHOLE);
	g_autofree char *target = g_file_read_link(whole, NULL);
	int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	StateHeader *header;

	if (fd < 0) {
		core_error_set_errno(error, errno, "%s: cannot be opened", target ? target : whole);
		return -1;
	}
	header = state_header_read(fd, uuid, error);
	if (header) {
		*ret_header = header;
		return fd;
	}
	g_prefix_error(error, "%s ", target ? target : whole);
	(void)close(fd);
	return -1;
}

static bool rename_entry(const char *directory, const char *uuid, const char *from, const char *to,
			 bool must_exist, GError **error)
{
	g_autofree char *old_path = entry_path(directory, uuid, from);
	g_autofree char *new_path = entry_path(directory, uuid, to);

	if (rename(old_path, new_path) < 0 && !(errno == ENOENT && !must_exist)) {
		core_error_set_errno(error, errno, "%s: cannot be renamed", old_path);
		return false;
	}
	return sync_folder(directory, error);
}

bool saved_state_use(const char *directory, const char *uuid, GError **error)
{
	return rename_entry(directory, uuid, WHOLE, USED, true, error);
}

bool saved_state_unuse(const char *directory, const char *uuid, GError **error)
{
	return rename_entry(directory, uuid, USED, WHOLE, false, error);
}

bool saved_state_remove(const char *directory, const char *uuid, GError **error)
{
	g_autofree char *whole = entry_path(directory, uuid, WHOLE);
	g_autofree char *used = entry_path(directory, uuid, USED);

	return remove_entry(used, error) && remove_entry(whole, error) &&
	       sync_folder(directory, error);
}

/* The uuid of an entry UUID + suffix, or NULL. */
static char *uuid_of(const char *name, const char *suffix)
{
	g_autofree char *uuid = NULL;

	if (!g_str_has_suffix(name, suffix))
		return NULL;
	uuid = g_strndup(name, strlen(name) - strlen(suffix));
	return definition_uuid_is_valid(uuid) ? g_steal_pointer(&uuid) : NULL;
}

GHashTable *saved_state_list(const char *directory)
{
	GHashTable *uuids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		char *uuid = uuid_of(name, WHOLE);

		if (uuid)
			(void)g_hash_table_add(uuids, uuid);
	}
	return uuids;
}

static bool was_running(const char *entry)
{
	int fd = open(entry, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool running = fd >= 0 && state_header_was_running(fd);

	if (fd >= 0)
		(void)close(fd);
	return running;
}

/* 0: name is no entry that is left over. */
static unsigned look_at(const char *entry, const char *name, char **ret_uuid)
{
	char *uuid = uuid_of(name, PARTIAL);

	if (uuid) {
		*ret_uuid = uuid;
		return SAVED_LEFT_PARTIAL | (was_running(entry) ? SAVED_LEFT_RUNNING : 0);
	}
	uuid = uuid_of(name, USED);
	*ret_uuid = uuid;
	return uuid ? SAVED_LEFT_USED : 0;
}

GHashTable *saved_state_clean(const char *directory)
{
	GHashTable *uuids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *entry = g_build_filename(directory, name, NULL);
		g_autofree char *uuid = NULL;
		unsigned left = look_at(entry, name, &uuid);
		g_autoptr(GError) error = NULL;

		if (!uuid)
			continue;
		if (!remove_entry(entry, &error))
			log_problem(LOG_ID_STORE_FAILED, NULL, error->message);
		left |= GPOINTER_TO_UINT(g_hash_table_lookup(uuids, uuid));
		g_hash_table_replace(uuids, g_steal_pointer(&uuid), GUINT_TO_POINTER(left));
	}
	return uuids;
}
