/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <string.h>

/*
 * The document, read by tables: a key has one row, which says who reads its value, and where to.
 * A new key is a row here, a field in the struct, and a line in definition-write.c.
 *
 * Problems come in the order of the document, so the document leads and the table is searched, not
 * the other way round; what is missing comes last.
 */

#define POLICY(name)  (UINT64_C(1) << DEFINITION_POLICY_##name)
#define UNKNOWN_DISTANCE_MAX 2u               /* typing errors that still make a suggestion */
#define UNKNOWN_LENGTH_MAX   32u

static void read_entries(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			 void *field)
{
	definition_read_entries(reader, node, key->entries, *(GPtrArray **) field);
}

static void read_arguments(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			   void *field)
{
	GStrv *arguments = field;
	GStrv value = definition_read_arguments(reader, node);

	if (!value)
		return;

	g_strfreev(*arguments);
	*arguments = value;
}

static void read_interface_type(DefinitionReader *reader, JsonNode *node,
				const DefinitionKey *key, void *field)
{
	static const char *const later[] = { "tap", "bridge", "macvtap", NULL };
	const char *value = definition_read_string(reader, node);
	g_autofree char *quoted = NULL;
	char **type = field;

	if (!value)
		return;

	if (strcmp(value, "user") == 0 || strcmp(value, "none") == 0) {
		g_free(*type);
		*type = g_strdup(value);
		return;
	}
	quoted = definition_quote(value);
	if (g_strv_contains(later, value))
		definition_reader_problem(reader, "%s is not supported by this version: use \"user\" or "
					  "\"none\", or an entry in netdevs and one in devices", quoted);
	else
		definition_reader_problem(reader, "must be \"user\" or \"none\", not %s", quoted);
}

static void read_unsupported(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			     void *field)
{
	definition_reader_problem(reader, "is not supported by this version");
}

static void read_mac(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
		     void *field)
{
	static const char example[] = "52:54:00:12:34:56";
	const char *value = definition_read_string(reader, node);
	size_t length = sizeof(example) - 1, i;
	g_autofree char *quoted = NULL;
	char **mac = field;
	bool formed;

	if (!value)
		return;

	formed = strlen(value) == length;
	for (i = 0; formed && i < length; i++)
		formed = i % 3 == 2 ? value[i] == ':' : g_ascii_isxdigit(value[i]);

	quoted = definition_quote(value);
	if (!formed) {
		definition_reader_problem(reader, "must be six pairs of hexadecimal digits such as "
					  "\"%s\", not %s", example, quoted);
	} else if (g_ascii_xdigit_value(value[1]) % 2 != 0) {
		definition_reader_problem(reader, "must be the address of one card, but %s is a group "
					  "(its first byte is odd)", quoted);
	} else if (strspn(value, "0:") == length) {
		definition_reader_problem(reader, "must not be zero");
	} else {
		g_free(*mac);
		*mac = g_ascii_strdown(value, -1);
	}
}

static const DefinitionKey interface_keys[] = {
	{ "id",     definition_read_id,   offsetof(DefinitionInterface, id) },
	{ "type",   read_interface_type,  offsetof(DefinitionInterface, type) },
	{ "mac",    read_mac,             offsetof(DefinitionInterface, mac) },
	{ "model",  definition_read_word, offsetof(DefinitionInterface, model) },
	{ "bus",    definition_read_word, offsetof(DefinitionInterface, bus) },
	{ "trust-guest-rx-filters", definition_read_boolean,
	  offsetof(DefinitionInterface, trust_guest_rx_filters) },
	{ "source", read_unsupported },
	{ "mode",   read_unsupported },
	{ "queues", read_unsupported },
};

static char *make_mac(void)
{
	guint32 tail = g_random_int();

	return g_strdup_printf("52:54:00:%02x:%02x:%02x", tail & 0xff, tail >> 8 & 0xff,
			       tail >> 16 & 0xff);
}

static char *interface_netdev(const char *id)
{
	return g_strconcat("host-", id, NULL);
}

static void claim_interface(DefinitionReader *reader, const DefinitionInterface *interface)
{
	g_autofree char *netdev = interface_netdev(interface->id);
	size_t outer = definition_reader_enter(reader, "id");

	if (definition_reader_claim(reader, definition_device_rule.kind, interface->id) &&
	    strcmp(interface->type, "none") != 0)
		definition_reader_claim(reader, definition_netdev_rule.kind, netdev);
	definition_reader_leave(reader, outer);
}

static void read_interfaces(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			    void *field)
{
	JsonArray *array = definition_read_array(reader, node);
	unsigned n_interfaces = array ? json_array_get_length(array) : 0;
	GPtrArray *interfaces = *(GPtrArray **) field;
	unsigned i;

	for (i = 0; i < n_interfaces; i++) {
		DefinitionInterface *interface = g_new0(DefinitionInterface, 1);
		size_t outer = definition_reader_enter_index(reader, i);
		JsonObject *object = definition_read_object(reader,
							    json_array_get_element(array, i));

		interface->type = g_strdup(DEFINITION_TYPE_DEFAULT);
		interface->model = g_strdup(DEFINITION_MODEL_DEFAULT);
		interface->queues = 1;
		g_ptr_array_add(interfaces, interface);
		if (object)
			definition_read_members(reader, object, interface_keys,
						G_N_ELEMENTS(interface_keys), interface);
		if (!interface->mac)
			interface->mac = make_mac();
		if (interface->id)
			claim_interface(reader, interface);
		definition_reader_leave(reader, outer);
	}
}

/* "net0", "net1", ... for interfaces without an id, once all ids of the document are known. */
static void make_interface_ids(DefinitionReader *reader, GPtrArray *interfaces)
{
	unsigned number = 0, i;

	for (i = 0; i < interfaces->len; i++) {
		DefinitionInterface *interface = g_ptr_array_index(interfaces, i);

		while (!interface->id) {
			g_autofree char *id = g_strdup_printf("net%u", number++);
			g_autofree char *netdev = interface_netdev(id);

			if (!definition_reader_is_claimed(reader, definition_device_rule.kind, id) &&
			    !definition_reader_is_claimed(reader, definition_netdev_rule.kind, netdev))
				interface->id = g_steal_pointer(&id);
		}
	}
}

static const DefinitionKey resource_keys[] = {
	{ "memory-max", definition_read_size, offsetof(Definition, resources.memory_max),
	  DEFINITION_MEMORY_MAX },
	{ "cpu-weight", definition_read_unsigned, offsetof(Definition, resources.cpu_weight),
	  DEFINITION_CPU_WEIGHT_MAX },
	{ "tasks-max", definition_read_count, offsetof(Definition, resources.tasks_max),
	  DEFINITION_TASKS_MAX },
};

static void read_resources(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			   void *field)
{
	JsonObject *object = definition_read_object(reader, node);

	if (object)
		definition_read_members(reader, object, resource_keys, G_N_ELEMENTS(resource_keys),
					field);
}

#define FIELD(name) offsetof(Definition, name)

/* Rows with no offset get the definition itself. */
static const DefinitionKey document_keys[] = {
	{ "name",        definition_read_name,     FIELD(name) },
	{ "uuid",        definition_read_uuid,     FIELD(uuid) },
	{ "title",       definition_read_title,    FIELD(title) },
	{ "emulator",    definition_read_emulator, FIELD(emulator) },
	{ "machine",     definition_read_machine },
	{ "accel",       definition_read_accel,    FIELD(accel) },
	{ "cpu",         definition_read_word,     FIELD(cpu) },
	{ "cpus",        definition_read_unsigned, FIELD(cpus), DEFINITION_CPUS_MAX },
	{ "memory",      definition_read_size,     FIELD(memory), DEFINITION_MEMORY_MAX },
	{ "memory-backend", definition_read_memory_backend, FIELD(memory_backend) },
	{ "firmware",    definition_read_firmware, FIELD(firmware) },
	{ "interfaces",  read_interfaces,          FIELD(interfaces) },
	{ "consoles",    definition_read_consoles, FIELD(consoles) },
	{ "blockdevs",   read_entries,             FIELD(blockdevs), 0, &definition_blockdev_rule },
	{ "netdevs",     read_entries,             FIELD(netdevs), 0, &definition_netdev_rule },
	{ "objects",     read_entries,             FIELD(objects), 0, &definition_object_rule },
	{ "devices",     read_entries,             FIELD(devices), 0, &definition_device_rule },
	{ "arguments",   read_arguments,           FIELD(arguments) },
	{ "sandbox",     definition_read_sandbox,  FIELD(sandbox) },
	{ "autostart",   definition_read_boolean,  FIELD(autostart) },
	{ "on-shutdown", definition_read_policy,   FIELD(on_shutdown),
	  POLICY(STOP) | POLICY(RESTART) | POLICY(PRESERVE) | POLICY(PAUSE) },
	{ "on-reboot",   definition_read_policy,   FIELD(on_reboot), POLICY(STOP) | POLICY(RESTART) },
	{ "on-panic",    definition_read_policy,   FIELD(on_panic),
	  POLICY(STOP) | POLICY(RESTART) | POLICY(PRESERVE) | POLICY(PAUSE) },
	{ "on-crash",    definition_read_policy,   FIELD(on_crash), POLICY(STOP) | POLICY(RESTART) },
	{ "on-watchdog", definition_read_watchdog, FIELD(on_watchdog) },
	{ "panic-dump",  definition_read_file,     FIELD(panic_dump) },
	{ "resources",   read_resources },
};

/* The number of characters to insert, delete or replace to make one of the other (Levenshtein); both
 * at most UNKNOWN_LENGTH_MAX bytes. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[UNKNOWN_LENGTH_MAX + 1], length = (unsigned) strlen(b), i, j;

	for (j = 0; j <= length; j++)
		row[j] = j;
	for (i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= length; j++) {
			unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[length];
}

static void report_unknown_key(DefinitionReader *reader, const char *name, const DefinitionKey *keys,
			       size_t n_keys)
{
	g_autoptr(GString) known = g_string_new(NULL);
	unsigned best = UNKNOWN_DISTANCE_MAX + 1;
	const char *nearest = NULL;
	size_t i;

	for (i = 0; i < n_keys; i++) {
		if (strlen(name) <= UNKNOWN_LENGTH_MAX && edit_distance(name, keys[i].name) < best) {
			nearest = keys[i].name;
			best = edit_distance(name, nearest);
		}
		g_string_append_printf(known, "%s%s", i > 0 ? ", " : "", keys[i].name);
	}

	if (nearest)
		definition_reader_problem(reader, "is not a known key; did you mean \"%s\"?", nearest);
	else
		definition_reader_problem(reader, "is not a known key; known are %s", known->str);
}

void definition_read_members(DefinitionReader *reader, JsonObject *object, const DefinitionKey *keys,
			     size_t n_keys, void *target)
{
	JsonObjectIter iter;
	const char *name;
	JsonNode *value;
	size_t i;

	json_object_iter_init_ordered(&iter, object);
	while (json_object_iter_next_ordered(&iter, &name, &value)) {
		size_t outer = definition_reader_enter(reader, name);

		for (i = 0; i < n_keys && strcmp(keys[i].name, name) != 0; i++)
			;
		if (i < n_keys)
			keys[i].read(reader, value, &keys[i], (char *) target + keys[i].offset);
		else
			report_unknown_key(reader, name, keys, n_keys);
		definition_reader_leave(reader, outer);
	}
}

void definition_read_document(DefinitionReader *reader, const char *text, size_t length,
			      Definition *definition)
{
	g_autoptr(JsonNode) root = definition_read_text(reader, text, length);
	JsonObject *document = root ? definition_read_object(reader, root) : NULL;

	if (!document)
		return;

	definition_read_members(reader, document, document_keys, G_N_ELEMENTS(document_keys),
				definition);
	make_interface_ids(reader, definition->interfaces);
	definition_check_start(reader, definition);

	if (!json_object_has_member(document, "name")) {
		size_t outer = definition_reader_enter(reader, "name");

		definition_reader_problem(reader, "is required");
		definition_reader_leave(reader, outer);
	}
	if (!definition->uuid)
		definition->uuid = g_uuid_string_random();
}
