/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/worker-pool.h"
#include "loop/loop-poll.h"

/* Items whose fate the test can read afterwards, and a gate to hold workers with. */

/* Far beyond what any test needs, so that only a hang gets there. */
#define DEADLINE_US (60 * G_TIME_SPAN_SECOND)

/* Work waits here until the test opens it, and the test until so many have arrived. */
typedef struct Gate {
	GMutex lock;
	GCond changed;
	unsigned arrived;
	bool open;
} Gate;

void gate_await_arrivals(Gate *gate, unsigned n);
void gate_arrive(Gate *gate);
void gate_open(Gate *gate);
void gate_pass(Gate *gate);

/* What became of one item; outlives it. Written by the worker while it has the item. */
typedef struct Record {
	unsigned works;
	unsigned waits;
	unsigned dones;
	unsigned frees;
	unsigned done_at; /* the how-manieth done() it was */
} Record;

typedef struct Job Job;
struct Job {
	Record *record;
	Gate *gate;
	unsigned n_waits_wanted;
	void (*on_work)(Job *self);
	void (*on_wait)(Strand *strand, Job *self);
	void (*on_done)(Job *self);
	void (*on_free)(Job *self);
	void *extra;
};

/* How many done() there were in this test. */
extern unsigned n_done;

/* Has its work() done by a worker: on_work, then the gate; asks to wait n_waits_wanted times. */
void push(Strand *strand, Job job);
/* Or here, if nothing is before it. */
void push_light(Strand *strand, Job job);
/* Only keeps its place. */
void push_place(Strand *strand, Job job);

typedef struct Fixture {
	Loop *loop;
	WorkerPool *pool;
} Fixture;

/* With a pool of GPOINTER_TO_UINT(n_threads). */
void set_up(Fixture *fixture, gconstpointer n_threads);
/* Frees what the test has not freed. */
void tear_down(Fixture *fixture, gconstpointer unused);
void add(const char *path, unsigned n_threads, void (*test)(Fixture *, gconstpointer));

#define run_until(fixture, condition) do { \
	gint64 deadline_ = g_get_monotonic_time() + DEADLINE_US; \
	while (!(condition)) { \
		g_assert_cmpint(g_get_monotonic_time(), <, deadline_); \
		loop_run_once((fixture)->loop, 1000); \
	} \
} while (0)
