/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json-read.h"

static JsonNode *read_value(JsonObject *object, const char *member, GType type)
{
	JsonNode *node = object ? json_object_get_member(object, member) : NULL;

	if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != type)
		return NULL;
	return node;
}

bool json_read_string(JsonObject *object, const char *member, const char **ret_value)
{
	JsonNode *node = read_value(object, member, G_TYPE_STRING);

	if (!node)
		return false;
	*ret_value = json_node_get_string(node);
	return true;
}

bool json_read_bool(JsonObject *object, const char *member, bool *ret_value)
{
	JsonNode *node = read_value(object, member, G_TYPE_BOOLEAN);

	if (!node)
		return false;
	*ret_value = json_node_get_boolean(node);
	return true;
}

bool json_read_int(JsonObject *object, const char *member, int64_t *ret_value)
{
	JsonNode *node = read_value(object, member, G_TYPE_INT64);

	if (!node)
		return false;
	*ret_value = json_node_get_int(node);
	return true;
}

JsonObject *json_node_as_object(JsonNode *node)
{
	return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonArray *json_node_as_array(JsonNode *node)
{
	return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *json_read_object(JsonObject *object, const char *member)
{
	return object ? json_node_as_object(json_object_get_member(object, member)) : NULL;
}

JsonArray *json_read_array(JsonObject *object, const char *member)
{
	return object ? json_node_as_array(json_object_get_member(object, member)) : NULL;
}
