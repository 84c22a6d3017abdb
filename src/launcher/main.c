/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "qemu/launcher-protocol.h"

/*
 * What a QEMU is before it is one: a process that waits until it has been placed, becomes the user that QEMU is to be,
 * and then executes it. It keeps its number, so whoever has started it knows QEMU by it.
 *
 *   vmherald-launcher GATE USER PROGRAM [ARGUMENT...]
 *
 * GATE is the number of a socket: a byte from it means go; its end, that the one who has started this is no more, and
 * nothing is executed. What fails is said there (LauncherFailure); if all goes well it closes with exec. USER is "-", to
 * stay who one is, or UID:GID[:GID...].
 *
 * A program of its own, since in a child of a process with threads there is hardly anything that may be done.
 */

#define GROUPS_MAX 64

typedef struct User {
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	size_t n_groups;
} User;

/* A number below 2^32 - 1 (which is "no change" to the kernel) and what comes behind it. */
static bool parse_id(const char *text, unsigned *ret_id, const char **ret_end)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || value >= UINT_MAX || (*end != '\0' && *end != ':'))
		return false;
	*ret_id = (unsigned)value;
	*ret_end = end;
	return true;
}

static bool parse_user(const char *text, User *user)
{
	const char *end;

	if (!parse_id(text, &user->uid, &end) || *end != ':' || !parse_id(end + 1, &user->gid, &end))
		return false;
	while (*end == ':') {
		if (user->n_groups == GROUPS_MAX || !parse_id(end + 1, &user->groups[user->n_groups], &end))
			return false;
		user->n_groups++;
	}
	return true;
}

/* WARNING: the order. Groups while one may still, the user last; and looked at, for a setuid() that did not is worse than one
 * that fails. With another user the capabilities go; without a bounding set and with no new privileges they do not come back
 * by what is executed. */
static bool become(const User *user)
{
	int capability;

	for (capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
			return false;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    setgroups(user->n_groups, user->groups) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return false;
	if (user->uid != 0 && setuid(0) == 0) {
		errno = ENOTRECOVERABLE;
		return false;
	}
	return true;
}

static int fail(int gate, LauncherStep step)
{
	const LauncherFailure failure = { step, errno };

	(void)send(gate, &failure, sizeof(failure), MSG_NOSIGNAL);
	return LAUNCHER_EXIT_FAILURE;
}

static bool wait_for_go(int gate)
{
	ssize_t length;
	char byte;

	do
		length = recv(gate, &byte, 1, 0);
	while (length < 0 && errno == EINTR);
	return length == 1;
}

int main(int argc, char *argv[])
{
	User user = { 0 };
	unsigned gate;
	const char *end;
	bool stays;

	if (argc < 4 || !parse_id(argv[1], &gate, &end) || *end != '\0') {
		(void)fprintf(stderr, "vmherald-launcher is run by vmherald, and by nobody else\n");
		return LAUNCHER_EXIT_FAILURE;
	}
	stays = strcmp(argv[2], "-") == 0;
	if (fcntl((int)gate, F_SETFD, FD_CLOEXEC) < 0 || !wait_for_go((int)gate))
		return LAUNCHER_EXIT_FAILURE;
	errno = EINVAL;
	if (!stays && (!parse_user(argv[2], &user) || !become(&user)))
		return fail((int)gate, LAUNCHER_STEP_USER);
	(void)execv(argv[3], argv + 3);
	return fail((int)gate, LAUNCHER_STEP_EXEC);
}
