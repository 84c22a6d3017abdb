/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/attachment.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/connection-internal.h"

/*
 * The loop's functions belong to its thread, and those of an application are its own code: so they are called without the lock, and by
 * the handlers here alone. Everybody else writes to wake_fd.
 *
 * Delivering has a timeout of its own, of 0 ms. For as long as a callback runs, it is on the stack, and with an inner turn of
 * the loop the others go on: the bus is read and deadlines are kept, but nothing is delivered in the midst of a delivery.
 */

/* So many messages are read in one turn, that other descriptors of the application get theirs. */
#define TURN_MESSAGES_MAX 256u

/* Attachment.due, when the timeout has come. */
#define DUE_OVER (-2)

static LoopEvents to_loop_events(int poll_events)
{
	return (poll_events & POLLIN ? LOOP_READABLE : 0) | (poll_events & POLLOUT ? LOOP_WRITABLE : 0);
}

/* What the handle of a bus is given. It keeps the descriptor open until the loop has let go of it. */
typedef struct BusWatch {
	VmhConnection *connection;
	LinkFd *fd;
} BusWatch;

static void bus_watch_free(void *data)
{
	BusWatch *watch = data;

	link_fd_unref(watch->fd);
	g_free(watch);
}

static void on_bus(int handle, int fd, LoopEvents events, void *userdata);

/* Takes the reference of fd. 0: it cannot be watched. */
static int add_bus(VmhConnection *connection, LinkFd *fd, int poll_events)
{
	BusWatch *watch = g_new(BusWatch, 1);
	int handle;

	watch->connection = connection;
	watch->fd = fd;
	handle = loop_add_handle(connection->loop, fd->fd, to_loop_events(poll_events), on_bus, watch, bus_watch_free);
	if (handle > 0)
		return handle;
	g_warning("The event loop does not take the descriptor of the bus: events do not arrive");
	bus_watch_free(watch);
	return 0;
}

/* Takes the reference of fd. */
static void watch_bus(VmhConnection *connection, LinkFd *fd, int poll_events)
{
	Attachment *self = &connection->attachment;

	if (self->fd != fd) {
		if (self->fd_handle > 0)
			loop_remove_handle(connection->loop, self->fd_handle);
		self->fd_handle = fd ? add_bus(connection, fd, poll_events) : 0;
		self->fd = self->fd_handle > 0 ? fd : NULL;
	} else {
		link_fd_unref(fd);
		if (self->fd_handle > 0 && poll_events != self->fd_events)
			loop_update_handle(connection->loop, self->fd_handle, to_loop_events(poll_events));
	}
	self->fd_events = poll_events;
}

static void set_timer(VmhConnection *connection, gint64 due)
{
	Attachment *self = &connection->attachment;
	gint64 wait;

	if (due == self->due)
		return;
	self->due = due;
	wait = due < 0 ? LOOP_DISABLED : (due - g_get_monotonic_time() + 999) / 1000;
	if (due >= 0)
		wait = CLAMP(wait, 0, G_MAXINT);
	loop_update_timeout(connection->loop, self->timer, (int)wait);
}

static void set_delivering(VmhConnection *connection, bool delivering)
{
	Attachment *self = &connection->attachment;

	if (delivering == self->delivering)
		return;
	self->delivering = delivering;
	loop_update_timeout(connection->loop, self->delivery_timer, delivering ? 0 : LOOP_DISABLED);
}

/* The end of each handler: leaves the lock, and tells the loop what is to be waited for now. */
static void finish(VmhConnection *connection)
{
	bool closed = connection->closed;
	LinkFd *fd = link_fd_ref(connection->link.fd);
	int events = link_get_events(connection);
	gint64 due = link_get_due(connection), recovery_due = recovery_get_due(connection);
	bool delivering = delivery_is_due(connection);

	connection->attachment.looking = false;
	connection_unlock(connection);
	if (closed) {
		link_fd_unref(fd);
	} else {
		if (due < 0 || (recovery_due >= 0 && recovery_due < due))
			due = recovery_due;
		watch_bus(connection, fd, events);
		set_timer(connection, due);
		set_delivering(connection, delivering);
	}
	vmh_connection_unref(connection);
}

/* The beginning of each; false: nothing is to be done any more. */
static bool begin(VmhConnection *connection)
{
	if (connection_is_foreign(connection))
		return false;
	vmh_connection_ref(connection);
	connection_lock(connection);
	connection->attachment.looking = true;
	return true;
}

static void look_after(VmhConnection *connection)
{
	if (!connection->closed) {
		link_process(connection, TURN_MESSAGES_MAX);
		link_come_due(connection);
		recovery_come_due(connection);
		connection_advance(connection);
	}
	finish(connection);
}

static void on_bus(int handle, int fd, LoopEvents events, void *userdata)
{
	BusWatch *watch = userdata;
	VmhConnection *connection = watch->connection;

	if (begin(connection))
		look_after(connection);
}

static void on_timer(int timer, void *userdata)
{
	VmhConnection *connection = userdata;

	if (!begin(connection))
		return;
	/* It comes again after the same time until it is set anew. */
	connection->attachment.due = DUE_OVER;
	look_after(connection);
}

static void on_wake(int handle, int fd, LoopEvents events, void *userdata)
{
	VmhConnection *connection = userdata;
	uint64_t count;

	if (!begin(connection))
		return;
	if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
		g_warning("Cannot read from an eventfd: %s", g_strerror(errno));
	connection->attachment.woken = false;
	look_after(connection);
}

static void on_delivery(int timer, void *userdata)
{
	VmhConnection *connection = userdata;

	if (!begin(connection))
		return;
	connection->attachment.looking = false;
	connection_unlock(connection);
	/* A loop of the application's may call a timeout again while it is on the stack. */
	set_delivering(connection, false);
	connection_lock(connection);
	delivery_run(connection);
	connection->attachment.looking = true;
	if (!connection->closed)
		connection_advance(connection);
	finish(connection);
}

void attachment_wake(VmhConnection *connection)
{
	Attachment *self = &connection->attachment;
	const uint64_t one = 1;

	if (self->wake_fd < 0 || self->woken || self->looking)
		return;
	self->woken = true;
	/* It cannot be full: what has been written has been read since. */
	if (write(self->wake_fd, &one, sizeof one) < 0)
		g_warning("Cannot write to an eventfd: %s", g_strerror(errno));
}

bool attachment_open(VmhConnection *connection)
{
	Attachment *self = &connection->attachment;
	Loop *loop = connection->loop;

	self->wake_fd = -1;
	self->due = -1;
	if (!loop)
		return true;
	self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->wake_fd < 0)
		return false;
	self->wake_handle = loop_add_handle(loop, self->wake_fd, LOOP_READABLE, on_wake, connection, NULL);
	if (self->wake_handle > 0)
		self->timer = loop_add_timeout(loop, LOOP_DISABLED, on_timer, connection, NULL);
	if (self->timer > 0)
		self->delivery_timer = loop_add_timeout(loop, LOOP_DISABLED, on_delivery, connection, NULL);
	errno = ENOSYS;
	return self->delivery_timer > 0;
}

void attachment_close(VmhConnection *connection)
{
	Attachment *self = &connection->attachment;
	Loop *loop = connection->loop;

	if (!loop)
		return;
	if (self->fd_handle > 0)
		loop_remove_handle(loop, self->fd_handle);
	if (self->wake_handle > 0)
		loop_remove_handle(loop, self->wake_handle);
	if (self->timer > 0)
		loop_remove_timeout(loop, self->timer);
	if (self->delivery_timer > 0)
		loop_remove_timeout(loop, self->delivery_timer);
	self->fd = NULL;
	self->fd_handle = self->wake_handle = self->timer = self->delivery_timer = 0;
}

void attachment_clear(VmhConnection *connection)
{
	if (connection->attachment.wake_fd >= 0)
		close(connection->attachment.wake_fd);
	connection->attachment.wake_fd = -1;
}
