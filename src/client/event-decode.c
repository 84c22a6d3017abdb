/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event-decode.h"

#include <string.h>

#include "client/value-internal.h"

static const char *get_string(GVariant *container, size_t index)
{
	g_autoptr(GVariant) child = g_variant_get_child_value(container, index);

	/* A place in what the container is a part of. */
	return g_variant_get_string(child, NULL);
}

static void copy_argument(GVariant *argument, void *place)
{
	switch (g_variant_classify(argument)) {
	case G_VARIANT_CLASS_STRING:
		*(const char **)place = g_variant_get_string(argument, NULL);
		break;
	case G_VARIANT_CLASS_BOOLEAN:
		*(bool *)place = g_variant_get_boolean(argument);
		break;
	case G_VARIANT_CLASS_UINT64:
		*(uint64_t *)place = g_variant_get_uint64(argument);
		break;
	case G_VARIANT_CLASS_INT64:
		*(int64_t *)place = g_variant_get_int64(argument);
		break;
	default:
		g_assert_not_reached();
	}
}

void event_decode(VmhEvent *event, const EventKindRow *row, GVariant *arguments,
		  EventAllocations *allocations)
{
	if (row->decode) {
		row->decode(event, arguments, allocations);
		return;
	}
	for (unsigned i = 0; i < EVENT_ARGUMENTS_MAX && row->arguments[i]; i++) {
		g_autoptr(GVariant) argument = g_variant_get_child_value(arguments, i);

		copy_argument(argument, (char *)event + row->arguments[i]);
	}
}

void decode_lifecycle(VmhEvent *event, GVariant *arguments, EventAllocations *allocations)
{
	event->lifecycle.event = vmh_lifecycle_event_from_string(get_string(arguments, 0));
	event->lifecycle.reason = vmh_lifecycle_reason_from_string(get_string(arguments, 1));
	event->lifecycle.state = vmh_domain_state_from_string(get_string(arguments, 2));
}

/* ---- the receive filter ---- */

static const char *lookup_string(GVariant *dict, const char *key)
{
	const char *string = "";

	g_variant_lookup(dict, key, "&s", &string);
	return string;
}

static bool lookup_bool(GVariant *dict, const char *key)
{
	gboolean flag = false;

	g_variant_lookup(dict, key, "b", &flag);
	return flag;
}

static const char *const *lookup_strings(GVariant *dict, const char *key, void **allocation)
{
	g_autoptr(GVariant) list = g_variant_lookup_value(dict, key, G_VARIANT_TYPE_STRING_ARRAY);

	*allocation = list ? g_variant_get_strv(list, NULL) : g_new0(const char *, 1);
	return *allocation;
}

static const uint32_t *lookup_numbers(GVariant *dict, const char *key, size_t *ret_length)
{
	g_autoptr(GVariant) list = g_variant_lookup_value(dict, key, G_VARIANT_TYPE("au"));

	*ret_length = 0;
	return list ? g_variant_get_fixed_array(list, ret_length, sizeof(uint32_t)) : NULL;
}

/* What is missing, or of another type, is empty or false. */
void decode_filter_changed(VmhEvent *event, GVariant *arguments, EventAllocations *allocations)
{
	g_autoptr(GVariant) dict = g_variant_get_child_value(arguments, 1);
	VmhRxFilter *filter = &event->filter_changed.filter;

	event->filter_changed.nic = get_string(arguments, 0);
	filter->main_mac = lookup_string(dict, "main-mac");
	filter->promiscuous = lookup_bool(dict, "promiscuous");
	filter->unicast = lookup_string(dict, "unicast");
	filter->multicast = lookup_string(dict, "multicast");
	filter->vlan = lookup_string(dict, "vlan");
	filter->broadcast_allowed = lookup_bool(dict, "broadcast-allowed");
	filter->unicast_overflow = lookup_bool(dict, "unicast-overflow");
	filter->multicast_overflow = lookup_bool(dict, "multicast-overflow");
	filter->unicast_table = lookup_strings(dict, "unicast-table", &allocations->lists[0]);
	filter->multicast_table = lookup_strings(dict, "multicast-table", &allocations->lists[1]);
	filter->vlan_table = lookup_numbers(dict, "vlan-table", &filter->n_vlans);
}

/* ---- the others ---- */

void decode_memory_failure(VmhEvent *event, GVariant *arguments, EventAllocations *allocations)
{
	g_autoptr(GVariant) flags = g_variant_get_child_value(arguments, 2);

	event->memory_failure.recipient = get_string(arguments, 0);
	event->memory_failure.action = get_string(arguments, 1);
	for (size_t i = 0; i < g_variant_n_children(flags); i++) {
		const char *flag = get_string(flags, i);

		event->memory_failure.action_required |= strcmp(flag, "action-required") == 0;
		event->memory_failure.recursive |= strcmp(flag, "recursive") == 0;
	}
}

void decode_properties_changed(VmhEvent *event, GVariant *arguments, EventAllocations *allocations)
{
	g_autoptr(GVariant) invalidated = g_variant_get_child_value(arguments, 2);

	event->properties_changed.interface = get_string(arguments, 0);
	allocations->value = g_variant_get_child_value(arguments, 1);
	event->properties_changed.changed = value_from_gvariant(allocations->value);
	allocations->lists[0] = g_variant_get_strv(invalidated, NULL);
	event->properties_changed.invalidated = allocations->lists[0];
}

void decode_domain_added(VmhEvent *event, GVariant *arguments, EventAllocations *allocations)
{
	allocations->value = g_variant_get_child_value(arguments, 1);
	event->domain_added.interfaces = value_from_gvariant(allocations->value);
}
