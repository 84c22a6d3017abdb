/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/launch-files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "domain/firmware.h"
#include "qemu/disks.h"

void launch_files_clear(LaunchFiles *files)
{
	files->fdsets = qemu_fdsets_free(files->fdsets);
	g_clear_pointer(&files->firmware_code, g_free);
	g_clear_pointer(&files->firmware_vars, g_free);
	g_clear_pointer(&files->console_logs, g_strfreev);
	g_clear_pointer(&files->blockdevs, g_ptr_array_unref);
	g_clear_pointer(&files->disks, g_ptr_array_unref);
}

void launch_files_name(const Definition *definition, const char *nvram, const char *logs, LaunchFiles *ret_files)
{
	*ret_files = (LaunchFiles){
		.firmware_code = g_strdup(definition->firmware.code),
		.firmware_vars = firmware_vars_path(definition, nvram),
		.console_logs = qemu_console_log_paths(definition, logs),
	};
}

static int open_own(const char *path, int flags, GError **error)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be opened", path);
	} else if (!S_ISREG(status.st_mode) || status.st_nlink > 1) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s: is not a file that has this name alone; remove it", path);
	} else {
		return fd;
	}
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* Of one of our own files, in a folder that is ours alone; a link in its place is nobody's, and a file that has another name too may be
 * anybody's. *name: its path, and then that of the set. */
static bool replace_own(QemuFdsets *fdsets, char **name, int flags, GError **error)
{
	int fd = open_own(*name, flags, error);
	char *set;

	if (fd < 0)
		return false;
	set = qemu_fdsets_add(fdsets, fd, NULL, error);
	if (!set)
		return false;
	g_free(*name);
	*name = set;
	return true;
}

/* Of a file that the definition names. */
static bool replace_named(QemuFdsets *fdsets, const QemuImageAccess *access, const char *key, char **name, bool writable,
			  GError **error)
{
	int fd = qemu_image_open(access, *name, writable, error);
	char *set = fd < 0 ? NULL : qemu_fdsets_add(fdsets, fd, NULL, error);

	if (!set) {
		g_prefix_error(error, "%s: ", key);
		return false;
	}
	g_free(*name);
	*name = set;
	return true;
}

static bool open_firmware(const Definition *definition, const QemuImageAccess *access, const char *nvram, LaunchFiles *files,
			  GError **error)
{
	bool own_vars = files->firmware_vars && !definition->firmware.vars;

	if (!firmware_prepare_for(access, definition, nvram, error))
		return false;
	if (files->firmware_code &&
	    !replace_named(files->fdsets, access, "firmware.code", &files->firmware_code, false, error))
		return false;
	if (!files->firmware_vars)
		return true;
	return own_vars ? replace_own(files->fdsets, &files->firmware_vars, O_RDWR, error)
			: replace_named(files->fdsets, access, "firmware.vars", &files->firmware_vars, true, error);
}

/* WARNING: O_APPEND, as with a path. The log is emptied while QEMU writes to it (qemu/log-file.h). */
static bool open_console_logs(LaunchFiles *files, GError **error)
{
	for (unsigned i = 0; files->console_logs[i]; i++)
		if (!replace_own(files->fdsets, &files->console_logs[i], O_WRONLY | O_CREAT | O_APPEND, error))
			return false;
	return true;
}

static bool open_disks(const Definition *definition, const QemuImageAccess *access, LaunchFiles *files, GError **error)
{
	files->disk_sets = qemu_fdsets_get_next_id(files->fdsets);
	files->disks = qemu_disks_new(definition);
	files->blockdevs = g_ptr_array_new();
	if (!qemu_disks_open(files->disks, access, files->fdsets, error))
		return false;
	files->n_disk_sets = qemu_fdsets_get_next_id(files->fdsets) - files->disk_sets;
	for (unsigned i = 0; i < files->disks->len; i++)
		g_ptr_array_add(files->blockdevs, qemu_disk_get_entry(g_ptr_array_index(files->disks, i)));
	return true;
}

/* A QEMU that writes no file with its number where we find it is known by the word in its command line. */
static bool add_mark(QemuFdsets *fdsets, const char *mark, GError **error)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	g_autofree char *name = NULL;

	if (fd < 0) {
		core_error_set_errno(error, errno, "/dev/null: cannot be opened");
		return false;
	}
	name = qemu_fdsets_add(fdsets, fd, mark, error);
	return name != NULL;
}

bool launch_files_open(const Definition *definition, const QemuImageAccess *access, const char *nvram, const char *logs,
		       const char *mark, LaunchFiles *ret_files, GError **error)
{
	g_auto(LaunchFiles) files = { 0 };

	launch_files_name(definition, nvram, logs, &files);
	files.fdsets = qemu_fdsets_new();
	if (!add_mark(files.fdsets, mark, error) || !open_firmware(definition, access, nvram, &files, error) ||
	    !open_disks(definition, access, &files, error) || !open_console_logs(&files, error))
		return false;
	*ret_files = files;
	files = (LaunchFiles){ 0 };
	return true;
}

void launch_files_set_context(const LaunchFiles *files, QemuCommandLineContext *context)
{
	context->fdsets = files->fdsets;
	context->blockdevs = files->blockdevs;
	context->firmware_code = files->firmware_code;
	context->firmware_vars = files->firmware_vars;
	context->console_logs = (const char *const *)files->console_logs;
}
