/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/run-picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

#define FILE_MAGIC "vmheraldpic1"

/* By name: another version of the service may number them otherwise. */
typedef struct ToldState {
	char state[32];
	char reason[32];
} ToldState;

/* The file. The state is written where it does not count, and then made to count: a kill in between leaves
 * the one before. */
typedef struct PictureFile {
	char magic[16];
	_Atomic uint32_t flags;
	_Atomic uint32_t current;    /* of told, plus one; 0: none */
	ToldState told[2];
} PictureFile;

#define SETTLED      0x1u
#define JOURNALED    0x2u
#define FILTERS_DUE  0x4u

struct RunPicture {
	PictureFile *file;
	QmpJournal *journal;         /* or NULL */
};

static bool prepare_file(int fd, const char *directory, GError **error)
{
	struct stat status;

	if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size == sizeof(PictureFile))
		return true;
	/* Of another version or cut off: begun anew. The blocks are allocated now, for a full disk must not turn
	 * into a fault at a later store. */
	if (fd >= 0 && ftruncate(fd, 0) == 0 &&
	    (errno = posix_fallocate(fd, 0, sizeof(PictureFile))) == 0)
		return true;
	core_error_set_errno(error, errno, "%s/" RUN_PICTURE_NAME ": cannot be made", directory);
	return false;
}

RunPicture *run_picture_open(const char *directory, GError **error)
{
	g_autoptr(GError) journal_error = NULL;
	g_autofree char *path = g_build_filename(directory, RUN_PICTURE_NAME, NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *memory = MAP_FAILED;
	RunPicture *picture;

	if (prepare_file(fd, directory, error)) {
		memory = mmap(NULL, sizeof(PictureFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (memory == MAP_FAILED)
			core_error_set_errno(error, errno, "%s: cannot be mapped", path);
	}
	if (fd >= 0)
		(void)close(fd);
	if (memory == MAP_FAILED)
		return NULL;

	picture = g_new0(RunPicture, 1);
	picture->file = memory;
	if (memcmp(picture->file->magic, FILE_MAGIC, sizeof(FILE_MAGIC)) != 0) {
		memset(memory, 0, sizeof(PictureFile));
		memcpy(picture->file->magic, FILE_MAGIC, sizeof(FILE_MAGIC));
	}
	picture->journal = qmp_journal_open(directory, NULL, &journal_error);
	if (!picture->journal)
		log_problem(LOG_ID_STORE_FAILED, directory, journal_error->message);
	return picture;
}

RunPicture *run_picture_free(RunPicture *picture)
{
	if (!picture)
		return NULL;
	(void)munmap(picture->file, sizeof(*picture->file));
	qmp_journal_free(picture->journal);
	g_free(picture);
	return NULL;
}

/* Asked at each event, and seldom news. */
static void set_flags(RunPicture *picture, uint32_t mask, uint32_t flags)
{
	uint32_t before = picture ? atomic_load(&picture->file->flags) : 0;

	if (picture && (before & mask) != flags)
		atomic_store(&picture->file->flags, (before & ~mask) | flags);
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
	uint32_t flags = picture ? atomic_load(&picture->file->flags) : 0;

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
	return picture && (atomic_load(&picture->file->flags) & FILTERS_DUE) != 0;
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
	next = atomic_load(&picture->file->current) == 1 ? 2 : 1;
	told = &picture->file->told[next - 1];
	g_strlcpy(told->state, domain_state_to_string(state), sizeof(told->state));
	g_strlcpy(told->reason, lifecycle_reason_to_string(reason), sizeof(told->reason));
	atomic_store(&picture->file->current, next);
}

bool run_picture_get_state(const RunPicture *picture, DomainState *ret_state,
			   LifecycleReason *ret_reason)
{
	uint32_t current = picture ? atomic_load(&picture->file->current) : 0;
	DomainState state;
	LifecycleReason reason;
	ToldState told;

	if (current != 1 && current != 2)
		return false;
	told = picture->file->told[current - 1];
	told.state[sizeof(told.state) - 1] = '\0';
	told.reason[sizeof(told.reason) - 1] = '\0';
	if (!domain_state_from_string(told.state, &state) ||
	    !lifecycle_reason_from_string(told.reason, &reason))
		return false;
	*ret_state = state;
	*ret_reason = reason;
	return true;
}
