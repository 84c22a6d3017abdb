/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * From one service to the next: the connection to QEMU is kept outside of the process (monitor-store.h), and what
 * was told last is in a picture (run-picture.h).
 *
 *    before                                 after
 *    handshake done: kept                   handover_begin(): taken over, with the state that was told last
 *    bytes taken: unsettled                 events of the time between come first, in QEMU's order
 *    all of it told: settled                the answer to our first question: caught up
 *    the connection or the run is over:     state read afresh (resync.c), then Resynchronized
 *      forgotten
 *
 * What is guaranteed: if the picture is settled and the stream begins with a whole message, everything that QEMU
 * said was told or is in the stream, and Resynchronized says connection-kept. In any other case something may
 * have been read and not told, and it says service-restarted, as without a store. "Told" is: written to
 * the socket of the bus (domain_event_sent()).
 *
 * While it catches up, QEMU is not asked about single events: its answer would come behind all that waits, and
 * would speak of another time.
 */

/* ---- settled ---- */

void handover_taking(Domain *domain)
{
	run_picture_set_unsettled(domain->picture, true);
}

/* Cheap things first: this is asked at each event. */
static bool is_settled(const Domain *domain)
{
	return domain->unsent == 0 && !domain->gap_reason && !domain->catching_up &&
	       strand_get_length(domain->events) == 0 && qmp_monitor_is_drained(domain->monitor) &&
	       domain->refreshing == 0 && !domain->resync && domain->prepares == 0 &&
	       !filter_watch_is_busy(domain->filter_watch);
}

void handover_update_settled(Domain *domain)
{
	if (domain->host && domain->picture && domain->monitor && is_settled(domain))
		run_picture_set_unsettled(domain->picture, false);
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

/* From here on something is lost; that is told when the state has been read. */
static void give_up(Domain *domain)
{
	domain->gap_reason = "service-restarted";
}

void handover_note_event(Domain *domain)
{
	/* It did not answer in time, and was told as lost. Now it does, and its events go on from where it was. */
	if (domain->catching_up && domain->state == DOMAIN_STATE_UNKNOWN)
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

bool handover_begin(Domain *domain, RunPicture *picture, bool wanted)
{
	int fd = monitor_store_take(domain->host->monitors, domain->uuid);
	bool kept = wanted && fd >= 0;

	run_picture_free(domain->picture);
	domain->picture = picture;
	domain->gap_reason = kept && !run_picture_is_unsettled(picture) ? "connection-kept"
									: "service-restarted";
	domain->kept = fd >= 0;
	recall(domain, kept);
	if (!kept) {
		if (fd >= 0)
			(void)close(fd);
		handover_forget(domain);
		return false;
	}
	domain->catching_up = true;
	connection_take_over(domain, fd);
	/* WARNING: no time-out. It is the first thing that QEMU says after all that was kept, and if QEMU hangs, the
	 * connection is as good as any other. */
	domain_call(domain, "query-version", NULL, -1, on_version, domain_ref(domain));
	return true;
}
