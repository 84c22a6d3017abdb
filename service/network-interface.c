/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/names.h"
#include "bus-options.h"
#include "bus/variant.h"
#include "domain-object.h"
#include "domain-signals.h"
#include "method-call.h"
#include "nic-encoder.h"

/* org.vmherald.Domains1.Network: what guests do with their NICs. */

/* Both sides of a NIC. */
typedef struct NicEntry {
	const RxFilter *filter;
	const DomainNicHost *host;
} NicEntry;

static int append_entry(sd_bus_message *reply, const void *data)
{
	const NicEntry *entry = data;

	return domain_signal_append_filter(reply, entry->filter, entry->host);
}

static int get_filters(sd_bus *bus, const char *path, const char *interface, const char *property,
		       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	Domain *domain = ((DomainObject *)userdata)->domain;
	g_autoptr(GHashTable) entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	GHashTableIter iter;
	void *nic, *filter;

	g_hash_table_iter_init(&iter, domain_get_filters(domain));
	while (g_hash_table_iter_next(&iter, &nic, &filter)) {
		const NicEntry entry = { filter, domain_get_nic_host(domain, nic) };

		g_hash_table_insert(entries, nic, g_memdup2(&entry, sizeof(entry)));
	}
	return bus_append_entries(reply, entries, append_entry);
}

static void on_nics(Domain *domain, const GPtrArray *reports, const GError *error, void *userdata)
{
	MethodCall *call = userdata;
	sd_bus_message *reply = NULL;
	int r;

	if (error) {
		method_call_done(domain, NULL, error, call);
		return;
	}
	r = method_call_new_reply(call, &reply);
	if (r >= 0)
		r = nic_encoder_append(reply, reports);
	method_call_reply(call, domain, reply, r);
}

static int method_get_interfaces(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	int r = bus_read_no_options(message, ret_error);

	if (r < 0)
		return r;
	domain_get_nics(object.domain, on_nics, method_call_new(object.service, message));
	return 1;
}

const sd_bus_vtable network_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("GetInterfaces", SD_BUS_ARGS("a{sv}", options),
		      SD_BUS_RESULT("a{sa{sv}}", interfaces), method_get_interfaces, ACTION_INSPECT),
	SD_BUS_PROPERTY("Filters", "a{sa{sv}}", get_filters, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_SIGNAL_WITH_ARGS("FilterChanged",
				SD_BUS_ARGS("s", nic, "a{sv}", filter, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("MacChanged",
				SD_BUS_ARGS("s", nic, "s", old, "s", new, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("NetdevConnected",
				SD_BUS_ARGS("s", netdev, "s", kind, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("NetdevDisconnected",
				SD_BUS_ARGS("s", netdev, "s", kind, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("FailoverNegotiated",
				SD_BUS_ARGS("s", device, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("FailoverPrimaryUnplugged",
				SD_BUS_ARGS("s", device, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("RdmaGidStatusChanged",
				SD_BUS_ARGS("s", netdev, "b", status, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_VTABLE_END,
};
