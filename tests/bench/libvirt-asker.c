/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/*
 * A client of libvirt that asks.
 *
 *     libvirt-asker URI state NAME COUNT    the state of the domain of that name again and again: how long each took, in
 *                                           microseconds
 *     libvirt-asker URI first               tries to connect until somebody is there, and asks how many domains run: when
 *                                           that was answered, in nanoseconds of CLOCK_MONOTONIC
 */

#define RETRY_US    500
#define TRY_SECONDS 60

static int64_t get_nanoseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void say_nothing(void *userdata, virErrorPtr error)
{
}

static virConnectPtr open_first(const char *uri)
{
	int64_t end = get_nanoseconds() + TRY_SECONDS * INT64_C(1000000000);
	virConnectPtr connection;

	virSetErrorFunc(NULL, say_nothing);
	while (!(connection = virConnectOpen(uri)) && get_nanoseconds() < end)
		g_usleep(RETRY_US);
	return connection;
}

static void ask_states(virConnectPtr connection, const char *name, int64_t count)
{
	virDomainPtr domain = virDomainLookupByName(connection, name);
	int state, reason;

	if (!domain)
		errx(1, "%s: %s", name, virGetLastErrorMessage());
	for (int64_t i = 0; i < count; i++) {
		int64_t began = get_nanoseconds();

		if (virDomainGetState(domain, &state, &reason, 0) < 0)
			errx(1, "%s: %s", name, virGetLastErrorMessage());
		printf("%.3f\n", (double)(get_nanoseconds() - began) / 1e3);
	}
	(void)virDomainFree(domain);
}

int main(int argc, char **argv)
{
	bool first = argc == 3 && g_str_equal(argv[2], "first");
	virConnectPtr connection;

	if (!first && (argc != 5 || !g_str_equal(argv[2], "state")))
		errx(2, "libvirt-asker URI state NAME COUNT | URI first");
	/* Line by line: who has no answer is ended, and what it had counts. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	connection = first ? open_first(argv[1]) : virConnectOpen(argv[1]);
	if (!connection)
		errx(1, "%s: %s", argv[1], virGetLastErrorMessage());
	if (!first)
		ask_states(connection, argv[3], g_ascii_strtoll(argv[4], NULL, 10));
	else if (virConnectNumOfDomains(connection) < 0)
		errx(1, "how many domains: %s", virGetLastErrorMessage());
	else
		printf("%" G_GINT64_FORMAT "\n", get_nanoseconds());
	(void)virConnectClose(connection);
	return 0;
}
