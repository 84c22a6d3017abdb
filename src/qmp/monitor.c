/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "qmp/calls.h"
#include "qmp/framer.h"
#include "qmp/output.h"

/*
 *    GREETING --"QMP"--> CAPABILITIES --"return"--> READY
 *        \___________________|_______________________/
 *                            v
 *                         CLOSED      (only calls may still be made, and end with an error)
 *
 * Every way into this file from the loop is a function on_...(), which holds the monitor with
 * enter() and leave(); whatever a callback does to the monitor, its memory stays until the outermost
 * leave(). WARNING: after each callback the monitor may be closed or destroyed. is_over() says so,
 * and must be asked before anything else is done.
 */

/* A byte that is in no JSON text: QEMU's parser drops what it has of a command, and says so in an error
 * without an id (docs/interop/qmp-spec, "Forcing the JSON parser into known-good state"). */
#define PARSER_RESET '\xff'

typedef enum State {
	STATE_GREETING,
	STATE_CAPABILITIES,
	STATE_READY,
	STATE_CLOSED,
} State;

struct QmpMonitor {
	Loop *loop;
	const QmpMonitorHandler *handler;
	void *userdata;

	int fd;
	int handle;                     /* -1: not watched */
	LoopEvents events;              /* what it is watched for */
	int handshake_timeout;
	int deadline_timeout;           /* for the earliest deadline of calls */
	int kick_timeout;               /* enabled: on_kick() is called on the next turn */
	int64_t armed_deadline;         /* what deadline_timeout is set to */

	State state;
	bool reading;
	bool destroyed;
	bool may_be_cut;                /* taken over, and no line has come yet since */
	QmpJournal *journal;            /* or NULL */
	uint64_t first;                 /* position of the first byte of the framer's */
	uint64_t left_until;            /* up to there it was read by somebody else */
	bool joined;                    /* what the socket gives is what follows that */
	unsigned depth;                 /* of callbacks on the stack */
	bool dispatching;               /* commands wait until all that has been read is handed on */
	bool flush_due;                 /* and are written then */
	int write_errno;                /* writing failed; the reader closes when it has read all */

	QmpFramer *framer;
	QmpCalls *calls;
	QmpOutput out;
	int next_fd;                    /* of the command that comes next; -1: none */

	QmpMessage *greeting;           /* until ready() */
	uint64_t handshake_id;
	int handshake_ms;
	GQueue early;                   /* events until ready() */
	size_t early_bytes;

	unsigned garbage_in_a_row;
	uint64_t n_received;
	uint64_t n_garbage;
	uint64_t n_unknown_ids;
};

static bool is_over(const QmpMonitor *monitor)
{
	return monitor->destroyed || monitor->state == STATE_CLOSED;
}

/* Where the line ends that was handed out last. */
static uint64_t get_position(const QmpMonitor *monitor)
{
	return monitor->first + qmp_framer_get_handed_out(monitor->framer);
}

static void message_free(void *message)
{
	qmp_message_free(message);
}

static void enter(QmpMonitor *monitor)
{
	monitor->depth++;
}

/* The monitor may be gone after this. */
static void leave(QmpMonitor *monitor)
{
	if (--monitor->depth > 0 || !monitor->destroyed)
		return;
	qmp_calls_free(monitor->calls);
	qmp_framer_free(monitor->framer);
	qmp_output_clear(&monitor->out);
	qmp_message_free(monitor->greeting);
	g_queue_clear_full(&monitor->early, message_free);
	g_free(monitor);
}

static void kick(QmpMonitor *monitor)
{
	loop_update_timeout(monitor->loop, monitor->kick_timeout, 0);
}

static LoopEvents wanted_events(const QmpMonitor *monitor)
{
	LoopEvents events = 0;

	if (monitor->reading)
		events |= LOOP_READABLE;
	if (!qmp_output_is_empty(&monitor->out))
		events |= LOOP_WRITABLE;
	return events;
}

static void update_handle(QmpMonitor *monitor)
{
	LoopEvents events = wanted_events(monitor);

	if (monitor->handle < 0 || monitor->events == events)
		return;
	monitor->events = events;
	loop_update_handle(monitor->loop, monitor->handle, events);
}

static void update_deadline(QmpMonitor *monitor)
{
	int64_t deadline = qmp_calls_get_deadline(monitor->calls);
	int64_t wait_ms;

	if (deadline == monitor->armed_deadline)
		return;
	monitor->armed_deadline = deadline;
	if (deadline == INT64_MAX) {
		loop_update_timeout(monitor->loop, monitor->deadline_timeout, LOOP_DISABLED);
		return;
	}
	wait_ms = (deadline - g_get_monotonic_time() + 999) / 1000;
	loop_update_timeout(monitor->loop, monitor->deadline_timeout,
			    (int)CLAMP(wait_ms, 0, G_MAXINT));
}

/* After any change to the calls. */
static void update_calls(QmpMonitor *monitor)
{
	if (monitor->state == STATE_READY && !monitor->write_errno && !monitor->dispatching) {
		qmp_calls_send(monitor->calls, monitor->out.bytes, monitor->out.fds);
		update_handle(monitor);
	}
	update_deadline(monitor);
}

static void drop_next_fd(QmpMonitor *monitor)
{
	if (monitor->next_fd >= 0)
		close(monitor->next_fd);
	monitor->next_fd = -1;
}

/* Lets go of the socket. From here on nothing comes from it, as the handle is removed. */
static void disconnect(QmpMonitor *monitor)
{
	if (monitor->handle >= 0)
		loop_remove_handle(monitor->loop, monitor->handle);
	monitor->handle = -1;
	close(monitor->fd);
	monitor->fd = -1;
	loop_update_timeout(monitor->loop, monitor->handshake_timeout, LOOP_DISABLED);
	drop_next_fd(monitor);
	qmp_output_drop(&monitor->out);
}

static void close_connection(QmpMonitor *monitor, CoreError code, const char *reason)
{
	g_autoptr(GError) error = g_error_new_literal(CORE_ERROR, (int)code, reason);

	g_assert(!is_over(monitor) && monitor->depth > 0);

	monitor->state = STATE_CLOSED;
	disconnect(monitor);
	qmp_calls_fail_all(monitor->calls, CORE_ERROR_MONITOR_LOST, reason);
	update_deadline(monitor);
	/* A callback may free the monitor; then the calls behind it have ended in there. */
	qmp_calls_run_ended(monitor->calls, false);
	if (!monitor->destroyed && monitor->handler->closed)
		monitor->handler->closed(monitor, error, monitor->userdata);
}

G_GNUC_PRINTF(2, 3)
static void close_lost(QmpMonitor *monitor, const char *format, ...)
{
	g_autofree char *reason = NULL;
	va_list args;

	va_start(args, format);
	reason = g_strdup_vprintf(format, args);
	va_end(args);
	close_connection(monitor, CORE_ERROR_MONITOR_LOST, reason);
}

static void handle_garbage(QmpMonitor *monitor, const char *reason)
{
	/* Once: whoever sends one such line may send a million. */
	if (monitor->n_garbage++ == 0)
		g_info("Skipped a message on a monitor that is no QMP: %s", reason);
	if (monitor->handler->garbage && monitor->state == STATE_READY)
		monitor->handler->garbage(monitor, reason, monitor->userdata);
	if (monitor->destroyed)
		return;
	if (++monitor->garbage_in_a_row >= QMP_MONITOR_GARBAGE_MAX)
		close_lost(monitor, "%u messages in a row that are no QMP, the last one: %s",
			   monitor->garbage_in_a_row, reason);
}

/* Takes message over. */
static void handle_greeting(QmpMonitor *monitor, QmpMessage *message)
{
	if (monitor->state != STATE_GREETING) {
		qmp_message_free(message);
		/* Whom it was meant for has gone before he had noted that he was greeted. */
		if (get_position(monitor) <= monitor->left_until)
			return;
		handle_garbage(monitor, "a second greeting");
		return;
	}
	monitor->greeting = message;
	monitor->state = STATE_CAPABILITIES;
	monitor->handshake_id = qmp_calls_new_id(monitor->calls);
	g_string_append_printf(monitor->out.bytes,
			       "{\"execute\":\"qmp_capabilities\",\"id\":%" G_GUINT64_FORMAT "}\r\n",
			       monitor->handshake_id);
	update_handle(monitor);
}

static void handle_handshake_reply(QmpMonitor *monitor, const QmpMessage *message)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(QmpMessage) greeting = NULL;

	if (message->kind == QMP_MESSAGE_ERROR) {
		qmp_message_set_error(message, &error);
		close_lost(monitor, "handshake failed: %s", error->message);
		return;
	}

	loop_update_timeout(monitor->loop, monitor->handshake_timeout, LOOP_DISABLED);
	monitor->state = STATE_READY;
	greeting = g_steal_pointer(&monitor->greeting);
	update_calls(monitor);
	if (monitor->handler->ready)
		monitor->handler->ready(monitor, greeting->body, monitor->userdata);
}

static void handle_reply(QmpMonitor *monitor, const QmpMessage *message)
{
	g_autoptr(GError) error = NULL;
	QmpCall *call = NULL;

	if (monitor->state == STATE_CAPABILITIES && message->has_id &&
	    message->id == monitor->handshake_id) {
		handle_handshake_reply(monitor, message);
		return;
	}
	if (!message->has_id || !qmp_calls_take_reply(monitor->calls, message->id, &call)) {
		monitor->n_unknown_ids++;
		g_debug("Dropped a reply with an unknown id%s%s", message->text ? ": " : "",
			message->text ?: "");
		return;
	}

	update_calls(monitor);
	if (!call) {
		g_debug("Dropped a reply that came after its time-out");
		return;
	}
	if (message->kind == QMP_MESSAGE_ERROR)
		qmp_message_set_error(message, &error);
	qmp_calls_end(monitor->calls, call, error ? NULL : message->body, error);
}

/* Takes event over. */
static void hand_on_event(QmpMonitor *monitor, QmpMessage *event)
{
	if (monitor->handler->event)
		monitor->handler->event(monitor, event, monitor->userdata);
	else
		qmp_message_free(event);
}

/* Takes event over. */
static void handle_event(QmpMonitor *monitor, QmpMessage *event, size_t length)
{
	if (monitor->state == STATE_READY) {
		hand_on_event(monitor, event);
		return;
	}
	g_queue_push_tail(&monitor->early, event);
	monitor->early_bytes += length;
	if (monitor->early_bytes > QMP_MONITOR_EARLY_MAX)
		close_lost(monitor, "more than %u bytes of events before the end of the handshake",
			   QMP_MONITOR_EARLY_MAX);
}

static void handle_line(QmpMonitor *monitor, const char *line, size_t length)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(QmpMessage) message = qmp_message_read(line, length, &error);
	bool is_left = get_position(monitor) <= monitor->left_until;
	bool cut = monitor->may_be_cut && !message;

	/* Of what was left, the last line is whole; what comes behind it may be the rest of another. */
	monitor->may_be_cut = is_left && !monitor->joined;
	/* The end of an object is never an object by itself, so the rest of a message is known for sure. */
	if (cut) {
		if (monitor->handler->cut)
			monitor->handler->cut(monitor, monitor->userdata);
		return;
	}
	if (!message) {
		handle_garbage(monitor, error->message);
		return;
	}
	message->position = get_position(monitor);
	monitor->n_received += !is_left;
	if (message->kind != QMP_MESSAGE_GREETING || monitor->state == STATE_GREETING)
		monitor->garbage_in_a_row = 0;

	switch (message->kind) {
	case QMP_MESSAGE_GREETING:
		handle_greeting(monitor, g_steal_pointer(&message));
		return;
	case QMP_MESSAGE_REPLY:
	case QMP_MESSAGE_ERROR:
		handle_reply(monitor, message);
		return;
	case QMP_MESSAGE_EVENT:
		handle_event(monitor, g_steal_pointer(&message), length);
		return;
	}
	g_assert_not_reached();
}

/* What was asked for while lines were handed on: until now it could be taken back, and those lines may be what for. */
static void send_asked(QmpMonitor *monitor)
{
	bool flush = monitor->flush_due;

	monitor->flush_due = false;
	if (is_over(monitor))
		return;
	update_calls(monitor);
	if (flush)
		qmp_monitor_flush(monitor);
}

/* Hands on what has been read, until a callback says stop. */
static void dispatch(QmpMonitor *monitor)
{
	const char *line;
	size_t length;

	monitor->dispatching = true;
	/* WARNING: one message a round, and everything is asked afresh: a callback may have closed or
	 * freed the monitor, stopped the reading, or run the loop and so dispatched what follows. Do
	 * not keep a line or a count across a callback. */
	while (!is_over(monitor) && monitor->reading) {
		if (monitor->state == STATE_READY && monitor->early.length > 0)
			hand_on_event(monitor, g_queue_pop_head(&monitor->early));
		else if (qmp_framer_next(monitor->framer, &line, &length))
			handle_line(monitor, line, length);
		else
			break;
	}
	monitor->dispatching = false;
	send_asked(monitor);
}

static const char *partial_text(const QmpMonitor *monitor)
{
	return qmp_framer_has_partial(monitor->framer) ? ", in the middle of a message" : "";
}

static void tell_taken(QmpMonitor *monitor)
{
	if (monitor->handler->taken)
		monitor->handler->taken(monitor, monitor->userdata);
}

static void take_bytes(QmpMonitor *monitor, size_t n)
{
	g_autoptr(GError) error = NULL;

	if (qmp_framer_commit(monitor->framer, n, &error))
		dispatch(monitor);
	else
		close_lost(monitor, "%s", error->message);
	if (!is_over(monitor))
		tell_taken(monitor);
}

/* One read; the loop comes again if there is more, after the other monitors had their turn. */
static void read_some(QmpMonitor *monitor, bool hung_up)
{
	size_t room;
	char *at;
	ssize_t n;

	/* First what was left when the reading was stopped: a reader that takes one event at a time
	 * must not pile up the others here. */
	dispatch(monitor);
	if (is_over(monitor) || !monitor->reading)
		return;

	/* WARNING: before the read. A kill right behind it must not look as if nothing had been read. */
	if (monitor->handler->taking && !monitor->journal)
		monitor->handler->taking(monitor, monitor->userdata);
	at = qmp_framer_reserve(monitor->framer, &room);
	n = monitor->journal ? qmp_journal_receive(monitor->journal, monitor->fd, at, room)
			     : recv(monitor->fd, at, room, 0);
	if (n > 0) {
		take_bytes(monitor, (size_t)n);
		return;
	}
	if (n == 0) {
		close_lost(monitor, "QEMU closed the monitor%s", partial_text(monitor));
		return;
	}
	if (errno == EINTR) {
		tell_taken(monitor);
		return;
	}
	if (errno == ECONNRESET) {
		/* Comes after all data: QEMU was gone before it had read our last command. */
		close_lost(monitor, "QEMU closed the monitor (connection reset)%s",
			   partial_text(monitor));
		return;
	}
	if (errno != EAGAIN) {
		close_lost(monitor, "cannot read from the monitor: %s", g_strerror(errno));
		return;
	}
	tell_taken(monitor);
	if (is_over(monitor))
		return;
	if (monitor->write_errno)
		close_lost(monitor, "cannot write to the monitor: %s",
			   g_strerror(monitor->write_errno));
	else if (hung_up)
		close_lost(monitor, "the monitor hung up%s", partial_text(monitor));
}

static void write_some(QmpMonitor *monitor)
{
	int error = qmp_output_write(&monitor->out, monitor->fd);

	if (error == 0)
		return;
	/* QEMU is gone, but its last words (SHUTDOWN) may be waiting for us: do not close
	 * before they are read. The kick sees to it that we get there. */
	monitor->write_errno = error;
	qmp_output_drop(&monitor->out);
	kick(monitor);
}

static void on_socket(int handle, int fd, LoopEvents events, void *userdata)
{
	QmpMonitor *monitor = userdata;
	bool hung_up = events & (LOOP_HANGUP | LOOP_ERROR);

	enter(monitor);
	if (hung_up && !monitor->reading) {
		/* A hang-up is reported on every turn, asked for or not. Until somebody wants to
		 * read what came before it, we do not watch. */
		loop_remove_handle(monitor->loop, monitor->handle);
		monitor->handle = -1;
		leave(monitor);
		return;
	}
	if ((events & LOOP_WRITABLE) && !qmp_output_is_empty(&monitor->out)) {
		write_some(monitor);
		update_handle(monitor);
	}
	if (monitor->reading && (hung_up || (events & LOOP_READABLE)))
		read_some(monitor, hung_up);
	leave(monitor);
}

static bool watch(QmpMonitor *monitor)
{
	monitor->events = wanted_events(monitor);
	monitor->handle = loop_add_handle(monitor->loop, monitor->fd, monitor->events, on_socket,
					  monitor, NULL);
	return monitor->handle >= 0;
}

/* What must not happen from inside the caller's function. */
static void on_kick(int timeout, void *userdata)
{
	QmpMonitor *monitor = userdata;

	loop_update_timeout(monitor->loop, timeout, LOOP_DISABLED);
	enter(monitor);
	qmp_calls_run_ended(monitor->calls, false);
	if (!monitor->destroyed && qmp_calls_has_ended(monitor->calls))
		kick(monitor);
	dispatch(monitor);
	if (!is_over(monitor))
		tell_taken(monitor);
	if (!is_over(monitor) && monitor->reading && monitor->handle < 0 && !watch(monitor))
		close_lost(monitor, "the monitor cannot be watched");
	if (!is_over(monitor) && monitor->reading && monitor->write_errno) {
		read_some(monitor, false);
		if (!is_over(monitor))
			kick(monitor);
	}
	leave(monitor);
}

static void on_deadline(int timeout, void *userdata)
{
	QmpMonitor *monitor = userdata;

	enter(monitor);
	/* Forgotten, so that a timer that came a little early is set again. */
	monitor->armed_deadline = -1;
	qmp_calls_expire(monitor->calls, g_get_monotonic_time());
	update_deadline(monitor);
	qmp_calls_run_ended(monitor->calls, false);
	leave(monitor);
}

static void on_handshake_timeout(int timeout, void *userdata)
{
	QmpMonitor *monitor = userdata;
	bool greeted = monitor->state == STATE_CAPABILITIES;
	g_autofree char *reason = NULL;

	reason = g_strdup_printf("%s within %d ms",
				 greeted ? "qmp_capabilities: no reply" : "no greeting",
				 monitor->handshake_ms);
	enter(monitor);
	close_connection(monitor, CORE_ERROR_MONITOR_TIMEOUT, reason);
	leave(monitor);
}

static QmpMonitor *monitor_new(Loop *loop, int fd, int handshake_ms, State state,
			       const QmpMonitorHandler *handler, void *userdata)
{
	QmpMonitor *monitor = g_new0(QmpMonitor, 1);

	g_assert(fd >= 0);

	monitor->loop = loop;
	monitor->handler = handler;
	monitor->userdata = userdata;
	monitor->fd = fd;
	monitor->next_fd = -1;
	monitor->handle = -1;
	monitor->reading = true;
	monitor->state = state;
	monitor->handshake_ms = handshake_ms >= 0 ? handshake_ms : QMP_MONITOR_HANDSHAKE_MS;
	monitor->armed_deadline = INT64_MAX;
	monitor->framer = qmp_framer_new();
	monitor->calls = qmp_calls_new();
	qmp_output_init(&monitor->out);
	g_queue_init(&monitor->early);

	monitor->handshake_timeout = loop_add_timeout(loop, state == STATE_READY
								    ? LOOP_DISABLED
								    : monitor->handshake_ms,
						      on_handshake_timeout, monitor, NULL);
	monitor->deadline_timeout = loop_add_timeout(loop, LOOP_DISABLED, on_deadline, monitor, NULL);
	monitor->kick_timeout = loop_add_timeout(loop, LOOP_DISABLED, on_kick, monitor, NULL);

	/* Fails only for what is no open descriptor, which the first read will tell as well. */
	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	if (!watch(monitor))
		kick(monitor);
	return monitor;
}

QmpMonitor *qmp_monitor_new(Loop *loop, int fd, int handshake_ms, const QmpMonitorHandler *handler,
			    void *userdata)
{
	return monitor_new(loop, fd, handshake_ms, STATE_GREETING, handler, userdata);
}

/* What somebody else has read, as if it had been read now. */
static void take_left(QmpMonitor *monitor, QmpJournal *journal)
{
	size_t length, room;
	const char *bytes;

	monitor->joined = qmp_journal_resume(journal, monitor->fd);
	bytes = qmp_journal_get_left(journal, &length, &monitor->left_until);
	monitor->first = monitor->left_until - length;
	while (length > 0) {
		char *at = qmp_framer_reserve(monitor->framer, &room);
		size_t n = MIN(room, length);

		memcpy(at, bytes, n);
		/* It is shorter than a message may be. */
		(void)qmp_framer_commit(monitor->framer, n, NULL);
		bytes += n;
		length -= n;
	}
	kick(monitor);
}

QmpMonitor *qmp_monitor_take_over(Loop *loop, int fd, QmpJournal *journal, bool *ret_joined,
				  const QmpMonitorHandler *handler, void *userdata)
{
	QmpMonitor *monitor = monitor_new(loop, fd, -1, STATE_READY, handler, userdata);

	monitor->may_be_cut = true;
	if (journal && qmp_journal_is_blank(journal))
		qmp_journal_begin(journal, fd, 0);
	else if (journal)
		take_left(monitor, journal);
	monitor->journal = journal;
	*ret_joined = monitor->joined;
	/* The clock of this boot: ids count calls, and nobody makes one in each microsecond. */
	qmp_calls_skip_ids(monitor->calls, (uint64_t)g_get_monotonic_time());
	g_string_append_c(monitor->out.bytes, PARSER_RESET);
	update_handle(monitor);
	return monitor;
}

void qmp_monitor_set_journal(QmpMonitor *monitor, QmpJournal *journal)
{
	if (is_over(monitor))
		return;
	qmp_journal_begin(journal, monitor->fd,
			  monitor->first + qmp_framer_get_received(monitor->framer));
	monitor->journal = journal;
}

void qmp_monitor_set_handler(QmpMonitor *monitor, const QmpMonitorHandler *handler, void *userdata)
{
	monitor->handler = handler;
	monitor->userdata = userdata;
}

QmpMonitor *qmp_monitor_free(QmpMonitor *monitor)
{
	/* Once more, from the callback of a call that ends in here. */
	if (!monitor || monitor->destroyed)
		return NULL;

	enter(monitor);
	monitor->destroyed = true;
	if (monitor->state != STATE_CLOSED)
		disconnect(monitor);
	monitor->state = STATE_CLOSED;
	loop_remove_timeout(monitor->loop, monitor->handshake_timeout);
	loop_remove_timeout(monitor->loop, monitor->deadline_timeout);
	loop_remove_timeout(monitor->loop, monitor->kick_timeout);
	qmp_calls_fail_all(monitor->calls, CORE_ERROR_MONITOR_LOST, "the monitor was closed");
	qmp_calls_run_ended(monitor->calls, true);
	/* WARNING: if a callback is on the stack, the memory stays until it has returned. */
	leave(monitor);
	return NULL;
}

uint64_t qmp_monitor_execute(QmpMonitor *monitor, const char *command, JsonNode *arguments,
			     int timeout_ms, QmpReplyCallback callback, void *userdata)
{
	uint64_t id;

	g_assert(command);

	id = qmp_calls_add(monitor->calls, g_get_monotonic_time(), command, arguments,
			   monitor->next_fd, timeout_ms, callback, userdata);
	monitor->next_fd = -1;
	if (is_over(monitor))
		qmp_calls_fail_all(monitor->calls, CORE_ERROR_MONITOR_LOST, "the monitor is closed");
	/* While the monitor is being freed the list is run by qmp_monitor_free(). */
	if (monitor->destroyed)
		return id;
	if (qmp_calls_has_ended(monitor->calls))
		kick(monitor);
	update_calls(monitor);
	return id;
}

void qmp_monitor_flush(QmpMonitor *monitor)
{
	monitor->flush_due = monitor->dispatching;
	/* If the socket is full, or QEMU has gone, the loop says so. */
	if (is_over(monitor) || monitor->handle < 0 || qmp_output_is_empty(&monitor->out))
		return;
	write_some(monitor);
	update_handle(monitor);
}

void qmp_monitor_cancel(QmpMonitor *monitor, uint64_t call)
{
	if (monitor->destroyed || !qmp_calls_cancel(monitor->calls, call))
		return;
	kick(monitor);
	update_deadline(monitor);
}

void qmp_monitor_send_descriptor(QmpMonitor *monitor, int fd)
{
	if (is_over(monitor))
		return;
	drop_next_fd(monitor);
	/* Without a copy "getfd" says that it got none, which is as good an answer as any. */
	monitor->next_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void qmp_monitor_set_reading(QmpMonitor *monitor, bool reading)
{
	if (is_over(monitor) || monitor->reading == reading)
		return;
	monitor->reading = reading;
	update_handle(monitor);
	/* Hands on what was read before, and watches again after a hang-up. */
	if (reading)
		kick(monitor);
}

bool qmp_monitor_is_ready(const QmpMonitor *monitor)
{
	return monitor->state == STATE_READY;
}

int qmp_monitor_get_fd(const QmpMonitor *monitor)
{
	return monitor->fd;
}

uint64_t qmp_monitor_get_received(const QmpMonitor *monitor)
{
	return monitor->n_received;
}

uint64_t qmp_monitor_get_handed_on(const QmpMonitor *monitor)
{
	/* The early ones stand before what was handed out last. */
	return monitor->early.length > 0 ? monitor->first : get_position(monitor);
}

bool qmp_monitor_is_drained(const QmpMonitor *monitor)
{
	return qmp_framer_is_empty(monitor->framer) && monitor->early.length == 0;
}

unsigned qmp_monitor_get_pending(const QmpMonitor *monitor)
{
	return qmp_calls_get_pending(monitor->calls);
}

uint64_t qmp_monitor_get_garbage(const QmpMonitor *monitor)
{
	return monitor->n_garbage;
}

uint64_t qmp_monitor_get_unknown_ids(const QmpMonitor *monitor)
{
	return monitor->n_unknown_ids;
}
