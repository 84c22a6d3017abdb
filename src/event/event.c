/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/event.h"

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

Event *event_unref(Event *event)
{
	if (!event || !g_atomic_int_dec_and_test(&event->ref_count))
		return NULL;
	if (event->kind == EVENT_FILTER_CHANGED)
		rx_filter_unref(event->filter_changed.filter);
	g_clear_pointer(&event->strings, g_ptr_array_unref);
	g_clear_pointer(&event->extra, g_variant_dict_unref);
	g_clear_pointer(&event->details, g_variant_unref);
	g_free(event);
	return NULL;
}

const char *event_string(Event *event, const char *string)
{
	char *copy;

	if (!string || !*string)
		return "";
	if (!event->strings)
		event->strings = g_ptr_array_new_with_free_func(g_free);
	copy = g_strdup(string);
	g_ptr_array_add(event->strings, copy);
	return copy;
}

void event_add_detail(Event *event, const char *key, GVariant *value)
{
	g_assert(!event->details);
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
