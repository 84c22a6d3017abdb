/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/calls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json-text.h"

struct QmpCall {
	GList link;                     /* in waiting or ended */
	GSequenceIter *deadline_iter;   /* in deadlines; NULL: waits for ever */
	int64_t deadline;
	int timeout_ms;
	uint64_t id;
	char *command;
	char *line;                     /* while waiting */
	size_t line_length;
	int fd;                         /* while waiting; -1: none */
	GError *error;                  /* on the list ended */
	QmpReplyCallback callback;
	void *userdata;
};

/* Taken from the moment the command is sent until its reply comes, whatever becomes of the call:
 * after a time-out call is NULL, but QEMU still has the command. */
typedef struct Place {
	uint64_t id;                    /* 0: free */
	size_t line_length;
	QmpCall *call;
} Place;

struct QmpCalls {
	uint64_t last_id;
	GQueue waiting;
	GHashTable *waiting_by_id;      /* &call->id -> QmpCall */
	Place in_flight[QMP_MONITOR_IN_FLIGHT_MAX];
	unsigned n_in_flight;
	bool full;                      /* all places were taken, and more than half of them still are */
	GQueue ended;
	GSequence *deadlines;           /* of waiting and in_flight, earliest first */
	unsigned n_pending;
	size_t n_bytes;                 /* of the lines of waiting and in_flight */
};

static void drop_line(QmpCall *call)
{
	g_clear_pointer(&call->line, g_free);
	if (call->fd >= 0)
		(void)close(call->fd);
	call->fd = -1;
}

static void call_free(QmpCall *call)
{
	g_clear_error(&call->error);
	g_free(call->command);
	drop_line(call);
	g_free(call);
}

static void call_free_link(void *data)
{
	call_free(data);
}

QmpCalls *qmp_calls_new(void)
{
	QmpCalls *calls = g_new0(QmpCalls, 1);

	g_queue_init(&calls->waiting);
	g_queue_init(&calls->ended);
	calls->waiting_by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
	calls->deadlines = g_sequence_new(NULL);
	return calls;
}

void qmp_calls_skip_ids(QmpCalls *calls, uint64_t id)
{
	calls->last_id = MAX(calls->last_id, id);
}

static void free_queue(GQueue *queue)
{
	QmpCall *call;

	/* The links are part of the calls, so that a call leaves its queue without a search. */
	while ((call = g_queue_peek_head(queue))) {
		g_queue_unlink(queue, &call->link);
		call_free(call);
	}
}

QmpCalls *qmp_calls_free(QmpCalls *calls)
{
	if (!calls)
		return NULL;
	g_hash_table_unref(calls->waiting_by_id);
	free_queue(&calls->waiting);
	free_queue(&calls->ended);
	for (size_t i = 0; i < G_N_ELEMENTS(calls->in_flight); i++)
		g_clear_pointer(&calls->in_flight[i].call, call_free_link);
	g_sequence_free(calls->deadlines);
	g_free(calls);
	return NULL;
}

static int compare_deadlines(const void *a, const void *b, void *userdata)
{
	const QmpCall *left = a, *right = b;

	if (left->deadline != right->deadline)
		return left->deadline < right->deadline ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

static void clear_deadline(QmpCall *call)
{
	g_clear_pointer(&call->deadline_iter, g_sequence_remove);
}

/* Takes error over. */
static void put_on_ended(QmpCalls *calls, QmpCall *call, GError *error)
{
	clear_deadline(call);
	drop_line(call);
	call->error = error;
	g_queue_push_tail_link(&calls->ended, &call->link);
}

static char *make_line(const char *command, JsonNode *arguments, uint64_t id, size_t *ret_length)
{
	g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
	JsonObject *object = json_object_new();
	g_autofree char *text = NULL;
	char *line;

	json_object_set_string_member(object, "execute", command);
	if (arguments)
		json_object_set_member(object, "arguments", arguments);
	json_object_set_int_member(object, "id", (int64_t)id);
	json_node_take_object(root, object);
	text = json_text_from_node(root);
	line = g_strconcat(text, "\r\n", NULL);
	*ret_length = strlen(line);
	return line;
}

uint64_t qmp_calls_new_id(QmpCalls *calls)
{
	return ++calls->last_id;
}

uint64_t qmp_calls_add(QmpCalls *calls, int64_t now, const char *command, JsonNode *arguments, int fd,
		       int timeout_ms, QmpReplyCallback callback, void *userdata)
{
	QmpCall *call = g_new0(QmpCall, 1);
	bool too_many = calls->n_pending >= QMP_MONITOR_CALLS_MAX;

	call->link.data = call;
	call->id = qmp_calls_new_id(calls);
	call->command = g_strdup(command);
	call->callback = callback;
	call->userdata = userdata;
	call->timeout_ms = timeout_ms;
	call->fd = fd;
	calls->n_pending++;

	if (too_many) {
		g_clear_pointer(&arguments, json_node_unref);
		put_on_ended(calls, call,
			     g_error_new(CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
					 "%s: %u commands are waiting for QEMU already", command,
					 QMP_MONITOR_CALLS_MAX));
		return call->id;
	}

	call->line = make_line(command, arguments, call->id, &call->line_length);
	if (call->line_length > QMP_MONITOR_BYTES_MAX - calls->n_bytes) {
		put_on_ended(calls, call,
			     g_error_new(CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
					 "%s: more than %u bytes of commands for QEMU", command,
					 QMP_MONITOR_BYTES_MAX));
		return call->id;
	}

	calls->n_bytes += call->line_length;
	g_queue_push_tail_link(&calls->waiting, &call->link);
	g_hash_table_insert(calls->waiting_by_id, &call->id, call);
	if (timeout_ms >= 0) {
		call->deadline = now + timeout_ms * G_GINT64_CONSTANT(1000);
		call->deadline_iter = g_sequence_insert_sorted(calls->deadlines, call,
							       compare_deadlines, NULL);
	}
	return call->id;
}

static Place *find_place(QmpCalls *calls, uint64_t id)
{
	for (size_t i = 0; i < G_N_ELEMENTS(calls->in_flight); i++) {
		if (calls->in_flight[i].id == id)
			return &calls->in_flight[i];
	}
	return NULL;
}

/* QEMU works on one after the other, so nothing is the later for it if those that wait follow by fours, and not one with each
 * reply, which wakes up its threads for each. */
void qmp_calls_send(QmpCalls *calls, GString *out, GArray *fds)
{
	QmpCall *call;
	Place *place;

	if (calls->full && calls->n_in_flight > QMP_MONITOR_IN_FLIGHT_MAX / 2)
		return;
	while ((call = g_queue_peek_head(&calls->waiting)) && (place = find_place(calls, 0))) {
		g_queue_unlink(&calls->waiting, &call->link);
		g_hash_table_remove(calls->waiting_by_id, &call->id);
		*place = (Place){ .id = call->id, .line_length = call->line_length, .call = call };
		calls->n_in_flight++;
		if (call->fd >= 0) {
			const QmpOutFd fd = { out->len, call->fd };

			g_array_append_val(fds, fd);
			call->fd = -1;
		}
		g_string_append_len(out, call->line, (gssize)call->line_length);
		drop_line(call);
	}
	calls->full = calls->n_in_flight == QMP_MONITOR_IN_FLIGHT_MAX;
}

bool qmp_calls_take_reply(QmpCalls *calls, uint64_t id, QmpCall **ret_call)
{
	Place *place = id ? find_place(calls, id) : NULL;

	if (!place)
		return false;
	if (place->call)
		clear_deadline(place->call);
	calls->n_bytes -= place->line_length;
	*ret_call = place->call;
	*place = (Place){ 0 };
	calls->n_in_flight--;
	return true;
}

void qmp_calls_end(QmpCalls *calls, QmpCall *call, JsonNode *result, const GError *error)
{
	calls->n_pending--;
	if (call->callback)
		call->callback(result, error, call->userdata);
	call_free(call);
}

static void end_waiting(QmpCalls *calls, QmpCall *call, GError *error)
{
	g_queue_unlink(&calls->waiting, &call->link);
	g_hash_table_remove(calls->waiting_by_id, &call->id);
	calls->n_bytes -= call->line_length;
	put_on_ended(calls, call, error);
}

bool qmp_calls_cancel(QmpCalls *calls, uint64_t id)
{
	QmpCall *call = g_hash_table_lookup(calls->waiting_by_id, &id);

	if (!call)
		return false;
	end_waiting(calls, call, g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
					     "%s: not sent, as nobody waits for it any more",
					     call->command));
	return true;
}

void qmp_calls_expire(QmpCalls *calls, int64_t now)
{
	while (qmp_calls_get_deadline(calls) <= now) {
		QmpCall *call = g_sequence_get(g_sequence_get_begin_iter(calls->deadlines));
		GError *error = g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT,
					    "%s: no reply within %d ms", call->command,
					    call->timeout_ms);
		Place *place = find_place(calls, call->id);

		if (place) {
			place->call = NULL;
			put_on_ended(calls, call, error);
		} else {
			end_waiting(calls, call, error);
		}
	}
}

static int compare_ids(const void *a, const void *b)
{
	const Place *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

void qmp_calls_fail_all(QmpCalls *calls, CoreError code, const char *reason)
{
	QmpCall *call;

	/* In the order in which they were made: those in flight are the older ones. */
	qsort(calls->in_flight, G_N_ELEMENTS(calls->in_flight), sizeof(Place), compare_ids);
	for (size_t i = 0; i < G_N_ELEMENTS(calls->in_flight); i++) {
		Place *place = &calls->in_flight[i];

		if (place->call)
			put_on_ended(calls, place->call,
				     g_error_new(CORE_ERROR, (int)code, "%s: %s",
						 place->call->command, reason));
		calls->n_bytes -= place->line_length;
		*place = (Place){ 0 };
	}
	while ((call = g_queue_peek_head(&calls->waiting)))
		end_waiting(calls, call,
			    g_error_new(CORE_ERROR, (int)code, "%s: %s", call->command, reason));
}

void qmp_calls_run_ended(QmpCalls *calls, bool until_empty)
{
	unsigned n = calls->ended.length;
	QmpCall *call;

	while ((until_empty || n-- > 0) && (call = g_queue_peek_head(&calls->ended))) {
		g_autoptr(GError) error = g_steal_pointer(&call->error);

		g_queue_unlink(&calls->ended, &call->link);
		qmp_calls_end(calls, call, NULL, error);
	}
}

bool qmp_calls_has_ended(const QmpCalls *calls)
{
	return calls->ended.length > 0;
}

int64_t qmp_calls_get_deadline(const QmpCalls *calls)
{
	GSequenceIter *first = g_sequence_get_begin_iter(calls->deadlines);

	if (g_sequence_iter_is_end(first))
		return INT64_MAX;
	return ((const QmpCall *)g_sequence_get(first))->deadline;
}

unsigned qmp_calls_get_pending(const QmpCalls *calls)
{
	return calls->n_pending;
}
