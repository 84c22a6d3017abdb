/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emitter.h"

#include <string.h>

#include "base/log.h"
#include "bus/names.h"
#include "bus/object-path.h"
#include "domain-object.h"
#include "domain-signals.h"
#include "service.h"

/* Of these each transition is told, even if it has waited. They are small, and of one interface. */
#define TRANSITIONS ((unsigned)DOMAIN_PROPERTY_STATE)

typedef enum EntryKind {
	ENTRY_EVENT,
	ENTRY_ADDED,
	ENTRY_REMOVED,
	ENTRY_REPLY,
} EntryKind;

typedef struct Entry {
	EntryKind kind;
	Domain *domain;             /* NULL: an answer that is not about one */
	Event *event;
	sd_bus_message *reply;
	bool waited;                /* it could not be sent when it came */
	sd_bus_message *transition; /* PropertiesChanged as of when it came; only if it has waited */
} Entry;

struct Emitter {
	Service *service;
	sd_bus *bus;
	bool open;
	bool draining;
	bool flushed;               /* the end: answers alone may come */
	unsigned sent;              /* in this turn */
	GQueue entries;             /* Entry */
	GHashTable *waiting;        /* Domain -> how many of its entries have waited */
	GQueue unwritten;           /* Domain (with a reference), one for each event the bus may still hold */
	GHashTable *unannounced;    /* Domain: its InterfacesAdded waits, and will have everything */
	GHashTable *changed;        /* Domain (with a reference) -> DomainProperty */
	GPtrArray *manager_changed; /* names of properties */
	sd_event_source *next_turn; /* the budget was used up, or properties changed: go on soon */
	sd_event_source *post;      /* the bus may have written something: look again */
};

static void entry_free(Entry *entry)
{
	event_unref(entry->event);
	sd_bus_message_unref(entry->reply);
	sd_bus_message_unref(entry->transition);
	domain_unref(entry->domain);
	g_free(entry);
}

static void log_failure(const char *what, int r)
{
	/* A message that cannot be built or queued is a bug or the end of the connection. */
	if (r < 0 && r != -ENOTCONN)
		log_text(LOG_WARNING, "%s: %s", what, g_strerror(-r));
}

static void log_changed(int r)
{
	log_failure("PropertiesChanged", r);
}

/* Whether the domain is (still) to be found on the bus. */
static bool is_known(Emitter *emitter, Domain *domain)
{
	return driver_find_domain_by_uuid(emitter->service->driver, domain_get_uuid(domain)) == domain;
}

/* Which of properties have changed; they no longer wait. */
static DomainProperty take_changed(Emitter *emitter, Domain *domain, unsigned properties)
{
	unsigned changed = GPOINTER_TO_UINT(g_hash_table_lookup(emitter->changed, domain));

	if (changed & ~properties) {
		g_hash_table_insert(emitter->changed, domain, GUINT_TO_POINTER(changed & ~properties));
	} else if (changed) {
		g_hash_table_remove(emitter->changed, domain);
		domain_unref(domain);
	}
	return changed & properties;
}

/* What entry is the transition to, before a later one makes it another. InterfacesAdded has the newest, and nothing
 * older may follow it. */
static void keep_transition(Emitter *emitter, Entry *entry)
{
	DomainProperty changed;

	if (g_hash_table_contains(emitter->unannounced, entry->domain))
		return;
	changed = take_changed(emitter, entry->domain, TRANSITIONS);
	if (changed && is_known(emitter, entry->domain))
		log_changed(domain_object_new_changed(emitter->service, entry->domain, changed,
						      &entry->transition));
}

static bool has_waiting(Emitter *emitter, Domain *domain)
{
	return g_hash_table_contains(emitter->waiting, domain);
}

/* WARNING: the entries that wait have transitions of their own. What has changed since is told behind those. */
static void flush_changed(Emitter *emitter, Domain *domain)
{
	DomainProperty changed =
		take_changed(emitter, domain, has_waiting(emitter, domain) ? ~TRANSITIONS : ~0u);

	if (changed && is_known(emitter, domain))
		log_changed(domain_object_emit_changed(emitter->service, domain, changed));
}

static void flush_all_changed(Emitter *emitter)
{
	g_autofree void **domains = g_hash_table_get_keys_as_array(emitter->changed, NULL);

	for (size_t i = 0; domains[i]; i++)
		flush_changed(emitter, domains[i]);
}

static void send_event(Emitter *emitter, Domain *domain, const Event *event)
{
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));
	sd_bus_message *message = NULL;
	int r = domain_signal_new(emitter->bus, path, event, &message);

	if (r >= 0)
		r = sd_bus_send(emitter->bus, message, NULL);
	log_failure(domain_signal_of(event->kind)->member, r);
	sd_bus_message_unref(message);
}

/* Behind the changes that came of what it answers. */
static void send_reply(Emitter *emitter, Domain *domain, sd_bus_message *reply)
{
	int r;

	if (!emitter->flushed && domain)
		flush_changed(emitter, domain);
	else if (!emitter->flushed)
		flush_all_changed(emitter);
	r = sd_bus_send(emitter->bus, reply, NULL);
	if (r < 0)
		log_text(LOG_NOTICE, "An answer could not be sent: %s", g_strerror(-r));
}

static void count(Emitter *emitter, Domain *domain, int difference)
{
	int n = GPOINTER_TO_INT(g_hash_table_lookup(emitter->waiting, domain)) + difference;

	if (n > 0)
		g_hash_table_insert(emitter->waiting, domain, GINT_TO_POINTER(n));
	else
		g_hash_table_remove(emitter->waiting, domain);
}

/* An event has been sent when the bus has written it to its socket: from then on a kill of the service does not
 * lose it. What the bus still holds are the newest messages. */
static void tell_sent(Emitter *emitter)
{
	uint64_t queued = 0;

	(void)sd_bus_get_n_queued_write(emitter->bus, &queued);
	while (emitter->unwritten.length > queued) {
		Domain *domain = g_queue_pop_head(&emitter->unwritten);

		domain_event_sent(domain);
		domain_unref(domain);
	}
}

static void send_entry(Emitter *emitter, Entry *entry)
{
	if (entry->transition)
		log_changed(sd_bus_send(emitter->bus, entry->transition, NULL));
	switch (entry->kind) {
	case ENTRY_EVENT:
		flush_changed(emitter, entry->domain);
		send_event(emitter, entry->domain, entry->event);
		g_queue_push_tail(&emitter->unwritten, domain_ref(entry->domain));
		tell_sent(emitter);
		break;
	case ENTRY_ADDED:
		/* What has changed since is in it. */
		(void)take_changed(emitter, entry->domain, ~0u);
		g_hash_table_remove(emitter->unannounced, entry->domain);
		if (is_known(emitter, entry->domain))
			log_failure("InterfacesAdded",
				    domain_object_emit_added(emitter->bus, entry->domain));
		break;
	case ENTRY_REMOVED:
		log_failure("InterfacesRemoved",
			    domain_object_emit_removed(emitter->bus, entry->domain));
		break;
	case ENTRY_REPLY:
		send_reply(emitter, entry->domain, entry->reply);
		break;
	}
	/* Last: until now it stands before what has changed since. */
	if (entry->domain && entry->waited)
		count(emitter, entry->domain, -1);
}

static bool has_queued(const Emitter *emitter, uint64_t threshold)
{
	uint64_t queued;

	return sd_bus_get_n_queued_write(emitter->bus, &queued) >= 0 && queued >= threshold;
}

static bool is_bus_full(const Emitter *emitter)
{
	return has_queued(emitter, EMITTER_BUS_QUEUE_THRESHOLD);
}

/* Only reached by an event source of its own, so every change of the turn has been folded in; no entry waits. */
static void send_all_changed(Emitter *emitter)
{
	GHashTableIter iter;
	void *domain;

	while (!is_bus_full(emitter)) {
		g_hash_table_iter_init(&iter, emitter->changed);
		if (!g_hash_table_iter_next(&iter, &domain, NULL))
			break;
		flush_changed(emitter, domain);
	}
	if (emitter->manager_changed->len > 0) {
		g_ptr_array_add(emitter->manager_changed, NULL);
		log_failure("PropertiesChanged",
			    sd_bus_emit_properties_changed_strv(
				    emitter->bus, BUS_PATH, BUS_INTERFACE("Manager"),
				    (char **)emitter->manager_changed->pdata));
		g_ptr_array_set_size(emitter->manager_changed, 0);
	}
}

static void want_next_turn(Emitter *emitter)
{
	(void)sd_event_source_set_enabled(emitter->next_turn, SD_EVENT_ONESHOT);
}

/* Whatever is left over waits for the bus: after each turn in which it may have written, look again. */
static void watch_bus(Emitter *emitter)
{
	bool waits = !emitter_is_empty(emitter) || emitter->unwritten.length > 0;

	(void)sd_event_source_set_enabled(emitter->post, waits ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void drain(Emitter *emitter)
{
	/* Sending may make domains read again and so bring new entries: they go to the end of the queue. */
	if (!emitter->open || emitter->draining)
		return;
	emitter->draining = true;
	while (!g_queue_is_empty(&emitter->entries) && !is_bus_full(emitter)) {
		Entry *entry;

		/* The first asks for the turn in which the count begins anew. */
		if (emitter->sent == 0 || emitter->sent >= EMITTER_TURN_BUDGET)
			want_next_turn(emitter);
		if (emitter->sent >= EMITTER_TURN_BUDGET)
			break;
		emitter->sent++;
		entry = g_queue_pop_head(&emitter->entries);
		send_entry(emitter, entry);
		entry_free(entry);
	}
	emitter->draining = false;
	watch_bus(emitter);
}

static int on_turn(sd_event_source *source, void *userdata)
{
	Emitter *emitter = userdata;

	emitter->sent = 0;
	tell_sent(emitter);
	drain(emitter);
	if (emitter->open && g_queue_is_empty(&emitter->entries)) {
		send_all_changed(emitter);
		watch_bus(emitter);
	}
	return 0;
}

Emitter *emitter_new(Service *service)
{
	g_autoptr(Emitter) emitter = g_new0(Emitter, 1);

	emitter->service = service;
	emitter->bus = service->bus;
	g_queue_init(&emitter->entries);
	emitter->waiting = g_hash_table_new(NULL, NULL);
	g_queue_init(&emitter->unwritten);
	emitter->unannounced = g_hash_table_new(NULL, NULL);
	emitter->changed = g_hash_table_new(NULL, NULL);
	emitter->manager_changed = g_ptr_array_new();
	if (sd_event_add_defer(service->event, &emitter->next_turn, on_turn, emitter) < 0 ||
	    sd_event_source_set_enabled(emitter->next_turn, SD_EVENT_OFF) < 0 ||
	    sd_event_add_post(service->event, &emitter->post, on_turn, emitter) < 0 ||
	    sd_event_source_set_enabled(emitter->post, SD_EVENT_OFF) < 0)
		return NULL;
	return g_steal_pointer(&emitter);
}

Emitter *emitter_free(Emitter *emitter)
{
	GHashTableIter iter;
	void *domain;

	if (!emitter)
		return NULL;
	sd_event_source_disable_unref(emitter->next_turn);
	sd_event_source_disable_unref(emitter->post);
	g_queue_clear_full(&emitter->entries, (GDestroyNotify)entry_free);
	g_hash_table_unref(emitter->waiting);
	g_hash_table_unref(emitter->unannounced);
	g_queue_clear_full(&emitter->unwritten, (GDestroyNotify)domain_unref);
	g_hash_table_iter_init(&iter, emitter->changed);
	while (g_hash_table_iter_next(&iter, &domain, NULL))
		domain_unref(domain);
	g_hash_table_unref(emitter->changed);
	g_ptr_array_unref(emitter->manager_changed);
	g_free(emitter);
	return NULL;
}

/* An entry that comes now is not sent at once. */
static bool must_wait(const Emitter *emitter)
{
	return !emitter->open || emitter->draining || !g_queue_is_empty((GQueue *)&emitter->entries) ||
	       emitter->sent >= EMITTER_TURN_BUDGET || is_bus_full(emitter);
}

static void push(Emitter *emitter, EntryKind kind, Domain *domain, Event *event, sd_bus_message *reply)
{
	Entry *entry = g_new0(Entry, 1);

	entry->kind = kind;
	entry->domain = domain ? domain_ref(domain) : NULL;
	entry->event = event;
	entry->reply = reply;
	entry->waited = must_wait(emitter);
	if (domain && entry->waited) {
		keep_transition(emitter, entry);
		count(emitter, domain, 1);
	}
	g_queue_push_tail(&emitter->entries, entry);
	drain(emitter);
}

static void send_all_entries(Emitter *emitter)
{
	Entry *entry;

	emitter->draining = true;
	while ((entry = g_queue_pop_head(&emitter->entries))) {
		send_entry(emitter, entry);
		entry_free(entry);
	}
	emitter->draining = false;
}

bool emitter_catch_up(Emitter *emitter)
{
	Entry *entry;

	/* Closed, there is nobody yet who has been sent anything. */
	if (!emitter->open || emitter->draining)
		return true;
	emitter->draining = true;
	while (!has_queued(emitter, EMITTER_CATCH_UP_MAX) &&
	       (entry = g_queue_pop_head(&emitter->entries))) {
		send_entry(emitter, entry);
		entry_free(entry);
	}
	emitter->draining = false;
	watch_bus(emitter);
	return g_queue_is_empty(&emitter->entries);
}

/* WARNING: at once, and not in turns: a call that is dispatched in between changes the state, and what was found
 * would be told with the state that the call has made of it. */
void emitter_open(Emitter *emitter)
{
	emitter->open = true;
	send_all_entries(emitter);
	want_next_turn(emitter);
}

void emitter_close(Emitter *emitter)
{
	emitter->open = false;
}

void emitter_flush(Emitter *emitter)
{
	send_all_entries(emitter);
	emitter->flushed = true;
	(void)sd_bus_flush(emitter->bus);
	tell_sent(emitter);
}

void emitter_event(Emitter *emitter, Domain *domain, Event *event)
{
	push(emitter, ENTRY_EVENT, domain, event, NULL);
}

void emitter_domain_added(Emitter *emitter, Domain *domain)
{
	g_hash_table_add(emitter->unannounced, domain);
	push(emitter, ENTRY_ADDED, domain, NULL, NULL);
}

void emitter_domain_removed(Emitter *emitter, Domain *domain)
{
	push(emitter, ENTRY_REMOVED, domain, NULL, NULL);
}

void emitter_domain_changed(Emitter *emitter, Domain *domain, DomainProperty properties)
{
	unsigned old = GPOINTER_TO_UINT(g_hash_table_lookup(emitter->changed, domain));

	if (old == 0)
		domain_ref(domain);
	g_hash_table_insert(emitter->changed, domain, GUINT_TO_POINTER(old | (unsigned)properties));
	want_next_turn(emitter);
}

/* Its signals go first, and what the bus does not take waits here, as they do. */
static bool must_answer_wait(Emitter *emitter, Domain *domain)
{
	if (emitter->flushed)
		return false;
	return !emitter->open || emitter->draining || is_bus_full(emitter) ||
	       (domain ? has_waiting(emitter, domain) : !g_queue_is_empty(&emitter->entries));
}

void emitter_reply(Emitter *emitter, Domain *domain, sd_bus_message *reply)
{
	if (must_answer_wait(emitter, domain)) {
		push(emitter, ENTRY_REPLY, domain, NULL, reply);
		return;
	}
	send_reply(emitter, domain, reply);
	sd_bus_message_unref(reply);
}

uint64_t emitter_count_unwritten(const Emitter *emitter)
{
	uint64_t queued = 0;

	(void)sd_bus_get_n_queued_write(emitter->bus, &queued);
	return queued + emitter->entries.length;
}

void emitter_manager_changed(Emitter *emitter, const char *property)
{
	/* However often, it is told once, with its newest value. */
	if (!g_ptr_array_find_with_equal_func(emitter->manager_changed, property, g_str_equal, NULL))
		g_ptr_array_add(emitter->manager_changed, (char *)property);
	want_next_turn(emitter);
}

bool emitter_is_empty(const Emitter *emitter)
{
	return g_queue_is_empty((GQueue *)&emitter->entries) &&
	       g_hash_table_size(emitter->changed) == 0;
}
