/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nic-encoder.h"

#include "domain-signals.h"

/* A key with a string; none if there is no string. */
static int append_text(sd_bus_message *m, const char *key, const char *value)
{
	return value ? sd_bus_message_append(m, "{sv}", key, "s", value) : 0;
}

static int append_flag(sd_bus_message *m, const char *key, bool value)
{
	return sd_bus_message_append(m, "{sv}", key, "b", (int)value);
}

static int append_strings(sd_bus_message *m, const char *key, GStrv values)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, values);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_macs(sd_bus_message *m, const char *key, const MacSet *macs)
{
	g_auto(GStrv) texts = mac_set_to_strings(macs);

	return append_strings(m, key, texts);
}

static int append_macvtap(sd_bus_message *m, const HostFilter *host)
{
	int r = append_flag(m, "promiscuous", host->promiscuous);

	if (r >= 0)
		r = append_flag(m, "all-multicast", host->all_multicast);
	if (r >= 0)
		r = append_flag(m, "multicast", host->multicast);
	return r < 0 ? r : append_macs(m, "multicast-table", host->multicast_table);
}

static int append_bridge_port(sd_bus_message *m, const HostFilter *host)
{
	int r = append_flag(m, "learning", host->learning);

	if (r >= 0)
		r = append_flag(m, "unicast-flood", host->unicast_flood);
	return r < 0 ? r : append_macs(m, "forwarding", host->forwarding);
}

static int append_host(sd_bus_message *m, const void *filter)
{
	const HostFilter *host = filter;
	g_autofree char *mac = mac_to_string(&host->mac);
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = append_text(m, "mac", mac);
	if (r >= 0)
		r = append_flag(m, "up", host->up);
	if (r >= 0 && host->kind == HOST_FILTER_MACVTAP)
		r = append_macvtap(m, host);
	if (r >= 0 && host->kind == HOST_FILTER_BRIDGE_PORT)
		r = append_bridge_port(m, host);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_guest(sd_bus_message *m, const void *filter)
{
	return domain_signal_append_filter(m, filter, NULL);
}

/* A key with an a{sv}; none if there is no filter. */
static int append_side(sd_bus_message *m, const char *key, const void *filter,
		       int (*append)(sd_bus_message *m, const void *filter))
{
	int r;

	if (!filter)
		return 0;
	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a{sv}");
	if (r >= 0)
		r = append(m, filter);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_interface(sd_bus_message *m, const DefinitionInterface *interface)
{
	int r = append_text(m, "type", interface->type);

	if (r >= 0)
		r = append_text(m, "source", interface->source);
	if (r >= 0)
		r = append_text(m, "mode", interface->mode);
	if (r >= 0)
		r = append_text(m, "model", interface->model);
	if (r >= 0)
		r = append_text(m, "mac", interface->mac);
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}", "queues", "u", interface->queues,
					  "vhost", "b", (int)interface->vhost,
					  "trusted", "b", (int)interface->trust_guest_rx_filters);
	return r;
}

static int append_report(sd_bus_message *m, const NicReport *report)
{
	int r = report->interface ? append_interface(m, report->interface) : 0;

	if (r >= 0)
		r = append_text(m, "host-interface", report->link ? report->link->link : NULL);
	if (r >= 0)
		r = append_side(m, "guest", report->guest, append_guest);
	if (r >= 0)
		r = append_side(m, "host", report->host, append_host);
	if (r >= 0)
		r = append_text(m, "host-error", report->host_error);
	if (r >= 0)
		r = append_text(m, "refused", report->refused);
	return r < 0 ? r : append_strings(m, "differences", report->differences);
}

int nic_encoder_append(sd_bus_message *message, const GPtrArray *reports)
{
	int r = sd_bus_message_open_container(message, 'a', "{sa{sv}}");

	for (unsigned i = 0; r >= 0 && i < reports->len; i++) {
		const NicReport *report = g_ptr_array_index(reports, i);

		r = sd_bus_message_open_container(message, 'e', "sa{sv}");
		if (r >= 0)
			r = sd_bus_message_append(message, "s", report->id);
		if (r >= 0)
			r = sd_bus_message_open_container(message, 'a', "{sv}");
		if (r >= 0)
			r = append_report(message, report);
		if (r >= 0)
			r = sd_bus_message_close_container(message);
		if (r >= 0)
			r = sd_bus_message_close_container(message);
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}
