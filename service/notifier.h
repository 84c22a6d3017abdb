/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "driver.h"

/*
 * What the service manager is told (sd_notify(3)): that the service is ready, reads its files again, or ends; a line about
 * its domains for `systemctl status`; and, where the unit wants it (WatchdogSec=), that the event loop turns. Without a
 * service manager (no NOTIFY_SOCKET) nothing is told, and nothing looked at.
 *
 * Event thread. WARNING: sd_notify() waits if the manager's queue is full. It holds hundreds; we put in one a second, and
 * the few that a change of state is.
 */

/* The line is told at most so often. */
#define NOTIFIER_STATUS_INTERVAL_US (UINT64_C(1) * 1000 * 1000)

typedef struct Notifier Notifier;

/* event must outlive it. */
Notifier *notifier_new(sd_event *event);
/* NULL-safe, returns NULL. */
Notifier *notifier_free(Notifier *notifier);

/* READY=1: the name is owned, and all domains known. driver: what the line is about, until notifier_free(). */
void notifier_ready(Notifier *notifier, Driver *driver);
/* The number of domains, or of those that run, may be another. Cheap. */
void notifier_look_again(Notifier *notifier);

/* RELOADING=1 until as many have ended: two that overlap are one. */
void notifier_reload_begins(Notifier *notifier);
void notifier_reload_ends(Notifier *notifier);

/* STOPPING=1: there is no way back. extend_us: how long it may take beyond what the unit allows; 0: no longer. */
void notifier_stopping(Notifier *notifier, uint64_t extend_us);
