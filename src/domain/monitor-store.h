/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/worker-pool.h"

/*
 * Where the connections to QEMUs outlive the service: a store of descriptors outside of it, such as that of
 * systemd. QEMU writes on for a connection that nobody reads at present, and keeps nothing for who is not
 * connected; so with the connection its events are kept.
 */

/* The store itself, provided by whoever hosts the driver. */
typedef struct DescriptorStore {
	/* Worker thread, one call at a time, in order; may block. The store has a copy of fd from then on. */
	void (*keep)(const char *name, int fd, void *userdata);
	/* Likewise. All of that name; none is no error. */
	void (*forget)(const char *name, void *userdata);
	/* Start-up: what the service before this one has kept by that name, the caller's from here on (the store goes on
	 * keeping it); -1: nothing. */
	int (*take)(const char *name, void *userdata);
	/* Start-up: nobody takes any more. What is left belongs to nothing: it is closed, and forgotten. */
	void (*drop_others)(void *userdata);
	void *userdata;
} DescriptorStore;

/* All below: event thread; NULL-safe, as a store that keeps nothing. */
typedef struct MonitorStore MonitorStore;

/* store is copied. */
MonitorStore *monitor_store_new(WorkerPool *pool, const DescriptorStore *store);
MonitorStore *monitor_store_free(MonitorStore *monitors);

/* The connection to the QEMU of the domain of that uuid; fd stays the caller's. It takes the place of one that was
 * kept before. */
void monitor_store_keep(MonitorStore *monitors, const char *uuid, int fd);
void monitor_store_forget(MonitorStore *monitors, const char *uuid);
/* Start-up. -1 if none was kept. */
int monitor_store_take(MonitorStore *monitors, const char *uuid);
void monitor_store_drop_others(MonitorStore *monitors);
