/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/adopted.h"

#include <string.h>

#include "base/json-read.h"
#include "base/json-text.h"
#include "base/names.h"

static const char *const adopted_by_names[] = {
	[ADOPTED_BY_PATH] = "path",
	[ADOPTED_BY_DESCRIPTOR] = "descriptor",
};
NAME_TABLE(adopted_by, AdoptedBy, ADOPTED_BY_MAX)

Adopted *adopted_new(AdoptedBy by, const char *monitor, unsigned cpus, uint64_t memory)
{
	Adopted *adopted = g_new0(Adopted, 1);

	adopted->by = by;
	adopted->monitor = g_strdup(monitor);
	adopted->cpus = cpus;
	adopted->memory = memory;
	return adopted;
}

Adopted *adopted_free(Adopted *adopted)
{
	if (!adopted)
		return NULL;
	g_free(adopted->monitor);
	g_free(adopted);
	return NULL;
}

void adopted_write(const Adopted *adopted, JsonBuilder *builder, const char *member)
{
	json_builder_set_member_name(builder, member);
	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "by");
	json_builder_add_string_value(builder, adopted_by_to_string(adopted->by));
	if (adopted->monitor) {
		json_builder_set_member_name(builder, "monitor");
		json_builder_add_string_value(builder, adopted->monitor);
	}
	json_builder_set_member_name(builder, "cpus");
	json_builder_add_int_value(builder, adopted->cpus);
	json_builder_set_member_name(builder, "memory");
	json_builder_add_int_value(builder, (int64_t)adopted->memory);
	json_builder_end_object(builder);
}

Adopted *adopted_read(JsonObject *object)
{
	const char *by_name = NULL, *monitor = NULL;
	int64_t cpus = 0, memory = 0;
	AdoptedBy by;

	if (!json_read_string(object, "by", &by_name) || !adopted_by_from_string(by_name, &by))
		return NULL;
	(void)json_read_string(object, "monitor", &monitor);
	(void)json_read_int(object, "cpus", &cpus);
	(void)json_read_int(object, "memory", &memory);
	if ((by == ADOPTED_BY_PATH) != (monitor != NULL))
		return NULL;
	return adopted_new(by, monitor, (unsigned)CLAMP(cpus, 0, G_MAXINT), (uint64_t)MAX(memory, 0));
}

/* ---- the definition ---- */

/* What QEMU does by itself, as options of its command line have it. Those that differ from the default are in the
 * definition, so that nothing here has to know another form. */
static const struct {
	const char *option, *value;    /* value: part of that of -action */
	const char *key, *policy;      /* of a definition */
} actions[] = {
	{ "-no-shutdown", NULL, "on-shutdown", "pause" },
	{ "-no-reboot", NULL, "on-reboot", "stop" },
	{ "-action", "shutdown=pause", "on-shutdown", "pause" },
	{ "-action", "shutdown=poweroff", "on-shutdown", "stop" },
	{ "-action", "reboot=shutdown", "on-reboot", "stop" },
	{ "-action", "reboot=reset", "on-reboot", "restart" },
	{ "-action", "panic=pause", "on-panic", "pause" },
};

static bool has_value(const char *values, const char *value)
{
	g_auto(GStrv) parts = values ? g_strsplit(values, ",", -1) : NULL;

	return parts && g_strv_contains((const char *const *)parts, value);
}

/* The last one of a kind holds, as it does for QEMU. */
static void add_policies(JsonObject *document, const char *const *arguments)
{
	for (unsigned i = 0; arguments[i]; i++) {
		/* QEMU takes its options with two dashes, too. */
		const char *option = arguments[i] + g_str_has_prefix(arguments[i], "--");

		for (unsigned j = 0; j < G_N_ELEMENTS(actions); j++)
			if (g_str_equal(actions[j].option, option) &&
			    (!actions[j].value || has_value(arguments[i + 1], actions[j].value)))
				json_object_set_string_member(document, actions[j].key,
							      actions[j].policy);
	}
}

Definition *adopted_make_definition(const char *name, const char *uuid, const char *emulator,
				    const char *machine, const char *const *arguments,
				    bool keeps_shut_down, GError **error)
{
	g_autoptr(JsonObject) document = json_object_new();
	g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), document);
	g_autofree char *text = NULL;

	json_object_set_string_member(document, "name", name);
	json_object_set_string_member(document, "uuid", uuid);
	if (emulator)
		json_object_set_string_member(document, "emulator", emulator);
	if (machine)
		json_object_set_string_member(document, "machine", machine);
	if (arguments)
		add_policies(document, arguments);
	if (keeps_shut_down)
		json_object_set_string_member(document, "on-shutdown", "pause");
	text = json_text_from_node(node);
	return definition_parse(text, strlen(text), error);
}
