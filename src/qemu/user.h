/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Who a QEMU is, if it is not what we are: a user of its own, with as few groups as it needs.
 */

#define QEMU_USER_GROUPS_MAX 64u

/* The only supplementary group that is taken over, of those the user is in: /dev/kvm is for its members. */
#define QEMU_USER_KVM_GROUP "kvm"

/* Plain numbers, but for the name, which is for people. */
typedef struct QemuUser {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t groups[QEMU_USER_GROUPS_MAX];    /* supplementary */
	size_t n_groups;
} QemuUser;

/* Looks a user up in the host's database: with the group, or if that is "" with that of the user; and with kvm, if the user is a
 * member. name is borrowed. CORE_ERROR_START_FAILED says what is not there. Blocks: start-up, or a worker. */
bool qemu_user_find(const char *name, const char *group, QemuUser *ret_user, GError **error);

/* The calling thread reaches files with the rights of user (NULL: nothing is done), until qemu_user_leave(). What a thread
 * does meanwhile on behalf of somebody else would be done with these rights: nothing but opening files between the two. Worker
 * thread. False with errno set, and nothing changed. */
bool qemu_user_enter(const QemuUser *user);
/* Aborts if that cannot be: going on as somebody else is worse. */
void qemu_user_leave(const QemuUser *user);
