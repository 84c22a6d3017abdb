/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "client/event-internal.h"
#include "client/stream.h"
#include "model-service.h"
#include "played-event.h"

/*
 * The stream against a model: a service that numbers events and keeps some, a bus that loses signals, a connection that asks what the
 * stream wants to know, and a subscriber who comes by now and then. What happens next is rolled by dice whose seed is told; the
 * model knows of each event whether it is due.
 *
 *    VMHERALD_STREAM_SEED=N       that one alone, and what happens in it is told
 *    VMHERALD_STREAM_SECONDS=N    for so long, with seeds that nobody has tried
 */

#define SEEDS         1500u
#define STEPS_MAX     500u
#define WISHES        13u
/* Each numbering lies below the one before it, as after a loss of all state. */
#define BASE_STEP     1000000u
#define BASES         8u

typedef enum LetterType {
	LETTER_SIGNAL,
	LETTER_COUNTED,
	LETTER_FETCHED,
	LETTER_BEGUN,               /* the first answer of a snapshot */
	LETTER_TAKEN,               /* the second */
	LETTER_LAST,                /* LastSequence, for who registers */
	LETTER_FAILED,              /* the service went away with what the stream had asked */
} LetterType;

/* On its way from the service to the subscriber. */
typedef struct Letter {
	LetterType type;
	VmhEvent *event;
	ModelAnswer answer;
	unsigned wish;
} Letter;

typedef struct Request {
	LetterType type;            /* of the answer */
	uint64_t after;
	GVariant *filter;
	unsigned wish;
} Request;

/* Something that may be registered. */
typedef struct Wish {
	RuleMatch match;
	bool is_matched;            /* the bus has the rule */
	bool is_asking;             /* LastSequence */
	Rule *rule;                 /* NULL: not registered */
	uint64_t delivered[MODEL_DOMAINS * MODEL_KINDS];        /* the last, of what has to come in order */
} Wish;

typedef struct World {
	unsigned seed;
	GRand *rand;
	ModelService *service;
	bool is_up;
	unsigned base;              /* of BASES */
	int told_base;              /* what the subscriber knows of; -1: nothing */

	GQueue wire, requests;      /* Letter, Request */
	bool is_connected, is_losing;
	unsigned wire_max;

	bool passive;
	StreamBounds bounds;
	Rules *rules;
	Stream *stream;
	Wish wishes[WISHES];
	GHashTable *states;         /* VmhEvent -> its number, of signals without a sequence */
	unsigned state_number, last_state;
	bool has_begun;
	uint64_t beginning;         /* what is up to there was before it knew of any */

	unsigned n_delivered, n_gaps, n_asked, n_recovered;
} World;

static unsigned n_delivered_of_all, n_gaps_of_all, n_asked_of_all;

static void check(const World *world, bool condition, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void check(const World *world, bool condition, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	if (condition)
		return;
	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_error("seed %u: %s (VMHERALD_STREAM_SEED=%u does it again)", world->seed, text, world->seed);
}

static bool is_traced;

static void trace(const World *world, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void trace(const World *world, const char *format, ...)
{
	g_autofree char *text = NULL, *position = NULL;
	va_list arguments;

	if (!is_traced)
		return;
	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	position = stream_get_position(world->stream);
	g_test_message("%s (at %s)", text, position);
}

static unsigned roll(World *world, unsigned sides)
{
	return g_rand_int_range(world->rand, 0, sides);
}

static bool rarely(World *world, unsigned times)
{
	return roll(world, times) == 0;
}

/* ---- the bus ---- */

static void free_letter(void *data)
{
	Letter *letter = data;

	vmh_event_unref(letter->event);
	if (letter->answer.events)
		g_ptr_array_unref(letter->answer.events);
	g_free(letter);
}

static void free_request(void *data)
{
	Request *request = data;

	if (request->filter)
		g_variant_unref(request->filter);
	g_free(request);
}

static Letter *send_letter(World *world, LetterType type)
{
	Letter *letter = g_new0(Letter, 1);

	letter->type = type;
	g_queue_push_tail(&world->wire, letter);
	return letter;
}

static bool has_match_for(const World *world, const VmhEvent *event)
{
	for (unsigned i = 0; i < WISHES; i++)
		if (world->wishes[i].is_matched && rule_match_wants(&world->wishes[i].match, event))
			return true;
	return false;
}

static void send_signal(World *world, const VmhEvent *event)
{
	if (!world->is_connected || world->is_losing || world->wire.length >= world->wire_max || !has_match_for(world, event))
		return;
	send_letter(world, LETTER_SIGNAL)->event = vmh_event_ref(event);
}

static void emit(World *world)
{
	if (!world->is_up)
		return;
	if (rarely(world, 12)) {
		VmhEvent *state = played_state(roll(world, MODEL_DOMAINS));

		g_hash_table_insert(world->states, state, GUINT_TO_POINTER(++world->state_number));
		send_signal(world, state);
	} else {
		send_signal(world, model_service_emit(world->service)->event);
	}
}

/* ---- the service's answers ---- */

static void answer(World *world)
{
	Request *request = g_queue_pop_head(&world->requests);
	Letter *letter;

	if (!request)
		return;
	letter = send_letter(world, request->type);
	letter->wish = request->wish;
	if (request->type == LETTER_COUNTED || request->type == LETTER_FETCHED)
		letter->answer = model_service_ask(world->service, request->after, request->filter,
						   request->type == LETTER_COUNTED);
	else
		letter->answer.last = model_service_get_last(world->service);
	free_request(request);
}

/* Requests that nobody will answer. */
static void drop_requests(World *world)
{
	bool failed = false;
	Request *request;

	while ((request = g_queue_pop_head(&world->requests))) {
		if (request->type == LETTER_LAST)
			world->wishes[request->wish].is_matched = world->wishes[request->wish].is_asking = false;
		else
			failed = true;
		free_request(request);
	}
	if (failed)
		send_letter(world, LETTER_FAILED);
}

/* ---- the connection ---- */

static Request *send_request(World *world, LetterType type)
{
	Request *request = g_new0(Request, 1);

	request->type = type;
	g_queue_push_tail(&world->requests, request);
	return request;
}

static void ask(World *world)
{
	StreamWant want;
	Request *request;
	uint64_t after;

	if (!world->is_connected)
		return;
	want = stream_get_want(world->stream, &after);
	if (want == STREAM_WANT_NOTHING)
		return;
	check(world, !world->passive, "asks, though it is passive");
	trace(world, "asks %d after %" G_GUINT64_FORMAT, (int)want, after);
	world->n_asked++;
	if (!world->is_up) {
		stream_failed(world->stream);
		return;
	}
	if (want == STREAM_WANT_SNAPSHOT) {
		send_request(world, LETTER_BEGUN);
		send_request(world, LETTER_TAKEN);
		return;
	}
	request = send_request(world, want == STREAM_WANT_COUNT ? LETTER_COUNTED : LETTER_FETCHED);
	request->after = after;
	request->filter = g_variant_ref_sink(rules_get_filter(world->rules, NULL));
}

static void take_rule(World *world, Wish *wish, uint64_t since)
{
	bool is_new;

	wish->rule = rules_take(world->rules, &wish->match, since, &is_new);
	check(world, is_new, "the rule was there already");
	trace(world, "rule %d since %" G_GUINT64_FORMAT, (int)(wish - world->wishes), since);
	memset(wish->delivered, 0, sizeof wish->delivered);
}

static void register_wish(World *world, unsigned index)
{
	Wish *wish = &world->wishes[index];

	if (wish->rule || wish->is_asking || !world->is_connected)
		return;
	wish->is_matched = true;
	if (!world->is_up || world->passive || rarely(world, 3)) {
		take_rule(world, wish, stream_get_newest(world->stream));
	} else {
		wish->is_asking = true;
		send_request(world, LETTER_LAST)->wish = index;
	}
}

static void deregister_wish(World *world, unsigned index)
{
	Wish *wish = &world->wishes[index];
	g_autofree char *text = NULL;

	if (!wish->rule)
		return;
	check(world, rules_release(world->rules, wish->rule, &text), "the rule has other users");
	wish->rule = NULL;
	wish->is_matched = false;
	trace(world, "no rule %u", index);
}

static void take_last(World *world, const Letter *letter)
{
	Wish *wish = &world->wishes[letter->wish];

	stream_begin(world->stream, letter->answer.last);
	wish->is_asking = false;
	take_rule(world, wish, stream_get_newest(world->stream));
}

static void take_answer(World *world, const Letter *letter)
{
	const ModelAnswer *answer = &letter->answer;

	if (answer->refused)
		stream_renumbered(world->stream);
	else if (letter->type == LETTER_COUNTED)
		stream_counted(world->stream, answer->complete, answer->last, answer->count);
	else
		stream_fetched(world->stream, answer->complete, answer->last, answer->events);
}

/* And the subscriber has not been told. */
static bool is_renumbered(const World *world)
{
	return world->told_base > (int)world->base;
}

static void note_base(World *world, uint64_t sequence)
{
	if (world->told_base < 0 && sequence > 0)
		world->told_base = sequence / BASE_STEP;
}

static void look_at_beginning(World *world)
{
	g_autofree char *position = stream_get_position(world->stream);

	if (!world->has_begun && stream_has_position(world->stream))
		world->beginning = strtoull(position, NULL, 10);
	world->has_begun = world->has_begun || stream_has_position(world->stream);
}

static void take_letter(World *world)
{
	Letter *letter = g_queue_pop_head(&world->wire);

	if (!letter)
		return;
	trace(world, "letter %d: %" G_GUINT64_FORMAT ", %scomplete, count %" G_GUINT64_FORMAT ", last %" G_GUINT64_FORMAT,
	      (int)letter->type, letter->event ? letter->event->sequence : 0, letter->answer.complete ? "" : "in",
	      letter->answer.count, letter->answer.last);
	switch (letter->type) {
	case LETTER_SIGNAL:
		note_base(world, letter->event->sequence);
		stream_push(world->stream, vmh_event_ref(letter->event));
		break;
	case LETTER_COUNTED:
	case LETTER_FETCHED:
		take_answer(world, letter);
		break;
	case LETTER_BEGUN:
		stream_snapshot_begun(world->stream, letter->answer.last);
		break;
	case LETTER_TAKEN:
		stream_snapshot_taken(world->stream, played_snapshot());
		break;
	case LETTER_LAST:
		note_base(world, letter->answer.last);
		take_last(world, letter);
		break;
	case LETTER_FAILED:
		stream_failed(world->stream);
		break;
	}
	look_at_beginning(world);
	free_letter(letter);
}

static void set_connected(World *world, bool is_connected)
{
	if (world->is_connected == is_connected)
		return;
	world->is_connected = is_connected;
	trace(world, is_connected ? "connected" : "not connected");
	if (is_connected) {
		stream_verify(world->stream);
		return;
	}
	drop_requests(world);
	for (GList *link = world->wire.head; link; link = link->next) {
		const Letter *letter = link->data;

		if (letter->type == LETTER_LAST)
			world->wishes[letter->wish].is_matched = world->wishes[letter->wish].is_asking = false;
	}
	g_queue_clear_full(&world->wire, free_letter);
	stream_failed(world->stream);
}

static void set_up(World *world, bool is_up)
{
	if (world->is_up == is_up)
		return;
	world->is_up = is_up;
	if (is_up)
		stream_verify(world->stream);
	else
		drop_requests(world);
}

static void renumber(World *world)
{
	if (world->base == 0)
		return;
	set_up(world, false);
	model_service_renumber(world->service, --world->base * BASE_STEP);
	world->beginning = 0;
	trace(world, "new numbers");
	set_up(world, true);
}

/* The program ends, and the next one goes on from where it was. */
static void restart_client(World *world)
{
	g_autofree char *position = stream_get_position(world->stream), *again = NULL;

	set_connected(world, false);
	world->stream = stream_free(world->stream);
	world->rules = rules_free(world->rules);
	world->rules = rules_new();
	world->stream = stream_new_with_bounds(world->rules, world->passive, &world->bounds);
	check(world, stream_set_position(world->stream, position), "'%s' is no position", position);
	again = stream_get_position(world->stream);
	check(world, world->passive || g_str_equal(position, again), "position '%s' became '%s'", position, again);
	for (unsigned i = 0; i < WISHES; i++)
		if (world->wishes[i].rule)
			take_rule(world, &world->wishes[i], stream_get_newest(world->stream));
	set_connected(world, true);
}

/* ---- the subscriber ---- */

/* Where in Wish.delivered, -1: in any order. */
static int get_chain(const RuleMatch *match, const VmhEvent *event)
{
	unsigned domain = 0;

	if (match->arg0 || event->sequence == 0)
		return -1;
	if (match->kind == VMH_EVENT_ANY && !match->interface && !match->uuid)
		return 0;
	while (!g_str_equal(event->uuid, played_domain(domain)))
		domain++;
	if (match->kind == VMH_EVENT_ANY && !match->interface)
		return domain;
	return domain * MODEL_KINDS + (event->kind == VMH_EVENT_LIFECYCLE ? 0 : event->kind == VMH_EVENT_RESET ? 1 :
				       event->kind == VMH_EVENT_JOB_CHANGED ? 2 : 3);
}

static void forget_old_numbers(World *world, int base)
{
	for (unsigned i = 0; i < WISHES; i++)
		memset(world->wishes[i].delivered, 0, sizeof world->wishes[i].delivered);
	world->told_base = base;
}

/* What is delivered of newer numbers without a gap is only wanted by who never knew of the old ones. */
static void note_numbers(World *world, const VmhEvent *event)
{
	if (event->sequence > 0 && world->told_base > (int)(event->sequence / BASE_STEP))
		forget_old_numbers(world, event->sequence / BASE_STEP);
}

static void take_event(World *world, const VmhEvent *event)
{
	ModelEvent *model = g_hash_table_lookup(world->service->by_event, event);
	bool wanted = false;

	note_numbers(world, event);
	for (unsigned i = 0; i < WISHES; i++) {
		Wish *wish = &world->wishes[i];
		int chain = get_chain(&wish->match, event);

		if (!wish->rule || !rule_match_wants(&wish->match, event) ||
		    (event->sequence > 0 && event->sequence <= wish->rule->since))
			continue;
		wanted = true;
		if (chain < 0)
			continue;
		check(world, event->sequence > wish->delivered[chain], "%" G_GUINT64_FORMAT " comes behind %" G_GUINT64_FORMAT,
		      event->sequence, wish->delivered[chain]);
		wish->delivered[chain] = event->sequence;
	}
	check(world, wanted, "%" G_GUINT64_FORMAT " is not wanted", event->sequence);
	if (model) {
		check(world, model->delivered++ == 0, "%" G_GUINT64_FORMAT " comes twice", event->sequence);
		check(world, !model->in_gap, "%" G_GUINT64_FORMAT " comes though it is lost", event->sequence);
		world->n_delivered++;
	} else {
		unsigned number = GPOINTER_TO_UINT(g_hash_table_lookup(world->states, event));

		check(world, number > world->last_state, "state %u comes behind %u", number, world->last_state);
		world->last_state = number;
	}
}

/* base: of the numbers that the gap is of. */
static void give_up_if_lost(ModelEvent *event, const StreamItem *gap, unsigned base)
{
	uint64_t sequence = event->event->sequence;

	if (event->delivered == 0 &&
	    (sequence / BASE_STEP > base || (sequence / BASE_STEP == base && sequence >= gap->from && sequence <= gap->to)))
		event->in_gap = true;
}

static void take_gap(World *world, const StreamItem *item)
{
	ModelService *service = world->service;

	check(world, item->from <= item->to, "gap to before its beginning");
	check(world, is_renumbered(world) || world->passive || model_service_has_lost(service, item->from, item->to),
	      "gap from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ", though the history has all of it", item->from, item->to);
	check(world, world->passive == !item->snapshot, "a snapshot where there is none, or none where there is one");
	if (world->told_base < 0 || (int)(item->to / BASE_STEP) < world->told_base)
		forget_old_numbers(world, item->to / BASE_STEP);
	for (unsigned i = 0; i < service->old->len; i++)
		give_up_if_lost(g_ptr_array_index(service->old, i), item, world->told_base);
	for (unsigned i = 0; i < service->events->len; i++)
		give_up_if_lost(g_ptr_array_index(service->events, i), item, world->told_base);
	world->n_gaps++;
}

/* False: there is nothing. */
static bool pop(World *world)
{
	StreamItem item = stream_pop(world->stream);
	StreamLoad load = stream_get_load(world->stream);

	trace(world, "item %d: %" G_GUINT64_FORMAT ", from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, (int)item.type,
	      item.event ? item.event->sequence : 0, item.from, item.to);
	check(world, load.live <= world->bounds.live_max, "%u are live", load.live);
	check(world, load.ahead <= 2 * world->bounds.ahead_max, "%u are ahead", load.ahead);
	check(world, load.fetched <= world->service->page_max, "%u are fetched", load.fetched);
	if (item.type == STREAM_ITEM_EVENT)
		take_event(world, item.event);
	else if (item.type == STREAM_ITEM_GAP)
		take_gap(world, &item);
	else if (item.type == STREAM_ITEM_RECOVERED)
		world->n_recovered++;
	vmh_event_unref(item.event);
	vmh_snapshot_unref(item.snapshot);
	return item.type != STREAM_ITEM_NONE;
}

/* ---- what happens ---- */

static void do_something(World *world)
{
	unsigned die = roll(world, 1000);

	if (die < 300)
		for (unsigned n = rarely(world, 20) ? 40 : 1 + roll(world, 5); n > 0; n--)
			emit(world);
	else if (die < 530)
		for (unsigned n = 1 + roll(world, 8); n > 0; n--)
			take_letter(world);
	else if (die < 720)
		for (unsigned n = 1 + roll(world, 8); n > 0 && pop(world); n--)
			;
	else if (die < 860)
		answer(world);
	else if (die < 900 && stream_is_unverified(world->stream))
		stream_verify(world->stream);
	else if (die < 930)
		register_wish(world, roll(world, WISHES));
	else if (die < 945)
		deregister_wish(world, roll(world, WISHES));
	else if (die < 960)
		world->is_losing = !world->passive && world->wire_max == G_MAXUINT && !world->is_losing;
	else if (die < 972)
		set_connected(world, !world->is_connected);
	else if (die < 985)
		set_up(world, !world->is_up);
	else if (die < 990)
		restart_client(world);
	else if (die < 991)
		renumber(world);
	else if (die < 993)
		world->service->history_max = 1 + roll(world, 100);
	ask(world);
}

/* All that is under way comes to its end: within a bounded number of questions. */
static void come_to_rest(World *world)
{
	unsigned asked_max = world->n_asked + 100 + 4 * world->service->events->len;

	world->is_losing = false;
	set_connected(world, true);
	set_up(world, true);
	/* Where a run of signals was lost by dice, nothing need have come since, by which the connection would have seen that
	 * something goes on. Where the bus has lost what it had no place for, what was in its place has come. */
	if (world->wire_max == G_MAXUINT)
		stream_verify(world->stream);
	for (;;) {
		ask(world);
		check(world, world->n_asked <= asked_max, "asks and asks");
		if (world->requests.length > 0)
			answer(world);
		else if (world->wire.length > 0)
			take_letter(world);
		else if (!pop(world)) {
			unsigned asked = world->n_asked;

			if (stream_is_unverified(world->stream))
				stream_verify(world->stream);
			ask(world);
			if (asked == world->n_asked)
				break;
		}
	}
	check(world, stream_get_load(world->stream).live == 0, "some are live still");
}

static bool is_due(const World *world, const ModelEvent *event)
{
	for (unsigned i = 0; i < WISHES; i++) {
		const Wish *wish = &world->wishes[i];

		if (wish->rule && event->event->sequence > wish->rule->since && rule_match_wants(&wish->match, event->event))
			return true;
	}
	return false;
}

/* Passive: what nothing came behind that knows of it. */
static bool may_be_unknown(const World *world, const ModelEvent *event)
{
	for (unsigned i = 0; i < WISHES; i++) {
		const Wish *wish = &world->wishes[i];
		int chain = get_chain(&wish->match, event->event);

		if (wish->rule && event->event->sequence > wish->rule->since && rule_match_wants(&wish->match, event->event) &&
		    chain >= 0 && wish->delivered[chain] > event->event->sequence)
			return false;
	}
	return true;
}

static bool knows_old_numbers(const World *world, const Rule *rule)
{
	return rule && rule->match.kind != VMH_EVENT_PROPERTIES_CHANGED && rule->since / BASE_STEP != world->base;
}

static void check_all(World *world)
{
	ModelService *service = world->service;

	for (uint64_t sequence = MAX(service->base, world->beginning) + 1; sequence <= model_service_get_last(service); sequence++) {
		const ModelEvent *event = model_service_get(service, sequence);

		if (world->has_begun && event->delivered == 0 && !event->in_gap && is_due(world, event))
			check(world, world->passive && (is_renumbered(world) || may_be_unknown(world, event)),
			      "%" G_GUINT64_FORMAT " was not delivered", sequence);
	}
	for (unsigned i = 0; i < WISHES; i++)
		check(world, world->passive || !is_renumbered(world) || !knows_old_numbers(world, world->wishes[i].rule),
		      "it was not told that all is lost");
}

/* ---- a run ---- */

static void make_wishes(World *world)
{
	const RuleMatch matches[WISHES] = {
		{ .kind = VMH_EVENT_ANY },
		{ .kind = VMH_EVENT_ANY, .uuid = played_domain(0) },
		{ .kind = VMH_EVENT_ANY, .uuid = played_domain(1) },
		{ .kind = VMH_EVENT_LIFECYCLE },
		{ .kind = VMH_EVENT_JOB_CHANGED },
		{ .kind = VMH_EVENT_RESET, .uuid = played_domain(0) },
		{ .kind = VMH_EVENT_LIFECYCLE, .uuid = played_domain(1) },
		{ .kind = VMH_EVENT_ANY, .interface = event_kind_get_interface(VMH_EVENT_JOB_CHANGED) },
		{ .kind = VMH_EVENT_ANY, .interface = event_kind_get_interface(VMH_EVENT_RESET), .uuid = played_domain(2) },
		{ .kind = VMH_EVENT_LIFECYCLE, .arg0 = "stopped" },
		{ .kind = VMH_EVENT_ANY, .uuid = played_domain(2), .arg0 = "guest's" },
		{ .kind = VMH_EVENT_PROPERTIES_CHANGED },
		/* The service cannot be asked for these alone. */
		{ .kind = VMH_EVENT_UNKNOWN, .uuid = played_domain(1) },
	};

	for (unsigned i = 0; i < WISHES; i++)
		world->wishes[i].match = matches[i];
}

static void make_world(World *world, unsigned seed)
{
	static const unsigned live_maxes[] = { 8, 16, 64, STREAM_LIVE_MAX }, ahead_maxes[] = { 2, 8, STREAM_AHEAD_MAX };

	*world = (World){ .seed = seed, .rand = g_rand_new_with_seed(seed), .is_up = true, .is_connected = true };
	world->base = roll(world, BASES);
	world->told_base = -1;
	world->passive = rarely(world, 8);
	world->wire_max = rarely(world, 2) ? G_MAXUINT : 4 + roll(world, 30);
	world->bounds = (StreamBounds){
		.live_max = live_maxes[roll(world, G_N_ELEMENTS(live_maxes))],
		/* Passive, what lies behind all of them is not seen any more. */
		.ahead_max = world->passive ? STREAM_AHEAD_MAX : ahead_maxes[roll(world, G_N_ELEMENTS(ahead_maxes))],
		.count_min = 10,
	};
	world->service = model_service_new(world->rand, world->base * BASE_STEP, rarely(world, 3) ? 1 + roll(world, 60) : 100000,
					   1 + roll(world, 30), 1 + roll(world, 100));
	world->service->knows_evicted = rarely(world, 2);
	world->rules = rules_new();
	world->stream = stream_new_with_bounds(world->rules, world->passive, &world->bounds);
	world->states = g_hash_table_new_full(NULL, NULL, (GDestroyNotify)vmh_event_unref, NULL);
	make_wishes(world);
	for (unsigned n = roll(world, 4); n > 0; n--)
		register_wish(world, roll(world, WISHES));
}

static void end_world(World *world)
{
	n_delivered_of_all += world->n_delivered;
	n_gaps_of_all += world->n_gaps;
	n_asked_of_all += world->n_asked;
	g_queue_clear_full(&world->wire, free_letter);
	g_queue_clear_full(&world->requests, free_request);
	stream_free(world->stream);
	rules_free(world->rules);
	g_hash_table_unref(world->states);
	model_service_free(world->service);
	g_rand_free(world->rand);
}

static void run(unsigned seed)
{
	World world;

	make_world(&world, seed);
	for (unsigned n = 50 + roll(&world, STEPS_MAX); n > 0; n--)
		do_something(&world);
	come_to_rest(&world);
	check_all(&world);
	end_world(&world);
}

static void test_model(void)
{
	const char *seed = g_getenv("VMHERALD_STREAM_SEED"), *seconds = g_getenv("VMHERALD_STREAM_SECONDS");
	gint64 begin = g_get_monotonic_time(), end = begin + (seconds ? strtoul(seconds, NULL, 10) : 0) * G_USEC_PER_SEC;
	unsigned n = 0;

	is_traced = seed;
	if (seed)
		run(strtoul(seed, NULL, 10));
	else if (seconds)
		for (; g_get_monotonic_time() < end; n++)
			run(g_random_int());
	else
		for (; n < SEEDS; n++)
			run(n);
	g_test_message("measured: %u runs in %.1f s: %u delivered, %u gaps, %u questions", n,
		       (g_get_monotonic_time() - begin) / 1e6, n_delivered_of_all, n_gaps_of_all, n_asked_of_all);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/stream/model", test_model);
	return g_test_run();
}
