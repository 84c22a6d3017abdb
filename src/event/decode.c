/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/decode.h"

#include <string.h>

#include "base/json-read.h"
#include "base/json-text.h"
#include "event/decode-plain.h"
#include "event/table.h"

/* Told as it came, also where it is no object and so has no members. */
static char *get_data_text(const QmpMessage *message)
{
	JsonNode *data = json_object_get_member(json_node_get_object(message->root), "data");

	return data ? json_text_from_node(data) : NULL;
}

static Event *decode_unknown(const QmpMessage *message)
{
	Event *event = event_new(EVENT_MONITOR_EVENT, message->time);
	g_autofree char *data = get_data_text(message);

	event->monitor_event.name = event_string(event, message->name);
	event->monitor_event.data = "{}";
	if (data && strlen(data) > EVENT_DATA_MAX)
		event_add_detail(event, "omitted-bytes", g_variant_new_uint64(strlen(data)));
	else if (data)
		event->monitor_event.data = event_string(event, data);
	return event;
}

/* Data that is no object has no members to look at. */
static void add_raw_data(const QmpMessage *message, Event *event)
{
	g_autofree char *data = message->body ? NULL : get_data_text(message);

	if (!data)
		return;
	event_add_irregularity(event, "data", "wrong type");
	if (strlen(data) <= EVENT_TEXT_MAX)
		event_add_detail(event, "raw-data", g_variant_new_string(data));
}

static Event *decode_tree(const EventRow *row, const QmpMessage *message)
{
	JsonObject *data = json_node_as_object(message->body);
	Event *event;

	if (!row)
		return decode_unknown(message);
	event = event_new(row->kind, message->time);
	event_read_fields(event, row->fields, data);
	add_raw_data(message, event);
	if (row->complete)
		row->complete(data, event);
	return event;
}

Event *event_decode(const QmpMessage *message)
{
	const EventRow *row = event_table_lookup(message->name);
	g_autoptr(QmpMessage) whole = NULL;
	Event *event;

	if (!message->plain)
		return decode_tree(row, message);
	event = row ? event_decode_plain(row, message->plain, message->time) : NULL;
	if (event)
		return event;
	whole = qmp_message_parse_plain(message);
	return decode_tree(row, whole);
}
