/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "access-target.h"

#include <string.h>

#include "bus/names.h"
#include "bus/object-path.h"

#define INTROSPECTABLE "org.freedesktop.DBus.Introspectable"
#define PEER           "org.freedesktop.DBus.Peer"

void access_definition_clear(AccessDefinition *definition)
{
	g_free(definition->name);
	g_free(definition->uuid);
	*definition = (AccessDefinition){ 0 };
}

AccessTarget *access_target_free(AccessTarget *target)
{
	if (!target)
		return NULL;
	g_free(target->method);
	g_free(target->name);
	g_free(target->uuid);
	g_free(target->new_name);
	g_free(target);
	return NULL;
}

static void set_domain(AccessTarget *target, const Domain *domain)
{
	target->name = g_strdup(domain_get_name(domain));
	target->uuid = g_strdup(domain_get_uuid(domain));
}

static void set_method(AccessTarget *target, const char *interface, const char *member)
{
	const char *dot = strrchr(interface, '.');

	target->method = g_strdup_printf("%s.%s", dot ? dot + 1 : interface, member);
}

/* ---- which action ---- */

/* Of all properties; what cannot be read, or is not there, sd-bus says to who may know it. */
static void find_property_action(const Actions *actions, sd_bus_message *message, AccessTarget *target)
{
	const char *interface, *property;

	target->action = ACTION_INSPECT;
	if (g_str_equal(sd_bus_message_get_member(message), "Set") &&
	    sd_bus_message_read(message, "ss", &interface, &property) >= 0 &&
	    actions_find(actions, interface, property, &target->action))
		set_method(target, interface, property);
	else
		set_method(target, BUS_PROPERTIES, sd_bus_message_get_member(message));
}

/* False: no method of ours. */
static bool find_action(const Actions *actions, sd_bus_message *message, AccessTarget *target)
{
	const char *interface = sd_bus_message_get_interface(message);
	const char *member = sd_bus_message_get_member(message);

	/* It may be left out in a message; sd-bus knows no such call, and no other is to come by here. */
	if (!interface)
		return false;
	if (g_str_equal(interface, BUS_PROPERTIES)) {
		find_property_action(actions, message, target);
		return true;
	}
	set_method(target, interface, member);
	if (g_str_equal(interface, INTROSPECTABLE) || g_str_equal(interface, PEER))
		target->action = ACTION_OPEN;
	else if (g_str_equal(interface, BUS_OBJECT_MANAGER))
		target->action = ACTION_INSPECT;
	else
		return actions_find(actions, interface, member, &target->action);
	return true;
}

/* ---- which domain ---- */

/* A domain is found by its uuid, whatever name the definition has; only where there is none the name counts. */
static void find_defined(Service *service, const AccessDefinition *definition, AccessTarget *target)
{
	Domain *domain = definition->uuid ? driver_find_domain_by_uuid(service->driver, definition->uuid) : NULL;

	if (!domain) {
		target->name = g_strdup(definition->name);
		target->uuid = g_strdup(definition->uuid);
		return;
	}
	set_domain(target, domain);
	if (!g_str_equal(target->name, definition->name))
		target->new_name = g_strdup(definition->name);
}

static bool is_manager_call(sd_bus_message *message, const char *member)
{
	return sd_bus_message_is_method_call(message, BUS_INTERFACE("Manager"), member) > 0;
}

static void find_argument(Service *service, sd_bus_message *message, const AccessDefinition *definition,
			  AccessTarget *target)
{
	const char *text;
	Domain *domain;

	if (sd_bus_message_read(message, "s", &text) < 0)
		return;
	if (is_manager_call(message, "DefineDomain") || is_manager_call(message, "CreateDomain")) {
		target->definition = text;
		if (definition && definition->is_known)
			find_defined(service, definition, target);
	} else if (is_manager_call(message, "GetDomain")) {
		domain = driver_find_domain(service->driver, text);
		if (domain)
			set_domain(target, domain);
		else
			target->name = g_strdup(text);
	} else if (is_manager_call(message, "AdoptDomain")) {
		target->name = g_strdup(text);
	}
}

/* False: there is no such domain, which the bus says to everybody. */
static bool find_domain(Service *service, sd_bus_message *message, const AccessDefinition *definition,
			AccessTarget *target)
{
	char uuid[BUS_PATH_UUID_LENGTH + 1];
	Domain *domain;

	if (!bus_path_to_uuid(sd_bus_message_get_path(message), uuid)) {
		if (is_manager_call(message, NULL))
			find_argument(service, message, definition, target);
		return true;
	}
	domain = driver_find_domain_by_uuid(service->driver, uuid);
	if (domain)
		set_domain(target, domain);
	return domain != NULL;
}

int access_target_find(Service *service, sd_bus_message *message, const AccessDefinition *definition,
		       AccessTarget **ret_target, sd_bus_error *ret_error)
{
	AccessTarget *target = g_new0(AccessTarget, 1);
	bool is_ours = find_action(service->actions, message, target);

	if (is_ours && target->action != ACTION_OPEN && find_domain(service, message, definition, target)) {
		*ret_target = target;
		return 1;
	}
	(void)access_target_free(target);
	if (is_ours)
		return 0;
	return sd_bus_error_setf(ret_error, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method %s or interface %s.",
				 sd_bus_message_get_member(message),
				 sd_bus_message_get_interface(message) ?: "(none)");
}

/* ---- compare, show ---- */

bool access_target_equal(const AccessTarget *a, const AccessTarget *b)
{
	return a->action == b->action && g_str_equal(a->method, b->method) &&
	       g_strcmp0(a->name, b->name) == 0 && g_strcmp0(a->uuid, b->uuid) == 0 &&
	       g_strcmp0(a->new_name, b->new_name) == 0;
}

/* No name and no uuid has a line break in it. */
char *access_target_to_string(const AccessTarget *target)
{
	return g_strdup_printf("%d\n%s\n%s\n%s\n%s", (int)target->action, target->method, target->uuid ?: "",
			       target->new_name ?: "", target->name ?: "");
}

char *access_target_describe(const AccessTarget *target)
{
	GString *text = g_string_new(target->method);

	if (target->name)
		g_string_append_printf(text, " of domain '%s'", target->name);
	if (target->new_name)
		g_string_append_printf(text, ", which becomes '%s',", target->new_name);
	g_string_append_printf(text, " needs %s", action_get_id(target->action));
	return g_string_free(text, FALSE);
}
