/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/signal.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "ctl/names.h"
#include "ctl/output.h"
#include "ctl/sentence.h"
#include "ctl/value.h"

/* stamp and details, the end of every event */
#define EVENT_SUFFIX "(ttt)a{sv}"

static uint64_t stamp_part(JsonArray *stamp, unsigned index)
{
	JsonNode *node = json_array_get_element(stamp, index);

	/* Only beyond the signed range is a t a string; see ctl/value.h. */
	if (json_node_get_value_type(node) == G_TYPE_STRING)
		return g_ascii_strtoull(json_node_get_string(node), NULL, 10);
	return (uint64_t) json_node_get_int(node);
}

static void take_stamp(Signal *signal)
{
	unsigned length = json_array_get_length(signal->arguments);
	g_autoptr(JsonNode) stamp = json_array_dup_element(signal->arguments, length - 2);
	JsonArray *parts = json_node_get_array(stamp);

	signal->details = json_array_dup_element(signal->arguments, length - 1);
	signal->sequence = stamp_part(parts, 0);
	signal->previous = stamp_part(parts, 1);
	signal->time = stamp_part(parts, 2);
	json_array_remove_element(signal->arguments, length - 1);
	json_array_remove_element(signal->arguments, length - 2);
}

Signal *signal_new(sd_bus_message *message)
{
	g_autoptr(Signal) signal = g_new0(Signal, 1);
	const char *about;

	signal->path = g_strdup(sd_bus_message_get_path(message));
	signal->interface = g_strdup(sd_bus_message_get_interface(message));
	signal->member = g_strdup(sd_bus_message_get_member(message));
	signal->time = (uint64_t) g_get_real_time();
	signal->arguments = json_array_new();
	if (!signal->path || !signal->interface || !signal->member)
		return NULL;
	if (value_read_all(message, signal->arguments) < 0)
		return NULL;
	if (g_str_has_suffix(sd_bus_message_get_signature(message, true), EVENT_SUFFIX))
		take_stamp(signal);
	about = g_str_equal(signal->interface, NAMES_OBJECT_MANAGER) ? signal_argument(signal, 0)
								      : signal->path;
	if (about && g_str_has_prefix(about, NAMES_DOMAIN_PREFIX))
		signal->domain_path = g_strdup(about);
	return g_steal_pointer(&signal);
}

Signal *signal_free(Signal *signal)
{
	if (!signal)
		return NULL;
	g_free(signal->path);
	g_free(signal->interface);
	g_free(signal->member);
	g_free(signal->domain_path);
	g_free(signal->name);
	g_clear_pointer(&signal->arguments, json_array_unref);
	g_clear_pointer(&signal->details, json_node_unref);
	g_free(signal);
	return NULL;
}

const char *signal_argument(const Signal *signal, unsigned index)
{
	JsonNode *node;

	if (index >= json_array_get_length(signal->arguments))
		return NULL;
	node = json_array_get_element(signal->arguments, index);
	if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
		return NULL;
	return json_node_get_string(node);
}

bool signal_is(const Signal *signal, const char *interface, const char *member)
{
	return g_str_equal(signal->interface, interface) && g_str_equal(signal->member, member);
}

/* Of a signal without a sentence: all that it has. Free with g_free(). */
static char *signal_values(const Signal *signal)
{
	GString *string = g_string_new(NULL);

	for (unsigned i = 0; i < json_array_get_length(signal->arguments); i++) {
		g_string_append_c(string, ' ');
		value_append_text(string, json_array_get_element(signal->arguments, i));
	}
	if (signal->details && json_object_get_size(json_node_get_object(signal->details)) > 0) {
		g_string_append_c(string, ' ');
		value_append_text(string, signal->details);
	}
	return g_string_free(string, false);
}

static void print_text(const Ctl *ctl, const Signal *signal)
{
	g_autofree char *time = output_time(signal->time);
	g_autofree char *uuid = signal->domain_path ? names_uuid_from_path(signal->domain_path) : NULL;
	g_autofree char *domain = output_safe(signal->name ? signal->name : uuid ? uuid : "-");
	g_autofree char *what = g_strdup_printf("%s.%s", names_short_interface(signal->interface),
						signal->member);
	g_autofree char *sentence = sentence_new(signal);
	g_autofree char *rest = sentence ? g_strconcat(" ", sentence, NULL) : signal_values(signal);

	output_colored(ctl, OUTPUT_FAINT, time);
	putchar(' ');
	output_colored(ctl, OUTPUT_BOLD, domain);
	putchar(' ');
	output_colored(ctl, OUTPUT_BLUE, what);
	puts(rest);
}

static void set_string(JsonObject *object, const char *key, const char *value)
{
	if (value)
		json_object_set_string_member(object, key, value);
	else
		json_object_set_null_member(object, key);
}

static void print_json(const Signal *signal)
{
	g_autofree char *uuid = signal->domain_path ? names_uuid_from_path(signal->domain_path) : NULL;
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
	JsonObject *object = json_object_new();

	json_object_set_int_member(object, "time", (int64_t) signal->time);
	set_string(object, "domain", signal->name);
	set_string(object, "uuid", uuid);
	set_string(object, "path", signal->path);
	set_string(object, "interface", signal->interface);
	set_string(object, "member", signal->member);
	json_object_set_array_member(object, "arguments", json_array_ref(signal->arguments));
	if (signal->details) {
		json_object_set_int_member(object, "sequence", (int64_t) signal->sequence);
		json_object_set_int_member(object, "previous", (int64_t) signal->previous);
		json_object_set_member(object, "details", json_node_copy(signal->details));
	} else {
		json_object_set_null_member(object, "sequence");
		json_object_set_null_member(object, "previous");
		json_object_set_object_member(object, "details", json_object_new());
	}
	json_node_take_object(node, object);
	output_json_line(node);
}

void signal_print(const Ctl *ctl, const Signal *signal)
{
	if (ctl->json)
		print_json(signal);
	else
		print_text(ctl, signal);
}

static bool is_word(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (!g_ascii_isalnum(*p) && *p != '_' && *p != '-')
			return false;
	}
	return *text != '\0';
}

/* A misspelt event would be waited for for ever. */
static bool is_lifecycle_event(const char *text)
{
	static const char *const events[] = {
		"defined", "undefined", "starting", "started", "suspended", "resumed",
		"shutdown", "stopped", "pm-suspended", "crashed", NULL,
	};

	return g_strv_contains(events, text);
}

CtlExit signal_type_parse(const char *text, SignalType **ret_type)
{
	g_autoptr(SignalType) type = g_new0(SignalType, 1);
	const char *dot = strrchr(text, '.');

	if (dot) {
		type->interface = g_strndup(text, (gsize) (dot - text));
		if (!g_str_equal(dot + 1, "*"))
			type->member = g_strdup(dot + 1);
	} else if (is_lifecycle_event(text)) {
		type->event = g_strdup(text);
	} else if (g_ascii_isupper(*text)) {
		type->member = g_strdup(text);
	}
	if ((!type->interface && !type->member && !type->event) ||
	    (type->interface && !is_word(type->interface)) || (type->member && !is_word(type->member))) {
		ctl_error(_("'%s' is neither a lifecycle event nor a member nor INTERFACE.MEMBER"), text);
		return CTL_USAGE;
	}
	*ret_type = g_steal_pointer(&type);
	return CTL_OK;
}

SignalType *signal_type_free(SignalType *type)
{
	if (!type)
		return NULL;
	g_free(type->interface);
	g_free(type->member);
	g_free(type->event);
	g_free(type);
	return NULL;
}

static void free_type(void *type)
{
	signal_type_free(type);
}

GPtrArray *signal_type_list_new(void)
{
	return g_ptr_array_new_with_free_func(free_type);
}

bool signal_type_matches(const SignalType *type, const Signal *signal)
{
	if (type->event)
		return signal_is(signal, NAMES_INTERFACE("Domain"), "Lifecycle") &&
		       g_strcmp0(signal_argument(signal, 0), type->event) == 0;
	if (type->member && !g_str_equal(type->member, signal->member))
		return false;
	/* Only our own interfaces: "Properties.*" of the bus is what --properties is for. */
	if (!g_str_has_prefix(signal->interface, NAMES_INTERFACE("")))
		return false;
	return !type->interface ||
	       g_str_equal(type->interface, names_short_interface(signal->interface));
}
