/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/decode-plain.h"

#include <string.h>

static bool has_type(const EventField *field, const QmpPlainMember *member)
{
	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_WORD:
		return member->type == QMP_PLAIN_TEXT;
	case FIELD_FLAG:
	case FIELD_SWITCH:
		return member->type == QMP_PLAIN_BOOLEAN;
	case FIELD_INT:
	case FIELD_SIZE:
		return member->type == QMP_PLAIN_INTEGER;
	default:
		return false;
	}
}

/* NULL if it is not among those known. */
static const char *find_word(const EventField *field, const QmpPlainText *text)
{
	for (const char *const *word = field->values; *word; word++)
		if (strlen(*word) == text->length && memcmp(*word, text->at, text->length) == 0)
			return *word;
	return NULL;
}

static const char *get_text(Event *event, const EventField *field, const QmpPlainMember *member)
{
	switch (field->type) {
	case FIELD_WORD:
		return find_word(field, &member->text);
	case FIELD_SWITCH:
		return field->values[member->flag ? 0 : 1];
	default:
		return event_string_n(event, member->text.at, member->text.length);
	}
}

static void put_payload(Event *event, const EventField *field, const QmpPlainMember *member)
{
	void *place = (char *)event + field->offset;

	if (field->type == FIELD_FLAG)
		*(bool *)place = member->flag;
	else if (field->type == FIELD_INT || field->type == FIELD_SIZE)
		*(int64_t *)place = member->number;
	else
		*(const char **)place = get_text(event, field, member);
}

static GVariant *make_detail(const EventField *field, const QmpPlainMember *member)
{
	switch (field->type) {
	case FIELD_SIZE:
		return g_variant_new_uint64((uint64_t)member->number);
	case FIELD_INT:
		return g_variant_new_int64(member->number);
	case FIELD_FLAG:
	case FIELD_SWITCH:
		return g_variant_new_boolean(member->flag);
	case FIELD_WORD:
		return g_variant_new_string(find_word(field, &member->text));
	default:
		return g_variant_new_take_string(g_strndup(member->text.at, member->text.length));
	}
}

static void put_nothing(Event *event, const EventField *field)
{
	if (field->offset > 0 && (field->type == FIELD_TEXT || field->type == FIELD_WORD ||
				  field->type == FIELD_SWITCH))
		*(const char **)((char *)event + field->offset) = "";
}

/* False: it is not as it should be. named: bits by the index of the member. */
static bool read_field(Event *event, const EventField *field, const QmpPlainEvent *plain, unsigned *named)
{
	const QmpPlainMember *member;

	if (field->type == FIELD_CONSTANT) {
		*(const char **)((char *)event + field->offset) = field->values[0];
		return true;
	}
	member = qmp_plain_event_find(plain, field->member);
	if (!member) {
		put_nothing(event, field);
		return field->optional;
	}
	*named |= 1u << (member - plain->members);
	if (!has_type(field, member) || (field->type == FIELD_WORD && !find_word(field, &member->text)))
		return false;
	if (field->offset > 0)
		put_payload(event, field, member);
	else
		event_add_detail(event, field->detail, make_detail(field, member));
	return true;
}

/* What a field could name. */
static unsigned get_values(const QmpPlainEvent *plain)
{
	unsigned values = 0;

	G_STATIC_ASSERT(QMP_PLAIN_MEMBERS_MAX <= 32);
	for (unsigned i = 0; i < plain->n_members; i++)
		values |= plain->members[i].type != QMP_PLAIN_OBJECT ? 1u << i : 0;
	return values;
}

Event *event_decode_plain(const EventRow *row, const QmpPlainEvent *plain, int64_t time)
{
	g_autoptr(Event) event = NULL;
	unsigned named = 0;

	if (row->complete && (row->fields || plain->n_members > 0))
		return NULL;
	event = event_new(row->kind, time);
	for (const EventField *field = row->fields; field && field->type != FIELD_NONE; field++)
		if (!read_field(event, field, plain, &named))
			return NULL;
	if (named != get_values(plain))
		return NULL;
	if (row->complete)
		row->complete(NULL, event);
	return g_steal_pointer(&event);
}
