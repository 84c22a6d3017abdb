/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The service, played: it emits stamped signals, and some on purpose not, remembers all of them, and answers what a
 * client of the stream asks. GDBus, so that sd-bus does not talk to itself. Any thread.
 *
 * Its history lives longer than its connection, as that of the real one.
 */

typedef struct PlayedService PlayedService;

typedef enum PlayedManners {
	PLAYED_CANNOT_COUNT = 1 << 0,     /* an older one, without CountEvents() */
	PLAYED_IS_SILENT    = 1 << 1,     /* answers no question of the stream */
	PLAYED_REFUSES      = 1 << 2,     /* answers them with an error */
} PlayedManners;

PlayedService *played_service_new(void);
PlayedService *played_service_free(PlayedService *service);

/* Gets the name on that bus; address of a bus that runs. */
void played_service_appear(PlayedService *service, const char *address);
void played_service_vanish(PlayedService *service);
void played_service_set_manners(PlayedService *service, unsigned manners);

/* Domain.Lifecycle of the domain with that number (1 to 9): stamped and remembered. lost: it does not reach the bus, which one only sees
 * from its not coming. The sequence. */
uint64_t played_service_emit(PlayedService *service, unsigned domain, bool lost);
/* Another kind: Domain.Reset. */
uint64_t played_service_emit_reset(PlayedService *service, unsigned domain, bool lost);
/* PropertiesChanged of the interface Domain: without a stamp. */
void played_service_emit_properties(PlayedService *service, unsigned domain);
/* What was up to sequence is forgotten. */
void played_service_forget(PlayedService *service, uint64_t sequence);
uint64_t played_service_get_last(PlayedService *service);
/* Begins at 0 with an empty history. */
void played_service_renumber(PlayedService *service);

/* "Hold" on the manager is a call that is answered by played_service_release() alone; how many wait. */
unsigned played_service_get_held(PlayedService *service);
void played_service_release(PlayedService *service);
/* How often a member was called since the beginning. */
unsigned played_service_get_calls(PlayedService *service, const char *member);

char *played_uuid(unsigned domain);
char *played_path(unsigned domain);
