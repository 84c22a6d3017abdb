/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * From one service to the next: the connection to QEMU is kept outside of the process (monitor-store.h); what was told
 * last is in a picture (run-picture.h), and what was read and not told in a journal (qmp/journal.h).
 *
 *    before                                 after
 *    handshake done: kept                   handover_begin(): taken over, with the state that was told last
 *    bytes taken: in the journal            what is in the journal comes first (replay.c, if the connection is lost),
 *    an event told: out of it (commit.c)    then events of the time between, in QEMU's order
 *                                           the answer to our first question: caught up
 *    the connection or the run is over:     state read afresh (resync.c), then Resynchronized
 *      forgotten
 *
 * What is guaranteed: if the connection is the same and the journal was whole, each event of QEMU's is told once, and
 * Resynchronized says connection-kept. If it is not the same, what had been read is told, and Resynchronized says
 * service-restarted, for what QEMU said to nobody is lost. So it does where a gap had not been told yet.
 *
 * "Told" is: in the history, which the next service has too. Where there is none, nothing of the above could be known: then
 * the journal is not used, told is written to the socket of the bus (domain_event_sent()), and whatever had been
 * read and not told at the end is lost: service-restarted.
 *
 * While it catches up, QEMU is not asked about single events: its answer would come behind all that waits, and
 * would speak of another time. What the guest wanted to be looked at is looked at then.
 */

void handover_take_picture(Domain *domain, RunPicture *picture)
{
	domain->journal = NULL;
	run_picture_free(domain->picture);
	domain->picture = picture;
	if (!domain->host->get_last)
		return;
	domain->journal = run_picture_get_journal(picture);
	if (domain->journal && domain->monitor)
		qmp_monitor_set_journal(domain->monitor, domain->journal);
}

/* ---- settled ---- */

void handover_taking(Domain *domain)
{
	run_picture_set_settled(domain->picture, RUN_UNSETTLED);
}

void handover_set_gap(Domain *domain, const char *reason)
{
	domain->gap_reason = reason;
	run_picture_set_settled(domain->picture, RUN_UNSETTLED);
}

static bool has_gap(const Domain *domain)
{
	return domain->gap_reason && !g_str_equal(domain->gap_reason, "connection-kept");
}

/* Cheap things first: this is asked at each event. */
static bool is_settled(const Domain *domain)
{
	return domain->unsent == 0 && !domain->gap_reason && !domain->catching_up &&
	       strand_get_length(domain->events) == 0 && qmp_monitor_is_drained(domain->monitor) &&
	       domain->refreshing == 0 && !domain->resync && domain->prepares == 0 &&
	       !filter_watch_is_busy(domain->filter_watch);
}

void handover_note_filters(Domain *domain)
{
	run_picture_set_filters_due(domain->picture, true);
}

static void update_journaled(Domain *domain)
{
	/* All that was handed on has come to its end, answers too. */
	if (strand_get_length(domain->events) == 0)
		qmp_journal_commit(domain->journal, qmp_monitor_get_handed_on(domain->monitor));
	if (!has_gap(domain))
		run_picture_set_settled(domain->picture, RUN_JOURNALED);
}

void handover_update_settled(Domain *domain)
{
	if (!domain->host || !domain->picture || !domain->monitor)
		return;
	if (domain->journal)
		update_journaled(domain);
	else if (is_settled(domain))
		run_picture_set_settled(domain->picture, RUN_SETTLED);
	if (run_picture_get_filters_due(domain->picture) && !domain->filters_due &&
	    !filter_watch_is_busy(domain->filter_watch))
		run_picture_set_filters_due(domain->picture, false);
}

/* ---- kept ---- */

void handover_keep(Domain *domain)
{
	monitor_store_keep(domain->host->monitors, domain->uuid, qmp_monitor_get_fd(domain->monitor));
	domain->kept = true;
}

void handover_forget(Domain *domain)
{
	if (domain->kept)
		monitor_store_forget(domain->host->monitors, domain->uuid);
	domain->kept = false;
}

/* ---- taken over ---- */

/* Takes over the picture. What it says of the state is where we go on from, if nothing was missed since. */
static void recall(Domain *domain, bool kept)
{
	DomainState state;
	LifecycleReason reason;

	if (!run_picture_get_state(domain->picture, &state, &reason) || state == DOMAIN_STATE_SHUT_OFF)
		return;
	domain->state_before_gap = state;
	/* Its cause is not known any more, so no policy goes by it. */
	domain->hints.shutdown_seen = state == DOMAIN_STATE_SHUTTING_DOWN;
	if (kept)
		(void)domain_enter_state(domain, state, reason);
}

bool handover_asks_nothing(const Domain *domain)
{
	return domain->catching_up || domain->replaying;
}

bool handover_goes_on(const Domain *domain)
{
	return domain->catching_up || (domain->gap_reason && !has_gap(domain));
}

/* From here on something is lost; that is told when the state has been read. */
static void give_up(Domain *domain)
{
	handover_set_gap(domain, "service-restarted");
}

void handover_note_event(Domain *domain)
{
	/* It did not answer in time, and was told as lost. Now it does, and its events go on from where it was. */
	if ((domain->replaying || handover_goes_on(domain)) && domain->state == DOMAIN_STATE_UNKNOWN)
		recall(domain, true);
}

void handover_cut(Domain *domain)
{
	domain_log(domain, LOG_INFO, "the kept connection begins in the middle of a message");
	give_up(domain);
}

static void on_version(JsonNode *result, const GError *error, void *userdata)
{
	Domain *domain = userdata;

	/* The end of the connection is looked at in its place behind this (connection.c). */
	if (domain->host && domain->catching_up && domain->monitor &&
	    !g_error_matches(error, CORE_ERROR, CORE_ERROR_MONITOR_LOST)) {
		domain->catching_up = false;
		if (error) {
			domain_log(domain, LOG_NOTICE, "the kept connection is of no use: %s; "
				   "connecting again", error->message);
			give_up(domain);
			connection_replace(domain);
		} else {
			connection_caught_up(domain, result);
		}
	}
	domain_unref(domain);
}

/* Of a service that kept a history, as this one does not: what is in it is lost. */
static void drop_journal(RunPicture *picture)
{
	QmpJournal *journal = run_picture_get_journal(picture);

	if (run_picture_get_settled(picture) == RUN_JOURNALED)
		run_picture_set_settled(picture, RUN_UNSETTLED);
	if (journal)
		qmp_journal_begin(journal, -1, 0);
}

bool handover_begin(Domain *domain, RunPicture *picture, bool wanted)
{
	int fd = monitor_store_take(domain->host->monitors, domain->uuid);
	bool kept = wanted && fd >= 0;
	RunSettled settled;
	bool joined;

	handover_take_picture(domain, picture);
	if (!domain->journal)
		drop_journal(picture);
	settled = run_picture_get_settled(picture);
	commit_find(domain);
	domain->filters_due = run_picture_get_filters_due(picture);
	domain->kept = fd >= 0;
	recall(domain, kept);
	if (!kept) {
		handover_set_gap(domain, "service-restarted");
		if (fd >= 0)
			(void)close(fd);
		handover_forget(domain);
		return false;
	}
	domain->catching_up = true;
	joined = connection_take_over(domain, fd);
	if (settled == RUN_SETTLED || (settled == RUN_JOURNALED && joined))
		domain->gap_reason = "connection-kept";
	else
		handover_set_gap(domain, "service-restarted");
	/* It was settled with nothing in the journal: from here on that has what is read. */
	if (domain->journal && !has_gap(domain))
		run_picture_set_settled(picture, RUN_JOURNALED);
	/* WARNING: no time-out. It is the first thing that QEMU says after all that was kept, and if QEMU hangs, the
	 * connection is as good as any other. */
	domain_call(domain, "query-version", NULL, -1, on_version, domain_ref(domain));
	return true;
}
