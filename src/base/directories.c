/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/directories.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* systemd may name several, separated by colons; the first is ours. */
static char *from_unit(const char *variable, const char *fallback)
{
	const char *value = g_getenv(variable);

	if (!value || !*value)
		return g_strdup(fallback);
	return g_strndup(value, strcspn(value, ":"));
}

static bool make(const char *path, GError **error)
{
	if (g_mkdir_with_parents(path, 0700) == 0)
		return true;
	core_error_set_errno(error, errno, "%s: the directory cannot be made", path);
	return false;
}

char *directories_get_configuration(bool system)
{
	return system ? from_unit("CONFIGURATION_DIRECTORY", "/etc/vmherald")
		      : g_build_filename(g_get_user_config_dir(), "vmherald", NULL);
}

Directories *directories_new(bool system, GError **error)
{
	g_autoptr(Directories) directories = g_new0(Directories, 1);
	g_autofree char *config = directories_get_configuration(system);

	if (system) {
		directories->state = from_unit("STATE_DIRECTORY", "/var/lib/vmherald");
		directories->runtime = from_unit("RUNTIME_DIRECTORY", "/run/vmherald");
		directories->logs = from_unit("LOGS_DIRECTORY", "/var/log/vmherald");
	} else {
		directories->state = g_build_filename(g_get_user_state_dir(), "vmherald", NULL);
		directories->runtime = g_build_filename(g_get_user_runtime_dir(), "vmherald", NULL);
		directories->logs = g_build_filename(directories->state, "log", NULL);
	}
	directories->definitions = g_build_filename(config, "domains", NULL);
	directories->saved = g_build_filename(directories->state, "saved", NULL);
	directories->nvram = g_build_filename(directories->state, "nvram", NULL);
	directories->owners = g_build_filename(directories->state, "owners", NULL);
	directories->domains = g_build_filename(directories->runtime, "domains", NULL);

	if (!make(directories->definitions, error) || !make(directories->state, error) ||
	    !make(directories->saved, error) || !make(directories->nvram, error) ||
	    !make(directories->owners, error) ||
	    !make(directories->logs, error) || !make(directories->domains, error))
		return NULL;
	return g_steal_pointer(&directories);
}

Directories *directories_free(Directories *directories)
{
	if (!directories)
		return NULL;
	g_free(directories->definitions);
	g_free(directories->state);
	g_free(directories->saved);
	g_free(directories->nvram);
	g_free(directories->owners);
	g_free(directories->logs);
	g_free(directories->runtime);
	g_free(directories->domains);
	g_free(directories);
	return NULL;
}

int directories_lock(const char *directory, int timeout_ms, GError **error)
{
	g_autofree char *path = g_build_filename(directory, "lock", NULL);
	gint64 deadline = g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		core_error_set_errno(error, errno, "%s: cannot be opened", path);
		return -1;
	}
	/* There is no flock() with a time-out; this runs at start-up, before there is a loop. */
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || g_get_monotonic_time() >= deadline) {
			core_error_set_errno(error, errno,
					     "%s: another vmherald uses this directory", path);
			(void)close(fd);
			return -1;
		}
		g_usleep(2000);
	}
	return fd;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

bool directories_remove(const char *path, GError **error)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT)
		return true;
	core_error_set_errno(error, errno, "%s: cannot be removed", path);
	return false;
}
