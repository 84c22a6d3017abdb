/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb "nics": what the guest wants to receive at each of its network cards, and beside it what the host lets through.
 * A row is one part of the filter, of a list one address. What differs is said in a word of its own, so that it is seen
 * without colours too.
 */
#include <glib/gi18n.h>
#include <string.h>

#include "ctl/call.h"
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
	const VmhValue *guest, *host;    /* NULL: not known */
	const VmhValue *differences;     /* NULL: likewise */
} NicTable;

/* A dictionary or a list; NULL: there is none. A new reference. */
static VmhValue *get_dictionary(const VmhValue *value, const char *key)
{
	g_autoptr(VmhValue) found = vmh_value_lookup(value, key);

	return value_is_dictionary(found) ? g_steal_pointer(&found) : NULL;
}

static VmhValue *get_list(const VmhValue *value, const char *key)
{
	g_autoptr(VmhValue) found = key ? vmh_value_lookup(value, key) : NULL;

	return value_is_list(found) ? g_steal_pointer(&found) : NULL;
}

/* Free with g_free(). */
static char *value_text(const VmhValue *value)
{
	const char *string = vmh_value_get_string(value);
	bool flag;

	if (string)
		return value_shorten(string);
	if (vmh_value_get_bool(value, &flag))
		return g_strdup(flag ? "on" : "off");
	if (value_is_list(value) && value_is_empty(value))
		return g_strdup(NOTHING);
	return value_to_text(value);
}

static char *get_text(const VmhValue *value, const char *key)
{
	g_autoptr(VmhValue) found = key ? vmh_value_lookup(value, key) : NULL;

	return found ? value_text(found) : g_strdup(NOTHING);
}

static bool has_entry(const VmhValue *list, const char *text)
{
	for (size_t i = 0; i < vmh_value_get_length(list); i++) {
		g_autoptr(VmhValue) entry = vmh_value_get_child(list, i);
		g_autofree char *other = value_text(entry);

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
static GPtrArray *list_all(const VmhValue *guest, const VmhValue *host)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	const VmhValue *lists[] = { guest, host };

	for (unsigned i = 0; i < G_N_ELEMENTS(lists); i++) {
		for (size_t k = 0; k < vmh_value_get_length(lists[i]); k++) {
			g_autoptr(VmhValue) entry = vmh_value_get_child(lists[i], k);
			char *text = value_text(entry);

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
	g_autoptr(VmhValue) guest = get_list(nic->guest, row->guest);
	g_autoptr(VmhValue) host = get_list(nic->host, row->host);
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
static void add_kind(const NicTable *nic, const VmhValue *card)
{
	static const char *const host_keys[] = { "type", "source", "mode" };
	g_autofree char *model = get_text(card, "model");
	g_autofree char *link = get_text(card, "host-interface");
	g_autofree char *up = get_text(nic->host, "up");
	g_autofree char *trusted = get_text(card, "trusted");
	g_autofree char *error = get_text(card, "host-error");
	g_autofree char *refused = get_text(card, "refused");
	g_autoptr(GString) kind = g_string_new(NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(host_keys); i++) {
		g_autofree char *text = get_text(card, host_keys[i]);

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

static void add_nic(OutputTable *table, const char *name, const VmhValue *card)
{
	g_autoptr(VmhValue) guest = get_dictionary(card, "guest");
	g_autoptr(VmhValue) host = get_dictionary(card, "host");
	g_autoptr(VmhValue) differences = get_list(card, "differences");
	const NicTable nic = {
		.table = table,
		.nic = name,
		.guest = guest,
		.host = host,
		.differences = differences,
	};

	add_kind(&nic, card);
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
		(rows[i].addresses ? add_addresses : add_value)(&nic, &rows[i]);
}

static void print_nics(const Ctl *ctl, const VmhValue *nics)
{
	const char *const heads[] = {
		_("CARD"), _("FILTER"), _("GUEST"), _("HOST"), _("COMPARED"), NULL,
	};
	g_autoptr(OutputTable) table = output_table_new(heads, 4);
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (size_t i = 0; i < vmh_value_get_length(nics); i++)
		g_ptr_array_add(names, (void *) vmh_value_get_key(nics, i));
	g_ptr_array_sort(names, compare_texts);
	for (unsigned i = 0; i < names->len; i++) {
		g_autoptr(VmhValue) card = vmh_value_lookup(nics, names->pdata[i]);

		add_nic(table, names->pdata[i], card);
	}
	output_table_print(ctl, table);
}

CtlExit nics_run(Ctl *ctl, char **arguments)
{
	g_autoptr(VmhValue) nics = NULL;
	g_autoptr(JsonNode) node = NULL;
	g_auto(Call) call = {};
	CtlExit code = call_begin(ctl, arguments[0], NULL, &call);

	if (code != CTL_OK)
		return code;
	nics = vmh_domain_get_interfaces(call.domain, &call.error);
	if (nics && ctl->json) {
		node = value_to_json(nics);
		output_json(node);
	} else if (nics) {
		print_nics(ctl, nics);
	}
	return call_end(&call, nics);
}
