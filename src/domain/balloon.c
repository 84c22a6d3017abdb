/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * The balloon: how much memory the guest has left. QEMU has at most one such device of each kind, and its
 * events do not say which device they are of: its driver does.
 */

#define VIRTIO_BALLOON "virtio-balloon"
#define HV_BALLOON     "hv-balloon"

void balloon_device_changed(Domain *domain, const char *driver, bool is_gone)
{
	if (!g_str_has_prefix(driver, VIRTIO_BALLOON) && !g_str_has_prefix(driver, HV_BALLOON))
		return;
	domain->balloon_gone = is_gone;
	domain_refresh(domain, STATE_QUERY_BALLOON);
}

/* True if it is another size than before. */
static bool set_bytes(Domain *domain, uint64_t bytes)
{
	if (domain->balloon == bytes)
		return false;
	domain->balloon = bytes;
	domain_changed(domain, DOMAIN_PROPERTY_BALLOON);
	return true;
}

/* query-balloon and BALLOON_CHANGE are of whichever there is. */
static const char *find_device(const Domain *domain)
{
	const char *id = devices_find_by_driver(domain, VIRTIO_BALLOON);

	return *id ? id : devices_find_by_driver(domain, HV_BALLOON);
}

void balloon_commit_changed(Domain *domain, Event *event)
{
	event->balloon_changed.device = event_string(event, find_device(domain));
	/* WARNING: QEMU holds it back for up to a second, so it may be of a device that has gone since then. */
	if (domain->balloon_gone)
		domain_refresh(domain, STATE_QUERY_BALLOON);
	else
		(void)set_bytes(domain, event->balloon_changed.bytes);
	domain_publish(domain, event);
}

void balloon_commit_report(Domain *domain, Event *event)
{
	event->balloon_report.device =
		event_string(event, devices_find_by_driver(domain, HV_BALLOON));
	domain_publish(domain, event);
}

void balloon_resync(Domain *domain, JsonNode *info)
{
	int64_t bytes = 0;
	Event *event;

	/* Without a device QEMU refuses: that is an answer. */
	if (info && (!json_read_int(json_node_as_object(info), "actual", &bytes) || bytes < 0))
		return;
	if (!set_bytes(domain, (uint64_t)bytes) || !resync_tells(domain))
		return;
	event = event_new(EVENT_BALLOON_CHANGED, 0);
	event->balloon_changed.device = event_string(event, find_device(domain));
	event->balloon_changed.bytes = (uint64_t)bytes;
	event_add_resync(event);
	domain_publish(domain, event);
}

void domain_set_balloon(Domain *domain, uint64_t bytes, DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_SET_BALLOON, done, userdata);
	g_autoptr(GError) error = NULL;
	JsonObject *object;

	if (!operation)
		return;
	if (bytes > G_MAXINT64) {
		g_set_error(&error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "bytes: at most %" G_GINT64_FORMAT, G_MAXINT64);
		operation_end(operation, NULL, error);
		return;
	}
	object = json_object_new();
	json_object_set_int_member(object, "value", (int64_t)bytes);
	operation_call(operation, "balloon", json_node_init_object(json_node_alloc(), object), NULL);
	json_object_unref(object);
}
