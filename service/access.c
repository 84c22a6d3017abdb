/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "access.h"

#include <errno.h>
#include <unistd.h>

#include "access-target.h"
#include "authority.h"
#include "base/error.h"
#include "base/log.h"
#include "bus-error.h"
#include "bus/names.h"

/*
 *                     .-- the text is parsed (DefineDomain, CreateDomain) --.
 *                     |                                                     v
 *   message -> what does it want? -> is that known? -> polkit -- yes: granted, and the message comes again
 *                     ^                                  |
 *                     '---- wants something else --------+-- no: answered with an error
 *
 * A message that comes again is the same pointer, since it is kept.
 */

struct Access {
	Service *service;
	Authority *authority;
	GHashTable *held;           /* sd_bus_message -> Held */
	GHashTable *grants;         /* unique name -> GHashTable: AccessTarget as text -> int64_t, its end */
};

/* A definition that is being looked at by a worker, which cannot be taken back. */
typedef struct Parsing {
	struct Held *held;          /* NULL: nobody waits any more */
} Parsing;

typedef struct Held {
	Access *access;
	sd_bus_message *message;
	uid_t uid;
	AccessTarget *target;       /* that was asked about */
	bool interactive;           /* he may be asked for a password ... */
	bool with_person;           /* ... and it is being done */
	bool granted;
	AuthorityQuestion *question;
	Parsing *parsing;
	AccessDefinition definition;
} Held;

/* ---- what is held ---- */

static void held_free(void *data)
{
	Held *held = data;

	user_limits_give(held->access->service->user_limits, held->uid, USER_LIMIT_AUTHORIZATIONS, 1);
	(void)authority_drop(held->question);
	if (held->parsing)
		held->parsing->held = NULL;
	(void)access_target_free(held->target);
	access_definition_clear(&held->definition);
	sd_bus_message_unref(held->message);
	g_free(held);
}

static Held *hold(Access *access, sd_bus_message *message, uid_t uid, sd_bus_error *ret_error)
{
	unsigned n = g_hash_table_size(access->held);
	Held *held;

	if (n >= ACCESS_HELD_MAX) {
		(void)sd_bus_error_setf(ret_error, BUS_ERROR("LimitExceeded"),
					"%u calls of all users wait for an authorization; try again later", n);
		return NULL;
	}
	if (user_limits_take(access->service->user_limits, uid, USER_LIMIT_AUTHORIZATIONS, 1, ret_error) < 0)
		return NULL;
	held = g_new0(Held, 1);
	held->access = access;
	held->message = sd_bus_message_ref(message);
	held->uid = uid;
	held->interactive = sd_bus_message_get_allow_interactive_authorization(message) > 0;
	g_hash_table_insert(access->held, message, held);
	return held;
}

static void refuse(Held *held, const char *name, const char *text)
{
	const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, text);

	(void)sd_bus_reply_method_error(held->message, &error);
	(void)g_hash_table_remove(held->access->held, held->message);
}

static void come_again(Held *held)
{
	if (sd_bus_enqueue_for_read(held->access->service->bus, held->message) < 0)
		refuse(held, BUS_ERROR("LimitExceeded"), "Too many messages wait in this service");
}

/* ---- what is known already ---- */

static bool is_granted(Access *access, const char *sender, const AccessTarget *target)
{
	GHashTable *grants = g_hash_table_lookup(access->grants, sender);
	g_autofree char *key = access_target_to_string(target);
	const int64_t *end = grants ? g_hash_table_lookup(grants, key) : NULL;

	return end && g_get_monotonic_time() < *end;
}

static void keep_grant(Access *access, const char *sender, const AccessTarget *target)
{
	GHashTable *grants = g_hash_table_lookup(access->grants, sender);
	int64_t end = g_get_monotonic_time() + ACCESS_GRANT_US;

	if (!grants) {
		if (g_hash_table_size(access->grants) >= CREDENTIALS_SENDERS_MAX)
			g_hash_table_remove_all(access->grants);
		grants = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		g_hash_table_insert(access->grants, g_strdup(sender), grants);
	}
	if (g_hash_table_size(grants) >= ACCESS_GRANTS_MAX)
		g_hash_table_remove_all(grants);
	g_hash_table_insert(grants, access_target_to_string(target), g_memdup2(&end, sizeof(end)));
}

static void on_changed(void *userdata)
{
	g_hash_table_remove_all(((Access *)userdata)->grants);
}

/* ---- the question ---- */

static int send_question(Held *held);

static void on_answer(AuthorityVerdict verdict, const char *text, void *userdata)
{
	Held *held = userdata;
	const char *sender = sd_bus_message_get_sender(held->message);
	g_autofree char *what = access_target_describe(held->target);
	g_autofree char *refusal = NULL;

	held->question = NULL;
	log_text(LOG_DEBUG, "%s, user %u: %s: %s", sender, (unsigned)held->uid, what,
		 verdict == AUTHORITY_YES ? "authorized" : verdict == AUTHORITY_FAILED ? text : "not authorized");
	switch (verdict) {
	case AUTHORITY_YES:
		if (held->target->action == ACTION_INSPECT && !held->with_person)
			keep_grant(held->access, sender, held->target);
		held->granted = true;
		come_again(held);
		return;
	case AUTHORITY_CHALLENGE:
		if (held->interactive && !held->with_person) {
			held->with_person = true;
			if (send_question(held) >= 0)
				return;
		}
		if (!held->interactive) {
			refusal = g_strdup_printf("%s, for which you have to authenticate; call again and allow that "
						  "you are asked", what);
			refuse(held, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, refusal);
			return;
		}
		/* He was asked, and went away, or could not. */
		refusal = g_strdup_printf("%s, for which you have not authenticated", what);
		break;
	case AUTHORITY_FAILED:
		refusal = g_strdup_printf("%s, and polkit cannot be asked for it: %s", what, text);
		break;
	default:
		refusal = g_strdup_printf("%s, which polkit does not grant you", what);
	}
	refuse(held, SD_BUS_ERROR_ACCESS_DENIED, refusal);
}

static int send_question(Held *held)
{
	const AuthorityDetail details[] = {
		{ "name", held->target->name },
		{ "uuid", held->target->uuid },
		{ "new-name", held->target->new_name },
		{ "method", held->target->method },
	};

	return authority_ask(held->access->authority, sd_bus_message_get_sender(held->message),
			     action_get_id(held->target->action), details, G_N_ELEMENTS(details),
			     held->with_person, on_answer, held, &held->question);
}

static int ask(Held *held, AccessTarget *target, sd_bus_error *ret_error)
{
	int r;

	(void)access_target_free(held->target);
	held->target = target;
	held->granted = false;
	/* What is read is asked about without him first: such a yes can be kept. */
	held->with_person = held->interactive && target->action != ACTION_INSPECT;
	r = send_question(held);
	if (r >= 0)
		return 1;
	(void)g_hash_table_remove(held->access->held, held->message);
	return sd_bus_error_setf(ret_error, SD_BUS_ERROR_ACCESS_DENIED, "polkit cannot be asked: %s",
				 g_strerror(-r));
}

/* ---- definitions ---- */

static void on_identified(const char *name, const char *uuid, const GError *error, void *userdata)
{
	Parsing *parsing = userdata;
	Held *held = parsing->held;

	g_free(parsing);
	if (!held)
		return;
	held->parsing = NULL;
	/* WARNING: a definition that could not be looked at must not be asked about as one without a name. One that is none is
	 * refused by who defines it, after the caller has been allowed to. */
	if (error && !g_error_matches(error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION)) {
		refuse(held, bus_error_name(error->domain == CORE_ERROR ? error->code : CORE_ERROR_IO),
		       error->message);
		return;
	}
	held->definition = (AccessDefinition){ true, g_strdup(name), g_strdup(uuid) };
	come_again(held);
}

static void identify(Held *held, const char *text)
{
	held->parsing = g_new0(Parsing, 1);
	held->parsing->held = held;
	driver_identify(held->access->service->driver, text, on_identified, held->parsing);
}

/* ---- the filter ---- */

/* target is taken over. */
static int decide(Access *access, sd_bus_message *message, Held *held, uid_t uid, AccessTarget *target,
		  sd_bus_error *ret_error)
{
	if ((held && held->granted && access_target_equal(held->target, target)) ||
	    (target->action == ACTION_INSPECT && is_granted(access, sd_bus_message_get_sender(message), target))) {
		(void)access_target_free(target);
		(void)g_hash_table_remove(access->held, message);
		return 0;
	}
	if (!held)
		held = hold(access, message, uid, ret_error);
	if (!held) {
		(void)access_target_free(target);
		return -ENOBUFS;
	}
	if (!target->definition || held->definition.is_known)
		return ask(held, target, ret_error);
	identify(held, target->definition);
	(void)access_target_free(target);
	return 1;
}

int access_filter(Access *access, sd_bus_message *message, sd_bus_error *ret_error)
{
	AccessTarget *target = NULL;
	Held *held;
	uid_t uid;
	int r;

	if (!access)
		return 0;
	held = g_hash_table_lookup(access->held, message);
	if (!credentials_get(access->service->credentials, sd_bus_message_get_sender(message), &uid, NULL))
		return sd_bus_error_set(ret_error, SD_BUS_ERROR_ACCESS_DENIED,
					"It is not known which user you are");
	if (uid == 0 || uid == getuid())
		return 0;
	r = access_target_find(access->service, message, held ? &held->definition : NULL, &target, ret_error);
	/* WARNING: whoever reads it next begins at its beginning. */
	(void)sd_bus_message_rewind(message, true);
	if (r <= 0) {
		(void)g_hash_table_remove(access->held, message);
		return r;
	}
	return decide(access, message, held, uid, target, ret_error);
}

static gboolean is_of(void *message, void *value, void *name)
{
	return g_strcmp0(sd_bus_message_get_sender(message), name) == 0;
}

void access_forget(Access *access, const char *name)
{
	if (!access)
		return;
	(void)g_hash_table_remove(access->grants, name);
	(void)g_hash_table_foreach_remove(access->held, is_of, (char *)name);
}

unsigned access_count_held(const Access *access)
{
	return access ? g_hash_table_size(access->held) : 0;
}

static void unref_table(void *table)
{
	g_hash_table_unref(table);
}

Access *access_new(Service *service)
{
	Access *access = g_new0(Access, 1);

	access->service = service;
	access->held = g_hash_table_new_full(NULL, NULL, NULL, held_free);
	access->grants = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_table);
	access->authority = authority_new(service->bus, on_changed, access);
	return access->authority ? access : access_free(access);
}

Access *access_free(Access *access)
{
	const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(BUS_ERROR("MonitorLost"), "The service is leaving");
	GHashTableIter iter;
	void *message;

	if (!access)
		return NULL;
	g_hash_table_iter_init(&iter, access->held);
	while (g_hash_table_iter_next(&iter, &message, NULL))
		(void)sd_bus_reply_method_error(message, &error);
	g_hash_table_unref(access->held);
	(void)authority_free(access->authority);
	g_hash_table_unref(access->grants);
	g_free(access);
	return NULL;
}
