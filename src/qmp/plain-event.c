/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/plain-event.h"

#include <string.h>

/* Each step moves the reader on, or returns false, and then nothing of it counts. */
typedef struct Reader {
	const char *at;                 /* the line ends in NUL, which no step takes */
	QmpPlainEvent *event;
} Reader;

static void skip_blanks(Reader *reader)
{
	while (*reader->at == ' ')
		reader->at++;
}

static bool take(Reader *reader, char c)
{
	skip_blanks(reader);
	if (*reader->at != c)
		return false;
	reader->at++;
	return true;
}

static bool take_text(Reader *reader, QmpPlainText *ret_text)
{
	const char *start;

	if (!take(reader, '"'))
		return false;
	start = reader->at;
	while (*reader->at != '"') {
		if (*reader->at < ' ' || *reader->at > '~' || *reader->at == '\\')
			return false;
		reader->at++;
	}
	*ret_text = (QmpPlainText){ start, (unsigned)(reader->at++ - start) };
	return true;
}

#define DIGITS_MAX 18   /* that fit for sure */

static bool take_integer(Reader *reader, int64_t *ret_number)
{
	const char *start;
	int64_t number = 0;
	bool negative;

	skip_blanks(reader);
	negative = *reader->at == '-';
	start = reader->at += negative;
	while (g_ascii_isdigit(*reader->at) && reader->at - start < DIGITS_MAX)
		number = number * 10 + (*reader->at++ - '0');
	if (reader->at == start)
		return false;
	if (*start == '0' && (negative || reader->at - start > 1))
		return false;
	/* What is left of a longer number, or of one with a point, is not what may follow. */
	*ret_number = negative ? -number : number;
	return true;
}

static bool take_word(Reader *reader, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(reader->at, word, length) != 0)
		return false;
	reader->at += length;
	return true;
}

static bool texts_equal(const QmpPlainText *text, const char *other, size_t length)
{
	return text->length == length && memcmp(text->at, other, length) == 0;
}

static bool is_text(const QmpPlainText *text, const char *other)
{
	return texts_equal(text, other, strlen(other));
}

static bool take_object(Reader *reader, int parent);

static bool take_value(Reader *reader, int index)
{
	QmpPlainMember *member = &reader->event->members[index];

	skip_blanks(reader);
	switch (*reader->at) {
	case '"':
		member->type = QMP_PLAIN_TEXT;
		return take_text(reader, &member->text);
	case '{':
		member->type = QMP_PLAIN_OBJECT;
		return member->parent < 0 && take_object(reader, index);
	case 't':
	case 'f':
		member->type = QMP_PLAIN_BOOLEAN;
		member->flag = *reader->at == 't';
		return take_word(reader, member->flag ? "true" : "false");
	default:
		member->type = QMP_PLAIN_INTEGER;
		return take_integer(reader, &member->number);
	}
}

/* A path names one member: so a key comes once, and has no point. */
static bool is_new_key(const QmpPlainEvent *event, const QmpPlainMember *member)
{
	for (const QmpPlainMember *other = event->members; other < member; other++)
		if (other->parent == member->parent &&
		    texts_equal(&other->key, member->key.at, member->key.length))
			return false;
	return !memchr(member->key.at, '.', member->key.length);
}

static bool take_object(Reader *reader, int parent)
{
	QmpPlainEvent *event = reader->event;

	if (!take(reader, '{'))
		return false;
	if (take(reader, '}'))
		return true;
	do {
		QmpPlainMember *member = &event->members[event->n_members];

		if (event->n_members == QMP_PLAIN_MEMBERS_MAX)
			return false;
		member->parent = parent;
		if (!take_text(reader, &member->key) || !is_new_key(event, member) || !take(reader, ':') ||
		    !take_value(reader, (int)event->n_members++))
			return false;
	} while (take(reader, ','));
	return take(reader, '}');
}

static bool take_timestamp(Reader *reader)
{
	static const char *const keys[] = { "seconds", "microseconds" };
	int64_t *const numbers[] = { &reader->event->seconds, &reader->event->microseconds };
	QmpPlainText key;

	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
		if (!take(reader, i == 0 ? '{' : ',') || !take_text(reader, &key) || !is_text(&key, keys[i]) ||
		    !take(reader, ':') || !take_integer(reader, numbers[i]) || *numbers[i] < 0)
			return false;
	return take(reader, '}');
}

static bool take_name(Reader *reader)
{
	return take_text(reader, &reader->event->name) && reader->event->name.length > 0;
}

static bool take_data(Reader *reader)
{
	return take_object(reader, -1);
}

static bool take_line(Reader *reader)
{
	static const struct {
		const char *key;
		bool (*take)(Reader *reader);
	} parts[] = { { "timestamp", take_timestamp }, { "event", take_name }, { "data", take_data } };
	unsigned taken = 0;
	QmpPlainText key;

	if (!take(reader, '{'))
		return false;
	do {
		unsigned i = 0;

		if (!take_text(reader, &key))
			return false;
		while (i < G_N_ELEMENTS(parts) && !is_text(&key, parts[i].key))
			i++;
		if (i == G_N_ELEMENTS(parts) || (taken & 1u << i) || !take(reader, ':') ||
		    !parts[i].take(reader))
			return false;
		taken |= 1u << i;
	} while (take(reader, ','));
	if (!take(reader, '}'))
		return false;
	skip_blanks(reader);
	return (taken & 1u << 1) && *reader->at == '\0';
}

QmpPlainEvent *qmp_plain_event_read(const char *line, size_t length)
{
	QmpPlainEvent *event;
	Reader reader;

	if (length > QMP_PLAIN_LENGTH_MAX)
		return NULL;
	event = g_malloc(sizeof(*event) + length + 1);
	event->seconds = event->microseconds = 0;
	event->name.length = event->n_members = 0;
	event->length = (unsigned)length;
	memcpy(event->line, line, length);
	event->line[length] = '\0';
	reader = (Reader){ event->line, event };
	/* A NUL in it ends it before its end. */
	if (take_line(&reader) && reader.at == event->line + length)
		return event;
	g_free(event);
	return NULL;
}

const QmpPlainMember *qmp_plain_event_find(const QmpPlainEvent *event, const char *path)
{
	const char *point = strchr(path, '.');
	size_t length = point ? (size_t)(point - path) : strlen(path);

	for (unsigned i = 0; i < event->n_members; i++) {
		const QmpPlainMember *member = &event->members[i], *object;

		if (!point && member->parent < 0 && texts_equal(&member->key, path, length))
			return member;
		if (!point || member->parent < 0)
			continue;
		object = &event->members[member->parent];
		if (texts_equal(&object->key, path, length) && is_text(&member->key, point + 1))
			return member;
	}
	return NULL;
}
