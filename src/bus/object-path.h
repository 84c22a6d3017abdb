/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* The object path of a domain: BUS_DOMAIN_PATH "/_" and the uuid with underscores for dashes. Both ways. */
#define BUS_PATH_UUID_LENGTH 36

char *bus_path_from_uuid(const char *uuid);
/* False if path is no path of a domain. */
bool bus_path_to_uuid(const char *path, char ret_uuid[BUS_PATH_UUID_LENGTH + 1]);
