/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/json-read.h"
#include "base/json-text.h"

static const char *initiator(bool guest)
{
	return guest ? "guest" : "host";
}

static bool decode_lifecycle(Event *event, LifecycleEvent lifecycle, LifecycleReason reason)
{
	event->lifecycle.event = lifecycle;
	event->lifecycle.reason = reason;
	return true;
}

/* Why it stopped is not in the event; the domain knows from what came before (domain/lifecycle.c). */
static bool decode_stop(JsonObject *data, Event *event)
{
	return decode_lifecycle(event, LIFECYCLE_SUSPENDED, LIFECYCLE_REASON_PAUSED);
}

static bool decode_resume(JsonObject *data, Event *event)
{
	return decode_lifecycle(event, LIFECYCLE_RESUMED, LIFECYCLE_REASON_UNPAUSED);
}

static bool decode_suspend(JsonObject *data, Event *event)
{
	return decode_lifecycle(event, LIFECYCLE_PM_SUSPENDED, LIFECYCLE_REASON_MEMORY);
}

static bool decode_suspend_disk(JsonObject *data, Event *event)
{
	return decode_lifecycle(event, LIFECYCLE_PM_SUSPENDED, LIFECYCLE_REASON_DISK);
}

static bool decode_wakeup(JsonObject *data, Event *event)
{
	return decode_lifecycle(event, LIFECYCLE_STARTED, LIFECYCLE_REASON_WAKEUP);
}

static bool decode_shutdown(JsonObject *data, Event *event)
{
	bool guest;
	const char *cause;

	if (!json_read_bool(data, "guest", &guest) || !json_read_string(data, "reason", &cause))
		return false;
	event_add_detail(event, "guest", g_variant_new_boolean(guest));
	event_add_detail(event, "cause", g_variant_new_string(cause));
	return decode_lifecycle(event, LIFECYCLE_SHUTDOWN,
				guest ? LIFECYCLE_REASON_GUEST : LIFECYCLE_REASON_HOST);
}

static bool decode_reset(JsonObject *data, Event *event)
{
	bool guest;
	const char *cause;

	if (!json_read_bool(data, "guest", &guest) || !json_read_string(data, "reason", &cause))
		return false;
	event->reset.initiator = initiator(guest);
	event->reset.cause = event_string(event, cause);
	return true;
}

/* Who asked is not in the event; the domain knows whether it was a Shutdown() or a watchdog. */
static bool decode_powerdown(JsonObject *data, Event *event)
{
	event->powerdown_requested.source = "host";
	return true;
}

static bool decode_watchdog(JsonObject *data, Event *event)
{
	const char *action;

	if (!json_read_string(data, "action", &action))
		return false;
	event->watchdog.action = event_string(event, action);
	return true;
}

/* The panic information is a union by its "type" (GuestPanicInformation, qapi/run-state.json): its
 * members become details. */
static void add_panic_information(JsonObject *info, Event *event)
{
	JsonObjectIter iter;
	const char *member;
	JsonNode *node;

	if (!info)
		return;
	json_object_iter_init(&iter, info);
	while (json_object_iter_next(&iter, &member, &node)) {
		g_autofree char *key = NULL;

		if (!JSON_NODE_HOLDS_VALUE(node))
			continue;
		key = g_strdup_printf("info-%s", member);
		if (json_node_get_value_type(node) == G_TYPE_STRING)
			event_add_detail(event, key,
					 g_variant_new_string(json_node_get_string(node)));
		else if (json_node_get_value_type(node) == G_TYPE_INT64)
			event_add_detail(event, key,
					 g_variant_new_uint64((uint64_t)json_node_get_int(node)));
	}
}

static bool decode_guest_panicked(JsonObject *data, Event *event)
{
	const char *action;

	if (!json_read_string(data, "action", &action))
		return false;
	event->panicked.action = event_string(event, action);
	add_panic_information(json_read_object(data, "info"), event);
	return true;
}

static bool decode_guest_crashloaded(JsonObject *data, Event *event)
{
	const char *action;

	if (json_read_string(data, "action", &action))
		event_add_detail(event, "action", g_variant_new_string(action));
	add_panic_information(json_read_object(data, "info"), event);
	return decode_lifecycle(event, LIFECYCLE_CRASHED, LIFECYCLE_REASON_CRASHLOADED);
}

static bool decode_device_deleted(JsonObject *data, Event *event)
{
	const char *id = "", *path;

	if (!json_read_string(data, "path", &path))
		return false;
	(void)json_read_string(data, "device", &id);
	event->device_removed.id = event_string(event, id);
	event->device_removed.qom_path = event_string(event, path);
	return true;
}

static bool decode_nic_rx_filter_changed(JsonObject *data, Event *event)
{
	const char *nic = "";

	(void)json_read_string(data, "name", &nic);
	event->filter_changed.nic = event_string(event, nic);
	return true;
}

/* Keep this sorted by name: it is searched by bisection, and a test looks. */
static const EventRow rows[] = {
	{ "DEVICE_DELETED", EVENT_CLASS_PREPARE, EVENT_DEVICE_REMOVED, decode_device_deleted },
	{ "GUEST_CRASHLOADED", EVENT_CLASS_STREAM, EVENT_LIFECYCLE, decode_guest_crashloaded },
	{ "GUEST_PANICKED", EVENT_CLASS_STREAM, EVENT_PANICKED, decode_guest_panicked },
	{ "NIC_RX_FILTER_CHANGED", EVENT_CLASS_TRIGGER, EVENT_FILTER_CHANGED,
	  decode_nic_rx_filter_changed },
	{ "POWERDOWN", EVENT_CLASS_STREAM, EVENT_POWERDOWN_REQUESTED, decode_powerdown },
	{ "RESET", EVENT_CLASS_STREAM, EVENT_RESET, decode_reset },
	{ "RESUME", EVENT_CLASS_STREAM, EVENT_LIFECYCLE, decode_resume },
	{ "SHUTDOWN", EVENT_CLASS_STREAM, EVENT_LIFECYCLE, decode_shutdown },
	{ "STOP", EVENT_CLASS_STREAM, EVENT_LIFECYCLE, decode_stop },
	{ "SUSPEND", EVENT_CLASS_STREAM, EVENT_LIFECYCLE, decode_suspend },
	{ "SUSPEND_DISK", EVENT_CLASS_STREAM, EVENT_LIFECYCLE, decode_suspend_disk },
	{ "WAKEUP", EVENT_CLASS_STREAM, EVENT_LIFECYCLE, decode_wakeup },
	{ "WATCHDOG", EVENT_CLASS_STREAM, EVENT_WATCHDOG, decode_watchdog },
};

static int compare_name(const void *key, const void *row)
{
	return strcmp(key, ((const EventRow *)row)->name);
}

const EventRow *event_table_lookup(const char *name)
{
	return bsearch(name, rows, G_N_ELEMENTS(rows), sizeof(rows[0]), compare_name);
}

const EventRow *event_table_rows(size_t *ret_count)
{
	*ret_count = G_N_ELEMENTS(rows);
	return rows;
}

/* Told as it came, also where it is no object and so no data for a decoder. */
static char *get_data_text(const QmpMessage *message)
{
	JsonNode *data = json_object_get_member(json_node_get_object(message->root), "data");

	return data ? json_text_from_node(data) : g_strdup("{}");
}

Event *event_decode(const QmpMessage *message)
{
	const EventRow *row = event_table_lookup(message->name);
	g_autofree char *data = NULL;
	Event *event;

	if (row) {
		g_autoptr(Event) typed = event_new(row->kind, message->time);

		if (row->decode(json_node_as_object(message->body), typed))
			return g_steal_pointer(&typed);
		g_message("%s: a mandatory member is missing or of the wrong type; passed on as "
			  "it is", message->name);
	}

	event = event_new(EVENT_MONITOR_EVENT, message->time);
	event->monitor_event.name = event_string(event, message->name);
	data = get_data_text(message);
	if (strlen(data) <= EVENT_DATA_MAX) {
		event->monitor_event.data = event_string(event, data);
	} else {
		event->monitor_event.data = "{}";
		event_add_detail(event, "omitted-bytes", g_variant_new_uint64(strlen(data)));
	}
	return event;
}
