/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>
#include <vmherald/error.h>

/* error may be NULL, in which case nothing is made. */
void error_set(VmhError **error, VmhErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* From the answer to a call: an error of the service or the bus, or (bus_error not set) r, a negative errno of sd-bus. */
void error_set_bus(VmhError **error, const sd_bus_error *bus_error, int r);
