/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/filter-watch.h"

#include "base/log.h"

#define INTERVAL_US (G_TIME_SPAN_SECOND / FILTER_WATCH_QUERIES_PER_SECOND)

/* The NICs that have asked, and one more, under the name "", for "all of them". */
typedef struct Nic {
	FilterWatch *watch;
	char *name;
	int timer;              /* waits for its turn; 0: none */
	gint64 last_query;      /* monotonic */
	bool querying;
	bool again;             /* asked for while querying */
	bool requested;         /* by the guest, since the last query was sent */
	bool answering;         /* what `requested` was when the query was sent */
	bool in_all;            /* its request went into the query for all that is on its way */
} Nic;

/* A filter that the owner is not done with. */
typedef struct Work {
	RxFilter *now;          /* NULL once it is what is known */
	bool was_requested;
	bool again;             /* read once more when the owner is done */
	bool requested;         /* since the guest has asked, meanwhile */
} Work;

struct FilterWatch {
	Loop *loop;
	FilterWatchOwner owner;
	GHashTable *nics;       /* name -> Nic */
	GHashTable *filters;    /* name -> RxFilter */
	GHashTable *work;       /* name -> Work */
};

static void clear_timer(Nic *nic)
{
	if (nic->timer)
		loop_remove_timeout(nic->watch->loop, nic->timer);
	nic->timer = 0;
}

static void nic_free(void *data)
{
	Nic *nic = data;

	clear_timer(nic);
	g_free(nic->name);
	g_free(nic);
}

static void work_free(void *data)
{
	Work *work = data;

	g_clear_pointer(&work->now, rx_filter_unref);
	g_free(work);
}

FilterWatch *filter_watch_new(Loop *loop, const FilterWatchOwner *owner)
{
	FilterWatch *watch = g_new0(FilterWatch, 1);

	watch->loop = loop;
	watch->owner = *owner;
	watch->nics = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, nic_free);
	watch->filters = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
					       (GDestroyNotify)rx_filter_unref);
	watch->work = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, work_free);
	return watch;
}

FilterWatch *filter_watch_free(FilterWatch *watch)
{
	if (!watch)
		return NULL;
	g_hash_table_unref(watch->nics);
	g_hash_table_unref(watch->filters);
	g_hash_table_unref(watch->work);
	g_free(watch);
	return NULL;
}

GHashTable *filter_watch_get_filters(const FilterWatch *watch)
{
	return watch->filters;
}

bool filter_watch_is_busy(const FilterWatch *watch)
{
	GHashTableIter iter;
	void *value;

	if (g_hash_table_size(watch->work) > 0)
		return true;
	g_hash_table_iter_init(&iter, watch->nics);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const Nic *nic = value;

		if (nic->requested || nic->answering || nic->in_all)
			return true;
	}
	return false;
}

/* The query for all of them is also that of each one that waits for its turn. */
static void take_over_requests(Nic *all)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, all->watch->nics);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Nic *nic = value;

		if (nic == all || !nic->requested)
			continue;
		/* One that is being worked on looks into the answer later, afresh. */
		if (g_hash_table_contains(all->watch->work, nic->name))
			continue;
		clear_timer(nic);
		nic->again = false;
		nic->requested = false;
		nic->in_all = true;
	}
}

static void send_query(Nic *nic)
{
	nic->last_query = g_get_monotonic_time();
	nic->querying = true;
	nic->again = false;
	nic->answering = nic->requested;
	nic->requested = false;
	if (!*nic->name)
		take_over_requests(nic);
	nic->watch->owner.query(nic->watch, *nic->name ? nic->name : NULL,
				nic->watch->owner.userdata);
}

/* The limit holds for each NIC, however it comes to be queried: by its name or with all of them. */
static gint64 get_last_query(const Nic *nic)
{
	const Nic *all = g_hash_table_lookup(nic->watch->nics, "");
	gint64 last = MAX(nic->last_query, all ? all->last_query : 0);
	GHashTableIter iter;
	void *other;

	if (nic == all) {
		g_hash_table_iter_init(&iter, nic->watch->nics);
		while (g_hash_table_iter_next(&iter, NULL, &other))
			last = MAX(last, ((Nic *)other)->last_query);
	}
	return last;
}

/* WARNING: it must, or busy NICs that take turns would keep the query for all from its own for ever. */
static bool waits_for_all(const Nic *nic)
{
	const Nic *all = g_hash_table_lookup(nic->watch->nics, "");

	return all && all != nic && all->timer;
}

static void on_timer(int timer, void *userdata);

static void schedule(Nic *nic)
{
	gint64 last = get_last_query(nic);
	gint64 due = last + INTERVAL_US - g_get_monotonic_time();
	Work *work = g_hash_table_lookup(nic->watch->work, nic->name);

	if (work) {
		work->again = true;
		return;
	}
	if (nic->timer)
		return;
	if (nic->querying) {
		nic->again = true;
		return;
	}
	if (waits_for_all(nic))
		return;
	if (last == 0 || due <= 0)
		send_query(nic);
	else
		nic->timer = loop_add_timeout(nic->watch->loop, (int)((due + 999) / 1000), on_timer,
					      nic, NULL);
}

/* A query for all may have been sent since the timer was set: so it is asked afresh. */
static void on_timer(int timer, void *userdata)
{
	Nic *nic = userdata;

	clear_timer(nic);
	schedule(nic);
}

static Nic *get_nic(FilterWatch *watch, const char *name)
{
	Nic *nic = g_hash_table_lookup(watch->nics, name);

	if (nic)
		return nic;
	/* QEMU names the NICs, so this is only reached by one that lies: then all share one place. */
	if (g_hash_table_size(watch->nics) >= FILTER_WATCH_NICS_MAX && *name != '\0')
		return get_nic(watch, "");
	nic = g_new0(Nic, 1);
	nic->watch = watch;
	nic->name = g_strdup(name);
	g_hash_table_insert(watch->nics, nic->name, nic);
	return nic;
}

void filter_watch_request(FilterWatch *watch, const char *name)
{
	Nic *nic = get_nic(watch, name ? name : "");

	nic->requested = true;
	schedule(nic);
}

void filter_watch_query_all(FilterWatch *watch)
{
	schedule(get_nic(watch, ""));
}

void filter_watch_forget(FilterWatch *watch, const char *name)
{
	g_hash_table_remove(watch->nics, name);
	g_hash_table_remove(watch->filters, name);
	g_hash_table_remove(watch->work, name);
}

void filter_watch_commit(FilterWatch *watch, const char *name)
{
	Work *work = g_hash_table_lookup(watch->work, name);
	RxFilter *now = work ? g_steal_pointer(&work->now) : NULL;

	/* replace, not insert: the key lives in the value. */
	if (now)
		g_hash_table_replace(watch->filters, now->nic, now);
}

void filter_watch_done(FilterWatch *watch, const char *name)
{
	Work *work = g_hash_table_lookup(watch->work, name);
	bool again, requested;
	Nic *nic;

	if (!work)
		return;
	again = work->again;
	requested = work->requested;
	(void)g_hash_table_remove(watch->work, name);
	if (!again)
		return;
	nic = get_nic(watch, name);
	nic->requested |= requested;
	schedule(nic);
}

void filter_watch_repeat(FilterWatch *watch, const char *name)
{
	Work *work = g_hash_table_lookup(watch->work, name);

	if (!work)
		return;
	work->again = true;
	work->requested |= work->was_requested;
	filter_watch_done(watch, name);
}

void filter_watch_retry(FilterWatch *watch, const char *name)
{
	schedule(get_nic(watch, name ? name : ""));
}

/* NICs that are known, or are about to be. */
static unsigned count_known(const FilterWatch *watch)
{
	unsigned n = g_hash_table_size(watch->filters);
	GHashTableIter iter;
	void *name;

	g_hash_table_iter_init(&iter, watch->work);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		n += !g_hash_table_contains(watch->filters, name);
	return n;
}

static void take_filter(FilterWatch *watch, JsonNode *node, bool requested)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(RxFilter) now = rx_filter_parse(node, &error);
	g_autoptr(RxFilter) before = NULL;
	const Nic *nic;
	Work *work;

	if (!now) {
		log_text(LOG_NOTICE, "%s", error->message);
		return;
	}
	nic = g_hash_table_lookup(watch->nics, now->nic);
	requested |= nic && nic->in_all;
	work = g_hash_table_lookup(watch->work, now->nic);
	if (work) {
		work->again = true;
		work->requested |= requested;
		return;
	}
	before = g_hash_table_lookup(watch->filters, now->nic);
	if (before)
		rx_filter_ref(before);
	else if (count_known(watch) >= FILTER_WATCH_NICS_MAX)
		return;
	work = g_new0(Work, 1);
	work->now = rx_filter_ref(now);
	work->was_requested = requested;
	g_hash_table_insert(watch->work, g_strdup(now->nic), work);
	if (watch->owner.seen(watch, before, now, requested, watch->owner.userdata))
		filter_watch_done(watch, now->nic);
}

/* After the answer to a query for all; a request that was not answered is still one. */
static void end_taken_over(FilterWatch *watch, bool answered)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, watch->nics);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Nic *nic = value;

		nic->requested |= nic->in_all && !answered;
		nic->in_all = false;
	}
}

void filter_watch_answer(FilterWatch *watch, const char *name, JsonNode *result)
{
	const char *key = name ? name : "";
	bool answered = result && JSON_NODE_HOLDS_ARRAY(result);
	Nic *nic = g_hash_table_lookup(watch->nics, key);
	bool requested = nic && nic->answering;

	if (nic) {
		nic->querying = false;
		nic->answering = false;
		nic->requested |= requested && !answered;
	}
	if (answered) {
		JsonArray *array = json_node_get_array(result);

		for (unsigned i = 0; i < json_array_get_length(array); i++)
			take_filter(watch, json_array_get_element(array, i), requested);
	}
	if (!*key)
		end_taken_over(watch, answered);

	/* Looked up again: the owner was called in between. */
	nic = g_hash_table_lookup(watch->nics, key);
	if (nic && nic->again) {
		nic->again = false;
		schedule(nic);
	}
}
