/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host-end.h"

#include <glib.h>

#include "bus/names.h"

struct HostEnd {
	sd_bus_slot *slot;
	void (*answer)(bool goes_down, void *userdata);
	void *userdata;
};

static int on_state(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	HostEnd *host_end = userdata;
	const char *state = "";

	if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "v", "s", &state) < 0)
		state = "";
	/* systemctl(1), is-system-running: shutdown.target is active, or about to be. */
	host_end->answer(g_str_equal(state, "stopping"), host_end->userdata);
	return 1;
}

HostEnd *host_end_ask(sd_bus *bus, void (*answer)(bool goes_down, void *userdata), void *userdata)
{
	HostEnd *host_end = g_new0(HostEnd, 1);
	sd_bus_message *call = NULL;
	int r = sd_bus_message_new_method_call(bus, &call, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
					       BUS_PROPERTIES, "Get");

	host_end->answer = answer;
	host_end->userdata = userdata;
	if (r >= 0)
		r = sd_bus_message_set_auto_start(call, false);
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", "org.freedesktop.systemd1.Manager", "SystemState");
	if (r >= 0)
		r = sd_bus_call_async(bus, &host_end->slot, call, on_state, host_end, HOST_END_TIMEOUT_US);
	sd_bus_message_unref(call);
	return r < 0 ? host_end_free(host_end) : host_end;
}

HostEnd *host_end_free(HostEnd *host_end)
{
	if (!host_end)
		return NULL;
	sd_bus_slot_unref(host_end->slot);
	g_free(host_end);
	return NULL;
}
