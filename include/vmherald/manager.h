/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmherald/connection.h>
#include <vmherald/error.h>
#include <vmherald/event.h>
#include <vmherald/macros.h>
#include <vmherald/options.h>
#include <vmherald/value.h>

/*
 * Calls to the service as a whole (org.vmherald.Domains1.Manager). They start it if it is not there, and wait for its answer, however
 * long that takes; other threads and the loop go on meanwhile. Any thread, callbacks included. What each does, its options and errors:
 * see the reference page.
 */

VMH_BEGIN_DECLS

typedef struct VmhDomainEntry {
	VmhDomain *domain;
	char *name, *uuid;
	VmhDomainState state;
	char *state_name;           /* the service's word for it, which may be a newer one */
} VmhDomainEntry;

typedef struct VmhProblem {
	char *path;                 /* in the document: "interfaces[0].mac"; "": the whole */
	char *message;
} VmhProblem;

/* Domains: a new reference, or NULL. JSON is a text. */
VMH_PUBLIC VmhDomain *vmh_connection_define_domain(VmhConnection *connection, const char *definition,
						   const VmhOptions *options, VmhError **error);
VMH_PUBLIC VmhDomain *vmh_connection_create_domain(VmhConnection *connection, const char *definition,
						   const VmhOptions *options, VmhError **error);
/* monitor: path of QEMU's socket, or "" with the option monitor-fd. */
VMH_PUBLIC VmhDomain *vmh_connection_adopt_domain(VmhConnection *connection, const char *name, const char *monitor,
						  const VmhOptions *options, VmhError **error);
VMH_PUBLIC VmhDomain *vmh_connection_get_domain(VmhConnection *connection, const char *name_or_uuid, VmhError **error);
/* Sorted by name; *ret_length of them. Free with vmh_domain_entries_free(). */
VMH_PUBLIC VmhDomainEntry *vmh_connection_list_domains(VmhConnection *connection, const VmhOptions *options,
						       size_t *ret_length, VmhError **error);
VMH_PUBLIC void vmh_domain_entries_free(VmhDomainEntry *entries, size_t length);
/* NULL and *ret_length 0: the definition is good. Returns false if the question failed. Free with vmh_problems_free(). */
VMH_PUBLIC bool vmh_connection_validate_definition(VmhConnection *connection, const char *definition,
						   VmhProblem **ret_problems, size_t *ret_length, VmhError **error);
VMH_PUBLIC void vmh_problems_free(VmhProblem *problems, size_t length);
VMH_PUBLIC bool vmh_connection_reload(VmhConnection *connection, VmhError **error);
/* All properties (a{sv}) of the manager. Unref. */
VMH_PUBLIC VmhValue *vmh_connection_get_properties(VmhConnection *connection, VmhError **error);
/* Without starting the service: VMH_ERROR_UNREACHABLE if it is not there. Version, InstanceID, LastSequence and so on. Unref. */
VMH_PUBLIC VmhValue *vmh_connection_get_property(VmhConnection *connection, const char *property, VmhError **error);

VMH_END_DECLS
