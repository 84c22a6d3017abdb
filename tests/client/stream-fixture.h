/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "client/stream.h"
#include "played-event.h"

/*
 * A stream, what comes to it by hand, and what comes out of it as a line: "3 GAP(4-9) 12".
 */

typedef struct StreamFixture {
	Rules *rules;
	Stream *stream;
} StreamFixture;

void begin(StreamFixture *fixture, bool passive);
/* Of all events, and begins behind `after`. */
void begin_all(StreamFixture *fixture, uint64_t after);
void end(StreamFixture *fixture);

Rule *take(StreamFixture *fixture, RuleMatch match, uint64_t since);
void release(StreamFixture *fixture, Rule *rule);

/* LIFECYCLE of domain 0, of which there is no other kind. */
VmhEvent *make(uint64_t sequence, uint64_t previous);
void push(StreamFixture *fixture, uint64_t sequence, uint64_t previous);
/* from, ..., to, each with the one before it as previous. */
void push_range(StreamFixture *fixture, uint64_t from, uint64_t to);

/* All that is to be had now: numbers, "state", "GAP(from-to)", without a snapshot "BLIND(from-to)", "RECOVERED". */
void check_pops(StreamFixture *fixture, const char *expected);
void check_pops_range(StreamFixture *fixture, uint64_t from, uint64_t to);
void check_want(StreamFixture *fixture, StreamWant expected, uint64_t expected_after);
void check_position(StreamFixture *fixture, const char *expected);

/* Answers with from, ..., to. */
void fetch(StreamFixture *fixture, bool complete, uint64_t last, uint64_t from, uint64_t to);
void answer_snapshot(StreamFixture *fixture, uint64_t last);
