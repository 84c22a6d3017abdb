/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * State read afresh. QEMU keeps nothing for a client that is not there, so after every connect all that can
 * be asked is asked; and some events only say that something has changed, so that one query follows them.
 *
 * Each row has one command, and the chapter that takes its answer. A chapter compares it with what it knew. If
 * there was a picture before (the monitor was lost and is back), what differs is told by the ordinary
 * signals with the reason resync; if there was none (a start, a new service), it is just taken.
 *
 * Replies take their place among the events (call.c), so what is compared is of the same moment.
 */

/* result: NULL where QEMU has no such command or no such device. */
static const struct {
	const char *command;
	const char *arguments;       /* JSON, or NULL */
	void (*take)(Domain *domain, JsonNode *result);
} rows[STATE_QUERY_MAX] = {
	[STATE_QUERY_DEVICES] = { "qom-list", "{\"path\": \"/machine/peripheral\"}", devices_resync },
	[STATE_QUERY_MEMORY_DEVICES] = { "query-memory-devices", NULL, memory_resync },
	[STATE_QUERY_DRIVES] = { "query-block", NULL, drives_resync },
	[STATE_QUERY_NODES] = { "query-named-block-nodes", "{\"flat\": true}", drives_resync_nodes },
	[STATE_QUERY_JOBS] = { "query-jobs", NULL, jobs_resync },
	[STATE_QUERY_CHARDEVS] = { "query-chardev", NULL, channels_resync },
	[STATE_QUERY_BALLOON] = { "query-balloon", NULL, balloon_resync },
	[STATE_QUERY_VNC] = { "query-vnc-servers", NULL, display_resync_vnc },
	[STATE_QUERY_SPICE] = { "query-spice", NULL, display_resync_spice },
	[STATE_QUERY_MIGRATION] = { "query-migrate", NULL, migration_resync },
	[STATE_QUERY_ACCELERATOR] = { "query-kvm", NULL, accelerator_resync },
};

/* ---- one query ---- */

/* So many rows are read in one resync, those read once more because of an event among them. Its end must not
 * wait for a guest that causes such events without end. */
#define RESYNC_ROWS_MAX (4u * STATE_QUERY_MAX)

/* Everything that is asked because of one domain_resync(). */
typedef struct Resync {
	Domain *domain;
	uint64_t run;
	ResyncDone done;
	char *run_state;
	GError *error;
	unsigned pending;
	unsigned n_rows;
} Resync;

/* So many are with the monitor at a time, of all that a domain with thousands of devices makes us ask. The others wait
 * here: they must not use up the bound of the calls of clients. */
#define QUERIES_MAX 256u

typedef struct Query {
	Domain *domain;
	const char *command;           /* static */
	JsonNode *arguments;           /* until it is asked */
	Resync *resync;                /* NULL: not part of one */
	QmpReplyCallback callback;
	void *userdata;
} Query;

static void resync_step(Resync *resync)
{
	Domain *domain = resync->domain;

	if (--resync->pending > 0)
		return;
	if (domain->resync == resync)
		domain->resync = NULL;
	if (domain->host && domain->run == resync->run) {
		domain->has_picture |= !resync->error;
		resync->done(domain, resync->error ? NULL : resync->run_state, resync->error);
	}
	g_free(resync->run_state);
	g_clear_error(&resync->error);
	domain_unref(domain);
	g_free(resync);
}

/* QEMU has answered, though with a refusal: that is an answer too. */
static bool is_answer(const GError *error)
{
	return !error || g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR) ||
	       g_error_matches(error, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE);
}

static void ask_next(Domain *domain);

static void on_query(JsonNode *result, const GError *error, void *userdata)
{
	Query *query = userdata;
	Resync *resync = query->resync;

	query->domain->queries--;
	/* What it asks next belongs to the same resync. */
	query->callback(result, error, query->userdata);
	if (resync) {
		if (!is_answer(error) && !resync->error)
			resync->error = g_error_copy(error);
		resync_step(resync);
	}
	ask_next(query->domain);
	domain_unref(query->domain);
	g_free(query);
}

/* No monitor, perhaps no run any more. */
static void fail_query(Query *query)
{
	g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
					      "%s: the monitor of domain '%s' cannot be reached",
					      query->command, domain_get_name(query->domain));

	g_clear_pointer(&query->arguments, json_node_unref);
	on_query(NULL, error, query);
}

/* WARNING: the end of a query comes by here again, and without a monitor at once; the outermost goes on. */
static void ask_next(Domain *domain)
{
	Query *query;

	if (domain->asking)
		return;
	domain->asking = true;
	domain_ref(domain);
	while (domain->queries < QUERIES_MAX && (query = g_queue_pop_head(&domain->queries_waiting))) {
		domain->queries++;
		if (domain->monitor)
			domain_call(domain, query->command, g_steal_pointer(&query->arguments),
				    DOMAIN_CALL_TIMEOUT_MS, on_query, query);
		else
			fail_query(query);
	}
	domain->asking = false;
	domain_unref(domain);
}

static void ask(Domain *domain, Resync *resync, const char *command, JsonNode *arguments,
		QmpReplyCallback callback, void *userdata)
{
	Query *query = g_new0(Query, 1);

	query->domain = domain_ref(domain);
	query->resync = resync;
	query->callback = callback;
	query->userdata = userdata;
	if (query->resync)
		query->resync->pending++;
	query->command = command;
	query->arguments = arguments;
	g_queue_push_tail(&domain->queries_waiting, query);
	ask_next(domain);
}

void resync_query(Domain *domain, const char *command, JsonNode *arguments,
		  QmpReplyCallback callback, void *userdata)
{
	ask(domain, domain->resync, command, arguments, callback, userdata);
}

bool resync_tells(const Domain *domain)
{
	return domain->resync && domain->has_picture;
}

/* ---- the rows ---- */

typedef struct Take {
	Domain *domain;
	uint64_t run;
	StateQuery row;
} Take;

static void send_row(Domain *domain, StateQuery row);

static void on_row(JsonNode *result, const GError *error, void *userdata)
{
	Take *take = userdata;
	Domain *domain = take->domain;

	if (domain->host && domain->run == take->run) {
		if (is_answer(error))
			rows[take->row].take(domain, error ? NULL : result);
		domain->refreshing &= ~(1u << take->row);
		if (domain->refresh_again & (1u << take->row)) {
			domain->refresh_again &= ~(1u << take->row);
			send_row(domain, take->row);
		}
	}
	domain_unref(domain);
	g_free(take);
}

static void send_row(Domain *domain, StateQuery row)
{
	JsonNode *arguments = rows[row].arguments ? json_from_string(rows[row].arguments, NULL) : NULL;
	Take *take = g_new0(Take, 1);
	Resync *resync = domain->resync;

	if (resync && ++resync->n_rows > RESYNC_ROWS_MAX)
		resync = NULL;
	take->domain = domain_ref(domain);
	take->run = domain->run;
	take->row = row;
	domain->refreshing |= 1u << row;
	ask(domain, resync, rows[row].command, arguments, on_row, take);
}

/* A guest may cause these as fast as it likes: one is under way, and one more behind it. */
void domain_refresh(Domain *domain, StateQuery row)
{
	if (domain->refreshing & (1u << row))
		domain->refresh_again |= 1u << row;
	else
		send_row(domain, row);
}

static void on_status(JsonNode *result, const GError *error, void *userdata)
{
	Resync *resync = userdata;
	const char *run_state;

	if (json_read_string(json_node_as_object(result), "status", &run_state))
		resync->run_state = g_strdup(run_state);
	/* The one question that every QEMU answers. */
	if (error && !resync->error)
		resync->error = g_error_copy(error);
}

void domain_resync(Domain *domain, ResyncDone done)
{
	Resync *resync = g_new0(Resync, 1);

	resync->domain = domain_ref(domain);
	resync->run = domain->run;
	resync->done = done;
	resync->pending = 1;
	domain->resync = resync;
	domain->refresh_again = 0;
	migration_enable_events(domain);
	/* Nobody may have queried since the last event of a NIC, so it might be silent for ever. */
	if (domain->filters_due)
		filter_watch_request(domain->filter_watch, NULL);
	else
		filter_watch_query_all(domain->filter_watch);
	domain->filters_due = false;
	for (unsigned row = 0; row < STATE_QUERY_MAX; row++)
		send_row(domain, (StateQuery)row);
	resync_query(domain, "query-status", NULL, on_status, resync);
	resync_step(resync);
}
