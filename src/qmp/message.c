/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/message.h"

#include <string.h>

#include "base/error.h"
#include "base/json-text.h"
#include "qmp/framer.h"

static const char *get_string(JsonObject *object, const char *key)
{
	JsonNode *node = json_object_get_member(object, key);

	if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
		return NULL;
	return json_node_get_string(node);
}

static bool get_integer(JsonObject *object, const char *key, int64_t *ret_value)
{
	JsonNode *node = json_object_get_member(object, key);

	if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
		return false;
	*ret_value = json_node_get_int(node);
	return true;
}

static JsonObject *get_object(JsonObject *object, const char *key)
{
	JsonNode *node = json_object_get_member(object, key);

	return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static int64_t make_time(int64_t seconds, int64_t microseconds)
{
	int64_t time;

	if (seconds < 0 || microseconds < 0 || microseconds >= G_USEC_PER_SEC)
		return 0;
	if (__builtin_mul_overflow(seconds, (int64_t)G_USEC_PER_SEC, &time) ||
	    __builtin_add_overflow(time, microseconds, &time))
		return 0;
	return time;
}

static int64_t get_time(JsonObject *event)
{
	JsonObject *timestamp = get_object(event, "timestamp");
	int64_t seconds, microseconds;

	if (!timestamp || !get_integer(timestamp, "seconds", &seconds) ||
	    !get_integer(timestamp, "microseconds", &microseconds))
		return 0;
	return make_time(seconds, microseconds);
}

static bool read_error(QmpMessage *message, JsonObject *root, GError **error)
{
	JsonObject *object = get_object(root, "error");

	if (!object) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "\"error\" is not an object");
		return false;
	}
	/* Somebody waits for this answer: better a poor text than none. */
	message->name = get_string(object, "class") ?: "GenericError";
	message->text = get_string(object, "desc") ?: "no description";
	return true;
}

static bool read_event(QmpMessage *message, JsonObject *root, GError **error)
{
	message->name = get_string(root, "event");
	if (!message->name || !*message->name || strlen(message->name) > QMP_NAME_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT, "\"event\" is not a name");
		return false;
	}
	message->time = get_time(root);
	if (get_object(root, "data"))
		message->body = json_object_get_member(root, "data");
	return true;
}

static bool read_root(QmpMessage *message, JsonObject *root, GError **error)
{
	int64_t id;

	/* An id that we cannot have sent is as good as none. */
	if (get_integer(root, "id", &id) && id >= 0) {
		message->has_id = true;
		message->id = (uint64_t)id;
	}

	if (get_object(root, "QMP")) {
		message->kind = QMP_MESSAGE_GREETING;
		message->body = json_object_get_member(root, "QMP");
		return true;
	}
	if (json_object_has_member(root, "return")) {
		message->kind = QMP_MESSAGE_REPLY;
		message->body = json_object_get_member(root, "return");
		return true;
	}
	if (json_object_has_member(root, "error")) {
		message->kind = QMP_MESSAGE_ERROR;
		return read_error(message, root, error);
	}
	if (json_object_has_member(root, "event")) {
		message->kind = QMP_MESSAGE_EVENT;
		return read_event(message, root, error);
	}

	g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
		    "neither greeting, reply, error nor event");
	return false;
}

QmpMessage *qmp_message_parse(const char *line, size_t length, GError **error)
{
	g_autoptr(QmpMessage) message = g_new0(QmpMessage, 1);

	message->root = json_text_parse(line, length, QMP_MESSAGE_MAX, QMP_NESTING_MAX, error);
	if (!message->root)
		return NULL;
	if (!JSON_NODE_HOLDS_OBJECT(message->root)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT, "not an object");
		return NULL;
	}
	if (!read_root(message, json_node_get_object(message->root), error))
		return NULL;
	return g_steal_pointer(&message);
}

QmpMessage *qmp_message_read(const char *line, size_t length, GError **error)
{
	QmpPlainEvent *plain = qmp_plain_event_read(line, length);
	QmpMessage *message;

	if (!plain || plain->name.length > QMP_NAME_MAX) {
		g_free(plain);
		return qmp_message_parse(line, length, error);
	}
	message = g_new0(QmpMessage, 1);
	message->kind = QMP_MESSAGE_EVENT;
	message->name = g_strndup(plain->name.at, plain->name.length);
	message->time = make_time(plain->seconds, plain->microseconds);
	message->plain = plain;
	return message;
}

QmpMessage *qmp_message_parse_plain(const QmpMessage *message)
{
	QmpMessage *whole = qmp_message_parse(message->plain->line, message->plain->length, NULL);

	/* What is plain is JSON, and an event. */
	g_assert(whole && whole->kind == QMP_MESSAGE_EVENT);
	whole->position = message->position;
	return whole;
}

QmpMessage *qmp_message_free(QmpMessage *message)
{
	if (!message)
		return NULL;
	if (message->plain) {
		g_free((char *)message->name);
		g_free(message->plain);
	}
	g_clear_pointer(&message->root, json_node_unref);
	g_free(message);
	return NULL;
}

void qmp_message_set_error(const QmpMessage *message, GError **error)
{
	g_autofree char *start = g_strdup_printf("%.*s: %.*s", (int)QMP_NAME_MAX, message->name,
						 (int)QMP_ERROR_TEXT_MAX, message->text);
	/* It may have been cut in the middle of a character. */
	g_autofree char *text = g_utf8_make_valid(start, -1);

	g_assert(message->kind == QMP_MESSAGE_ERROR);

	g_set_error(error, CORE_ERROR,
		    g_str_equal(message->name, "DeviceNotFound") ? CORE_ERROR_NO_SUCH_DEVICE
								 : CORE_ERROR_QEMU_ERROR,
		    "%s", text);
}
