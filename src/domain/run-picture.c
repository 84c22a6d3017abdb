/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/run-picture.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define NOTES_MAGIC "vmheraldpic1"

/* By name: another version of the service may number them otherwise. */
typedef struct ToldState {
	char state[32];
	char reason[32];
} ToldState;

/* Notes in the journal. The state is written where it does not count, and then made to count: a kill in between
 * leaves the one before. */
typedef struct PictureNotes {
	char magic[16];
	_Atomic uint32_t flags;
	_Atomic uint32_t current;    /* of told, plus one; 0: none */
	ToldState told[2];
} PictureNotes;
G_STATIC_ASSERT(sizeof(PictureNotes) <= QMP_JOURNAL_NOTES);

#define SETTLED      0x1u
#define JOURNALED    0x2u
#define FILTERS_DUE  0x4u

struct RunPicture {
	PictureNotes *notes;
	QmpJournal *journal;
};

RunPicture *run_picture_open(const char *directory, GError **error)
{
	QmpJournal *journal = qmp_journal_open(directory, NULL, error);
	RunPicture *picture;

	if (!journal)
		return NULL;
	picture = g_new0(RunPicture, 1);
	picture->journal = journal;
	picture->notes = qmp_journal_get_notes(journal);
	/* New, or of another version. */
	if (memcmp(picture->notes->magic, NOTES_MAGIC, sizeof(NOTES_MAGIC)) != 0) {
		memset(picture->notes, 0, sizeof(*picture->notes));
		memcpy(picture->notes->magic, NOTES_MAGIC, sizeof(NOTES_MAGIC));
	}
	return picture;
}

RunPicture *run_picture_free(RunPicture *picture)
{
	if (!picture)
		return NULL;
	qmp_journal_free(picture->journal);
	g_free(picture);
	return NULL;
}

/* Asked at each event, and seldom news. */
static void set_flags(RunPicture *picture, uint32_t mask, uint32_t flags)
{
	uint32_t before = picture ? atomic_load(&picture->notes->flags) : 0;

	if (picture && (before & mask) != flags)
		atomic_store(&picture->notes->flags, (before & ~mask) | flags);
}

void run_picture_set_settled(RunPicture *picture, RunSettled settled)
{
	static const uint32_t flags[] = {
		[RUN_UNSETTLED] = 0, [RUN_SETTLED] = SETTLED, [RUN_JOURNALED] = JOURNALED,
	};

	set_flags(picture, SETTLED | JOURNALED, flags[settled]);
}

RunSettled run_picture_get_settled(const RunPicture *picture)
{
	uint32_t flags = picture ? atomic_load(&picture->notes->flags) : 0;

	if (flags & JOURNALED)
		return RUN_JOURNALED;
	return flags & SETTLED ? RUN_SETTLED : RUN_UNSETTLED;
}

void run_picture_set_filters_due(RunPicture *picture, bool due)
{
	set_flags(picture, FILTERS_DUE, due ? FILTERS_DUE : 0);
}

bool run_picture_get_filters_due(const RunPicture *picture)
{
	return picture && (atomic_load(&picture->notes->flags) & FILTERS_DUE) != 0;
}

QmpJournal *run_picture_get_journal(const RunPicture *picture)
{
	return picture ? picture->journal : NULL;
}

void run_picture_set_state(RunPicture *picture, DomainState state, LifecycleReason reason)
{
	uint32_t next;
	ToldState *told;

	if (!picture)
		return;
	next = atomic_load(&picture->notes->current) == 1 ? 2 : 1;
	told = &picture->notes->told[next - 1];
	g_strlcpy(told->state, domain_state_to_string(state), sizeof(told->state));
	g_strlcpy(told->reason, lifecycle_reason_to_string(reason), sizeof(told->reason));
	atomic_store(&picture->notes->current, next);
}

bool run_picture_get_state(const RunPicture *picture, DomainState *ret_state,
			   LifecycleReason *ret_reason)
{
	uint32_t current = picture ? atomic_load(&picture->notes->current) : 0;
	DomainState state;
	LifecycleReason reason;
	ToldState told;

	if (current != 1 && current != 2)
		return false;
	told = picture->notes->told[current - 1];
	told.state[sizeof(told.state) - 1] = '\0';
	told.reason[sizeof(told.reason) - 1] = '\0';
	if (!domain_state_from_string(told.state, &state) ||
	    !lifecycle_reason_from_string(told.reason, &reason))
		return false;
	*ret_state = state;
	*ret_reason = reason;
	return true;
}
