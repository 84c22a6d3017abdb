/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <string.h>

#include "base/error.h"
#include "base/json-text.h"
#include "qmp/framer.h"
#include "qmp/message.h"

/* One line as the framer gives it. Whatever is in it, each member is what "qmp/message.h" says. */

static void check_error(const QmpMessage *message)
{
	g_autoptr(GError) error = NULL;

	fuzz_assert_text(message->name);
	fuzz_assert_text(message->text);
	qmp_message_set_error(message, &error);
	fuzz_assert_error(error);
	g_assert_nonnull(strstr(error->message, message->text));
}

static void check_body(const QmpMessage *message)
{
	g_autofree char *text = NULL;

	if (!message->body)
		return;
	g_assert_true(json_node_is_immutable(message->body));
	text = json_text_from_node(message->body);
	/* It is passed on as text, to clients that parse it. Only a number may have become longer. */
	g_assert_true(json_text_check(text, strlen(text), SIZE_MAX, QMP_NESTING_MAX, NULL));
}

static void check_message(const QmpMessage *message)
{
	g_assert_true(JSON_NODE_HOLDS_OBJECT(message->root));
	g_assert_cmpint(message->time, >=, 0);
	g_assert_true(message->has_id || message->id == 0);
	g_assert_cmpuint(message->id, <=, G_MAXINT64);
	check_body(message);

	switch (message->kind) {
	case QMP_MESSAGE_GREETING:
		g_assert_true(JSON_NODE_HOLDS_OBJECT(message->body));
		g_assert_null(message->name);
		return;
	case QMP_MESSAGE_REPLY:
		g_assert_nonnull(message->body);
		g_assert_null(message->name);
		return;
	case QMP_MESSAGE_ERROR:
		check_error(message);
		g_assert_null(message->body);
		return;
	case QMP_MESSAGE_EVENT:
		fuzz_assert_text(message->name);
		g_assert_cmpstr(message->name, !=, "");
		g_assert_true(!message->body || JSON_NODE_HOLDS_OBJECT(message->body));
		return;
	}
	g_assert_not_reached();
}

static void check_member(JsonObject *data, const QmpPlainEvent *plain, const QmpPlainMember *member)
{
	const QmpPlainMember *parent = member->parent < 0 ? NULL : &plain->members[member->parent];
	g_autofree char *parent_key = parent ? g_strndup(parent->key.at, parent->key.length) : NULL;
	g_autofree char *key = g_strndup(member->key.at, member->key.length);
	g_autofree char *text = NULL;
	JsonNode *node = json_object_get_member(parent ? json_object_get_object_member(data, parent_key) : data,
						key);

	switch (member->type) {
	case QMP_PLAIN_OBJECT:
		g_assert_true(JSON_NODE_HOLDS_OBJECT(node));
		return;
	case QMP_PLAIN_BOOLEAN:
		g_assert_cmpint(json_node_get_value_type(node), ==, G_TYPE_BOOLEAN);
		g_assert_cmpint(json_node_get_boolean(node), ==, member->flag);
		return;
	case QMP_PLAIN_INTEGER:
		g_assert_cmpint(json_node_get_value_type(node), ==, G_TYPE_INT64);
		g_assert_cmpint(json_node_get_int(node), ==, member->number);
		return;
	case QMP_PLAIN_TEXT:
		text = g_strndup(member->text.at, member->text.length);
		g_assert_cmpstr(json_node_get_string(node), ==, text);
		return;
	}
	g_assert_not_reached();
}

static unsigned count_members(JsonNode *node)
{
	JsonObject *object = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
	JsonObjectIter iter;
	const char *key;
	JsonNode *member;
	unsigned n = 0;

	if (!object)
		return 0;
	json_object_iter_init(&iter, object);
	while (json_object_iter_next(&iter, &key, &member))
		n += 1 + count_members(member);
	return n;
}

/* message: the same by json-glib, or NULL. */
static void check_plain(const char *line, size_t length, const QmpMessage *message)
{
	g_autoptr(QmpMessage) read = qmp_message_read(line, length, NULL);

	g_assert_true(!read == !message);
	if (!read)
		return;
	g_assert_cmpint(read->kind, ==, message->kind);
	g_assert_cmpstr(read->name, ==, message->name);
	g_assert_cmpint(read->time, ==, message->time);
	if (!read->plain)
		return;
	g_assert_false(message->has_id);
	g_assert_cmpuint(read->plain->n_members, ==, count_members(message->body));
	for (unsigned i = 0; i < read->plain->n_members; i++)
		check_member(json_node_get_object(message->body), read->plain, &read->plain->members[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(QmpMessage) message = qmp_message_parse((const char *)data, size, &error);

	check_plain((const char *)data, size, message);
	if (!message) {
		fuzz_assert_refusal(error, CORE_ERROR_INVALID_ARGUMENT);
		return 0;
	}
	g_assert_no_error(error);
	check_message(message);
	return 0;
}
