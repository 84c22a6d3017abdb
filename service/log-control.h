/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "action.h"
#include "log-writer.h"

/* org.freedesktop.LogControl1 (org.freedesktop.LogControl1(5)): `systemctl service-log-level vmherald.service debug`
 * while the service runs. writer must outlive the bus. A negative errno on failure. */
int log_control_register(sd_bus *bus, Actions *actions, LogWriter *writer);
