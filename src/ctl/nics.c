/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb "nics": what the guest wants to receive at each of its network cards, and beside it what the host lets through.
 * A row is one part of the filter, of a list one address. What differs is said in a word of its own, so that it is seen
 * without colours too.
 */
#include <glib/gi18n.h>
#include <string.h>

#include "ctl/bus.h"
#include "ctl/output.h"
#include "ctl/value.h"
#include "ctl/verbs.h"

#define NOTHING "-"
#define DIFFERS "differs"
#define FITS    "ok"

/* One part of the filter and its key on each side; NULL: this side does not have it. */
typedef struct FilterRow {
	const char *label;
	const char *guest;
	const char *host;
	bool compared;           /* by the service, which names the host's key if the host is not as it should be */
	bool addresses;          /* a list, an address a row */
} FilterRow;

static const FilterRow rows[] = {
	{ "mac", "main-mac", "mac", .compared = true },
	{ "promiscuous", "promiscuous", "promiscuous", .compared = true },
	{ "multicast", "multicast", "multicast", .compared = true },
	{ "multicast-overflow", "multicast-overflow", NULL },
	{ "all-multicast", NULL, "all-multicast", .compared = true },
	{ "multicast-table", "multicast-table", "multicast-table", .compared = true, .addresses = true },
	{ "unicast", "unicast", NULL },
	{ "unicast-overflow", "unicast-overflow", NULL },
	{ "unicast-table", "unicast-table", NULL, .addresses = true },
	{ "unicast-flood", NULL, "unicast-flood" },
	{ "learning", NULL, "learning" },
	{ "forwarding", NULL, "forwarding", .compared = true, .addresses = true },
	{ "vlan", "vlan", NULL },
	{ "vlan-table", "vlan-table", NULL },
	{ "broadcast-allowed", "broadcast-allowed", NULL },
};

typedef struct NicTable {
	OutputTable *table;
	const char *nic;
	JsonObject *guest, *host;    /* NULL: not known */
	JsonArray *differences;      /* NULL: likewise */
} NicTable;

static JsonObject *get_object(JsonObject *object, const char *key)
{
	JsonNode *node = json_object_get_member(object, key);

	return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static JsonArray *get_array(JsonObject *object, const char *key)
{
	JsonNode *node = object && key ? json_object_get_member(object, key) : NULL;

	return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

/* Free with g_free(). */
static char *node_text(JsonNode *node)
{
	if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING)
		return value_shorten(json_node_get_string(node));
	if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_BOOLEAN)
		return g_strdup(json_node_get_boolean(node) ? "on" : "off");
	if (JSON_NODE_HOLDS_ARRAY(node) && json_array_get_length(json_node_get_array(node)) == 0)
		return g_strdup(NOTHING);
	return value_to_text(node);
}

static char *get_text(JsonObject *object, const char *key)
{
	JsonNode *node = object && key ? json_object_get_member(object, key) : NULL;

	return node ? node_text(node) : g_strdup(NOTHING);
}

static bool has_entry(JsonArray *array, const char *text)
{
	for (unsigned i = 0; array && i < json_array_get_length(array); i++) {
		g_autofree char *other = node_text(json_array_get_element(array, i));

		if (g_str_equal(other, text))
			return true;
	}
	return false;
}

static bool differs(const NicTable *nic, const FilterRow *row)
{
	return row->host && has_entry(nic->differences, row->host);
}

static void add_row(const NicTable *nic, const char *label, const char *guest, const char *host,
		    const char *compared)
{
	if (!g_str_equal(guest, NOTHING) || !g_str_equal(host, NOTHING))
		output_table_add(nic->table, nic->nic, label, guest, host, compared, NULL);
}

/* A sentence, in the last column: it widens none. */
static void add_remark(const NicTable *nic, const char *label, const char *text)
{
	if (!g_str_equal(text, NOTHING))
		output_table_add(nic->table, nic->nic, label, NOTHING, NOTHING, text, NULL);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Sorted, each once. */
static GPtrArray *list_all(JsonArray *guest, JsonArray *host)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	JsonArray *lists[] = { guest, host };

	for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++) {
		for (unsigned k = 0; lists[i] && k < json_array_get_length(lists[i]); k++) {
			char *text = node_text(json_array_get_element(lists[i], k));

			if (g_ptr_array_find_with_equal_func(all, text, g_str_equal, NULL))
				g_free(text);
			else
				g_ptr_array_add(all, text);
		}
	}
	g_ptr_array_sort(all, compare_texts);
	return all;
}

/* An address that one of them has alone is a difference only where the service says that there is one: the host's may
 * be somebody else's. */
static void add_addresses(const NicTable *nic, const FilterRow *row)
{
	JsonArray *guest = get_array(nic->guest, row->guest);
	JsonArray *host = get_array(nic->host, row->host);
	g_autoptr(GPtrArray) all = list_all(guest, host);

	for (unsigned i = 0; i < all->len; i++) {
		const char *text = g_ptr_array_index(all, i);
		bool in_guest = has_entry(guest, text), in_host = has_entry(host, text);
		const char *compared = in_guest && in_host ? FITS : NOTHING;

		if (in_guest != in_host && differs(nic, row))
			compared = DIFFERS;
		add_row(nic, row->label, in_guest ? text : NOTHING, in_host ? text : NOTHING, compared);
	}
	/* What is missing is in no list that both have, such as the MAC among a bridge's entries. */
	if (all->len == 0 && differs(nic, row))
		output_table_add(nic->table, nic->nic, row->label, NOTHING, NOTHING, DIFFERS, NULL);
}

static void add_value(const NicTable *nic, const FilterRow *row)
{
	g_autofree char *guest = get_text(nic->guest, row->guest);
	g_autofree char *host = get_text(nic->host, row->host);
	const char *compared = row->compared && nic->guest && nic->host ? FITS : NOTHING;

	add_row(nic, row->label, guest, host, differs(nic, row) ? DIFFERS : compared);
}

/* What it is, on each side: the card, and the link that it stands on. */
static void add_kind(const NicTable *nic, JsonObject *object)
{
	static const char *const host_keys[] = { "type", "source", "mode" };
	g_autofree char *model = get_text(object, "model");
	g_autofree char *link = get_text(object, "host-interface");
	g_autofree char *up = get_text(nic->host, "up");
	g_autofree char *trusted = get_text(object, "trusted");
	g_autofree char *error = get_text(object, "host-error");
	g_autofree char *refused = get_text(object, "refused");
	g_autoptr(GString) kind = g_string_new(NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(host_keys); i++) {
		g_autofree char *text = get_text(object, host_keys[i]);

		if (!g_str_equal(text, NOTHING))
			g_string_append_printf(kind, "%s%s", kind->len > 0 ? " " : "", text);
	}
	add_row(nic, "kind", model, kind->len > 0 ? kind->str : NOTHING, NOTHING);
	add_row(nic, "link", NOTHING, link, NOTHING);
	add_row(nic, "up", NOTHING, up, NOTHING);
	add_row(nic, "trusted", trusted, NOTHING, NOTHING);
	add_remark(nic, "error", error);
	add_remark(nic, "refused", refused);
}

static void add_nic(OutputTable *table, const char *name, JsonObject *object)
{
	const NicTable nic = {
		.table = table,
		.nic = name,
		.guest = get_object(object, "guest"),
		.host = get_object(object, "host"),
		.differences = get_array(object, "differences"),
	};

	add_kind(&nic, object);
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
		(rows[i].addresses ? add_addresses : add_value)(&nic, &rows[i]);
}

static void print_nics(const Ctl *ctl, JsonObject *nics)
{
	const char *const heads[] = {
		_("CARD"), _("FILTER"), _("GUEST"), _("HOST"), _("COMPARED"), NULL,
	};
	g_autoptr(OutputTable) table = output_table_new(heads, 4);
	g_autoptr(GList) names = g_list_sort(json_object_get_members(nics), (GCompareFunc) strcmp);

	for (GList *item = names; item; item = item->next) {
		JsonObject *object = get_object(nics, item->data);

		if (object)
			add_nic(table, item->data, object);
	}
	output_table_print(ctl, table);
}

CtlExit nics_run(Ctl *ctl, char **arguments)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	g_autoptr(JsonNode) nics = NULL;
	CtlExit code;

	code = bus_domain_method_new(ctl, arguments[0], "Network", "GetInterfaces", &message);
	if (code == CTL_OK)
		code = bus_append_options(message, NULL);
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code != CTL_OK)
		return code;
	nics = value_read(reply);
	if (!nics || !JSON_NODE_HOLDS_OBJECT(nics)) {
		ctl_error(_("The service gave an answer that is not understood"));
		return CTL_FAILED;
	}
	if (ctl->json)
		output_json(nics);
	else
		print_nics(ctl, json_node_get_object(nics));
	return CTL_OK;
}
