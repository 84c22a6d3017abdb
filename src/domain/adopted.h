/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/definition.h"

/*
 * What is known of a QEMU that somebody else has started, and cannot be in a Definition: how its monitor is reached,
 * and numbers that a definition could not have (a machine "none" has no CPU). It is kept in the run file (domain/run-file.h).
 */

typedef enum AdoptedBy {
	ADOPTED_BY_PATH,             /* we connect to its socket, as often as it takes */
	ADOPTED_BY_DESCRIPTOR,       /* we were given a connection, and there is no other one */
	ADOPTED_BY_MAX,
} AdoptedBy;

typedef struct Adopted {
	AdoptedBy by;
	char *monitor;               /* ADOPTED_BY_PATH: absolute path, else NULL */
	unsigned cpus;
	uint64_t memory;             /* bytes */
	bool releasing;              /* it has been let go, and the folder of the run is just removed */
} Adopted;

const char *adopted_by_to_string(AdoptedBy by);
bool adopted_by_from_string(const char *string, AdoptedBy *ret_by);

Adopted *adopted_new(AdoptedBy by, const char *monitor, unsigned cpus, uint64_t memory);
Adopted *adopted_free(Adopted *adopted);

/* As the member of an object that is being built. */
void adopted_write(const Adopted *adopted, JsonBuilder *builder, const char *member);
/* NULL if object is not understood. */
Adopted *adopted_read(JsonObject *object);

/* The part that can be a Definition: name, uuid, emulator (or NULL), machine type (or NULL), and as policies what QEMU
 * was told by its own command line (arguments; NULL if that is not known) or has shown: keeps_shut_down.
 * CORE_ERROR_INVALID_DEFINITION if QEMU's words cannot be in one. Any thread. */
Definition *adopted_make_definition(const char *name, const char *uuid, const char *emulator,
				    const char *machine, const char *const *arguments,
				    bool keeps_shut_down, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Adopted, adopted_free)
