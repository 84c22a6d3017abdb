/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Members of an object that somebody else wrote: a missing one and one of the wrong type are both
 * "not there", without the criticals of json-glib's own accessors. object may be NULL. Strings and
 * objects are borrowed. Any thread, as long as nobody changes the object.
 */
bool json_read_string(JsonObject *object, const char *member, const char **ret_value);
bool json_read_bool(JsonObject *object, const char *member, bool *ret_value);
bool json_read_int(JsonObject *object, const char *member, int64_t *ret_value);
JsonObject *json_read_object(JsonObject *object, const char *member);
JsonArray *json_read_array(JsonObject *object, const char *member);

/* The object, the array in a node, NULL if there is no node or it is none. */
JsonObject *json_node_as_object(JsonNode *node);
JsonArray *json_node_as_array(JsonNode *node);
