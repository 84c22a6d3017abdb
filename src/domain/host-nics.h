/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "model/definition.h"
#include "net/host-nic.h"
#include "qemu/program.h"

/*
 * The links of one domain (net/host-nic.h), by the ids of its NICs, from the plan to the end:
 *
 *   host_nics_plan()      names; they are in the run file before the first link is made
 *   host_nics_make()      the links, and what QEMU gets of them
 *   host_nics_remove()    when QEMU has gone, or was never started
 *
 * A table is id -> HostNic, owning both. Only what blocks is for a worker thread alone: make and remove.
 */

GHashTable *host_nics_new(void);
GHashTable *host_nics_copy(GHashTable *nics);

/* Of one interface; NULL if it stands on no link. */
HostNic *host_nics_plan_one(const DefinitionInterface *interface);
/* Of all that stand on one. */
GHashTable *host_nics_plan(const Definition *definition);

/* Makes all that was planned for definition, and adds what QEMU gets to descriptors (QemuDescriptor, by rising numbers):
 * numbered as its command line has them (qemu/interface.h). They are the caller's, also after a failure: then no link
 * remains. Errors are those of host_nic_make(), and name the interface. */
bool host_nics_make(GHashTable *nics, const Definition *definition, GArray *descriptors, GError **error);
/* One of them alone, numbered from first on. domain: its name. */
bool host_nics_make_one(HostNic *nic, const DefinitionInterface *interface, const char *domain, int first,
			GArray *descriptors, GError **error);
/* An array for them, which closes what is in it. */
GArray *host_nics_descriptors_new(void);

/* What cannot be removed is a record: nobody waits for an answer. domain: its name. */
void host_nics_remove(GHashTable *nics, const char *domain);

/* A member of an object for the run file: that of one, and of a table; and back (NULL: none, an empty table). What is not
 * understood is left out. */
void host_nic_write(JsonBuilder *builder, const char *member, const HostNic *nic);
HostNic *host_nic_read_json(JsonObject *object);
void host_nics_write(JsonBuilder *builder, const char *member, GHashTable *nics);
GHashTable *host_nics_read(JsonObject *object);
