/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service.h"

/*
 * GetManagedObjects() of the manager: the state of all domains, as a clean cut in the stream of signals. The few
 * of most hosts are told at once; many, in slices (managed-objects.c). Event thread only.
 */

/* So many are told in the turn in which they are asked for. */
#define MANAGED_OBJECTS_AT_ONCE  64u
/* How long a slice may take; one domain is written in each. */
#define MANAGED_OBJECTS_SLICE_US 1000u
/* So often it is begun anew because domains have changed; then it is brought to its end, however long that takes. */
#define MANAGED_OBJECTS_ANEW_MAX 3u

ManagedObjects *managed_objects_new(Service *service);
/* For tests: in place of MANAGED_OBJECTS_SLICE_US. */
void managed_objects_set_slice(ManagedObjects *self, unsigned slice_us);
/* Before the bus: who waits is told that the service leaves. NULL-safe, returns NULL. */
ManagedObjects *managed_objects_free(ManagedObjects *self);

/* For a filter of the bus: 0 if the message is no such call; 1: it has been taken, and is answered now or later; a negative
 * errno and ret_error if it cannot be. */
int managed_objects_filter(ManagedObjects *self, sd_bus_message *message, sd_bus_error *ret_error);

/* What is said of it elsewhere is said here too: it has come, has changed, has gone. */
void managed_objects_domain_added(ManagedObjects *self, Domain *domain);
void managed_objects_domain_changed(ManagedObjects *self, Domain *domain);
void managed_objects_domain_removed(ManagedObjects *self, Domain *domain);
