/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/image-file.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/directories.h"
#include "base/error.h"

/* A folder with files of root's, one of which is a directory for images; and a user who is nobody there. */

#define OTHER_UID 65534u
#define OTHER_GID 65533u
#define KVM_GID   65532u

static const QemuUser other_user = { "other", OTHER_UID, OTHER_GID, { KVM_GID }, 1 };

typedef struct Fixture {
	char *folder, *images, *elsewhere;
	const char *directories[2];
	QemuImageAccess access;
} Fixture;

static char *in(const char *folder, const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static void make_file(const char *folder, const char *name, mode_t mode)
{
	g_autofree char *path = in(folder, name);

	g_assert_true(g_file_set_contents(path, "disk", -1, NULL));
	g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("image-file-XXXXXX", NULL);
	fixture->images = in(fixture->folder, "images");
	fixture->elsewhere = in(fixture->folder, "elsewhere");
	g_assert_cmpint(g_chmod(fixture->folder, 0755), ==, 0);
	g_assert_cmpint(g_mkdir(fixture->images, 0700), ==, 0);
	g_assert_cmpint(g_mkdir(fixture->elsewhere, 0755), ==, 0);
	make_file(fixture->images, "disk", 0600);
	make_file(fixture->elsewhere, "secret", 0600);
	make_file(fixture->elsewhere, "readable", 0644);
	fixture->directories[0] = fixture->images;
	fixture->access = (QemuImageAccess){ data, fixture->directories };
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_assert_true(directories_remove(fixture->folder, NULL));
	g_free(fixture->folder);
	g_free(fixture->images);
	g_free(fixture->elsewhere);
}

static void check_opened(Fixture *fixture, const char *folder, const char *name, bool writable)
{
	g_autofree char *path = in(folder, name);
	g_autoptr(GError) error = NULL;
	int fd = qemu_image_open(&fixture->access, path, writable, &error);

	g_assert_no_error(error);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), ==, writable ? O_RDWR : O_RDONLY);
	g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
	close(fd);
}

/* expected: what the message says behind the path. */
static void check_refused(Fixture *fixture, const char *folder, const char *name, bool writable,
			  const char *expected)
{
	g_autofree char *path = in(folder, name);
	g_autofree char *text = g_strconcat(path, ": ", expected, NULL);
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(qemu_image_open(&fixture->access, path, writable, &error), ==, -1);
	g_assert_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED);
	g_assert_cmpstr(error->message, ==, text);
}

static void test_ours(Fixture *fixture, const void *data)
{
	check_opened(fixture, fixture->images, "disk", true);
	check_opened(fixture, fixture->images, "disk", false);
	check_opened(fixture, fixture->images, "/disk", false);
	check_opened(fixture, fixture->elsewhere, "secret", true);
	check_refused(fixture, fixture->images, "none", true, "cannot be opened for writing: No such file or directory");
	check_refused(fixture, fixture->elsewhere, "none", false, "cannot be opened: No such file or directory");
}

static void test_relative(Fixture *fixture, const void *data)
{
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(qemu_image_open(&fixture->access, "disk", false, &error), ==, -1);
	g_assert_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED);
	g_assert_cmpstr(error->message, ==, "disk: must be an absolute path");
}

static void test_leads_out(Fixture *fixture, const void *data)
{
	g_autofree char *expected = g_strdup_printf("leads out of the directory for images %s, or by a symbolic link: "
						    "name the file itself", fixture->images);
	g_autofree char *secret = in(fixture->elsewhere, "secret");
	g_autofree char *link = in(fixture->images, "link");
	g_autofree char *folder_link = in(fixture->images, "folder");
	g_autofree char *own_link = in(fixture->images, "own");

	g_assert_cmpint(symlink(secret, link), ==, 0);
	g_assert_cmpint(symlink(fixture->elsewhere, folder_link), ==, 0);
	g_assert_cmpint(symlink("disk", own_link), ==, 0);
	check_refused(fixture, fixture->images, "link", true, expected);
	check_refused(fixture, fixture->images, "folder/secret", true, expected);
	check_refused(fixture, fixture->images, "own", false, expected);
	check_refused(fixture, fixture->images, "../elsewhere/secret", true, expected);
	check_refused(fixture, fixture->images, "../../../../../../../../etc/shadow", false, expected);
}

/* A directory's name is not the beginning of another's. */
static void test_beside(Fixture *fixture, const void *data)
{
	g_autofree char *beside = g_strconcat(fixture->images, "-of-others", NULL);

	g_assert_cmpint(g_mkdir(beside, 0755), ==, 0);
	make_file(beside, "secret", 0600);
	if (fixture->access.user) {
		g_autofree char *expected = g_strdup_printf("user other may not read it; let it, or put the file below %s",
							    fixture->images);

		check_refused(fixture, beside, "secret", false, expected);
	} else {
		check_opened(fixture, beside, "secret", false);
	}
}

static void test_types(Fixture *fixture, const void *data)
{
	g_autofree char *fifo = in(fixture->images, "fifo");
	g_autofree char *folder = in(fixture->images, "directory");
	g_autofree char *socket_path = in(fixture->images, "socket");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
	g_strlcpy(address.sun_path, socket_path, sizeof(address.sun_path));
	g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
	check_refused(fixture, fixture->images, "fifo", true, "is neither a regular file nor a block device");
	check_refused(fixture, fixture->images, "fifo", false, "is neither a regular file nor a block device");
	check_refused(fixture, fixture->images, "directory", false, "is neither a regular file nor a block device");
	check_refused(fixture, fixture->images, "directory", true, "cannot be opened for writing: Is a directory");
	check_refused(fixture, fixture->images, "socket", true, "cannot be opened for writing: No such device or address");
	check_refused(fixture, "/dev", "null", true, "is neither a regular file nor a block device");
	close(fd);
}

static void test_proc(Fixture *fixture, const void *data)
{
	g_autofree char *secret = in(fixture->elsewhere, "secret");
	int fd = open(secret, O_RDWR | O_CLOEXEC);
	g_autofree char *name = g_strdup_printf("self/fd/%d", fd);

	check_refused(fixture, "/proc", name, false, "cannot be opened: Too many levels of symbolic links");
	close(fd);
}

/* ---- root's part: another user ---- */

static void check_own_rights(void)
{
	gid_t groups[64];

	g_assert_cmpuint((unsigned)setfsuid((uid_t)-1), ==, geteuid());
	g_assert_cmpuint((unsigned)setfsgid((gid_t)-1), ==, getegid());
	for (int i = 0, n = getgroups(64, groups); i < n; i++)
		g_assert_cmpuint(groups[i], !=, KVM_GID);
}

static void test_user(Fixture *fixture, const void *data)
{
	g_autofree char *to_read = g_strdup_printf("user other may not read it; let it, or put the file below %s",
						   fixture->images);
	g_autofree char *to_write = g_strdup_printf("user other may not read and write it; let it, or put the file below %s",
						    fixture->images);
	g_autofree char *own = in(fixture->elsewhere, "own");
	g_autofree char *of_group = in(fixture->elsewhere, "of-group");

	make_file(fixture->elsewhere, "own", 0600);
	make_file(fixture->elsewhere, "of-group", 0660);
	g_assert_cmpint(chown(own, OTHER_UID, 0), ==, 0);
	g_assert_cmpint(chown(of_group, 0, KVM_GID), ==, 0);

	check_opened(fixture, fixture->images, "disk", true);
	check_opened(fixture, fixture->elsewhere, "readable", false);
	check_opened(fixture, fixture->elsewhere, "own", true);
	check_opened(fixture, fixture->elsewhere, "of-group", true);
	check_refused(fixture, fixture->elsewhere, "readable", true, to_write);
	check_refused(fixture, fixture->elsewhere, "secret", false, to_read);
	check_refused(fixture, "/etc", "shadow", false, to_read);
	check_own_rights();

	fixture->access.directories = NULL;
	check_refused(fixture, fixture->elsewhere, "secret", false,
		      "user other may not read it; let it, or put the file below "
		      "a directory of ImageDirectories= in vmherald.conf");
}

static void *keep_rights(void *data)
{
	int *stop = data;

	while (!g_atomic_int_get(stop))
		g_assert_cmpuint((unsigned)setfsuid((uid_t)-1), ==, 0);
	return NULL;
}

/* Another thread is root all the time. */
static void test_other_thread(Fixture *fixture, const void *data)
{
	int stop = 0;
	GThread *thread = g_thread_new("keep-rights", keep_rights, &stop);

	for (unsigned i = 0; i < 1000; i++)
		check_opened(fixture, fixture->elsewhere, "readable", false);
	g_atomic_int_set(&stop, 1);
	g_thread_join(thread);
	check_own_rights();
}

/* ---- the user database ---- */

static void test_find(void)
{
	g_autoptr(GError) error = NULL;
	QemuUser user;

	g_assert_true(qemu_user_find("nobody", "", &user, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(user.uid, ==, 65534);
	g_assert_cmpuint(user.n_groups, ==, 0);
	g_assert_true(qemu_user_find("nobody", "daemon", &user, &error));
	g_assert_cmpuint(user.gid, ==, 1);
	g_assert_false(qemu_user_find("no-such-user", "", &user, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	g_assert_cmpstr(error->message, ==, "QEMU is to be run as user 'no-such-user': there is none on this host "
			"(User= and Group= in the section [QEMU] of vmherald.conf)");
	g_clear_error(&error);
	g_assert_false(qemu_user_find("nobody", "no-such-group", &user, &error));
	g_assert_cmpstr(error->message, ==, "QEMU is to be run as group 'no-such-group': there is none on this host "
			"(User= and Group= in the section [QEMU] of vmherald.conf)");
}

#define ADD(name, user, function) \
	g_test_add("/qemu/image-file/" name, Fixture, user, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("ours", NULL, test_ours);
	ADD("relative", NULL, test_relative);
	ADD("leads-out", NULL, test_leads_out);
	ADD("beside", NULL, test_beside);
	ADD("types", NULL, test_types);
	ADD("proc", NULL, test_proc);
	g_test_add_func("/qemu/user/find", test_find);
	if (geteuid() == 0) {
		ADD("user/leads-out", &other_user, test_leads_out);
		ADD("user/beside", &other_user, test_beside);
		ADD("user/proc", &other_user, test_proc);
		ADD("user/rights", &other_user, test_user);
		ADD("user/other-thread", &other_user, test_other_thread);
	}
	return g_test_run();
}
