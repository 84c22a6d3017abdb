/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"
#include "event/decode.h"
#include "event/table.h"

/*
 * From QEMU's event to the commit.
 *
 *    event thread                        worker, or at once if nothing of the domain is before it
 *    intake_event() --- strand --------> work: decode
 *       wait <-- class prepare ---------'
 *       (ask QEMU, with a deadline)
 *       strand_resume() ---------------> work
 *       done: same run? commit <-'
 *
 * The strand keeps the order in which QEMU sent its events, and replies take their place in it too
 * (connection.c). Above DOMAIN_QUEUE_MAX, or DOMAIN_UNSENT_MAX of what is told, the monitor is no longer
 * read: QEMU buffers, nobody else notices, nothing is dropped.
 */

typedef struct IntakeItem {
	Domain *domain;
	uint64_t run;
	uint64_t connection;        /* that its message came by */
	const EventRow *row;        /* NULL: unknown event */
	QmpMessage *message;
	Event *event;
	bool prepared;
} IntakeItem;

/* What the domain does with each kind of event from QEMU; each takes the event over. NULL: it is passed on
 * as it is. */
static void (*const commit[EVENT_KIND_MAX])(Domain *domain, Event *event) = {
	[EVENT_LIFECYCLE] = lifecycle_commit,
	[EVENT_RESET] = lifecycle_commit_reset,
	[EVENT_POWERDOWN_REQUESTED] = lifecycle_commit_powerdown,
	[EVENT_WATCHDOG] = lifecycle_commit_watchdog,
	[EVENT_PANICKED] = lifecycle_commit_panicked,
	[EVENT_DEVICE_REMOVED] = devices_commit_removed,
	[EVENT_DEVICE_REMOVAL_FAILED] = detach_commit_failed,
	[EVENT_ACPI_DEVICE_STATUS] = detach_commit_acpi_status,
	[EVENT_MEMORY_DEVICE_SIZE_CHANGED] = memory_commit_size,
	[EVENT_TRAY_CHANGED] = drives_commit_tray,
	[EVENT_FILTER_CHANGED] = nics_commit_filter_changed,
	[EVENT_IO_ERROR] = drives_commit_io_error,
	[EVENT_WRITE_THRESHOLD] = drives_commit_threshold,
	[EVENT_JOB_CHANGED] = jobs_commit_changed,
	[EVENT_JOB_EVENT] = jobs_commit_event,
	[EVENT_CHANNEL_CHANGED] = channels_commit_changed,
	[EVENT_BALLOON_CHANGED] = balloon_commit_changed,
	[EVENT_BALLOON_REPORT] = balloon_commit_report,
	[EVENT_DISPLAY_CLIENT] = display_commit_client,
	[EVENT_MIGRATION_CHANGED] = migration_commit_changed,
	[EVENT_DUMP_COMPLETED] = panic_dump_commit_completed,
};

/* The prepare steps, by kind. True: ready at once; false: the strand is resumed later. */
static bool (*const prepare[EVENT_KIND_MAX])(Domain *domain, const Event *event, Strand *strand) = {
	[EVENT_LIFECYCLE] = stop_cause_prepare,
	[EVENT_DEVICE_REMOVED] = devices_prepare_removed,
	[EVENT_JOB_CHANGED] = jobs_prepare_changed,
};

/* What tells the state that an event speaks of: bits by StateQuery. */
static const unsigned state_of[EVENT_KIND_MAX] = {
	[EVENT_TRAY_CHANGED] = 1u << STATE_QUERY_DRIVES,
	[EVENT_MEMORY_DEVICE_SIZE_CHANGED] = 1u << STATE_QUERY_MEMORY_DEVICES,
	[EVENT_WRITE_THRESHOLD] = 1u << STATE_QUERY_NODES,
	[EVENT_JOB_CHANGED] = 1u << STATE_QUERY_JOBS,
	[EVENT_JOB_EVENT] = 1u << STATE_QUERY_JOBS,
	[EVENT_CHANNEL_CHANGED] = 1u << STATE_QUERY_CHARDEVS,
	[EVENT_BALLOON_CHANGED] = 1u << STATE_QUERY_BALLOON,
	[EVENT_DISPLAY_CLIENT] = 1u << STATE_QUERY_VNC | 1u << STATE_QUERY_SPICE,
	[EVENT_MIGRATION_CHANGED] = 1u << STATE_QUERY_MIGRATION,
};

/* An event that does not say what it should is told, but no state is made of it: QEMU is asked. */
static void commit_incomplete(Domain *domain, Event *event)
{
	unsigned queries = state_of[event->kind];

	domain_publish(domain, event);
	for (unsigned i = 0; i < STATE_QUERY_MAX; i++)
		if (queries & (1u << i))
			domain_refresh(domain, (StateQuery)i);
}

static void commit_event(Domain *domain, Event *event)
{
	if (event->irregular) {
		domain->irregular_events++;
		domain_changed(domain, DOMAIN_PROPERTY_IRREGULAR);
	}
	if (event->incomplete && state_of[event->kind])
		commit_incomplete(domain, event);
	else if (commit[event->kind])
		commit[event->kind](domain, event);
	else
		domain_publish(domain, event);
}

static StrandStep item_work(void *data)
{
	IntakeItem *item = data;

	if (!item->event)
		item->event = event_decode(item->message);
	if (item->row && item->row->event_class == EVENT_CLASS_PREPARE && !item->prepared)
		return STRAND_WAIT;
	return STRAND_DONE;
}

static void item_wait(Strand *strand, void *data)
{
	IntakeItem *item = data;
	Domain *domain = item->domain;

	item->prepared = true;
	if (!domain->host || domain->run != item->run ||
	    prepare[item->event->kind](domain, item->event, strand))
		strand_resume(strand);
}

static void item_done(void *data)
{
	IntakeItem *item = data;
	Domain *domain = item->domain;
	bool journaled;

	if (!domain->host || domain->run != item->run) {
		g_debug("Event %s of an earlier run, dropped", item->message->name);
		return;
	}
	journaled = domain->journal && item->connection == domain->connections;
	handover_note_event(domain);
	if (journaled)
		commit_begin(domain, item->message->position);
	stop_cause_note_event(domain, item->event, item->message->time);
	commit_event(domain, g_steal_pointer(&item->event));
	if (!domain->host || domain->run != item->run)
		return;
	if (journaled)
		commit_end(domain, item->message->position);
	intake_update_reading(domain);
}

static void item_free(void *data)
{
	IntakeItem *item = data;

	handover_update_settled(item->domain);
	domain_unref(item->domain);
	qmp_message_free(item->message);
	event_unref(item->event);
	g_free(item);
}

/* Light: to decode an event takes a few microseconds, and to wake another thread twice takes more. */
static const StrandItemClass item_class = { item_work, item_wait, item_done, item_free, .light = true };

/* WARNING: two things must go on being read. After the exit, what is left is no more than a socket
 * holds, and the end of file behind it is what ends the run. And a prepare step that waits for a reply
 * would wait for its deadline; so it has another bound, which only that of a QEMU out of order will reach. */
static bool is_over(const Domain *domain, unsigned part)
{
	unsigned queued = strand_get_length(domain->events);

	if (domain->process_exited)
		return false;
	if (domain->prepares > 0)
		return queued > DOMAIN_QUEUE_WAITING_MAX / part;
	return queued > DOMAIN_QUEUE_MAX / part || domain->unsent > DOMAIN_UNSENT_MAX / part;
}

void intake_event(Domain *domain, QmpMessage *message)
{
	/* What is committed in here may be the last that holds the domain. */
	g_autoptr(Domain) held = domain_ref(domain);
	IntakeItem *item = g_new0(IntakeItem, 1);

	item->domain = domain_ref(domain);
	item->run = domain->run;
	item->connection = domain->connections;
	item->row = event_table_lookup(message->name);
	item->message = message;
	stop_cause_note_read(domain, message);
	strand_push(domain->events, &item_class, item);
	stop_cause_note_pushed(domain);
	if (domain->monitor && !domain->reading_held && is_over(domain, 1)) {
		domain->reading_held = true;
		qmp_monitor_set_reading(domain->monitor, false);
	}
}

/* Holding is decided where an event comes in, letting go wherever one goes out. */
void intake_update_reading(Domain *domain)
{
	if (!domain->monitor || !domain->events || !domain->reading_held)
		return;
	if (is_over(domain, 2))
		return;
	domain->reading_held = false;
	qmp_monitor_set_reading(domain->monitor, true);
}
