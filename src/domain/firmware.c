/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic-file.h"
#include "base/error.h"

static char *vars_name(const char *uuid)
{
	return g_strconcat(uuid, ".vars", NULL);
}

char *firmware_vars_path(const Definition *definition, const char *nvram)
{
	const DefinitionFirmware *firmware = &definition->firmware;
	g_autofree char *name = vars_name(definition->uuid);

	if (firmware->vars || !firmware->vars_template)
		return g_strdup(firmware->vars);
	return g_build_filename(nvram, name, NULL);
}

static bool check_file(const char *key, const char *path, int mode, GError **error)
{
	int errno_value;

	if (access(path, mode) == 0 && g_file_test(path, G_FILE_TEST_IS_REGULAR))
		return true;
	errno_value = access(path, mode) == 0 ? EISDIR : errno;
	g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "firmware.%s: %s cannot be %s: %s", key,
		    path, mode & W_OK ? "written" : "read",
		    errno_value == EISDIR ? "it is no regular file" : g_strerror(errno_value));
	return false;
}

/* At most FIRMWARE_VARS_MAX bytes. */
static GByteArray *read_all(int fd, const char *path, GError **error)
{
	g_autoptr(GByteArray) contents = g_byte_array_new();
	guint8 buffer[16 * 1024];
	ssize_t length;

	while ((length = TEMP_FAILURE_RETRY(read(fd, buffer, sizeof(buffer)))) > 0) {
		g_byte_array_append(contents, buffer, (guint)length);
		if (contents->len > FIRMWARE_VARS_MAX) {
			g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED, "%s: has more than %u bytes", path,
				    FIRMWARE_VARS_MAX);
			return NULL;
		}
	}
	if (length == 0)
		return g_steal_pointer(&contents);
	core_error_set_errno(error, errno, "%s: cannot be read", path);
	return NULL;
}

/* Takes fd over. */
static bool copy_template(int fd, const char *template, const char *vars, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(vars), *name = g_path_get_basename(vars);
	g_autoptr(GByteArray) contents = read_all(fd, template, error);

	(void)close(fd);
	if (!contents) {
		g_prefix_error(error, "firmware.vars-template: ");
		return false;
	}
	if (atomic_file_write(directory, name, (const char *)contents->data, contents->len, 0600, error))
		return true;
	g_prefix_error(error, "firmware.vars: %s: ", vars);
	return false;
}

/* A template is often a link to the one of several that fits. */
static bool copy_template_of_path(const char *template, const char *vars, GError **error)
{
	int fd = open(template, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0)
		return copy_template(fd, template, vars, error);
	core_error_set_errno(error, errno, "firmware.vars-template: cannot open %s", template);
	return false;
}

bool firmware_prepare(const Definition *definition, const char *nvram, GError **error)
{
	const DefinitionFirmware *firmware = &definition->firmware;
	g_autofree char *vars = firmware_vars_path(definition, nvram);

	if (firmware->code && !check_file("code", firmware->code, R_OK, error))
		return false;
	if (!vars)
		return true;
	if (firmware->vars_template && access(vars, F_OK) != 0 && errno == ENOENT &&
	    (!check_file("vars-template", firmware->vars_template, R_OK, error) ||
	     !copy_template_of_path(firmware->vars_template, vars, error)))
		return false;
	return check_file("vars", vars, R_OK | W_OK, error);
}

/* WARNING: with the rights of that user. Whatever was read with ours, the guest would see. */
bool firmware_prepare_for(const QemuImageAccess *access, const Definition *definition, const char *nvram, GError **error)
{
	const DefinitionFirmware *firmware = &definition->firmware;
	g_autofree char *vars = firmware_vars_path(definition, nvram);
	struct stat st;
	int fd;

	if (!firmware->vars_template || firmware->vars || lstat(vars, &st) == 0)
		return true;
	fd = qemu_image_open(access, firmware->vars_template, false, error);
	if (fd >= 0)
		return copy_template(fd, firmware->vars_template, vars, error);
	g_prefix_error(error, "firmware.vars-template: ");
	return false;
}

bool firmware_remove_vars(const char *nvram, const char *uuid, GError **error)
{
	g_autofree char *name = vars_name(uuid);

	return atomic_file_remove(nvram, name, error);
}
