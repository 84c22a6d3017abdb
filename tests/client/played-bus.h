/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

/* A dbus-daemon of the test's own, which can be ended and come back at the same address. */

typedef struct PlayedBus PlayedBus;

/* limits: elements for its configuration ("<limit ...>"), or NULL. It runs. */
PlayedBus *played_bus_new(const char *limits);
PlayedBus *played_bus_free(PlayedBus *bus);

const char *played_bus_get_address(const PlayedBus *bus);
void played_bus_start(PlayedBus *bus);
/* At once, as if it had crashed. */
void played_bus_kill(PlayedBus *bus);
/* It does not read or write any more, until it is continued or killed. */
void played_bus_stop(PlayedBus *bus);
void played_bus_continue(PlayedBus *bus);

/* Another connection to it. Unref. */
GDBusConnection *played_bus_connect(PlayedBus *bus);
/* How many match rules for signals of the service the bus has, of all that are connected. */
unsigned played_bus_count_rules(PlayedBus *bus);
