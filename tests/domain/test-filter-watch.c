/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain/filter-watch.h"
#include "loop/loop-poll.h"

/*
 * The fixture plays both ends: the guest with QEMU's latch (one event, then silence until it has been
 * queried), and the owner that sends the query and answers it, at once or when the test says so.
 */

#define DEADLINE_US (30 * G_TIME_SPAN_SECOND)
#define INTERVAL_US (G_TIME_SPAN_SECOND / FILTER_WATCH_QUERIES_PER_SECOND)
#define NICS        3u

typedef struct Query {
	char *nic;               /* NULL: for all */
	gint64 time;
} Query;

typedef struct Seen {
	char *nic, *before, *now;    /* MACs; before is NULL the first time */
	bool requested;
} Seen;

typedef struct Fixture {
	Loop *loop;
	FilterWatch *watch;
	GPtrArray *queries, *seen;
	bool answers;                /* at once, with the guest's state */
	bool works;                  /* with what is seen, until the test says it is done */
	unsigned state[NICS];        /* the guest's, as the last number of the MAC */
	bool armed[NICS];
} Fixture;

static void query_free(void *data)
{
	Query *query = data;

	g_free(query->nic);
	g_free(query);
}

static void seen_free(void *data)
{
	Seen *seen = data;

	g_free(seen->nic);
	g_free(seen->before);
	g_free(seen->now);
	g_free(seen);
}

/* ---- QEMU ---- */

static void append_filter(GString *text, const char *nic, unsigned state)
{
	g_string_append_printf(text, "%s{\"name\":\"%s\",\"main-mac\":\"52:54:00:00:%02x:%02x\"}",
			       text->len > 1 ? "," : "", nic, (state >> 8) & 0xff, state & 0xff);
}

static void answer_text(Fixture *fixture, const char *nic, const char *text)
{
	g_autoptr(JsonNode) node = json_from_string(text, NULL);

	g_assert_nonnull(node);
	filter_watch_answer(fixture->watch, nic, node);
}

/* The query is answered and arms what it asks for. */
static void answer(Fixture *fixture, const char *nic)
{
	g_autoptr(GString) text = g_string_new("[");
	g_autofree char *name = g_strdup(nic);

	for (unsigned i = 0; i < NICS; i++) {
		g_autofree char *own = g_strdup_printf("net%u", i);

		if (name && !g_str_equal(name, own))
			continue;
		fixture->armed[i] = true;
		append_filter(text, own, fixture->state[i]);
	}
	g_string_append_c(text, ']');
	answer_text(fixture, name, text->str);
}

static void guest_changes(Fixture *fixture, unsigned nic)
{
	g_autofree char *name = g_strdup_printf("net%u", nic);

	fixture->state[nic]++;
	if (!fixture->armed[nic])
		return;
	fixture->armed[nic] = false;
	filter_watch_request(fixture->watch, name);
}

/* ---- the owner ---- */

static void on_query(FilterWatch *watch, const char *nic, void *userdata)
{
	Fixture *fixture = userdata;
	Query *query = g_new0(Query, 1);

	query->nic = g_strdup(nic);
	query->time = g_get_monotonic_time();
	g_ptr_array_add(fixture->queries, query);
	if (fixture->answers)
		answer(fixture, nic);
}

static bool on_seen(FilterWatch *watch, RxFilter *before, RxFilter *now, bool requested, void *userdata)
{
	Fixture *fixture = userdata;
	Seen *seen = g_new0(Seen, 1);

	g_assert_true(g_hash_table_lookup(filter_watch_get_filters(watch), now->nic) == before);
	if (!fixture->works) {
		filter_watch_commit(watch, now->nic);
		g_assert_true(g_hash_table_lookup(filter_watch_get_filters(watch), now->nic) == now);
	}
	seen->nic = g_strdup(now->nic);
	seen->before = before ? g_strdup(before->main_mac) : NULL;
	seen->now = g_strdup(now->main_mac);
	seen->requested = requested;
	g_ptr_array_add(fixture->seen, seen);
	return !fixture->works;
}

static void set_up(Fixture *fixture, const void *data)
{
	const FilterWatchOwner owner = { on_query, on_seen, fixture };

	fixture->loop = loop_poll_new();
	fixture->watch = filter_watch_new(fixture->loop, &owner);
	fixture->queries = g_ptr_array_new_with_free_func(query_free);
	fixture->seen = g_ptr_array_new_with_free_func(seen_free);
	for (unsigned i = 0; i < NICS; i++)
		fixture->armed[i] = true;
}

static void tear_down(Fixture *fixture, const void *data)
{
	fixture->watch = filter_watch_free(fixture->watch);
	fixture->loop = loop_free(fixture->loop);
	g_ptr_array_unref(fixture->queries);
	g_ptr_array_unref(fixture->seen);
}

static const Query *get_query(const Fixture *fixture, unsigned i)
{
	g_assert_cmpuint(i, <, fixture->queries->len);
	return g_ptr_array_index(fixture->queries, i);
}

static const Seen *get_seen(const Fixture *fixture, unsigned i)
{
	g_assert_cmpuint(i, <, fixture->seen->len);
	return g_ptr_array_index(fixture->seen, i);
}

static void wait_for_queries(Fixture *fixture, unsigned n)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_US;

	while (fixture->queries->len < n) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		(void)loop_run_once(fixture->loop, 1000);
	}
}

/* True once nothing is due any more: longer than the interval no query came. */
static void wait_for_silence(Fixture *fixture)
{
	gint64 quiet_since = g_get_monotonic_time();
	unsigned n = fixture->queries->len;

	while (g_get_monotonic_time() - quiet_since < 2 * INTERVAL_US) {
		(void)loop_run_once(fixture->loop, 10);
		if (fixture->queries->len != n)
			quiet_since = g_get_monotonic_time();
		n = fixture->queries->len;
	}
}

/* ---- one NIC ---- */

static void test_first_at_once(Fixture *fixture, const void *data)
{
	filter_watch_request(fixture->watch, "net0");
	g_assert_cmpuint(fixture->queries->len, ==, 1);
	g_assert_cmpstr(get_query(fixture, 0)->nic, ==, "net0");
	g_assert_cmpuint(fixture->seen->len, ==, 0);

	answer(fixture, "net0");
	g_assert_cmpuint(fixture->seen->len, ==, 1);
	g_assert_cmpstr(get_seen(fixture, 0)->nic, ==, "net0");
	g_assert_null(get_seen(fixture, 0)->before);
	g_assert_true(get_seen(fixture, 0)->requested);
}

static void test_query_all(Fixture *fixture, const void *data)
{
	filter_watch_query_all(fixture->watch);
	g_assert_cmpuint(fixture->queries->len, ==, 1);
	g_assert_null(get_query(fixture, 0)->nic);
	answer(fixture, NULL);
	g_assert_cmpuint(fixture->seen->len, ==, NICS);
	for (unsigned i = 0; i < NICS; i++)
		g_assert_false(get_seen(fixture, i)->requested);
	g_assert_cmpuint(g_hash_table_size(filter_watch_get_filters(fixture->watch)), ==, NICS);
}

/* A NIC without an id: only all of them can be asked. */
static void test_without_name(Fixture *fixture, const void *data)
{
	filter_watch_request(fixture->watch, "");
	filter_watch_request(fixture->watch, NULL);
	g_assert_cmpuint(fixture->queries->len, ==, 1);
	g_assert_null(get_query(fixture, 0)->nic);
	answer(fixture, NULL);
	g_assert_true(get_seen(fixture, 0)->requested);
}

/* What is asked for while a query is on its way, or while one waits for its turn, is one query more. */
static void test_folded(Fixture *fixture, const void *data)
{
	filter_watch_request(fixture->watch, "net0");
	for (unsigned i = 0; i < 1000; i++)
		filter_watch_request(fixture->watch, "net0");
	g_assert_cmpuint(fixture->queries->len, ==, 1);
	answer(fixture, "net0");
	for (unsigned i = 0; i < 1000; i++)
		filter_watch_request(fixture->watch, "net0");
	g_assert_cmpuint(fixture->queries->len, ==, 1);
	wait_for_queries(fixture, 2);
	answer(fixture, "net0");
	wait_for_silence(fixture);
	g_assert_cmpuint(fixture->queries->len, ==, 2);
	g_assert_cmpuint(fixture->seen->len, ==, 2);
	g_assert_true(get_seen(fixture, 1)->requested);
}

/* The same state again is told if the guest did something, and not if it was read for other reasons. */
static void test_requested(Fixture *fixture, const void *data)
{
	filter_watch_query_all(fixture->watch);
	answer(fixture, NULL);
	guest_changes(fixture, 1);
	wait_for_queries(fixture, 2);
	answer(fixture, "net1");
	filter_watch_query_all(fixture->watch);
	wait_for_queries(fixture, 3);
	answer(fixture, NULL);
	g_assert_cmpuint(fixture->seen->len, ==, NICS + 1 + NICS);
	for (unsigned i = 0; i < fixture->seen->len; i++)
		g_assert_cmpint(get_seen(fixture, i)->requested, ==, i == NICS);
}

static void test_mac(Fixture *fixture, const void *data)
{
	fixture->answers = true;
	filter_watch_query_all(fixture->watch);
	guest_changes(fixture, 0);
	wait_for_queries(fixture, 2);
	g_assert_cmpuint(fixture->seen->len, ==, NICS + 1);
	g_assert_cmpstr(get_seen(fixture, NICS)->before, ==, "52:54:00:00:00:00");
	g_assert_cmpstr(get_seen(fixture, NICS)->now, ==, "52:54:00:00:00:01");
}

/* ---- the limit ---- */

/* No NIC is asked more often than its interval, by its name or with all of them. */
static void check_intervals(const Fixture *fixture)
{
	for (unsigned nic = 0; nic < NICS; nic++) {
		g_autofree char *name = g_strdup_printf("net%u", nic);
		gint64 last = 0;

		for (unsigned i = 0; i < fixture->queries->len; i++) {
			const Query *query = get_query(fixture, i);

			if (query->nic && !g_str_equal(query->nic, name))
				continue;
			if (last != 0)
				g_assert_cmpint(query->time - last, >=, INTERVAL_US);
			last = query->time;
		}
	}
}

static unsigned count_queries(const Fixture *fixture, const char *nic)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fixture->queries->len; i++)
		n += g_strcmp0(get_query(fixture, i)->nic, nic) == 0;
	return n;
}

static void test_limit_by_name(Fixture *fixture, const void *data)
{
	gint64 begin = g_get_monotonic_time();

	fixture->answers = true;
	while (count_queries(fixture, "net0") < 11) {
		filter_watch_request(fixture->watch, "net0");
		(void)loop_run_once(fixture->loop, 1);
		g_assert_cmpint(g_get_monotonic_time() - begin, <, DEADLINE_US);
	}
	/* At once, and ten more: not within less than a second. */
	g_assert_cmpint(g_get_monotonic_time() - begin, >=, G_TIME_SPAN_SECOND);
	check_intervals(fixture);
}

static unsigned count_requested(const Fixture *fixture, const char *nic)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fixture->seen->len; i++) {
		const Seen *seen = get_seen(fixture, i);

		n += seen->requested && g_str_equal(seen->nic, nic);
	}
	return n;
}

/* However they are mixed; a NIC that finds the place taken by the query for all is served by that one. */
static void test_limit_mixed(Fixture *fixture, const void *data)
{
	gint64 begin = g_get_monotonic_time();

	fixture->answers = true;
	while (count_queries(fixture, NULL) < 5) {
		filter_watch_request(fixture->watch, "net0");
		if (g_get_monotonic_time() - begin > INTERVAL_US / 2)
			filter_watch_request(fixture->watch, "net1");
		filter_watch_query_all(fixture->watch);
		(void)loop_run_once(fixture->loop, 1);
		g_assert_cmpint(g_get_monotonic_time() - begin, <, DEADLINE_US);
	}
	check_intervals(fixture);
	g_assert_cmpuint(count_requested(fixture, "net0"), >=, 4);
	g_assert_cmpuint(count_requested(fixture, "net1"), >=, 3);
	g_assert_cmpuint(count_requested(fixture, "net2"), ==, 0);
}

/* Two busy NICs whose turns do not fall together: a reset, of which QEMU tells nothing, still gets through. */
static void test_all_gets_through(Fixture *fixture, const void *data)
{
	gint64 begin = g_get_monotonic_time();

	fixture->answers = true;
	filter_watch_query_all(fixture->watch);
	while (count_queries(fixture, "net0") < 2 || count_queries(fixture, "net1") < 2) {
		filter_watch_request(fixture->watch, "net0");
		if (g_get_monotonic_time() - begin > 3 * INTERVAL_US / 2)
			filter_watch_request(fixture->watch, "net1");
		(void)loop_run_once(fixture->loop, 1);
		g_assert_cmpint(g_get_monotonic_time() - begin, <, DEADLINE_US);
	}
	g_assert_cmpuint(count_queries(fixture, NULL), ==, 1);
	begin = g_get_monotonic_time();
	filter_watch_query_all(fixture->watch);
	while (count_queries(fixture, NULL) < 2) {
		filter_watch_request(fixture->watch, "net0");
		filter_watch_request(fixture->watch, "net1");
		(void)loop_run_once(fixture->loop, 1);
		g_assert_cmpint(g_get_monotonic_time() - begin, <, DEADLINE_US);
	}
	check_intervals(fixture);
}

/* A request by name that was folded into one for all of them is still the guest's. */
static void test_folded_into_all(Fixture *fixture, const void *data)
{
	fixture->answers = true;
	filter_watch_query_all(fixture->watch);
	g_ptr_array_set_size(fixture->seen, 0);
	filter_watch_query_all(fixture->watch);
	guest_changes(fixture, 1);
	wait_for_queries(fixture, 2);
	wait_for_silence(fixture);
	g_assert_cmpuint(fixture->queries->len, ==, 2);
	g_assert_cmpuint(count_requested(fixture, "net0"), ==, 0);
	g_assert_cmpuint(count_requested(fixture, "net1"), ==, 1);
}

/* ---- nothing is lost ---- */

static void test_last_state(Fixture *fixture, const void *data)
{
	fixture->answers = true;
	filter_watch_query_all(fixture->watch);
	for (unsigned i = 0; i < 500; i++) {
		guest_changes(fixture, i % NICS);
		if (i % 7 == 0)
			(void)loop_run_once(fixture->loop, 1);
	}
	wait_for_silence(fixture);
	for (unsigned i = 0; i < NICS; i++) {
		g_autofree char *nic = g_strdup_printf("net%u", i);
		g_autofree char *mac = g_strdup_printf("52:54:00:00:%02x:%02x",
						       (fixture->state[i] >> 8) & 0xff,
						       fixture->state[i] & 0xff);
		RxFilter *filter = g_hash_table_lookup(filter_watch_get_filters(fixture->watch), nic);

		g_assert_cmpstr(filter->main_mac, ==, mac);
	}
	check_intervals(fixture);
}

/* The guest changes between the query and its answer: QEMU is armed by the query, so an event comes. */
static void test_change_while_querying(Fixture *fixture, const void *data)
{
	guest_changes(fixture, 0);
	fixture->armed[0] = true;
	fixture->state[0] = 0;
	guest_changes(fixture, 0);
	answer_text(fixture, "net0", "[{\"name\":\"net0\",\"main-mac\":\"52:54:00:00:00:00\"}]");
	wait_for_queries(fixture, 2);
	answer(fixture, "net0");
	g_assert_cmpstr(get_seen(fixture, 1)->now, ==, "52:54:00:00:00:01");
	g_assert_true(get_seen(fixture, 1)->requested);
}

/* ---- bad answers ---- */

static void test_failed(Fixture *fixture, const void *data)
{
	filter_watch_request(fixture->watch, "net0");
	filter_watch_answer(fixture->watch, "net0", NULL);
	g_assert_cmpuint(fixture->seen->len, ==, 0);
	/* It is not stuck. */
	filter_watch_request(fixture->watch, "net0");
	wait_for_queries(fixture, 2);
	filter_watch_request(fixture->watch, "net0");
	filter_watch_answer(fixture->watch, "net0", NULL);
	wait_for_queries(fixture, 3);
	answer(fixture, "net0");
	g_assert_cmpuint(fixture->seen->len, ==, 1);
}

/* What the guest asked for is not forgotten with the query that failed, whichever way it went. */
static void test_retry(Fixture *fixture, const void *data)
{
	filter_watch_request(fixture->watch, "net0");
	filter_watch_answer(fixture->watch, "net0", NULL);
	filter_watch_retry(fixture->watch, "net0");
	wait_for_queries(fixture, 2);
	answer(fixture, "net0");
	g_assert_cmpuint(count_requested(fixture, "net0"), ==, 1);

	filter_watch_query_all(fixture->watch);
	filter_watch_request(fixture->watch, "net1");
	wait_for_queries(fixture, 3);
	filter_watch_answer(fixture->watch, NULL, NULL);
	filter_watch_retry(fixture->watch, NULL);
	wait_for_queries(fixture, 4);
	answer(fixture, NULL);
	g_assert_cmpuint(count_requested(fixture, "net1"), ==, 1);
	check_intervals(fixture);
}

static void test_odd_answers(Fixture *fixture, const void *data)
{
	static const char *const texts[] = {
		"{}", "7", "null", "[]", "[1,null,\"a\",[],{}]", "[{\"name\":\"net0\"}]",
		"[{\"main-mac\":\"m\"}]",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		filter_watch_request(fixture->watch, "net0");
		wait_for_queries(fixture, i + 1);
		answer_text(fixture, "net0", texts[i]);
	}
	g_assert_cmpuint(fixture->seen->len, ==, 0);
	/* One that nobody asked for, about one that nobody knows. */
	answer_text(fixture, "net7", "[{\"name\":\"net8\",\"main-mac\":\"m\"}]");
	g_assert_cmpuint(fixture->seen->len, ==, 1);
	g_assert_false(get_seen(fixture, 0)->requested);
}

/* ---- devices that go ---- */

static void test_forget(Fixture *fixture, const void *data)
{
	filter_watch_query_all(fixture->watch);
	answer(fixture, NULL);
	filter_watch_request(fixture->watch, "net0");     /* waits for its turn */
	filter_watch_forget(fixture->watch, "net0");
	g_assert_false(g_hash_table_contains(filter_watch_get_filters(fixture->watch), "net0"));
	filter_watch_forget(fixture->watch, "never-seen");
	wait_for_silence(fixture);
	g_assert_cmpuint(count_queries(fixture, "net0"), ==, 0);
}

static void test_forget_while_querying(Fixture *fixture, const void *data)
{
	filter_watch_request(fixture->watch, "net0");
	filter_watch_request(fixture->watch, "net0");
	filter_watch_forget(fixture->watch, "net0");
	filter_watch_answer(fixture->watch, "net0", NULL);
	wait_for_silence(fixture);
	g_assert_cmpuint(fixture->queries->len, ==, 1);
	/* Plugged in again under the same name. */
	filter_watch_request(fixture->watch, "net0");
	g_assert_cmpuint(fixture->queries->len, ==, 2);
	answer(fixture, "net0");
	g_assert_null(get_seen(fixture, 0)->before);
}

/* ---- what is being worked on ---- */

static const char *get_known_mac(const Fixture *fixture, const char *nic)
{
	const RxFilter *filter = g_hash_table_lookup(filter_watch_get_filters(fixture->watch), nic);

	return filter ? filter->main_mac : NULL;
}

/* Whatever the guest does meanwhile is one query, when the work is done. */
static void test_work(Fixture *fixture, const void *data)
{
	fixture->works = true;
	filter_watch_request(fixture->watch, "net0");
	answer(fixture, "net0");
	g_assert_cmpuint(fixture->seen->len, ==, 1);
	for (unsigned i = 0; i < 1000; i++)
		guest_changes(fixture, 0);
	for (unsigned i = 0; i < 1000; i++)
		filter_watch_request(fixture->watch, "net0");
	wait_for_silence(fixture);
	g_assert_cmpuint(fixture->queries->len, ==, 1);
	g_assert_true(filter_watch_is_busy(fixture->watch));
	g_assert_null(get_known_mac(fixture, "net0"));

	filter_watch_commit(fixture->watch, "net0");
	g_assert_cmpstr(get_known_mac(fixture, "net0"), ==, "52:54:00:00:00:00");
	filter_watch_done(fixture->watch, "net0");
	wait_for_queries(fixture, 2);
	answer(fixture, "net0");
	g_assert_cmpuint(fixture->seen->len, ==, 2);
	g_assert_true(get_seen(fixture, 1)->requested);
	g_assert_cmpstr(get_seen(fixture, 1)->before, ==, "52:54:00:00:00:00");
	g_assert_cmpstr(get_seen(fixture, 1)->now, ==, "52:54:00:00:03:e8");
	filter_watch_commit(fixture->watch, "net0");
	filter_watch_done(fixture->watch, "net0");
	wait_for_silence(fixture);
	g_assert_cmpuint(fixture->queries->len, ==, 2);
	g_assert_false(filter_watch_is_busy(fixture->watch));
	check_intervals(fixture);
}

/* Once per query: without a change there is no other after the work. */
static void test_work_alone(Fixture *fixture, const void *data)
{
	fixture->works = true;
	filter_watch_request(fixture->watch, "net0");
	answer(fixture, "net0");
	filter_watch_commit(fixture->watch, "net0");
	filter_watch_done(fixture->watch, "net0");
	filter_watch_done(fixture->watch, "net0");
	filter_watch_done(fixture->watch, "never-seen");
	filter_watch_repeat(fixture->watch, "never-seen");
	filter_watch_commit(fixture->watch, "never-seen");
	wait_for_silence(fixture);
	g_assert_cmpuint(fixture->queries->len, ==, 1);
}

/* The others are seen, and one query for all is enough for them; that one looks again when it is done. */
static void test_work_and_all(Fixture *fixture, const void *data)
{
	fixture->works = true;
	filter_watch_request(fixture->watch, "net0");
	answer(fixture, "net0");
	fixture->works = false;
	fixture->answers = true;
	guest_changes(fixture, 0);
	guest_changes(fixture, 1);
	filter_watch_query_all(fixture->watch);
	wait_for_silence(fixture);
	g_assert_cmpuint(count_queries(fixture, "net0"), ==, 1);
	g_assert_cmpuint(count_queries(fixture, NULL), ==, 1);
	g_assert_cmpstr(get_known_mac(fixture, "net1"), ==, "52:54:00:00:00:01");
	g_assert_null(get_known_mac(fixture, "net0"));
	filter_watch_commit(fixture->watch, "net0");
	filter_watch_done(fixture->watch, "net0");
	wait_for_silence(fixture);
	g_assert_cmpuint(count_queries(fixture, "net0"), ==, 2);
	g_assert_cmpstr(get_known_mac(fixture, "net0"), ==, "52:54:00:00:00:01");
	g_assert_cmpuint(count_requested(fixture, "net0"), ==, 2);
	check_intervals(fixture);
}

/* What was not asked for by the guest is not asked for by it when it is read again. */
static void test_work_read_again(Fixture *fixture, const void *data)
{
	fixture->works = true;
	filter_watch_query_all(fixture->watch);
	answer(fixture, NULL);
	filter_watch_query_all(fixture->watch);
	wait_for_queries(fixture, 2);
	answer(fixture, NULL);
	g_assert_cmpuint(fixture->seen->len, ==, NICS);
	filter_watch_commit(fixture->watch, "net0");
	filter_watch_done(fixture->watch, "net0");
	wait_for_queries(fixture, 3);
	answer(fixture, "net0");
	g_assert_cmpuint(fixture->seen->len, ==, NICS + 1);
	g_assert_false(get_seen(fixture, NICS)->requested);
}

static void test_repeat(Fixture *fixture, const void *data)
{
	fixture->works = true;
	filter_watch_request(fixture->watch, "net0");
	answer(fixture, "net0");
	filter_watch_repeat(fixture->watch, "net0");
	g_assert_null(get_known_mac(fixture, "net0"));
	g_assert_true(filter_watch_is_busy(fixture->watch));
	wait_for_queries(fixture, 2);
	answer(fixture, "net0");
	g_assert_cmpuint(fixture->seen->len, ==, 2);
	g_assert_true(get_seen(fixture, 1)->requested);
	g_assert_null(get_seen(fixture, 1)->before);
	check_intervals(fixture);
}

static void test_forget_while_working(Fixture *fixture, const void *data)
{
	fixture->works = true;
	filter_watch_request(fixture->watch, "net0");
	answer(fixture, "net0");
	filter_watch_request(fixture->watch, "net0");
	filter_watch_forget(fixture->watch, "net0");
	filter_watch_commit(fixture->watch, "net0");
	filter_watch_done(fixture->watch, "net0");
	g_assert_null(get_known_mac(fixture, "net0"));
	g_assert_false(filter_watch_is_busy(fixture->watch));
	wait_for_silence(fixture);
	g_assert_cmpuint(fixture->queries->len, ==, 1);
	/* Plugged in again under the same name. */
	filter_watch_request(fixture->watch, "net0");
	wait_for_queries(fixture, 2);
	answer(fixture, "net0");
	g_assert_cmpuint(fixture->seen->len, ==, 2);
}

/* ---- the bound ---- */

static void test_many(Fixture *fixture, const void *data)
{
	g_autoptr(GString) text = g_string_new("[");
	unsigned by_name = 0;

	for (unsigned i = 0; i < 4 * FILTER_WATCH_NICS_MAX; i++) {
		g_autofree char *nic = g_strdup_printf("nic%u", i);

		filter_watch_request(fixture->watch, nic);
		append_filter(text, nic, i);
	}
	g_string_append_c(text, ']');
	for (unsigned i = 0; i < fixture->queries->len; i++)
		by_name += get_query(fixture, i)->nic != NULL;
	g_assert_cmpuint(by_name, <=, FILTER_WATCH_NICS_MAX);
	/* The others share one place, whose query asks for all; it comes when their interval is over. */
	wait_for_queries(fixture, by_name + 1);
	g_assert_cmpuint(count_queries(fixture, NULL), ==, 1);
	answer_text(fixture, NULL, text->str);
	g_assert_cmpuint(g_hash_table_size(filter_watch_get_filters(fixture->watch)), ==,
			 FILTER_WATCH_NICS_MAX);
	g_assert_cmpuint(fixture->seen->len, ==, FILTER_WATCH_NICS_MAX);
}

/* So many are worked on, known or not, and the others are left alone. */
static void test_many_at_work(Fixture *fixture, const void *data)
{
	g_autoptr(GString) text = g_string_new("[");

	fixture->works = true;
	for (unsigned i = 0; i < 4 * FILTER_WATCH_NICS_MAX; i++) {
		g_autofree char *nic = g_strdup_printf("nic%u", i);

		append_filter(text, nic, i);
	}
	g_string_append_c(text, ']');
	answer_text(fixture, NULL, text->str);
	g_assert_cmpuint(fixture->seen->len, ==, FILTER_WATCH_NICS_MAX);
	g_assert_cmpuint(g_hash_table_size(filter_watch_get_filters(fixture->watch)), ==, 0);
	for (unsigned i = 0; i < FILTER_WATCH_NICS_MAX; i++) {
		filter_watch_commit(fixture->watch, get_seen(fixture, i)->nic);
		filter_watch_done(fixture->watch, get_seen(fixture, i)->nic);
	}
	answer_text(fixture, NULL, text->str);
	g_assert_cmpuint(fixture->seen->len, ==, 2 * FILTER_WATCH_NICS_MAX);
}

/* Freed with queries on their way and others waiting for their turn. */
static void test_free(Fixture *fixture, const void *data)
{
	filter_watch_request(fixture->watch, "net0");
	filter_watch_answer(fixture->watch, "net0", NULL);
	filter_watch_request(fixture->watch, "net0");
	filter_watch_request(fixture->watch, "net1");
	filter_watch_query_all(fixture->watch);
	g_assert_null(filter_watch_free(NULL));
}

#define ADD(name, function)                                                                        \
	g_test_add("/domain/filter-watch/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("first-at-once", test_first_at_once);
	ADD("query-all", test_query_all);
	ADD("without-name", test_without_name);
	ADD("folded", test_folded);
	ADD("requested", test_requested);
	ADD("mac", test_mac);
	ADD("limit-by-name", test_limit_by_name);
	ADD("limit-mixed", test_limit_mixed);
	ADD("all-gets-through", test_all_gets_through);
	ADD("folded-into-all", test_folded_into_all);
	ADD("last-state", test_last_state);
	ADD("change-while-querying", test_change_while_querying);
	ADD("failed", test_failed);
	ADD("retry", test_retry);
	ADD("odd-answers", test_odd_answers);
	ADD("forget", test_forget);
	ADD("work", test_work);
	ADD("work-alone", test_work_alone);
	ADD("work-and-all", test_work_and_all);
	ADD("work-read-again", test_work_read_again);
	ADD("repeat", test_repeat);
	ADD("forget-while-working", test_forget_while_working);
	ADD("forget-while-querying", test_forget_while_querying);
	ADD("many", test_many);
	ADD("many-at-work", test_many_at_work);
	ADD("free", test_free);
	return g_test_run();
}
