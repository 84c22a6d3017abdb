/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "domain/registry.h"
#include "driver-internal.h"

/*
 * An event gets its number, and is remembered.
 *
 * WARNING: the entry of the history is there before its number is taken (event/history.h). Killed in between, the service
 * before this one has left an entry that is one ahead; its number is taken at the start.
 */

static StrandStep reserve_work(void *data)
{
	g_autoptr(GError) error = NULL;
	Driver *driver = data;

	if (!sequence_reserve(driver->sequence, &error))
		log_problem(LOG_ID_STORE_FAILED, NULL, error->message);
	return STRAND_DONE;
}

static void reserve_done(void *data)
{
	Driver *driver = data;

	driver->reserving = false;
}

static void free_nothing(void *data)
{
}

static const StrandItemClass reserve_class = { reserve_work, NULL, reserve_done, free_nothing };

static uint64_t get_connected_until(const Driver *driver, const char *uuid)
{
	const uint64_t *sequence = g_hash_table_lookup(driver->connected_until, uuid);

	return sequence ? *sequence : driver->sequence_at_start;
}

static void remember(Driver *driver, Domain *domain, const Event *event)
{
	GByteArray *arguments = driver->arguments;
	HistoryEntry entry = {
		.sequence = event->stamp.sequence,
		.previous = event->stamp.previous,
		.time = event->time,
		.kind = event->kind,
		.uuid = domain_get_uuid(domain),
	};

	g_byte_array_set_size(arguments, 0);
	driver->observer.encode(event, arguments);
	entry.arguments = arguments->data;
	entry.length = arguments->len;
	history_append(driver->history, &entry);
}

void driver_stamp(Driver *driver, Domain *domain, Event *event)
{
	const char *uuid = domain_get_uuid(domain);
	uint64_t previous = chains_get(driver->chains, uuid, event->kind);
	uint64_t newest = chains_get_newest(driver->chains, uuid);
	const EventStamp stamp = {
		.sequence = sequence_last(driver->sequence) + 1,
		.previous = previous,
		.domain_previous = newest != previous ? newest : 0,
	};

	/* The gap began when the monitor was lost, not when that was told, nor when it is over: others have
	 * had events since. */
	if (event->kind == EVENT_MONITOR_RESYNCHRONIZED)
		event->resynchronized.last_before = get_connected_until(driver, uuid);
	event_seal(event, stamp);
	if (driver->history)
		remember(driver, domain, event);
	chains_set(driver->chains, uuid, event->kind, stamp.sequence);
	(void)sequence_next(driver->sequence);
	if (sequence_wants_reserve(driver->sequence) && !driver->reserving) {
		driver->reserving = true;
		strand_push(driver->background, &reserve_class, driver);
	}
}

void driver_stamp_lost(Driver *driver, Domain *domain)
{
	uint64_t last = sequence_last(driver->sequence);

	g_hash_table_insert(driver->connected_until, g_strdup(domain_get_uuid(domain)),
			    g_memdup2(&last, sizeof(last)));
}

void driver_stamp_forget(Driver *driver, Domain *domain)
{
	g_hash_table_remove(driver->connected_until, domain_get_uuid(domain));
	chains_forget(driver->chains, domain_get_uuid(domain));
}

static bool is_known(const char *uuid, void *userdata)
{
	return registry_find_by_uuid(((Driver *)userdata)->registry, uuid) != NULL;
}

void driver_stamp_clean(Driver *driver)
{
	chains_forget_others(driver->chains, is_known, driver);
}

bool driver_stamp_open(Driver *driver, GError **error)
{
	g_autoptr(GError) chains_error = NULL;
	const char *layout = driver->observer.layout ? driver->observer.layout : "";

	driver->arguments = g_byte_array_new();
	driver->connected_until = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	driver->sequence = sequence_open(driver->directories->state, NULL, error);
	if (!driver->sequence)
		return false;
	driver->chains = chains_open(driver->directories->runtime, NULL, layout, &chains_error);
	if (!driver->chains) {
		log_problem(LOG_ID_STORE_FAILED, NULL, chains_error->message);
		driver->chains = chains_open(NULL, NULL, layout, NULL);
	}
	driver->sequence_at_start = sequence_last(driver->sequence);
	return true;
}

void driver_stamp_close(Driver *driver)
{
	history_close(driver->history);
	chains_close(driver->chains);
	sequence_close(driver->sequence);
	g_clear_pointer(&driver->arguments, g_byte_array_unref);
	g_clear_pointer(&driver->connected_until, g_hash_table_unref);
}

/* What a kill may have left undone after the newest entry was written. */
static void finish_newest(Driver *driver)
{
	uint64_t newest = history_get_newest(driver->history);
	HistoryEntry entry;

	if (!history_get(driver->history, newest, &entry))
		return;
	chains_set(driver->chains, entry.uuid, entry.kind, entry.sequence);
	if (newest > sequence_last(driver->sequence))
		(void)sequence_next(driver->sequence);
	driver->sequence_at_start = sequence_last(driver->sequence);
}

void driver_keep_history(Driver *driver, size_t bytes, unsigned events)
{
	g_autoptr(GError) error = NULL;

	if (!driver->observer.encode)
		return;
	driver->history = history_open(driver->directories->runtime, NULL, driver->observer.layout,
				       sequence_last(driver->sequence), bytes, events, &error);
	if (driver->history)
		finish_newest(driver);
	else
		log_problem(LOG_ID_STORE_FAILED, NULL, error->message);
}

const History *driver_get_history(const Driver *driver)
{
	return driver->history;
}

uint64_t driver_get_last_sequence(const Driver *driver)
{
	return sequence_last(driver->sequence);
}
