/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/worker-pool.h"
#include "domain/adopted.h"
#include "qemu/peer.h"
#include "qmp/monitor.h"

/*
 * From a socket to a QEMU whose name is known: connect, handshake, the questions that have to be answered before there
 * can be a domain.
 *
 *   connect (worker)   the path; whose process it is
 *   handshake          QEMU greets one client at a time, so a monitor that is taken is one that is silent
 *   questions          name, uuid, machine, CPUs, memory
 *
 * What is found, the connection among it, is the caller's to take. Event thread only.
 */

#define ADOPTION_TIMEOUT_MS 5000

typedef struct Adoption Adoption;

/* Called once, never before adoption_new() returns; adoption may be freed in it. The errors name the socket and what to
 * do: CORE_ERROR_IO (not to be reached), CORE_ERROR_INVALID_ARGUMENT (no QMP), CORE_ERROR_MONITOR_TIMEOUT (taken),
 * CORE_ERROR_MONITOR_LOST (it hung up), CORE_ERROR_NOT_SUPPORTED (QMP, but no machine). */
typedef void (*AdoptionDone)(Adoption *adoption, const GError *error, void *userdata);

/* path: absolute, or NULL if there is a connection already; fd: that connection (taken over), or -1. timeout_ms: for the
 * handshake, and for each answer. pool must outlive the adoption. */
Adoption *adoption_new(Loop *loop, WorkerPool *pool, AdoptedBy by, const char *path, int fd,
		       int timeout_ms, AdoptionDone done, void *userdata);
/* Closes the connection, unless it was taken. NULL-safe, returns NULL. */
Adoption *adoption_free(Adoption *adoption);

AdoptedBy adoption_get_by(const Adoption *adoption);
/* NULL if it is not by path. Borrowed, as all below. */
const char *adoption_get_path(const Adoption *adoption);

/* ---- after done() without an error ---- */

/* NULL if QEMU has none. */
const char *adoption_get_name(const Adoption *adoption);
/* Lower case; NULL if QEMU has none (all zeros). */
const char *adoption_get_uuid(const Adoption *adoption);
/* NULL if it is not known. */
const char *adoption_get_machine(const Adoption *adoption);
unsigned adoption_get_cpus(const Adoption *adoption);
uint64_t adoption_get_memory(const Adoption *adoption);
/* The guest was down when QEMU was asked, and QEMU is still there. */
bool adoption_keeps_shut_down(const Adoption *adoption);
QemuPeer *adoption_get_peer(const Adoption *adoption);
/* The value of "QMP" in the greeting. */
JsonNode *adoption_get_greeting(const Adoption *adoption);
/* The connection, with nothing pending; give it a handler of your own. */
QmpMonitor *adoption_take_monitor(Adoption *adoption);

/* Connects to the socket of a QEMU: -1 with CORE_ERROR_INVALID_ARGUMENT, CORE_ERROR_IO. Blocks: worker. *ret_nobody: there is
 * nobody who listens, so the QEMU that did has gone; may be NULL. */
int adoption_connect(const char *path, bool *ret_nobody, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Adoption, adoption_free)
