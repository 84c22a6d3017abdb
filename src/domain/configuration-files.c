/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/configuration-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

typedef struct Override {
	char *option;
	const ConfigurationKey *key;
	char *value;
} Override;

struct ConfigurationSource {
	bool system;
	char *directory;
	GPtrArray *overrides;
};

static void override_free(void *data)
{
	Override *override = data;

	g_free(override->option);
	g_free(override->value);
	g_free(override);
}

ConfigurationSource *configuration_source_new(bool system, const char *directory)
{
	ConfigurationSource *source = g_new0(ConfigurationSource, 1);

	source->system = system;
	source->directory = g_strdup(directory);
	source->overrides = g_ptr_array_new_with_free_func(override_free);
	return source;
}

void configuration_source_override(ConfigurationSource *source, const char *option, const char *section, const char *key,
				   const char *value)
{
	Override *override = g_new0(Override, 1);

	override->option = g_strdup(option);
	override->key = configuration_find_key(section, key);
	override->value = g_strdup(value);
	g_assert(override->key);
	g_ptr_array_add(source->overrides, override);
}

ConfigurationSource *configuration_source_free(ConfigurationSource *source)
{
	if (!source)
		return NULL;
	g_free(source->directory);
	g_ptr_array_unref(source->overrides);
	g_free(source);
	return NULL;
}

/* ---- one file ---- */

static void add_errno(GPtrArray *problems, const char *path, int errno_value)
{
	configuration_problems_add(problems, path, 0, g_strerror(errno_value));
}

/* WARNING: of what was opened, not of a path, which may be another file a moment later. */
static bool check_owner(const ConfigurationSource *source, const char *path, const struct stat *status,
			GPtrArray *problems)
{
	g_autofree char *message = NULL;

	if (!source->system)
		return true;
	if (status->st_uid != 0 && status->st_uid != geteuid())
		message = g_strdup_printf("belongs to the user %u; it must be root's (chown root)",
					  (unsigned)status->st_uid);
	else if (status->st_mode & (S_IWGRP | S_IWOTH))
		message = g_strdup_printf("others than root may write to it (mode %04o); chmod go-w mends that",
					  (unsigned)(status->st_mode & 07777));
	if (message)
		configuration_problems_add(problems, path, 0, message);
	return !message;
}

/* At most one byte more than is allowed, by which it is seen that there is more. */
static GByteArray *read_all(int fd, const char *path, GPtrArray *problems)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	uint8_t buffer[4096];
	ssize_t n;

	while (bytes->len <= CONFIGURATION_FILE_MAX) {
		n = read(fd, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			add_errno(problems, path, errno);
			return NULL;
		}
		if (n == 0)
			break;
		g_byte_array_append(bytes, buffer, (unsigned)n);
	}
	return g_steal_pointer(&bytes);
}

static GByteArray *read_regular(const ConfigurationSource *source, const char *path, int fd, GPtrArray *problems)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		add_errno(problems, path, errno);
		return NULL;
	}
	if (!S_ISREG(status.st_mode)) {
		configuration_problems_add(problems, path, 0, "is no regular file");
		return NULL;
	}
	return check_owner(source, path, &status, problems) ? read_all(fd, path, problems) : NULL;
}

static void read_file(const ConfigurationSource *source, Configuration *configuration, const char *path, bool optional,
		      GPtrArray *problems)
{
	g_autoptr(GByteArray) bytes = NULL;
	/* NONBLOCK: a FIFO must not hold us before we see what it is. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0) {
		if (errno != ENOENT || !optional)
			add_errno(problems, path, errno);
		return;
	}
	bytes = read_regular(source, path, fd, problems);
	(void)close(fd);
	if (bytes)
		(void)configuration_read(configuration, source->system, path, (const char *)bytes->data, bytes->len,
					 problems);
}

/* ---- all ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* False: it is not there, or is told among the problems. */
static bool check_folder(const ConfigurationSource *source, const char *path, GPtrArray *problems)
{
	struct stat status;

	if (stat(path, &status) == 0)
		return check_owner(source, path, &status, problems);
	if (errno != ENOENT)
		add_errno(problems, path, errno);
	return false;
}

/* Names of *.conf, sorted. */
static GPtrArray *list_drop_ins(const char *folder, GPtrArray *problems)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
	g_autofree char *message = NULL;
	const char *name;

	if (!dir) {
		configuration_problems_add(problems, folder, 0, error->message);
		return g_steal_pointer(&names);
	}
	while (names->len <= CONFIGURATION_DROP_INS_MAX && (name = g_dir_read_name(dir)))
		if (*name != '.' && g_str_has_suffix(name, ".conf"))
			g_ptr_array_add(names, g_strdup(name));
	if (names->len > CONFIGURATION_DROP_INS_MAX) {
		message = g_strdup_printf("there are more than %u files", CONFIGURATION_DROP_INS_MAX);
		configuration_problems_add(problems, folder, 0, message);
		g_ptr_array_set_size(names, 0);
	}
	g_ptr_array_sort(names, compare_names);
	return g_steal_pointer(&names);
}

static void read_files(const ConfigurationSource *source, Configuration *configuration, GPtrArray *problems)
{
	g_autofree char *file = g_build_filename(source->directory, CONFIGURATION_FILE_NAME, NULL);
	g_autofree char *folder = g_build_filename(source->directory, CONFIGURATION_DROP_INS_NAME, NULL);
	g_autoptr(GPtrArray) names = NULL;

	if (!check_folder(source, source->directory, problems))
		return;
	read_file(source, configuration, file, true, problems);
	if (!check_folder(source, folder, problems))
		return;
	names = list_drop_ins(folder, problems);
	for (unsigned i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(folder, names->pdata[i], NULL);

		read_file(source, configuration, path, false, problems);
	}
}

static void apply_overrides(const ConfigurationSource *source, Configuration *configuration, GPtrArray *problems)
{
	for (unsigned i = 0; i < source->overrides->len; i++) {
		const Override *override = source->overrides->pdata[i];
		g_autoptr(GError) error = NULL;

		if (!configuration_set(configuration, override->key, source->system, override->value, &error))
			configuration_problems_add(problems, override->option, 0, error->message);
	}
}

Configuration *configuration_load(const ConfigurationSource *source, GPtrArray *problems)
{
	g_autoptr(Configuration) configuration = configuration_new(source->system);
	unsigned before = problems->len;

	read_files(source, configuration, problems);
	apply_overrides(source, configuration, problems);
	return problems->len == before ? g_steal_pointer(&configuration) : NULL;
}

void configuration_problems_log(const GPtrArray *problems)
{
	for (unsigned i = 0; i < problems->len; i++) {
		const ConfigurationProblem *problem = problems->pdata[i];
		g_autofree char *line = configuration_problem_to_string(problem);

		log_problem(LOG_ID_CONFIGURATION_PROBLEM, problem->file, line);
	}
}

void configuration_problems_to_error(const GPtrArray *problems, GError **error)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < problems->len; i++) {
		g_autofree char *line = configuration_problem_to_string(problems->pdata[i]);

		g_string_append_printf(text, "%s%s", i > 0 ? "; " : "", line);
	}
	g_set_error_literal(error, CORE_ERROR, CORE_ERROR_INVALID_CONFIGURATION, text->str);
	(void)g_string_free(text, TRUE);
}
