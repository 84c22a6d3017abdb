/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"

/*
 * An event of QEMU's is dealt with once, wherever a kill of the service comes.
 *
 *    commit_begin()    the journal notes it: this message, and the number of the last event
 *        ...           states are entered, events are told; the history has each before its number is taken
 *    commit_end()      the picture has the state; the journal begins behind the message
 *
 * Killed in between, the next service deals with the message once more, from the state that was told before it, and leaves
 * out as many events as the history has of it: what was told is not told twice, what was not is told, and what the domain
 * makes of it is made.
 *
 * Without a history none of this could be known; then there is no journal either (handover.c).
 */

void commit_find(Domain *domain)
{
	Commit *commit = &domain->commit;
	uint64_t last;
	unsigned told;

	*commit = (Commit){ 0 };
	if (!domain->journal || !qmp_journal_get_intent(domain->journal, &commit->found, &last, &told))
		return;
	commit->found_told = told + domain->host->count_told(domain, last, domain->host->userdata);
}

void commit_begin(Domain *domain, uint64_t position)
{
	Commit *commit = &domain->commit;

	commit->under_way = true;
	if (position == commit->found)
		commit->left_out = commit->found_told;
	qmp_journal_intend(domain->journal, position, domain->host->get_last(domain->host->userdata),
			   commit->left_out);
}

bool commit_was_told(Domain *domain)
{
	if (domain->commit.left_out == 0)
		return false;
	domain->commit.left_out--;
	return true;
}

void commit_note_state(Domain *domain)
{
	if (domain->commit.under_way)
		domain->commit.state_behind = true;
	else
		run_picture_set_state(domain->picture, domain->state, domain->state_reason);
}

void commit_end(Domain *domain, uint64_t position)
{
	Commit *commit = &domain->commit;

	/* Unknown says nothing of the guest. */
	if (commit->state_behind && domain->state != DOMAIN_STATE_UNKNOWN)
		run_picture_set_state(domain->picture, domain->state, domain->state_reason);
	commit->under_way = false;
	commit->state_behind = false;
	commit->left_out = 0;
	if (position >= commit->found)
		commit->found = 0;
	qmp_journal_commit(domain->journal, position);
}
