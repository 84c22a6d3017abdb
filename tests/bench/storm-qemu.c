/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * In the part of QEMU, where it matters what QEMU itself costs: next to nothing. It is the emulator of a domain with
 * machine "none", answers as a QEMU without devices does, and says events as fast as they are read, or one by one:
 *
 *   x-storm {"first": N, "count": M, "kind": KIND}    returns {}, and then M events follow, the first with number N in it
 *   x-pace {"first": N, "count": M, "interval-us": U}  the same, one of them each U microseconds
 *   x-storm-left                                       returns {"left": N}, those that were not said yet
 *
 * KIND is "rtc" (RTC_CHANGE) or "mixed" (the kinds of tests/integration/storm.py, in turns). Each event has the time at
 * which it was put into the output: in a storm, of which so much is sent at once, that is a bit before it is sent.
 *
 * While nobody is connected it says none. As QEMU, it outlives the service. It has no library but the C library, and
 * reads of JSON only what the service writes: a thousand of them run at once.
 */

#define NAME_MAX_BYTES 64
#define INPUT_MAX      8192
#define OUTPUT_MAX     131072
/* What is left of the output for answers when a storm has filled it: as much as to a whole input of short commands. */
#define ANSWERS_MAX    65536
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define VERSION "{\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}"

static int listener = -1, connection = -1;
static bool negotiated;
static volatile sig_atomic_t terminated;
static const char *status = "prelaunch";
static char guest_name[NAME_MAX_BYTES + 1];
static const char *guest_uuid = "00000000-0000-0000-0000-000000000000";

static char input[INPUT_MAX];
static size_t n_input;
static char output[OUTPUT_MAX];
static size_t n_output, n_sent;

/* Events that are still to be said. */
static struct {
	int64_t next, end;
	bool mixed;
	int64_t interval, due;       /* nanoseconds, CLOCK_MONOTONIC; no interval: as fast as they are read */
} source;

/* ---- output ---- */

static void drop_connection(void)
{
	(void)close(connection);
	connection = -1;
	negotiated = false;
	n_input = n_output = n_sent = 0;
}

static void send_output(void)
{
	while (n_sent < n_output) {
		ssize_t n = send(connection, output + n_sent, n_output - n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			drop_connection();
			return;
		}
		n_sent += (size_t)n;
	}
	n_output = n_sent = 0;
}

/* Only what is known to have room: an event or an answer is shorter than what is asked for it. */
static void put(const char *text, size_t length)
{
	if (length > OUTPUT_MAX - n_output)
		errx(1, "the output is full");
	memcpy(output + n_output, text, length);
	n_output += length;
}

static void put_text(const char *text)
{
	put(text, strlen(text));
}

static void put_number(int64_t number)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do
		digits[--at] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		digits[--at] = '-';
	put(digits + at, sizeof(digits) - at);
}

static void put_time(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	put_text("{\"timestamp\": {\"seconds\": ");
	put_number(now.tv_sec);
	put_text(", \"microseconds\": ");
	put_number(now.tv_nsec / 1000);
	put_text("}, \"event\": ");
}

static void say(const char *event)
{
	put_time();
	put_text(event);
	put_text("}\r\n");
}

static void answer(int64_t id, const char *result)
{
	put_text("{\"return\": ");
	put_text(result);
	put_text(", \"id\": ");
	put_number(id);
	put_text("}\r\n");
}

/* ---- numbered events ---- */

#define OST(slot) "\"ACPI_DEVICE_OST\", \"data\": {\"info\": {\"device\": \"" slot "\", \"slot\": \"0\", " \
		  "\"slot-type\": \"DIMM\", \"source\": "

/* Before the number and behind it; the second is the one of an rtc storm. */
static const struct {
	const char *head, *tail;
} kinds[] = {
	{ OST("q"), ", \"status\": 0}}}\r\n" },
	{ "\"RTC_CHANGE\", \"data\": {\"offset\": ", ", \"qom-path\": \"/rtc\"}}\r\n" },
	{ "\"X_STORM\", \"data\": {\"n\": ", "}}\r\n" },
	{ OST("p"), ", \"status\": 0}}}\r\n" },
};

static void say_next(void)
{
	int64_t number = source.next++;
	size_t kind = source.mixed ? (size_t)number % ARRAY_LENGTH(kinds) : 1;

	put_time();
	put_text(kinds[kind].head);
	put_number(number);
	put_text(kinds[kind].tail);
}

static bool is_busy(void)
{
	return negotiated && source.next < source.end;
}

static bool is_storm(void)
{
	return is_busy() && source.interval == 0;
}

static int64_t get_nanoseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void blow(void)
{
	if (n_output > 0)
		return;
	while (is_storm() && n_output < OUTPUT_MAX - ANSWERS_MAX)
		say_next();
}

/* Nanoseconds until the next one is due; -1 if none is. */
static int64_t get_wait(void)
{
	int64_t wait = source.due - get_nanoseconds();

	if (!is_busy() || source.interval == 0)
		return -1;
	return wait > 0 ? wait : 0;
}

static void keep_pace(void)
{
	while (get_wait() == 0 && n_output < OUTPUT_MAX - ANSWERS_MAX) {
		source.due += source.interval;
		say_next();
	}
}

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

static _Noreturn void leave(void)
{
	if (connection >= 0)
		send_output();
	_exit(0);
}

static void cont(int64_t id, const char *arguments)
{
	if (strcmp(status, "running") != 0)
		say("\"RESUME\"");
	status = "running";
	answer(id, "{}");
}

static void stop(int64_t id, const char *arguments)
{
	if (strcmp(status, "running") == 0)
		say("\"STOP\"");
	status = "paused";
	answer(id, "{}");
}

static _Noreturn void quit(int64_t id, const char *arguments)
{
	say("\"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-quit\"}");
	answer(id, "{}");
	leave();
}

static void negotiate(int64_t id, const char *arguments)
{
	negotiated = true;
	answer(id, "{}");
}

static void query_status(int64_t id, const char *arguments)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "{\"status\": \"%s\", \"singlestep\": false, \"running\": %s}",
		       status, strcmp(status, "running") == 0 ? "true" : "false");
	answer(id, text);
}

static void query_name(int64_t id, const char *arguments)
{
	char text[sizeof(guest_name) + 16];

	(void)snprintf(text, sizeof(text), "{\"name\": \"%s\"}", guest_name);
	answer(id, text);
}

static void query_uuid(int64_t id, const char *arguments)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "{\"UUID\": \"%s\"}", guest_uuid);
	answer(id, text);
}

static void storm(int64_t id, const char *arguments)
{
	source.next = get_number(arguments, "first");
	source.end = source.next + get_number(arguments, "count");
	source.mixed = is_text(find(arguments, "kind"), "mixed");
	source.interval = 0;
	answer(id, "{}");
}

static void pace(int64_t id, const char *arguments)
{
	storm(id, arguments);
	source.interval = get_number(arguments, "interval-us") * 1000;
	source.due = get_nanoseconds() + source.interval;
}

static void storm_left(int64_t id, const char *arguments)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "{\"left\": %lld}", (long long)(source.end - source.next));
	answer(id, text);
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
	{ "query-version", VERSION, NULL },
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
		put_text("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\r\n");
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
		if (!is_text(name, commands[i].name))
			continue;
		if (commands[i].run)
			commands[i].run(id, arguments);
		else
			answer(id, commands[i].result);
		return;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
		if (!is_text(name, refusals[i].name))
			continue;
		put_text("{\"error\": ");
		put_text(refusals[i].error);
		put_text(", \"id\": ");
		put_number(id);
		put_text("}\r\n");
		return;
	}
	answer(id, "{}");
}

/* ---- the loop ---- */

static void on_readable(void)
{
	ssize_t n = recv(connection, input + n_input, sizeof(input) - 1 - n_input, 0);
	char *line = input, *end;

	if (n <= 0) {
		drop_connection();
		return;
	}
	n_input += (size_t)n;
	input[n_input] = '\0';
	while ((end = memchr(line, '\n', n_input - (size_t)(line - input)))) {
		*end = '\0';
		handle(line);
		line = end + 1;
	}
	n_input -= (size_t)(line - input);
	memmove(input, line, n_input);
	if (n_input == sizeof(input) - 1)
		errx(1, "a command of more than %d bytes", INPUT_MAX);
}

static void accept_connection(void)
{
	connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection >= 0)
		put_text("{\"QMP\": {\"version\": " VERSION ", \"capabilities\": [\"oob\"]}}\r\n");
}

static void on_term(int number)
{
	terminated = 1;
}

/* Signals come only while it waits. */
static void wait_for(struct pollfd *polled, const sigset_t *mask)
{
	int64_t wait = get_wait();
	struct timespec timeout = { wait / 1000000000, wait % 1000000000 };
	short writing = n_output > 0 || is_storm() ? POLLOUT : 0;
	/* What it cannot answer it does not read: a client who reads nothing gets so far. */
	short reading = n_output < OUTPUT_MAX - ANSWERS_MAX ? POLLIN : 0;

	polled->fd = connection >= 0 ? connection : listener;
	polled->events = connection >= 0 ? reading | writing : POLLIN;
	polled->revents = 0;
	(void)ppoll(polled, 1, wait >= 0 ? &timeout : NULL, mask);
}

static _Noreturn void run(const sigset_t *mask)
{
	for (;;) {
		struct pollfd polled;

		wait_for(&polled, mask);
		if (terminated) {
			say("\"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": \"host-signal\"}");
			leave();
		}
		if (connection < 0) {
			if (polled.revents)
				accept_connection();
		} else if (polled.revents & (POLLIN | POLLHUP | POLLERR)) {
			on_readable();
		}
		if (connection < 0)
			continue;
		keep_pace();
		blow();
		send_output();
	}
}

/* ---- the command line ---- */

/* As the service asks what an emulator is. Returns if this is to run. */
static void introduce(const char *option, const char *value)
{
	if (strcmp(option, "--version") == 0)
		puts("QEMU emulator version 7.2.22 (storm)");
	else if (strcmp(option, "-accel") == 0 && value && strcmp(value, "help") == 0)
		puts("Accelerators supported in QEMU binary:\ntcg");
	else if (strcmp(option, "-machine") == 0 && value && strcmp(value, "help") == 0)
		puts("Supported machines are:\nnone                 empty machine (default)");
	else
		return;
	exit(0);
}

static void write_pid(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file || fprintf(file, "%d\n", (int)getpid()) < 0 || fclose(file) != 0)
		err(1, "%s", path);
}

static void read_option(const char *option, const char *value)
{
	static const char monitor[] = "socket,id=vmherald-monitor,fd=";

	if (strcmp(option, "-chardev") == 0 && strncmp(value, monitor, strlen(monitor)) == 0)
		listener = atoi(value + strlen(monitor));
	else if (strcmp(option, "-pidfile") == 0)
		write_pid(value);
	else if (strcmp(option, "-name") == 0)
		(void)sscanf(value, "guest=%64[^,]", guest_name);
	else if (strcmp(option, "-uuid") == 0)
		guest_uuid = value;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_term };
	sigset_t blocked, mask;

	for (int i = 1; i < argc; i++)
		introduce(argv[i], argv[i + 1]);
	/* Before the file that says that it can be terminated. */
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &blocked, &mask);
	(void)sigaction(SIGTERM, &action, NULL);
	for (int i = 1; i + 1 < argc; i++)
		read_option(argv[i], argv[i + 1]);
	if (listener < 0)
		errx(1, "no monitor");
	run(&mask);
}
