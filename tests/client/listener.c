/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "output.h"

/*
 * Who listens without the library: a match rule, and what the bus delivers. What it misses, the bus has dropped. And who
 * asks for the history, page by page, to its end.
 *
 *     listener OUTPUT              listens when OUTPUT has the line "ready", and writes what it has whenever no more is there
 *     listener OUTPUT AFTER        ends with the line "end", or with "incomplete", if something is not there any more
 */

#define NAME "org.vmherald.Domains1"
#define PATH "/org/vmherald/Domains1"
#define RULE "type='signal',path_namespace='" PATH "'"

static void append_value(sd_bus_message *message, char type, GString *text)
{
	union {
		const char *s;
		uint64_t t;
		int64_t x;
		int b;
	} value;

	if (sd_bus_message_read_basic(message, type, &value) <= 0)
		errx(1, "a value of type %c", type);
	if (text->len > 1)
		g_string_append_c(text, ',');
	if (type == 's') {
		/* What a storm is made of has nothing but quotes in it. */
		g_autofree char *escaped = g_strescape(value.s, NULL);

		g_string_append_printf(text, "\"%s\"", escaped);
	} else if (type == 't') {
		g_string_append_printf(text, "%" G_GUINT64_FORMAT, value.t);
	} else if (type == 'x') {
		g_string_append_printf(text, "%" G_GINT64_FORMAT, value.x);
	} else {
		g_string_append(text, value.b ? "true" : "false");
	}
}

/* All before the stamp. Good until the next call. */
static const char *read_arguments(sd_bus_message *message)
{
	static GString *text;
	const char *contents;
	char type;

	if (!text)
		text = g_string_new(NULL);
	g_string_assign(text, "[");
	while (sd_bus_message_peek_type(message, &type, &contents) > 0 && strchr("stxb", type))
		append_value(message, type, text);
	g_string_append_c(text, ']');
	return text->str;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *arguments = read_arguments(message);
	uint64_t sequence, previous, time;

	if (sd_bus_message_read(message, "(ttt)", &sequence, &previous, &time) > 0)
		output_event(sequence, time, sd_bus_message_get_path(message), sd_bus_message_get_interface(message),
			     sd_bus_message_get_member(message), arguments);
	return 0;
}

static int listen_on(sd_bus *bus)
{
	int r = sd_bus_add_match(bus, NULL, RULE, on_signal, NULL);

	output_line("ready");
	while (r >= 0) {
		r = sd_bus_process(bus, NULL);
		if (r == 0) {
			output_flush();
			r = sd_bus_wait(bus, UINT64_MAX);
		}
	}
	return r;
}

static int read_event(sd_bus_message *reply)
{
	const char *path, *interface, *member, *contents;
	uint64_t sequence, previous, time;
	int r = sd_bus_message_enter_container(reply, 'r', "tttossv");

	if (r <= 0)
		return r;
	r = sd_bus_message_read(reply, "tttoss", &sequence, &previous, &time, &path, &interface, &member);
	if (r >= 0)
		r = sd_bus_message_peek_type(reply, NULL, &contents);
	if (r >= 0)
		r = sd_bus_message_enter_container(reply, 'v', contents);
	if (r >= 0)
		r = sd_bus_message_peek_type(reply, NULL, &contents);
	if (r >= 0)
		r = sd_bus_message_enter_container(reply, 'r', contents);
	if (r < 0)
		return r;
	output_event(sequence, time, path, interface, member, read_arguments(reply));
	r = sd_bus_message_skip(reply, "(ttt)a{sv}");
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_exit_container(reply);
	return r < 0 ? r : 1;
}

/* 0: that was all. */
static int read_page(sd_bus *bus, uint64_t *after)
{
	sd_bus_message *reply = NULL;
	uint64_t before = *after;
	int complete, r = sd_bus_call_method(bus, NAME, PATH, NAME ".Manager", "GetEvents", NULL, &reply,
					     "ta{sv}u", before, 0, 10000);

	if (r >= 0)
		r = sd_bus_message_read(reply, "bt", &complete, after);
	if (r >= 0 && !complete)
		output_line("incomplete");
	if (r >= 0)
		r = sd_bus_message_enter_container(reply, 'a', "(tttossv)");
	while (r >= 0 && (r = read_event(reply)) > 0)
		;
	sd_bus_message_unref(reply);
	return r < 0 ? r : *after > before;
}

static int read_history(sd_bus *bus, uint64_t after)
{
	int r;

	while ((r = read_page(bus, &after)) > 0)
		;
	output_line("end");
	return r;
}

int main(int argc, char **argv)
{
	sd_bus *bus;
	int r = sd_bus_open_user(&bus);

	if (argc < 2 || argc > 3)
		errx(2, "listener OUTPUT [AFTER]");
	output_open(argv[1]);
	if (r >= 0)
		r = argc > 2 ? read_history(bus, strtoull(argv[2], NULL, 10)) : listen_on(bus);
	output_flush();
	if (r < 0)
		errx(1, "%s", strerror(-r));
	sd_bus_unref(bus);
	return 0;
}
