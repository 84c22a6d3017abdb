/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot-id.h"
#include "base/error.h"
#include "event/forgotten.h"

#define FILE_NAME    "history"
#define FILE_MAGIC   "vmheraldhist1"
#define DATA_OFFSET  4096u
#define WRAP         UINT32_MAX      /* instead of a length: the ring goes on at its beginning */

/* The head of the file. Host byte order: it never leaves the machine. */
typedef struct HistoryFile {
	char magic[16];
	char boot_id[48];
	char layout[72];             /* SHA-256 of it, as text */
	_Atomic uint64_t capacity;   /* bytes of data that are allocated */
	_Atomic uint64_t ends;       /* head and tail (Ends): one store moves both */
} HistoryFile;

/* An entry in the file, at a multiple of 8, followed by its arguments. */
typedef struct HistoryRecord {
	uint32_t length;             /* of all of it, a multiple of 8 */
	uint32_t kind;
	uint64_t sequence, previous;
	int64_t time;
	uint32_t n_arguments;        /* bytes */
	uint32_t left_out;           /* they were too long */
	char uuid[40];
} HistoryRecord;
G_STATIC_ASSERT(sizeof(HistoryRecord) % 8 == 0);
G_STATIC_ASSERT(sizeof(HistoryFile) <= DATA_OFFSET);

/* Offsets from DATA_OFFSET, multiples of 8. Equal: empty. */
typedef struct Ends {
	uint64_t head, tail;
} Ends;

struct History {
	HistoryFile *file;
	char *data;
	int fd;
	size_t bytes;                /* that data may become */
	unsigned events;             /* that there may be */
	uint64_t oldest, newest;     /* 0: none */
	uint32_t *offsets;           /* in units of 8 bytes, by sequence modulo events */
	Forgotten *forgotten;        /* NULL: it is being read still */
};

/* ---- the ring ---- */

static Ends get_ends(const History *history)
{
	uint64_t ends = atomic_load(&history->file->ends);

	return (Ends){ (ends >> 32) * 8, (ends & UINT32_MAX) * 8 };
}

static void set_ends(History *history, uint64_t head, uint64_t tail)
{
	atomic_store(&history->file->ends, (head / 8) << 32 | tail / 8);
}

static HistoryRecord *record_at(const History *history, uint64_t offset)
{
	return (HistoryRecord *)(history->data + offset);
}

/* Where the record is that begins at offset, or would if the ring did not end there. */
static uint64_t follow_wrap(const History *history, uint64_t offset)
{
	if (offset == history->file->capacity || record_at(history, offset)->length == WRAP)
		return 0;
	return offset;
}

static void clear(History *history)
{
	set_ends(history, 0, 0);
	history->oldest = history->newest = 0;
}

static void drop_oldest(History *history)
{
	Ends ends = get_ends(history);
	uint64_t at = follow_wrap(history, ends.head);
	const HistoryRecord *record = record_at(history, at);

	if (history->forgotten)
		forgotten_add(history->forgotten, record->uuid, (EventKind)record->kind, record->sequence);
	if (history->oldest == history->newest) {
		clear(history);
		return;
	}
	set_ends(history, at + record->length, ends.tail);
	history->oldest++;
}

static bool grow(History *history)
{
	uint64_t capacity = atomic_load(&history->file->capacity);
	uint64_t wanted = MIN(capacity + HISTORY_GROWTH, history->bytes);

	/* Allocated before it is used: a full disk must not turn into a fault at a later store. */
	if (wanted == capacity ||
	    posix_fallocate(history->fd, 0, (off_t)(DATA_OFFSET + wanted)) != 0)
		return false;
	atomic_store(&history->file->capacity, wanted);
	return true;
}

/* Makes room for a record of that length, which is at most a quarter of the capacity, and returns the offset. */
static uint64_t make_room(History *history, uint32_t length)
{
	for (;;) {
		Ends ends = get_ends(history);
		uint64_t capacity = atomic_load(&history->file->capacity);

		if (ends.tail < ends.head) {
			/* Not up to it: that would be an empty ring. */
			if (ends.tail + length < ends.head)
				return ends.tail;
			drop_oldest(history);
		} else if (ends.tail + length <= capacity) {
			return ends.tail;
		} else if (grow(history)) {
			continue;
		} else if (ends.head <= length) {
			drop_oldest(history);
		} else {
			if (ends.tail < capacity)
				record_at(history, ends.tail)->length = WRAP;
			set_ends(history, ends.head, 0);
		}
	}
}

static uint32_t padded(size_t length)
{
	return (uint32_t)((length + 7) & ~(size_t)7);
}

static bool fits_in(History *history, size_t length)
{
	if (length > HISTORY_ENTRY_MAX)
		return false;
	while (length > atomic_load(&history->file->capacity) / 4)
		if (!grow(history))
			return false;
	return true;
}

void history_append(History *history, const HistoryEntry *entry)
{
	bool fits = entry->arguments && fits_in(history, padded(sizeof(HistoryRecord) + entry->length));
	size_t n_arguments = fits ? entry->length : 0;
	uint32_t length = padded(sizeof(HistoryRecord) + n_arguments);
	HistoryRecord *record;
	uint64_t at;

	/* A hole in the numbers: what comes before it would promise what is not there. */
	if (history->newest != 0 && entry->sequence != history->newest + 1) {
		clear(history);
		forgotten_free(history->forgotten);
		history->forgotten = forgotten_new(entry->sequence - 1);
	}
	if (history->newest != 0 && history->newest - history->oldest + 1 == history->events)
		drop_oldest(history);
	at = make_room(history, length);
	record = record_at(history, at);
	*record = (HistoryRecord){
		.length = length,
		.kind = (uint32_t)entry->kind,
		.sequence = entry->sequence,
		.previous = entry->previous,
		.time = entry->time,
		.n_arguments = (uint32_t)n_arguments,
		.left_out = !fits,
	};
	g_strlcpy(record->uuid, entry->uuid, sizeof(record->uuid));
	if (n_arguments > 0)
		memcpy(record + 1, entry->arguments, n_arguments);
	history->offsets[entry->sequence % history->events] = (uint32_t)(at / 8);
	set_ends(history, get_ends(history).head, at + length);
	history->newest = entry->sequence;
	if (history->oldest == 0)
		history->oldest = entry->sequence;
}

uint64_t history_get_oldest(const History *history)
{
	return history->oldest;
}

uint64_t history_get_newest(const History *history)
{
	return history->newest;
}

uint64_t history_get_last_forgotten(const History *history, const char *uuid, uint64_t kinds)
{
	return forgotten_get_last(history->forgotten, uuid, kinds);
}

bool history_get(const History *history, uint64_t sequence, HistoryEntry *ret_entry)
{
	const HistoryRecord *record;

	if (sequence < history->oldest || sequence > history->newest || sequence == 0)
		return false;
	record = record_at(history, (uint64_t)history->offsets[sequence % history->events] * 8);
	*ret_entry = (HistoryEntry){
		.sequence = record->sequence,
		.previous = record->previous,
		.time = record->time,
		.kind = (EventKind)record->kind,
		.uuid = record->uuid,
		.arguments = record->left_out ? NULL : record + 1,
		.length = record->n_arguments,
	};
	return true;
}

/* ---- the file ---- */

static bool is_record(const History *history, uint64_t at, uint64_t end)
{
	const HistoryRecord *record = record_at(history, at);

	return at + sizeof(*record) <= end && record->length % 8 == 0 && record->length <= end - at &&
	       record->length == padded(sizeof(*record) + (uint64_t)record->n_arguments) &&
	       record->kind < EVENT_KIND_MAX && memchr(record->uuid, '\0', sizeof(record->uuid)) &&
	       (history->newest == 0 ? record->sequence != 0
				     : record->sequence == history->newest + 1);
}

/* Reads what the service before has left; false if it is not a ring. */
static bool walk(History *history)
{
	const Ends ends = get_ends(history);
	uint64_t capacity = atomic_load(&history->file->capacity);
	uint64_t at = ends.head;
	bool wrapped = ends.tail < ends.head;

	if (capacity % 8 != 0 || ends.head > capacity || ends.tail > capacity)
		return false;
	while (at != ends.tail) {
		uint64_t end = wrapped ? capacity : ends.tail;

		if (wrapped && follow_wrap(history, at) == 0 && at != 0) {
			at = 0;
			wrapped = false;
			continue;
		}
		if (!is_record(history, at, end))
			return false;
		/* Fewer are wanted than there were. */
		if (history->newest != 0 && history->newest - history->oldest + 1 == history->events)
			drop_oldest(history);
		history->newest = record_at(history, at)->sequence;
		if (history->oldest == 0)
			history->oldest = history->newest;
		history->offsets[history->newest % history->events] = (uint32_t)(at / 8);
		at += record_at(history, at)->length;
	}
	return true;
}

static bool is_of_this(const HistoryFile *file, off_t size, const char *boot_id, const char *layout)
{
	return memcmp(file->magic, FILE_MAGIC, sizeof(FILE_MAGIC)) == 0 &&
	       memchr(file->boot_id, '\0', sizeof(file->boot_id)) && *boot_id != '\0' &&
	       g_str_equal(file->boot_id, boot_id) &&
	       memchr(file->layout, '\0', sizeof(file->layout)) &&
	       g_str_equal(file->layout, layout) &&
	       file->capacity <= (uint64_t)size - DATA_OFFSET;
}

static bool begin_anew(History *history, const char *boot_id, const char *layout)
{
	memset(history->file, 0, sizeof(*history->file));
	g_strlcpy(history->file->boot_id, boot_id, sizeof(history->file->boot_id));
	g_strlcpy(history->file->layout, layout, sizeof(history->file->layout));
	memcpy(history->file->magic, FILE_MAGIC, sizeof(FILE_MAGIC));
	history->oldest = history->newest = 0;
	return grow(history);
}

/* Its size: that of the head and of what is allocated. -1 and the error. */
static off_t prepare_file(int fd, const char *path, size_t bytes, GError **error)
{
	struct stat status;

	if (fd >= 0 && fstat(fd, &status) == 0) {
		/* Of a larger bound than the one that holds now, or cut off. */
		if ((status.st_size >= (off_t)DATA_OFFSET &&
		     status.st_size <= (off_t)(DATA_OFFSET + bytes)) ||
		    ftruncate(fd, 0) == 0) {
			errno = posix_fallocate(fd, 0, DATA_OFFSET);
			if (errno == 0 && fstat(fd, &status) == 0)
				return status.st_size;
		}
	}
	core_error_set_errno(error, errno, "%s: cannot be made", path);
	return -1;
}

History *history_open(const char *directory, const char *boot_id, const char *layout, uint64_t last,
		      size_t bytes, unsigned events, GError **error)
{
	g_autofree char *path = g_build_filename(directory, FILE_NAME, NULL);
	g_autofree char *this_boot = boot_id ? g_strdup(boot_id) : boot_id_read();
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, layout, -1);
	g_autoptr(History) history = g_new0(History, 1);
	void *memory;
	off_t size;

	history->bytes = CLAMP(bytes, HISTORY_BYTES_MIN, HISTORY_BYTES_MAX) & ~(size_t)7;
	history->events = CLAMP(events, HISTORY_EVENTS_MIN, HISTORY_EVENTS_MAX);
	history->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	size = prepare_file(history->fd, path, history->bytes, error);
	if (size < 0)
		return NULL;
	/* As large as it may become: what the file does not have yet is not touched. */
	memory = mmap(NULL, DATA_OFFSET + history->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      history->fd, 0);
	if (memory == MAP_FAILED) {
		core_error_set_errno(error, errno, "%s: cannot be mapped", path);
		return NULL;
	}
	history->file = memory;
	history->data = (char *)memory + DATA_OFFSET;
	history->offsets = g_new(uint32_t, history->events);

	if (!is_of_this(history->file, size, this_boot, digest) || !walk(history)) {
		if (!begin_anew(history, this_boot, digest)) {
			core_error_set_errno(error, ENOSPC, "%s: cannot be made", path);
			return NULL;
		}
	} else if (history->newest != last && history->newest != last + 1) {
		clear(history);
	}
	history->forgotten = forgotten_new(history->oldest != 0 ? history->oldest - 1 : last);
	return g_steal_pointer(&history);
}

History *history_close(History *history)
{
	if (!history)
		return NULL;
	if (history->file)
		(void)munmap(history->file, DATA_OFFSET + history->bytes);
	if (history->fd >= 0)
		(void)close(history->fd);
	forgotten_free(history->forgotten);
	g_free(history->offsets);
	g_free(history);
	return NULL;
}
