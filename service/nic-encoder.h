/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "domain/nic-report.h"

/* Appends an a{sa{sv}}: the id of each NIC -> what is known of both its sides (NicReport). What is not there has no
 * key. */
int nic_encoder_append(sd_bus_message *message, const GPtrArray *reports);
