/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "domain/domain-internal.h"

/*
 * Asking a device to go. device_del only asks the guest; DEVICE_DELETED (devices.c) says that it has let go.
 *
 * A guest that refuses says so in one of three ways, and some refusals come in two of them; each is told as
 * DeviceRemovalFailed. The first of them ends the call that waits, and so does its deadline. Whatever
 * was said before, a device that goes later is told as removed.
 */

static const struct {
	const char *reason;
	const char *event;           /* QEMU's, or NULL: the deadline */
	const char *text;
} failures[] = {
	{ "guest", "DEVICE_UNPLUG_GUEST_ERROR", "the guest refused" },
	{ "memory", "MEM_UNPLUG_ERROR", "the guest keeps the memory" },
	{ "acpi", "ACPI_DEVICE_OST", "the guest refused by ACPI" },
	{ "timeout", NULL, NULL },
};

Operation *detach_find(const Domain *domain, const char *id)
{
	return operation_find_by_device(domain, DOMAIN_OPERATION_DETACH_DEVICE, id);
}

/* ---- it failed ---- */

/* Takes event over. text is what QEMU said, or NULL. */
static void tell_failed(Domain *domain, Event *event, const char *text)
{
	const char *id = event->device_removal_failed.id;
	Operation *detach = *id ? detach_find(domain, id) : NULL;
	g_autoptr(GError) error = NULL;

	for (unsigned i = 0; i < G_N_ELEMENTS(failures); i++) {
		if (!g_str_equal(failures[i].reason, event->device_removal_failed.reason) ||
		    !failures[i].event)
			continue;
		event_add_detail(event, "event", g_variant_new_string(failures[i].event));
		g_set_error(&error, CORE_ERROR, CORE_ERROR_REMOVAL_REFUSED,
			    "Device '%s' of domain '%s' stays: %s (%s)%s%s", id,
			    domain_get_name(domain), failures[i].text, failures[i].event,
			    text ? ": " : "", text ? text : "");
	}
	if (!*event->device_removal_failed.qom_path)
		event->device_removal_failed.qom_path =
			event_string(event, devices_get_path(domain, id));
	domain_publish(domain, event);
	if (detach && error)
		operation_end(detach, NULL, error);
}

void detach_commit_failed(Domain *domain, Event *event)
{
	const char *id = devices_id_from_path(event->device_removal_failed.qom_path);
	g_autoptr(GVariant) text = event->extra
		? g_variant_dict_lookup_value(event->extra, "text", G_VARIANT_TYPE_STRING) : NULL;

	if (!*event->device_removal_failed.id && id)
		event->device_removal_failed.id = event_string(event, id);
	tell_failed(domain, event, text ? g_variant_get_string(text, NULL) : NULL);
}

/* Values of _OST (ACPI specification, 6.3.5), read as libvirt does: an ejection that was asked for by the
 * firmware or by the system, and that failed. 0x84 and above say that it is under way. */
#define OST_EJECT_REQUEST        0x3
#define OST_EJECT_BY_OSPM        0x103
#define OST_FAILURE              0x1
#define OST_EJECT_REFUSED_FIRST  0x80
#define OST_EJECT_REFUSED_LAST   0x83

static bool is_refusal(const Event *event)
{
	int64_t source = event->acpi_device_status.source;
	int64_t status = event->acpi_device_status.status;

	return *event->acpi_device_status.device &&
	       g_str_equal(event->acpi_device_status.slot_type, "DIMM") &&
	       (source == OST_EJECT_REQUEST || source == OST_EJECT_BY_OSPM) &&
	       (status == OST_FAILURE ||
		(status >= OST_EJECT_REFUSED_FIRST && status <= OST_EJECT_REFUSED_LAST));
}

void detach_commit_acpi_status(Domain *domain, Event *event)
{
	Event *failed = NULL;

	if (is_refusal(event)) {
		failed = event_new(EVENT_DEVICE_REMOVAL_FAILED, event->time);
		failed->device_removal_failed.id =
			event_string(failed, event->acpi_device_status.device);
		failed->device_removal_failed.reason = "acpi";
		failed->device_removal_failed.qom_path = "";
		event_add_detail(failed, "source",
				 g_variant_new_int64(event->acpi_device_status.source));
		event_add_detail(failed, "status",
				 g_variant_new_int64(event->acpi_device_status.status));
	}
	domain_publish(domain, event);
	if (failed)
		tell_failed(domain, failed, NULL);
}

/* ---- asking ---- */

static void on_detach_timeout(int timer, void *userdata)
{
	Operation *operation = userdata;
	Domain *domain = operation->domain;
	Event *event = event_new(EVENT_DEVICE_REMOVAL_FAILED, 0);
	g_autoptr(GError) error = g_error_new(
		CORE_ERROR, CORE_ERROR_TIMEOUT,
		"The guest of domain '%s' has not let go of device '%s' yet; it was asked and may "
		"still do so", domain_get_name(domain), operation->device);

	/* The guest may not even have been asked. */
	if (!operation->answered) {
		g_autoptr(GError) unanswered = operation_make_timeout_error(operation);

		event_unref(event);
		operation_end(operation, NULL, unanswered);
		return;
	}
	event->device_removal_failed.id = event_string(event, operation->device);
	event->device_removal_failed.reason = "timeout";
	event->device_removal_failed.qom_path = "";
	tell_failed(domain, event, NULL);
	operation_end(operation, NULL, error);
}

/* The operation may have ended before device_del was answered, by DEVICE_DELETED or by its time. */
typedef struct DetachReply {
	Domain *domain;
	uint64_t operation;
} DetachReply;

static void on_device_del(JsonNode *result, const GError *error, void *userdata)
{
	DetachReply *reply = userdata;
	Operation *operation = operation_find(reply->domain, reply->operation);
	g_autoptr(GError) refused = NULL;

	if (operation && g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
		g_set_error(&refused, CORE_ERROR, CORE_ERROR_REMOVAL_REFUSED,
			    "Device '%s' of domain '%s' cannot be removed: %s", operation->device,
			    domain_get_name(reply->domain), error->message);
	if (operation)
		operation->answered = true;
	if (operation && error)
		operation_end(operation, NULL, refused ? refused : error);
	domain_unref(reply->domain);
	g_free(reply);
}

void domain_detach_device(Domain *domain, const char *id, int timeout_ms, DomainDone done,
			  void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_DETACH_DEVICE, done,
					       userdata);
	g_autoptr(GError) error = NULL;
	DetachReply *reply;

	if (!operation)
		return;
	operation->device = g_strdup("");
	if (!g_hash_table_contains(domain->devices, id))
		g_set_error(&error, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE,
			    "Domain '%s' has no device with the id '%s'", domain_get_name(domain),
			    id);
	else if (detach_find(domain, id))
		g_set_error(&error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Device '%s' of domain '%s' is being detached already", id,
			    domain_get_name(domain));
	if (error) {
		operation_end(operation, NULL, error);
		return;
	}
	g_free(operation->device);
	operation->device = g_strdup(id);
	operation_set_timer(operation, timeout_ms, on_detach_timeout);
	reply = g_new0(DetachReply, 1);
	reply->domain = domain_ref(domain);
	reply->operation = operation->id;
	operation_send(operation, "device_del", call_arguments("id", id), DOMAIN_CALL_TIMEOUT_MS,
		       on_device_del, reply);
}
