/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "ctl/ctl.h"

/* Reading what the user gives: files, JSON, seconds, sizes. Each failure is reported. */

/* Longer files are refused before they are sent; the service's bound for a definition is lower. */
#define INPUT_LENGTH_MAX (16u * 1024 * 1024)

/* The text of a file, or of the standard input for "-". Must be UTF-8. Free with g_free(). */
CtlExit input_read_file(const char *path, char **ret_text);

/* JSON text for an argument that is either that itself (it starts with a brace) or a file's name. */
CtlExit input_json_or_file(const char *argument, char **ret_text);

/* Is it one JSON object? what names it in the error. */
CtlExit input_check_object(const char *what, const char *text, JsonNode **ret_node);

/* Seconds, also with decimals, as microseconds. NULL text leaves the output alone. */
CtlExit input_seconds(const char *what, const char *text, uint64_t *ret_microseconds);

/* "512M", "512MiB" and the like as bytes; units are K, M, G and T. A bare number is refused, for it
 * could be meant as bytes or as MiB, except 0. what names it in the error. */
CtlExit input_size(const char *what, const char *text, uint64_t *ret_bytes);
