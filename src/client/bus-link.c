/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus-link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "bus/names.h"
#include "bus/variant.h"
#include "client/connection-internal.h"
#include "client/error-internal.h"
#include "client/event-internal.h"

/*
 * Rules are sent as calls of AddMatch, and one filter sees each message once. With sd_bus_add_match() a message that fits two rules
 * would be handed over twice.
 *
 * A rule with sender=NAME does not keep out signals that somebody sends straight to us, so the sender is compared with the owner of the
 * name, which is followed by NameOwnerChanged. As long as the owner has not been answered, nothing is taken in: it counts as lost
 * by the bus, and is fetched.
 */

#define BUS_SERVICE "org.freedesktop.DBus"
#define BUS_DRIVER_PATH "/org/freedesktop/DBus"

#define OWNER_RULE                                                                                                  \
	"type='signal',sender='" BUS_SERVICE "',path='" BUS_DRIVER_PATH "',interface='" BUS_SERVICE "',"            \
	"member='NameOwnerChanged',arg0='" BUS_NAME "'"

/* ---- descriptors ---- */

static LinkFd *link_fd_new(int fd)
{
	LinkFd *self;
	struct stat status;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0)
		return NULL;
	self = g_new0(LinkFd, 1);
	self->refs = 1;
	self->fd = own;
	self->inode = fstat(own, &status) < 0 ? 0 : status.st_ino;
	return self;
}

LinkFd *link_fd_ref(LinkFd *fd)
{
	if (fd)
		g_atomic_int_inc(&fd->refs);
	return fd;
}

void link_fd_unref(LinkFd *fd)
{
	if (!fd || !g_atomic_int_dec_and_test(&fd->refs))
		return;
	close(fd->fd);
	g_free(fd);
}

/* An address may stand for several sockets that are tried one after the other, so until it is there it may be another. */
static bool follow_fd(BusLink *link)
{
	struct stat status;
	int fd = sd_bus_get_fd(link->bus);

	if (fd < 0)
		return false;
	if (link->fd && fstat(fd, &status) == 0 && status.st_ino == link->fd->inode)
		return true;
	link_fd_unref(link->fd);
	link->fd = link_fd_new(fd);
	return link->fd != NULL;
}

/* ---- who is the service ---- */

static void set_owner(VmhConnection *connection, const char *owner)
{
	BusLink *link = &connection->link;

	if (g_strcmp0(owner, link->owner) == 0)
		return;
	g_free(link->owner);
	link->owner = g_strdup(owner);
	recovery_service_changed(connection);
	/* As long as it is STARTING it is asked for; see on_owner(). */
	if (link->state == LINK_UP)
		delivery_push_status(connection, owner ? VMH_STATUS_SERVICE_THERE : VMH_STATUS_SERVICE_GONE);
}

static void on_owner_changed(VmhConnection *connection, sd_bus_message *message)
{
	const char *name, *old, *new;

	if (sd_bus_message_read(message, "sss", &name, &old, &new) <= 0 || !g_str_equal(name, BUS_NAME))
		return;
	/* From one to the next: what the first was asked is not answered any more. */
	if (*old && *new)
		set_owner(connection, NULL);
	set_owner(connection, *new ? new : NULL);
}

static void on_signal(VmhConnection *connection, sd_bus_message *message)
{
	g_autoptr(GVariant) arguments = NULL;
	VmhEvent *event;

	if (bus_read_gvariant(message, &arguments, NULL) < 0)
		return;
	event = event_new_from_signal(sd_bus_message_get_path(message), sd_bus_message_get_interface(message),
				      sd_bus_message_get_member(message), arguments);
	if (!event)
		return;
	stream_push(connection->stream, event);
	delivery_set_due(connection);
}

/* WARNING: what this returns, other than 0, is an error of sd_bus_process(), or keeps the message from others. */
static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	VmhConnection *connection = userdata;
	const char *sender = sd_bus_message_get_sender(message);

	if (sd_bus_message_is_signal(message, NULL, NULL) <= 0 || !sender)
		return 0;
	if (g_str_equal(sender, BUS_SERVICE)) {
		if (sd_bus_message_is_signal(message, BUS_SERVICE, "NameOwnerChanged") > 0)
			on_owner_changed(connection, message);
	} else if (g_strcmp0(sender, connection->link.owner) == 0) {
		on_signal(connection, message);
	}
	return 0;
}

/* ---- up ---- */

int link_new_bus_call(VmhConnection *connection, const char *member, const char *argument, sd_bus_message **ret_message)
{
	sd_bus_message *message = NULL;
	int r;

	r = sd_bus_message_new_method_call(connection->link.bus, &message, BUS_SERVICE, BUS_DRIVER_PATH, BUS_SERVICE,
					   member);
	if (r >= 0)
		r = sd_bus_message_append_basic(message, 's', argument);
	if (r < 0) {
		sd_bus_message_unref(message);
		return r;
	}
	*ret_message = message;
	return 0;
}

static bool ask_bus(VmhConnection *connection, const char *member, const char *argument, PendingHandler handler)
{
	sd_bus_message *message = NULL;
	Pending *pending;

	if (link_new_bus_call(connection, member, argument, &message) < 0)
		return false;
	pending = pending_new(connection, message, LINK_ANSWER_TIMEOUT, handler, NULL, NULL);
	sd_bus_message_unref(message);
	return pending != NULL;
}

/* Without one of its rules a connection promises too much: it is tried again later. */
static void on_rule_added(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata)
{
	if (error && connection->link.state == LINK_STARTING) {
		g_debug("The bus does not take a match rule: %s", error->message);
		link_lose(connection, EBUSY);
	}
}

/* The last of the questions, and so the answers to all others are there as well. */
static void on_owner(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata)
{
	BusLink *link = &connection->link;
	const char *owner = NULL;

	if (link->state != LINK_STARTING)
		return;
	if (error && !g_str_equal(error->name, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
		link_lose(connection, error->code == VMH_ERROR_NO_REPLY ? ETIMEDOUT : EPROTO);
		return;
	}
	if (answer && g_variant_is_of_type(answer, G_VARIANT_TYPE("(s)")))
		g_variant_get(answer, "(&s)", &owner);
	link->state = LINK_UP;
	link->due = -1;
	link->retry = LINK_RETRY_MIN;
	/* What was heard by NameOwnerChanged meanwhile is the same: the bus answers in its place. */
	g_free(link->owner);
	link->owner = g_strdup(owner);
	recovery_service_changed(connection);
	if (link->told) {
		delivery_push_status(connection, VMH_STATUS_CONNECTED);
		if (owner)
			delivery_push_status(connection, VMH_STATUS_SERVICE_THERE);
	}
	link->told = false;
}

static int open_address(const char *address, sd_bus **ret_bus)
{
	sd_bus *bus = NULL;
	int r;

	r = sd_bus_new(&bus);
	if (r >= 0)
		r = sd_bus_set_address(bus, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(bus, true);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_unref(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

static int open_bus(const char *name, sd_bus **ret_bus)
{
	if (g_str_equal(name, "session"))
		return sd_bus_open_user(ret_bus);
	if (g_str_equal(name, "system"))
		return sd_bus_open_system(ret_bus);
	return open_address(name, ret_bus);
}

static void schedule_retry(BusLink *link)
{
	link->due = g_get_monotonic_time() + link->retry;
	link->retry = MIN(link->retry * 2, LINK_RETRY_MAX);
}

static bool ask_all(VmhConnection *connection)
{
	if (!ask_bus(connection, "AddMatch", OWNER_RULE, on_rule_added))
		return false;
	for (unsigned i = 0; i < rules_get_length(connection->rules); i++)
		if (!ask_bus(connection, "AddMatch", rules_get(connection->rules, i)->text, on_rule_added))
			return false;
	return ask_bus(connection, "GetNameOwner", BUS_NAME, on_owner);
}

bool link_start(VmhConnection *connection)
{
	BusLink *link = &connection->link;
	int r;

	if (link->state != LINK_DOWN)
		return true;
	/* Does not wait: what is sent before the bus has let us in is sent behind that. */
	r = open_bus(connection->bus_name, &link->bus);
	if (r < 0) {
		link->failure = -r;
		schedule_retry(link);
		return false;
	}
	link->state = LINK_STARTING;
	link->tries++;
	link->due = g_get_monotonic_time() + LINK_START_TIMEOUT;
	r = sd_bus_add_filter(link->bus, &link->filter, on_message, connection);
	if (r < 0 || !follow_fd(link) || !ask_all(connection)) {
		link_lose(connection, r < 0 ? -r : EIO);
		return false;
	}
	pendings_wake(connection);
	attachment_wake(connection);
	return true;
}

/* ---- down ---- */

static void drop(BusLink *link)
{
	link->filter = sd_bus_slot_unref(link->filter);
	g_clear_pointer(&link->owner, g_free);
	g_clear_pointer(&link->fd, link_fd_unref);
	link->bus = sd_bus_close_unref(link->bus);
	link->state = LINK_DOWN;
	link->due = -1;
}

void link_lose(VmhConnection *connection, int failure)
{
	BusLink *link = &connection->link;
	bool was_up = link->state == LINK_UP;

	if (link->state == LINK_DOWN)
		return;
	drop(link);
	link->failure = failure;
	schedule_retry(link);
	recovery_service_changed(connection);
	if (was_up) {
		link->told = true;
		delivery_push_status(connection, VMH_STATUS_DISCONNECTED);
	}
	pendings_abort(connection, "The connection to the bus is lost");
	attachment_wake(connection);
}

void link_close(VmhConnection *connection)
{
	drop(&connection->link);
}

void link_init(VmhConnection *connection)
{
	connection->link.retry = LINK_RETRY_MIN;
	connection->link.due = -1;
}

/* ---- in between ---- */

void link_process(VmhConnection *connection, unsigned max)
{
	BusLink *link = &connection->link;
	int r;

	for (unsigned i = 0; link->bus && i < max; i++) {
		/* It may be lost by what is called from within: then the bus must outlive that. */
		sd_bus *bus = sd_bus_ref(link->bus);

		r = sd_bus_process(bus, NULL);
		/* Not left to sd-bus, which would answer the calls under way itself, as if the service had gone. */
		if (link->bus == bus && (r < 0 || sd_bus_is_open(bus) <= 0))
			link_lose(connection, r < 0 ? -r : ECONNRESET);
		else if (link->bus == bus && link->state == LINK_STARTING && !follow_fd(link))
			link_lose(connection, errno);
		sd_bus_unref(bus);
		if (r <= 0)
			return;
	}
}

int link_get_events(const VmhConnection *connection)
{
	int events = connection->link.bus ? sd_bus_get_events(connection->link.bus) : 0;

	return MAX(events, 0);
}

gint64 link_get_due(const VmhConnection *connection)
{
	const BusLink *link = &connection->link;
	gint64 due = link->due;
	uint64_t timeout;

	if (!link->bus || sd_bus_get_timeout(link->bus, &timeout) < 0 || timeout > G_MAXINT64)
		return due;
	return due < 0 || (gint64)timeout < due ? (gint64)timeout : due;
}

void link_come_due(VmhConnection *connection)
{
	BusLink *link = &connection->link;

	if (link->due < 0 || g_get_monotonic_time() < link->due)
		return;
	if (link->state == LINK_STARTING)
		link_lose(connection, ETIMEDOUT);
	else if (link->state == LINK_DOWN)
		(void)link_start(connection);
}

void link_remove_rule(VmhConnection *connection, const char *rule)
{
	sd_bus_message *message = NULL;

	if (!connection->link.bus || link_new_bus_call(connection, "RemoveMatch", rule, &message) < 0)
		return;
	/* Without its rule nothing comes, and with it, only what is thrown away. */
	(void)sd_bus_message_set_expect_reply(message, false);
	if (sd_bus_send(connection->link.bus, message, NULL) < 0)
		g_debug("Cannot take a match rule from the bus");
	sd_bus_message_unref(message);
	attachment_wake(connection);
	pendings_wake(connection);
}

bool link_wait(VmhConnection *connection, VmhErrorCode code, VmhError **error)
{
	BusLink *link = &connection->link;
	sd_bus_message *message = NULL;
	Pending *pending = NULL;
	GVariant *answer = NULL;

	if (link->state == LINK_UP)
		return true;
	/* Any question to the bus would do: the answer comes behind those that begin the connection. */
	if (link_start(connection) && link_new_bus_call(connection, "NameHasOwner", BUS_NAME, &message) >= 0) {
		pending = pending_new(connection, message, LINK_START_TIMEOUT, NULL, NULL, NULL);
		sd_bus_message_unref(message);
		if (pending)
			answer = pending_wait(pending, NULL);
		pending_free(pending);
	}
	if (answer)
		g_variant_unref(answer);
	if (connection->closed)
		error_set(error, VMH_ERROR_DISCONNECTED, "The connection is closed");
	else if (link->state != LINK_UP)
		error_set(error, code, "Cannot connect to the bus (%s): %s", connection->bus_name,
			  g_strerror(link->failure ? link->failure : EIO));
	return !connection->closed && link->state == LINK_UP;
}
