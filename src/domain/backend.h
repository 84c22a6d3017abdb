/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "model/definition-edit.h"

/*
 * What a device stands on: an -object, a -blockdev, a -netdev. When one is plugged in together with a
 * device, it also goes with it. In the order in which they are put in; taken out in reverse.
 */
typedef enum BackendKind {
	BACKEND_OBJECT,
	BACKEND_BLOCKDEV,
	BACKEND_NETDEV,
	BACKEND_MAX,
} BackendKind;

/* How long QEMU may take to put one in or take it out. */
#define BACKEND_TIMEOUT_MS 5000

typedef struct BackendRow {
	const char *name;            /* option of AttachDevice(), key in the run file */
	const char *add, *remove;    /* QMP commands */
	const char *id_member;       /* of the object that adds it */
	const char *remove_member;   /* of the command that removes it */
	DefinitionEntryKind entry;   /* where it stands in a definition */
} BackendRow;

extern const BackendRow backend_rows[BACKEND_MAX];

/* The backends of one device. */
typedef struct Backends {
	char *ids[BACKEND_MAX];      /* NULL: none of that kind */
} Backends;

Backends *backends_free(Backends *backends);
/* device id -> Backends, owning both. */
GHashTable *backends_table_new(void);
