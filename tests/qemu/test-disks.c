/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/disks.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directories.h"
#include "base/error.h"
#include "base/json-text.h"

/* Which files are found in block devices, what QEMU is told instead, and what is refused. */

static JsonNode *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	JsonNode *node = json_text_parse(text, strlen(text), 1 << 20, 64, &error);

	g_assert_no_error(error);
	return node;
}

/* expected: what QEMU is told, if its files are in the sets 1, 2, ... */
static void check(const char *text, unsigned n_files, const char *expected)
{
	g_autoptr(JsonNode) entry = parse(text);
	g_autoptr(QemuDisk) disk = qemu_disk_new(entry, "blockdev");
	g_autofree char *told = NULL, *after = NULL;

	g_assert_cmpuint(qemu_disk_count(disk), ==, n_files);
	for (unsigned i = 0; i < n_files; i++) {
		g_autofree char *name = g_strdup_printf("/dev/fdset/%u", 1 + i);

		qemu_disk_set_name(disk, i, name);
	}
	told = json_text_from_node(qemu_disk_get_entry(disk));
	g_assert_cmpstr(told, ==, expected);
	/* What it was made of is another's. */
	after = json_text_from_node(entry);
	g_assert_cmpstr(after, ==, text);
}

#define OPENED(set, read_only) \
	"\"filename\":\"/dev/fdset/" set "\",\"read-only\":" read_only ",\"auto-read-only\":false"

static void test_drivers(void)
{
	check("{\"driver\":\"file\",\"filename\":\"/a\"}", 1, "{\"driver\":\"file\"," OPENED("1", "false") "}");
	check("{\"filename\":\"/a\",\"driver\":\"host_device\"}", 1,
	      "{" "\"filename\":\"/dev/fdset/1\",\"driver\":\"host_device\",\"read-only\":false,\"auto-read-only\":false}");
	check("{\"driver\":\"host_cdrom\",\"filename\":\"/a\",\"read-only\":true}", 1,
	      "{\"driver\":\"host_cdrom\"," OPENED("1", "true") "}");
	check("{\"driver\":\"file\",\"auto-read-only\":true,\"filename\":\"/a\"}", 1,
	      "{\"driver\":\"file\",\"auto-read-only\":false,\"filename\":\"/dev/fdset/1\",\"read-only\":false}");
}

static void test_left_alone(void)
{
	static const char *const texts[] = {
		"{\"driver\":\"null-co\",\"filename\":\"/a\"}",
		"{\"driver\":\"nbd\",\"server\":{\"type\":\"unix\",\"path\":\"/a\"},\"port\":9223372036854775807}",
		"{\"driver\":\"qcow2\",\"file\":\"node\",\"backing\":null,\"a\":[1,1.5,true,null,\"x\"]}",
		"{\"driver\":\"file\",\"filename\":\"/dev/fdset/7\"}",
		"{\"driver\":\"file\",\"filename\":7}",
		"{\"driver\":[\"file\"],\"filename\":\"/a\"}",
		"{\"driver\":\"file\"}",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
		check(texts[i], 0, texts[i]);
}

/* Which of them is written to, by the words of those above. */
static void test_nested(void)
{
	check("{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"/a\"},"
	      "\"backing\":{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"/b\"}},"
	      "\"data-file\":{\"driver\":\"file\",\"filename\":\"/c\"}}", 3,
	      "{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\"," OPENED("1", "false") "},"
	      "\"backing\":{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\"," OPENED("2", "true") "}},"
	      "\"data-file\":{\"driver\":\"file\"," OPENED("3", "false") "}}");
	check("{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"/a\"},\"read-only\":true}", 1,
	      "{\"driver\":\"raw\",\"file\":{\"driver\":\"file\"," OPENED("1", "true") "},\"read-only\":true}");
	check("{\"driver\":\"qcow2\",\"file\":\"x\",\"backing\":{\"driver\":\"raw\",\"read-only\":false,"
	      "\"file\":{\"driver\":\"file\",\"filename\":\"/a\"}}}", 1,
	      "{\"driver\":\"qcow2\",\"file\":\"x\",\"backing\":{\"driver\":\"raw\",\"read-only\":false,"
	      "\"file\":{\"driver\":\"file\"," OPENED("1", "false") "}}}");
	check("{\"driver\":\"quorum\",\"children\":[\"n\",{\"driver\":\"file\",\"filename\":\"/a\"},"
	      "{\"driver\":\"file\",\"filename\":\"/b\"}]}", 2,
	      "{\"driver\":\"quorum\",\"children\":[\"n\",{\"driver\":\"file\"," OPENED("1", "false") "},"
	      "{\"driver\":\"file\"," OPENED("2", "false") "}]}");
}

/* ---- all of a definition ---- */

typedef struct Fixture {
	char *folder;
	const char *directories[2];
	QemuImageAccess access;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("disks-XXXXXX", NULL);
	fixture->directories[0] = fixture->folder;
	fixture->access = (QemuImageAccess){ NULL, fixture->directories };
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_assert_true(directories_remove(fixture->folder, NULL));
	g_free(fixture->folder);
}

static void make_file(const Fixture *fixture, const char *name)
{
	g_autofree char *path = g_build_filename(fixture->folder, name, NULL);

	g_assert_true(g_file_set_contents(path, name, -1, NULL));
}

static Definition *define(const Fixture *fixture, unsigned n_disks, const char *name)
{
	g_autoptr(GString) text = g_string_new("{\"name\":\"a\",\"accel\":\"tcg\",\"blockdevs\":[");
	g_autoptr(GError) error = NULL;
	Definition *definition;

	for (unsigned i = 0; i < n_disks; i++)
		g_string_append_printf(text, "%s{\"driver\":\"raw\",\"node-name\":\"n%u\",\"file\":{\"driver\":\"file\","
				       "\"filename\":\"%s/%s\",\"read-only\":%s}}", i > 0 ? "," : "", i, fixture->folder,
				       name, i % 2 == 0 ? "false" : "true");
	g_string_append(text, "]}");
	definition = definition_parse(text->str, text->len, &error);
	g_assert_no_error(error);
	return definition;
}

static void test_open(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = define(fixture, 3, "disk");
	g_autoptr(GPtrArray) disks = qemu_disks_new(definition);
	g_autoptr(QemuFdsets) fdsets = qemu_fdsets_new();
	g_autofree char *told = NULL, *name = g_strdup_printf("\"/dev/fdset/%u\"", QEMU_FDSETS_ID_FIRST + 1u);
	g_autoptr(GError) error = NULL;
	const QemuDescriptor *opened;
	size_t n_opened;

	make_file(fixture, "disk");
	g_assert_true(qemu_disks_open(disks, &fixture->access, fdsets, &error));
	g_assert_no_error(error);
	opened = qemu_fdsets_get(fdsets, &n_opened);
	g_assert_cmpuint(n_opened, ==, 3);
	for (unsigned i = 0; i < 3; i++)
		g_assert_cmpint(fcntl(opened[i].fd, F_GETFL) & O_ACCMODE, ==, i % 2 == 0 ? O_RDWR : O_RDONLY);
	told = json_text_from_node(qemu_disk_get_entry(g_ptr_array_index(disks, 1)));
	g_assert_nonnull(strstr(told, name));
}

/* The place in the definition, the file, what is wrong; and nothing stays open. */
static void test_refused(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = define(fixture, 2, "fifo");
	g_autoptr(GPtrArray) disks = qemu_disks_new(definition);
	g_autoptr(QemuFdsets) fdsets = qemu_fdsets_new();
	g_autofree char *path = g_build_filename(fixture->folder, "fifo", NULL);
	g_autofree char *expected = g_strdup_printf("blockdevs[0].file.filename: %s: is neither a regular file nor a "
						    "block device", path);
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	g_assert_false(qemu_disks_open(disks, &fixture->access, fdsets, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED);
	g_assert_cmpstr(error->message, ==, expected);
}

static void test_bound(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) most = define(fixture, QEMU_DISKS_MAX, "disk");
	g_autoptr(Definition) too_many = define(fixture, QEMU_DISKS_MAX + 1, "disk");
	g_autoptr(GPtrArray) disks = qemu_disks_new(most);
	g_autoptr(GPtrArray) too_many_disks = qemu_disks_new(too_many);
	g_autoptr(QemuFdsets) fdsets = qemu_fdsets_new();
	g_autoptr(GError) error = NULL;

	make_file(fixture, "disk");
	g_assert_false(qemu_disks_open(too_many_disks, &fixture->access, fdsets, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_assert_cmpstr(error->message, ==, "blockdevs: has 129 files, more than 128");
	g_assert_cmpuint(qemu_fdsets_get_next_id(fdsets), ==, QEMU_FDSETS_ID_FIRST);
	g_clear_error(&error);
	g_assert_true(qemu_disks_open(disks, &fixture->access, fdsets, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(qemu_fdsets_get_next_id(fdsets), ==, QEMU_FDSETS_ID_FIRST + QEMU_DISKS_MAX);
}

/* A file is exchanged by a link that leads out, over and over: it is opened or refused, and never another. */
static void *exchange(void *data)
{
	const Fixture *fixture = data;
	g_autofree char *disk = g_build_filename(fixture->folder, "disk", NULL);
	g_autofree char *link = g_build_filename(fixture->folder, "link", NULL);
	g_autofree char *kept = g_build_filename(fixture->folder, "kept", NULL);

	for (unsigned i = 0; i < 2000; i++) {
		g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
		g_assert_cmpint(g_rename(disk, kept), ==, 0);
		g_assert_cmpint(g_rename(link, disk), ==, 0);
		g_assert_cmpint(g_rename(kept, disk), ==, 0);
	}
	return NULL;
}

static void test_exchanged(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = define(fixture, 2, "disk");
	g_autoptr(GPtrArray) disks = qemu_disks_new(definition);
	g_autofree char *path = g_build_filename(fixture->folder, "disk", NULL);
	struct stat expected, found;
	GThread *thread;

	make_file(fixture, "disk");
	g_assert_cmpint(stat(path, &expected), ==, 0);
	thread = g_thread_new("exchange", exchange, fixture);
	for (unsigned i = 0; i < 2000; i++) {
		g_autoptr(GError) error = NULL;
		int fd = qemu_disk_open(g_ptr_array_index(disks, 1), 0, &fixture->access, &error);

		if (fd < 0) {
			g_assert_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED);
			continue;
		}
		g_assert_cmpint(fstat(fd, &found), ==, 0);
		g_assert_cmpuint(found.st_ino, ==, expected.st_ino);
		close(fd);
	}
	g_thread_join(thread);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qemu/disks/drivers", test_drivers);
	g_test_add_func("/qemu/disks/left-alone", test_left_alone);
	g_test_add_func("/qemu/disks/nested", test_nested);
#define ADD(name, function) g_test_add("/qemu/disks/" name, Fixture, NULL, set_up, function, tear_down)
	ADD("open", test_open);
	ADD("refused", test_refused);
	ADD("bound", test_bound);
	ADD("exchanged", test_exchanged);
	return g_test_run();
}
