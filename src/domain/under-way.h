/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "domain/backend.h"
#include "domain/host-nics.h"

/*
 * What is about to be put into QEMU for a device, written down before it is begun (run-file.h): backends that come
 * with the device, or another medium for its drive. A service that finds such an entry was started after one that
 * was killed in between, and takes out what belongs to nothing (leftover.c).
 */
typedef struct UnderWay {
	bool medium;                 /* for a drive that is there; else a device is plugged in */
	Backends backends;           /* that go in; of a medium its node alone, if there is one */
	char *old;                   /* node of the medium that is in; NULL: none */
	bool was_open;               /* its tray */
	HostNic *link;               /* of the host, that is made for it; NULL: none */
	unsigned n_fds;              /* that QEMU is given by name for it */
	bool found;                  /* it is being cleaned up */
} UnderWay;

UnderWay *under_way_free(UnderWay *entry);
/* device id -> UnderWay, owning both. */
GHashTable *under_way_table_new(void);

/* Of all entries that have one, copied into a table of host-nics.h, under names that no device has. */
void under_way_table_add_links(GHashTable *table, GHashTable *nics);

/* An object, for the run file; and back (NULL: empty). What is not understood is left out. Any thread. */
void under_way_table_write(JsonBuilder *builder, GHashTable *table);
GHashTable *under_way_table_read(JsonObject *object);
