/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * Drives: their trays, whether they work, and how much may be written to them before it is told.
 *
 * QEMU names a drive in three ways, query-block in all of them: by the device ("cd0", or the QOM path of a part
 * of it, "/machine/peripheral/vd0/virtio-backend"), by the back end of an old -drive, and by the node that is
 * in it. Here it goes by the id of its device; one that has none, by its back end.
 *
 * DEVICE_TRAY_MOVED tells of every tray. A write threshold is armed by command and disarmed by its event.
 *
 * The status of a drive is set by an error that stops the guest, and cleared when the guest goes on. QEMU keeps
 * one too, but never clears that of a drive made with -blockdev (qmp_cont() only goes through those with a
 * name), and then does not set it again either. So it is kept here by the events, and QEMU's counts only
 * after a gap, and only if the guest stands still because of an error.
 */

/* Of one domain. Devices are bounded as well, but not every drive is a device with an id. */
#define DRIVES_MAX     1024u
#define THRESHOLDS_MAX 1024u

static GHashTable *new_table(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static GHashTable *new_trays(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void drives_init(Domain *domain)
{
	domain->trays = new_trays();
	domain->io_status = new_table();
	domain->drive_nodes = new_table();
	domain->thresholds = new_table();
	domain->drives_left_out = false;
	domain->trays_reset = false;
	domain->thresholds_left_out = false;
}

void drives_clear(Domain *domain)
{
	g_clear_pointer(&domain->trays, g_hash_table_unref);
	g_clear_pointer(&domain->io_status, g_hash_table_unref);
	g_clear_pointer(&domain->drive_nodes, g_hash_table_unref);
	g_clear_pointer(&domain->thresholds, g_hash_table_unref);
}

/* ---- names ---- */

/* The id in "ID" or "/machine/peripheral/ID/...", else the back end, else what there is; "" if there is nothing. */
static char *get_drive_name(const char *qdev, const char *backend)
{
	static const char peripheral[] = "/machine/peripheral/";

	if (g_str_has_prefix(qdev, peripheral)) {
		qdev += strlen(peripheral);
		return g_strndup(qdev, strcspn(qdev, "/"));
	}
	if ((*qdev == '/' || !*qdev) && *backend)
		return g_strdup(backend);
	return g_strdup(qdev);
}

const char *drives_get_node(const Domain *domain, const char *id)
{
	GHashTableIter iter;
	void *node, *drive;

	g_hash_table_iter_init(&iter, domain->drive_nodes);
	while (g_hash_table_iter_next(&iter, &node, &drive))
		if (g_str_equal(drive, id))
			return node;
	return NULL;
}

/* ---- query-block ---- */

typedef struct Picture {
	GHashTable *trays, *io_status, *nodes;
} Picture;

static void read_drive(Domain *domain, Picture *picture, JsonObject *drive)
{
	const char *qdev = "", *backend = "", *text;
	g_autofree char *name = NULL;
	bool open;

	(void)json_read_string(drive, "qdev", &qdev);
	(void)json_read_string(drive, "device", &backend);
	name = get_drive_name(qdev, backend);
	if (!*name)
		return;
	if (json_read_bool(drive, "tray_open", &open) &&
	    domain_has_room(domain, picture->trays, DRIVES_MAX, "drives", &domain->drives_left_out))
		g_hash_table_replace(picture->trays, g_strdup(name),
				     (char *)(open ? "open" : "closed"));
	if (json_read_string(drive, "io-status", &text) &&
	    domain_has_room(domain, picture->io_status, DRIVES_MAX, "drives",
			    &domain->drives_left_out)) {
		const char *known = g_hash_table_lookup(domain->io_status, name);

		g_hash_table_replace(picture->io_status, g_strdup(name),
				     g_strdup(known && !domain->resync ? known : text));
	}
	if (json_read_string(json_read_object(drive, "inserted"), "node-name", &text) &&
	    domain_has_room(domain, picture->nodes, DRIVES_MAX, "drives", &domain->drives_left_out))
		g_hash_table_replace(picture->nodes, g_strdup(text), g_strdup(name));
}

static bool has_same(GHashTable *one, GHashTable *other)
{
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, one);
	while (g_hash_table_iter_next(&iter, &key, &value))
		if (g_strcmp0(g_hash_table_lookup(other, key), value) != 0)
			return false;
	return g_hash_table_size(one) == g_hash_table_size(other);
}

/* Of those that were known: how a tray is at first is in the property. */
static void tell_trays(Domain *domain, GHashTable *before)
{
	GHashTableIter iter;
	void *id, *state;

	g_hash_table_iter_init(&iter, domain->trays);
	while (g_hash_table_iter_next(&iter, &id, &state)) {
		const char *old = g_hash_table_lookup(before, id);
		Event *event;

		if (!old || g_str_equal(old, state))
			continue;
		event = event_new(EVENT_TRAY_CHANGED, 0);
		event->tray_changed.id = event_string(event, id);
		event->tray_changed.state = state;
		event->tray_changed.device = "";
		event_add_resync(event);
		domain_publish(domain, event);
	}
}

/* The tables are those of the picture from here on, and the picture has what they were. */
static void take_picture(Domain *domain, Picture *picture)
{
	Picture before = { domain->trays, domain->io_status, domain->drive_nodes };

	domain->trays = picture->trays;
	domain->io_status = picture->io_status;
	domain->drive_nodes = picture->nodes;
	*picture = before;
	if (!has_same(domain->trays, before.trays))
		domain_changed(domain, DOMAIN_PROPERTY_TRAYS);
	if (!has_same(domain->io_status, before.io_status))
		domain_changed(domain, DOMAIN_PROPERTY_IO_STATUS);
}

void drives_resync(Domain *domain, JsonNode *list)
{
	JsonArray *array = json_node_as_array(list);
	Picture picture;

	if (!array)
		return;
	picture = (Picture){ new_trays(), new_table(), new_table() };
	for (unsigned i = 0; i < json_array_get_length(array); i++)
		read_drive(domain, &picture, json_node_as_object(json_array_get_element(array, i)));
	take_picture(domain, &picture);
	if (resync_tells(domain) || domain->trays_reset)
		tell_trays(domain, picture.trays);
	domain->trays_reset = false;
	g_hash_table_unref(picture.trays);
	g_hash_table_unref(picture.io_status);
	g_hash_table_unref(picture.nodes);
}

void drives_changed(Domain *domain)
{
	domain_refresh(domain, STATE_QUERY_DRIVES);
	if (g_hash_table_size(domain->thresholds) > 0)
		domain_refresh(domain, STATE_QUERY_NODES);
}

void drives_changed_by_command(Domain *domain, JsonObject *arguments)
{
	drives_changed(domain);
}

void drives_device_removed(Domain *domain, const char *id)
{
	const char *node = drives_get_node(domain, id);

	if (node)
		(void)g_hash_table_remove(domain->drive_nodes, node);
	if (g_hash_table_remove(domain->trays, id))
		domain_changed(domain, DOMAIN_PROPERTY_TRAYS);
	if (g_hash_table_remove(domain->io_status, id))
		domain_changed(domain, DOMAIN_PROPERTY_IO_STATUS);
}

/* A reset closes the trays, and QEMU does not tell. What is read from here on is of the time after it. */
void drives_guest_reset(Domain *domain)
{
	GHashTableIter iter;
	void *state;

	g_hash_table_iter_init(&iter, domain->trays);
	while (g_hash_table_iter_next(&iter, NULL, &state))
		domain->trays_reset |= g_str_equal(state, "open");
	if (domain->trays_reset)
		domain_refresh(domain, STATE_QUERY_DRIVES);
}

/* ---- events ---- */

void drives_commit_tray(Domain *domain, Event *event)
{
	const char *qdev = event->tray_changed.id, *state = event->tray_changed.state;
	g_autofree char *name = get_drive_name(qdev, event->tray_changed.device);
	const char *before = g_hash_table_lookup(domain->trays, name);

	/* As in Trays. */
	if (!g_str_equal(name, qdev)) {
		event_add_detail(event, "qom-path", g_variant_new_string(qdev));
		event->tray_changed.id = event_string(event, name);
	}
	if (*name && *state && g_strcmp0(before, state) != 0 &&
	    (before || domain_has_room(domain, domain->trays, DRIVES_MAX, "drives",
				       &domain->drives_left_out))) {
		g_hash_table_replace(domain->trays, g_steal_pointer(&name), (char *)state);
		domain_changed(domain, DOMAIN_PROPERTY_TRAYS);
	}
	domain_publish(domain, event);
}

/* With -blockdev QEMU gives no name of the drive, but that of the node, and from 9.2 on a QOM path. */
static char *find_drive(Domain *domain, Event *event)
{
	const char *path = "", *node;

	if (!event->extra)
		return NULL;
	(void)g_variant_dict_lookup(event->extra, "qom-path", "&s", &path);
	if (*path)
		return get_drive_name(path, "");
	if (g_variant_dict_lookup(event->extra, "node", "&s", &node))
		return g_strdup(g_hash_table_lookup(domain->drive_nodes, node));
	return NULL;
}

static void set_io_status(Domain *domain, const char *name, const char *status)
{
	const char *before = g_hash_table_lookup(domain->io_status, name);

	/* Those that have none stay without. */
	if (!before || g_str_equal(before, status))
		return;
	g_hash_table_replace(domain->io_status, g_strdup(name), g_strdup(status));
	domain_changed(domain, DOMAIN_PROPERTY_IO_STATUS);
}

void drives_commit_io_error(Domain *domain, Event *event)
{
	g_autofree char *found = find_drive(domain, event);
	const char *name = found ? found : event->io_error.device;

	if (g_str_equal(event->io_error.action, "stop"))
		set_io_status(domain, name, event->io_error.no_space ? "nospace" : "failed");
	if (!*event->io_error.device)
		event->io_error.device = event_string(event, found);
	domain_publish(domain, event);
	/* Its node has come in unseen. */
	if (!found)
		domain_refresh(domain, STATE_QUERY_DRIVES);
}

void drives_guest_resumed(Domain *domain)
{
	g_autofree void **keys = g_hash_table_get_keys_as_array(domain->io_status, NULL);
	/* Copied, for they are replaced meanwhile. */
	g_auto(GStrv) names = g_strdupv((char **)keys);

	for (unsigned i = 0; names[i]; i++)
		set_io_status(domain, names[i], "ok");
}

/* ---- write thresholds ---- */

static void put_threshold(Domain *domain, GHashTable *table, const char *node, uint64_t bytes)
{
	if (!g_hash_table_contains(table, node) &&
	    !domain_has_room(domain, table, THRESHOLDS_MAX, "write thresholds",
			     &domain->thresholds_left_out))
		return;
	g_hash_table_replace(table, g_strdup(node), g_memdup2(&bytes, sizeof(bytes)));
}

static void disarm(Domain *domain, const char *node)
{
	if (g_hash_table_remove(domain->thresholds, node))
		domain_changed(domain, DOMAIN_PROPERTY_THRESHOLDS);
}

void drives_commit_threshold(Domain *domain, Event *event)
{
	disarm(domain, event->write_threshold.node);
	domain_publish(domain, event);
}

void drives_threshold_by_command(Domain *domain, JsonObject *arguments)
{
	const char *node;
	int64_t bytes;

	/* In a form that only QEMU understands. */
	if (!json_read_string(arguments, "node-name", &node) ||
	    !json_read_int(arguments, "write-threshold", &bytes)) {
		domain_refresh(domain, STATE_QUERY_NODES);
	} else if (bytes == 0) {
		disarm(domain, node);
	} else {
		put_threshold(domain, domain->thresholds, node, (uint64_t)bytes);
		domain_changed(domain, DOMAIN_PROPERTY_THRESHOLDS);
	}
}

/* It was armed and is not any more: it has been reached. By how much, nobody knows. */
static void find_reached(Domain *domain, const char *node, uint64_t threshold)
{
	Event *event = event_new(EVENT_WRITE_THRESHOLD, 0);

	event->write_threshold.node = event_string(event, node);
	event->write_threshold.threshold = threshold;
	event_add_resync(event);
	domain_publish(domain, event);
}

static bool has_same_thresholds(GHashTable *one, GHashTable *other)
{
	GHashTableIter iter;
	void *node, *bytes;

	g_hash_table_iter_init(&iter, one);
	while (g_hash_table_iter_next(&iter, &node, &bytes)) {
		const uint64_t *found = g_hash_table_lookup(other, node);

		if (!found || *found != *(uint64_t *)bytes)
			return false;
	}
	return g_hash_table_size(one) == g_hash_table_size(other);
}

void drives_resync_nodes(Domain *domain, JsonNode *list)
{
	g_autoptr(GHashTable) before = NULL, disarmed = NULL;
	JsonArray *array = json_node_as_array(list);
	GHashTableIter iter;
	void *node, *bytes;

	if (!array)
		return;
	before = g_steal_pointer(&domain->thresholds);
	domain->thresholds = new_table();
	/* Of nodes that are gone nothing is told. */
	disarmed = g_hash_table_new(g_str_hash, g_str_equal);
	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		JsonObject *entry = json_node_as_object(json_array_get_element(array, i));
		const char *name;
		int64_t threshold;

		if (!json_read_string(entry, "node-name", &name) ||
		    !json_read_int(entry, "write_threshold", &threshold))
			continue;
		if (threshold != 0)
			put_threshold(domain, domain->thresholds, name, (uint64_t)threshold);
		else
			g_hash_table_add(disarmed, (char *)name);
	}
	if (!has_same_thresholds(domain->thresholds, before))
		domain_changed(domain, DOMAIN_PROPERTY_THRESHOLDS);
	if (!resync_tells(domain))
		return;
	g_hash_table_iter_init(&iter, before);
	while (g_hash_table_iter_next(&iter, &node, &bytes))
		if (g_hash_table_contains(disarmed, node))
			find_reached(domain, node, *(uint64_t *)bytes);
}

void domain_set_write_threshold(Domain *domain, const char *node, uint64_t bytes, DomainDone done,
				void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_SET_WRITE_THRESHOLD, done,
					       userdata);
	JsonNode *arguments;

	if (!operation)
		return;
	if (bytes > INT64_MAX) {
		g_autoptr(GError) error = g_error_new(
			CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			"bytes: no drive is that large; at most %" G_GINT64_FORMAT, INT64_MAX);

		operation_end(operation, NULL, error);
		return;
	}
	arguments = call_arguments("node-name", node);
	json_object_set_int_member(json_node_get_object(arguments), "write-threshold", (int64_t)bytes);
	operation_call(operation, "block-set-write-threshold", arguments, drives_threshold_by_command);
}
