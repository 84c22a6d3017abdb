/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storm-commands.h"
#include "storm-output.h"

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof(*(array)))

static const char *status = "prelaunch";
static bool has_quit;
static char guest_name[STORM_NAME_MAX + 1];
static const char *guest_uuid = "00000000-0000-0000-0000-000000000000";

/* ---- input: objects as the service writes them ---- */

/* Behind the value that begins there. */
static const char *skip_value(const char *at)
{
	int depth = 0;

	for (; *at && !(depth == 0 && strchr(",}]", *at)); at++) {
		if (strchr("{[", *at)) {
			depth++;
		} else if (strchr("}]", *at)) {
			depth--;
		} else if (*at == '"') {
			while (*++at && *at != '"')
				if (*at == '\\' && at[1])
					at++;
			if (!*at)
				break;
		}
	}
	return at;
}

/* Where the value of that member begins; NULL if there is none. object: its text, or NULL. */
static const char *find(const char *object, const char *key)
{
	size_t length = strlen(key);

	while (object && *object && *object != '}') {
		const char *name = object + 1 + strspn(object + 1, " ");
		const char *value = strchr(name, ':');

		if (*name != '"' || !value)
			return NULL;
		value += 1 + strspn(value + 1, " ");
		if (strncmp(name + 1, key, length) == 0 && name[1 + length] == '"')
			return value;
		object = skip_value(value);
	}
	return NULL;
}

static bool is_text(const char *value, const char *text)
{
	size_t length = strlen(text);

	return value && *value == '"' && strncmp(value + 1, text, length) == 0 && value[1 + length] == '"';
}

static int64_t get_number(const char *object, const char *key)
{
	const char *value = find(object, key);

	return value ? strtoll(value, NULL, 10) : 0;
}

/* ---- commands ---- */

static void cont(int64_t id, const char *arguments)
{
	if (strcmp(status, "running") != 0)
		output_say("\"RESUME\"");
	status = "running";
	output_answer(id, "{}");
}

static void stop(int64_t id, const char *arguments)
{
	if (strcmp(status, "running") == 0)
		output_say("\"STOP\"");
	status = "paused";
	output_answer(id, "{}");
}

static void quit(int64_t id, const char *arguments)
{
	output_say("\"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-quit\"}");
	output_answer(id, "{}");
	has_quit = true;
}

static void negotiate(int64_t id, const char *arguments)
{
	output_negotiate();
	output_answer(id, "{}");
}

static void query_status(int64_t id, const char *arguments)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "{\"status\": \"%s\", \"singlestep\": false, \"running\": %s}",
		       status, strcmp(status, "running") == 0 ? "true" : "false");
	output_answer(id, text);
}

static void query_name(int64_t id, const char *arguments)
{
	char text[sizeof(guest_name) + 16];

	(void)snprintf(text, sizeof(text), "{\"name\": \"%s\"}", guest_name);
	output_answer(id, text);
}

static void query_uuid(int64_t id, const char *arguments)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "{\"UUID\": \"%s\"}", guest_uuid);
	output_answer(id, text);
}

static void begin(const char *arguments, int64_t interval)
{
	output_begin(get_number(arguments, "first"), get_number(arguments, "count"),
		     is_text(find(arguments, "kind"), "mixed"), interval);
}

static void storm(int64_t id, const char *arguments)
{
	begin(arguments, 0);
	output_answer(id, "{}");
}

static void pace(int64_t id, const char *arguments)
{
	begin(arguments, get_number(arguments, "interval-us") * 1000);
	output_answer(id, "{}");
}

static void storm_left(int64_t id, const char *arguments)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "{\"left\": %lld}", (long long)output_get_left());
	output_answer(id, text);
}

static const struct {
	const char *name;
	const char *result;
	void (*run)(int64_t id, const char *arguments);
} commands[] = {
	{ "cont", NULL, cont },
	{ "qmp_capabilities", NULL, negotiate },
	{ "qom-list", "[{\"name\": \"type\", \"type\": \"string\"}]", NULL },
	{ "query-block", "[]", NULL },
	{ "query-chardev", "[]", NULL },
	{ "query-jobs", "[]", NULL },
	{ "query-kvm", "{\"enabled\": false, \"present\": true}", NULL },
	{ "query-memory-devices", "[]", NULL },
	{ "query-name", NULL, query_name },
	{ "query-named-block-nodes", "[]", NULL },
	{ "query-rx-filter", "[]", NULL },
	{ "query-status", NULL, query_status },
	{ "query-uuid", NULL, query_uuid },
	{ "query-version", STORM_VERSION, NULL },
	{ "query-vnc-servers", "[]", NULL },
	{ "quit", NULL, quit },
	{ "stop", NULL, stop },
	{ "x-pace", NULL, pace },
	{ "x-storm", NULL, storm },
	{ "x-storm-left", NULL, storm_left },
};

/* As of a QEMU that has no such device, or was built without it. */
static const struct {
	const char *name, *error;
} refusals[] = {
	{ "query-balloon", "{\"class\": \"DeviceNotActive\", \"desc\": \"No balloon device has been activated\"}" },
	{ "query-spice", "{\"class\": \"CommandNotFound\", \"desc\": \"The command query-spice has not been found\"}" },
};

static void handle(const char *line)
{
	/* As QEMU's parser: a byte that is in no JSON text ends what has come of a command. */
	const char *reset = strrchr(line, '\xff');
	const char *command = reset ? reset + 1 : line;
	const char *name = find(command, "execute"), *arguments = find(command, "arguments");
	int64_t id = get_number(command, "id");

	if (reset)
		output_put_text("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\r\n");
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
		if (!is_text(name, commands[i].name))
			continue;
		if (commands[i].run)
			commands[i].run(id, arguments);
		else
			output_answer(id, commands[i].result);
		return;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
		if (!is_text(name, refusals[i].name))
			continue;
		output_put_text("{\"error\": ");
		output_put_text(refusals[i].error);
		output_put_text(", \"id\": ");
		output_put_number(id);
		output_put_text("}\r\n");
		return;
	}
	output_answer(id, "{}");
}

bool commands_handle(const char *line)
{
	handle(line);
	return !has_quit;
}

void commands_set_name(const char *name)
{
	(void)snprintf(guest_name, sizeof(guest_name), "%s", name);
}

void commands_set_uuid(const char *uuid)
{
	guest_uuid = uuid;
}
