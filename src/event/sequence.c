/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/sequence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot-id.h"
#include "base/error.h"

#define FILE_MAGIC "vmheraldseq1"
#define BOOT_ID_LENGTH 36

/* The file. Host byte order: it never leaves the machine. */
typedef struct SequenceFile {
	char magic[16];
	char boot_id[48];
	_Atomic uint64_t last;
	_Atomic uint64_t reserved;   /* durable: numbers up to here may have been given out */
} SequenceFile;

struct Sequence {
	SequenceFile *file;
	int fd;
	char *path;
};

static bool extend(Sequence *sequence, uint64_t reserved, GError **error)
{
	atomic_store(&sequence->file->reserved, reserved);
	if (msync(sequence->file, sizeof(*sequence->file), MS_SYNC) < 0 ||
	    fsync(sequence->fd) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be made durable", sequence->path);
		return false;
	}
	return true;
}

static bool check(Sequence *sequence, GError **error)
{
	SequenceFile *file = sequence->file;

	if (memcmp(file->magic, FILE_MAGIC, sizeof(FILE_MAGIC)) == 0 &&
	    memchr(file->boot_id, '\0', sizeof(file->boot_id)) &&
	    file->last < UINT64_MAX / 2 && file->reserved < UINT64_MAX / 2)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
		    "%s: not a sequence file, or damaged. Clients rely on its number never going "
		    "back; remove it only if none of them is to be served again", sequence->path);
	return false;
}

Sequence *sequence_open(const char *directory, const char *boot_id, GError **error)
{
	g_autoptr(Sequence) sequence = g_new0(Sequence, 1);
	g_autofree char *this_boot = boot_id ? g_strdup(boot_id) : boot_id_read();
	struct stat st;
	void *memory;

	sequence->path = g_build_filename(directory, "sequence", NULL);
	sequence->fd = open(sequence->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (sequence->fd < 0 || fstat(sequence->fd, &st) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be opened", sequence->path);
		return NULL;
	}
	/* A file of the wrong size would make the mapping fault. */
	if (st.st_size != 0 && st.st_size != sizeof(SequenceFile)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "%s: not a sequence file: it has %" G_GINT64_FORMAT " bytes instead of %zu",
			    sequence->path, (gint64)st.st_size, sizeof(SequenceFile));
		return NULL;
	}
	/* The blocks are allocated now: a full disk must not turn into a fault at a later store. */
	if (st.st_size == 0 && (errno = posix_fallocate(sequence->fd, 0, sizeof(SequenceFile))) != 0) {
		core_error_set_errno(error, errno, "%s: cannot be made", sequence->path);
		(void)unlink(sequence->path);
		return NULL;
	}
	memory = mmap(NULL, sizeof(SequenceFile), PROT_READ | PROT_WRITE, MAP_SHARED, sequence->fd, 0);
	if (memory == MAP_FAILED) {
		core_error_set_errno(error, errno, "%s: cannot be mapped", sequence->path);
		return NULL;
	}
	sequence->file = memory;

	/* All zero: made by a start that was killed before it wrote the magic. */
	if (sequence->file->magic[0] == '\0' && sequence->file->reserved == 0)
		memcpy(sequence->file->magic, FILE_MAGIC, sizeof(FILE_MAGIC));
	else if (!check(sequence, error))
		return NULL;

	/* A disk that was slow for long may have let the numbers run past the reservation. */
	if (!g_str_equal(sequence->file->boot_id, this_boot) || *this_boot == '\0')
		atomic_store(&sequence->file->last,
			     MAX(sequence->file->last, sequence->file->reserved));
	g_strlcpy(sequence->file->boot_id, this_boot, sizeof(sequence->file->boot_id));
	if (!sequence_reserve(sequence, error))
		return NULL;
	return g_steal_pointer(&sequence);
}

Sequence *sequence_close(Sequence *sequence)
{
	if (!sequence)
		return NULL;
	if (sequence->file)
		(void)munmap(sequence->file, sizeof(*sequence->file));
	if (sequence->fd >= 0)
		(void)close(sequence->fd);
	g_free(sequence->path);
	g_free(sequence);
	return NULL;
}

uint64_t sequence_next(Sequence *sequence)
{
	return atomic_fetch_add(&sequence->file->last, 1) + 1;
}

uint64_t sequence_last(const Sequence *sequence)
{
	return atomic_load(&sequence->file->last);
}

bool sequence_wants_reserve(const Sequence *sequence)
{
	/* Not their difference: it has no sign. */
	return atomic_load(&sequence->file->last) + SEQUENCE_RESERVE / 2 >
	       atomic_load(&sequence->file->reserved);
}

bool sequence_reserve(Sequence *sequence, GError **error)
{
	return extend(sequence, atomic_load(&sequence->file->last) + SEQUENCE_RESERVE, error);
}
