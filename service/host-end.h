/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

/*
 * Whether the host goes down, or, on a session bus, the user's session: then what the service leaves behind does not go on,
 * but is ended with its scope, as when the power fails. So guests are shut down before.
 */

/* The manager is expected to answer at once; the host shall not wait for one that does not. */
#define HOST_END_TIMEOUT_US (UINT64_C(2) * 1000 * 1000)

typedef struct HostEnd HostEnd;

/* Asks the service manager on that bus, without activating it. answer is called once, unless it is freed before; not
 * before this returns. NULL: it cannot be asked. Event thread. */
HostEnd *host_end_ask(sd_bus *bus, void (*answer)(bool goes_down, void *userdata), void *userdata);
/* NULL-safe, returns NULL. */
HostEnd *host_end_free(HostEnd *host_end);
