/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "qmp/monitor.h"
#include "tests/qmp/scripted-qmp.h"

/*
 * A monitor, a scripted QEMU at its other end, and a log of all that the monitor says:
 *
 *     ready PACKAGE           event NAME DATA           closed CODE: TEXT
 *     COMMAND = RESULT        COMMAND ! CODE: TEXT    cut
 *
 * with timeout, lost, limit and so on as CODE. What is to be done from inside a callback is tied to
 * the start of the line that the callback logs.
 */
typedef struct MonitorFixture {
	Loop *loop;
	int client_fd;                  /* until the monitor has it */
	ScriptedQmp *server;
	QmpMonitor *monitor;
	GPtrArray *log;
	QmpJournal *journal;            /* for monitor_fixture_take_over(); NULL: none */
	bool joined;                    /* it said so */
	bool untold;                    /* bytes were taken from the socket and not all handed on */
	const char *free_at;
	const char *stop_at;            /* set_reading(false) */
	const char *call_at;            /* execute "again" */
	int call_ms;                    /* its time-out; 0: none */
	uint64_t called;                /* its number */
	const char *cancel_at;          /* cancels it */
	const char *nest_at;            /* run the loop until nest_until is logged */
	const char *nest_until;
} MonitorFixture;

/* handshake_ms is a number in a pointer; 0 for the default, MONITOR_FIXTURE_LATER for a monitor that
 * is made with monitor_fixture_connect(). */
#define MONITOR_FIXTURE_LATER (-1)
void monitor_fixture_set_up(MonitorFixture *fixture, const void *handshake_ms);
void monitor_fixture_tear_down(MonitorFixture *fixture, const void *handshake_ms);

void monitor_fixture_connect(MonitorFixture *fixture, int handshake_ms);
/* The same, by qmp_monitor_take_over(). */
void monitor_fixture_take_over(MonitorFixture *fixture);

/* Handshake, until ready; empties the log. */
void monitor_fixture_make_ready(MonitorFixture *fixture);

/* Returns its number. */
uint64_t monitor_fixture_call(MonitorFixture *fixture, const char *command, const char *arguments,
			      int timeout_ms);

/* Runs the loop until the log has n lines, then asserts them. */
void monitor_fixture_expect_log(MonitorFixture *fixture, const char *const *lines);
#define EXPECT_LOG(fixture, ...)                                                                   \
	monitor_fixture_expect_log(fixture, (const char *const[]){ __VA_ARGS__, NULL })
void monitor_fixture_clear_log(MonitorFixture *fixture);
bool monitor_fixture_has_logged(const MonitorFixture *fixture, const char *start);
