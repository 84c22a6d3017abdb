/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot-id.h"
#include "base/error.h"

#define FILE_MAGIC   "vmheraldqmp2"
#define NOTES_OFFSET 256u
#define DATA_OFFSET  (NOTES_OFFSET + QMP_JOURNAL_NOTES)
#define FILE_SIZE    (QMP_JOURNAL_MAX + QMP_JOURNAL_CHUNK)
/* What a quiet monitor has, with all of its head: one page, for there may be a thousand. */
#define PAGE         4096u
/* A file that has become larger is given back when nothing is in it: at once, or when that little would have done for so
 * many reads one after the other. */
#define KEEP_MAX     (4 * QMP_JOURNAL_CHUNK)
#define CALM_READS   16u

typedef struct Intent {
	uint32_t end;                /* of the message */
	uint32_t told;
	uint64_t last;
} Intent;

/* The head of the file; behind it are the notes. Host byte order: it never leaves the machine. Offsets count from
 * DATA_OFFSET. */
typedef struct JournalFile {
	char magic[16];
	char boot_id[48];
	_Atomic uint64_t connection; /* inode of the socket; 0: none yet */
	_Atomic uint64_t ends;       /* start and end: one store moves both */
	_Atomic uint32_t seen;       /* above the end: what lies between is being taken from the socket */
	_Atomic uint32_t lossy;      /* bytes were taken that are not here */
	_Atomic uint32_t intended;   /* which of the two, plus one; 0: none */
	Intent intents[2];
} JournalFile;
G_STATIC_ASSERT(sizeof(JournalFile) <= NOTES_OFFSET);
G_STATIC_ASSERT(DATA_OFFSET + QMP_JOURNAL_MAX <= FILE_SIZE);

struct QmpJournal {
	JournalFile *file;
	char *data;
	uint32_t allocated;          /* bytes of the file that there is room for on the disk */
	unsigned calm;               /* so often one after the other it was emptied of what a page holds */
	uint64_t base;               /* position of offset 0 */
	uint64_t received;           /* position up to which the socket was read */
	uint64_t missed_until;       /* up to which bytes may be missing here */
	bool hole;                   /* bytes were taken that would come behind the end */
};

/* ---- offsets ---- */

static uint32_t get_start(const QmpJournal *journal)
{
	return (uint32_t)(atomic_load(&journal->file->ends) >> 32);
}

static uint32_t get_end(const QmpJournal *journal)
{
	return (uint32_t)atomic_load(&journal->file->ends);
}

static void set_ends(QmpJournal *journal, uint32_t start, uint32_t end)
{
	atomic_store(&journal->file->ends, (uint64_t)start << 32 | end);
}

/* Where in the file; what is not there any more or not at all counts as its start and its end. */
static uint32_t offset_of(const QmpJournal *journal, uint64_t position)
{
	uint32_t start = get_start(journal), end = get_end(journal);

	if (position <= journal->base + start)
		return start;
	return position - journal->base < end ? (uint32_t)(position - journal->base) : end;
}

/* So much of the file is needed for that many bytes. */
static uint64_t get_size_for(uint64_t bytes)
{
	uint64_t size = DATA_OFFSET + bytes;

	return size <= PAGE ? PAGE : (size + QMP_JOURNAL_CHUNK - 1) / QMP_JOURNAL_CHUNK * QMP_JOURNAL_CHUNK;
}

static uint32_t get_room(const QmpJournal *journal)
{
	return MIN(journal->allocated - DATA_OFFSET, QMP_JOURNAL_MAX);
}

static void give_back(QmpJournal *journal)
{
	if (madvise((char *)journal->file + PAGE, journal->allocated - PAGE, MADV_REMOVE) == 0)
		journal->allocated = PAGE;
	journal->calm = 0;
}

/* Nothing is in it. WARNING: seen first, or what is behind the new end would look as if it were being taken. */
static void rewind_to(QmpJournal *journal, uint64_t position)
{
	uint32_t end = get_end(journal);

	atomic_store(&journal->file->intended, 0);
	atomic_store(&journal->file->seen, 0);
	set_ends(journal, 0, 0);
	journal->base = position;
	if (journal->allocated == PAGE || end == 0)
		return;
	journal->calm = get_size_for(end) == PAGE ? journal->calm + 1 : 0;
	if (journal->allocated > KEEP_MAX || journal->calm >= CALM_READS)
		give_back(journal);
}

static bool grow(QmpJournal *journal, uint64_t wanted)
{
	uint64_t size = get_size_for(wanted);

	/* Allocated before it is used: a full disk must not turn into a fault at a later store. By memory, and not by the
	 * file, for a descriptor more for each domain would be one too many (data/systemd). */
	if (wanted > QMP_JOURNAL_MAX ||
	    madvise((char *)journal->file + journal->allocated, size - journal->allocated,
		    MADV_POPULATE_WRITE) < 0)
		return false;
	journal->allocated = (uint32_t)size;
	return true;
}

/* To the beginning, where it does not count yet, if it fits there beside itself. */
static bool move_to_beginning(QmpJournal *journal)
{
	uint32_t start = get_start(journal), used = get_end(journal) - start;

	if (used > start || atomic_load(&journal->file->intended) != 0)
		return false;
	memcpy(journal->data, journal->data + start, used);
	atomic_store(&journal->file->seen, 0);
	set_ends(journal, 0, used);
	journal->base += start;
	return true;
}

static bool make_room(QmpJournal *journal, size_t n)
{
	if (get_start(journal) == get_end(journal))
		rewind_to(journal, journal->received);
	if (get_end(journal) + n <= get_room(journal))
		return true;
	(void)move_to_beginning(journal);
	return get_end(journal) + n <= get_room(journal) || grow(journal, get_end(journal) + n);
}

/* ---- reading ---- */

bool qmp_journal_note(QmpJournal *journal, const void *bytes, size_t n)
{
	/* What comes behind a hole is put here when nothing is left of what came before it. */
	if (journal->hole && get_start(journal) == get_end(journal))
		journal->hole = false;
	if (journal->hole || !make_room(journal, n)) {
		atomic_store(&journal->file->lossy, 1);
		journal->hole = true;
		return false;
	}
	memcpy(journal->data + get_end(journal), bytes, n);
	atomic_store(&journal->file->seen, get_end(journal) + (uint32_t)n);
	return true;
}

void qmp_journal_take(QmpJournal *journal, size_t n)
{
	uint32_t end = get_end(journal) + (uint32_t)n;

	journal->received += n;
	if (journal->hole) {
		journal->missed_until = journal->received;
		return;
	}
	/* Less than was seen does not come, but if it did, the rest is still in the socket. */
	if (atomic_load(&journal->file->seen) != end)
		atomic_store(&journal->file->seen, end);
	set_ends(journal, get_start(journal), end);
}

static ssize_t receive(int fd, void *buffer, size_t n)
{
	size_t done = 0;

	/* They are there, and nobody else reads: so it is one call. */
	while (done < n) {
		ssize_t more = recv(fd, (char *)buffer + done, n - done, 0);

		if (more <= 0 && !(more < 0 && errno == EINTR))
			return done > 0 ? (ssize_t)done : more;
		done += more > 0 ? (size_t)more : 0;
	}
	return (ssize_t)done;
}

ssize_t qmp_journal_receive(QmpJournal *journal, int fd, void *buffer, size_t room)
{
	ssize_t n = recv(fd, buffer, room, MSG_PEEK);

	if (n <= 0)
		return n;
	(void)qmp_journal_note(journal, buffer, (size_t)n);
	n = receive(fd, buffer, (size_t)n);
	qmp_journal_take(journal, n > 0 ? (size_t)n : 0);
	return n;
}

/* ---- dealing with it ---- */

void qmp_journal_intend(QmpJournal *journal, uint64_t position, uint64_t last, unsigned told)
{
	uint32_t next = atomic_load(&journal->file->intended) == 1 ? 2 : 1;
	Intent *intent = &journal->file->intents[next - 1];

	/* Not here; a part of it may be, which counts for nothing. */
	if (journal->hole && position > journal->base + get_end(journal))
		return;
	*intent = (Intent){ offset_of(journal, position), told, last };
	atomic_store(&journal->file->intended, next);
}

void qmp_journal_commit(QmpJournal *journal, uint64_t position)
{
	uint32_t start = offset_of(journal, position), end = get_end(journal), intended;

	if (start > get_start(journal))
		set_ends(journal, start, end);
	/* Not that of a message which is still to be dealt with once more. */
	intended = atomic_load(&journal->file->intended);
	if (intended != 0 && journal->file->intents[intended == 2].end <= get_start(journal))
		atomic_store(&journal->file->intended, 0);
	if (start == end && end > 0)
		rewind_to(journal, journal->base + end);
	if (position >= journal->missed_until && atomic_load(&journal->file->lossy) != 0) {
		journal->hole = false;
		atomic_store(&journal->file->lossy, 0);
	}
}

bool qmp_journal_is_whole(const QmpJournal *journal)
{
	return atomic_load(&journal->file->lossy) == 0;
}

/* ---- from one service to the next ---- */

static uint64_t get_connection(int fd)
{
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

void qmp_journal_begin(QmpJournal *journal, int fd, uint64_t position)
{
	atomic_store(&journal->file->connection, 0);
	rewind_to(journal, position);
	atomic_store(&journal->file->lossy, position > 0);
	atomic_store(&journal->file->connection, get_connection(fd));
	journal->received = position;
	journal->missed_until = position;
	journal->hole = false;
}

bool qmp_journal_is_blank(const QmpJournal *journal)
{
	return atomic_load(&journal->file->connection) == 0 && get_end(journal) == 0;
}

/* The n bytes at the end of what was seen are still there to be read. */
static bool is_in_socket(int fd, const char *bytes, size_t n)
{
	g_autofree char *found = g_malloc(n);

	return recv(fd, found, n, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)n && memcmp(found, bytes, n) == 0;
}

static void drop_rest_of_line(QmpJournal *journal)
{
	uint32_t start = get_start(journal), end = get_end(journal);

	while (end > start && journal->data[end - 1] != '\n')
		end--;
	atomic_store(&journal->file->seen, 0);
	set_ends(journal, start, end);
}

bool qmp_journal_resume(QmpJournal *journal, int fd)
{
	uint64_t connection = get_connection(fd);
	bool same = connection != 0 && connection == atomic_load(&journal->file->connection);
	uint32_t end = get_end(journal), seen = atomic_load(&journal->file->seen);

	/* No two messages of QEMU's are the same: they have times and ids. */
	if (seen > end && !(same && is_in_socket(fd, journal->data + end, seen - end)))
		set_ends(journal, get_start(journal), seen);
	atomic_store(&journal->file->seen, 0);
	same = same && qmp_journal_is_whole(journal);
	if (!same) {
		atomic_store(&journal->file->lossy, 1);
		drop_rest_of_line(journal);
		atomic_store(&journal->file->connection, connection);
	}
	journal->received = journal->base + get_end(journal);
	journal->missed_until = same ? 0 : journal->received;
	return same;
}

const char *qmp_journal_get_left(const QmpJournal *journal, size_t *ret_length, uint64_t *ret_position)
{
	*ret_length = get_end(journal) - get_start(journal);
	*ret_position = journal->base + get_end(journal);
	return journal->data + get_start(journal);
}

bool qmp_journal_get_intent(const QmpJournal *journal, uint64_t *ret_position, uint64_t *ret_last,
			    unsigned *ret_told)
{
	uint32_t intended = atomic_load(&journal->file->intended);
	const Intent *intent = &journal->file->intents[intended == 2];

	if (intended == 0 || intent->end <= get_start(journal) || intent->end > get_end(journal))
		return false;
	*ret_position = journal->base + intent->end;
	*ret_last = intent->last;
	*ret_told = intent->told;
	return true;
}

/* ---- the file ---- */

static bool is_of_this(const QmpJournal *journal, const char *boot_id)
{
	const JournalFile *file = journal->file;
	uint32_t seen = atomic_load(&file->seen);

	return memcmp(file->magic, FILE_MAGIC, sizeof(FILE_MAGIC)) == 0 &&
	       memchr(file->boot_id, '\0', sizeof(file->boot_id)) && *boot_id != '\0' &&
	       g_str_equal(file->boot_id, boot_id) && get_start(journal) <= get_end(journal) &&
	       get_end(journal) <= QMP_JOURNAL_MAX && seen <= QMP_JOURNAL_MAX &&
	       atomic_load(&file->intended) <= 2;
}

static void begin_file(QmpJournal *journal, const char *boot_id)
{
	JournalFile *file = journal->file;

	memset(file, 0, sizeof(*file));
	atomic_store(&file->lossy, 1);
	g_strlcpy(file->boot_id, boot_id, sizeof(file->boot_id));
	memcpy(file->magic, FILE_MAGIC, sizeof(FILE_MAGIC));
}

/* False and errno. */
static bool prepare_file(int fd)
{
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return false;
	if (status.st_size != FILE_SIZE && (ftruncate(fd, 0) < 0 || ftruncate(fd, FILE_SIZE) < 0))
		return false;
	errno = posix_fallocate(fd, 0, PAGE);
	return errno == 0;
}

static bool map_file(QmpJournal *journal, const char *path, GError **error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *memory = MAP_FAILED;

	if (prepare_file(fd))
		memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		core_error_set_errno(error, errno, "%s: cannot be made", path);
	if (fd >= 0)
		(void)close(fd);
	if (memory == MAP_FAILED)
		return false;
	/* Written to, it is one page that comes into memory; looked at, it would be those around it as well. */
	(void)madvise(memory, PAGE, MADV_POPULATE_WRITE);
	journal->file = memory;
	journal->data = (char *)memory + DATA_OFFSET;
	return true;
}

QmpJournal *qmp_journal_open(const char *directory, const char *boot_id, GError **error)
{
	g_autofree char *path = g_build_filename(directory, QMP_JOURNAL_NAME, NULL);
	g_autofree char *this_boot = boot_id ? g_strdup(boot_id) : boot_id_read();
	g_autoptr(QmpJournal) journal = g_new0(QmpJournal, 1);

	if (!map_file(journal, path, error))
		return NULL;
	if (!is_of_this(journal, this_boot))
		begin_file(journal, this_boot);
	/* What is in it has its place; behind that, the file may be a hole. */
	journal->allocated = (uint32_t)get_size_for(MAX(get_end(journal), atomic_load(&journal->file->seen)));
	return g_steal_pointer(&journal);
}

void *qmp_journal_get_notes(QmpJournal *journal)
{
	return (char *)journal->file + NOTES_OFFSET;
}

QmpJournal *qmp_journal_free(QmpJournal *journal)
{
	if (!journal)
		return NULL;
	if (journal->file)
		(void)munmap(journal->file, FILE_SIZE);
	g_free(journal);
	return NULL;
}
