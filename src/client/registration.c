/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vmherald/domain.h>

#include "bus/names.h"
#include "client/call.h"
#include "client/connection-internal.h"
#include "client/error-internal.h"
#include "client/event-loop.h"
#include "client/last-sequence.h"

/*
 * Registering a callback, and taking it back.
 *
 * A rule that is new begins where the service is with its numbers at that time. AddMatch and that question are sent one behind the
 * other, and both answers are waited for: whatever is numbered behind the answer comes while the rule is in force, and if it is lost
 * it is behind that number, and so is found. Until then the rule wants nothing.
 */

/* A service that does not say where it is costs the certainty of the first second alone. */
#define BEGIN_TIMEOUT (5 * G_TIME_SPAN_SECOND)

static bool is_interface(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '_' && *c != '.')
			return false;
	return *name;
}

static bool check_match(const VmhEventMatch *match, VmhError **error)
{
	const char *kind = vmh_event_kind_to_string(match->kind);

	if (match->kind != VMH_EVENT_ANY && (match->kind == VMH_EVENT_UNKNOWN || !kind)) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT,
			  "There is no kind of event with the number %d; those that are not known are among VMH_EVENT_ANY",
			  (int)match->kind);
		return false;
	}
	if (match->interface && match->kind != VMH_EVENT_ANY) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT,
			  "A kind of event is of one interface: give either the kind %s or the interface %s", kind,
			  match->interface);
		return false;
	}
	if (match->interface && !is_interface(match->interface)) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT,
			  "\"%s\" is not the short name of an interface, such as \"Block\"", match->interface);
		return false;
	}
	if (match->arg0 && !g_utf8_validate(match->arg0, -1, NULL)) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "arg0 is not UTF-8, as all strings on the bus are");
		return false;
	}
	return true;
}

/* ---- the steps of a rule that is new ---- */

/* How far the numbers are, or what has been heard of them if the service does not say. */
static uint64_t ask_beginning(VmhConnection *connection)
{
	g_autoptr(GVariant) answer = NULL;
	uint64_t bound = connection->call_timeout, last;
	const Call call = {
		.interface = BUS_PROPERTIES,
		.member = "Get",
		.arguments = last_sequence_get_arguments(),
		.no_start = true,
		.timeout = bound > 0 && bound < BEGIN_TIMEOUT ? bound : BEGIN_TIMEOUT,
	};
	Pending *pending = call_send(connection, &call, NULL);

	if (pending)
		answer = pending_wait(pending, NULL);
	pending_free(pending);
	if (!last_sequence_read(answer, &last))
		return stream_get_newest(connection->stream);
	stream_begin(connection->stream, last);
	/* WARNING: what came behind the answer may have been looked at since, by the loop, when the rule wanted nothing. It is all
	 * from before the registering has returned. */
	return event_loop_is_own_thread() ? last : MAX(last, stream_get_newest(connection->stream));
}

/* Nobody waits for it yet. NULL, and *error. */
static Pending *send_rule(VmhConnection *connection, const char *rule, VmhError **error)
{
	sd_bus_message *message = NULL;
	Pending *pending;
	int r;

	r = link_new_bus_call(connection, "AddMatch", rule, &message);
	if (r < 0) {
		error_set_bus(error, NULL, r);
		return NULL;
	}
	pending = pending_new(connection, message, LINK_ANSWER_TIMEOUT, NULL, NULL, error);
	sd_bus_message_unref(message);
	return pending;
}

/* Takes the pending AddMatch. NULL: it could not be sent. tries: when the rule got among those that a connection begins with. */
static bool wait_for_rule(VmhConnection *connection, Pending *pending, unsigned tries, VmhError **error)
{
	g_autoptr(GVariant) answer = NULL;
	VmhError *own = NULL;

	if (pending)
		answer = pending_wait(pending, &own);
	pending_free(pending);
	if (answer)
		return true;
	if (connection->link.state == LINK_UP && connection->link.tries == tries) {
		/* If it could not be sent, *error says so already. */
		if (error && own)
			*error = own;
		else
			vmh_error_free(own);
		return false;
	}
	vmh_error_free(own);
	return link_wait(connection, VMH_ERROR_DISCONNECTED, error);
}

static void release_rule(VmhConnection *connection, Rule *rule, bool on_bus)
{
	g_autofree char *text = NULL;

	if (rules_release(connection->rules, rule, &text) && on_bus)
		link_remove_rule(connection, text);
}

/* By the number: the callback itself may be gone already. */
static void wait_until_returned(VmhConnection *connection, int id)
{
	Callbacks *callbacks = &connection->callbacks;

	/* On the loop's thread this is called by the callback itself, or by what it calls. */
	while (callbacks->running && callbacks->running->id == id && !event_loop_is_own_thread())
		pthread_cond_wait(&callbacks->returned, &connection->lock);
}

/* Does the service have to be asked where it is? If not, *ret_since is the beginning. */
static bool must_ask(VmhConnection *connection, bool new, uint64_t *ret_since)
{
	*ret_since = stream_get_newest(connection->stream);
	/* Everything behind the position that was set. */
	if (connection->recovery.restored)
		*ret_since = 0;
	return new && !connection->recovery.restored && connection->link.owner &&
	       !(connection->flags & VMH_CONNECTION_PASSIVE);
}

/* False, and *error: the callback is not in the table any more, but may be running. */
static bool begin_rule(VmhConnection *connection, int id, Pending *pending, unsigned tries, VmhError **error)
{
	bool added = wait_for_rule(connection, pending, tries, error);
	/* Not there: the connection was closed meanwhile. */
	Callback *callback = callbacks_find(&connection->callbacks, id);

	if (added && callback)
		callback->tentative = false;
	else if (added)
		return connection_check(connection, error);
	else if (callback)
		release_rule(connection, callbacks_remove(&connection->callbacks, callback), true);
	return added;
}

/* Puts it into the table. The id; 0, and *error: it is not there. */
static int add_callback(VmhConnection *connection, Rule *rule, bool new, uint64_t since, Callback *callback, VmhError **error)
{
	int id;

	/* It has been waited for. */
	if (!connection_check(connection, error))
		return 0;
	id = callbacks_add(&connection->callbacks, callback, rule, since);
	if (id == 0) {
		error_set(error, VMH_ERROR_LIMIT_EXCEEDED,
			  "A connection can have %d callbacks in its life: open another one", G_MAXINT);
		return 0;
	}
	callback->tentative = new;
	if (new || since < rule->since)
		rules_set_since(connection->rules, rule, since);
	delivery_set_due(connection);
	attachment_wake(connection);
	return id;
}

/* The id. 0: nothing has been done. Less than 0: -id is not in the table any more, but may be running. */
static int add(VmhConnection *connection, const RuleMatch *match, Callback *callback, VmhError **error)
{
	Pending *pending = NULL;
	unsigned tries;
	uint64_t since;
	Rule *rule;
	bool new;
	int id;

	if (!link_wait(connection, VMH_ERROR_DISCONNECTED, error))
		return 0;
	/* A new one wants nothing, as long as it is not known where it begins. */
	rule = rules_take(connection->rules, match, G_MAXUINT64, &new);
	if (!rule) {
		error_set(error, VMH_ERROR_LIMIT_EXCEEDED, "A connection can have %u match rules at most", RULES_MAX);
		return 0;
	}
	tries = connection->link.tries;
	if (must_ask(connection, new, &since)) {
		pending = send_rule(connection, rule->text, NULL);
		since = ask_beginning(connection);
	}
	id = add_callback(connection, rule, new, since, callback, error);
	if (id == 0) {
		release_rule(connection, rule, pending != NULL);
		pending_free(pending);
	}
	if (id == 0 || !new)
		return id;
	if (!pending && connection->link.state == LINK_UP && connection->link.tries == tries)
		pending = send_rule(connection, rule->text, error);
	recovery_rule_added(connection);
	return begin_rule(connection, id, pending, tries, error) ? id : -id;
}

/* ---- for applications ---- */

int vmh_connection_register_match(VmhConnection *connection, const VmhEventMatch *match, VmhEventCallback callback,
				  void *userdata, VmhFreeFunc free_func, VmhError **error)
{
	g_autofree char *interface = NULL;
	RuleMatch rule = { 0 };
	Callback *entry;
	int id;

	g_return_val_if_fail(connection && match && callback, -1);
	if (!check_match(match, error) || (connection_is_foreign(connection) && !connection_check(connection, error)))
		return -1;
	if (!connection->loop) {
		error_set(error, VMH_ERROR_NO_EVENT_LOOP,
			  "Callbacks need an event loop, which has to be registered before the connection is opened");
		return -1;
	}
	interface = match->interface ? g_strconcat(BUS_NAME ".", match->interface, NULL) : NULL;
	rule.uuid = match->domain ? vmh_domain_get_uuid(match->domain) : NULL;
	rule.kind = match->kind;
	rule.interface = interface;
	rule.arg0 = match->arg0;
	entry = callback_new((void (*)(void))callback, userdata, free_func);

	vmh_connection_ref(connection);
	pthread_mutex_lock(&connection->registering);
	connection_lock(connection);
	id = connection_check(connection, error) ? add(connection, &rule, entry, error) : 0;
	/* WARNING: before waiting for a callback, which may be waiting for this. */
	pthread_mutex_unlock(&connection->registering);
	if (id == 0)
		g_free(entry);
	else if (id < 0)
		wait_until_returned(connection, -id);
	connection_unlock(connection);
	vmh_connection_unref(connection);
	return id > 0 ? id : -1;
}

int vmh_connection_register_any(VmhConnection *connection, VmhDomain *domain, VmhEventKind kind, VmhEventCallback callback,
				void *userdata, VmhFreeFunc free_func, VmhError **error)
{
	const VmhEventMatch match = { .domain = domain, .kind = kind };

	return vmh_connection_register_match(connection, &match, callback, userdata, free_func, error);
}

int vmh_connection_deregister_any(VmhConnection *connection, int callback_id, VmhError **error)
{
	Callback *callback;

	g_return_val_if_fail(connection, -1);
	if (connection_is_foreign(connection) && !connection_check(connection, error))
		return -1;
	vmh_connection_ref(connection);
	connection_lock(connection);
	callback = callbacks_find(&connection->callbacks, callback_id);
	if (callback && callback->tentative)
		callback = NULL;
	if (callback) {
		release_rule(connection, callbacks_remove(&connection->callbacks, callback), true);
		/* Its free function is the loop's to call. */
		attachment_wake(connection);
		wait_until_returned(connection, callback_id);
	} else {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "There is no callback with the id %d", callback_id);
	}
	connection_unlock(connection);
	vmh_connection_unref(connection);
	return callback ? 0 : -1;
}
