/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/loop-sd-event.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop/loop-core.h"

/*
 * The descriptors are in an epoll of our own, and that one hangs in the sd_event as one source
 * beside one timer. Compared with a source for each descriptor this keeps three promises that
 * sd-event does not make: a callback may run the loop again (sd_event_run() refuses with EBUSY),
 * handles come before timeouts within a turn, and an interval of 0 starves nobody. The cost of a
 * wake-up does not grow with the number of descriptors here either.
 *
 *    sd_event -- epoll source --> own epoll --> descriptors
 *             \- timer source     set before each wait from loop_core_next_due()
 */

/* One turn takes at most this many handles, so that the bus gets its turn in a storm; epoll hands
 * out the rest first next time. */
#define TURN_HANDLES_MAX 64

/* sd-event's default of 250 ms is meant for saving power. */
#define TIMER_ACCURACY_US 1000

typedef struct LoopSdEvent {
	LoopCore core;
	sd_event *event;
	int epoll_fd;
	sd_event_source *epoll_source;
	sd_event_source *timer_source;
	gint64 armed;    /* what timer_source is set to, or -1 */
	bool empty_turn; /* a source of ours was dispatched, but no callback was due any more */
} LoopSdEvent;

static struct epoll_event epoll_event_for(const LoopWatch *watch)
{
	/* POLLIN and its kin have the same values as EPOLLIN and its kin. */
	return (struct epoll_event){
		.events = loop_core_poll_events(watch->events),
		.data.u64 = (unsigned)watch->id,
	};
}

G_STATIC_ASSERT((unsigned)POLLIN == EPOLLIN && (unsigned)POLLOUT == EPOLLOUT &&
		(unsigned)POLLERR == EPOLLERR && (unsigned)POLLHUP == EPOLLHUP);

static bool backend_watch(LoopCore *core, LoopWatch *watch)
{
	LoopSdEvent *self = (LoopSdEvent *)core;
	struct epoll_event event = epoll_event_for(watch);

	return epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) >= 0;
}

/* MOD and DEL only fail on a descriptor closed before its handle was removed: then epoll has let go
 * of it already. */
static void backend_modify(LoopCore *core, LoopWatch *watch)
{
	LoopSdEvent *self = (LoopSdEvent *)core;
	struct epoll_event event = epoll_event_for(watch);

	if (epoll_ctl(self->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		g_debug("handle %d, descriptor %d: %s", watch->id, watch->fd, g_strerror(errno));
}

static void backend_unwatch(LoopCore *core, LoopWatch *watch)
{
	LoopSdEvent *self = (LoopSdEvent *)core;

	if (epoll_ctl(self->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) < 0)
		g_debug("handle %d, descriptor %d: %s", watch->id, watch->fd, g_strerror(errno));
}

static const LoopCoreBackend backend = {
	.watch = backend_watch,
	.modify = backend_modify,
	.unwatch = backend_unwatch,
};

/* Collects and dispatches; with max_wait_ms 0 what is ready now. */
static bool turn(LoopSdEvent *self, int max_wait_ms)
{
	struct epoll_event events[TURN_HANDLES_MAX];
	int n_events = epoll_wait(self->epoll_fd, events, G_N_ELEMENTS(events), max_wait_ms);

	if (n_events < 0 && errno != EINTR)
		g_warning("epoll_wait: %s", g_strerror(errno));
	for (int i = 0; i < n_events; i++)
		loop_core_collect(&self->core, (int)events[i].data.u64, events[i].events);

	return loop_core_dispatch(&self->core);
}

static int epoll_cb(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	LoopSdEvent *self = userdata;

	self->empty_turn = !turn(self, 0);
	return 0;
}

static int timer_cb(sd_event_source *source, uint64_t usec, void *userdata)
{
	LoopSdEvent *self = userdata;

	/* One shot, and spent. */
	self->armed = -1;
	self->empty_turn = !turn(self, 0);
	return 0;
}

/* Called by sd-event before each wait. Looking at the time here spares arming the timer anew at
 * each change of a timeout, most of which are replaced before they are due. */
static int prepare_cb(sd_event_source *source, void *userdata)
{
	LoopSdEvent *self = userdata;
	gint64 due = loop_core_next_due(&self->core);
	int r;

	if (due == self->armed)
		return 0;

	r = due < 0 ? 0 : sd_event_source_set_time(self->timer_source, (uint64_t)due);
	if (r >= 0)
		r = sd_event_source_set_enabled(self->timer_source,
						due < 0 ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
	if (r < 0)
		g_warning("cannot set the event loop's timer: %s", g_strerror(-r));
	else
		self->armed = due;

	/* Not r: sd-event would disable the source, and with it all monitors. */
	return 0;
}

static bool run_inner(LoopSdEvent *self, gint64 deadline)
{
	for (;;) {
		loop_core_suspend_running(&self->core);
		if (turn(self, loop_core_wait_ms(loop_core_next_due(&self->core), deadline)))
			return true;
		if (deadline >= 0 && g_get_monotonic_time() >= deadline)
			return false;
	}
}

static bool loop_sd_event_run_once(Loop *loop, int max_wait_ms)
{
	LoopSdEvent *self = (LoopSdEvent *)loop;
	gint64 deadline = loop_core_deadline(max_wait_ms);

	loop_core_reap(&self->core);
	if (sd_event_get_state(self->event) != SD_EVENT_INITIAL)
		return run_inner(self, deadline);

	for (;;) {
		uint64_t wait_us = deadline < 0 ? UINT64_MAX :
			(uint64_t)MAX(deadline - g_get_monotonic_time(), 0);
		int r;

		self->empty_turn = false;
		r = sd_event_run(self->event, wait_us);
		if (r < 0) {
			g_warning("sd-event: %s", g_strerror(-r));
			return false;
		}
		if (r > 0 && !self->empty_turn)
			return true;
		if (deadline >= 0 && g_get_monotonic_time() >= deadline)
			return false;
	}
}

static void loop_sd_event_free(Loop *loop)
{
	LoopSdEvent *self = (LoopSdEvent *)loop;

	loop_core_clear(&self->core);
	sd_event_source_disable_unref(self->epoll_source);
	sd_event_source_disable_unref(self->timer_source);
	sd_event_unref(self->event);
	if (self->epoll_fd >= 0)
		close(self->epoll_fd);
	g_free(self);
}

static const LoopImpl impl = {
	.name = "sd-event",
	.add_handle = loop_core_add_handle,
	.update_handle = loop_core_update_handle,
	.remove_handle = loop_core_remove_handle,
	.add_timeout = loop_core_add_timeout,
	.update_timeout = loop_core_update_timeout,
	.remove_timeout = loop_core_remove_timeout,
	.run_once = loop_sd_event_run_once,
	.free = loop_sd_event_free,
};

static int add_sources(LoopSdEvent *self)
{
	int r;

	self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (self->epoll_fd < 0)
		return -errno;

	r = sd_event_add_io(self->event, &self->epoll_source, self->epoll_fd, EPOLLIN, epoll_cb,
			    self);
	if (r < 0)
		return r;
	r = sd_event_source_set_prepare(self->epoll_source, prepare_cb);
	if (r < 0)
		return r;
	r = sd_event_add_time(self->event, &self->timer_source, CLOCK_MONOTONIC, 0,
			      TIMER_ACCURACY_US, timer_cb, self);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(self->timer_source, SD_EVENT_OFF);
}

Loop *loop_sd_event_new(sd_event *event)
{
	LoopSdEvent *self = g_new0(LoopSdEvent, 1);
	int r;

	loop_core_init(&self->core, &impl, &backend);
	self->event = sd_event_ref(event);
	self->epoll_fd = -1;
	self->armed = -1;

	r = add_sources(self);
	if (r < 0) {
		loop_sd_event_free(&self->core.loop);
		errno = -r;
		return NULL;
	}

	sd_event_source_set_description(self->epoll_source, "loop-handles");
	sd_event_source_set_description(self->timer_source, "loop-timeouts");
	return &self->core.loop;
}
