/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <string.h>

#include "base/error.h"

/*
 * NICs whose host side is ours. What a key may be depends on the type: some have a link of the host, that is made or
 * opened for the guest and given to QEMU by descriptor, one for each queue; the others have QEMU for themselves.
 *
 * Which link it is to be can be told for certain only at the start. Checked here is what can never be right.
 */

typedef struct TypeRow {
	const char *name;
	bool has_link;           /* of the host; else none of the keys about it */
	bool needs_source;
	bool has_mode;
} TypeRow;

static const TypeRow type_rows[] = {
	{ "user" },
	{ "none" },
	{ "tap", .has_link = true },
	{ "bridge", .has_link = true, .needs_source = true },
	{ "macvtap", .has_link = true, .needs_source = true, .has_mode = true },
};

static const char *const mode_names[] = { DEFINITION_MODE_DEFAULT, "vepa", "private", "passthru" };

static const TypeRow *find_type(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(type_rows); i++)
		if (strcmp(type_rows[i].name, name) == 0)
			return &type_rows[i];
	return NULL;
}

/* ---- what others want to know of one ---- */

bool definition_interface_has_link(const DefinitionInterface *interface)
{
	return find_type(interface->type)->has_link;
}

bool definition_interface_is_virtio(const DefinitionInterface *interface)
{
	return strcmp(interface->model, "virtio-net") == 0 ||
	       g_str_has_prefix(interface->model, "virtio-net-");
}

unsigned definition_interface_count_descriptors(const DefinitionInterface *interface)
{
	if (!definition_interface_has_link(interface))
		return 0;
	return interface->queues * (interface->vhost ? 2 : 1);
}

bool definition_check_descriptors(const Definition *definition, const DefinitionInterface *more,
				  GError **error)
{
	unsigned n_descriptors = definition_interface_count_descriptors(more);

	for (unsigned i = 0; i < definition->interfaces->len; i++)
		n_descriptors += definition_interface_count_descriptors(
			g_ptr_array_index(definition->interfaces, i));
	if (n_descriptors <= DEFINITION_NIC_DESCRIPTORS_MAX)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
		    "Domain '%s': the queues of its interfaces would need %u descriptors (with vhost two each), "
		    "at most %u are allowed", definition->name, n_descriptors, DEFINITION_NIC_DESCRIPTORS_MAX);
	return false;
}

char *definition_interface_get_netdev(const DefinitionInterface *interface)
{
	if (strcmp(interface->type, "none") == 0)
		return NULL;
	return g_strconcat(DEFINITION_NETDEV_PREFIX, interface->id, NULL);
}

DefinitionInterface *definition_interface_copy(const DefinitionInterface *interface)
{
	DefinitionInterface *copy = g_memdup2(interface, sizeof(*interface));

	copy->id = g_strdup(interface->id);
	copy->type = g_strdup(interface->type);
	copy->source = g_strdup(interface->source);
	copy->mode = g_strdup(interface->mode);
	copy->mac = g_strdup(interface->mac);
	copy->model = g_strdup(interface->model);
	copy->bus = g_strdup(interface->bus);
	return copy;
}

DefinitionInterface *definition_interface_free(DefinitionInterface *interface)
{
	if (!interface)
		return NULL;

	g_free(interface->id);
	g_free(interface->type);
	g_free(interface->source);
	g_free(interface->mode);
	g_free(interface->mac);
	g_free(interface->model);
	g_free(interface->bus);
	g_free(interface);
	return NULL;
}

/* ---- its keys ---- */

static void report_choice(DefinitionReader *reader, const GString *allowed, const char *value)
{
	g_autofree char *quoted = definition_quote(value);

	definition_reader_problem(reader, "must be one of %s; not %s", allowed->str, quoted);
}

static void read_type(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key, void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autoptr(GString) allowed = g_string_new(NULL);
	char **type = field;

	if (!value)
		return;

	for (size_t i = 0; i < G_N_ELEMENTS(type_rows); i++)
		g_string_append_printf(allowed, "%s%s", i > 0 ? ", " : "", type_rows[i].name);
	if (find_type(value)) {
		g_free(*type);
		*type = g_strdup(value);
	} else {
		report_choice(reader, allowed, value);
	}
}

static void read_mode(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key, void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autoptr(GString) allowed = g_string_new(NULL);
	char **mode = field;

	if (!value)
		return;

	for (size_t i = 0; i < G_N_ELEMENTS(mode_names); i++) {
		g_string_append_printf(allowed, "%s%s", i > 0 ? ", " : "", mode_names[i]);
		if (strcmp(value, mode_names[i]) == 0) {
			g_free(*mode);
			*mode = g_strdup(value);
			return;
		}
	}
	report_choice(reader, allowed, value);
}

/* The kernel's rule for names (dev_valid_name), in ASCII. WARNING: and no '%', or the kernel would take a name that
 * it does not know for a template, and make a new link. */
static bool link_name_is_valid(const char *name)
{
	size_t length;

	for (length = 0; name[length]; length++)
		if (length == DEFINITION_LINK_NAME_MAX || !g_ascii_isgraph(name[length]) ||
		    strchr("/:%", name[length]))
			return false;
	return length > 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void read_source(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autofree char *quoted = NULL;
	char **source = field;

	if (!value)
		return;

	if (link_name_is_valid(value)) {
		g_free(*source);
		*source = g_strdup(value);
		return;
	}
	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be the name of a link such as \"eth0\": 1 to %u characters "
				  "of ASCII, no spaces and none of / : %%; not %s",
				  DEFINITION_LINK_NAME_MAX, quoted);
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
	{ "type",   read_type,            offsetof(DefinitionInterface, type) },
	{ "source", read_source,          offsetof(DefinitionInterface, source) },
	{ "mode",   read_mode,            offsetof(DefinitionInterface, mode) },
	{ "mac",    read_mac,             offsetof(DefinitionInterface, mac) },
	{ "model",  definition_read_word, offsetof(DefinitionInterface, model) },
	{ "bus",    definition_read_word, offsetof(DefinitionInterface, bus) },
	{ "queues", definition_read_unsigned, offsetof(DefinitionInterface, queues),
	  DEFINITION_QUEUES_MAX },
	{ "vhost",  definition_read_boolean, offsetof(DefinitionInterface, vhost) },
	{ "trust-guest-rx-filters", definition_read_boolean,
	  offsetof(DefinitionInterface, trust_guest_rx_filters) },
};

/* Locally administered, as the second lowest bit of the first byte says. */
static char *make_mac(void)
{
	guint32 tail = g_random_int();

	return g_strdup_printf("52:54:00:%02x:%02x:%02x", tail & 0xff, tail >> 8 & 0xff,
			       tail >> 16 & 0xff);
}

/* ---- keys that are right by themselves, but not together ---- */

static void report_at(DefinitionReader *reader, const char *key, const char *problem)
{
	size_t outer = definition_reader_enter(reader, key);

	definition_reader_problem(reader, "%s", problem);
	definition_reader_leave(reader, outer);
}

static void check_keys(DefinitionReader *reader, JsonObject *object,
		       const DefinitionInterface *interface)
{
	static const char *const link_keys[] = { "source", "mode", "queues", "vhost" };
	const TypeRow *type = find_type(interface->type);

	for (size_t i = 0; i < G_N_ELEMENTS(link_keys) && !type->has_link; i++)
		if (json_object_has_member(object, link_keys[i]))
			report_at(reader, link_keys[i], "is only for the types tap, bridge and macvtap");
	if (type->has_link && !type->has_mode && json_object_has_member(object, "mode"))
		report_at(reader, "mode", "is only for the type macvtap");
	if (type->needs_source && !json_object_has_member(object, "source"))
		report_at(reader, "source", strcmp(interface->type, "bridge") == 0
			  ? "is required: the bridge that it is a port of"
			  : "is required: the link that it is on top of");
	if (!type->has_link || definition_interface_is_virtio(interface))
		return;
	if (interface->queues > 1)
		report_at(reader, "queues", "can be more than 1 only with a model of virtio-net");
	if (interface->vhost)
		report_at(reader, "vhost", "is only for a model of virtio-net");
}

/* What could not be read keeps its default, so it is read to the end in any case. */
static DefinitionInterface *read_interface(DefinitionReader *reader, JsonNode *node)
{
	DefinitionInterface *interface = g_new0(DefinitionInterface, 1);
	JsonObject *object = definition_read_object(reader, node);
	size_t n_before = reader->n_problems;

	interface->type = g_strdup(DEFINITION_TYPE_DEFAULT);
	interface->model = g_strdup(DEFINITION_MODEL_DEFAULT);
	interface->queues = 1;
	if (object)
		definition_read_members(reader, object, interface_keys, G_N_ELEMENTS(interface_keys),
					interface);
	/* They would be complained of for what they are not. */
	if (object && reader->n_problems == n_before)
		check_keys(reader, object, interface);
	if (find_type(interface->type)->has_mode && !interface->mode)
		interface->mode = g_strdup(DEFINITION_MODE_DEFAULT);
	if (!interface->mac)
		interface->mac = make_mac();
	return interface;
}

/* ---- all of a document ---- */

static void claim_interface(DefinitionReader *reader, const DefinitionInterface *interface)
{
	g_autofree char *netdev = definition_interface_get_netdev(interface);
	size_t outer = definition_reader_enter(reader, "id");

	if (definition_reader_claim(reader, definition_device_rule.kind, interface->id) && netdev)
		definition_reader_claim(reader, definition_netdev_rule.kind, netdev);
	definition_reader_leave(reader, outer);
}

void definition_read_interfaces(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
				void *field)
{
	JsonArray *array = definition_read_array(reader, node);
	unsigned n_interfaces = array ? json_array_get_length(array) : 0;
	GPtrArray *interfaces = *(GPtrArray **)field;
	unsigned n_descriptors = 0;

	for (unsigned i = 0; i < n_interfaces; i++) {
		size_t outer = definition_reader_enter_index(reader, i);
		DefinitionInterface *interface =
			read_interface(reader, json_array_get_element(array, i));
		unsigned before = n_descriptors;

		g_ptr_array_add(interfaces, interface);
		if (interface->id)
			claim_interface(reader, interface);
		n_descriptors += definition_interface_count_descriptors(interface);
		if (n_descriptors > DEFINITION_NIC_DESCRIPTORS_MAX &&
		    before <= DEFINITION_NIC_DESCRIPTORS_MAX)
			definition_reader_problem(reader, "is one too many: up to here the queues need %u "
						  "descriptors (with vhost two each), at most %u are "
						  "allowed", n_descriptors,
						  DEFINITION_NIC_DESCRIPTORS_MAX);
		definition_reader_leave(reader, outer);
	}
}

/* "net0", "net1", ... for interfaces without an id, once all ids of the document are known. */
void definition_make_interface_ids(DefinitionReader *reader, GPtrArray *interfaces)
{
	unsigned number = 0;

	for (unsigned i = 0; i < interfaces->len; i++) {
		DefinitionInterface *interface = g_ptr_array_index(interfaces, i);

		while (!interface->id) {
			g_autofree char *id = g_strdup_printf("net%u", number++);
			g_autofree char *netdev = g_strconcat(DEFINITION_NETDEV_PREFIX, id, NULL);

			if (!definition_reader_is_claimed(reader, definition_device_rule.kind, id) &&
			    !definition_reader_is_claimed(reader, definition_netdev_rule.kind, netdev))
				interface->id = g_steal_pointer(&id);
		}
	}
}

/* ---- one by itself ---- */

DefinitionInterface *definition_parse_interface(const char *text, size_t length, GError **error)
{
	g_autoptr(DefinitionInterface) interface = NULL;
	g_autoptr(JsonNode) root = NULL;
	DefinitionReader reader;

	if (length > DEFINITION_INTERFACE_LENGTH_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "interface: is %zu bytes long, at most %u are allowed", length,
			    DEFINITION_INTERFACE_LENGTH_MAX);
		return NULL;
	}

	definition_reader_init(&reader);
	definition_reader_enter(&reader, "interface");
	root = definition_read_text(&reader, text, length);
	if (root)
		interface = read_interface(&reader, root);
	if (reader.n_problems > 0) {
		g_clear_pointer(&interface, definition_interface_free);
		definition_reader_set_error(&reader, error);
	}
	definition_reader_clear(&reader);
	return g_steal_pointer(&interface);
}
