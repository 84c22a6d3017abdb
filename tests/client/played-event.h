/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <vmherald/event.h>
#include <vmherald/snapshot.h>

/*
 * Events as a service would send them, for tests of what becomes of them.
 */

#define PLAYED_DOMAINS_MAX 4u

/* Uuid of a domain, by number. Borrowed. */
const char *played_domain(unsigned domain);

/* A signal of one of the kinds LIFECYCLE, RESET, JOB_CHANGED and JOB_EVENT, which all begin with a string. */
VmhEvent *played_event(uint64_t sequence, uint64_t previous, uint64_t domain_previous, unsigned domain, VmhEventKind kind, const char *arg0);
/* PROPERTIES_CHANGED of the interface Domain. */
VmhEvent *played_state(unsigned domain);
/* One of no domains. */
VmhSnapshot *played_snapshot(void);
