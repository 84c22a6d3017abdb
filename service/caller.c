/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caller.h"

#include <stdbool.h>

#include "bus/names.h"
#include "message-weight.h"

typedef struct Caller {
	GQueue queue;               /* of links, which are parts of the calls */
	bool has_user;              /* his calls are counted as those of uid */
	uid_t uid;
	uint64_t bytes;             /* of all his calls */
} Caller;

/* There is an entry for who has calls, and for nobody else. */
struct Callers {
	GHashTable *callers;        /* unique name -> Caller */
	GHashTable *weights;        /* link -> bytes, of calls that have any that are counted */
	UserLimits *limits;         /* NULL: users are not limited */
	const Credentials *credentials;
};

Callers *callers_new(void)
{
	Callers *callers = g_new0(Callers, 1);

	callers->callers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	callers->weights = g_hash_table_new(NULL, NULL);
	return callers;
}

Callers *callers_free(Callers *callers)
{
	if (!callers)
		return NULL;
	g_hash_table_unref(callers->callers);
	g_hash_table_unref(callers->weights);
	g_free(callers);
	return NULL;
}

void callers_use_limits(Callers *callers, UserLimits *limits, const Credentials *credentials)
{
	callers->limits = limits;
	callers->credentials = credentials;
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

static bool get_user(const Callers *callers, sd_bus_message *message, uid_t *ret_uid)
{
	return callers->limits &&
	       credentials_get(callers->credentials, sd_bus_message_get_sender(message), ret_uid, NULL);
}

static unsigned count_of(const Callers *callers, sd_bus_message *message)
{
	const Caller *caller = g_hash_table_lookup(callers->callers, get_name(message));

	return caller ? caller->queue.length : 0;
}

static int check_connection(const Callers *callers, sd_bus_message *message, unsigned reserve, sd_bus_error *ret_error)
{
	unsigned n = count_of(callers, message);

	if (n < CALLER_CALLS_MAX + reserve)
		return 0;
	return sd_bus_error_setf(ret_error, BUS_ERROR("LimitExceeded"),
				 "You have %u calls pending on this service; wait until some have been "
				 "answered, or give them a shorter time-out", n);
}

static int check(const Callers *callers, sd_bus_message *message, unsigned reserve, sd_bus_error *ret_error)
{
	int r = check_connection(callers, message, reserve, ret_error);
	uid_t uid;

	if (r < 0 || !get_user(callers, message, &uid))
		return r;
	r = user_limits_check(callers->limits, uid, USER_LIMIT_CALLS, reserve, ret_error);
	/* What has a reserve is short. */
	if (r >= 0 && reserve == 0)
		r = user_limits_check(callers->limits, uid, USER_LIMIT_CALL_BYTES, 0, ret_error);
	return r;
}

int callers_check(Callers *callers, sd_bus_message *message, sd_bus_error *ret_error)
{
	bool destroys = g_strcmp0(sd_bus_message_get_member(message), "Destroy") == 0;

	return is_ours(message) ? check(callers, message, destroys ? CALLER_CALLS_RESERVE : 0, ret_error) : 0;
}

int callers_check_later(Callers *callers, sd_bus_message *message, sd_bus_error *ret_error)
{
	return check(callers, message, CALLER_CALLS_RESERVE, ret_error);
}

/* ---- calls ---- */

static Caller *get_caller(Callers *callers, sd_bus_message *message)
{
	const char *name = get_name(message);
	Caller *caller = g_hash_table_lookup(callers->callers, name);

	if (caller)
		return caller;
	caller = g_new0(Caller, 1);
	caller->has_user = get_user(callers, message, &caller->uid);
	g_hash_table_insert(callers->callers, g_strdup(name), caller);
	return caller;
}

void callers_add(Callers *callers, sd_bus_message *message, GList *link)
{
	Caller *caller = get_caller(callers, message);
	uint64_t weight;

	g_queue_push_tail_link(&caller->queue, link);
	if (!caller->has_user)
		return;
	user_limits_add(callers->limits, caller->uid, USER_LIMIT_CALLS, 1);
	if (!user_limits_limits(callers->limits, caller->uid, USER_LIMIT_CALL_BYTES))
		return;
	weight = message_weight(message);
	if (weight == 0)
		return;
	caller->bytes += weight;
	user_limits_add(callers->limits, caller->uid, USER_LIMIT_CALL_BYTES, weight);
	g_hash_table_insert(callers->weights, link, GSIZE_TO_POINTER(weight));
}

void callers_remove(Callers *callers, sd_bus_message *message, GList *link)
{
	const char *name = get_name(message);
	Caller *caller = g_hash_table_lookup(callers->callers, name);
	uint64_t weight = GPOINTER_TO_SIZE(g_hash_table_lookup(callers->weights, link));

	g_assert(caller);
	g_queue_unlink(&caller->queue, link);
	if (caller->has_user) {
		(void)g_hash_table_remove(callers->weights, link);
		caller->bytes -= weight;
		user_limits_give(callers->limits, caller->uid, USER_LIMIT_CALL_BYTES, weight);
		user_limits_give(callers->limits, caller->uid, USER_LIMIT_CALLS, 1);
	}
	if (caller->queue.length == 0)
		g_hash_table_remove(callers->callers, name);
}

GQueue callers_take(Callers *callers, const char *name)
{
	Caller *caller = g_hash_table_lookup(callers->callers, name);
	GQueue taken = G_QUEUE_INIT;

	if (!caller)
		return taken;
	taken = caller->queue;
	for (GList *link = taken.head; link; link = link->next)
		(void)g_hash_table_remove(callers->weights, link);
	if (caller->has_user) {
		user_limits_give(callers->limits, caller->uid, USER_LIMIT_CALL_BYTES, caller->bytes);
		user_limits_give(callers->limits, caller->uid, USER_LIMIT_CALLS, taken.length);
	}
	(void)g_hash_table_remove(callers->callers, name);
	return taken;
}
