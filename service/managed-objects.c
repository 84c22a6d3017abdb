/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "managed-objects.h"

#include <errno.h>

#include "base/error.h"
#include "bus/names.h"
#include "domain-object.h"
#include "method-call.h"

/*
 * A thousand domains are a message of more than a megabyte, which takes some 20 ms to write: too long for the event thread to
 * be away. So it is written in slices, each in a turn of the loop of its own, and whatever else is due comes in between.
 *
 *    call -> plan: all domains      slice: write the next ones ...        the last slice: signals that wait,
 *            quiet ... restless                                           then the restless ones, and the answer
 *
 * The answer must be the state at one moment, that of the signals before it. That moment is its end: what is still to be
 * written may change as it likes; if one changes that is written already, the message is worth nothing any more, and is
 * begun anew, since what is in a message cannot be taken back. But who has changed is one of the restless then, who are written
 * last, all of them in the slice in which the answer is sent. So each of them makes it begin anew at most once, and it
 * is known from one call to the next who they are. Where more and more change, it is brought to its end at once after
 * MANAGED_OBJECTS_ANEW_MAX times: a late answer is worse than a slow turn.
 *
 * One call is answered after the other. The work for each is the same, and a second message cannot be had for less.
 */

struct ManagedObjects {
	Service *service;
	int timeout;                 /* for the next slice */
	unsigned slice_us;
	GQueue calls;                /* MethodCall; the first is being answered */
	sd_bus_message *reply;       /* NULL: it has to be begun */
	GPtrArray *plan;             /* Domain, in the order in which they are written */
	unsigned n_written;          /* of plan */
	unsigned n_quiet;            /* of plan: those before the restless */
	unsigned n_anew;
	GHashTable *written;         /* Domain, without a reference */
	bool is_stale;               /* one of them has changed since */
	GHashTable *restless;        /* Domain, with a reference: these come last */
	GHashTable *changed;         /* and those that changed while this answer was made */
};

static void unref_domain(void *domain)
{
	domain_unref(domain);
}

static GHashTable *new_set(void)
{
	return g_hash_table_new_full(NULL, NULL, unref_domain, NULL);
}

static void add_to_set(GHashTable *set, Domain *domain)
{
	if (!g_hash_table_contains(set, domain))
		g_hash_table_add(set, domain_ref(domain));
}

/* ---- one message ---- */

static void drop_reply(ManagedObjects *self)
{
	self->reply = sd_bus_message_unref(self->reply);
	g_ptr_array_set_size(self->plan, 0);
	g_hash_table_remove_all(self->written);
	self->n_written = 0;
	self->is_stale = false;
}

static void add_to_plan(ManagedObjects *self, GPtrArray *domains, bool restless)
{
	for (unsigned i = 0; i < domains->len; i++)
		if (g_hash_table_contains(self->restless, domains->pdata[i]) == restless)
			g_ptr_array_add(self->plan, domain_ref(domains->pdata[i]));
}

static int begin(ManagedObjects *self)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(self->service->driver);
	int r;

	add_to_plan(self, domains, false);
	self->n_quiet = self->plan->len;
	add_to_plan(self, domains, true);
	r = method_call_new_reply(g_queue_peek_head(&self->calls), &self->reply);
	return r < 0 ? r : sd_bus_message_open_container(self->reply, 'a', "{oa{sa{sv}}}");
}

static int write_next(ManagedObjects *self)
{
	Domain *domain = self->plan->pdata[self->n_written++];

	if (driver_find_domain_by_uuid(self->service->driver, domain_get_uuid(domain)) != domain)
		return 0;
	g_hash_table_add(self->written, domain);
	return domain_object_append(self->service, domain, self->reply);
}

static int write_rest(ManagedObjects *self)
{
	int r = 0;

	while (r >= 0 && self->n_written < self->plan->len)
		r = write_next(self);
	return r < 0 ? r : sd_bus_message_close_container(self->reply);
}

/* ---- slices ---- */

static void want_slice(ManagedObjects *self, bool wanted)
{
	loop_update_timeout(self->service->loop, self->timeout, wanted ? 0 : LOOP_DISABLED);
}

/* The first of the calls is over; it is the caller's. */
static MethodCall *take_call(ManagedObjects *self)
{
	MethodCall *call = g_queue_pop_head(&self->calls);

	drop_reply(self);
	self->n_anew = 0;
	/* Who has not changed in this time is quiet again. */
	g_hash_table_unref(self->restless);
	self->restless = self->changed;
	self->changed = new_set();
	if (g_queue_is_empty(&self->calls))
		want_slice(self, false);
	return call;
}

/* r < 0: the message could not be made. */
static void answer(ManagedObjects *self, int r)
{
	sd_bus_message *reply = g_steal_pointer(&self->reply);

	method_call_reply_now(take_call(self), reply, r);
}

static void refuse(ManagedObjects *self)
{
	g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
					      EMITTER_BEHIND_FORMAT, EMITTER_CATCH_UP_MAX);

	method_call_done(NULL, NULL, error, take_call(self));
}

static void begin_anew(ManagedObjects *self)
{
	GHashTableIter iter;
	void *domain;

	g_hash_table_iter_init(&iter, self->changed);
	while (g_hash_table_iter_next(&iter, &domain, NULL))
		add_to_set(self->restless, domain);
	drop_reply(self);
	self->n_anew++;
}

/* From here on nothing comes in between. */
static void finish(ManagedObjects *self)
{
	int r;

	/* WARNING: first, for what it sends must be in the state that is written, and its sending may change that. */
	if (!emitter_catch_up(self->service->emitter)) {
		refuse(self);
		return;
	}
	if (self->is_stale) {
		begin_anew(self);
		if (self->n_anew < MANAGED_OBJECTS_ANEW_MAX)
			return;
	}
	r = self->reply ? 0 : begin(self);
	answer(self, r < 0 ? r : write_rest(self));
}

static void write_slice(ManagedObjects *self)
{
	int64_t end = g_get_monotonic_time() + self->slice_us;
	int r = self->reply ? 0 : begin(self);

	do {
		if (r >= 0 && self->n_written < self->n_quiet)
			r = write_next(self);
	} while (r >= 0 && self->n_written < self->n_quiet && g_get_monotonic_time() < end);
	if (r < 0)
		answer(self, r);
	else if (self->n_written == self->n_quiet)
		finish(self);
}

static void on_slice(int timeout, void *userdata)
{
	ManagedObjects *self = userdata;

	if (method_call_is_dropped(g_queue_peek_head(&self->calls))) {
		answer(self, -ECONNRESET);
		return;
	}
	if (self->is_stale)
		begin_anew(self);
	if (self->n_anew < MANAGED_OBJECTS_ANEW_MAX)
		write_slice(self);
	else
		finish(self);
}

/* ---- what changes meanwhile ---- */

void managed_objects_domain_added(ManagedObjects *self, Domain *domain)
{
	if (!self || !self->reply)
		return;
	g_ptr_array_insert(self->plan, (int)self->n_quiet, domain_ref(domain));
	self->n_quiet++;
}

void managed_objects_domain_changed(ManagedObjects *self, Domain *domain)
{
	if (!self || g_queue_is_empty(&self->calls))
		return;
	self->is_stale |= g_hash_table_contains(self->written, domain);
	add_to_set(self->changed, domain);
}

/* What is still in the plan is left out when its turn comes. */
void managed_objects_domain_removed(ManagedObjects *self, Domain *domain)
{
	if (!self)
		return;
	self->is_stale |= g_hash_table_contains(self->written, domain);
	g_hash_table_remove(self->restless, domain);
	g_hash_table_remove(self->changed, domain);
}

/* ---- calls ---- */

int managed_objects_filter(ManagedObjects *self, sd_bus_message *message, sd_bus_error *ret_error)
{
	int r;

	/* With arguments it is none, which sd-bus knows how to say. */
	if (!sd_bus_message_is_method_call(message, BUS_OBJECT_MANAGER, "GetManagedObjects") ||
	    g_strcmp0(sd_bus_message_get_path(message), BUS_PATH) != 0 ||
	    !sd_bus_message_has_signature(message, ""))
		return 0;
	r = callers_check_later(self->service->callers, message, ret_error);
	if (r < 0)
		return r;
	g_queue_push_tail(&self->calls, method_call_new(self->service, message));
	if (self->calls.length > 1)
		return 1;
	if (driver_count_domains(self->service->driver) <= MANAGED_OBJECTS_AT_ONCE)
		finish(self);
	else
		want_slice(self, true);
	return 1;
}

ManagedObjects *managed_objects_new(Service *service)
{
	ManagedObjects *self = g_new0(ManagedObjects, 1);

	self->service = service;
	self->slice_us = MANAGED_OBJECTS_SLICE_US;
	self->timeout = loop_add_timeout(service->loop, LOOP_DISABLED, on_slice, self, NULL);
	g_queue_init(&self->calls);
	self->plan = g_ptr_array_new_with_free_func(unref_domain);
	self->written = g_hash_table_new(NULL, NULL);
	self->restless = new_set();
	self->changed = new_set();
	return self;
}

void managed_objects_set_slice(ManagedObjects *self, unsigned slice_us)
{
	self->slice_us = slice_us;
}

ManagedObjects *managed_objects_free(ManagedObjects *self)
{
	g_autoptr(GError) error = g_error_new_literal(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
						      "The service is leaving");

	if (!self)
		return NULL;
	while (!g_queue_is_empty(&self->calls))
		method_call_done(NULL, NULL, error, take_call(self));
	(void)loop_remove_timeout(self->service->loop, self->timeout);
	g_ptr_array_unref(self->plan);
	g_hash_table_unref(self->written);
	g_hash_table_unref(self->restless);
	g_hash_table_unref(self->changed);
	g_free(self);
	return NULL;
}
