/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "loop/loop.h"

/* An event loop inside a GMainContext (NULL: the default one), of which it takes a reference.
 * Whoever iterates the context drives it, loop_run_once() included; the thread that does is the
 * event thread. Free with loop_free(). */
Loop *loop_glib_new(GMainContext *context);
