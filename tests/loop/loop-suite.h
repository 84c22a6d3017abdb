/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "loop/loop.h"

/* The tests of loop/loop.h, the same for every implementation. Each test makes its own loop with
 * new_loop() and frees it. Call g_test_init() before and g_test_run() after. */
typedef Loop *(*LoopSuiteNew)(void);

void loop_suite_add(const char *name, LoopSuiteNew new_loop);

/* For tests of one implementation: turns until *condition is true; fails after a generous time. */
void loop_suite_run_until(Loop *loop, const bool *condition);
