/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/error.h"
#include "driver.h"
#include "loop/loop-poll.h"

/*
 * A driver in temporary directories, with the poll loop, a scripted program in the part of QEMU
 * (fake-qemu.c) and an observer that writes down every event. What holds for each event is checked with
 * each: sequence goes up by one, previous names the last of the same domain and kind, the state that a
 * Lifecycle tells is the state of the domain.
 *
 * Nothing here sleeps: the loop is run until a condition holds, and a deadline that only a failure
 * reaches ends the test.
 */

#define FIXTURE_DEADLINE_US (90 * G_TIME_SPAN_SECOND)

/* A short text of an event, and the event. Texts begin with the signal's name, a Lifecycle with its event:
 * "started booted running", "Watchdog pause", "Event X_TEST {\"n\":1}". */
typedef struct Record {
	char *domain;
	char *text;
	Event *event;
} Record;

typedef struct DomainFixture {
	Loop *loop;
	Driver *driver;
	const char *folder;
	GPtrArray *records;
	Event *last;                 /* that was expected */
	/* Instead of a record: takes event over. */
	void (*observe)(struct DomainFixture *fixture, Domain *domain, Event *event);
	/* Called after each that was put into records. */
	void (*recorded)(struct DomainFixture *fixture, Domain *domain);
	bool started;
	unsigned n_added, n_removed;
	DomainProperty changed;      /* of all domains, since it was cleared */
	uint64_t last_sequence;
	GHashTable *last_of;         /* "UUID KIND", and "UUID" -> sequence */

	bool remembers;              /* the next driver has a history */
	bool keeps;                  /* and a store of descriptors */
	const Placement *placement;  /* and this, if it is not NULL */
	const QemuLauncher *launcher;   /* and this */
	GMutex lock;
	GHashTable *kept;            /* name -> descriptor; under lock, for workers write it */
	GHashTable *taken;           /* names that were asked for */

	Domain *slow;                /* its events are not passed on: they are counted in unsent */
	unsigned unsent;
} DomainFixture;

/* The end of a call. answer_clear() makes it ready for the next. */
typedef struct Answer {
	bool done;
	char *result;
	GError *error;
} Answer;

#define FIXTURE_ADD(path, function)                                                                \
	g_test_add(path, DomainFixture, NULL, fixture_set_up, function, fixture_tear_down)

void fixture_set_up(DomainFixture *fixture, const void *data);
/* Ends what still runs, and looks whether anything is left: processes, folders. */
void fixture_tear_down(DomainFixture *fixture, const void *data);
/* As a kill of the service: the driver goes and the QEMUs stay; then the next one finds them. */
void fixture_close_driver(DomainFixture *fixture);
void fixture_open_driver(DomainFixture *fixture);
/* From the next driver on events are remembered; then what was read from QEMU is, too. */
void fixture_use_history(DomainFixture *fixture);
/* From the next driver on monitors are kept. */
void fixture_use_store(DomainFixture *fixture);
/* What is kept of a domain: a descriptor that stays the fixture's, or -1. */
int fixture_get_kept(DomainFixture *fixture, Domain *domain);
/* Puts fd there instead; takes it over. */
void fixture_set_kept(DomainFixture *fixture, const char *name, int fd);
unsigned fixture_count_kept(DomainFixture *fixture);
/* Shorter deadlines than those of the service. */
void fixture_set_deadlines(DomainFixture *fixture, int start_ms, int shutdown_ms);
/* RUNTIME/domains/UUID, or a file in it. */
char *fixture_path(DomainFixture *fixture, Domain *domain, const char *file);

/* Runs the loop until condition(userdata). */
void fixture_wait(DomainFixture *fixture, bool (*condition)(void *userdata), void *userdata);
void fixture_wait_state(DomainFixture *fixture, Domain *domain, DomainState state);
/* Everything that is ready has been done. */
void fixture_run(DomainFixture *fixture);
/* Runs the loop for so long: only where a time of the product has to pass without anything happening. */
void fixture_run_for(DomainFixture *fixture, int interval_ms);

void on_answer(Domain *domain, const char *result, const GError *error, void *userdata);
void on_driver_answer(Domain *domain, const GError *error, void *userdata);
void answer_wait(DomainFixture *fixture, Answer *answer);
/* Waits, and there is no error. */
void answer_wait_ok(DomainFixture *fixture, Answer *answer);
/* Waits, and there is this error, whose text holds text. */
void answer_wait_error(DomainFixture *fixture, Answer *answer, CoreError code, const char *text);
void answer_clear(Answer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

/* Defined, with the settings of fake-qemu.c and more members of the document (either may be NULL). The
 * driver has the reference. */
Domain *fixture_define(DomainFixture *fixture, const char *name, const char *settings,
		       const char *members);
char *fixture_document(const char *name, const char *settings, const char *members);
/* Started, which is told as it should be. */
void fixture_start(DomainFixture *fixture, Domain *domain);
/* Both in one. */
Domain *fixture_run_domain(DomainFixture *fixture, const char *name, const char *settings,
			   const char *members);
void fixture_destroy(DomainFixture *fixture, Domain *domain);

/* A command that succeeds. arguments: JSON, or NULL. By its end every event before has been committed. */
char *fixture_execute(DomainFixture *fixture, Domain *domain, const char *command,
		      const char *arguments);
void fixture_set(DomainFixture *fixture, Domain *domain, const char *key, const char *value);
/* events: elements of a JSON array. */
void fixture_emit(DomainFixture *fixture, Domain *domain, const char *events);
/* The monitor is lost; QEMU goes on, and is found again after a second. */
void fixture_close_monitor(DomainFixture *fixture, Domain *domain);
JsonNode *fixture_json(const char *text);

/* Waits for as many events of domain as there are texts, compares, and forgets them. */
void fixture_expect(DomainFixture *fixture, Domain *domain, ...) G_GNUC_NULL_TERMINATED;
/* The last event that was expected, of any domain: for its details. */
const Event *fixture_last(const DomainFixture *fixture);
void fixture_forget(DomainFixture *fixture);
unsigned fixture_count(DomainFixture *fixture, const char *domain);

/* Details: the value as GVariant text ("'guest-shutdown'", "true", "3"), or "" if there is none. */
char *event_detail(const Event *event, const char *key);
#define assert_detail(event, key, expected)                                                        \
	do {                                                                                       \
		g_autofree char *detail_text = event_detail(event, key);                           \
                                                                                                   \
		g_assert_cmpstr(detail_text, ==, expected);                                        \
	} while (0)
