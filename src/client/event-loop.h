/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <vmherald/event-loop.h>

#include "loop/loop.h"

/*
 * The one event loop of the process, for connections.
 *
 * Once registered it stays until the process ends: what is borrowed here need not be given back.
 */

/* NULL: none is registered. Any thread; but what is done with it is done on the loop's thread. */
Loop *event_loop_get(void);

/* Is this the thread that the loop was registered on? True as well if there is no loop. Any thread. */
bool event_loop_is_own_thread(void);

/* For functions that are for the loop's thread alone, with their own name (__func__): on another one, false and a critical warning, as of
 * g_return_val_if_fail(). */
bool event_loop_check_thread(const char *function);
