/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directories.h"
#include "base/error.h"
#include "domain/configuration-files.h"

typedef struct Fixture {
	char *folder;
	ConfigurationSource *source;
	GPtrArray *problems;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *drop_ins = NULL;

	fixture->folder = g_dir_make_tmp("configuration-XXXXXX", &error);
	g_assert_no_error(error);
	drop_ins = g_build_filename(fixture->folder, CONFIGURATION_DROP_INS_NAME, NULL);
	g_assert_cmpint(g_mkdir(drop_ins, 0755), ==, 0);
	fixture->source = configuration_source_new(data != NULL, fixture->folder);
	fixture->problems = configuration_problems_new();
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(directories_remove(fixture->folder, &error));
	configuration_source_free(fixture->source);
	g_ptr_array_unref(fixture->problems);
	g_free(fixture->folder);
}

static char *path_of(const Fixture *fixture, const char *name)
{
	return g_build_filename(fixture->folder, name, NULL);
}

static void write_file(const Fixture *fixture, const char *name, const char *text)
{
	g_autofree char *path = path_of(fixture, name);
	g_autoptr(GError) error = NULL;

	g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, &error);
	g_assert_no_error(error);
	/* Whatever the umask is. */
	g_assert_cmpint(g_chmod(path, 0644), ==, 0);
}

static uint64_t load_domains_max(Fixture *fixture)
{
	g_autoptr(Configuration) configuration = configuration_load(fixture->source, fixture->problems);

	if (!configuration) {
		g_autofree char *line = configuration_problem_to_string(fixture->problems->pdata[0]);

		g_error("%s", line);
	}
	return configuration->limits.domains;
}

/* One problem, of name, with that in it. */
static void assert_refused(Fixture *fixture, const char *name, const char *what)
{
	g_autofree char *path = path_of(fixture, name);
	g_autofree char *line = NULL;

	g_assert_null(configuration_load(fixture->source, fixture->problems));
	g_assert_cmpuint(fixture->problems->len, ==, 1);
	line = configuration_problem_to_string(fixture->problems->pdata[0]);
	g_assert_true(g_str_has_prefix(line, path));
	if (!strstr(line, what))
		g_error("'%s' is not in '%s'", what, line);
	g_ptr_array_set_size(fixture->problems, 0);
}

static void test_order(Fixture *fixture, const void *data)
{
	g_assert_cmpuint(load_domains_max(fixture), ==, CONFIGURATION_INFINITY);
	write_file(fixture, "vmherald.conf", "[Limits]\nDomainsMax=1\n");
	g_assert_cmpuint(load_domains_max(fixture), ==, 1);
	write_file(fixture, "vmherald.conf.d/20.conf", "[Limits]\nDomainsMax=2\n");
	write_file(fixture, "vmherald.conf.d/10.conf", "[Limits]\nDomainsMax=3\n");
	/* Those are none. */
	write_file(fixture, "vmherald.conf.d/30.conf~", "nonsense");
	write_file(fixture, "vmherald.conf.d/.40.conf", "nonsense");
	g_assert_cmpuint(load_domains_max(fixture), ==, 2);
	configuration_source_override(fixture->source, "--domains", "Limits", "DomainsMax", "4");
	g_assert_cmpuint(load_domains_max(fixture), ==, 4);
}

static void test_no_folder(Fixture *fixture, const void *data)
{
	g_autoptr(ConfigurationSource) source = configuration_source_new(true, "/nonexistent/vmherald");
	g_autoptr(Configuration) configuration = configuration_load(source, fixture->problems);

	g_assert_nonnull(configuration);
}

static void test_bad(Fixture *fixture, const void *data)
{
	g_autoptr(GError) error = NULL;

	write_file(fixture, "vmherald.conf", "[Limits]\nDomainsMax=1\nCallsMax=x\n");
	write_file(fixture, "vmherald.conf.d/a.conf", "[Foo]\n");
	g_assert_null(configuration_load(fixture->source, fixture->problems));
	g_assert_cmpuint(fixture->problems->len, ==, 2);
	configuration_problems_to_error(fixture->problems, &error);
	g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_CONFIGURATION);
	g_assert_nonnull(strstr(error->message, "vmherald.conf:3: CallsMax= must be"));
	g_assert_nonnull(strstr(error->message, "; "));
	g_assert_nonnull(strstr(error->message, "vmherald.conf.d/a.conf:1: there is no section [Foo]"));
}

static void test_bad_override(Fixture *fixture, const void *data)
{
	g_autofree char *line = NULL;

	configuration_source_override(fixture->source, "--calls", "Limits", "CallsMax", "many");
	g_assert_null(configuration_load(fixture->source, fixture->problems));
	line = configuration_problem_to_string(fixture->problems->pdata[0]);
	g_assert_cmpstr(line, ==, "--calls: must be a number from 1 to 1000000, or infinity, not 'many'");
}

/* Administrators keep their files wherever they like. */
static void test_symlink(Fixture *fixture, const void *data)
{
	g_autofree char *path = path_of(fixture, "vmherald.conf");
	g_autofree char *dangling = path_of(fixture, "vmherald.conf.d/x.conf");

	write_file(fixture, "elsewhere", "[Limits]\nDomainsMax=5\n");
	g_assert_cmpint(symlink("elsewhere", path), ==, 0);
	g_assert_cmpuint(load_domains_max(fixture), ==, 5);
	g_assert_cmpint(symlink("nowhere", dangling), ==, 0);
	assert_refused(fixture, "vmherald.conf.d/x.conf", "No such file");
}

/* WARNING: a FIFO without a writer would hold who opens it. */
static void test_no_file(Fixture *fixture, const void *data)
{
	g_autofree char *path = path_of(fixture, "vmherald.conf");

	g_assert_cmpint(mkfifo(path, 0644), ==, 0);
	assert_refused(fixture, "vmherald.conf", "is no regular file");
	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(mkdir(path, 0755), ==, 0);
	assert_refused(fixture, "vmherald.conf", "is no regular file");
	g_assert_cmpint(rmdir(path), ==, 0);
	g_assert_cmpint(symlink("/dev/zero", path), ==, 0);
	assert_refused(fixture, "vmherald.conf", "is no regular file");
}

static void test_too_long(Fixture *fixture, const void *data)
{
	g_autofree char *text = g_strnfill(CONFIGURATION_FILE_MAX + 1, '\n');

	write_file(fixture, "vmherald.conf", text);
	assert_refused(fixture, "vmherald.conf", "is 65537 bytes long, and 65536 are allowed");
}

static void test_too_many(Fixture *fixture, const void *data)
{
	for (unsigned i = 0; i <= CONFIGURATION_DROP_INS_MAX; i++) {
		g_autofree char *name = g_strdup_printf("vmherald.conf.d/%u.conf", i);

		if (i == CONFIGURATION_DROP_INS_MAX)
			g_assert_cmpuint(load_domains_max(fixture), ==, CONFIGURATION_INFINITY);
		write_file(fixture, name, "");
	}
	assert_refused(fixture, "vmherald.conf.d", "there are more than 64 files");
}

static void test_writable(Fixture *fixture, const void *data)
{
	static const struct {
		const char *name;
		unsigned good, bad;
	} rows[] = {
		{ "vmherald.conf", 0644, 0664 }, { "vmherald.conf", 0600, 0602 }, { "vmherald.conf.d/a.conf", 0644, 0646 },
		{ "vmherald.conf.d", 0755, 0775 }, { "", 0700, 0777 },
	};

	write_file(fixture, "vmherald.conf", "[Limits]\nDomainsMax=6\n");
	write_file(fixture, "vmherald.conf.d/a.conf", "");
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_build_filename(fixture->folder, rows[i].name, NULL);

		g_assert_cmpint(g_chmod(path, (int)rows[i].bad), ==, 0);
		if (data)
			assert_refused(fixture, rows[i].name, "others than root may write to it");
		else
			g_assert_cmpuint(load_domains_max(fixture), ==, 6);
		g_assert_cmpint(g_chmod(path, (int)rows[i].good), ==, 0);
		g_assert_cmpuint(load_domains_max(fixture), ==, 6);
	}
}

static void test_owner(Fixture *fixture, const void *data)
{
	g_autofree char *path = path_of(fixture, "vmherald.conf");
	g_autofree char *elsewhere = path_of(fixture, "elsewhere");

	if (geteuid() != 0) {
		g_test_skip("only root can give files away");
		return;
	}
	write_file(fixture, "elsewhere", "");
	g_assert_cmpint(symlink("elsewhere", path), ==, 0);
	g_assert_cmpuint(load_domains_max(fixture), ==, 256);
	/* Of the file, not of the link. */
	g_assert_cmpint(chown(elsewhere, 1234, (gid_t)-1), ==, 0);
	assert_refused(fixture, "vmherald.conf", "belongs to the user 1234; it must be root's (chown root)");
	g_assert_cmpint(chown(elsewhere, 0, (gid_t)-1), ==, 0);
	g_assert_cmpint(lchown(path, 1234, (gid_t)-1), ==, 0);
	g_assert_cmpuint(load_domains_max(fixture), ==, 256);
}

#define ADD(name, function, system)                                                                          \
	g_test_add("/configuration-files/" name, Fixture, (system) ? "system" : NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("order", test_order, false);
	ADD("no-folder", test_no_folder, true);
	ADD("bad", test_bad, false);
	ADD("bad-override", test_bad_override, true);
	ADD("symlink", test_symlink, false);
	ADD("no-file", test_no_file, true);
	ADD("too-long", test_too_long, true);
	ADD("too-many", test_too_many, false);
	ADD("writable", test_writable, true);
	ADD("writable-session", test_writable, false);
	ADD("owner", test_owner, true);
	return g_test_run();
}
