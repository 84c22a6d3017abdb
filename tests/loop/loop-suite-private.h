/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "loop-suite.h"

/* Far beyond what any test needs, so that only a hang gets there. */
#define LOOP_SUITE_DEADLINE_MS 30000

/*
 * One watched end of a socket pair (fds[0]; the test holds fds[1]), or a timeout, with a record of
 * what the loop did with it. action, if set, is called inside the callback.
 */
typedef struct Probe Probe;
struct Probe {
	Loop *loop;
	int fds[2];
	int id;
	unsigned calls;
	unsigned frees;
	unsigned depth;          /* callbacks on the stack now */
	bool removing;           /* the test is inside the remove */
	bool freed_too_early;    /* inside the callback, or inside the remove */
	LoopEvents last;
	LoopEvents all;
	gint64 called_at;
	void (*action)(Probe *self);
	Probe *other;
	void *extra;
};

typedef struct Fixture {
	Loop *loop;
	GPtrArray *probes;
} Fixture;

void fixture_set_up(Fixture *fixture, gconstpointer new_loop);
void fixture_tear_down(Fixture *fixture, gconstpointer unused);

/* The fixture frees probes after the loop, and checks that each watch was freed once. */
Probe *probe_new_pair(Fixture *fixture, LoopEvents events);
Probe *probe_new_unwatched(Fixture *fixture);
Probe *probe_new_timeout(Fixture *fixture, int interval_ms);
void probe_watch(Probe *self, LoopEvents events);
void probe_remove(Probe *self);
/* Makes fds[0] readable. */
void probe_feed(Probe *self);
/* Takes out of fds[0] all there is. */
void probe_drain(Probe *self);

/* Turns until probe was called n_calls times in all. */
void run_until_calls(Fixture *fixture, const Probe *probe, unsigned n_calls);
/* Turns for as long as something is due at once; then free functions have run as well. */
void run_until_quiet(Fixture *fixture);

void loop_suite_add_timeouts(const char *name, LoopSuiteNew new_loop);
void loop_suite_add_nesting(const char *name, LoopSuiteNew new_loop);

#define suite_test(prefix, name, new_loop, function) do { \
	g_autofree char *path_ = g_strdup_printf("/loop/%s/%s", prefix, name); \
	g_test_add(path_, Fixture, (gconstpointer)(new_loop), fixture_set_up, function, \
		   fixture_tear_down); \
} while (0)
