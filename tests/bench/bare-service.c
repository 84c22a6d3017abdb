/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

/*
 * The least that is a service: it takes a name and answers.
 *
 *   bare-service NAME [OBJECTS]
 *
 * GetManagedObjects() is answered with so many objects, each as large as a domain. It ends with its
 * bus.
 */

#define PROPERTIES 44u               /* of a domain, over all its interfaces */

static void check(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
}

static void append_object(sd_bus_message *message, unsigned number)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/org/example/objects/_%08u_0000_4000_8000_000000000000", number);
	check(sd_bus_message_open_container(message, 'e', "oa{sa{sv}}"), "an object");
	check(sd_bus_message_append(message, "o", path), "a path");
	check(sd_bus_message_open_container(message, 'a', "{sa{sv}}"), "interfaces");
	check(sd_bus_message_open_container(message, 'e', "sa{sv}"), "an interface");
	check(sd_bus_message_append(message, "s", "org.example.Interface"), "an interface");
	check(sd_bus_message_open_container(message, 'a', "{sv}"), "properties");
	for (unsigned i = 0; i < PROPERTIES; i++)
		check(sd_bus_message_append(message, "{sv}", "Property", "s", "a value"), "a property");
	for (unsigned i = 0; i < 4; i++)
		check(sd_bus_message_close_container(message), "an object");
}

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	const unsigned objects = *(const unsigned *)userdata;
	sd_bus_message *answer = NULL;
	int r;

	if (!sd_bus_message_is_method_call(call, NULL, "GetManagedObjects"))
		return 0;
	check(sd_bus_message_new_method_return(call, &answer), "an answer");
	check(sd_bus_message_open_container(answer, 'a', "{oa{sa{sv}}}"), "objects");
	for (unsigned i = 0; i < objects; i++)
		append_object(answer, i);
	check(sd_bus_message_close_container(answer), "objects");
	r = sd_bus_send(NULL, answer, NULL);
	sd_bus_message_unref(answer);
	return r < 0 ? r : 1;
}

int main(int argc, char **argv)
{
	unsigned objects = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	sd_bus *bus = NULL;
	int r = 0;

	if (argc < 2)
		errx(2, "bare-service NAME [OBJECTS]");
	check(sd_bus_open_user(&bus), "the bus");
	check(sd_bus_add_filter(bus, NULL, on_call, &objects), "a filter");
	check(sd_bus_request_name(bus, argv[1], 0), argv[1]);
	while (r >= 0) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	}
	sd_bus_unref(bus);
	return 0;
}
