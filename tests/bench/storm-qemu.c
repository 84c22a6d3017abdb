/* SPDX-License-Identifier: LGPL-2.1-or-later */
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

#include "storm-commands.h"
#include "storm-output.h"

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

#define INPUT_MAX 8192

static int listener = -1, connection = -1;
static volatile sig_atomic_t terminated;

static char input[INPUT_MAX];
static size_t n_input;

/* ---- the loop ---- */

static void drop_connection(void)
{
	(void)close(connection);
	connection = -1;
	n_input = 0;
	output_clear();
}

static void send_output(void)
{
	if (!output_send(connection))
		drop_connection();
}

static _Noreturn void leave(void)
{
	if (connection >= 0)
		send_output();
	_exit(0);
}

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
		if (!commands_handle(line))
			leave();
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
		output_put_text("{\"QMP\": {\"version\": " STORM_VERSION ", \"capabilities\": [\"oob\"]}}\r\n");
}

static void on_term(int number)
{
	terminated = 1;
}

/* Signals come only while it waits. */
static void wait_for(struct pollfd *polled, const sigset_t *mask)
{
	int64_t wait = output_get_wait();
	struct timespec timeout = { wait / 1000000000, wait % 1000000000 };
	short writing = output_is_waiting() ? POLLOUT : 0;
	/* What it cannot answer it does not read: a client who reads nothing gets so far. */
	short reading = output_has_room() ? POLLIN : 0;

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
			output_say("\"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": \"host-signal\"}");
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
		output_go_on();
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

static void read_name(const char *value)
{
	char name[STORM_NAME_MAX + 1];

	if (sscanf(value, "guest=%64[^,]", name) == 1)
		commands_set_name(name);
}

static void read_option(const char *option, const char *value)
{
	static const char monitor[] = "socket,id=vmherald-monitor,fd=";

	if (strcmp(option, "-chardev") == 0 && strncmp(value, monitor, strlen(monitor)) == 0)
		listener = atoi(value + strlen(monitor));
	else if (strcmp(option, "-pidfile") == 0)
		write_pid(value);
	else if (strcmp(option, "-name") == 0)
		read_name(value);
	else if (strcmp(option, "-uuid") == 0)
		commands_set_uuid(value);
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
