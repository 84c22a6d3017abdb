/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

#include "disk-fixture.h"
#include "domain/domain-internal.h"
#include "driver-internal.h"

/*
 * Disks that a real QEMU gets open: it uses them, its locks keep two QEMUs from one image, and they go with the node. As
 * tests/domain/test-disks.c, which has the rest.
 */

#define EMULATOR  "/usr/bin/qemu-system-x86_64"
#define DISK_SIZE (1u << 20)

static char *make_disk(DomainFixture *fixture, const char *name)
{
	char *path = g_build_filename(fixture->folder, name, NULL);
	g_autofree char *contents = g_malloc0(DISK_SIZE);

	g_assert_true(g_file_set_contents(path, contents, DISK_SIZE, NULL));
	return path;
}

/* path: of a disk of its; NULL: it has none. */
static Domain *define(DomainFixture *fixture, const char *name, const char *path)
{
	g_autofree char *blockdev = path ? disk_fixture_make_blockdev(path) : g_strdup("");
	g_autofree char *document = g_strdup_printf(
		"{\"name\":\"%s\",\"accel\":\"tcg\",\"emulator\":\"" EMULATOR "\",\"machine\":\"pc\",\"memory\":\"64M\","
		"\"blockdevs\":[%s],\"devices\":[{\"driver\":\"virtio-scsi-pci\",\"id\":\"scsi\"}%s]}", name, blockdev,
		path ? ",{\"driver\":\"scsi-hd\",\"id\":\"disk0\",\"drive\":\"node1\"}" : "");
	g_auto(Answer) answer = { 0 };

	driver_define(fixture->driver, geteuid(), document, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	return driver_find_domain(fixture->driver, name);
}

static void start(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

static void check_locked(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, "Failed to get \"write\" lock");
}

static void end(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_destroy(domain, 0, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

static void write_disk(DomainFixture *fixture, Domain *domain, const char *path, char pattern)
{
	g_autofree char *arguments = g_strdup_printf("{\"command-line\":\"qemu-io node1 \\\"write -P %d 4096 512\\\"\"}",
						     pattern);
	g_autofree char *output = fixture_execute(fixture, domain, "human-monitor-command", arguments);
	g_autofree char *contents = NULL;
	size_t length;

	g_assert_true(g_file_get_contents(path, &contents, &length, NULL));
	if (contents[4096] != pattern)
		g_error("Not written: %s", output);
}

/* shared: others may write to it too, such as a command of the monitor. */
static void attach(DomainFixture *fixture, Domain *domain, const char *path, bool shared)
{
	g_autofree char *blockdev = disk_fixture_make_blockdev(path);
	JsonNode *backends[BACKEND_MAX] = { [BACKEND_BLOCKDEV] = fixture_json(blockdev) };
	g_autofree char *device = g_strdup_printf("{\"driver\":\"scsi-hd\",\"id\":\"disk1\",\"drive\":\"node1\","
						  "\"share-rw\":%s}", shared ? "true" : "false");
	g_auto(Answer) answer = { 0 };

	domain_attach_device(domain, fixture_json(device), backends, DOMAIN_CALL_TIMEOUT_MS, on_answer,
			     &answer);
	answer_wait_ok(fixture, &answer);
}

static void detach(DomainFixture *fixture, Domain *domain, const char *id)
{
	g_auto(Answer) answer = { 0 };

	domain_detach_device(domain, id, DOMAIN_CALL_TIMEOUT_MS, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

static void test_start(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = make_disk(fixture, "disk");
	Domain *first = define(fixture, "first", path), *second = define(fixture, "second", path);

	start(fixture, first);
	check_locked(fixture, second);
	end(fixture, first);
	start(fixture, second);
	check_locked(fixture, first);
	end(fixture, second);
	fixture_forget(fixture);
}

/* It goes to another QEMU while the first goes on. */
static void test_attach(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = make_disk(fixture, "disk");
	Domain *first = define(fixture, "first", NULL), *second = define(fixture, "second", path);

	start(fixture, first);
	for (char pattern = 'a'; pattern < 'd'; pattern++) {
		attach(fixture, first, path, false);
		check_locked(fixture, second);
		detach(fixture, first, "disk1");
		start(fixture, second);
		end(fixture, second);
	}
	end(fixture, first);
	fixture_forget(fixture);
}

static void test_write(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = make_disk(fixture, "disk");
	Domain *domain = define(fixture, "first", NULL);

	start(fixture, domain);
	attach(fixture, domain, path, true);
	write_disk(fixture, domain, path, 'a');
	end(fixture, domain);
	fixture_forget(fixture);
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
	if (geteuid() != 0 || access(EMULATOR, X_OK) != 0) {
		g_print("1..0 # SKIP needs root, for another user of QEMU's, and " EMULATOR "\n");
		return 0;
	}
#define ADD(path, function) g_test_add(path, DomainFixture, NULL, disk_fixture_set_up, function, fixture_tear_down)
	ADD("/domain/disks-qemu/start", test_start);
	ADD("/domain/disks-qemu/attach", test_attach);
	ADD("/domain/disks-qemu/write", test_write);
	return g_test_run();
}
