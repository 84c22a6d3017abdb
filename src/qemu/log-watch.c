/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/log-watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

/* One event, and the kernel forgets the watch. */
#define EVENTS (IN_MODIFY | IN_ONESHOT | IN_ONLYDIR)

/* A folder that is watched once more while its watch is still there has the same number again. */
struct QemuLogWatch {
	Loop *loop;
	QemuLogWritten written;
	void *userdata;
	int fd, handle;
	GHashTable *keys;            /* number -> key */
	GHashTable *numbers;         /* key (borrowed from keys) -> number */
	GHashTable *early;           /* numbers that were written to before they were noted */
};

static void forget_number(QemuLogWatch *watch, int number)
{
	const char *key = g_hash_table_lookup(watch->keys, GINT_TO_POINTER(number));

	if (key)
		g_hash_table_remove(watch->numbers, key);
	g_hash_table_remove(watch->keys, GINT_TO_POINTER(number));
}

static void handle_event(QemuLogWatch *watch, const struct inotify_event *event)
{
	g_autofree char *key = NULL;

	if (event->mask & IN_Q_OVERFLOW) {
		watch->written(NULL, watch->userdata);
		return;
	}
	if (!(event->mask & IN_MODIFY))
		return;
	key = g_strdup(g_hash_table_lookup(watch->keys, GINT_TO_POINTER(event->wd)));
	forget_number(watch, event->wd);
	if (key)
		watch->written(key, watch->userdata);
	else
		g_hash_table_add(watch->early, GINT_TO_POINTER(event->wd));
}

static void on_readable(int handle, int fd, LoopEvents events, void *userdata)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(fd, buffer, sizeof(buffer));

	/* What is left is read in the next turn. */
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

		handle_event(userdata, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

QemuLogWatch *qemu_log_watch_new(Loop *loop, QemuLogWritten written, void *userdata)
{
	g_autoptr(QemuLogWatch) watch = g_new0(QemuLogWatch, 1);

	watch->loop = loop;
	watch->written = written;
	watch->userdata = userdata;
	watch->handle = -1;
	watch->keys = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	watch->numbers = g_hash_table_new(g_str_hash, g_str_equal);
	watch->early = g_hash_table_new(NULL, NULL);
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd >= 0)
		watch->handle = loop_add_handle(loop, watch->fd, LOOP_READABLE, on_readable, watch, NULL);
	return watch->handle >= 0 ? g_steal_pointer(&watch) : NULL;
}

QemuLogWatch *qemu_log_watch_free(QemuLogWatch *watch)
{
	if (!watch)
		return NULL;
	if (watch->handle >= 0)
		(void)loop_remove_handle(watch->loop, watch->handle);
	if (watch->fd >= 0)
		(void)close(watch->fd);
	g_hash_table_unref(watch->numbers);
	g_hash_table_unref(watch->keys);
	g_hash_table_unref(watch->early);
	g_free(watch);
	return NULL;
}

int qemu_log_watch_arm(QemuLogWatch *watch, const char *directory)
{
	return watch ? inotify_add_watch(watch->fd, directory, EVENTS) : -1;
}

void qemu_log_watch_note(QemuLogWatch *watch, int number, const char *key)
{
	char *copy;

	if (g_hash_table_remove(watch->early, GINT_TO_POINTER(number))) {
		watch->written(key, watch->userdata);
		return;
	}
	forget_number(watch, number);
	copy = g_strdup(key);
	g_hash_table_insert(watch->keys, GINT_TO_POINTER(number), copy);
	g_hash_table_insert(watch->numbers, copy, GINT_TO_POINTER(number));
}

void qemu_log_watch_noted(QemuLogWatch *watch)
{
	g_hash_table_remove_all(watch->early);
}

void qemu_log_watch_forget(QemuLogWatch *watch, const char *key)
{
	int number = watch ? GPOINTER_TO_INT(g_hash_table_lookup(watch->numbers, key)) : 0;

	if (number <= 0)
		return;
	forget_number(watch, number);
	(void)inotify_rm_watch(watch->fd, number);
}
