/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/*
 * json-glib parses by recursion and takes what it is given; text that a guest, a client or a file
 * chose is measured first, so that it can neither exhaust the stack nor the memory.
 */

/* Strings, numbers, words, objects and arrays in one text, keys included. Each becomes some 100
 * bytes of memory, so the length alone is no bound: "[[],[],...]" grows thirtyfold. */
#define JSON_TEXT_VALUES_MAX (1024u * 1024)

/* Checks length, UTF-8, absence of NUL (as a byte and as an escape), nesting of objects and arrays,
 * number of values, that each token is one of RFC 8259 (json-glib also takes comments, assignments
 * and more), that there is one value and no more, and that every number fits: integers 64 bits
 * signed or unsigned, others a double. Cheap: no allocation. The error is a
 * CORE_ERROR_INVALID_ARGUMENT that begins with line and column. Any thread. */
bool json_text_check(const char *text, size_t length, size_t length_max, unsigned nesting_max,
		     GError **error);

/* json_text_check(), then parses one JSON value with nothing but white space around it. The
 * result is sealed (immutable), so it may be read on any thread. Integers above INT64_MAX come as
 * the negative number with the same bits: cast json_node_get_int() to uint64_t where the sender's
 * type is unsigned. Of a key that comes twice, the last counts. Error as above, with json-glib's
 * line and column where the syntax is bad; always one line of UTF-8, whatever the text. Any thread. */
JsonNode *json_text_parse(const char *text, size_t length, size_t length_max, unsigned nesting_max,
			  GError **error);

/* Where a text is bad, both from 1, the column in bytes; 0: nowhere in it, but as a whole. */
typedef struct JsonTextPlace {
	unsigned line, column;
} JsonTextPlace;

/* The same, and says where; ret_bad is set on failure alone. */
JsonNode *json_text_parse_located(const char *text, size_t length, size_t length_max,
				  unsigned nesting_max, JsonTextPlace *ret_bad, GError **error);

/* One line, no spaces, keys in their order. Integers come out signed. Free with g_free(). Any
 * thread. */
char *json_text_from_node(JsonNode *node);
