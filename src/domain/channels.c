/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * Ports between guest and host (virtio-serial), such as that of a guest agent: open while something in
 * the guest has it open. QEMU closes them itself when the guest is reset, and tells.
 *
 * Read afresh it is from query-chardev, where each character device says whether its front end is open.
 * That is the port, except for a console: its front end is open always, so only events tell of it.
 *
 * QEMU tells of each port at most once a second, and the last change is never lost.
 */

/* More are left out of the table. As many that have gone are remembered. */
#define CHANNELS_MAX 1024u
#define CONSOLE      "virtconsole"
#define AGENT        "org.qemu.guest_agent.0"

static void channel_free(void *data)
{
	DomainChannel *channel = data;

	g_free(channel->id);
	g_free(channel->name);
	g_free(channel->chardev);
	g_free(channel);
}

void channels_init(Domain *domain)
{
	domain->channels = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, channel_free);
	domain->gone_channels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	domain->channels_left_out = false;
}

void channels_clear(Domain *domain)
{
	g_clear_pointer(&domain->channels, g_hash_table_unref);
	g_clear_pointer(&domain->gone_channels, g_hash_table_unref);
}

/* The one in the table, or a new one there; NULL if there are too many. */
static DomainChannel *get_channel(Domain *domain, const char *id)
{
	DomainChannel *channel = g_hash_table_lookup(domain->channels, id);

	if (channel)
		return channel;
	if (!domain_has_room(domain, domain->channels, CHANNELS_MAX, "channels",
			     &domain->channels_left_out))
		return NULL;
	channel = g_new0(DomainChannel, 1);
	channel->id = g_strdup(id);
	channel->name = g_strdup("");
	channel->chardev = g_strdup("");
	g_hash_table_replace(domain->channels, channel->id, channel);
	domain_changed(domain, DOMAIN_PROPERTY_CHANNELS);
	return channel;
}

bool domain_channel_is_agent(const DomainChannel *channel)
{
	return g_str_equal(channel->name, AGENT);
}

static void set_open(Domain *domain, DomainChannel *channel, bool open)
{
	if (channel->open == open)
		return;
	channel->open = open;
	domain_changed(domain, DOMAIN_PROPERTY_CHANNELS);
}

static void add_details(Event *event, const DomainChannel *channel)
{
	event_set_name(event, channel->name);
	event_add_detail(event, "agent", g_variant_new_boolean(domain_channel_is_agent(channel)));
}

void channels_commit_changed(Domain *domain, Event *event)
{
	const char *id = event->channel_changed.id, *state = event->channel_changed.state;
	/* WARNING: QEMU holds an event back for up to a second, so the port may have gone since then. */
	bool is_late = g_hash_table_contains(domain->gone_channels, id);
	DomainChannel *channel = *id && *state && !is_late ? get_channel(domain, id) : NULL;

	if (channel) {
		set_open(domain, channel, g_str_equal(state, "open"));
		add_details(event, channel);
	}
	domain_publish(domain, event);
}

/* ---- devices ---- */

static void take_name(Domain *domain, const char *id, const char *name)
{
	DomainChannel *channel = g_hash_table_lookup(domain->channels, id);

	if (!channel)
		return;
	g_free(channel->name);
	channel->name = g_strdup(name);
	domain_changed(domain, DOMAIN_PROPERTY_CHANNELS);
}

static void take_chardev(Domain *domain, const char *id, const char *chardev)
{
	DomainChannel *channel = g_hash_table_lookup(domain->channels, id);

	if (!channel)
		return;
	g_free(channel->chardev);
	channel->chardev = g_strdup(chardev);
	domain_changed(domain, DOMAIN_PROPERTY_CHANNELS);
	domain_refresh(domain, STATE_QUERY_CHARDEVS);
}

void channels_device_added(Domain *domain, const DomainDevice *device)
{
	bool is_console = g_str_equal(device->driver, CONSOLE);
	DomainChannel *channel = NULL;

	(void)g_hash_table_remove(domain->gone_channels, device->id);
	if (is_console || g_str_equal(device->driver, "virtserialport"))
		channel = get_channel(domain, device->id);
	if (!channel)
		return;
	channel->is_console = is_console;
	devices_ask_property(domain, device, "name", take_name);
	/* Behind the name, so that what is told because of it has one. */
	if (!is_console)
		devices_ask_property(domain, device, "chardev", take_chardev);
}

void channels_device_removed(Domain *domain, const char *id)
{
	if (!g_hash_table_contains(domain->channels, id))
		return;
	/* Nothing is late for so long. */
	if (g_hash_table_size(domain->gone_channels) >= CHANNELS_MAX)
		g_hash_table_remove_all(domain->gone_channels);
	g_hash_table_add(domain->gone_channels, g_strdup(id));
	(void)g_hash_table_remove(domain->channels, id);
	domain_changed(domain, DOMAIN_PROPERTY_CHANNELS);
}

/* ---- read afresh ---- */

static void find_open(Domain *domain, DomainChannel *channel, bool open)
{
	Event *event;

	if (channel->open == open)
		return;
	set_open(domain, channel, open);
	if (!resync_tells(domain))
		return;
	event = event_new(EVENT_CHANNEL_CHANGED, 0);
	event->channel_changed.id = event_string(event, channel->id);
	event->channel_changed.state = open ? "open" : "closed";
	add_details(event, channel);
	event_add_resync(event);
	domain_publish(domain, event);
}

/* Entries like {"label": "channel0", "frontend-open": true, "filename": ...}: label -> object. */
static GHashTable *read_chardevs(JsonNode *list)
{
	JsonArray *array = json_node_as_array(list);
	unsigned length = array ? json_array_get_length(array) : 0;
	GHashTable *chardevs = g_hash_table_new(g_str_hash, g_str_equal);

	for (unsigned i = 0; i < length; i++) {
		JsonObject *entry = json_node_as_object(json_array_get_element(array, i));
		const char *label;

		if (json_read_string(entry, "label", &label))
			g_hash_table_replace(chardevs, (char *)label, entry);
	}
	return chardevs;
}

void channels_resync(Domain *domain, JsonNode *list)
{
	g_autoptr(GHashTable) chardevs = read_chardevs(list);
	g_autofree void **keys = g_hash_table_get_keys_as_array(domain->channels, NULL);

	for (unsigned i = 0; keys[i]; i++) {
		DomainChannel *channel = g_hash_table_lookup(domain->channels, keys[i]);
		JsonObject *chardev = g_hash_table_lookup(chardevs, channel->chardev);
		bool open;

		if (!channel->is_console && json_read_bool(chardev, "frontend-open", &open))
			find_open(domain, channel, open);
	}
}
