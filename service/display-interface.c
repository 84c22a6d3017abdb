/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-object.h"

/* org.vmherald.Domains1.Display: clients of the display. */

/* Left out if QEMU did not tell it. */
static int append_text(sd_bus_message *reply, const char *key, const char *text)
{
	return *text ? sd_bus_message_append(reply, "{sv}", key, "s", text) : 0;
}

static int append_address(sd_bus_message *reply, const char *key, const char *host,
			  const char *service)
{
	g_autofree char *address = display_client_format_address(host, service);

	return sd_bus_message_append(reply, "{sv}", key, "s", address);
}

static int append_channel(sd_bus_message *reply, const DisplayClient *client)
{
	if (!client->has_channel)
		return 0;
	return sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}",
				     "connection-id", "x", client->connection_id,
				     "channel-type", "x", client->channel_type,
				     "channel-id", "x", client->channel_id,
				     "tls", "b", (int)client->tls);
}

static int append_client(sd_bus_message *reply, const DisplayClient *client)
{
	int r = sd_bus_message_open_container(reply, 'a', "{sv}");

	if (r >= 0)
		r = sd_bus_message_append(reply, "{sv}{sv}{sv}", "protocol", "s", client->protocol,
					  "phase", "s", client->phase, "family", "s",
					  client->family);
	if (r >= 0)
		r = append_address(reply, "server", client->server_host, client->server_service);
	if (r >= 0)
		r = append_address(reply, "client", client->client_host, client->client_service);
	if (r >= 0)
		r = append_text(reply, "auth", client->auth);
	if (r >= 0)
		r = append_text(reply, "x509-dname", client->x509_dname);
	if (r >= 0)
		r = append_text(reply, "sasl-username", client->sasl_username);
	if (r >= 0)
		r = append_channel(reply, client);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/*
 * WARNING: this says who somebody is, and may only go to one who has asked for it and may know. Who may
 * ask is the owner of the guests: to a session bus only the same user can connect, and on the system bus
 * the policy (data/org.vmherald.Domains1.conf) lets nobody but root call.
 *
 * So it is in nothing that is sent to all. EXPLICIT keeps it out of InterfacesAdded (and out of GetAll and
 * GetManagedObjects, whose answers get passed around), EMITS_INVALIDATION keeps the value out of
 * PropertiesChanged.
 */
static int get_clients(sd_bus *bus, const char *path, const char *interface, const char *property,
		       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const GPtrArray *clients = domain_get_clients(((DomainObject *)userdata)->domain);
	int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

	for (unsigned i = 0; r >= 0 && i < clients->len; i++) {
		const DomainClient *entry = g_ptr_array_index(clients, i);

		r = append_client(reply, &entry->client);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

const sd_bus_vtable display_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Clients", "aa{sv}", get_clients, 0,
			SD_BUS_VTABLE_PROPERTY_EXPLICIT | SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
	SD_BUS_SIGNAL_WITH_ARGS("Client",
				SD_BUS_ARGS("s", protocol, "s", phase, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_VTABLE_END,
};
