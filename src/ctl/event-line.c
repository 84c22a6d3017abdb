/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/event-line.h"

#include <stdio.h>
#include <string.h>

#include "ctl/output.h"
#include "ctl/sentence.h"
#include "ctl/value.h"

const char *event_line_interface(const char *interface)
{
	const char *dot = strrchr(interface, '.');

	return dot ? dot + 1 : interface;
}

char *event_line_name(const VmhEvent *event)
{
	return g_strdup_printf("%s.%s", event_line_interface(event->interface), event->member);
}

/* Of the event; what is none has that of its arrival. */
static uint64_t get_time(const VmhEvent *event)
{
	return event->details ? event->time : (uint64_t) g_get_real_time();
}

/* Of a signal without a sentence: all that it has. Free with g_free(). */
static char *get_values(const VmhEvent *event)
{
	GString *string = g_string_new(NULL);

	for (size_t i = 0; i < vmh_value_get_length(event->arguments); i++) {
		g_autoptr(VmhValue) argument = vmh_value_get_child(event->arguments, i);

		g_string_append_c(string, ' ');
		value_append_text(string, argument);
	}
	if (vmh_value_get_length(event->details) > 0) {
		g_string_append_c(string, ' ');
		value_append_text(string, event->details);
	}
	return g_string_free(string, false);
}

static void print_text(const Ctl *ctl, const VmhEvent *event, const char *domain)
{
	g_autofree char *time = output_time(get_time(event));
	g_autofree char *safe = output_safe(domain ? domain : *event->uuid ? event->uuid : "-");
	g_autofree char *what = event_line_name(event);
	g_autofree char *sentence = sentence_new(event);
	g_autofree char *rest = sentence ? g_strconcat(" ", sentence, NULL) : get_values(event);

	output_colored(ctl, OUTPUT_FAINT, time);
	putchar(' ');
	output_colored(ctl, OUTPUT_BOLD, safe);
	putchar(' ');
	output_colored(ctl, OUTPUT_BLUE, what);
	puts(rest);
}

/* key is JSON already. */
static void append_string(GString *json, const char *key, const char *string)
{
	g_autoptr(JsonNode) node = string ? json_node_init_string(json_node_alloc(), string)
					  : json_node_new(JSON_NODE_NULL);
	g_autofree char *text = json_to_string(node, false);

	g_string_append_printf(json, ",\"%s\":%s", key, text);
}

static void print_json(const VmhEvent *event, const char *domain)
{
	g_autoptr(GString) json = g_string_new(NULL);
	g_autofree char *arguments = vmh_value_to_json(event->arguments);
	g_autofree char *details = event->details ? vmh_value_to_json(event->details) : g_strdup("{}");

	g_string_append_printf(json, "{\"time\":%" G_GUINT64_FORMAT, get_time(event));
	append_string(json, "domain", domain);
	append_string(json, "uuid", *event->uuid ? event->uuid : NULL);
	append_string(json, "path", event->path);
	append_string(json, "interface", event->interface);
	append_string(json, "member", event->member);
	g_string_append_printf(json, ",\"arguments\":%s", arguments);
	if (event->details)
		g_string_append_printf(json, ",\"sequence\":%" G_GUINT64_FORMAT ",\"previous\":%" G_GUINT64_FORMAT,
				       event->sequence, event->previous);
	else
		g_string_append(json, ",\"sequence\":null,\"previous\":null");
	g_string_append_printf(json, ",\"details\":%s}", details);
	output_json_line(json->str);
}

void event_line_print(const Ctl *ctl, const VmhEvent *event, const char *domain)
{
	if (ctl->json)
		print_json(event, domain);
	else
		print_text(ctl, event, domain);
}
