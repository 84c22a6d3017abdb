/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <vmherald/vmherald.h>

#include "bus/names.h"
#include "bus/object-path.h"

/*
 * What a program pays for listening: by libvmherald, or with the same match rules by sd-bus alone.
 *
 *     client-cost library|bare|asking first COUNT UUID      registers, has the domain's emulator (storm-qemu) say an event, waits
 *                                                             for it, deregisters: microseconds of both, and of registering alone
 *     client-cost library|bare|asking pairs COUNT           registers and deregisters, each for a domain of its own: {"seconds": S}
 *     client-cost library|bare together COUNT                 registers all, and then deregisters all: {"seconds": S, "cpu": S}
 *     client-cost library|bare receive COUNT UUID [OTHERS]    has COUNT events said, and reads each with its types; so many OTHERS are
 *                                                             registered, for other domains: {"seconds": S, "cpu": S}
 *
 * None waits for the answer when a rule ends, as sd-bus does not. asking is told where the service is with its numbers when the rule
 * begins: without that nobody can know later what was lost. It sends the two at once, and waits for both answers.
 */

/* So far apart each is registered as if it were the only one. */
#define PAUSE_US  20000u
/* The library has so many match rules at most; further callbacks share them. */
#define RULES_MAX 4000u
#define MEMBER    "RtcChanged"
#define INTERFACE BUS_INTERFACE("Guest")
/* Destination, path, interface. */
#define BUS_DRIVER "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"

typedef struct Client {
	const char *name;
	void (*open)(void);
	/* slot: 0 and up. uuid: of the domain. */
	void (*begin)(unsigned slot, const char *uuid);
	void (*end)(unsigned slot);
	void (*execute)(const char *uuid, const char *command, const char *arguments);
	/* Until something has been done. */
	void (*turn)(void);
} Client;

static uint64_t received;

static void note_event(const char *qom_path, int64_t offset)
{
	if (!*qom_path || offset != (int64_t)received)
		errx(1, "event %" G_GINT64_FORMAT " of %s in place of %" G_GUINT64_FORMAT, offset, qom_path, received);
	received++;
}

/* ---- by the library ---- */

static VmhConnection *connection;
static int *ids;                        /* of each slot */

/* The calls are made with sound arguments. */
#define CHECK_LIBRARY(condition, error)                  \
	do {                                             \
		if (!(condition))                        \
			errx(1, "%s", (error)->message); \
	} while (0)

static void on_library_event(VmhConnection *from, VmhDomain *domain, const VmhEvent *event, void *userdata)
{
	note_event(event->rtc_changed.qom_path, event->rtc_changed.offset);
}

static void library_open(void)
{
	VmhError *error = NULL;

	if (vmh_event_register_default_impl() < 0)
		errx(1, "no event loop");
	connection = vmh_connection_open("session", 0, &error);
	CHECK_LIBRARY(connection, error);
}

static void library_begin(unsigned slot, const char *uuid)
{
	VmhError *error = NULL;
	VmhDomain *domain = vmh_domain_new(connection, uuid, &error);

	CHECK_LIBRARY(domain, error);
	ids[slot] = vmh_connection_register_any(connection, domain, VMH_EVENT_RTC_CHANGED, on_library_event, NULL, NULL,
						&error);
	CHECK_LIBRARY(ids[slot] > 0, error);
	vmh_domain_unref(domain);
}

static void library_end(unsigned slot)
{
	VmhError *error = NULL;

	CHECK_LIBRARY(vmh_connection_deregister_any(connection, ids[slot], &error) == 0, error);
}

static void library_execute(const char *uuid, const char *command, const char *arguments)
{
	VmhError *error = NULL;
	VmhDomain *domain = vmh_domain_new(connection, uuid, &error);
	char *answer;

	CHECK_LIBRARY(domain, error);
	answer = vmh_domain_execute(domain, command, arguments, NULL, &error);
	CHECK_LIBRARY(answer, error);
	free(answer);
	vmh_domain_unref(domain);
}

static void library_turn(void)
{
	if (vmh_event_run_default_impl() < 0)
		errx(1, "the event loop does not turn");
}

/* ---- by sd-bus alone ---- */

static sd_bus *bus;
static sd_bus_slot **slots;
static char **rules;                    /* of asking */

static void check(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, g_strerror(-r));
}

static int on_bare_event(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *qom_path;
	int64_t offset;
	uint64_t sequence, previous, time;
	int r = sd_bus_message_read(message, "sx(ttt)", &qom_path, &offset, &sequence, &previous, &time);

	if (r >= 0)
		r = sd_bus_message_skip(message, "a{sv}");
	check(r, "a signal");
	note_event(qom_path, offset);
	return 0;
}

static void bare_open(void)
{
	check(sd_bus_open_user(&bus), "the bus");
}

static char *make_rule(const char *uuid)
{
	g_autofree char *path = bus_path_from_uuid(uuid);

	return g_strdup_printf("type='signal',sender='" BUS_NAME "',path='%s',interface='" INTERFACE
			       "',member='" MEMBER "'", path);
}

static void bare_begin(unsigned slot, const char *uuid)
{
	g_autofree char *rule = make_rule(uuid);

	check(sd_bus_add_match(bus, &slots[slot], rule, on_bare_event, NULL), rule);
}

static void bare_end(unsigned slot)
{
	slots[slot] = sd_bus_slot_unref(slots[slot]);
}

static int filter(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	return sd_bus_message_is_signal(message, INTERFACE, MEMBER) ? on_bare_event(message, userdata, error) : 0;
}

static void asking_open(void)
{
	bare_open();
	check(sd_bus_add_filter(bus, NULL, filter, NULL), "a filter");
}

static int on_rule(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	bool *in_force = userdata;

	if (sd_bus_message_is_method_error(answer, NULL))
		errx(1, "AddMatch: %s", sd_bus_message_get_error(answer)->message);
	*in_force = true;
	return 0;
}

static void asking_begin(unsigned slot, const char *uuid)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *answer = NULL;
	bool in_force = false;

	rules[slot] = make_rule(uuid);
	check(sd_bus_call_method_async(bus, NULL, BUS_DRIVER, "AddMatch", on_rule, &in_force, "s", rules[slot]), "AddMatch");
	check(sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_PROPERTIES, "Get", &error, &answer, "ss",
				 BUS_INTERFACE("Manager"), "LastSequence"), "LastSequence");
	while (!in_force)
		check(sd_bus_process(bus, NULL), "the bus");
	sd_bus_message_unref(answer);
}

static void asking_end(unsigned slot)
{
	check(sd_bus_call_method_async(bus, NULL, BUS_DRIVER, "RemoveMatch", NULL, NULL, "s", rules[slot]), "RemoveMatch");
	g_clear_pointer(&rules[slot], g_free);
}

static void bare_execute(const char *uuid, const char *command, const char *arguments)
{
	g_autofree char *path = bus_path_from_uuid(uuid);

	check(sd_bus_call_method(bus, BUS_NAME, path, BUS_INTERFACE("Monitor"), "Execute", NULL, NULL, "ssa{sv}", command,
				 arguments, 0), command);
}

static void bare_turn(void)
{
	int r = sd_bus_process(bus, NULL);

	check(r, "the bus");
	if (r == 0)
		check(sd_bus_wait(bus, UINT64_MAX), "the bus");
}

static const Client clients[] = {
	{ "library", library_open, library_begin, library_end, library_execute, library_turn },
	{ "bare", bare_open, bare_begin, bare_end, bare_execute, bare_turn },
	{ "asking", asking_open, asking_begin, asking_end, bare_execute, bare_turn },
};

/* ---- what is measured ---- */

static double get_seconds(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of a domain that there need not be. */
static char *make_uuid(unsigned number)
{
	return g_strdup_printf("00000000-0000-4000-8000-%012u", number);
}

static void say_events(const Client *client, const char *uuid, uint64_t first, uint64_t count)
{
	g_autofree char *arguments = g_strdup_printf("{\"first\": %" G_GUINT64_FORMAT ", \"count\": %" G_GUINT64_FORMAT
						     ", \"kind\": \"rtc\"}", first, count);

	client->execute(uuid, "x-storm", arguments);
}

static void wait_received(const Client *client, uint64_t count)
{
	while (received < count)
		client->turn();
}

static void measure_first(const Client *client, unsigned count, const char *uuid)
{
	for (unsigned i = 0; i < count; i++) {
		double began, registered;

		g_usleep(PAUSE_US);
		began = get_seconds(CLOCK_MONOTONIC);
		client->begin(0, uuid);
		registered = get_seconds(CLOCK_MONOTONIC);
		say_events(client, uuid, received, 1);
		wait_received(client, i + 1);
		printf("%.3f %.3f\n", (get_seconds(CLOCK_MONOTONIC) - began) * 1e6, (registered - began) * 1e6);
		client->end(0);
	}
}

static void print_used(double began, double cpu_before)
{
	printf("{\"seconds\": %.6f, \"cpu\": %.6f}\n", get_seconds(CLOCK_MONOTONIC) - began,
	       get_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_before);
}

static void measure_pairs(const Client *client, unsigned count, const char *uuid)
{
	double began = get_seconds(CLOCK_MONOTONIC), cpu = get_seconds(CLOCK_PROCESS_CPUTIME_ID);

	for (unsigned i = 0; i < count; i++) {
		g_autofree char *other = make_uuid(i);

		client->begin(0, other);
		client->end(0);
	}
	print_used(began, cpu);
}

static void register_others(const Client *client, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *other = make_uuid(i % RULES_MAX);

		client->begin(i, other);
	}
}

static void measure_together(const Client *client, unsigned count, const char *uuid)
{
	double began = get_seconds(CLOCK_MONOTONIC), cpu = get_seconds(CLOCK_PROCESS_CPUTIME_ID);

	register_others(client, count);
	for (unsigned i = 0; i < count; i++)
		client->end(i);
	print_used(began, cpu);
}

static unsigned others;

static void measure_receive(const Client *client, unsigned count, const char *uuid)
{
	double began, cpu;

	register_others(client, others);
	client->begin(others, uuid);
	/* Not counted: the first. */
	say_events(client, uuid, 0, 1);
	wait_received(client, 1);
	began = get_seconds(CLOCK_MONOTONIC);
	cpu = get_seconds(CLOCK_PROCESS_CPUTIME_ID);
	say_events(client, uuid, 1, count);
	wait_received(client, count + 1);
	print_used(began, cpu);
}

static const struct {
	const char *name;
	void (*measure)(const Client *client, unsigned count, const char *uuid);
	bool of_domain;
} measures[] = {
	{ "first", measure_first, true },
	{ "pairs", measure_pairs, false },
	{ "receive", measure_receive, true },
	{ "together", measure_together, false },
};

int main(int argc, char **argv)
{
	const Client *client = NULL;
	unsigned count;

	for (unsigned i = 0; argc >= 4 && i < G_N_ELEMENTS(clients); i++)
		if (g_str_equal(argv[1], clients[i].name))
			client = &clients[i];
	if (!client)
		errx(2, "client-cost library|bare|asking first|pairs|receive|together COUNT [UUID [OTHERS]]");
	count = (unsigned)strtoul(argv[3], NULL, 10);
	others = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0;
	ids = g_new0(int, count + others + 1);
	slots = g_new0(sd_bus_slot *, count + others + 1);
	rules = g_new0(char *, count + others + 1);
	client->open();
	for (unsigned i = 0; i < G_N_ELEMENTS(measures); i++)
		if (g_str_equal(argv[2], measures[i].name) && (argc > 4 || !measures[i].of_domain))
			measures[i].measure(client, count, argc > 4 ? argv[4] : NULL);
	vmh_connection_close(connection);
	vmh_connection_unref(connection);
	sd_bus_flush_close_unref(bus);
	g_free(ids);
	g_free(slots);
	g_free(rules);
	return 0;
}
