/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/* The one bridge from the core's errors to the bus: CoreError -> name, text unchanged. */

/* For a handler's `return`: sets ret_error and returns its negative errno. */
int bus_error_from_gerror(sd_bus_error *ret_error, const GError *error);

/* The answer to a call that was kept. */
int bus_new_gerror(sd_bus_message *call, const GError *error, sd_bus_message **ret_reply);

/* The name of a code, for the tests of the table. */
const char *bus_error_name(int code);
