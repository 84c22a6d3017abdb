/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/peer.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* "/usr/bin/qemu-system-x86_64 (deleted)": the package was upgraded meanwhile. */
#define DELETED " (deleted)"

pid_t qemu_peer_get_pid(int fd)
{
	struct ucred credentials = { 0 };
	socklen_t length = sizeof(credentials);

	/* 0 too if that process is in a pid namespace that we cannot see. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
		return 0;
	return credentials.pid;
}

static char *read_proc(pid_t pid, const char *file, size_t *ret_length)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, file);
	char *text = NULL;

	return g_file_get_contents(path, &text, ret_length, NULL) ? text : NULL;
}

static char *read_executable(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/exe", (int)pid);
	char *target = g_file_read_link(path, NULL);

	if (target && g_str_has_suffix(target, DELETED))
		target[strlen(target) - strlen(DELETED)] = '\0';
	return target;
}

/* qemu-system-x86_64, qemu-kvm, kvm. */
static bool is_name_of_qemu(const char *name)
{
	return strstr(name, "qemu") || g_str_equal(name, "kvm");
}

/* Who may not look at the executable sees the name at least, which is a weaker sign: anybody may change it. */
static bool is_qemu(pid_t pid, const char *executable)
{
	g_autofree char *name = executable ? g_path_get_basename(executable)
					   : read_proc(pid, "comm", NULL);

	return name && is_name_of_qemu(g_strchomp(name));
}

static GStrv read_arguments(pid_t pid)
{
	size_t length = 0;
	g_autofree char *text = read_proc(pid, "cmdline", &length);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	if (!text || length == 0)
		return NULL;
	for (const char *argument = text; argument < text + length; argument += strlen(argument) + 1)
		g_strv_builder_add(builder, argument);
	return g_strv_builder_end(builder);
}

/* The kernel counts in ticks since the boot, the time asleep included. */
static int64_t get_started_at(const QemuProcess *process)
{
	uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec now;
	int64_t up_us, since_boot_us;

	if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return 0;
	up_us = (int64_t)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
	since_boot_us = (int64_t)(qemu_process_get_start_time(process) * G_USEC_PER_SEC / per_second);
	return g_get_real_time() - (up_us - since_boot_us);
}

QemuPeer *qemu_peer_find(int fd)
{
	QemuPeer *peer = g_new0(QemuPeer, 1);
	pid_t pid = qemu_peer_get_pid(fd);
	g_autoptr(QemuProcess) first = qemu_process_adopt(pid, 0, NULL);
	g_autofree char *executable = first ? read_executable(pid) : NULL;

	if (!first || !is_qemu(pid, executable))
		return peer;
	peer->arguments = read_arguments(pid);
	/* Once more: if it is there still, what was read in between was about it, and not about a successor. */
	peer->process = qemu_process_adopt(pid, qemu_process_get_start_time(first), NULL);
	if (!peer->process) {
		g_clear_pointer(&peer->arguments, g_strfreev);
		return peer;
	}
	peer->emulator = g_steal_pointer(&executable);
	peer->started_at = get_started_at(peer->process);
	return peer;
}

QemuPeer *qemu_peer_free(QemuPeer *peer)
{
	if (!peer)
		return NULL;
	qemu_process_free(peer->process);
	g_free(peer->emulator);
	g_strfreev(peer->arguments);
	g_free(peer);
	return NULL;
}
