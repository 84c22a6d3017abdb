/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk-fixture.h"
#include "domain/domain-internal.h"
#include "driver-internal.h"

/*
 * Disks of a QEMU that has a user of its own: it gets them open, at its start and while it runs. The user is root, since it
 * is about the way of the descriptors; tests/qemu/test-image-file.c has other users.
 */

static char *make_disk(DomainFixture *fixture, const char *name)
{
	char *path = g_build_filename(fixture->folder, name, NULL);

	g_assert_true(g_file_set_contents(path, name, -1, NULL));
	return path;
}

static Domain *define(DomainFixture *fixture, const char *path)
{
	g_autofree char *blockdev = disk_fixture_make_blockdev(path);
	g_autofree char *members = g_strdup_printf("\"blockdevs\":[%s]", blockdev);

	return fixture_define(fixture, "a", NULL, members);
}

static bool has_argument(pid_t pid, const char *text)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
	g_autofree char *arguments = NULL;
	size_t length;

	g_assert_true(g_file_get_contents(path, &arguments, &length, NULL));
	return memmem(arguments, length, text, strlen(text)) != NULL;
}

/* One of its descriptors is of that file. */
static bool has_open(pid_t pid, const char *path)
{
	g_autofree char *folder = g_strdup_printf("/proc/%d/fd", (int)pid);
	g_autoptr(GDir) descriptors = g_dir_open(folder, 0, NULL);
	const char *name;

	g_assert_nonnull(descriptors);
	while ((name = g_dir_read_name(descriptors))) {
		g_autofree char *link = g_build_filename(folder, name, NULL);
		g_autofree char *found = g_file_read_link(link, NULL);

		if (g_strcmp0(found, path) == 0)
			return true;
	}
	return false;
}

static void assert_in_log(DomainFixture *fixture, Domain *domain, const char *text)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	if (!strstr(log, text))
		g_error("'%s' is not in: %s", text, log);
}

static void test_start(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = make_disk(fixture, "disk");
	Domain *domain = define(fixture, path);
	g_autofree char *document = NULL;
	pid_t pid;

	fixture_start(fixture, domain);
	pid = domain_get_pid(domain);
	g_assert_true(has_open(pid, path));
	g_assert_true(has_argument(pid, "\"filename\":\"/dev/fdset/"));
	g_assert_false(has_argument(pid, path));
	/* QEMU alone holds it then. */
	assert_in_log(fixture, domain, "\"remove-fd\"");
	/* What is shown has the name. */
	document = definition_to_json(domain_get_definition(domain));
	g_assert_nonnull(strstr(document, path));
	g_assert_null(strstr(document, "fdset"));
	fixture_destroy(fixture, domain);
}

static void test_refused(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = g_build_filename(fixture->folder, "none", NULL);
	g_autofree char *expected = g_strdup_printf("blockdevs[0].file.filename: %s: cannot be opened for writing: "
						    "No such file or directory", path);
	Domain *domain = define(fixture, path);
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_NOT_PERMITTED, expected);
	fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off", NULL);
	g_assert_cmpint(domain_get_pid(domain), ==, 0);
}

/* ---- while it runs ---- */

static void attach(Domain *domain, const char *path, Answer *answer)
{
	g_autofree char *blockdev = disk_fixture_make_blockdev(path);
	JsonNode *backends[BACKEND_MAX] = { [BACKEND_BLOCKDEV] = fixture_json(blockdev) };

	domain_attach_device(domain, fixture_json("{\"driver\":\"virtio-blk-pci\",\"id\":\"disk1\",\"drive\":\"node1\"}"),
			     backends, DOMAIN_CALL_TIMEOUT_MS, on_answer, answer);
}

static void test_attach(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = make_disk(fixture, "disk");
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *document = NULL;
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "reply:add-fd", "{\"fdset-id\":5,\"fd\":9}");
	attach(domain, path, &answer);
	answer_wait_ok(fixture, &answer);
	assert_in_log(fixture, domain, "\"add-fd\",\"blockdev-add node1\",\"remove-fd\"");
	document = definition_to_json(domain_get_definition(domain));
	g_assert_nonnull(strstr(document, path));
	g_assert_null(strstr(document, "fdset"));
	fixture_destroy(fixture, domain);
}

/* Each step that fails; what was given is taken back. */
static void test_attach_fails(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = make_disk(fixture, "disk");
	g_autofree char *none = g_build_filename(fixture->folder, "none", NULL);
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	attach(domain, none, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_NOT_PERMITTED, "blockdev.file.filename: ");
	assert_in_log(fixture, domain, "[\"cont\"]");
	answer_clear(&answer);

	fixture_set(fixture, domain, "fail:add-fd", "no room");
	attach(domain, path, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "no room");
	answer_clear(&answer);

	fixture_set(fixture, domain, "fail:add-fd", "");
	fixture_set(fixture, domain, "reply:add-fd", "{\"fd\":9}");
	attach(domain, path, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "which set");
	answer_clear(&answer);

	fixture_set(fixture, domain, "reply:add-fd", "{\"fdset-id\":5,\"fd\":9}");
	fixture_set(fixture, domain, "fail:blockdev-add", "no");
	attach(domain, path, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "no");
	assert_in_log(fixture, domain, "\"blockdev-add node1\",\"remove-fd\"]");
	fixture_destroy(fixture, domain);
}

#define DRIVE "reply:query-block=[{\"device\":\"\",\"qdev\":\"cd0\",\"tray_open\":false}]"

static void test_media(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = make_disk(fixture, "disk");
	g_autofree char *none = g_build_filename(fixture->folder, "none", NULL);
	g_autofree char *blockdev = disk_fixture_make_blockdev(path), *missing = disk_fixture_make_blockdev(none);
	Domain *domain = fixture_run_domain(fixture, "a", DRIVE, "\"devices\":[{\"driver\":\"ide-cd\",\"id\":\"cd0\"}]");
	g_auto(Answer) answer = { 0 };

	domain_change_media(domain, "cd0", fixture_json(missing), false, DOMAIN_CALL_TIMEOUT_MS, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_NOT_PERMITTED, "blockdev.file.filename: ");
	answer_clear(&answer);
	fixture_set(fixture, domain, "reply:add-fd", "{\"fdset-id\":5,\"fd\":9}");
	domain_change_media(domain, "cd0", fixture_json(blockdev), false, DOMAIN_CALL_TIMEOUT_MS, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	assert_in_log(fixture, domain, "\"add-fd\",\"blockdev-add node1\",\"remove-fd\",\"blockdev-open-tray cd0\"");
	fixture_destroy(fixture, domain);
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
	if (geteuid() != 0) {
		g_print("1..0 # SKIP another user can be chosen by root alone\n");
		return 0;
	}
#define ADD(path, function) g_test_add(path, DomainFixture, NULL, disk_fixture_set_up, function, fixture_tear_down)
	ADD("/domain/disks/start", test_start);
	ADD("/domain/disks/refused", test_refused);
	ADD("/domain/disks/attach", test_attach);
	ADD("/domain/disks/attach-fails", test_attach_fails);
	ADD("/domain/disks/media", test_media);
	return g_test_run();
}
