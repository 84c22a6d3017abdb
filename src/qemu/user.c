/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

#define BUFFER_SIZE      (16u * 1024)
#define BUFFER_SIZE_MAX  (1024u * 1024)
#define ALL_GROUPS_MAX   1024

/* getpwnam_r() and getgrnam_r() have a buffer of the caller's, which may be too small. */
static int find_user(const char *name, struct passwd *ret_entry, char **ret_buffer)
{
	for (size_t size = BUFFER_SIZE; ; size *= 2) {
		g_autofree char *buffer = g_malloc(size);
		struct passwd *found = NULL;
		int result = getpwnam_r(name, ret_entry, buffer, size, &found);

		if (result == ERANGE && size < BUFFER_SIZE_MAX)
			continue;
		if (result == 0 && found)
			*ret_buffer = g_steal_pointer(&buffer);
		return result != 0 ? result : found ? 0 : ENOENT;
	}
}

static int find_group(const char *name, gid_t *ret_gid)
{
	for (size_t size = BUFFER_SIZE; ; size *= 2) {
		g_autofree char *buffer = g_malloc(size);
		struct group entry, *found = NULL;
		int result = getgrnam_r(name, &entry, buffer, size, &found);

		if (result == ERANGE && size < BUFFER_SIZE_MAX)
			continue;
		if (result == 0 && found)
			*ret_gid = entry.gr_gid;
		return result != 0 ? result : found ? 0 : ENOENT;
	}
}

static void fail(GError **error, const char *what, const char *name, int errno_value)
{
	g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
		    "QEMU is to be run as %s '%s': %s (User= and Group= in the section [QEMU] of vmherald.conf)", what,
		    name, errno_value == ENOENT ? "there is none on this host" : g_strerror(errno_value));
}

static bool is_member(const char *name, gid_t gid, gid_t group)
{
	gid_t groups[ALL_GROUPS_MAX];
	int n_groups = ALL_GROUPS_MAX;

	if (getgrouplist(name, gid, groups, &n_groups) < 0)
		return false;
	for (int i = 0; i < n_groups; i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool qemu_user_find(const char *name, const char *group, QemuUser *ret_user, GError **error)
{
	g_autofree char *buffer = NULL;
	QemuUser user = { .name = name };
	struct passwd entry;
	int result = find_user(name, &entry, &buffer);
	gid_t kvm;

	if (result != 0) {
		fail(error, "user", name, result);
		return false;
	}
	user.uid = entry.pw_uid;
	user.gid = entry.pw_gid;
	result = *group ? find_group(group, &user.gid) : 0;
	if (result != 0) {
		fail(error, "group", group, result);
		return false;
	}
	if (find_group(QEMU_USER_KVM_GROUP, &kvm) == 0 && is_member(name, entry.pw_gid, kvm))
		user.groups[user.n_groups++] = kvm;
	*ret_user = user;
	return true;
}

/* ---- the rights of a thread ---- */

/* WARNING: by the numbers of the system calls. The functions of the C library change all threads, and with them the one that serves
 * the bus. With a file system user that is not root the kernel takes the capabilities away that go past modes and owners, and gives
 * them back with root (capabilities(7)). */
static bool set_groups(size_t n, const gid_t *groups)
{
	return syscall(SYS_setgroups, n, groups) == 0;
}

/* It tells the one before, whether it has changed or not; -1 changes nothing. */
static bool set_fs_ids(uid_t uid, gid_t gid)
{
	(void)syscall(SYS_setfsgid, gid);
	(void)syscall(SYS_setfsuid, uid);
	return (gid_t)syscall(SYS_setfsgid, (gid_t)-1) == gid && (uid_t)syscall(SYS_setfsuid, (uid_t)-1) == uid;
}

/* Ours, as all other threads have them. There is no other way to a list of a thread's own. */
static gid_t own_groups[ALL_GROUPS_MAX];
static int n_own_groups;

static void read_own_groups(void)
{
	static gsize is_read;

	if (!g_once_init_enter(&is_read))
		return;
	n_own_groups = MAX(getgroups(ALL_GROUPS_MAX, own_groups), 0);
	g_once_init_leave(&is_read, 1);
}

void qemu_user_leave(const QemuUser *user)
{
	if (!user)
		return;
	if (!set_fs_ids(geteuid(), getegid()) || !set_groups((size_t)n_own_groups, own_groups))
		g_error("A thread does not get its own rights back: %s", g_strerror(errno));
}

bool qemu_user_enter(const QemuUser *user)
{
	if (!user)
		return true;
	read_own_groups();
	if (!set_groups(user->n_groups, user->groups))
		return false;
	if (set_fs_ids(user->uid, user->gid))
		return true;
	qemu_user_leave(user);
	errno = EPERM;
	return false;
}
