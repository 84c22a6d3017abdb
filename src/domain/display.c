/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * Who looks at the display: of VNC its connections, of SPICE the channels of each client.
 *
 *   connected      an entry, the youngest
 *   initialized    the oldest entry of that address which is still in phase connected moves on
 *   disconnected   one entry of that address goes
 *   migrated       (SPICE) all clients have gone to the destination
 *
 * The address alone tells clients apart, and on a local socket all have the same. So it is one of them that
 * moves on or goes, and which one does not matter as long as they are alike: who is known goes by it.
 *
 * Read afresh, VNC lists all its clients, but without their phase: one that was not known is taken for
 * initialized, as nearly all are. SPICE lists the channels that are initialized.
 */

/* More are left out of the table, and so are those with a longer text than QEMU makes. */
#define CLIENTS_MAX     256u
#define CLIENT_TEXT_MAX 4096u

static void client_free(void *data)
{
	DomainClient *entry = data;

	g_ptr_array_unref(entry->strings);
	g_free(entry);
}

void display_init(Domain *domain)
{
	domain->clients = g_ptr_array_new_with_free_func(client_free);
	domain->clients_left_out = false;
}

void display_clear(Domain *domain)
{
	g_clear_pointer(&domain->clients, g_ptr_array_unref);
}

/* ---- one client ---- */

/* Its strings; protocol and phase are words of ours. */
static const char **get_text(DisplayClient *client, unsigned i)
{
	const char **texts[] = {
		&client->server_host, &client->server_service, &client->client_host,
		&client->client_service, &client->family, &client->auth, &client->x509_dname,
		&client->sasl_username,
	};

	return i < G_N_ELEMENTS(texts) ? texts[i] : NULL;
}

static bool is_too_long(const DisplayClient *client)
{
	DisplayClient copy = *client;

	for (unsigned i = 0; get_text(&copy, i); i++)
		if (strlen(*get_text(&copy, i)) > CLIENT_TEXT_MAX)
			return true;
	return false;
}

static DomainClient *client_new(const DisplayClient *client)
{
	DomainClient *entry = g_new0(DomainClient, 1);

	entry->client = *client;
	entry->strings = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; get_text(&entry->client, i); i++) {
		const char **text = get_text(&entry->client, i);
		char *copy = g_strdup(*text);

		g_ptr_array_add(entry->strings, copy);
		*text = copy;
	}
	return entry;
}

static bool is_in(const DomainClient *entry, const char *phase)
{
	return g_str_equal(entry->client.phase, phase);
}

/* There is one server of SPICE, and its address is told in several ways. */
static bool has_same_server(const DisplayClient *a, const DisplayClient *b)
{
	return g_str_equal(a->protocol, "spice") ||
	       (g_str_equal(a->server_host, b->server_host) &&
		g_str_equal(a->server_service, b->server_service));
}

static bool has_same_address(const DisplayClient *a, const DisplayClient *b)
{
	return g_str_equal(a->protocol, b->protocol) &&
	       g_str_equal(a->client_host, b->client_host) &&
	       g_str_equal(a->client_service, b->client_service) &&
	       g_str_equal(a->family, b->family) && a->websocket == b->websocket;
}

static bool has_same_identity(const DisplayClient *a, const DisplayClient *b)
{
	return g_str_equal(a->x509_dname, b->x509_dname) &&
	       g_str_equal(a->sasl_username, b->sasl_username);
}

static bool has_same_channel(const DisplayClient *a, const DisplayClient *b)
{
	return a->has_channel == b->has_channel && a->connection_id == b->connection_id &&
	       a->channel_type == b->channel_type && a->channel_id == b->channel_id;
}

/* ---- the table ---- */

typedef bool (*ClientTest)(const DomainClient *entry, const DisplayClient *client);

static bool is_connected(const DomainClient *entry, const DisplayClient *client)
{
	return is_in(entry, "connected");
}

static bool is_assumed(const DomainClient *entry, const DisplayClient *client)
{
	return entry->assumed;
}

static bool is_identified(const DomainClient *entry, const DisplayClient *client)
{
	return is_in(entry, "initialized") && has_same_identity(&entry->client, client);
}

static bool is_any(const DomainClient *entry, const DisplayClient *client)
{
	return true;
}

/* The oldest of the same address for which test holds: its index, or -1. */
static int find_entry(const Domain *domain, const DisplayClient *client, ClientTest test)
{
	for (unsigned i = 0; i < domain->clients->len; i++) {
		const DomainClient *entry = g_ptr_array_index(domain->clients, i);

		if (has_same_address(&entry->client, client) &&
		    has_same_server(&entry->client, client) && test(entry, client))
			return (int)i;
	}
	return -1;
}

static bool has_room(Domain *domain, const DisplayClient *client)
{
	if (domain->clients->len < CLIENTS_MAX && !is_too_long(client))
		return true;
	if (!domain->clients_left_out)
		domain_log(domain, LOG_NOTICE, "more than %u clients of its display, or one with "
			   "an address of more than %u bytes; they are left out of the list",
			   CLIENTS_MAX, CLIENT_TEXT_MAX);
	domain->clients_left_out = true;
	return false;
}

static bool add_entry(Domain *domain, const DisplayClient *client, bool assumed)
{
	DomainClient *entry;

	if (!has_room(domain, client))
		return false;
	entry = client_new(client);
	entry->assumed = assumed;
	g_ptr_array_add(domain->clients, entry);
	domain_changed(domain, DOMAIN_PROPERTY_CLIENTS);
	return true;
}

/* In its place: the order is that of the connections. */
static void replace_entry(Domain *domain, unsigned index, const DisplayClient *client)
{
	if (!is_too_long(client)) {
		client_free(g_ptr_array_index(domain->clients, index));
		g_ptr_array_index(domain->clients, index) = client_new(client);
	}
	domain_changed(domain, DOMAIN_PROPERTY_CLIENTS);
}

static void remove_entry(Domain *domain, unsigned index)
{
	g_ptr_array_remove_index(domain->clients, index);
	domain_changed(domain, DOMAIN_PROPERTY_CLIENTS);
}

static void remove_protocol(Domain *domain, const char *protocol)
{
	for (unsigned i = domain->clients->len; i-- > 0;) {
		const DomainClient *entry = g_ptr_array_index(domain->clients, i);

		if (g_str_equal(entry->client.protocol, protocol))
			remove_entry(domain, i);
	}
}

/* ---- events ---- */

static void initialize(Domain *domain, const DisplayClient *client)
{
	int index = find_entry(domain, client, is_connected);

	if (index < 0)
		index = find_entry(domain, client, is_assumed);
	if (index < 0)
		(void)add_entry(domain, client, false);
	else
		replace_entry(domain, (unsigned)index, client);
}

static unsigned count_channels(const Domain *domain, const DisplayClient *client)
{
	unsigned n = 0;

	for (unsigned i = 0; i < domain->clients->len; i++) {
		const DomainClient *entry = g_ptr_array_index(domain->clients, i);

		n += entry->client.has_channel && has_same_address(&entry->client, client);
	}
	return n;
}

static void disconnect(Domain *domain, const DisplayClient *client)
{
	static const ClientTest tests[] = { is_identified, is_connected, is_any };
	/* Which channel it was, SPICE does not say; its list does. */
	bool is_ambiguous = count_channels(domain, client) > 1;
	int index = -1;

	for (unsigned i = 0; i < G_N_ELEMENTS(tests) && index < 0; i++)
		index = find_entry(domain, client, tests[i]);
	if (index >= 0)
		remove_entry(domain, (unsigned)index);
	if (is_ambiguous)
		domain_refresh(domain, STATE_QUERY_SPICE);
}

void display_commit_client(Domain *domain, Event *event)
{
	const DisplayClient *client = &event->display_client;

	if (g_str_equal(client->phase, "connected"))
		(void)add_entry(domain, client, false);
	else if (g_str_equal(client->phase, "initialized"))
		initialize(domain, client);
	else if (g_str_equal(client->phase, "disconnected"))
		disconnect(domain, client);
	else
		remove_protocol(domain, client->protocol);
	domain_publish(domain, event);
}

/* ---- read afresh ---- */

/* One that QEMU lists. Its strings are borrowed from the answer. */
typedef struct Listed {
	DisplayClient client;
	JsonArray *servers;            /* of VNC: it came by one of them */
	bool is_known;                 /* it is in the table */
} Listed;

static void tell(Domain *domain, const DisplayClient *client, const char *phase)
{
	Event *event;

	if (!resync_tells(domain))
		return;
	event = event_new(EVENT_DISPLAY_CLIENT, 0);
	event->display_client = *client;
	event->display_client.phase = phase;
	for (unsigned i = 0; get_text(&event->display_client, i); i++) {
		const char **text = get_text(&event->display_client, i);

		*text = event_string(event, *text);
	}
	display_client_add_details(event);
	event_add_resync(event);
	domain_publish(domain, event);
}

static void read_text(JsonObject *object, const char *member, const char **ret_text)
{
	(void)json_read_string(object, member, ret_text);
}

static bool came_by(const DisplayClient *client, JsonArray *servers)
{
	for (unsigned i = 0; servers && i < json_array_get_length(servers); i++) {
		JsonObject *server = json_node_as_object(json_array_get_element(servers, i));
		const char *host = "", *service = "";

		read_text(server, "host", &host);
		read_text(server, "service", &service);
		if (g_str_equal(client->server_host, host) &&
		    g_str_equal(client->server_service, service))
			return true;
	}
	return false;
}

/* Surely the same: phase apart, nothing differs. */
static bool is_exactly(const DomainClient *entry, const Listed *listed)
{
	return has_same_identity(&entry->client, &listed->client) &&
	       has_same_channel(&entry->client, &listed->client);
}

/* It may have moved on meanwhile. */
static bool may_be(const DomainClient *entry, const Listed *listed)
{
	return is_in(entry, "connected") || entry->assumed;
}

static Listed *find_listed(const DomainClient *entry, GArray *listed,
			   bool (*test)(const DomainClient *entry, const Listed *listed))
{
	for (unsigned i = 0; i < listed->len; i++) {
		Listed *candidate = &g_array_index(listed, Listed, i);

		if (!candidate->is_known && has_same_address(&entry->client, &candidate->client) &&
		    (!candidate->servers || came_by(&entry->client, candidate->servers)) &&
		    test(entry, candidate))
			return candidate;
	}
	return NULL;
}

/* What is left over on either side has gone, or has come. Which SPICE channels are connected only, it does
 * not list: after a gap they are given up, for they would never go otherwise. */
static void compare(Domain *domain, const char *protocol, GArray *listed)
{
	g_autoptr(GPtrArray) left = g_ptr_array_new();
	bool lists_all = g_str_equal(protocol, "vnc") || domain->resync;

	for (unsigned i = 0; i < domain->clients->len; i++) {
		DomainClient *entry = g_ptr_array_index(domain->clients, i);
		Listed *same = g_str_equal(entry->client.protocol, protocol)
				       ? find_listed(entry, listed, is_exactly) : NULL;

		if (same)
			same->is_known = true;
		else if (g_str_equal(entry->client.protocol, protocol))
			g_ptr_array_add(left, entry);
	}
	for (unsigned i = 0; i < left->len; i++) {
		DomainClient *entry = g_ptr_array_index(left, i);
		Listed *moved = find_listed(entry, listed, may_be);
		DisplayClient client;
		unsigned index;

		(void)g_ptr_array_find(domain->clients, entry, &index);
		if (moved) {
			moved->is_known = true;
			replace_entry(domain, index, &moved->client);
			tell(domain, &moved->client, "initialized");
		} else if (lists_all || !is_in(entry, "connected")) {
			g_autoptr(GPtrArray) strings = g_ptr_array_ref(entry->strings);

			client = entry->client;
			remove_entry(domain, index);
			tell(domain, &client, "disconnected");
		}
	}
	for (unsigned i = 0; i < listed->len; i++) {
		const Listed *new = &g_array_index(listed, Listed, i);

		if (new->is_known || !add_entry(domain, &new->client, g_str_equal(protocol, "vnc")))
			continue;
		tell(domain, &new->client, "connected");
		tell(domain, &new->client, "initialized");
	}
}

static Listed make_listed(const char *protocol)
{
	Listed listed = { .client = DISPLAY_CLIENT_EMPTY };

	listed.client.protocol = protocol;
	listed.client.phase = "initialized";
	return listed;
}

static void read_vnc_client(JsonObject *client, JsonArray *servers, GArray *listed)
{
	Listed entry = make_listed("vnc");
	JsonObject *server = servers && json_array_get_length(servers) > 0
				     ? json_node_as_object(json_array_get_element(servers, 0)) : NULL;

	entry.servers = servers;
	read_text(server, "host", &entry.client.server_host);
	read_text(server, "service", &entry.client.server_service);
	read_text(server, "auth", &entry.client.auth);
	read_text(client, "host", &entry.client.client_host);
	read_text(client, "service", &entry.client.client_service);
	read_text(client, "family", &entry.client.family);
	read_text(client, "x509_dname", &entry.client.x509_dname);
	read_text(client, "sasl_username", &entry.client.sasl_username);
	(void)json_read_bool(client, "websocket", &entry.client.websocket);
	g_array_append_val(listed, entry);
}

/* Servers like {"id", "server": [{"host", "service", "auth", ...}], "clients": [{"host", ...}]}. */
void display_resync_vnc(Domain *domain, JsonNode *list)
{
	g_autoptr(GArray) listed = g_array_new(false, false, sizeof(Listed));
	JsonArray *displays = json_node_as_array(list);

	if (list && !displays)
		return;
	for (unsigned i = 0; displays && i < json_array_get_length(displays); i++) {
		JsonObject *display = json_node_as_object(json_array_get_element(displays, i));
		JsonArray *servers = json_read_array(display, "server");
		JsonArray *clients = json_read_array(display, "clients");

		for (unsigned j = 0; clients && j < json_array_get_length(clients); j++) {
			JsonObject *client = json_node_as_object(json_array_get_element(clients, j));

			if (client)
				read_vnc_client(client, servers, listed);
		}
	}
	compare(domain, "vnc", listed);
}

static void read_channel(JsonObject *info, JsonObject *channel, GArray *listed)
{
	Listed entry = make_listed("spice");

	read_text(info, "host", &entry.client.server_host);
	read_text(info, "auth", &entry.client.auth);
	read_text(channel, "host", &entry.client.client_host);
	read_text(channel, "port", &entry.client.client_service);
	read_text(channel, "family", &entry.client.family);
	(void)json_read_bool(channel, "tls", &entry.client.tls);
	entry.client.has_channel =
		json_read_int(channel, "connection-id", &entry.client.connection_id) &&
		json_read_int(channel, "channel-type", &entry.client.channel_type) &&
		json_read_int(channel, "channel-id", &entry.client.channel_id);
	if (entry.client.has_channel)
		g_array_append_val(listed, entry);
}

void display_resync_spice(Domain *domain, JsonNode *info)
{
	g_autoptr(GArray) listed = g_array_new(false, false, sizeof(Listed));
	JsonObject *object = json_node_as_object(info);
	JsonArray *channels = json_read_array(object, "channels");

	if (info && !object)
		return;
	for (unsigned i = 0; channels && i < json_array_get_length(channels); i++) {
		JsonObject *channel = json_node_as_object(json_array_get_element(channels, i));

		if (channel)
			read_channel(object, channel, listed);
	}
	compare(domain, "spice", listed);
}
