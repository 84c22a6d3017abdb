/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/*
 * json-glib parses by recursion and takes what it is given; text that a guest, a client or a file
 * chose is measured first, so that it can neither exhaust the stack nor the memory.
 */

/* Checks length, UTF-8, absence of NUL bytes, nesting of objects and arrays, and that every
 * integer fits 64 bits signed or unsigned (json-glib would saturate it in silence). Cheap: one pass, no
 * allocation. The error is a CORE_ERROR_INVALID_ARGUMENT with the line or offset. Any thread. */
bool json_text_check(const char *text, size_t length, size_t length_max, unsigned nesting_max,
		     GError **error);

/* json_text_check(), then parses one JSON value with nothing but white space around it. The
 * result is sealed (immutable), so it may be read on any thread. Error as above, with json-glib's
 * line and column where the syntax is bad. Any thread. */
JsonNode *json_text_parse(const char *text, size_t length, size_t length_max, unsigned nesting_max,
			  GError **error);

/* One line, no spaces. Free with g_free(). Any thread. */
char *json_text_from_node(JsonNode *node);
