/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json-text.h"
#include "qmp/framer.h"
#include "qmp/message.h"

static QmpMessage *parse(const char *line)
{
	g_autoptr(GError) error = NULL;
	QmpMessage *message = qmp_message_parse(line, strlen(line), &error);

	g_assert_no_error(error);
	g_assert_nonnull(message);
	return message;
}

static void assert_bad(const char *line)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(QmpMessage) message = qmp_message_parse(line, strlen(line), &error);

	g_assert_null(message);
	g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT);
}

static void assert_body(const QmpMessage *message, const char *expected)
{
	g_autofree char *text = json_text_from_node(message->body);

	g_assert_true(json_node_is_immutable(message->body));
	g_assert_cmpstr(text, ==, expected);
}

static void test_greeting(void)
{
	g_autoptr(QmpMessage) message = parse("{\"QMP\": {\"version\": {}, \"capabilities\": []}}");

	g_assert_cmpint(message->kind, ==, QMP_MESSAGE_GREETING);
	g_assert_false(message->has_id);
	assert_body(message, "{\"version\":{},\"capabilities\":[]}");
	assert_bad("{\"QMP\": 1}");
}

static void test_reply(void)
{
	g_autoptr(QmpMessage) object = parse("{\"return\": {\"a\": 1}, \"id\": 7}");
	g_autoptr(QmpMessage) null = parse("{\"id\": 9007199254740993, \"x\": 1, \"return\": null}");
	g_autoptr(QmpMessage) no_id = parse("{\"return\": []}");
	g_autoptr(QmpMessage) foreign = parse("{\"return\": [], \"id\": \"libvirt-1\"}");
	g_autoptr(QmpMessage) negative = parse("{\"return\": [], \"id\": -1}");
	g_autoptr(QmpMessage) fraction = parse("{\"return\": [], \"id\": 1.0}");

	g_assert_cmpint(object->kind, ==, QMP_MESSAGE_REPLY);
	g_assert_true(object->has_id);
	g_assert_cmpuint(object->id, ==, 7);
	assert_body(object, "{\"a\":1}");
	g_assert_cmpint(null->kind, ==, QMP_MESSAGE_REPLY);
	g_assert_cmpuint(null->id, ==, 9007199254740993);
	assert_body(null, "null");
	g_assert_false(no_id->has_id);
	g_assert_false(foreign->has_id);
	g_assert_false(negative->has_id);
	g_assert_false(fraction->has_id);
}

static void assert_error_line(const char *line, CoreError code, const char *text)
{
	g_autoptr(QmpMessage) message = parse(line);
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(message->kind, ==, QMP_MESSAGE_ERROR);
	g_assert_null(message->body);
	qmp_message_set_error(message, &error);
	g_assert_error(error, CORE_ERROR, (int)code);
	g_assert_cmpstr(error->message, ==, text);
	qmp_message_set_error(message, NULL);
}

static void test_error(void)
{
	assert_error_line("{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no 'x'\"}, \"id\": 1}",
			  CORE_ERROR_NO_SUCH_DEVICE, "DeviceNotFound: no 'x'");
	assert_error_line("{\"id\": 1, \"error\": {\"desc\": \"100%s\", \"class\": \"CommandNotFound\"}}",
			  CORE_ERROR_QEMU_ERROR, "CommandNotFound: 100%s");
	assert_error_line("{\"error\": {\"class\": 5}}",
			  CORE_ERROR_QEMU_ERROR, "GenericError: no description");
	assert_bad("{\"error\": \"GenericError\"}");
}

/* What is passed on to clients has a bound, in whole characters. */
static void test_long_names(void)
{
	g_autofree char *name = g_strnfill(QMP_NAME_MAX, 'x');
	g_autofree char *event = g_strdup_printf("{\"event\": \"%s\"}", name);
	g_autofree char *too_long = g_strdup_printf("{\"event\": \"%sx\"}", name);
	g_autoptr(QmpMessage) longest = parse(event);
	g_autofree char *text = g_strnfill(QMP_ERROR_TEXT_MAX - 1, 'y');
	g_autofree char *line = g_strdup_printf("{\"error\": {\"class\": \"%sx\", \"desc\": "
						"\"%s\xc3\xbc and more\"}}", name, text);
	g_autoptr(QmpMessage) refusal = parse(line);
	g_autoptr(GError) error = NULL;

	g_assert_cmpstr(longest->name, ==, name);
	assert_bad(too_long);
	qmp_message_set_error(refusal, &error);
	g_assert_true(g_str_has_prefix(error->message, name));
	g_assert_null(strstr(error->message, "more"));
	g_assert_true(g_utf8_validate(error->message, -1, NULL));
}

static void test_event(void)
{
	g_autoptr(QmpMessage) full = parse("{\"data\": {\"guest\": false}, \"event\": \"SHUTDOWN\", "
		"\"timestamp\": {\"seconds\": 1795195663, \"microseconds\": 436128}}");
	g_autoptr(QmpMessage) bare = parse("{\"event\": \"STOP\"}");
	g_autoptr(QmpMessage) odd = parse("{\"event\": \"STOP\", \"data\": 3, \"new\": {\"return\": 1}}");

	g_assert_cmpint(full->kind, ==, QMP_MESSAGE_EVENT);
	g_assert_cmpstr(full->name, ==, "SHUTDOWN");
	g_assert_cmpint(full->time, ==, INT64_C(1795195663436128));
	assert_body(full, "{\"guest\":false}");
	g_assert_cmpstr(bare->name, ==, "STOP");
	g_assert_cmpint(bare->time, ==, 0);
	g_assert_null(bare->body);
	g_assert_null(odd->body);

	assert_bad("{\"event\": 1}");
	assert_bad("{\"event\": \"\"}");
	assert_bad("{\"event\": null}");
}

static void assert_time(const char *timestamp, int64_t expected)
{
	g_autofree char *line = g_strdup_printf("{\"event\": \"X\", \"timestamp\": %s}", timestamp);
	g_autoptr(QmpMessage) message = parse(line);

	g_assert_cmpint(message->time, ==, expected);
}

static void test_time(void)
{
	assert_time("{\"seconds\": 1, \"microseconds\": 999999}", 1999999);
	assert_time("{\"seconds\": 0, \"microseconds\": 0}", 0);
	/* What QEMU says where the host's clock cannot be read. */
	assert_time("{\"seconds\": -1, \"microseconds\": -1}", 0);
	assert_time("{\"seconds\": 1, \"microseconds\": 1000000}", 0);
	assert_time("{\"seconds\": 1, \"microseconds\": -1}", 0);
	assert_time("{\"seconds\": 9223372036854775807, \"microseconds\": 0}", 0);
	assert_time("{\"seconds\": 9223372036854, \"microseconds\": 775807}", INT64_MAX);
	assert_time("{\"seconds\": 9223372036854, \"microseconds\": 775808}", 0);
	assert_time("{\"seconds\": \"1\", \"microseconds\": 0}", 0);
	assert_time("{\"seconds\": 1}", 0);
	assert_time("[]", 0);
}

static void test_garbage(void)
{
	assert_bad("");
	assert_bad("{}");
	assert_bad("[]");
	assert_bad("1");
	assert_bad("null");
	assert_bad("{\"execute\": \"stop\"}");
	assert_bad("{\"event\": \"STOP\"} {\"event\": \"STOP\"}");
	assert_bad("{\"event\": \"STOP\"");
	assert_bad("qemu-system-x86_64: warning: host doesn't support this");
}

static char *nested_reply(unsigned depth)
{
	g_autoptr(GString) line = g_string_new("{\"return\": ");

	/* The object around it is one. */
	for (unsigned i = 1; i < depth; i++)
		g_string_append_c(line, '[');
	for (unsigned i = 1; i < depth; i++)
		g_string_append_c(line, ']');
	g_string_append(line, "}");
	return g_string_free(g_steal_pointer(&line), FALSE);
}

static void test_nesting(void)
{
	g_autofree char *deepest = nested_reply(QMP_NESTING_MAX);
	g_autofree char *over = nested_reply(QMP_NESTING_MAX + 1);
	g_autoptr(QmpMessage) message = parse(deepest);

	g_assert_cmpint(message->kind, ==, QMP_MESSAGE_REPLY);
	assert_bad(over);
}

static void test_free(void)
{
	g_assert_null(qmp_message_free(NULL));
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);

	g_test_add_func("/qmp/message/greeting", test_greeting);
	g_test_add_func("/qmp/message/reply", test_reply);
	g_test_add_func("/qmp/message/error", test_error);
	g_test_add_func("/qmp/message/long-names", test_long_names);
	g_test_add_func("/qmp/message/event", test_event);
	g_test_add_func("/qmp/message/time", test_time);
	g_test_add_func("/qmp/message/garbage", test_garbage);
	g_test_add_func("/qmp/message/nesting", test_nesting);
	g_test_add_func("/qmp/message/free", test_free);

	return g_test_run();
}
