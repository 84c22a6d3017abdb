/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/pending.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bus/variant.h"
#include "client/connection-internal.h"
#include "client/error-internal.h"

/* After so many messages, who has the buck looks whether its own answer was among them. */
#define PUMP_MESSAGES_MAX 256u

struct Pending {
	VmhConnection *connection;
	sd_bus_slot *slot;
	PendingHandler handler;     /* NULL: somebody waits */
	void *userdata;
	GList link;                 /* in Pendings.all, as long as it is not done */
	GList sleeper_link;         /* in Pendings.sleepers */
	pthread_cond_t woken;
	bool done;
	GVariant *answer;
	VmhError *error;
	int fd;
	uint64_t newest;
};

/* ---- the answer ---- */

static void finish(Pending *self)
{
	self->slot = sd_bus_slot_unref(self->slot);
	g_queue_unlink(&self->connection->pendings.all, &self->link);
	self->done = true;
	if (self->handler) {
		self->handler(self->connection, self->answer, self->error, self->userdata);
		pending_free(self);
	} else {
		pthread_cond_signal(&self->woken);
		/* WARNING: it waits for the bus, which another one has just read, the loop for one. */
		if (self == self->connection->pendings.pumper)
			pendings_wake(self->connection);
	}
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Pending *self = userdata;
	g_autoptr(GArray) fds = NULL;
	int r;

	self->newest = stream_get_newest(self->connection->stream);
	/* sd-bus answers for a bus that is gone as if the service had not replied. */
	if (sd_bus_is_open(sd_bus_message_get_bus(message)) <= 0) {
		error_set(&self->error, VMH_ERROR_DISCONNECTED, "The connection to the bus is lost");
	} else if (sd_bus_message_is_method_error(message, NULL) > 0) {
		error_set_bus(&self->error, sd_bus_message_get_error(message), 0);
	} else {
		fds = bus_fds_new();
		r = bus_read_gvariant(message, &self->answer, fds);
		if (r < 0)
			error_set_bus(&self->error, NULL, r);
		else
			self->fd = bus_fds_steal(fds, 0);
	}
	finish(self);
	return 0;
}

Pending *pending_new(VmhConnection *connection, sd_bus_message *message, uint64_t timeout, PendingHandler handler, void *userdata,
		     VmhError **error)
{
	Pending *self = g_new0(Pending, 1);
	int r;

	self->connection = connection;
	self->handler = handler;
	self->userdata = userdata;
	self->link.data = self;
	self->sleeper_link.data = self;
	self->fd = -1;
	pthread_cond_init(&self->woken, NULL);
	r = sd_bus_call_async(connection->link.bus, &self->slot, message, on_answer, self, timeout);
	if (r < 0) {
		error_set_bus(error, NULL, r);
		self->done = true;
		/* Else it would be heard of with the next message that is read. */
		if (sd_bus_is_open(connection->link.bus) <= 0)
			link_lose(connection, -r);
		return pending_free(self);
	}
	g_queue_push_tail_link(&connection->pendings.all, &self->link);
	/* What could not be written at once, and the timeout, are for whoever waits now. */
	pendings_wake(connection);
	attachment_wake(connection);
	return self;
}

Pending *pending_free(Pending *self)
{
	if (!self)
		return NULL;
	if (!self->done)
		g_queue_unlink(&self->connection->pendings.all, &self->link);
	sd_bus_slot_unref(self->slot);
	g_clear_pointer(&self->answer, g_variant_unref);
	vmh_error_free(self->error);
	if (self->fd >= 0)
		close(self->fd);
	pthread_cond_destroy(&self->woken);
	g_free(self);
	return NULL;
}

/* ---- waiting ---- */

static void drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
		g_warning("Cannot read from an eventfd: %s", g_strerror(errno));
}

/* Leaves the lock until there is something to do. */
static void wait_for_bus(VmhConnection *connection)
{
	LinkFd *fd = link_fd_ref(connection->link.fd);
	gint64 due = link_get_due(connection);
	gint64 wait = due < 0 ? -1 : CLAMP((due - g_get_monotonic_time() + 999) / 1000, 0, G_MAXINT);
	struct pollfd polled[] = {
		{ .fd = connection->pendings.wake_fd, .events = POLLIN },
		{ .fd = fd ? fd->fd : -1, .events = (short)link_get_events(connection) },
	};

	connection->pendings.polling = true;
	connection_unlock(connection);
	if (poll(polled, G_N_ELEMENTS(polled), (int)wait) < 0 && errno != EINTR)
		g_warning("poll: %s", g_strerror(errno));
	if (polled[0].revents)
		drain(polled[0].fd);
	link_fd_unref(fd);
	connection_lock(connection);
	connection->pendings.polling = false;
}

static void pump(Pending *self)
{
	VmhConnection *connection = self->connection;
	Pendings *pendings = &connection->pendings;

	pendings->pumper = self;
	for (;;) {
		link_process(connection, PUMP_MESSAGES_MAX);
		link_come_due(connection);
		connection_advance(connection);
		if (self->done)
			break;
		wait_for_bus(connection);
	}
	pendings->pumper = NULL;
}

static void sleep_until_woken(Pending *self)
{
	GQueue *sleepers = &self->connection->pendings.sleepers;

	g_queue_push_tail_link(sleepers, &self->sleeper_link);
	pthread_cond_wait(&self->woken, &self->connection->lock);
	g_queue_unlink(sleepers, &self->sleeper_link);
}

GVariant *pending_wait(Pending *self, VmhError **error)
{
	Pendings *pendings = &self->connection->pendings;
	Pending *next;

	while (!self->done) {
		if (pendings->pumper)
			sleep_until_woken(self);
		else
			pump(self);
	}
	/* Also if this one never had it: who passed it on may have meant us, while our answer was read. */
	next = g_queue_peek_head(&pendings->sleepers);
	if (!pendings->pumper && next)
		pthread_cond_signal(&next->woken);
	if (!self->answer && error)
		*error = g_steal_pointer(&self->error);
	return g_steal_pointer(&self->answer);
}

int pending_steal_fd(Pending *self)
{
	int fd = self->fd;

	self->fd = -1;
	return fd;
}

uint64_t pending_get_newest(const Pending *self)
{
	return self->newest;
}

/* ---- all of them ---- */

void pendings_wake(VmhConnection *connection)
{
	Pendings *pendings = &connection->pendings;
	const uint64_t one = 1;

	if (!pendings->polling)
		return;
	pendings->polling = false;
	if (write(pendings->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
		g_warning("Cannot write to an eventfd: %s", g_strerror(errno));
}

void pendings_abort(VmhConnection *connection, const char *message)
{
	Pendings *pendings = &connection->pendings;
	Pending *pending;

	while ((pending = g_queue_peek_head(&pendings->all))) {
		error_set(&pending->error, VMH_ERROR_DISCONNECTED, "%s", message);
		finish(pending);
	}
	pendings_wake(connection);
}

bool pendings_open(VmhConnection *connection)
{
	connection->pendings.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return connection->pendings.wake_fd >= 0;
}

void pendings_clear(VmhConnection *connection)
{
	if (connection->pendings.wake_fd >= 0)
		close(connection->pendings.wake_fd);
	connection->pendings.wake_fd = -1;
}
