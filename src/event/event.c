/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/event.h"

#include <string.h>

/* One string of a payload. */
typedef struct EventText EventText;
struct EventText {
	EventText *next;
	char text[];
};

int64_t event_now(void)
{
	return g_get_real_time();
}

Event *event_new(EventKind kind, int64_t time)
{
	Event *event = g_new0(Event, 1);

	event->ref_count = 1;
	event->kind = kind;
	event->time = time > 0 ? time : event_now();
	return event;
}

Event *event_new_lifecycle(int64_t time, LifecycleEvent lifecycle, LifecycleReason reason)
{
	Event *event = event_new(EVENT_LIFECYCLE, time);

	event->lifecycle.event = lifecycle;
	event->lifecycle.reason = reason;
	return event;
}

Event *event_ref(Event *event)
{
	g_atomic_int_inc(&event->ref_count);
	return event;
}

static void free_texts(Event *event)
{
	EventText *text;

	while ((text = event->texts)) {
		event->texts = text->next;
		g_free(text);
	}
}

Event *event_unref(Event *event)
{
	if (!event || !g_atomic_int_dec_and_test(&event->ref_count))
		return NULL;
	if (event->kind == EVENT_FILTER_CHANGED)
		rx_filter_unref(event->filter_changed.filter);
	free_texts(event);
	g_clear_pointer(&event->extra, g_variant_dict_unref);
	g_clear_pointer(&event->details, g_variant_unref);
	g_free(event);
	return NULL;
}

const char *event_string_n(Event *event, const char *string, size_t length)
{
	EventText *text;

	if (length == 0)
		return "";
	text = g_malloc(sizeof(*text) + length + 1);
	text->next = event->texts;
	event->texts = text;
	memcpy(text->text, string, length);
	text->text[length] = '\0';
	return text->text;
}

const char *event_string(Event *event, const char *string)
{
	return event_string_n(event, string, string ? strlen(string) : 0);
}

void event_set_name(Event *event, const char *name)
{
	g_assert(event->stamp.sequence == 0);
	if (event->extra)
		g_variant_dict_remove(event->extra, EVENT_DETAIL_NAME);
	event->name = event_string(event, name);
}

void event_add_detail(Event *event, const char *key, GVariant *value)
{
	bool is_name = g_str_equal(key, EVENT_DETAIL_NAME);

	g_assert(event->stamp.sequence == 0);
	if (is_name && g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
		g_autoptr(GVariant) owned = g_variant_ref_sink(value);

		event_set_name(event, g_variant_get_string(owned, NULL));
		return;
	}
	if (is_name)
		event->name = NULL;
	if (!event->extra)
		event->extra = g_variant_dict_new(NULL);
	g_variant_dict_insert_value(event->extra, key, value);
}

void event_add_resync(Event *event)
{
	event_add_detail(event, "reason", g_variant_new_string("resync"));
}

void event_seal(Event *event, EventStamp stamp)
{
	g_assert(event->stamp.sequence == 0 && stamp.sequence != 0);
	event->stamp = stamp;
	if (event->extra) {
		event->details = g_variant_ref_sink(g_variant_dict_end(event->extra));
		g_clear_pointer(&event->extra, g_variant_dict_unref);
	}
}
