/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <syslog.h>

#include "base/error.h"
#include "event/history.h"
#include "model/configuration-values.h"
#include "model/configuration.h"

#define FILE_NAME "/etc/vmherald.conf"

static GPtrArray *read_problems(Configuration *configuration, const char *text)
{
	GPtrArray *problems = configuration_problems_new();
	bool good = configuration_read(configuration, true, FILE_NAME, text, strlen(text), problems);

	g_assert_cmpint(good, ==, problems->len == 0);
	return problems;
}

static Configuration *read_good(bool system, const char *text)
{
	g_autoptr(GPtrArray) problems = configuration_problems_new();
	Configuration *configuration = configuration_new(system);

	if (!configuration_read(configuration, system, FILE_NAME, text, strlen(text), problems)) {
		g_autofree char *line = configuration_problem_to_string(problems->pdata[0]);

		g_error("%s", line);
	}
	return configuration;
}

static void assert_all_equal(const Configuration *a, const Configuration *b)
{
	for (size_t i = 0; i < configuration_keys_length; i++)
		g_assert_true(configuration_key_equal(&configuration_keys[i], a, b));
}

/* ---- the table ---- */

static void test_table(void)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_direct_hash, g_direct_equal);

	for (size_t i = 0; i < configuration_keys_length; i++) {
		const ConfigurationKey *key = &configuration_keys[i];
		g_autofree char *expected = configuration_key_describe(key);

		g_assert_true(configuration_find_key(key->section, key->name) == key);
		/* Each has a field of its own. */
		g_assert_true(g_hash_table_add(seen, GSIZE_TO_POINTER(key->offset + 1)));
		g_assert_cmpint(key->type == CONFIGURATION_CHOICE, ==, key->words != NULL);
		g_assert_cmpuint(strlen(expected), >, 0);
	}
	g_assert_null(configuration_find_key("Service", "DomainsMax"));
	g_assert_null(configuration_find_key("service", "OnExit"));
}

static void test_defaults(void)
{
	g_autoptr(Configuration) system = configuration_new(true);
	g_autoptr(Configuration) session = configuration_new(false);

	g_assert_cmpuint(system->idle_timeout_us, ==, 60000000);
	g_assert_cmpint(system->on_exit, ==, CONFIGURATION_ON_EXIT_LEAVE);
	g_assert_cmpuint(system->shutdown_timeout_us, ==, 120000000);
	g_assert_cmpuint(system->history_bytes, ==, HISTORY_BYTES_DEFAULT);
	g_assert_cmpuint(system->history_events, ==, HISTORY_EVENTS_DEFAULT);
	g_assert_cmpint(system->log_level, ==, LOG_INFO);
	g_assert_cmpstr(system->user, ==, "vmherald-qemu");
	g_assert_cmpstr(system->group, ==, "");
	g_assert_cmpstr(system->image_directories[0], ==, "/var/lib/vmherald/images");
	g_assert_null(system->image_directories[1]);
	g_assert_true(system->require_sandbox);
	g_assert_false(session->require_sandbox);
	g_assert_cmpuint(system->limits.domains, ==, 256);
	g_assert_cmpuint(session->limits.domains, ==, CONFIGURATION_INFINITY);
	g_assert_cmpuint(session->limits.call_bytes, ==, CONFIGURATION_INFINITY);
}

/* The ranges of what other parts bound themselves are theirs. */
static void test_ranges(void)
{
	const ConfigurationKey *size = configuration_find_key("Service", "HistorySize");
	const ConfigurationKey *events = configuration_find_key("Service", "HistoryEvents");

	g_assert_cmpuint(size->min, ==, HISTORY_BYTES_MIN);
	g_assert_cmpuint(size->max, ==, HISTORY_BYTES_MAX);
	g_assert_cmpuint(events->min, ==, HISTORY_EVENTS_MIN);
	g_assert_cmpuint(events->max, ==, HISTORY_EVENTS_MAX);
}

/* What is written of a value reads as the same, at both ends of each range too. */
static void test_texts(void)
{
	g_autoptr(Configuration) configuration = configuration_new(true);

	for (size_t i = 0; i < configuration_keys_length; i++) {
		const ConfigurationKey *key = &configuration_keys[i];
		const uint64_t values[] = { key->min, key->max, CONFIGURATION_INFINITY };
		g_autoptr(Configuration) again = configuration_new(false);
		bool is_number = key->type == CONFIGURATION_NUMBER || key->type == CONFIGURATION_TIME ||
				 key->type == CONFIGURATION_SIZE;

		for (unsigned j = 0; j < (is_number ? 3 : 1); j++) {
			g_autofree char *text = NULL;
			g_autoptr(GError) error = NULL;

			if (is_number && values[j] == CONFIGURATION_INFINITY && !key->infinity)
				continue;
			if (is_number)
				memcpy((char *)configuration + key->offset, &values[j], sizeof(values[j]));
			text = configuration_key_get_text(key, configuration);
			(void)configuration_set(again, key, true, text, &error);
			g_assert_no_error(error);
			g_assert_true(configuration_key_equal(key, configuration, again));
		}
	}
}

static void test_copy(void)
{
	g_autoptr(Configuration) one = read_good(true, "[QEMU]\nUser=a\nImageDirectories=/a \"/b c\"\n[Limits]\nCallsMax=7\n");
	g_autoptr(Configuration) two = configuration_copy(one);

	assert_all_equal(one, two);
	g_assert_cmpstr(two->image_directories[1], ==, "/b c");
	g_assert_null(configuration_free(NULL));
}

/* ---- values ---- */

static void test_times(void)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 }, { "90", 90000000 }, { "90s", 90000000 }, { "10min", 600000000 }, { "1h 30min", 5400000000 },
		{ "1h30m", 5400000000 }, { "5 ms", 5000 }, { "7us", 7 }, { "1d", 86400000000 }, { "1 week 1", 604801000000 },
	};
	static const char *const bad[] = { "", "s", "1x", "-1", "+1", "1.5h", "1 h 2 y", "0x10", "18446744073709551616",
					   "18446744073709551615s", "18446744073709551615us 1us", "infinity", " 1" };
	uint64_t value;

	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
		g_assert_true(configuration_time_parse(good[i].text, &value));
		g_assert_cmpuint(value, ==, good[i].value);
	}
	value = 42;
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(configuration_time_parse(bad[i], &value));
	g_assert_cmpuint(value, ==, 42);
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 }, { "1000", 1000 }, { "64K", 65536 }, { "64M", 67108864 }, { "1 G", 1073741824 }, { "12B", 12 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = { "", "K", "64k", "64MB", "1K 1K", "-1", "1.5M", "18446744073709551616", "99999999999T" };
	uint64_t value;

	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
		g_assert_true(configuration_size_parse(good[i].text, &value));
		g_assert_cmpuint(value, ==, good[i].value);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(configuration_size_parse(bad[i], &value));
}

static void test_words(void)
{
	static const char *const names[] = { "vmherald-qemu", "_a", "A1", "abcdefghijklmnopqrstuvwxyz-1234" };
	static const char *const no_names[] = { "", "1a", "-a", "a b", "a:b", "a.b", "\xc3\xa4",
						"abcdefghijklmnopqrstuvwxyz-12345" };
	static const char *const no_booleans[] = { "", "YES", "2", "yes ", "y" };
	bool value = false;

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_true(configuration_name_is_valid(names[i]));
	for (unsigned i = 0; i < G_N_ELEMENTS(no_names); i++)
		g_assert_false(configuration_name_is_valid(no_names[i]));
	g_assert_true(configuration_boolean_parse("on", &value));
	g_assert_true(value);
	g_assert_true(configuration_boolean_parse("0", &value));
	g_assert_false(value);
	for (unsigned i = 0; i < G_N_ELEMENTS(no_booleans); i++)
		g_assert_false(configuration_boolean_parse(no_booleans[i], &value));
}

static void test_folders(void)
{
	static const char *const bad[] = { "a", "/a b", "/a/../b", "/a/.", "\"/a", "\"/a\"/b", "/a\"/b\"", "\"\"", "/a:/b c", "/a\x01", "/a\xc2\x85" };
	char **folders = NULL;

	g_assert_true(configuration_folders_parse(" /a\t\"/b c\"  /d:e ", &folders));
	g_assert_cmpuint(g_strv_length(folders), ==, 3);
	g_assert_cmpstr(folders[1], ==, "/b c");
	g_assert_cmpstr(folders[2], ==, "/d:e");
	g_strfreev(folders);
	folders = NULL;
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(configuration_folders_parse(bad[i], &folders));
	g_assert_null(folders);
}

static void test_folders_max(void)
{
	g_autoptr(GString) text = g_string_new("/");
	char **folders = NULL;

	for (unsigned i = 1; i < CONFIGURATION_FOLDERS_MAX; i++)
		g_string_append(text, " /a");
	g_assert_true(configuration_folders_parse(text->str, &folders));
	g_strfreev(folders);
	g_string_append(text, " /a");
	g_assert_false(configuration_folders_parse(text->str, &folders));
}

/* ---- texts ---- */

static void test_read(void)
{
	g_autoptr(Configuration) configuration = read_good(true,
		"# a comment\n; another = one\n\n  [Service]  \r\nIdleTimeout = 0\n\tOnExit=shutdown\n"
		"LogLevel=debug\nHistorySize=1M\n[Limits]\nDomainsMax=infinity\nCallBytesMax=2M\n[Service]\nShutdownTimeout=1h\n"
		"[QEMU]\nRequireSandbox=off\nGroup=kvm\nImageDirectories=/srv/a /srv/b");

	g_assert_cmpuint(configuration->idle_timeout_us, ==, 0);
	g_assert_cmpint(configuration->on_exit, ==, CONFIGURATION_ON_EXIT_SHUTDOWN);
	g_assert_cmpint(configuration->log_level, ==, LOG_DEBUG);
	g_assert_cmpuint(configuration->history_bytes, ==, 1024 * 1024);
	g_assert_cmpuint(configuration->limits.domains, ==, CONFIGURATION_INFINITY);
	g_assert_cmpuint(configuration->limits.call_bytes, ==, 2 * 1024 * 1024);
	g_assert_cmpuint(configuration->shutdown_timeout_us, ==, 3600000000);
	g_assert_false(configuration->require_sandbox);
	g_assert_cmpstr(configuration->group, ==, "kvm");
	g_assert_cmpstr(configuration->image_directories[1], ==, "/srv/b");
}

/* A drop-in puts back what the file before it has changed. */
static void test_empty_value(void)
{
	g_autoptr(Configuration) configuration = read_good(true, "[Limits]\nDomainsMax=3\n[QEMU]\nUser=a\n");
	g_autoptr(Configuration) expected = configuration_new(true);
	g_autoptr(GPtrArray) problems = read_problems(configuration, "[Limits]\nDomainsMax=\n[QEMU]\nUser= \n");

	g_assert_cmpuint(problems->len, ==, 0);
	assert_all_equal(configuration, expected);
}

static void test_problems(void)
{
	static const struct {
		const char *text, *problem;
	} rows[] = {
		{ "\n[Servce]\nX=1\n", ":2: there is no section [Servce], but [Service], [QEMU], [Limits]" },
		{ "[Service\n", ":1: the ] at the end of the section is missing" },
		{ "OnExit=leave\n", ":1: before the first section, which is one of [Service], [QEMU], [Limits]" },
		{ "[Service]\nhello\n", ":2: 'hello' is neither a [Section] nor KEY=VALUE nor a comment, which begins with #" },
		{ "[Service]\nIdletimeout=1\n", ":2: there is no Idletimeout= in [Service]; it is written IdleTimeout=" },
		{ "[Service]\nUser=a\n", ":2: there is no User= in [Service]; User= is one of [QEMU]" },
		{ "[QEMU]\nPath=a\n", ":2: there is no Path= in [QEMU], but User=, Group=, ImageDirectories=, RequireSandbox=" },
		{ "[Service]\n\nOnExit=leave\n#\nOnExit=leave\n", ":5: OnExit= is there twice, in line 3 too; one of them has to go" },
		{ "[Service]\nOnExit=stop\n", ":2: OnExit= must be one of leave, shutdown, not 'stop'" },
		{ "[Service]\nShutdownTimeout=2d\n", ":2: ShutdownTimeout= must be a time (as 90s or 1h 30min) from 0 to 1d, not '2d'" },
		{ "[Service]\nIdleTimeout=soon\n", ":2: IdleTimeout= must be a time (as 90s or 1h 30min) from 0 to 365d, or infinity, not 'soon'" },
		{ "[Service]\nHistorySize=1K\n", ":2: HistorySize= must be a size in bytes (or with K, M, G) from 64K to 1G, not '1K'" },
		{ "[Limits]\nDomainsMax=0\n", ":2: DomainsMax= must be a number from 1 to 1000000, or infinity, not '0'" },
		{ "[QEMU]\nRequireSandbox=maybe\n", ":2: RequireSandbox= must be yes or no, not 'maybe'" },
		{ "[Service]\nOnExit=\a\xc3\xa4\n", ":2: OnExit= must be one of leave, shutdown, not '\\007\\303\\244'" },
		{ "[Service]\n\xff\n", ":2: is no UTF-8 text" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Configuration) configuration = configuration_new(true);
		g_autoptr(GPtrArray) problems = read_problems(configuration, rows[i].text);
		g_autofree char *expected = g_strconcat(FILE_NAME, rows[i].problem, NULL), *text = NULL;

		g_assert_cmpuint(problems->len, ==, 1);
		text = configuration_problem_to_string(problems->pdata[0]);
		g_assert_cmpstr(text, ==, expected);
	}
}

/* One look is enough to mend them all; but nobody reads a thousand. */
static void test_all_problems(void)
{
	g_autoptr(Configuration) configuration = configuration_new(true);
	g_autoptr(GPtrArray) three = read_problems(configuration, "[A]\n[Service]\nOnExit=x\nB=1\n");
	g_autoptr(GString) text = g_string_new("[Service]\n");
	g_autoptr(GPtrArray) many = NULL;
	const ConfigurationProblem *last;

	g_assert_cmpuint(three->len, ==, 3);
	for (unsigned i = 0; i < 10 * CONFIGURATION_PROBLEMS_MAX; i++)
		g_string_append(text, "nonsense\n");
	many = read_problems(configuration, text->str);
	g_assert_cmpuint(many->len, ==, CONFIGURATION_PROBLEMS_MAX + 1);
	last = many->pdata[CONFIGURATION_PROBLEMS_MAX];
	g_assert_cmpstr(last->message, ==, "and more is wrong");
}

static void test_too_long(void)
{
	g_autoptr(Configuration) configuration = configuration_new(true);
	g_autofree char *text = g_strnfill(CONFIGURATION_FILE_MAX + 1, '#');
	g_autoptr(GPtrArray) problems = configuration_problems_new();

	g_assert_true(configuration_read(configuration, true, FILE_NAME, text, CONFIGURATION_FILE_MAX, problems));
	g_assert_false(configuration_read(configuration, true, FILE_NAME, text, CONFIGURATION_FILE_MAX + 1, problems));
	g_assert_cmpstr(((ConfigurationProblem *)problems->pdata[0])->message, ==, "is 65537 bytes long, and 65536 are allowed");
	/* Not a text of no end. */
	g_assert_false(configuration_read(configuration, true, FILE_NAME, "a\0b", 3, problems));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/configuration/table", test_table);
	g_test_add_func("/configuration/defaults", test_defaults);
	g_test_add_func("/configuration/ranges", test_ranges);
	g_test_add_func("/configuration/texts", test_texts);
	g_test_add_func("/configuration/copy", test_copy);
	g_test_add_func("/configuration/times", test_times);
	g_test_add_func("/configuration/sizes", test_sizes);
	g_test_add_func("/configuration/words", test_words);
	g_test_add_func("/configuration/folders", test_folders);
	g_test_add_func("/configuration/folders-max", test_folders_max);
	g_test_add_func("/configuration/read", test_read);
	g_test_add_func("/configuration/empty-value", test_empty_value);
	g_test_add_func("/configuration/problems", test_problems);
	g_test_add_func("/configuration/all-problems", test_all_problems);
	g_test_add_func("/configuration/too-long", test_too_long);
	return g_test_run();
}
