/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/configuration.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "model/configuration-values.h"

#define SECONDS UINT64_C(1000000)
#define DAYS    (86400 * SECONDS)
#define MIB     (UINT64_C(1024) * 1024)

static const char *const on_exit_words[] = { "leave", "shutdown", NULL };
#define FIELD(field) .offset = offsetof(Configuration, field)
/* On the session bus there is one user, whose service it is. */
#define LIMIT(name_, default_, field)                                                                        \
	{ "Limits", name_, CONFIGURATION_NUMBER, default_, .session_value = "infinity", .min = 1,             \
	  .max = 1000000, .infinity = true, FIELD(limits.field) }

const ConfigurationKey configuration_keys[] = {
	{ "Service", "IdleTimeout", CONFIGURATION_TIME, "1min", .max = 365 * DAYS, .infinity = true,
	  FIELD(idle_timeout_us) },
	{ "Service", "OnExit", CONFIGURATION_CHOICE, "leave", .words = on_exit_words, FIELD(on_exit) },
	{ "Service", "ShutdownTimeout", CONFIGURATION_TIME, "2min", .max = DAYS, FIELD(shutdown_timeout_us) },
	{ "Service", "HistorySize", CONFIGURATION_SIZE, "16M", .min = 64 * 1024, .max = 1024 * MIB,
	  .at_restart = true, FIELD(history_bytes) },
	{ "Service", "HistoryEvents", CONFIGURATION_NUMBER, "131072", .min = 16, .max = 16777216,
	  .at_restart = true, FIELD(history_events) },
	{ "Service", "LogLevel", CONFIGURATION_CHOICE, "info", .words = log_level_names, FIELD(log_level) },

	{ "QEMU", "User", CONFIGURATION_NAME, "vmherald-qemu", .at_restart = true, FIELD(user) },
	{ "QEMU", "Group", CONFIGURATION_NAME, "", .infinity = true, .at_restart = true, FIELD(group) },
	{ "QEMU", "ImageDirectories", CONFIGURATION_FOLDERS, "/var/lib/vmherald/images",
	  FIELD(image_directories) },
	{ "QEMU", "RequireSandbox", CONFIGURATION_BOOLEAN, "yes", .session_value = "no", FIELD(require_sandbox) },

	LIMIT("DomainsMax", "256", domains),
	LIMIT("AdoptedMax", "64", adopted),
	LIMIT("CallsMax", "1024", calls),
	{ "Limits", "CallBytesMax", CONFIGURATION_SIZE, "64M", .session_value = "infinity", .min = MIB,
	  .max = 1024 * 1024 * MIB, .infinity = true, FIELD(limits.call_bytes) },
	LIMIT("AuthorizationsMax", "32", authorizations),
	LIMIT("QueriesMax", "64", queries),
};
const size_t configuration_keys_length = G_N_ELEMENTS(configuration_keys);

/* ---- the value ---- */

static void *field_of(const ConfigurationKey *key, const Configuration *configuration)
{
	return (char *)configuration + key->offset;
}

static const char *default_of(const ConfigurationKey *key, bool system)
{
	return !system && key->session_value ? key->session_value : key->default_value;
}

Configuration *configuration_new(bool system)
{
	g_autoptr(Configuration) configuration = g_new0(Configuration, 1);

	for (size_t i = 0; i < G_N_ELEMENTS(configuration_keys); i++) {
		const ConfigurationKey *key = &configuration_keys[i];
		bool good = configuration_set(configuration, key, system, default_of(key, system), NULL);

		g_assert(good);
	}
	return g_steal_pointer(&configuration);
}

Configuration *configuration_copy(const Configuration *configuration)
{
	Configuration *copy = g_memdup2(configuration, sizeof(*configuration));

	copy->user = g_strdup(configuration->user);
	copy->group = g_strdup(configuration->group);
	copy->image_directories = g_strdupv(configuration->image_directories);
	return copy;
}

Configuration *configuration_free(Configuration *configuration)
{
	if (!configuration)
		return NULL;
	g_free(configuration->user);
	g_free(configuration->group);
	g_strfreev(configuration->image_directories);
	g_free(configuration);
	return NULL;
}

/* ---- keys ---- */

const ConfigurationKey *configuration_find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(configuration_keys); i++)
		if (g_str_equal(configuration_keys[i].section, section) &&
		    g_str_equal(configuration_keys[i].name, name))
			return &configuration_keys[i];
	return NULL;
}

bool configuration_key_equal(const ConfigurationKey *key, const Configuration *a, const Configuration *b)
{
	g_autofree char *text_a = configuration_key_get_text(key, a);
	g_autofree char *text_b = configuration_key_get_text(key, b);

	return g_str_equal(text_a, text_b);
}

static char *number_to_text(const ConfigurationKey *key, uint64_t value)
{
	if (key->infinity && value == CONFIGURATION_INFINITY)
		return g_strdup("infinity");
	if (key->type == CONFIGURATION_TIME)
		return configuration_time_to_text(value);
	return key->type == CONFIGURATION_SIZE ? configuration_size_to_text(value)
					       : g_strdup_printf("%" PRIu64, value);
}

char *configuration_key_get_text(const ConfigurationKey *key, const Configuration *configuration)
{
	const void *field = field_of(key, configuration);

	switch (key->type) {
	case CONFIGURATION_BOOLEAN:
		return g_strdup(*(const bool *)field ? "yes" : "no");
	case CONFIGURATION_NAME:
		return g_strdup(*(char *const *)field);
	case CONFIGURATION_FOLDERS:
		return configuration_folders_to_text(*(char **const *)field);
	case CONFIGURATION_CHOICE:
		return g_strdup(key->words[*(const int *)field]);
	case CONFIGURATION_NUMBER:
	case CONFIGURATION_TIME:
	case CONFIGURATION_SIZE:
		break;
	}
	return number_to_text(key, *(const uint64_t *)field);
}

char *configuration_key_describe(const ConfigurationKey *key)
{
	g_autofree char *min = NULL, *max = NULL, *words = NULL;

	switch (key->type) {
	case CONFIGURATION_BOOLEAN:
		return g_strdup("yes or no");
	case CONFIGURATION_NAME:
		return g_strdup("a name of letters, digits, - and _, at most 31 of them, that does not begin with a "
				"digit or -");
	case CONFIGURATION_FOLDERS:
		return g_strdup_printf("absolute paths without . and .. in them, separated by spaces, in double "
				       "quotes if there is a space in one, at most %u", CONFIGURATION_FOLDERS_MAX);
	case CONFIGURATION_CHOICE:
		words = g_strjoinv(", ", (char **)key->words);
		return g_strdup_printf("one of %s", words);
	case CONFIGURATION_NUMBER:
	case CONFIGURATION_TIME:
	case CONFIGURATION_SIZE:
		break;
	}
	min = number_to_text(key, key->min);
	max = number_to_text(key, key->max);
	return g_strdup_printf("%s from %s to %s%s",
			       key->type == CONFIGURATION_TIME ? "a time (as 90s or 1h 30min)"
			       : key->type == CONFIGURATION_SIZE ? "a size in bytes (or with K, M, G)" : "a number",
			       min, max, key->infinity ? ", or infinity" : "");
}

/* ---- setting ---- */

static bool read_number(const ConfigurationKey *key, const char *value, uint64_t *ret_value)
{
	uint64_t number;
	bool good;

	if (key->infinity && g_str_equal(value, "infinity")) {
		*ret_value = CONFIGURATION_INFINITY;
		return true;
	}
	good = key->type == CONFIGURATION_TIME ? configuration_time_parse(value, &number)
	       : key->type == CONFIGURATION_SIZE ? configuration_size_parse(value, &number)
						 : configuration_number_parse(value, &number);
	if (!good || number < key->min || number > key->max)
		return false;
	*ret_value = number;
	return true;
}

static bool read_choice(const ConfigurationKey *key, const char *value, int *ret_value)
{
	for (int i = 0; key->words[i]; i++) {
		if (g_str_equal(key->words[i], value)) {
			*ret_value = i;
			return true;
		}
	}
	return false;
}

static bool read_name(const ConfigurationKey *key, const char *value, char **ret_value)
{
	if (!configuration_name_is_valid(value) && !(key->infinity && !*value))
		return false;
	g_free(*ret_value);
	*ret_value = g_strdup(value);
	return true;
}

static bool read_folders(const char *value, char ***ret_value)
{
	char **folders;

	if (!configuration_folders_parse(value, &folders))
		return false;
	g_strfreev(*ret_value);
	*ret_value = folders;
	return true;
}

static bool read_value(const ConfigurationKey *key, const char *value, void *field)
{
	switch (key->type) {
	case CONFIGURATION_BOOLEAN:
		return configuration_boolean_parse(value, field);
	case CONFIGURATION_NAME:
		return read_name(key, value, field);
	case CONFIGURATION_FOLDERS:
		return read_folders(value, field);
	case CONFIGURATION_CHOICE:
		return read_choice(key, value, field);
	case CONFIGURATION_NUMBER:
	case CONFIGURATION_TIME:
	case CONFIGURATION_SIZE:
		break;
	}
	return read_number(key, value, field);
}

bool configuration_set(Configuration *configuration, const ConfigurationKey *key, bool system, const char *value,
		       GError **error)
{
	const char *text = *value ? value : default_of(key, system);
	g_autofree char *shown = NULL, *expected = NULL;

	if (read_value(key, text, field_of(key, configuration)))
		return true;
	shown = configuration_text_show(text);
	expected = configuration_key_describe(key);
	g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_CONFIGURATION, "must be %s, not '%s'", expected, shown);
	return false;
}
