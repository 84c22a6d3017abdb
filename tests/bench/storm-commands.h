/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/*
 * The commands of storm-qemu, answered as by a QEMU without devices; storm-qemu.c says which it has besides. It reads of JSON only
 * what the service writes.
 */

#define STORM_NAME_MAX 64
#define STORM_VERSION  "{\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}"

/* Answers a command. False if it was to end, for which the answer is still to be sent. */
bool commands_handle(const char *line);

/* name: longer ones are cut. */
void commands_set_name(const char *name);

/* Not copied. */
void commands_set_uuid(const char *uuid);
