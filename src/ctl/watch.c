/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules are sent as calls of AddMatch, and one filter sees each message once. With
 * sd_bus_add_match() a message that fits two rules would be handed over twice.
 *
 * A rule with sender=NAME does not keep out signals that somebody sends straight to us, so the
 * sender is compared with the owner of the name, which is followed by NameOwnerChanged.
 */
#include "ctl/watch.h"

#include <errno.h>
#include <glib/gi18n.h>

#include "ctl/bus.h"
#include "ctl/names.h"
#include "ctl/value.h"

#define BUS_SERVICE "org.freedesktop.DBus"
#define BUS_PATH    "/org/freedesktop/DBus"

struct Watch {
	Ctl *ctl;
	WatchHandler handler;
	sd_bus_slot *filter;
	sd_bus_slot *names_call;        /* a ListDomains under way */
	char *owner;                    /* unique name of the service; NULL: not there */
	GHashTable *names;              /* path -> name */
	GQueue *gone;                   /* char *, paths of removed domains, oldest first */
	GQueue *held;                   /* sd_bus_message * */
	bool learn_names;
};

static void learn(Watch *watch, const char *path, const char *name)
{
	GList *link = g_queue_find_custom(watch->gone, path, (GCompareFunc) g_strcmp0);

	if (link) {
		g_free(link->data);
		g_queue_delete_link(watch->gone, link);
	}
	g_hash_table_replace(watch->names, g_strdup(path), g_strdup(name));
}

/* Its last signals may come after it was removed, so the name is kept for a while. */
static void forget(Watch *watch, const char *path)
{
	if (!g_hash_table_contains(watch->names, path) ||
	    g_queue_find_custom(watch->gone, path, (GCompareFunc) g_strcmp0))
		return;
	g_queue_push_tail(watch->gone, g_strdup(path));
	if (watch->gone->length > WATCH_GONE_MAX) {
		g_autofree char *oldest = g_queue_pop_head(watch->gone);

		g_hash_table_remove(watch->names, oldest);
	}
}

/* The name in a dictionary of properties of the interface Domain; NULL if it is not there. */
static const char *name_property(JsonNode *properties)
{
	JsonNode *name = NULL;

	if (properties && JSON_NODE_HOLDS_OBJECT(properties))
		name = json_object_get_member(json_node_get_object(properties), "Name");
	return name && JSON_NODE_HOLDS_VALUE(name) ? json_node_get_string(name) : NULL;
}

static void learn_from(Watch *watch, const Signal *signal)
{
	unsigned length = json_array_get_length(signal->arguments);
	JsonNode *second = length > 1 ? json_array_get_element(signal->arguments, 1) : NULL;
	const char *name = NULL;

	if (!signal->domain_path)
		return;
	if (signal_is(signal, NAMES_OBJECT_MANAGER, "InterfacesAdded") && second &&
	    JSON_NODE_HOLDS_OBJECT(second))
		name = name_property(json_object_get_member(json_node_get_object(second),
							    NAMES_INTERFACE("Domain")));
	else if (signal_is(signal, NAMES_PROPERTIES, "PropertiesChanged") &&
		 g_strcmp0(signal_argument(signal, 0), NAMES_INTERFACE("Domain")) == 0)
		name = name_property(second);
	else if (signal_is(signal, NAMES_OBJECT_MANAGER, "InterfacesRemoved"))
		forget(watch, signal->domain_path);
	if (name)
		learn(watch, signal->domain_path, name);
}

static void hand_over(Watch *watch, sd_bus_message *message)
{
	g_autoptr(Signal) signal = signal_new(message);

	if (!signal) {
		ctl_error(_("A signal of the service is malformed and was left out"));
		return;
	}
	learn_from(watch, signal);
	if (signal->domain_path)
		signal->name = g_strdup(g_hash_table_lookup(watch->names, signal->domain_path));
	watch->handler.signal(signal, watch->handler.userdata);
}

static void release_held(Watch *watch)
{
	watch->names_call = sd_bus_slot_unref(watch->names_call);
	while (!g_queue_is_empty(watch->held)) {
		g_autoptr(sd_bus_message) message = g_queue_pop_head(watch->held);

		hand_over(watch, message);
	}
}

static int on_names(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	Watch *watch = userdata;
	const char *path, *name;
	int r;

	/* An error is no news: the service is not there, or it does not answer. */
	if (!sd_bus_message_is_method_error(reply, NULL)) {
		r = sd_bus_message_enter_container(reply, 'a', "(osss)");
		while (r > 0 && (r = sd_bus_message_read(reply, "(osss)", &path, &name, NULL, NULL)) > 0)
			learn(watch, path, name);
	}
	release_held(watch);
	return 0;
}

static int ask_names(Watch *watch)
{
	g_autoptr(sd_bus_message) message = NULL;
	int r;

	if (!watch->learn_names || !watch->owner || watch->names_call)
		return 0;
	r = sd_bus_message_new_method_call(watch->ctl->bus, &message, NAMES_SERVICE,
					   NAMES_MANAGER_PATH, NAMES_INTERFACE("Manager"),
					   "ListDomains");
	/* Who only listens does not start anything. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(message, false);
	if (r >= 0)
		r = sd_bus_message_append(message, "a{sv}", 0);
	if (r >= 0)
		r = sd_bus_call_async(watch->ctl->bus, &watch->names_call, message, on_names, watch,
				      WATCH_NAMES_TIMEOUT);
	return r;
}

static void on_owner_changed(Watch *watch, sd_bus_message *message)
{
	const char *name, *old, *new;

	if (sd_bus_message_read(message, "sss", &name, &old, &new) <= 0 ||
	    !g_str_equal(name, NAMES_SERVICE))
		return;
	if (g_strcmp0(watch->owner, *new ? new : NULL) == 0)
		return;
	g_free(watch->owner);
	watch->owner = *new ? g_strdup(new) : NULL;
	/* A question to the one before is of no use any more. */
	if (watch->owner)
		watch->names_call = sd_bus_slot_unref(watch->names_call);
	if (ask_names(watch) < 0)
		release_held(watch);
	if (watch->handler.owner)
		watch->handler.owner(watch->owner != NULL, watch->handler.userdata);
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Watch *watch = userdata;
	const char *sender = sd_bus_message_get_sender(message);

	if (sd_bus_message_is_signal(message, BUS_SERVICE, "NameOwnerChanged")) {
		/* The bus itself signs as this; no client can. */
		if (g_strcmp0(sender, BUS_SERVICE) == 0)
			on_owner_changed(watch, message);
		return 0;
	}
	if (!sd_bus_message_is_signal(message, NULL, NULL) || !watch->owner ||
	    g_strcmp0(sender, watch->owner) != 0)
		return 0;
	if (!watch->names_call) {
		hand_over(watch, message);
		return 0;
	}
	g_queue_push_tail(watch->held, sd_bus_message_ref(message));
	if (watch->held->length > WATCH_HELD_MAX) {
		ctl_error(_("The service does not tell the names of its domains in time"));
		release_held(watch);
	}
	return 0;
}

static CtlExit add_rule(Watch *watch, const char *rule)
{
	g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_call_method(watch->ctl->bus, BUS_SERVICE, BUS_PATH, BUS_SERVICE, "AddMatch",
			       &error, NULL, "s", rule);
	return r < 0 ? bus_report(&error, r) : CTL_OK;
}

static CtlExit add_type_rule(Watch *watch, const char *base, const SignalType *type)
{
	GString *rule = g_string_new(base);
	CtlExit code;

	if (type->event)
		g_string_append_printf(rule, ",interface='%s',member='Lifecycle',arg0='%s'",
				       NAMES_INTERFACE("Domain"), type->event);
	if (type->interface)
		g_string_append_printf(rule, ",interface='%s.%s'", NAMES_SERVICE, type->interface);
	if (type->member)
		g_string_append_printf(rule, ",member='%s'", type->member);
	code = add_rule(watch, rule->str);
	g_string_free(rule, true);
	return code;
}

static CtlExit add_rules(Watch *watch, const WatchRules *rules)
{
	g_autofree char *where = rules->path ? g_strdup_printf("path='%s'", rules->path)
					     : g_strdup("path_namespace='" NAMES_MANAGER_PATH "'");
	g_autofree char *base = g_strdup_printf("type='signal',sender='%s',%s", NAMES_SERVICE, where);
	bool all = !rules->types || rules->types->len == 0;
	CtlExit code;

	code = add_rule(watch, "type='signal',sender='" BUS_SERVICE "',path='" BUS_PATH "',"
			       "interface='" BUS_SERVICE "',member='NameOwnerChanged',"
			       "arg0='" NAMES_SERVICE "'");
	/* Domains come and go on the manager's object, whichever domain is wanted. */
	if (code == CTL_OK && (rules->path || !all))
		code = add_rule(watch, "type='signal',sender='" NAMES_SERVICE "',"
				       "path='" NAMES_MANAGER_PATH "',"
				       "interface='" NAMES_OBJECT_MANAGER "'");
	if (code == CTL_OK && all)
		code = add_rule(watch, base);
	for (unsigned i = 0; code == CTL_OK && !all && i < rules->types->len; i++)
		code = add_type_rule(watch, base, rules->types->pdata[i]);
	if (code == CTL_OK && !all && rules->properties) {
		g_autofree char *rule = g_strconcat(base, ",interface='" NAMES_PROPERTIES "'", NULL);

		code = add_rule(watch, rule);
	}
	return code;
}

/* A question to the bus, not to the service. Its answer cannot be older than a NameOwnerChanged
 * that is still queued here, so reading those afterwards ends with the true owner. */
static CtlExit get_owner(Watch *watch)
{
	g_autoptr(sd_bus_message) reply = NULL;
	g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
	const char *owner = NULL;
	int r;

	r = sd_bus_call_method(watch->ctl->bus, BUS_SERVICE, BUS_PATH, BUS_SERVICE, "GetNameOwner",
			       &error, &reply, "s", NAMES_SERVICE);
	if (sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		return CTL_OK;
	if (r < 0)
		return bus_report(&error, r);
	if (bus_read(reply, "s", &owner) != CTL_OK)
		return CTL_FAILED;
	watch->owner = g_strdup(owner);
	return CTL_OK;
}

CtlExit watch_new(Ctl *ctl, const WatchRules *rules, const WatchHandler *handler, Watch **ret_watch)
{
	g_autoptr(Watch) watch = g_new0(Watch, 1);
	CtlExit code;
	int r;

	watch->ctl = ctl;
	watch->handler = *handler;
	watch->learn_names = rules->learn_names;
	watch->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	watch->gone = g_queue_new();
	watch->held = g_queue_new();
	code = bus_open(ctl);
	if (code != CTL_OK)
		return code;
	r = sd_bus_add_filter(ctl->bus, &watch->filter, on_message, watch);
	if (r < 0)
		return bus_report(NULL, r);
	code = add_rules(watch, rules);
	if (code == CTL_OK)
		code = get_owner(watch);
	if (code != CTL_OK)
		return code;
	r = ask_names(watch);
	if (r < 0)
		return bus_report(NULL, r);
	*ret_watch = g_steal_pointer(&watch);
	return CTL_OK;
}

Watch *watch_free(Watch *watch)
{
	if (!watch)
		return NULL;
	sd_bus_slot_unref(watch->filter);
	sd_bus_slot_unref(watch->names_call);
	while (!g_queue_is_empty(watch->held))
		sd_bus_message_unref(g_queue_pop_head(watch->held));
	g_queue_free(watch->held);
	g_queue_free_full(watch->gone, g_free);
	g_hash_table_unref(watch->names);
	g_free(watch->owner);
	g_free(watch);
	return NULL;
}

CtlExit watch_process(Watch *watch, uint64_t timeout)
{
	sd_bus *bus = watch->ctl->bus;
	int r;

	r = sd_bus_process(bus, NULL);
	if (r == 0)
		r = sd_bus_wait(bus, timeout);
	if (r < 0 && r != -EINTR) {
		ctl_error(_("The connection to the bus is lost: %s"), g_strerror(-r));
		return CTL_UNREACHABLE;
	}
	return CTL_OK;
}
