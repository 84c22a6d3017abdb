/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "loop/loop.h"

/* An event loop on poll(2), which needs nothing else. Its owner drives it with loop_run_once().
 * The thread that calls this is the event thread. Free with loop_free(). */
Loop *loop_poll_new(void);
