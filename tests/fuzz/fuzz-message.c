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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(QmpMessage) message = qmp_message_parse((const char *)data, size, &error);

	if (!message) {
		fuzz_assert_refusal(error, CORE_ERROR_INVALID_ARGUMENT);
		return 0;
	}
	g_assert_no_error(error);
	check_message(message);
	return 0;
}
