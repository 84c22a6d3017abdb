/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "action.h"
#include "service.h"

/*
 * A domain on the bus. Nothing is registered per domain: fallback tables with a function that finds the domain of
 * a path, and one that lists the paths.
 */

/* What a handler or getter gets as its userdata. Good until the loop's next turn. */
typedef struct DomainObject {
	Service *service;
	Domain *domain;
} DomainObject;

int domain_object_register(Service *service);

/* Appends its entry of GetManagedObjects(): {oa{sa{sv}}}. */
int domain_object_append(Service *service, Domain *domain, sd_bus_message *message);

int domain_object_emit_added(sd_bus *bus, Domain *domain);
int domain_object_emit_removed(sd_bus *bus, Domain *domain);
/* PropertiesChanged, for each interface that has one of properties. */
int domain_object_emit_changed(Service *service, Domain *domain, DomainProperty properties);
/* The same for later, with the values of now. properties are all of one interface. */
int domain_object_new_changed(Service *service, Domain *domain, DomainProperty properties,
			      sd_bus_message **ret_message);

/* The tables, one file each. */
extern const sd_bus_vtable domain_interface_vtable[];
extern const sd_bus_vtable devices_interface_vtable[];
extern const sd_bus_vtable network_interface_vtable[];
extern const sd_bus_vtable block_interface_vtable[];
extern const sd_bus_vtable guest_interface_vtable[];
extern const sd_bus_vtable display_interface_vtable[];
extern const sd_bus_vtable migration_interface_vtable[];
extern const sd_bus_vtable monitor_interface_vtable[];

