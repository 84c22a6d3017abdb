/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "played-service.h"

#include <pthread.h>
#include <string.h>

#include "bus/names.h"
#include "bus/object-path.h"

#define MANAGER    BUS_INTERFACE("Manager")
#define PROPERTIES "org.freedesktop.DBus.Properties"

typedef struct Entry {
	uint64_t sequence, previous, time;
	char *path, *interface, *member;
	GVariant *arguments;
} Entry;

/* Of all services. Not one of GLib's, which a sanitizer for threads does not see; and not in the service, for what hands a
 * service over to the thread of GDBus is as invisible. */
static pthread_mutex_t played_lock = PTHREAD_MUTEX_INITIALIZER;

/* Calls are answered on GDBus's own thread, which has each message when it comes. */
struct PlayedService {
	GDBusConnection *connection;     /* NULL: not there */
	unsigned filter;
	unsigned manners;
	GPtrArray *history;              /* Entry */
	uint64_t last;
	uint64_t forgotten;
	GHashTable *chains;              /* "path member" and "path" -> uint64_t, the last of it */
	GQueue held;                     /* GDBusMessage */
	GHashTable *calls;               /* member -> how often */
};

char *played_uuid(unsigned domain)
{
	return g_strdup_printf("11111111-2222-3333-4444-00000000000%u", domain);
}

char *played_path(unsigned domain)
{
	g_autofree char *uuid = played_uuid(domain);

	return bus_path_from_uuid(uuid);
}

static void entry_free(void *data)
{
	Entry *entry = data;

	g_free(entry->path);
	g_free(entry->interface);
	g_free(entry->member);
	g_variant_unref(entry->arguments);
	g_free(entry);
}

/* ---- signals ---- */

/* The number that was there before; 0: none. */
static uint64_t replace_link(PlayedService *service, char *key, uint64_t sequence)
{
	const uint64_t *before = g_hash_table_lookup(service->chains, key);
	uint64_t previous = before ? *before : 0;

	g_hash_table_replace(service->chains, key, g_memdup2(&sequence, sizeof sequence));
	return previous;
}

/* What is before the stamp: a tuple, floating. */
static uint64_t emit(PlayedService *service, unsigned domain, const char *interface, const char *member, GVariant *arguments,
		     bool lost)
{
	g_autoptr(GVariant) tuple = g_variant_ref_sink(arguments);
	GVariantBuilder builder, details;
	Entry *entry = g_new0(Entry, 1);
	uint64_t sequence, domain_previous;

	pthread_mutex_lock(&played_lock);
	sequence = entry->sequence = ++service->last;
	entry->path = played_path(domain);
	entry->interface = g_strdup(interface);
	entry->member = g_strdup(member);
	entry->time = (uint64_t)g_get_real_time();
	entry->previous = replace_link(service, g_strconcat(entry->path, " ", member, NULL), sequence);
	domain_previous = replace_link(service, g_strdup(entry->path), sequence);
	g_variant_builder_init(&details, G_VARIANT_TYPE_VARDICT);
	if (domain_previous)
		g_variant_builder_add(&details, "{sv}", "domain-previous", g_variant_new_uint64(domain_previous));
	g_variant_builder_init(&builder, G_VARIANT_TYPE_TUPLE);
	for (size_t i = 0; i < g_variant_n_children(tuple); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(tuple, i);

		g_variant_builder_add_value(&builder, child);
	}
	g_variant_builder_add(&builder, "(ttt)", entry->sequence, entry->previous, entry->time);
	g_variant_builder_add_value(&builder, g_variant_builder_end(&details));
	entry->arguments = g_variant_ref_sink(g_variant_builder_end(&builder));
	g_ptr_array_add(service->history, entry);
	if (service->connection && !lost)
		g_dbus_connection_emit_signal(service->connection, NULL, entry->path, interface, member, entry->arguments,
					      NULL);
	pthread_mutex_unlock(&played_lock);
	return sequence;
}

uint64_t played_service_emit(PlayedService *service, unsigned domain, bool lost)
{
	return emit(service, domain, BUS_INTERFACE("Domain"), "Lifecycle",
		    g_variant_new("(sss)", "suspended", "paused", "paused"), lost);
}

uint64_t played_service_emit_reset(PlayedService *service, unsigned domain, bool lost)
{
	return emit(service, domain, BUS_INTERFACE("Domain"), "Reset", g_variant_new("(ss)", "guest", "guest-reset"), lost);
}

void played_service_emit_properties(PlayedService *service, unsigned domain)
{
	g_autofree char *path = played_path(domain);
	GVariantBuilder changed;

	g_variant_builder_init(&changed, G_VARIANT_TYPE_VARDICT);
	g_variant_builder_add(&changed, "{sv}", "State", g_variant_new_string("paused"));
	g_dbus_connection_emit_signal(service->connection, NULL, path, PROPERTIES, "PropertiesChanged",
				      g_variant_new("(sa{sv}as)", BUS_INTERFACE("Domain"), &changed, NULL), NULL);
}

/* ---- filters ---- */

static bool matches_one(const Entry *entry, GVariant *filter)
{
	uint64_t after = 0;
	const char *text;
	const struct {
		const char *key, *type, *value;
	} keys[] = {
		{ "domain", "&o", entry->path },
		{ "interface", "&s", entry->interface },
		{ "member", "&s", entry->member },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
		if (g_variant_lookup(filter, keys[i].key, keys[i].type, &text) && !g_str_equal(text, keys[i].value))
			return false;
	if (g_variant_lookup(filter, "arg0", "&s", &text)) {
		g_autoptr(GVariant) first = g_variant_get_child_value(entry->arguments, 0);

		if (!g_str_equal(text, g_variant_get_string(first, NULL)))
			return false;
	}
	return !g_variant_lookup(filter, "after", "t", &after) || entry->sequence > after;
}

static bool matches(const Entry *entry, GVariant *filter)
{
	g_autoptr(GVariant) any_of = g_variant_lookup_value(filter, "any-of", G_VARIANT_TYPE("aa{sv}"));

	if (!matches_one(entry, filter))
		return false;
	for (size_t i = 0; any_of && i < g_variant_n_children(any_of); i++) {
		g_autoptr(GVariant) one = g_variant_get_child_value(any_of, i);

		if (matches_one(entry, one))
			return true;
	}
	return !any_of;
}

/* ---- answers; with the lock ---- */

static GVariant *get_events(PlayedService *service, GVariant *arguments)
{
	g_autoptr(GVariant) filter = NULL;
	GVariantBuilder events;
	uint64_t after, last;
	uint32_t limit, count = 0;

	g_variant_get(arguments, "(t@a{sv}u)", &after, &filter, &limit);
	if (after > service->last)
		return NULL;
	last = after;
	g_variant_builder_init(&events, G_VARIANT_TYPE("a(tttossv)"));
	for (unsigned i = 0; i < service->history->len && count < (limit ? limit : 1000); i++) {
		const Entry *entry = service->history->pdata[i];

		if (entry->sequence <= after)
			continue;
		last = entry->sequence;
		if (!matches(entry, filter))
			continue;
		count++;
		g_variant_builder_add(&events, "(tttossv)", entry->sequence, entry->previous, entry->time, entry->path,
				      entry->interface, entry->member, entry->arguments);
	}
	return g_variant_new("(bta(tttossv))", after >= service->forgotten, last, &events);
}

static GVariant *count_events(PlayedService *service, GVariant *arguments)
{
	g_autoptr(GVariant) filter = NULL;
	uint64_t after, count = 0;

	g_variant_get(arguments, "(t@a{sv})", &after, &filter);
	if (after > service->last)
		return NULL;
	for (unsigned i = 0; i < service->history->len; i++) {
		const Entry *entry = service->history->pdata[i];

		count += entry->sequence > after && matches(entry, filter);
	}
	return g_variant_new("(btt)", after >= service->forgotten, service->last, count);
}

static GVariant *get_objects(void)
{
	GVariantBuilder objects;

	g_variant_builder_init(&objects, G_VARIANT_TYPE("a{oa{sa{sv}}}"));
	for (unsigned domain = 1; domain <= 2; domain++) {
		g_autofree char *path = played_path(domain), *uuid = played_uuid(domain);
		g_autofree char *name = g_strdup_printf("vm%u", domain);
		GVariantBuilder interfaces, properties;

		g_variant_builder_init(&properties, G_VARIANT_TYPE_VARDICT);
		g_variant_builder_add(&properties, "{sv}", "Name", g_variant_new_string(name));
		g_variant_builder_add(&properties, "{sv}", "UUID", g_variant_new_string(uuid));
		g_variant_builder_add(&properties, "{sv}", "State", g_variant_new_string("paused"));
		g_variant_builder_init(&interfaces, G_VARIANT_TYPE("a{sa{sv}}"));
		g_variant_builder_add(&interfaces, "{sa{sv}}", BUS_INTERFACE("Domain"), &properties);
		g_variant_builder_add(&objects, "{oa{sa{sv}}}", path, &interfaces);
	}
	return g_variant_new("(a{oa{sa{sv}}})", &objects);
}

static void reply(GDBusConnection *connection, GDBusMessage *call, GVariant *body)
{
	g_autoptr(GDBusMessage) answer =
		body ? g_dbus_message_new_method_reply(call)
		     : g_dbus_message_new_method_error(call, BUS_ERROR("InvalidArgument"), "there is no such sequence");

	if (body)
		g_dbus_message_set_body(answer, body);
	g_dbus_connection_send_message(connection, answer, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
}

static void refuse(GDBusConnection *connection, GDBusMessage *call, const char *name)
{
	g_autoptr(GDBusMessage) answer = g_dbus_message_new_method_error(call, name, "as the test wants it");

	g_dbus_connection_send_message(connection, answer, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
}

static void answer_stream(PlayedService *service, GDBusConnection *connection, GDBusMessage *call, const char *member)
{
	GVariant *arguments = g_dbus_message_get_body(call);

	if (service->manners & PLAYED_IS_SILENT)
		return;
	if (service->manners & PLAYED_REFUSES)
		refuse(connection, call, BUS_ERROR("Io"));
	else if (g_str_equal(member, "GetEvents"))
		reply(connection, call, get_events(service, arguments));
	else if (service->manners & PLAYED_CANNOT_COUNT)
		refuse(connection, call, "org.freedesktop.DBus.Error.UnknownMethod");
	else
		reply(connection, call, count_events(service, arguments));
}

static void answer(PlayedService *service, GDBusConnection *connection, GDBusMessage *call)
{
	const char *member = g_dbus_message_get_member(call);
	GVariant *arguments = g_dbus_message_get_body(call);

	if (g_str_equal(member, "GetEvents") || g_str_equal(member, "CountEvents"))
		answer_stream(service, connection, call, member);
	else if (g_str_equal(member, "Get"))
		reply(connection, call, g_variant_new("(v)", g_variant_new_uint64(service->last)));
	else if (g_str_equal(member, "GetManagedObjects"))
		reply(connection, call, get_objects());
	else if (g_str_equal(member, "Echo"))
		reply(connection, call, arguments);
	else if (g_str_equal(member, "Hold"))
		g_queue_push_tail(&service->held, g_object_ref(call));
	else
		refuse(connection, call, "org.freedesktop.DBus.Error.UnknownMethod");
}

static GDBusMessage *on_message(GDBusConnection *connection, GDBusMessage *message, gboolean incoming, void *userdata)
{
	PlayedService *service = userdata;
	const char *member = g_dbus_message_get_member(message);

	if (!incoming || g_dbus_message_get_message_type(message) != G_DBUS_MESSAGE_TYPE_METHOD_CALL)
		return message;
	pthread_mutex_lock(&played_lock);
	g_hash_table_replace(service->calls, g_strdup(member),
			     GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(service->calls, member)) + 1));
	answer(service, connection, message);
	pthread_mutex_unlock(&played_lock);
	g_object_unref(message);
	return NULL;
}

/* ---- life ---- */

PlayedService *played_service_new(void)
{
	PlayedService *service = g_new0(PlayedService, 1);

	pthread_mutex_lock(&played_lock);
	service->history = g_ptr_array_new_with_free_func(entry_free);
	service->chains = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	service->calls = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	pthread_mutex_unlock(&played_lock);
	return service;
}

void played_service_appear(PlayedService *service, const char *address)
{
	const GDBusConnectionFlags flags = G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
					   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION;
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) answer_of_bus = NULL;
	GDBusConnection *connection = g_dbus_connection_new_for_address_sync(address, flags, NULL, NULL, &error);

	g_assert_no_error(error);
	g_assert_null(service->connection);
	g_dbus_connection_set_exit_on_close(connection, FALSE);
	service->filter = g_dbus_connection_add_filter(connection, on_message, service, NULL);
	pthread_mutex_lock(&played_lock);
	service->connection = connection;
	pthread_mutex_unlock(&played_lock);
	answer_of_bus = g_dbus_connection_call_sync(connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
						    "org.freedesktop.DBus", "RequestName",
						    g_variant_new("(su)", BUS_NAME, 4u), NULL, 0, -1, NULL, &error);
	g_assert_no_error(error);
}

void played_service_vanish(PlayedService *service)
{
	GDBusConnection *connection = service->connection;

	g_dbus_connection_flush_sync(connection, NULL, NULL);
	g_dbus_connection_remove_filter(connection, service->filter);
	pthread_mutex_lock(&played_lock);
	service->connection = NULL;
	g_queue_clear_full(&service->held, g_object_unref);
	pthread_mutex_unlock(&played_lock);
	g_dbus_connection_close_sync(connection, NULL, NULL);
	g_object_unref(connection);
}

PlayedService *played_service_free(PlayedService *service)
{
	if (service->connection)
		played_service_vanish(service);
	pthread_mutex_lock(&played_lock);
	g_ptr_array_unref(service->history);
	g_hash_table_unref(service->chains);
	g_hash_table_unref(service->calls);
	pthread_mutex_unlock(&played_lock);
	g_free(service);
	return NULL;
}

void played_service_set_manners(PlayedService *service, unsigned manners)
{
	pthread_mutex_lock(&played_lock);
	service->manners = manners;
	pthread_mutex_unlock(&played_lock);
}

void played_service_forget(PlayedService *service, uint64_t sequence)
{
	pthread_mutex_lock(&played_lock);
	service->forgotten = sequence;
	while (service->history->len > 0 && ((Entry *)service->history->pdata[0])->sequence <= sequence)
		g_ptr_array_remove_index(service->history, 0);
	pthread_mutex_unlock(&played_lock);
}

void played_service_renumber(PlayedService *service)
{
	pthread_mutex_lock(&played_lock);
	service->last = service->forgotten = 0;
	g_ptr_array_set_size(service->history, 0);
	g_hash_table_remove_all(service->chains);
	pthread_mutex_unlock(&played_lock);
}

uint64_t played_service_get_last(PlayedService *service)
{
	uint64_t last;

	pthread_mutex_lock(&played_lock);
	last = service->last;
	pthread_mutex_unlock(&played_lock);
	return last;
}

unsigned played_service_get_held(PlayedService *service)
{
	unsigned length;

	pthread_mutex_lock(&played_lock);
	length = service->held.length;
	pthread_mutex_unlock(&played_lock);
	return length;
}

void played_service_release(PlayedService *service)
{
	GDBusMessage *call;

	pthread_mutex_lock(&played_lock);
	while ((call = g_queue_pop_head(&service->held))) {
		reply(service->connection, call, g_variant_new("()"));
		g_object_unref(call);
	}
	pthread_mutex_unlock(&played_lock);
}

unsigned played_service_get_calls(PlayedService *service, const char *member)
{
	unsigned count;

	pthread_mutex_lock(&played_lock);
	count = GPOINTER_TO_UINT(g_hash_table_lookup(service->calls, member));
	pthread_mutex_unlock(&played_lock);
	return count;
}
