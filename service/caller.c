/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caller.h"

#include <stdbool.h>

#include "bus/names.h"

/* There is an entry for who has calls, and for nobody else. */
struct Callers {
	GHashTable *queues;         /* unique name -> GQueue of links, which are parts of the calls */
};

Callers *callers_new(void)
{
	Callers *callers = g_new0(Callers, 1);

	callers->queues = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return callers;
}

Callers *callers_free(Callers *callers)
{
	if (!callers)
		return NULL;
	g_hash_table_unref(callers->queues);
	g_free(callers);
	return NULL;
}

/* A peer without a bus between has no name. */
static const char *get_name(sd_bus_message *message)
{
	return sd_bus_message_get_sender(message) ?: "";
}

/* Properties, objects and what every peer answers can be read by whoever is at his bound. */
static bool is_ours(sd_bus_message *message)
{
	const char *interface = sd_bus_message_get_interface(message);

	return !interface || g_str_has_prefix(interface, BUS_INTERFACE(""));
}

static unsigned count_of(const Callers *callers, sd_bus_message *message)
{
	const GQueue *queue = g_hash_table_lookup(callers->queues, get_name(message));

	return queue ? queue->length : 0;
}

static int check(const Callers *callers, sd_bus_message *message, unsigned max, sd_bus_error *ret_error)
{
	unsigned n = count_of(callers, message);

	if (n < max)
		return 0;
	return sd_bus_error_setf(ret_error, BUS_ERROR("LimitExceeded"),
				 "You have %u calls pending on this service; wait until some have been "
				 "answered, or give them a shorter time-out", n);
}

int callers_check(Callers *callers, sd_bus_message *message, sd_bus_error *ret_error)
{
	unsigned reserve = 0;

	if (!is_ours(message))
		return 0;
	if (g_strcmp0(sd_bus_message_get_member(message), "Destroy") == 0)
		reserve = CALLER_CALLS_RESERVE;
	return check(callers, message, CALLER_CALLS_MAX + reserve, ret_error);
}

int callers_check_later(Callers *callers, sd_bus_message *message, sd_bus_error *ret_error)
{
	return check(callers, message, CALLER_CALLS_MAX + CALLER_CALLS_RESERVE, ret_error);
}

void callers_add(Callers *callers, sd_bus_message *message, GList *link)
{
	const char *name = get_name(message);
	GQueue *queue = g_hash_table_lookup(callers->queues, name);

	if (!queue) {
		queue = g_new0(GQueue, 1);
		g_hash_table_insert(callers->queues, g_strdup(name), queue);
	}
	g_queue_push_tail_link(queue, link);
}

void callers_remove(Callers *callers, sd_bus_message *message, GList *link)
{
	const char *name = get_name(message);
	GQueue *queue = g_hash_table_lookup(callers->queues, name);

	g_assert(queue);
	g_queue_unlink(queue, link);
	if (queue->length == 0)
		g_hash_table_remove(callers->queues, name);
}

GQueue callers_take(Callers *callers, const char *name)
{
	GQueue *queue = g_hash_table_lookup(callers->queues, name);
	GQueue taken = G_QUEUE_INIT;

	if (queue) {
		taken = *queue;
		g_hash_table_remove(callers->queues, name);
	}
	return taken;
}
