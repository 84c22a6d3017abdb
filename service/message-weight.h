/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <systemd/sd-bus.h>

/* About how many bytes the arguments of a received message take: texts with their length, all else with its size. It is read through once, and
 * can be read again from its beginning afterwards. For messages whose arguments have been read before: what no method takes may
 * have very many parts. */
uint64_t message_weight(sd_bus_message *message);
