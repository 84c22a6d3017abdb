/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/variant.h"
#include "domain-object.h"
#include "method-call.h"

/* org.vmherald.Domains1.Guest: what the guest says and is given: channels, memory, clock. */

static int append_channel(sd_bus_message *reply, const void *value)
{
	const DomainChannel *channel = value;

	return sd_bus_message_append(reply, "a{sv}", 3, "name", "s", channel->name,
				     "state", "s", channel->open ? "open" : "closed",
				     "agent", "b", (int)domain_channel_is_agent(channel));
}

static int get_channels(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return bus_append_entries(reply, domain_get_channels(((DomainObject *)userdata)->domain),
				  append_channel);
}

static int get_balloon(sd_bus *bus, const char *path, const char *interface, const char *property,
		       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "t",
				     domain_get_balloon(((DomainObject *)userdata)->domain));
}

static int method_set_balloon(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	uint64_t bytes;
	int r = sd_bus_message_read(message, "t", &bytes);

	if (r < 0)
		return r;
	domain_set_balloon(object.domain, bytes, method_call_done,
			   method_call_new(object.service, message));
	return 1;
}

const sd_bus_vtable guest_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("SetBalloon", SD_BUS_ARGS("t", bytes), SD_BUS_NO_RESULT,
		      method_set_balloon, ACTION_CONTROL),
	SD_BUS_PROPERTY("Channels", "a{sa{sv}}", get_channels, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Balloon", "t", get_balloon, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_SIGNAL_WITH_ARGS("ChannelChanged",
				SD_BUS_ARGS("s", id, "s", state, "(ttt)", stamp, "a{sv}", details),
					    0),
	SD_BUS_SIGNAL_WITH_ARGS("BalloonChanged",
				SD_BUS_ARGS("s", device, "t", bytes, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("BalloonReport",
				SD_BUS_ARGS("s", device, "t", committed, "t", available, "(ttt)",
					    stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("RtcChanged",
				SD_BUS_ARGS("s", qom_path, "x", offset, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("MemoryFailure",
				SD_BUS_ARGS("s", recipient, "s", action, "as", flags, "(ttt)",
					    stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("CpuPolarizationChanged",
				SD_BUS_ARGS("s", polarization, "(ttt)", stamp, "a{sv}", details),
					    0),
	SD_BUS_SIGNAL_WITH_ARGS("Information",
				SD_BUS_ARGS("s", kind, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_VTABLE_END,
};
