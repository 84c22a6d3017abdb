/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "connection-fixture.h"

/*
 * A connection on a bus, by dice: signals that do not come, a service that goes and comes, a history that is overrun, callbacks that come
 * and go, from within others too, and programs that go on where they were. Each callback has each event behind its registering once,
 * in the order of its kind and domain, or it was told that it is lost.
 *
 * VMHERALD_COMPLETE_SEED=N does that one alone.
 */

#define RUNS     12u
#define STEPS    250u
#define DOMAINS  3u
#define RECORDS  6u

typedef struct Subscription {
	Record *record;             /* NULL: there is none */
	unsigned domain;            /* 0: all */
	VmhEventKind kind;
	uint64_t before, after;     /* the last sequence, before and after it was registered */
	unsigned first;             /* of its events, since the program was started */
} Subscription;

typedef struct Told {
	unsigned domain;
	VmhEventKind kind;
	bool in_gap;
} Told;

typedef struct Run {
	Fixture *fixture;
	GRand *rand;
	unsigned seed;
	bool is_there;              /* the service */
	GArray *told;               /* Told, by sequence - 1 */
	uint64_t forgotten;
	Subscription subscriptions[RECORDS];
	unsigned gaps;
	bool has_restarted;         /* so it may be catching up, and who comes then gets some of that, too */
} Run;

static unsigned n_events, n_gaps;

static unsigned roll(Run *run, unsigned sides)
{
	return g_rand_int_range(run->rand, 0, sides);
}

static Told *get_told(Run *run, uint64_t sequence)
{
	return &g_array_index(run->told, Told, sequence - 1);
}

static bool is_wanted(const Subscription *subscription, const Told *told)
{
	return (subscription->domain == 0 || subscription->domain == told->domain) &&
	       (subscription->kind == VMH_EVENT_ANY || subscription->kind == told->kind);
}

/* ---- what is done ---- */

static void emit(Run *run, unsigned domain, VmhEventKind kind, bool lost)
{
	const Told told = { domain, kind, false };
	uint64_t sequence = kind == VMH_EVENT_RESET ? played_service_emit_reset(run->fixture->service, domain, lost)
						    : played_service_emit(run->fixture->service, domain, lost);

	g_array_append_val(run->told, told);
	g_assert_cmpuint(run->told->len, ==, sequence);
}

static void emit_some(Run *run)
{
	bool lost = roll(run, 3) == 0;

	for (unsigned n = 1 + roll(run, roll(run, 10) == 0 ? 300 : 8); n > 0; n--)
		emit(run, 1 + roll(run, DOMAINS), roll(run, 2) ? VMH_EVENT_RESET : VMH_EVENT_LIFECYCLE, lost);
}

/* Does it not get what was told before? Without the service, nobody can say how far its numbers are; and with a rule that is there
 * already nobody asks, so that what is on its way is for both. */
static bool begins_with_number(Run *run, const Subscription *subscription)
{
	for (unsigned i = 0; i < RECORDS; i++) {
		const Subscription *other = &run->subscriptions[i];

		if (other != subscription && other->record && other->domain == subscription->domain &&
		    other->kind == subscription->kind)
			return false;
	}
	return !run->has_restarted && run->is_there && vmh_connection_is_service_there(run->fixture->connection);
}

/* As long as nothing is known of the numbers, the first that is known of them is the beginning. */
static void look_at_beginnings(Run *run)
{
	char *position = vmh_connection_get_position(run->fixture->connection);

	for (unsigned i = 0; i < RECORDS; i++)
		if (!*position)
			run->subscriptions[i].after = UINT64_MAX;
		else if (run->subscriptions[i].after == UINT64_MAX)
			run->subscriptions[i].after = run->told->len;
	free(position);
}

static void subscribe(Run *run, Subscription *subscription)
{
	if (subscription->record)
		return;
	subscription->record = record_new(run->fixture);
	subscription->before = begins_with_number(run, subscription) ? run->told->len : 0;
	record_register(subscription->record, run->fixture->connection, subscription->domain, subscription->kind);
	subscription->after = run->told->len;
	subscription->first = 0;
}

/* What it has had is right, as far as it goes. */
static void check_record(Run *run, const Subscription *subscription)
{
	uint64_t last[DOMAINS + 1][VMH_EVENT_KIND_MAX] = { { 0 } };
	g_autofree bool *had = g_new0(bool, run->told->len + 1);

	for (unsigned i = 0; i < record_get_length(subscription->record); i++) {
		uint64_t sequence = record_get(subscription->record, i);
		const Told *told = get_told(run, sequence);

		g_assert_false(had[sequence]);
		had[sequence] = true;
		g_assert_cmpuint(sequence, >, subscription->before);
		g_assert_true(is_wanted(subscription, told));
		/* What was before the program was started has been looked at when it was. */
		if (i < subscription->first)
			continue;
		g_assert_cmpuint(sequence, >, last[told->domain][told->kind]);
		last[told->domain][told->kind] = sequence;
	}
}

static void forget_record(Run *run, Subscription *subscription)
{
	check_record(run, subscription);
	n_events += record_get_length(subscription->record);
	g_clear_pointer(&subscription->record, record_free);
}

static void unsubscribe(Run *run, Subscription *subscription)
{
	Record *record = subscription->record;

	if (!record)
		return;
	record_deregister(record, run->fixture->connection);
	fixture_turn_until(record->freed > 0);
	forget_record(run, subscription);
}

static void on_gap(VmhConnection *connection, uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata)
{
	Run *run = userdata;

	g_assert_nonnull(snapshot);
	g_assert_cmpuint(from, <=, run->forgotten);
	g_assert_cmpuint(to, <=, run->told->len);
	for (uint64_t sequence = from; sequence <= to; sequence++)
		get_told(run, sequence)->in_gap = true;
	run->gaps++;
}

static void set_there(Run *run, bool is_there)
{
	if (is_there == run->is_there)
		return;
	if (is_there)
		played_service_appear(run->fixture->service, played_bus_get_address(run->fixture->bus));
	else
		played_service_vanish(run->fixture->service);
	run->is_there = is_there;
}

/* The program ends. The next has the same callbacks, and goes on where it was; who had begun later than others begins there too. */
static void restart(Run *run)
{
	Fixture *fixture = run->fixture;
	char *position = vmh_connection_get_position(fixture->connection);
	VmhError *error = NULL;

	fixture_close(&fixture->connection);
	fixture_settle();
	fixture->connection = fixture_open(fixture, 0);
	vmh_connection_set_gap_callback(fixture->connection, on_gap, run, NULL);
	if (*position)
		g_assert_cmpint(vmh_connection_set_position(fixture->connection, position, &error), ==, 0);
	for (unsigned i = 0; i < RECORDS; i++) {
		Subscription *subscription = &run->subscriptions[i];

		if (!subscription->record)
			continue;
		check_record(run, subscription);
		subscription->record->freed = 0;
		subscription->before = 0;
		subscription->first = record_get_length(subscription->record);
		record_register(subscription->record, fixture->connection, subscription->domain, subscription->kind);
	}
	free(position);
	run->has_restarted = true;
}

static void turn(Run *run, unsigned n)
{
	while (n-- > 0)
		(void)fixture_run(0);
}

static void do_something(Run *run)
{
	unsigned die = roll(run, 200);

	look_at_beginnings(run);
	if (die < 90)
		emit_some(run);
	else if (die < 160)
		turn(run, 1 + roll(run, 10));
	else if (die < 175)
		subscribe(run, &run->subscriptions[roll(run, RECORDS)]);
	else if (die < 182)
		unsubscribe(run, &run->subscriptions[roll(run, RECORDS)]);
	else if (die < 190)
		set_there(run, !run->is_there);
	else if (die < 194)
		restart(run);
	else if (die < 195) {
		run->forgotten = run->told->len - MIN(run->told->len, roll(run, 50));
		played_service_forget(run->fixture->service, run->forgotten);
	}
}

/* ---- what has to come of it ---- */

static bool has(const Record *record, uint64_t sequence)
{
	for (unsigned i = 0; i < record_get_length(record); i++)
		if (record_get(record, i) == sequence)
			return true;
	return false;
}

/* The first that is due and not there; 0: there is none. */
static uint64_t find_missing(Run *run, const Subscription *subscription)
{
	for (uint64_t sequence = subscription->after; sequence++ < run->told->len;) {
		const Told *told = get_told(run, sequence);

		if (is_wanted(subscription, told) && !told->in_gap && !has(subscription->record, sequence))
			return sequence;
	}
	return 0;
}

static bool is_complete(Run *run)
{
	for (unsigned i = 0; i < RECORDS; i++)
		if (run->subscriptions[i].record && find_missing(run, &run->subscriptions[i]) > 0)
			return false;
	return true;
}

static void do_run(Fixture *fixture, unsigned seed)
{
	static const VmhEventKind kinds[] = { VMH_EVENT_ANY, VMH_EVENT_LIFECYCLE, VMH_EVENT_RESET };
	Run run = { .fixture = fixture, .rand = g_rand_new_with_seed(seed), .seed = seed, .is_there = true };

	g_test_message("seed %u", seed);
	played_service_renumber(fixture->service);
	run.told = g_array_new(FALSE, FALSE, sizeof(Told));
	fixture_close(&fixture->connection);
	fixture->connection = fixture_open(fixture, 0);
	vmh_connection_set_gap_callback(fixture->connection, on_gap, &run, NULL);
	for (unsigned i = 0; i < RECORDS; i++) {
		run.subscriptions[i].domain = roll(&run, DOMAINS + 1);
		run.subscriptions[i].kind = kinds[roll(&run, G_N_ELEMENTS(kinds))];
	}
	for (unsigned n = 0; n < STEPS; n++)
		do_something(&run);
	set_there(&run, true);
	look_at_beginnings(&run);
	/* What comes behind all that was lost, of each kind and domain, shows it; so nobody has to wait for quiet. */
	for (unsigned domain = 1; domain <= DOMAINS; domain++) {
		emit(&run, domain, VMH_EVENT_LIFECYCLE, false);
		emit(&run, domain, VMH_EVENT_RESET, false);
	}
	fixture_turn_until(is_complete(&run));
	for (unsigned i = 0; i < RECORDS; i++)
		unsubscribe(&run, &run.subscriptions[i]);
	n_gaps += run.gaps;
	vmh_connection_set_gap_callback(fixture->connection, NULL, NULL, NULL);
	g_array_unref(run.told);
	g_rand_free(run.rand);
}

static void test_complete(Fixture *fixture, const void *flags)
{
	const char *seed = g_getenv("VMHERALD_COMPLETE_SEED");
	gint64 begin = g_get_monotonic_time();

	for (unsigned i = 0; i < (seed ? 1 : RUNS); i++)
		do_run(fixture, seed ? strtoul(seed, NULL, 10) : i);
	g_test_message("measured: %u runs in %.1f s: %u calls of callbacks, %u gaps", seed ? 1 : RUNS,
		       (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC, n_events, n_gaps);
}

int main(int argc, char **argv)
{
	fixture_init(&argc, argv);
	g_test_init(&argc, &argv, NULL);
	g_test_add("/client/complete", Fixture, NULL, fixture_set_up, test_complete, fixture_tear_down);
	return g_test_run();
}
