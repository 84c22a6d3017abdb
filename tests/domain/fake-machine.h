/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* What fake-qemu.c has besides its monitor. */

/* "" if there is none. */
const char *get_string(JsonObject *object, const char *member);

/* ---- devices ---- */

void devices_init(void);
void add_device(JsonObject *object);
bool find_device(const char *id, unsigned *ret_index);
bool remove_device(const char *id);
/* It was there, and is not any more. */
bool has_gone(const char *id);
/* The answer to qom-list. */
char *devices_list(void);

/* As who starts it by hand wants it: "unix:PATH,server=on,wait=off". The file is there when it can be connected to. */
int listen_at(const char *value);
