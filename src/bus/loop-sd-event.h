/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "loop/loop.h"

/* An event loop inside an sd_event, of which it takes a reference. Whoever runs the sd_event
 * drives it, loop_run_once() included; the thread that does is the event thread. Inside a callback
 * of the sd_event, which cannot be run again, loop_run_once() serves the handles and timeouts of
 * this loop alone. NULL and errno on failure (descriptors used up). Free with loop_free(). */
Loop *loop_sd_event_new(sd_event *event);
