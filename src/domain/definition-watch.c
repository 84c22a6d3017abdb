/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/definition-watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/error.h"

#define NOT_WATCHED (-1)

/* What can happen to files; and to what is watched itself, so that another one can be looked for. */
#define SELF_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define FOLDER_EVENTS (IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | SELF_EVENTS)
#define PARENT_EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | SELF_EVENTS)

struct DefinitionWatch {
	Loop *loop;
	int interval_ms, retry_ms;
	DefinitionWatchCallback callback;
	void *userdata;
	int fd, handle, timer;
	/* WARNING: from the callback to the resume these are the worker's. */
	char *folder, *parent;
	int folder_watch, parent_watch;
};

/* The handle sleeps until the look is over: however much happens, nobody is woken by it. */
static void on_readable(int handle, int fd, LoopEvents events, void *userdata)
{
	DefinitionWatch *watch = userdata;

	loop_update_handle(watch->loop, watch->handle, 0);
	loop_update_timeout(watch->loop, watch->timer, watch->interval_ms);
}

static void on_timer(int timer, void *userdata)
{
	DefinitionWatch *watch = userdata;

	loop_update_handle(watch->loop, watch->handle, 0);
	loop_update_timeout(watch->loop, watch->timer, LOOP_DISABLED);
	watch->callback(watch->userdata);
}

DefinitionWatch *definition_watch_new(Loop *loop, const char *folder, int interval_ms, int retry_ms,
				      DefinitionWatchCallback callback, void *userdata,
				      GError **error)
{
	g_autoptr(DefinitionWatch) watch = g_new0(DefinitionWatch, 1);

	watch->loop = loop;
	watch->interval_ms = interval_ms;
	watch->retry_ms = retry_ms;
	watch->callback = callback;
	watch->userdata = userdata;
	watch->folder = g_strdup(folder);
	watch->parent = g_path_get_dirname(folder);
	watch->folder_watch = NOT_WATCHED;
	watch->parent_watch = NOT_WATCHED;
	watch->handle = -1;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd >= 0)
		watch->handle = loop_add_handle(loop, watch->fd, LOOP_READABLE, on_readable, watch, NULL);
	if (watch->handle < 0) {
		core_error_set_errno(error, errno, "%s cannot be watched", folder);
		return NULL;
	}
	watch->timer = loop_add_timeout(loop, LOOP_DISABLED, on_timer, watch, NULL);
	return g_steal_pointer(&watch);
}

DefinitionWatch *definition_watch_free(DefinitionWatch *watch)
{
	if (!watch)
		return NULL;
	if (watch->timer > 0)
		(void)loop_remove_timeout(watch->loop, watch->timer);
	if (watch->handle >= 0)
		(void)loop_remove_handle(watch->loop, watch->handle);
	if (watch->fd >= 0)
		(void)close(watch->fd);
	g_free(watch->folder);
	g_free(watch->parent);
	g_free(watch);
	return NULL;
}

/* What they say is not of interest. The kernel keeps a bounded number of them. */
static void drain(int fd)
{
	char buffer[16 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	do
		n = read(fd, buffer, sizeof(buffer));
	while (n > 0 || (n < 0 && errno == EINTR));
}

/* Of the same folder it is the same watch again; if another one is there now, the old one is let go of. */
static void renew(int fd, const char *path, uint32_t events, int *watch)
{
	int old = *watch;

	*watch = inotify_add_watch(fd, path, events);
	if (old != NOT_WATCHED && old != *watch)
		(void)inotify_rm_watch(fd, old);
}

void definition_watch_renew(DefinitionWatch *watch)
{
	drain(watch->fd);
	renew(watch->fd, watch->parent, PARENT_EVENTS, &watch->parent_watch);
	renew(watch->fd, watch->folder, FOLDER_EVENTS, &watch->folder_watch);
}

void definition_watch_resume(DefinitionWatch *watch)
{
	loop_update_handle(watch->loop, watch->handle, LOOP_READABLE);
	if (watch->folder_watch == NOT_WATCHED && watch->parent_watch == NOT_WATCHED)
		loop_update_timeout(watch->loop, watch->timer, watch->retry_ms);
}
