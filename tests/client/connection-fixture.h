/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <vmherald/connection.h>
#include <vmherald/domain.h>

#include "played-bus.h"
#include "played-service.h"

/*
 * A connection to a service that is played, on a bus of its own. The event loop is one for the process, as the library has it; which one is
 * the argument of the program (poll, glib, sd-event, app: one of the application's own, none).
 */

#define DEADLINE_US (60 * G_TIME_SPAN_SECOND)

typedef struct Fixture {
	PlayedBus *bus;
	PlayedService *service;
	VmhConnection *connection;
	GArray *statuses;           /* VmhStatus, as they came */
	unsigned gaps;
	uint64_t gap_from, gap_to;
	size_t gap_domains;
	bool gap_has_snapshot;
} Fixture;

/* A test of a program, with a fixture of its own. */
typedef struct FixtureCase {
	const char *name;
	void (*run)(Fixture *fixture, const void *flags);
	unsigned flags;             /* VmhConnectionFlags */
} FixtureCase;
/* Adds them as /client/GROUP/NAME. */
void fixture_add_cases(const char *group, const FixtureCase *cases, size_t n);

/* Registers the loop that argv[1] names, and takes that out. */
void fixture_init(int *argc, char **argv);
/* One turn of at most so many milliseconds. False: nothing was due. */
bool fixture_run(int max_wait_ms);

/* Service and connection are there. data: VmhConnectionFlags. */
void fixture_set_up(Fixture *fixture, const void *flags);
void fixture_tear_down(Fixture *fixture, const void *flags);
/* Opens one more. */
VmhConnection *fixture_open(Fixture *fixture, unsigned flags);
void fixture_close(VmhConnection **connection);

/* Turns until the condition holds. */
#define fixture_turn_until(condition)                                                                                            \
	do {                                                                                                                     \
		gint64 fixture_deadline = g_get_monotonic_time() + DEADLINE_US;                                                  \
		while (!(condition)) {                                                                                           \
			g_assert_cmpint(g_get_monotonic_time(), <, fixture_deadline);                                            \
			(void)fixture_run(20);                                                                                   \
		}                                                                                                                \
	} while (0)
/* Turns as long as there is anything to do at once. */
void fixture_settle(void);
bool fixture_has_status(const Fixture *fixture, VmhStatus status);

/* What a callback got. */
typedef struct Record {
	GArray *sequences;          /* uint64_t */
	GArray *kinds;              /* VmhEventKind */
	unsigned freed;
	GThread *thread;            /* of the last call */
	void (*then)(struct Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event);
	Fixture *fixture;           /* for then */
	int id;                     /* likewise */
	struct Record *other;       /* likewise */
	unsigned depth, deepest;    /* calls on the stack */
} Record;

Record *record_new(Fixture *fixture);
Record *record_free(Record *record);
void record_event(VmhConnection *connection, VmhDomain *domain, const VmhEvent *event, void *record);
void record_freed(void *record);
/* With record_event() and record_freed(); must succeed. domain: 1 to 9, 0: all. */
int record_register(Record *record, VmhConnection *connection, unsigned domain, VmhEventKind kind);
void record_deregister(Record *record, VmhConnection *connection);
unsigned record_get_length(const Record *record);
uint64_t record_get(const Record *record, unsigned index);
/* Exactly those from first to last, in order. */
void record_assert_range(const Record *record, uint64_t first, uint64_t last);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Record, record_free)

/* A call that the service answers at once (Echo), or when it is told to (Hold); its code, or -1: it succeeded. */
int fixture_call(VmhConnection *connection, const char *member);
/* Once more if there was no reply: until the bus has noticed, it hands a call to the service that has just vanished. */
int fixture_call_vanished(VmhConnection *connection);
