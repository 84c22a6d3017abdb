/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What fake-qemu.c writes and reads that is no QMP. */

/* The state of a guest that has none. Ends the process if it cannot be written, or is not what was written, as QEMU
 * does. */
void fake_write_state(int fd);
void fake_read_state(int fd);

/* A new picture at path: content, or NULL for the beginning of a PNG; large: longer than anybody takes. */
bool fake_write_picture(const char *path, const char *content, bool large);

/* "KEY=VALUE;KEY=VALUE" into settings, which owns both. */
void fake_read_settings(GHashTable *settings, const char *text);
