/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-signals.h"

#include "bus-names.h"
#include "bus-variant.h"

static int encode_lifecycle(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature,
				     lifecycle_event_to_string(event->lifecycle.event),
				     lifecycle_reason_to_string(event->lifecycle.reason),
				     domain_state_to_string(event->lifecycle.state));
}

static int encode_reset(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->reset.initiator, event->reset.cause);
}

static int encode_powerdown(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->powerdown_requested.source);
}

static int encode_watchdog(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->watchdog.action);
}

static int encode_panicked(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->panicked.action);
}

static int encode_device_added(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->device_added.id,
				     event->device_added.driver, event->device_added.qom_path);
}

static int encode_device_removed(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->device_removed.id,
				     event->device_removed.qom_path);
}

static int encode_device_removal_failed(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->device_removal_failed.id,
				     event->device_removal_failed.reason,
				     event->device_removal_failed.qom_path);
}

static int append_vlans(sd_bus_message *m, const RxFilter *filter)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "vlan-table");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "au");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'u', filter->vlan_table,
						filter->n_vlans * sizeof(*filter->vlan_table));
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_macs(sd_bus_message *m, const char *key, GStrv macs)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, macs);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int domain_signal_append_filter(sd_bus_message *m, const RxFilter *filter)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}",
					  "main-mac", "s", filter->main_mac,
					  "promiscuous", "b", (int)filter->promiscuous,
					  "unicast", "s", filter->unicast,
					  "multicast", "s", filter->multicast,
					  "vlan", "s", filter->vlan,
					  "broadcast-allowed", "b", (int)filter->broadcast_allowed,
					  "unicast-overflow", "b", (int)filter->unicast_overflow,
					  "multicast-overflow", "b", (int)filter->multicast_overflow);
	if (r >= 0)
		r = append_macs(m, "unicast-table", filter->unicast_table);
	if (r >= 0)
		r = append_macs(m, "multicast-table", filter->multicast_table);
	if (r >= 0)
		r = append_vlans(m, filter);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* sd-bus cannot append a{sv} by signature from a filter, so this one goes by hand. */
static int encode_filter_changed(sd_bus_message *m, const char *signature, const Event *event)
{
	int r = sd_bus_message_append(m, "s", event->filter_changed.nic);

	return r < 0 ? r : domain_signal_append_filter(m, event->filter_changed.filter);
}

static int encode_mac_changed(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->mac_changed.nic,
				     event->mac_changed.old_mac, event->mac_changed.new_mac);
}

static int encode_monitor_event(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->monitor_event.name,
				     event->monitor_event.data);
}

static int encode_monitor_lost(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->monitor_lost.reason);
}

static int encode_resynchronized(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->resynchronized.reason,
				     event->resynchronized.last_before);
}

static int encode_events_lost(sd_bus_message *m, const char *signature, const Event *event)
{
	return sd_bus_message_append(m, signature, event->events_lost.where,
				     event->events_lost.count);
}

#define DOMAIN  BUS_INTERFACE("Domain")
#define DEVICES BUS_INTERFACE("Devices")
#define NETWORK BUS_INTERFACE("Network")
#define MONITOR BUS_INTERFACE("Monitor")

static const DomainSignal signals[] = {
	[EVENT_LIFECYCLE] = { DOMAIN, "Lifecycle", "sss", encode_lifecycle },
	[EVENT_RESET] = { DOMAIN, "Reset", "ss", encode_reset },
	[EVENT_POWERDOWN_REQUESTED] = { DOMAIN, "PowerdownRequested", "s", encode_powerdown },
	[EVENT_WATCHDOG] = { DOMAIN, "Watchdog", "s", encode_watchdog },
	[EVENT_PANICKED] = { DOMAIN, "Panicked", "s", encode_panicked },
	[EVENT_DEVICE_ADDED] = { DEVICES, "DeviceAdded", "sss", encode_device_added },
	[EVENT_DEVICE_REMOVED] = { DEVICES, "DeviceRemoved", "ss", encode_device_removed },
	[EVENT_DEVICE_REMOVAL_FAILED] = { DEVICES, "DeviceRemovalFailed", "sss",
					  encode_device_removal_failed },
	[EVENT_FILTER_CHANGED] = { NETWORK, "FilterChanged", "sa{sv}", encode_filter_changed },
	[EVENT_MAC_CHANGED] = { NETWORK, "MacChanged", "sss", encode_mac_changed },
	[EVENT_MONITOR_EVENT] = { MONITOR, "Event", "ss", encode_monitor_event },
	[EVENT_MONITOR_LOST] = { MONITOR, "Lost", "s", encode_monitor_lost },
	[EVENT_MONITOR_RESYNCHRONIZED] = { MONITOR, "Resynchronized", "st", encode_resynchronized },
	[EVENT_EVENTS_LOST] = { MONITOR, "EventsLost", "st", encode_events_lost },
};
G_STATIC_ASSERT(G_N_ELEMENTS(signals) == EVENT_KIND_MAX);

const DomainSignal *domain_signal_of(EventKind kind)
{
	g_assert((unsigned)kind < EVENT_KIND_MAX && signals[kind].encode);
	return &signals[kind];
}

int domain_signal_new(sd_bus *bus, const char *path, const Event *event, sd_bus_message **ret_message)
{
	const DomainSignal *signal = domain_signal_of(event->kind);
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_signal(bus, &message, path, signal->interface, signal->member);

	if (r >= 0)
		r = signal->encode(message, signal->signature, event);
	if (r >= 0)
		r = sd_bus_message_append(message, "(ttt)", event->stamp.sequence,
					  event->stamp.previous, (uint64_t)event->time);
	if (r >= 0)
		r = bus_append_dict(message, event->details);
	if (r < 0) {
		sd_bus_message_unref(message);
		return r;
	}
	*ret_message = message;
	return 0;
}
