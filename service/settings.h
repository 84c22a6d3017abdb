/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service.h"

/*
 * What of the configuration (model/configuration.h) the service has to do itself: its own time-outs, and the level of its log. All
 * else is looked up where it is needed.
 */

/* At the start. The level of the log is set before that, by main(). */
void settings_apply(Service *service, const Configuration *configuration);

/* DriverObserver: tells the administrator what has changed, and does it. What is effective at the next start alone is told so. A
 * level of the log that was set over the bus stays, unless the configuration has another one than it had. */
void settings_changed(const Configuration *before, const Configuration *now, void *userdata);
