/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event-internal.h"

#include <string.h>

#include "bus/names.h"
#include "bus/object-path.h"
#include "client/event-decode.h"
#include "client/event-kinds.h"
#include "client/value-internal.h"

/*
 * An event is one allocation with the signal's arguments beside it. These are in one piece of memory, and all strings of the event
 * are places in it, but for the path and, of an unknown signal, interface and member, which stand behind the event.
 */
typedef struct EventObject {
	VmhEvent event;
	int references;
	GVariant *whole;             /* all arguments, stamp and details included: what everything else is a part of */
	EventAllocations allocations;
	uint64_t domain_previous;
	const char *arg0;
	char uuid[BUS_PATH_UUID_LENGTH + 1];
	char texts[];
} EventObject;

static EventObject *get_object(const VmhEvent *event)
{
	return (EventObject *)event;
}

static char *place_text(char **end, const char *text)
{
	char *place = *end;

	*end = stpcpy(place, text) + 1;
	return place;
}

static EventObject *object_new(const char *path, const char *interface, const char *member,
			       const EventKindRow *row)
{
	size_t length = strlen(path) + 1 + (row ? 0 : strlen(interface) + strlen(member) + 2);
	EventObject *object = g_malloc0(sizeof(*object) + length);
	char *end = object->texts;

	object->references = 1;
	object->event.kind = row ? row->kind : VMH_EVENT_UNKNOWN;
	object->event.path = place_text(&end, path);
	object->event.interface = row ? row->interface : place_text(&end, interface);
	object->event.member = row ? row->member : place_text(&end, member);
	object->event.uuid = object->uuid;
	bus_path_to_uuid(path, object->uuid);
	return object;
}

/* ---- the arguments ---- */

/* Is the tuple of this type, between its brackets first and then second? */
static bool has_type(GVariant *tuple, const char *first, const char *second)
{
	const char *type = g_variant_get_type_string(tuple) + 1;
	size_t length = strlen(first);

	return strncmp(type, first, length) == 0 &&
	       strncmp(type + length, second, strlen(second)) == 0 &&
	       strcmp(type + length + strlen(second), ")") == 0;
}

static bool is_stamped(GVariant *tuple)
{
	const char *type = g_variant_get_type_string(tuple);
	size_t length = strlen(type), end = strlen(EVENT_STAMP_SIGNATURE ")");

	/* Before it there is the bracket of the tuple, or another argument; in a(ttt)a{sv} there is a list, and no stamp. */
	return length > end && strcmp(type + length - end, EVENT_STAMP_SIGNATURE ")") == 0 &&
	       type[length - end - 1] != 'a';
}

/*
 * WARNING: this tuple is a list of places in the whole. It must never be put in one piece itself (g_variant_get_data(), which
 * g_variant_equal() calls too): then the places would be others, and strings that were given out would not be there any more.
 */
static GVariant *make_arguments(GVariant *whole, size_t length)
{
	g_autofree GVariant **children = g_new(GVariant *, length);
	GVariant *arguments;

	for (size_t i = 0; i < length; i++)
		children[i] = g_variant_get_child_value(whole, i);
	arguments = g_variant_ref_sink(g_variant_new_tuple(children, length));
	for (size_t i = 0; i < length; i++)
		g_variant_unref(children[i]);
	return arguments;
}

static const char *find_arg0(GVariant *arguments)
{
	g_autoptr(GVariant) first = NULL;

	if (g_variant_get_type_string(arguments)[1] != 's')
		return NULL;
	first = g_variant_get_child_value(arguments, 0);
	return g_variant_get_string(first, NULL);
}

static void read_stamp(EventObject *object, size_t length)
{
	GVariant *details = g_variant_get_child_value(object->whole, length - 1);
	g_autoptr(GVariant) stamp = g_variant_get_child_value(object->whole, length - 2);
	const uint64_t *numbers = g_variant_get_data(stamp);
	VmhEvent *event = &object->event;

	event->sequence = numbers[0];
	event->previous = numbers[1];
	event->time = numbers[2];
	event->details = value_from_gvariant(details);
	object->domain_previous = event->previous;
	g_variant_lookup(details, "domain-previous", "t", &object->domain_previous);
}

/* ---- making ---- */

/* Those who tell about a domain have its path as an argument. False: it is none of a domain. */
static bool take_uuid_of_argument(EventObject *object)
{
	const char *path;

	g_variant_get_child(object->whole, 0, "&o", &path);
	return bus_path_to_uuid(path, object->uuid);
}

static VmhEvent *make_event(const char *path, const char *interface, const char *member, const EventKindRow *row, GVariant *whole)
{
	size_t length = g_variant_n_children(whole);
	EventObject *object;
	GVariant *arguments;

	if (!is_stamped(whole) || !g_str_has_prefix(interface, BUS_INTERFACE("")))
		return NULL;
	/* Of another type than it is known with: of a newer service. */
	if (row && !has_type(whole, row->signature, EVENT_STAMP_SIGNATURE))
		row = NULL;
	object = object_new(path, interface, member, row);
	object->whole = g_variant_ref(whole);
	read_stamp(object, length);
	arguments = make_arguments(whole, length - 2);
	object->event.arguments = value_from_gvariant(arguments);
	object->arg0 = find_arg0(arguments);
	/* They are not taken out of the whole once more. */
	if (row)
		event_decode(&object->event, row, arguments, &object->allocations);
	if (object->event.sequence > 0)
		return &object->event;
	vmh_event_unref(&object->event);
	return NULL;
}

static VmhEvent *make_state(const char *path, const EventKindRow *row, GVariant *whole)
{
	EventObject *object;

	if (!has_type(whole, row->signature, ""))
		return NULL;
	object = object_new(path, row->interface, row->member, row);
	object->whole = g_variant_ref(whole);
	object->event.arguments = value_from_gvariant(g_variant_ref(whole));
	object->arg0 = find_arg0(whole);
	if (row->signature[0] == 'o' && !take_uuid_of_argument(object)) {
		vmh_event_unref(&object->event);
		return NULL;
	}
	if (row->decode)
		event_decode(&object->event, row, whole, &object->allocations);
	return &object->event;
}

VmhEvent *event_new_from_signal(const char *path, const char *interface, const char *member, GVariant *arguments)
{
	g_autoptr(GVariant) whole = g_variant_ref_sink(arguments);
	const EventKindRow *row;

	if (!g_variant_is_of_type(whole, G_VARIANT_TYPE_TUPLE))
		return NULL;
	g_variant_get_data(whole);        /* in one piece, for all that is borrowed of it */
	row = event_kind_find_row(interface, member);
	return row && !event_kind_is_stamped(row) ? make_state(path, row, whole)
						   : make_event(path, interface, member, row, whole);
}

VmhEvent *vmh_event_ref(const VmhEvent *event)
{
	g_atomic_int_inc(&get_object(event)->references);
	return (VmhEvent *)event;
}

void vmh_event_unref(VmhEvent *event)
{
	EventObject *object = get_object(event);

	if (!event || !g_atomic_int_dec_and_test(&object->references))
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS(object->allocations.lists); i++)
		g_free(object->allocations.lists[i]);
	g_clear_pointer(&object->allocations.value, g_variant_unref);
	vmh_value_unref((VmhValue *)event->arguments);
	vmh_value_unref((VmhValue *)event->details);
	g_variant_unref(object->whole);
	g_free(object);
}

uint64_t event_get_domain_previous(const VmhEvent *event)
{
	return get_object(event)->domain_previous;
}

const char *event_get_arg0(const VmhEvent *event)
{
	return get_object(event)->arg0;
}
