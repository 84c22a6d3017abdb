/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus-fixture.h"
#include "emitter.h"
#include "service.h"

/*
 * The emitter between a real driver (whose domains never run here: a domain that tells that it was
 * defined is an event as good as any) and a peer that reads when the test says so.
 */

typedef struct EmitterFixture {
	BusFixture bus;
	Service service;
	char *folder;
	bool started, answered;
	uint64_t last_sequence;      /* that the client has seen */
} EmitterFixture;

void fixture_set_up(EmitterFixture *fixture, const void *data);
void fixture_tear_down(EmitterFixture *fixture, const void *data);

/* ---- the service, without its name ---- */

Domain *fixture_define(EmitterFixture *fixture, const char *name);
void fixture_undefine(EmitterFixture *fixture, Domain *domain);
/* n events: Lifecycle defined updated. */
void fixture_emit(Domain *domain, unsigned n);
/* Everything that the service can do without its peer. */
void fixture_run_service(EmitterFixture *fixture);
/* Messages in the service's connection. */
uint64_t fixture_get_queued(const EmitterFixture *fixture);

/* ---- the peer; what it gets is in bus.received ---- */

/* Until the emitter has nothing more, and the peer has read it. */
void fixture_run_both(EmitterFixture *fixture);
/* "MEMBER event reason" of the next message, or "-"; the numbers of events have no hole. */
char *fixture_take(EmitterFixture *fixture);
void fixture_assert_next(EmitterFixture *fixture, const char *text);
/* And nothing else. */
void fixture_assert_all(EmitterFixture *fixture, const char *text, unsigned n);
/* Everything until now. */
void fixture_forget(EmitterFixture *fixture);
