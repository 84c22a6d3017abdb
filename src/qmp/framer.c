/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/framer.h"

#include <string.h>

#include "base/error.h"

/*
 *            start          scanned    end          capacity
 *    | handed out | line \n | line be   | room        |
 *
 * scanned is how far a line end has been looked for in vain, so that a long line which comes in a
 * thousand reads is searched once and not a thousand times.
 *
 * All framers read into the same memory, one after the other: most of a thousand monitors have nothing to say, and then
 * have no buffer either. Whoever was there before takes what he has not handed out along, into memory of its length;
 * with his next read he brings it back. Only a line that is longer than one read gets room of its own to grow in.
 */

#define ROOM (64u * 1024)

struct QmpFramer {
	char *data;                  /* its own, or shared.bytes */
	size_t capacity;
	size_t start;
	size_t scanned;
	size_t end;
	uint64_t handed_out;
};

/* Enough for a read behind what is taken along from the one before it. */
static struct {
	char bytes[2 * ROOM];
	QmpFramer *user;             /* NULL: nobody's bytes are in it */
} shared;

QmpFramer *qmp_framer_new(void)
{
	return g_new0(QmpFramer, 1);
}

/* data may be NULL. */
static void set_data(QmpFramer *framer, char *data, size_t capacity)
{
	if (shared.user == framer)
		shared.user = NULL;
	else
		g_free(framer->data);
	framer->data = data;
	framer->capacity = capacity;
}

QmpFramer *qmp_framer_free(QmpFramer *framer)
{
	if (!framer)
		return NULL;
	set_data(framer, NULL, 0);
	g_free(framer);
	return NULL;
}

static void clear(QmpFramer *framer)
{
	set_data(framer, NULL, 0);
	framer->start = 0;
	framer->scanned = 0;
	framer->end = 0;
}

/* To the beginning of data, which has room for it, and may be where it is. */
static void move_to(QmpFramer *framer, char *data, size_t capacity)
{
	size_t used = framer->end - framer->start;

	if (used > 0)
		memmove(data, framer->data + framer->start, used);
	if (data != framer->data)
		set_data(framer, data, capacity);
	framer->scanned -= framer->start;
	framer->end = used;
	framer->start = 0;
}

/* Whoever is in it takes along what he has. */
static void vacate_shared(void)
{
	QmpFramer *user = shared.user;

	if (user && user->end == user->start)
		clear(user);
	else if (user)
		move_to(user, g_malloc(user->end - user->start), user->end - user->start);
}

char *qmp_framer_reserve(QmpFramer *framer, size_t *ret_room)
{
	size_t used = framer->end - framer->start;

	if (shared.user != framer && used <= ROOM) {
		vacate_shared();
		move_to(framer, shared.bytes, sizeof(shared.bytes));
		shared.user = framer;
	} else if (framer->start > 0) {
		move_to(framer, framer->data, framer->capacity);
	}
	if (framer->capacity - used < ROOM) {
		/* Doubled, so that the copying stays in proportion to what came in. */
		size_t capacity = MAX(MIN(2 * framer->capacity, QMP_MESSAGE_MAX + 2 * ROOM), used + ROOM);

		move_to(framer, g_malloc(capacity), capacity);
	}

	/* Never more than this at once: the next line after an over-long one cannot be in it. */
	*ret_room = ROOM;
	return framer->data + framer->end;
}

/* The line end in front of which the line at start ends, or NULL; remembers how far it looked. */
static const char *find_line_end(QmpFramer *framer)
{
	const char *line_end = NULL;

	if (framer->end > framer->scanned)
		line_end = memchr(framer->data + framer->scanned, '\n', framer->end - framer->scanned);
	framer->scanned = line_end ? (size_t)(line_end - framer->data) : framer->end;
	return line_end;
}

bool qmp_framer_commit(QmpFramer *framer, size_t length, GError **error)
{
	g_assert(length <= framer->capacity - framer->end);

	framer->end += length;
	find_line_end(framer);
	/* Only the first line can be too long: it takes many reads, and what was before it has been
	 * handed out in between. One byte over the bound is allowed for a CR whose LF may be under
	 * way. */
	if (framer->scanned - framer->start <= QMP_MESSAGE_MAX)
		return true;
	if (framer->scanned - framer->start == QMP_MESSAGE_MAX + 1 &&
	    framer->data[framer->scanned - 1] == '\r')
		return true;

	clear(framer);
	g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
		    "a message of more than %u bytes", QMP_MESSAGE_MAX);
	return false;
}

bool qmp_framer_next(QmpFramer *framer, const char **ret_line, size_t *ret_length)
{
	const char *line_end;

	while ((line_end = find_line_end(framer))) {
		const char *line = framer->data + framer->start;
		size_t length = (size_t)(line_end - line);

		framer->handed_out += length + 1;
		framer->start = framer->scanned = (size_t)(line_end - framer->data) + 1;
		if (length > 0 && line[length - 1] == '\r')
			length--;
		if (length == 0)
			continue;
		*ret_line = line;
		*ret_length = length;
		return true;
	}
	/* A long message must not cost its memory until the next one comes. */
	if (framer->end == framer->start)
		clear(framer);
	return false;
}

bool qmp_framer_has_partial(const QmpFramer *framer)
{
	return framer->end > framer->start && framer->data[framer->end - 1] != '\n';
}

uint64_t qmp_framer_get_handed_out(const QmpFramer *framer)
{
	return framer->handed_out;
}

uint64_t qmp_framer_get_received(const QmpFramer *framer)
{
	return framer->handed_out + (framer->end - framer->start);
}

bool qmp_framer_is_empty(const QmpFramer *framer)
{
	return framer->end == framer->start;
}
