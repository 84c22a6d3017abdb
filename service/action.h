/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/*
 * What a method or a writable property is, for who decides whether somebody may: one of few actions. A row of an interface's table
 * carries its action in itself, and what is found by the bus is found here: tables come to the bus by this file alone, and
 * one with a row that has no action is refused.
 *
 *	ACTION_METHOD("Start", OPTIONS, NO_RESULT, method_start, ACTION_CONTROL),
 */

typedef enum Action {
	ACTION_OPEN,                /* whoever may talk to the service: what every peer answers */
	ACTION_INSPECT,             /* read */
	ACTION_SCREENSHOT,          /* see what the guest shows */
	ACTION_CONTROL,             /* start, stop, save, and the like */
	ACTION_DEFINE,              /* make, change and remove definitions */
	ACTION_ATTACH,              /* devices and media that come and go */
	ACTION_MONITOR_EXECUTE,     /* any QMP command */
	ACTION_ADOPT,               /* a QEMU that somebody else has started */
	ACTION_MANAGE,              /* the service itself */
	ACTION_MAX,
} Action;

/* "org.vmherald.domains1.inspect"; NULL for ACTION_OPEN. */
const char *action_get_id(Action action);

/* In the place of a row where sd-bus keeps the number of a capability. sd-bus itself lets everybody call such a row: else it would ask
 * the bus who it is, and wait for that, and would know root and nobody else. */
#define ACTION_FLAGS(action) (SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_CAPABILITY(action))

#define ACTION_METHOD(member, arguments, result, handler, action) \
	SD_BUS_METHOD_WITH_ARGS(member, SD_BUS_ARGS(arguments), SD_BUS_RESULT(result), handler, \
				ACTION_FLAGS(action))
/* For who sets it; to read it is ACTION_INSPECT, as of all properties. */
#define ACTION_WRITABLE_PROPERTY(member, signature, getter, setter, flags, action) \
	SD_BUS_WRITABLE_PROPERTY(member, signature, getter, setter, 0, (flags) | ACTION_FLAGS(action))

/* Of all that has come to the bus by it. */
typedef struct Actions Actions;

Actions *actions_new(void);
Actions *actions_free(Actions *actions);

/* As sd_bus_add_object_vtable() and sd_bus_add_fallback_vtable(). -ENOKEY and a record if a row has no action: nothing is
 * added then. */
int actions_add_object(Actions *actions, sd_bus *bus, const char *path, const char *interface,
		       const sd_bus_vtable *vtable, void *userdata);
int actions_add_fallback(Actions *actions, sd_bus *bus, const char *prefix, const char *interface,
			 const sd_bus_vtable *vtable, sd_bus_object_find_t find, void *userdata);

/* Of a method, or of a writable property. False if there is none of that name. */
bool actions_find(const Actions *actions, const char *interface, const char *member, Action *ret_action);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Actions, actions_free)
