/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "storm-output.h"

#define OUTPUT_MAX   131072
/* What is left of the output for answers when a storm has filled it: as much as to a whole input of short commands. */
#define ANSWERS_MAX  65536
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof(*(array)))

static bool negotiated;
static char output[OUTPUT_MAX];
static size_t n_output, n_sent;

/* Events that are still to be said. */
static struct {
	int64_t next, end;
	bool mixed;
	int64_t interval, due;       /* nanoseconds, CLOCK_MONOTONIC; no interval: as fast as they are read */
} source;

void output_negotiate(void)
{
	negotiated = true;
}

void output_clear(void)
{
	negotiated = false;
	n_output = n_sent = 0;
}

bool output_has_room(void)
{
	return n_output < OUTPUT_MAX - ANSWERS_MAX;
}

bool output_send(int connection)
{
	while (n_sent < n_output) {
		ssize_t n = send(connection, output + n_sent, n_output - n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN;
		n_sent += (size_t)n;
	}
	n_output = n_sent = 0;
	return true;
}

/* Only what is known to have room: an event or an answer is shorter than what is asked for it. */
static void put(const char *text, size_t length)
{
	if (length > OUTPUT_MAX - n_output)
		errx(1, "the output is full");
	memcpy(output + n_output, text, length);
	n_output += length;
}

void output_put_text(const char *text)
{
	put(text, strlen(text));
}

void output_put_number(int64_t number)
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
	output_put_text("{\"timestamp\": {\"seconds\": ");
	output_put_number(now.tv_sec);
	output_put_text(", \"microseconds\": ");
	output_put_number(now.tv_nsec / 1000);
	output_put_text("}, \"event\": ");
}

void output_say(const char *event)
{
	put_time();
	output_put_text(event);
	output_put_text("}\r\n");
}

void output_answer(int64_t id, const char *result)
{
	output_put_text("{\"return\": ");
	output_put_text(result);
	output_put_text(", \"id\": ");
	output_put_number(id);
	output_put_text("}\r\n");
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
	output_put_text(kinds[kind].head);
	output_put_number(number);
	output_put_text(kinds[kind].tail);
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

/* Only into an empty output: as much is sent at once as goes into it. */
static void blow(void)
{
	if (n_output > 0)
		return;
	while (is_storm() && output_has_room())
		say_next();
}

int64_t output_get_wait(void)
{
	int64_t wait = source.due - get_nanoseconds();

	if (!is_busy() || source.interval == 0)
		return -1;
	return wait > 0 ? wait : 0;
}

static void keep_pace(void)
{
	while (output_get_wait() == 0 && output_has_room()) {
		source.due += source.interval;
		say_next();
	}
}

void output_begin(int64_t first, int64_t count, bool mixed, int64_t interval)
{
	source.next = first;
	source.end = first + count;
	source.mixed = mixed;
	source.interval = interval;
	source.due = get_nanoseconds() + interval;
}

int64_t output_get_left(void)
{
	return source.end - source.next;
}

void output_go_on(void)
{
	keep_pace();
	blow();
}

bool output_is_waiting(void)
{
	return n_output > 0 || is_storm();
}
