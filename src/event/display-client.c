/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/display-client.h"

#include <glib.h>
#include <string.h>

#include "event/event.h"

char *display_client_format_address(const char *host, const char *service)
{
	if (!*host || !*service)
		return g_strdup(*host ? host : service);
	return g_strdup_printf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, service);
}

static void add_address(Event *event, const char *key, const char *host, const char *service)
{
	event_add_detail(event, key, g_variant_new_take_string(
					     display_client_format_address(host, service)));
}

void display_client_add_details(Event *event)
{
	const DisplayClient *client = &event->display_client;

	add_address(event, "server", client->server_host, client->server_service);
	add_address(event, "client", client->client_host, client->client_service);
	event_add_detail(event, "family", g_variant_new_string(client->family));
	if (*client->auth)
		event_add_detail(event, "auth", g_variant_new_string(client->auth));
	if (g_str_equal(client->protocol, "vnc"))
		event_add_detail(event, "websocket", g_variant_new_boolean(client->websocket));
	if (!client->has_channel)
		return;
	event_add_detail(event, "connection-id", g_variant_new_int64(client->connection_id));
	event_add_detail(event, "channel-type", g_variant_new_int64(client->channel_type));
	event_add_detail(event, "channel-id", g_variant_new_int64(client->channel_id));
	event_add_detail(event, "tls", g_variant_new_boolean(client->tls));
}
