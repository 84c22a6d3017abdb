/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <vmherald/event-loop.h>

#include "loop/loop.h"

/*
 * The application's event loop as a Loop.
 *
 * impl is copied. There is one at a time in a process. The thread that makes it is the event thread. loop_run_once() is not for
 * it, since only the application runs its loop. NULL: impl refuses a timeout. Free with loop_free().
 */
Loop *loop_app_new(const VmhEventImpl *impl, void *impl_data);

/* How many turns have run a callback so far. */
unsigned loop_app_get_turns(const Loop *loop);
