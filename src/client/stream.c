/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/stream.h"

#include <vmherald/glib.h>

#include "client/sequence-set.h"

/*
 * One thing is asked at a time. What there is to be done next follows from the fields, in this order: a page that was fetched goes out; a
 * gap or a hole waits for its answer; else what is live is looked at, and that is where holes are found.
 */

/* Of STREAM_LIVE_MAX, so many places are kept for marks. */
#define MARKS_MAX 4u

typedef enum LiveType {
	LIVE_EVENT,
	LIVE_COUNT,                 /* Stream.count was answered here */
	LIVE_SNAPSHOT,              /* Stream.snapshot was answered here */
	LIVE_LOST,                  /* signals without a sequence were thrown away */
	LIVE_RENUMBERED,            /* passive: here sequences begin anew, behind `sequence` */
} LiveType;

typedef struct Live {
	LiveType type;
	VmhEvent *event;
	uint64_t sequence;
} Live;

/* An answer of CountEvents(). */
typedef struct Count {
	bool queued;                /* its mark is among the live ones */
	uint64_t after, last, count;
	bool complete;
	bool exact;                 /* it can be compared with what was delivered */
	unsigned epoch;             /* when it was asked for */
} Count;

/* An answer of GetEvents(). */
typedef struct Page {
	GPtrArray *events;          /* NULL: there is none */
	unsigned index;             /* of the next */
	uint64_t last;
	uint64_t limit;             /* what is behind it was not asked for on behalf of all rules */
	unsigned generation;        /* of the rules that it was asked for */
} Page;

struct Stream {
	Rules *rules;
	bool passive;
	StreamBounds bounds;

	bool has_position, resuming;
	uint64_t position;          /* V */
	SequenceSet *ahead;
	uint64_t inexact_until;     /* up to there `ahead` may have what no rule wants (any more) */
	uint64_t newest, newest_live;

	GQueue live;                /* Live */
	bool thrown_away, signals_thrown_away, has_renumbered;
	bool recovered;             /* the present hole has been told */
	uint64_t accepted;          /* a live event that nothing is before, whatever it says */

	unsigned generation, last_loss;     /* the rules', as they were looked at last */
	unsigned epoch;             /* goes up whenever the position moves over what was not delivered one by one */

	StreamWant asked;           /* what there is no answer to yet */
	uint64_t asked_after;
	unsigned asked_generation;
	bool failed;
	bool unverified, want_count, count_again;
	Count count;

	bool holed;                 /* FETCH is wanted or asked for */
	uint64_t fetch_until;       /* there is a hole somewhere up to there; 0: not known of */
	Page page;

	bool gap;                   /* the history does not reach back to V */
	char *position_before;      /* the numbers changed; NULL: they did not, or it was told */
	bool snapshot_queued;
	uint64_t snapshot_sequence;
	VmhSnapshot *snapshot;
};

/* ---- where it is ---- */

/* What is next to V has no hole before it. */
static void close_up(Stream *stream)
{
	while (sequence_set_get_length(stream->ahead) > 0) {
		SequenceRange range = sequence_set_get_range(stream->ahead, 0);

		if (range.from != stream->position + 1)
			break;
		stream->position = range.to;
		sequence_set_remove_until(stream->ahead, range.to);
	}
	stream->newest = MAX(stream->newest, stream->position);
}

/* All up to sequence has been delivered, or is not wanted, or was told to be lost. */
static void move_on(Stream *stream, uint64_t sequence)
{
	if (sequence <= stream->position)
		return;
	stream->position = sequence;
	stream->epoch++;
	sequence_set_remove_until(stream->ahead, sequence);
	close_up(stream);
}

static bool is_delivered(const Stream *stream, uint64_t sequence)
{
	return sequence <= stream->position || sequence_set_has(stream->ahead, sequence);
}

static void count_as_delivered(Stream *stream, uint64_t sequence)
{
	sequence_set_add(stream->ahead, sequence);
	close_up(stream);
	if (sequence_set_get_length(stream->ahead) >= stream->bounds.ahead_max && !stream->count.queued &&
	    stream->asked != STREAM_WANT_COUNT)
		stream->want_count = true;
}

static void clear_page(Stream *stream)
{
	g_clear_pointer(&stream->page.events, g_ptr_array_unref);
}

/* The gap is not told: nobody wants any more what is in it. */
static void forget_gap(Stream *stream)
{
	if (stream->gap)
		stream->want_count = true;
	stream->gap = false;
	g_clear_pointer(&stream->position_before, g_free);
}

static void take_rules(Stream *stream)
{
	uint64_t since = rules_get_since(stream->rules, 0), since_of_new = rules_get_since(stream->rules, stream->generation);
	uint64_t position = stream->position, last = sequence_set_get_last(stream->ahead);

	/* It wants what comes behind its beginning, and the bus may have begun later. */
	if (since_of_new != UINT64_MAX)
		stream->unverified = true;
	/* What is ahead was so for others: it says nothing of what a rule that begins before it has had. */
	if (!stream->passive && since_of_new < last)
		stream->fetch_until = MAX(stream->fetch_until, last);
	if (rules_get_last_loss(stream->rules) != stream->last_loss)
		stream->inexact_until = MAX(stream->inexact_until, last);
	stream->last_loss = rules_get_last_loss(stream->rules);
	stream->generation = rules_get_generation(stream->rules);
	stream->epoch++;
	if (stream->page.events)
		stream->page.limit = rules_get_since(stream->rules, stream->page.generation);
	if (stream->has_position && since != UINT64_MAX)
		move_on(stream, since);
	if (stream->position > position)
		forget_gap(stream);
	/* Is it still one? */
	if (stream->asked != STREAM_WANT_FETCH)
		stream->holed = false;
}

/* Rules came or went: what was found to be missing may not be wanted any more. */
static void look_at_rules(Stream *stream)
{
	if (rules_get_generation(stream->rules) != stream->generation)
		take_rules(stream);
	if (rules_have_events(stream->rules))
		return;
	forget_gap(stream);
	stream->fetch_until = 0;
	if (stream->asked != STREAM_WANT_FETCH)
		stream->holed = false;
}

/* ---- what comes in ---- */

static void push_live(Stream *stream, LiveType type, VmhEvent *event, uint64_t sequence)
{
	Live *live = g_new0(Live, 1);

	live->type = type;
	live->event = event;
	live->sequence = sequence;
	g_queue_push_tail(&stream->live, live);
}

static void free_live(void *data)
{
	Live *live = data;

	vmh_event_unref(live->event);
	g_free(live);
}

static void note_sequence(Stream *stream, uint64_t sequence)
{
	if (!stream->has_position)
		stream->position = sequence - 1;
	stream->has_position = true;
	if (sequence < stream->newest_live) {
		stream->has_renumbered = stream->passive;
		stream_verify(stream);
	}
	stream->newest_live = sequence;
	stream->newest = MAX(stream->newest, sequence);
	stream->unverified = true;
}

/* What had no place in the queue is told of in front of what has one again. */
static void push_marks(Stream *stream, const VmhEvent *event)
{
	if (stream->signals_thrown_away)
		push_live(stream, LIVE_LOST, NULL, 0);
	stream->signals_thrown_away = false;
	if (stream->has_renumbered && event->sequence > 0) {
		push_live(stream, LIVE_RENUMBERED, NULL, event->sequence - 1);
		stream->has_renumbered = false;
	}
}

void stream_push(Stream *stream, VmhEvent *event)
{
	uint64_t predecessors[RULE_BREADTHS];

	if (event->sequence > 0) {
		note_sequence(stream, event->sequence);
	} else if (!rules_want(stream->rules, event, predecessors)) {
		vmh_event_unref(event);
		return;
	}
	if (stream->live.length < stream->bounds.live_max - MARKS_MAX) {
		push_marks(stream, event);
		push_live(stream, LIVE_EVENT, event, event->sequence);
		return;
	}
	if (event->sequence > 0)
		stream->thrown_away = true;
	else
		stream->signals_thrown_away = true;
	vmh_event_unref(event);
}

void stream_verify(Stream *stream)
{
	stream->failed = false;
	if (stream->passive)
		return;
	if (stream->asked == STREAM_WANT_COUNT || stream->count.queued)
		stream->count_again = true;
	else
		stream->want_count = true;
}

/* False: that was not asked for (any more). */
static bool take_answer(Stream *stream, StreamWant want)
{
	if (stream->asked != want)
		return false;
	stream->asked = STREAM_WANT_NOTHING;
	return true;
}

void stream_counted(Stream *stream, bool complete, uint64_t last, uint64_t count)
{
	if (!take_answer(stream, STREAM_WANT_COUNT))
		return;
	stream->count.complete = complete;
	stream->count.last = last;
	stream->count.count = count;
	stream->count.queued = true;
	stream->newest = MAX(stream->newest, last);
	push_live(stream, LIVE_COUNT, NULL, 0);
}

static bool has_progress(const Stream *stream, uint64_t last, const GPtrArray *events)
{
	const VmhEvent *event = events->len > 0 ? g_ptr_array_index(events, events->len - 1) : NULL;

	return last > stream->asked_after || (event && event->sequence > stream->asked_after);
}

static const Live *get_head(const Stream *stream)
{
	return g_queue_peek_head((GQueue *)&stream->live);
}

void stream_fetched(Stream *stream, bool complete, uint64_t last, GPtrArray *events)
{
	if (!take_answer(stream, STREAM_WANT_FETCH))
		return;
	stream->holed = false;
	/* A long answer may have kept the bus from taking what came behind it. */
	stream->unverified = true;
	if (!complete) {
		/* V may have moved on meanwhile, with the rules: then the hole is asked for once more, from there. */
		if (stream->position == stream->asked_after)
			stream->gap = true;
	} else if (has_progress(stream, last, events)) {
		clear_page(stream);
		stream->page = (Page){
			.events = g_ptr_array_ref(events),
			.last = last,
			.limit = rules_get_since(stream->rules, stream->asked_generation),
			.generation = stream->asked_generation,
		};
		stream->newest = MAX(stream->newest, last);
	} else {
		/* There is nothing more, whatever was said. */
		stream->fetch_until = 0;
		stream->accepted = get_head(stream) ? get_head(stream)->sequence : 0;
	}
}

void stream_snapshot_begun(Stream *stream, uint64_t last_sequence)
{
	stream->newest = MAX(stream->newest, last_sequence);
	/* What was missed since the position was got cannot be had. */
	stream->resuming = false;
}

void stream_snapshot_taken(Stream *stream, VmhSnapshot *snapshot)
{
	if (!take_answer(stream, STREAM_WANT_SNAPSHOT) || !stream->gap) {
		vmh_snapshot_unref(snapshot);
		return;
	}
	stream->snapshot = snapshot;
	stream->snapshot_queued = true;
	stream->unverified = true;
	stream->snapshot_sequence = stream->newest;
	push_live(stream, LIVE_SNAPSHOT, NULL, 0);
}

/* Old sequences mean nothing any more. */
static void forget_sequences(Stream *stream)
{
	stream->position = 0;
	sequence_set_clear(stream->ahead);
	stream->inexact_until = 0;
	stream->fetch_until = 0;
	stream->holed = false;
	stream->resuming = false;
	stream->epoch++;
	clear_page(stream);
	rules_renumber(stream->rules);
}

void stream_renumbered(Stream *stream)
{
	if (!stream->position_before)
		stream->position_before = stream_get_position(stream);
	stream->asked = STREAM_WANT_NOTHING;
	forget_sequences(stream);
	/* Old ones and new ones are mixed in what is live; the snapshot is taken behind all of them. */
	stream->newest = stream->newest_live = 0;
	stream->gap = true;
}

void stream_failed(Stream *stream)
{
	if (stream->asked == STREAM_WANT_COUNT)
		stream->want_count = true;
	stream->asked = STREAM_WANT_NOTHING;
	stream->failed = true;
	stream->unverified = true;
}

/* ---- what it wants ---- */

static StreamWant find_want(const Stream *stream)
{
	if (stream->passive || stream->failed || stream->asked != STREAM_WANT_NOTHING || !stream->has_position ||
	    !rules_have_events(stream->rules))
		return STREAM_WANT_NOTHING;
	if (stream->gap)
		return stream->snapshot_queued ? STREAM_WANT_NOTHING : STREAM_WANT_SNAPSHOT;
	if (stream->holed)
		return STREAM_WANT_FETCH;
	/* While V moves on over what was fetched, a count would be one from where it is not any more. */
	if (stream->want_count && !stream->count.queued && !stream->page.events && stream->fetch_until <= stream->position)
		return STREAM_WANT_COUNT;
	return STREAM_WANT_NOTHING;
}

StreamWant stream_get_want(Stream *stream, uint64_t *ret_after)
{
	StreamWant want;

	look_at_rules(stream);
	want = find_want(stream);
	if (want == STREAM_WANT_NOTHING)
		return want;
	stream->asked = want;
	stream->asked_after = stream->position;
	stream->asked_generation = stream->generation;
	if (want == STREAM_WANT_COUNT) {
		stream->want_count = false;
		stream->unverified = false;
		stream->count.after = stream->position;
		stream->count.epoch = stream->epoch;
		stream->count.exact = rules_are_exact(stream->rules) && stream->inexact_until <= stream->position;
	}
	*ret_after = stream->position;
	return want;
}

bool stream_is_unverified(const Stream *stream)
{
	return !stream->passive && stream->unverified;
}

/* ---- what goes out ---- */

static const StreamItem no_item = { .type = STREAM_ITEM_NONE };

/* The next of those that were fetched. NONE: the page is at its end. What a new rule may want some of as well is asked for once more,
 * so that it gets them in order. */
static StreamItem pop_fetched(Stream *stream)
{
	Page *page = &stream->page;
	uint64_t predecessors[RULE_BREADTHS];

	for (; page->index < page->events->len; page->index++) {
		VmhEvent *event = g_ptr_array_index(page->events, page->index);
		bool is_news = !is_delivered(stream, event->sequence) && rules_want(stream->rules, event, predecessors);

		if (event->sequence > page->limit)
			break;
		if (is_news && !stream->recovered) {
			stream->recovered = true;
			return (StreamItem){ .type = STREAM_ITEM_RECOVERED };
		}
		move_on(stream, event->sequence);
		if (is_news) {
			page->index++;
			return (StreamItem){ .type = STREAM_ITEM_EVENT, .event = vmh_event_ref(event) };
		}
	}
	move_on(stream, MIN(page->last, page->limit));
	clear_page(stream);
	return no_item;
}

static StreamItem make_gap(Stream *stream, uint64_t to)
{
	StreamItem item = { .type = STREAM_ITEM_GAP, .from = MIN(stream->position + 1, to), .to = to };

	move_on(stream, to);
	return item;
}

static void look_at_count(Stream *stream)
{
	const Count *count = &stream->count;
	uint64_t delivered;

	if (count->last >= count->after + stream->bounds.count_min)
		stream->want_count = true;
	if (stream->position >= count->last)
		return;
	if (count->epoch != stream->epoch || (!count->complete && stream->position != count->after)) {
		stream->want_count = true;
		return;
	}
	/* What V went over since was delivered, each of them. */
	delivered = stream->position - count->after + sequence_set_count_until(stream->ahead, count->last);
	if (!count->complete)
		stream->gap = true;
	else if (count->exact && count->count == delivered)
		move_on(stream, count->last);
	else
		stream->fetch_until = count->last;
}

static void take_count(Stream *stream)
{
	stream->count.queued = false;
	if (stream->count_again)
		stream->want_count = true;
	stream->count_again = false;
	look_at_count(stream);
}

static StreamItem take_snapshot(Stream *stream)
{
	g_autoptr(VmhSnapshot) snapshot = g_steal_pointer(&stream->snapshot);
	StreamItem item;

	stream->snapshot_queued = false;
	/* Nobody wants any more what was missing, or it is another gap, behind this one. */
	if (!stream->gap || stream->snapshot_sequence < stream->position)
		return no_item;
	item = make_gap(stream, stream->snapshot_sequence);
	item.snapshot = g_steal_pointer(&snapshot);
	stream->gap = false;
	stream->holed = false;
	stream->fetch_until = 0;
	g_clear_pointer(&stream->position_before, g_free);
	return item;
}

static StreamItem take_renumbered(Stream *stream, uint64_t sequence)
{
	forget_sequences(stream);
	stream->newest = stream->newest_live;
	return make_gap(stream, sequence);
}

/* What is too much ahead: it goes on when half of it has V behind it. */
static void shorten_ahead(Stream *stream, const VmhEvent *event)
{
	if (stream->passive || event->sequence == stream->accepted)
		move_on(stream, sequence_set_get_range(stream->ahead, 0).to);
	else
		stream->fetch_until = sequence_set_get_range(stream->ahead, stream->bounds.ahead_max).from;
}

/* The highest of those that are missing; 0: none is. */
static uint64_t find_missing(const Stream *stream, const uint64_t predecessors[])
{
	uint64_t missing = 0;

	for (unsigned i = 0; i < RULE_BREADTHS; i++)
		if (!is_delivered(stream, predecessors[i]))
			missing = MAX(missing, predecessors[i]);
	return missing;
}

typedef enum Fate {
	FATE_DROP,
	FATE_DELIVER,
	FATE_WAIT,                  /* something has to be done first */
} Fate;

/* ret_item: in place of it, where it has to wait. */
static Fate decide(Stream *stream, const VmhEvent *event, StreamItem *ret_item)
{
	uint64_t predecessors[RULE_BREADTHS], missing;
	bool is_wanted = rules_want(stream->rules, event, predecessors);

	if (event->sequence == 0)
		return is_wanted ? FATE_DELIVER : FATE_DROP;
	/* With a gap, it waits for no more than a snapshot, which has it. */
	if (!is_wanted || stream->gap || is_delivered(stream, event->sequence))
		return FATE_DROP;
	missing = find_missing(stream, predecessors);
	if (missing > 0 && stream->passive) {
		*ret_item = make_gap(stream, missing);
		return FATE_WAIT;
	}
	if (missing > 0 && event->sequence != stream->accepted) {
		stream->holed = true;
		return FATE_WAIT;
	}
	if (sequence_set_get_length(stream->ahead) >= 2 * stream->bounds.ahead_max) {
		shorten_ahead(stream, event);
		return FATE_WAIT;
	}
	count_as_delivered(stream, event->sequence);
	return FATE_DELIVER;
}

static StreamItem pop_event(Stream *stream)
{
	StreamItem item = no_item;
	const Live *live = get_head(stream);
	Fate fate = decide(stream, live->event, &item);

	if (fate == FATE_WAIT)
		return item;
	if (fate == FATE_DELIVER) {
		item = (StreamItem){ .type = STREAM_ITEM_EVENT, .event = vmh_event_ref(live->event) };
		stream->recovered = false;
	}
	free_live(g_queue_pop_head(&stream->live));
	return item;
}

static StreamItem pop_live(Stream *stream)
{
	const Live *head = get_head(stream);
	LiveType type = head->type;
	uint64_t sequence = head->sequence;

	if (type == LIVE_EVENT)
		return pop_event(stream);
	free_live(g_queue_pop_head(&stream->live));
	switch (type) {
	case LIVE_SNAPSHOT:
		return take_snapshot(stream);
	case LIVE_RENUMBERED:
		return take_renumbered(stream, sequence);
	case LIVE_LOST:
		return (StreamItem){ .type = STREAM_ITEM_RECOVERED };
	default:
		take_count(stream);
		return no_item;
	}
}

/* All that came has been looked at; what came and was thrown away has not. */
static StreamItem come_to_end(Stream *stream)
{
	if (stream->thrown_away)
		stream_verify(stream);
	stream->thrown_away = false;
	if (!stream->signals_thrown_away)
		return no_item;
	stream->signals_thrown_away = false;
	return (StreamItem){ .type = STREAM_ITEM_RECOVERED };
}

/* Nothing is delivered before an answer is here. */
static bool is_waiting(Stream *stream)
{
	if (stream->gap)
		return !stream->snapshot_queued;
	if (stream->fetch_until > stream->position)
		stream->holed = true;
	else
		stream->fetch_until = 0;
	return stream->holed;
}

/* All that was missed since the position that was set has been delivered: verification was wanted then. */
static bool is_caught_up(const Stream *stream)
{
	return !stream->want_count && !stream->count.queued && !stream->gap && !stream->holed && !stream->page.events &&
	       stream->fetch_until <= stream->position && stream->asked == STREAM_WANT_NOTHING;
}

StreamItem stream_pop(Stream *stream)
{
	StreamItem item = no_item;

	look_at_rules(stream);
	if (is_caught_up(stream))
		stream->resuming = false;
	while (item.type == STREAM_ITEM_NONE) {
		if (stream->page.events)
			item = pop_fetched(stream);
		else if (is_waiting(stream))
			break;
		else if (stream->live.length > 0)
			item = pop_live(stream);
		else
			return come_to_end(stream);
	}
	return item;
}

/* ---- position ---- */

uint64_t stream_get_newest(const Stream *stream)
{
	return stream->resuming ? stream->position : stream->newest;
}

bool stream_has_position(const Stream *stream)
{
	return stream->has_position;
}

static bool is_of_other_numbers(const Stream *stream, uint64_t last_sequence)
{
	return stream->resuming && stream->newest_live == 0 &&
	       MAX(stream->position, sequence_set_get_last(stream->ahead)) > last_sequence;
}

void stream_begin(Stream *stream, uint64_t last_sequence)
{
	if (is_of_other_numbers(stream, last_sequence)) {
		stream_renumbered(stream);
		return;
	}
	if (!stream->has_position)
		stream->position = last_sequence;
	stream->has_position = true;
	stream->newest = MAX(stream->newest, last_sequence);
}

char *stream_get_position(const Stream *stream)
{
	/* Who begins with it is to be told as well. */
	if (stream->position_before)
		return g_strdup(stream->position_before);
	return stream->has_position ? position_to_string(stream->position, stream->ahead) : g_strdup("");
}

bool stream_set_position(Stream *stream, const char *position)
{
	g_autoptr(SequenceSet) ahead = sequence_set_new();

	if (!*position)
		return true;
	if (!position_parse(position, &stream->position, ahead))
		return false;
	sequence_set_free(stream->ahead);
	stream->ahead = g_steal_pointer(&ahead);
	/* Which rules that was for is not known. Passive, what was missed before could not be fetched, nor found. */
	stream->inexact_until = sequence_set_get_last(stream->ahead);
	if (stream->passive)
		move_on(stream, stream->inexact_until);
	stream->has_position = stream->resuming = true;
	stream->newest = stream->position;
	stream->epoch++;
	close_up(stream);
	stream_verify(stream);
	return true;
}

StreamLoad stream_get_load(const Stream *stream)
{
	const GPtrArray *events = stream->page.events;

	return (StreamLoad){ stream->live.length, events ? events->len - stream->page.index : 0,
			     sequence_set_get_length(stream->ahead) };
}

/* ---- the stream ---- */

Stream *stream_new(Rules *rules, bool passive)
{
	return stream_new_with_bounds(rules, passive, NULL);
}

Stream *stream_new_with_bounds(Rules *rules, bool passive, const StreamBounds *bounds)
{
	const StreamBounds usual = { STREAM_LIVE_MAX, STREAM_AHEAD_MAX, STREAM_COUNT_MIN };
	Stream *stream = g_new0(Stream, 1);

	stream->rules = rules;
	stream->passive = passive;
	stream->bounds = bounds ? *bounds : usual;
	stream->ahead = sequence_set_new();
	g_queue_init(&stream->live);
	return stream;
}

Stream *stream_free(Stream *stream)
{
	if (!stream)
		return NULL;
	g_queue_clear_full(&stream->live, free_live);
	clear_page(stream);
	sequence_set_free(stream->ahead);
	vmh_snapshot_unref(stream->snapshot);
	g_free(stream->position_before);
	g_free(stream);
	return NULL;
}
