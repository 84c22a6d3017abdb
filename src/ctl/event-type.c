/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/event-type.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ctl/event-line.h"

static bool is_word(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (!g_ascii_isalnum(*p) && *p != '_' && *p != '-')
			return false;
	}
	return *text != '\0';
}

CtlExit event_type_parse(const char *text, EventType **ret_type)
{
	g_autoptr(EventType) type = g_new0(EventType, 1);
	const char *dot = strrchr(text, '.');

	if (dot) {
		type->interface = g_strndup(text, (gsize) (dot - text));
		if (!g_str_equal(dot + 1, "*"))
			type->member = g_strdup(dot + 1);
	} else if (vmh_lifecycle_event_from_string(text) != VMH_LIFECYCLE_UNKNOWN) {
		/* A misspelt one would be waited for for ever. */
		type->event = g_strdup(text);
	} else if (g_ascii_isupper(*text)) {
		type->member = g_strdup(text);
	}
	if ((!type->interface && !type->member && !type->event) ||
	    (type->interface && !is_word(type->interface)) || (type->member && !is_word(type->member))) {
		ctl_error(_("'%s' is neither a lifecycle event nor a member nor INTERFACE.MEMBER"), text);
		return CTL_USAGE;
	}
	*ret_type = g_steal_pointer(&type);
	return CTL_OK;
}

EventType *event_type_free(EventType *type)
{
	if (!type)
		return NULL;
	g_free(type->interface);
	g_free(type->member);
	g_free(type->event);
	g_free(type);
	return NULL;
}

static void free_type(void *type)
{
	event_type_free(type);
}

GPtrArray *event_type_list_new(void)
{
	return g_ptr_array_new_with_free_func(free_type);
}

bool event_type_matches(const EventType *type, const VmhEvent *event)
{
	g_autoptr(VmhValue) first = vmh_value_get_child(event->arguments, 0);

	/* State on the bus is no event: "Properties.*" is what --properties is for. */
	if (!event->details)
		return false;
	if (type->event)
		return event->kind == VMH_EVENT_LIFECYCLE &&
		       g_strcmp0(vmh_value_get_string(first), type->event) == 0;
	if (type->member && !g_str_equal(type->member, event->member))
		return false;
	return !type->interface || g_str_equal(type->interface, event_line_interface(event->interface));
}

VmhEventMatch event_type_get_match(const EventType *type, VmhDomain *domain)
{
	g_autofree char *name = NULL;
	VmhEventMatch match = { .domain = domain, .kind = VMH_EVENT_ANY };

	if (type->event) {
		match.kind = VMH_EVENT_LIFECYCLE;
		match.arg0 = type->event;
		return match;
	}
	/* The library knows a member alone where only one interface has it. */
	name = type->interface ? g_strdup_printf("%s.%s", type->interface, type->member ? type->member : "*")
			       : g_strdup(type->member);
	match.kind = vmh_event_kind_from_string(name);
	if (match.kind == VMH_EVENT_UNKNOWN) {
		match.kind = VMH_EVENT_ANY;
		match.interface = type->interface;
	}
	return match;
}
