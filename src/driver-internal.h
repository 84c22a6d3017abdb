/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/registry.h"
#include "driver.h"
#include "event/sequence.h"

struct Driver {
	Loop *loop;
	DriverObserver observer;
	DomainHost host;
	Directories *directories;
	int runtime_lock, state_lock;
	WorkerPool *pool;
	Strand *store;              /* reads and writes of definitions, one after the other */
	Strand *background;         /* what nobody waits for: emulators, the sequence's reservation */
	Sequence *sequence;
	bool reserving;
	uint64_t sequence_at_start; /* the last one of the service before this one */
	Registry *registry;
	GHashTable *numbers;        /* uuid -> Numbers (driver.c), for the stamp */
	GPtrArray *emulators;
	unsigned jobs;              /* on the store strand */

	GQueue autostart;           /* Domain, with references */
	unsigned autostarting;

	unsigned readopting;
	void (*started)(void *userdata);
	void *started_userdata;
};

void driver_add_domain(Driver *driver, Domain *domain);
void driver_remove_domain(Driver *driver, Domain *domain);
