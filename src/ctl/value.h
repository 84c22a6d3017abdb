/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/*
 * Values of the bus as JSON, and as text for people. One conversion for all signals and
 * properties, so that what a newer service adds is shown too.
 *
 * A t beyond the signed 64 bits of json-glib becomes a string; a descriptor becomes null.
 */

/* What one line shows of long texts and lists; --json has them whole. */
#define VALUE_TEXT_STRING_MAX 1024u     /* characters */
#define VALUE_TEXT_LIST_MAX   16u       /* entries */

/* Appends all that is left in the message's current container. Negative errno if it is malformed. */
int value_read_all(sd_bus_message *message, JsonArray *array);

/* The next value. NULL if there is none or it is malformed. Free with json_node_unref(). */
JsonNode *value_read(sd_bus_message *message);

/* Appends the value in readable form, safe for a terminal: strings bare where that is unambiguous,
 * lists in brackets, dictionaries as key=value: bare at the top, in braces below. */
void value_append_text(GString *string, JsonNode *node);

/* The same as a new string; free with g_free(). */
char *value_to_text(JsonNode *node);

/* A t, in either of its forms. False if the value is none. */
bool value_get_unsigned(JsonNode *node, uint64_t *ret_number);

/* A text for one line: cut to VALUE_TEXT_STRING_MAX and safe, without quotes. Free with g_free(). */
char *value_shorten(const char *text);
