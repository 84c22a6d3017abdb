/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/json-read.h"

/* ---- how a field is written ---- */

/* The place of a member of the payload; the comparison makes the compiler complain about another type. */
#define AT(where, ctype) \
	(offsetof(Event, where) + 0 * sizeof(&((Event *)NULL)->where == (ctype *)NULL))
#define VALUES(...) ((const char *const[]){ __VA_ARGS__, NULL })

#define TEXT(name, where)             { name, FIELD_TEXT, false, AT(where, const char *), NULL, NULL }
#define TEXT_OPTIONAL(name, where)    { name, FIELD_TEXT, true, AT(where, const char *), NULL, NULL }
#define WORD(name, where, ...) \
	{ name, FIELD_WORD, false, AT(where, const char *), NULL, VALUES(__VA_ARGS__) }
#define SWITCH(name, where, on, off) \
	{ name, FIELD_SWITCH, false, AT(where, const char *), NULL, VALUES(on, off) }
#define FLAG(name, where)             { name, FIELD_FLAG, false, AT(where, bool), NULL, NULL }
#define FLAG_OPTIONAL(name, where)    { name, FIELD_FLAG, true, AT(where, bool), NULL, NULL }
#define INT(name, where)              { name, FIELD_INT, false, AT(where, int64_t), NULL, NULL }
#define SIZE(name, where)             { name, FIELD_SIZE, false, AT(where, uint64_t), NULL, NULL }
#define CONSTANT(text, where) \
	{ NULL, FIELD_CONSTANT, false, AT(where, const char *), NULL, VALUES(text) }
#define TAKEN(name)                   { name, FIELD_TAKEN, true, 0, NULL, NULL }
/* Details that QEMU promises, and those it may send. What no field names becomes a detail all the same:
 * here are those whose type or key would be another then. */
#define DETAIL_FLAG(name, key)        { name, FIELD_FLAG, false, 0, key, NULL }
#define DETAIL_TEXT(name, key)        { name, FIELD_TEXT, false, 0, key, NULL }
#define DETAIL_WORD(name, key, ...)   { name, FIELD_WORD, false, 0, key, VALUES(__VA_ARGS__) }
#define DETAIL_SIZE(name, key)        { name, FIELD_SIZE, false, 0, key, NULL }
#define DETAIL_SIZE_OPTIONAL(name, key) { name, FIELD_SIZE, true, 0, key, NULL }
#define FIELDS(...) (const EventField[]){ __VA_ARGS__, { NULL, FIELD_NONE, false, 0, NULL, NULL } }

/* ---- QEMU's enumerations ---- */

#define SHUTDOWN_CAUSE \
	"none", "host-error", "host-qmp-quit", "host-qmp-system-reset", "host-signal", "host-ui", \
	"guest-shutdown", "guest-reset", "guest-panic", "subsystem-reset", "snapshot-load"
#define JOB_TYPE \
	"commit", "stream", "mirror", "backup", "create", "amend", "snapshot-load", \
	"snapshot-save", "snapshot-delete"
#define JOB_STATUS \
	"undefined", "created", "running", "paused", "ready", "standby", "waiting", "pending", \
	"aborting", "concluded", "null"
#define MIGRATION_STATUS \
	"none", "setup", "cancelling", "cancelled", "active", "postcopy-device", \
	"postcopy-active", "postcopy-paused", "postcopy-recover-setup", "postcopy-recover", \
	"completed", "failed", "colo", "pre-switchover", "device", "wait-unplug"
#define IO_OPERATION   "read", "write"
#define IO_ACTION      "ignore", "report", "stop"
#define WATCHDOG_ACTION \
	"reset", "shutdown", "poweroff", "pause", "debug", "none", "inject-nmi"
#define PANIC_ACTION   "pause", "poweroff", "run"
#define DUMP_STATUS    "none", "active", "completed", "failed"
#define COLO_MODE      "none", "primary", "secondary"
#define COLO_REASON    "none", "request", "error", "processing"
#define VFIO_STATE \
	"stop", "running", "stop-copy", "resuming", "running-p2p", "pre-copy", "pre-copy-p2p"

/* ---- fields that more than one row has ---- */

#define JOB_FIELDS(name) \
	FIELDS(TEXT("device", job_event.id), WORD("type", job_event.type, JOB_TYPE), \
	       CONSTANT(name, job_event.event), DETAIL_SIZE("len", "len"), \
	       DETAIL_SIZE("offset", "offset"), DETAIL_SIZE("speed", "speed"))

/* GuestPanicInformation (qapi/run-state.json): a union by its type. */
#define PANIC_DETAILS \
	DETAIL_SIZE_OPTIONAL("info.arg1", "info-arg1"), DETAIL_SIZE_OPTIONAL("info.arg2", "info-arg2"), \
	DETAIL_SIZE_OPTIONAL("info.arg3", "info-arg3"), DETAIL_SIZE_OPTIONAL("info.arg4", "info-arg4"), \
	DETAIL_SIZE_OPTIONAL("info.arg5", "info-arg5"), DETAIL_SIZE_OPTIONAL("info.core", "info-core"), \
	DETAIL_SIZE_OPTIONAL("info.psw-mask", "info-psw-mask"), \
	DETAIL_SIZE_OPTIONAL("info.psw-addr", "info-psw-addr"), \
	DETAIL_SIZE_OPTIONAL("info.error-code", "info-error-code"), \
	DETAIL_SIZE_OPTIONAL("info.gpa", "info-gpa")

/* service is "service" for VNC and "port" for SPICE. Who the client is goes to the payload alone: so nothing
 * of "client" becomes a detail by itself, for a later QEMU may say more there. */
#define CLIENT_FIELDS(name, what, service) \
	CONSTANT(name, display_client.protocol), CONSTANT(what, display_client.phase), \
	TEXT("server.host", display_client.server_host), \
	TEXT("server." service, display_client.server_service), \
	TEXT("client.host", display_client.client_host), \
	TEXT("client." service, display_client.client_service), \
	TEXT("client.family", display_client.family), \
	TEXT_OPTIONAL("server.auth", display_client.auth), TAKEN("client")
#define VNC_FIELDS(what) \
	FIELDS(CLIENT_FIELDS("vnc", what, "service"), \
	       FLAG("client.websocket", display_client.websocket), TAKEN("server.websocket"), \
	       TEXT_OPTIONAL("client.x509_dname", display_client.x509_dname), \
	       TEXT_OPTIONAL("client.sasl_username", display_client.sasl_username))
#define SPICE_FIELDS(what) FIELDS(CLIENT_FIELDS("spice", what, "port"))
/* The channel is a client's number: not who it is. */
#define SPICE_CHANNEL_FIELDS(what) \
	FIELDS(CLIENT_FIELDS("spice", what, "port"), \
	       INT("client.connection-id", display_client.connection_id), \
	       INT("client.channel-type", display_client.channel_type), \
	       INT("client.channel-id", display_client.channel_id), \
	       FLAG("client.tls", display_client.tls))

/* ---- what is more than a copy ---- */

static void set_lifecycle(Event *event, LifecycleEvent lifecycle, LifecycleReason reason)
{
	event->lifecycle.event = lifecycle;
	event->lifecycle.reason = reason;
}

/* Why it stopped is not in the event; the domain knows from what came before (domain/lifecycle.c). */
static void complete_stop(JsonObject *data, Event *event)
{
	set_lifecycle(event, LIFECYCLE_SUSPENDED, LIFECYCLE_REASON_PAUSED);
}

static void complete_resume(JsonObject *data, Event *event)
{
	set_lifecycle(event, LIFECYCLE_RESUMED, LIFECYCLE_REASON_UNPAUSED);
}

static void complete_suspend(JsonObject *data, Event *event)
{
	set_lifecycle(event, LIFECYCLE_PM_SUSPENDED, LIFECYCLE_REASON_MEMORY);
}

static void complete_suspend_disk(JsonObject *data, Event *event)
{
	set_lifecycle(event, LIFECYCLE_PM_SUSPENDED, LIFECYCLE_REASON_DISK);
}

static void complete_wakeup(JsonObject *data, Event *event)
{
	set_lifecycle(event, LIFECYCLE_STARTED, LIFECYCLE_REASON_WAKEUP);
}

static void complete_shutdown(JsonObject *data, Event *event)
{
	bool guest = false;

	(void)json_read_bool(data, "guest", &guest);
	set_lifecycle(event, LIFECYCLE_SHUTDOWN,
		      guest ? LIFECYCLE_REASON_GUEST : LIFECYCLE_REASON_HOST);
}

static void complete_crashloaded(JsonObject *data, Event *event)
{
	set_lifecycle(event, LIFECYCLE_CRASHED, LIFECYCLE_REASON_CRASHLOADED);
}

/* SocketAddress (qapi/sockets.json): a union by its type. */
static void complete_netdev_connected(JsonObject *data, Event *event)
{
	JsonObject *addr = json_read_object(data, "addr");
	const char *host = "", *service = "";

	if (!addr) {
		event_add_irregularity(event, "addr", "missing");
		return;
	}
	if (!json_read_string(addr, "host", &host) && !json_read_string(addr, "path", &host))
		(void)json_read_string(addr, "cid", &host);
	if (!json_read_string(addr, "port", &service))
		(void)json_read_string(addr, "str", &service);
	if (!*host && !*service) {
		event_add_irregularity(event, "addr", "wrong type");
		return;
	}
	if (strlen(host) + strlen(service) <= EVENT_TEXT_MAX)
		event_add_detail(event, "address",
				 g_variant_new_take_string(
					 display_client_format_address(host, service)));
}

static void complete_client(JsonObject *data, Event *event)
{
	DisplayClient *client = &event->display_client;

	if (!client->x509_dname)
		client->x509_dname = client->sasl_username = "";
	if (event->extra) {
		(void)g_variant_dict_remove(event->extra, "raw-client-x509-dname");
		(void)g_variant_dict_remove(event->extra, "raw-client-sasl-username");
	}
	display_client_add_details(event);
}

static void complete_client_channel(JsonObject *data, Event *event)
{
	event->display_client.has_channel = true;
	complete_client(data, event);
}

/* No data: all that is known is that the clients have moved to the destination. */
static void complete_spice_migrated(JsonObject *data, Event *event)
{
	event->display_client = DISPLAY_CLIENT_EMPTY;
	event->display_client.protocol = "spice";
	event->display_client.phase = "migrated";
}

/* ---- the rows ---- */

#define STREAM  EVENT_CLASS_STREAM
#define PREPARE EVENT_CLASS_PREPARE
#define TRIGGER EVENT_CLASS_TRIGGER

/* Keep this sorted by name: it is searched by bisection, and a test looks. */
static const EventRow rows[] = {
	{ "ACPI_DEVICE_OST", STREAM, EVENT_ACPI_DEVICE_STATUS,
	  FIELDS(TEXT_OPTIONAL("info.device", acpi_device_status.device),
		 TEXT("info.slot", acpi_device_status.slot),
		 WORD("info.slot-type", acpi_device_status.slot_type, "DIMM", "CPU"),
		 INT("info.source", acpi_device_status.source),
		 INT("info.status", acpi_device_status.status)), NULL },
	{ "BALLOON_CHANGE", STREAM, EVENT_BALLOON_CHANGED,
	  FIELDS(CONSTANT("", balloon_changed.device), SIZE("actual", balloon_changed.bytes)), NULL },
	{ "BLOCK_EXPORT_DELETED", STREAM, EVENT_EXPORT_DELETED,
	  FIELDS(TEXT("id", export_deleted.id)), NULL },
	{ "BLOCK_IMAGE_CORRUPTED", STREAM, EVENT_IMAGE_CORRUPTED,
	  FIELDS(TEXT("device", image_corrupted.device), TEXT("msg", image_corrupted.text),
		 FLAG("fatal", image_corrupted.fatal),
		 { "node-name", FIELD_TEXT, true, 0, "node", NULL },
		 DETAIL_SIZE_OPTIONAL("offset", "offset"), DETAIL_SIZE_OPTIONAL("size", "size")), NULL },
	{ "BLOCK_IO_ERROR", STREAM, EVENT_IO_ERROR,
	  FIELDS(TEXT("device", io_error.device),
		 WORD("operation", io_error.operation, IO_OPERATION),
		 WORD("action", io_error.action, IO_ACTION), TEXT("reason", io_error.text),
		 FLAG_OPTIONAL("nospace", io_error.no_space),
		 { "node-name", FIELD_TEXT, true, 0, "node", NULL }), NULL },
	{ "BLOCK_JOB_CANCELLED", STREAM, EVENT_JOB_EVENT, JOB_FIELDS("cancelled"), NULL },
	{ "BLOCK_JOB_COMPLETED", STREAM, EVENT_JOB_EVENT, JOB_FIELDS("completed"), NULL },
	{ "BLOCK_JOB_ERROR", STREAM, EVENT_JOB_EVENT,
	  FIELDS(TEXT("device", job_event.id), CONSTANT("error", job_event.event),
		 CONSTANT("", job_event.type), DETAIL_WORD("operation", "operation", IO_OPERATION),
		 DETAIL_WORD("action", "action", IO_ACTION)), NULL },
	{ "BLOCK_JOB_PENDING", STREAM, EVENT_JOB_EVENT,
	  FIELDS(TEXT("id", job_event.id), WORD("type", job_event.type, JOB_TYPE),
		 CONSTANT("pending", job_event.event)), NULL },
	{ "BLOCK_JOB_READY", STREAM, EVENT_JOB_EVENT, JOB_FIELDS("ready"), NULL },
	{ "BLOCK_WRITE_THRESHOLD", STREAM, EVENT_WRITE_THRESHOLD,
	  FIELDS(TEXT("node-name", write_threshold.node),
		 SIZE("write-threshold", write_threshold.threshold),
		 SIZE("amount-exceeded", write_threshold.excess)), NULL },
	{ "COLO_EXIT", STREAM, EVENT_COLO_EXIT,
	  FIELDS(WORD("mode", colo_exit.mode, COLO_MODE),
		 WORD("reason", colo_exit.reason, COLO_REASON)), NULL },
	{ "CPU_POLARIZATION_CHANGE", STREAM, EVENT_CPU_POLARIZATION_CHANGED,
	  FIELDS(WORD("polarization", cpu_polarization_changed.polarization, "horizontal",
		      "vertical")), NULL },
	{ "DEVICE_DELETED", PREPARE, EVENT_DEVICE_REMOVED,
	  FIELDS(TEXT_OPTIONAL("device", device_removed.id),
		 TEXT("path", device_removed.qom_path)), NULL },
	{ "DEVICE_TRAY_MOVED", STREAM, EVENT_TRAY_CHANGED,
	  FIELDS(TEXT("id", tray_changed.id), TEXT("device", tray_changed.device),
		 SWITCH("tray-open", tray_changed.state, "open", "closed")), NULL },
	{ "DEVICE_UNPLUG_GUEST_ERROR", STREAM, EVENT_DEVICE_REMOVAL_FAILED,
	  FIELDS(TEXT_OPTIONAL("device", device_removal_failed.id),
		 TEXT("path", device_removal_failed.qom_path),
		 CONSTANT("guest", device_removal_failed.reason)), NULL },
	{ "DUMP_COMPLETED", STREAM, EVENT_DUMP_COMPLETED,
	  FIELDS(WORD("result.status", dump_completed.status, DUMP_STATUS),
		 SIZE("result.completed", dump_completed.completed),
		 SIZE("result.total", dump_completed.total),
		 TEXT_OPTIONAL("error", dump_completed.error)), NULL },
	{ "FAILOVER_NEGOTIATED", STREAM, EVENT_FAILOVER_NEGOTIATED,
	  FIELDS(TEXT("device-id", failover_negotiated.device)), NULL },
	{ "GUEST_CRASHLOADED", STREAM, EVENT_LIFECYCLE,
	  FIELDS(DETAIL_WORD("action", "action", PANIC_ACTION), PANIC_DETAILS), complete_crashloaded },
	{ "GUEST_PANICKED", STREAM, EVENT_PANICKED,
	  FIELDS(WORD("action", panicked.action, PANIC_ACTION), PANIC_DETAILS), NULL },
	{ "GUEST_PVSHUTDOWN", STREAM, EVENT_GUEST_SHUTDOWN_REQUESTED,
	  FIELDS(CONSTANT("pvpanic", guest_shutdown_requested.source)), NULL },
	{ "HV_BALLOON_STATUS_REPORT", STREAM, EVENT_BALLOON_REPORT,
	  FIELDS(CONSTANT("", balloon_report.device), SIZE("committed", balloon_report.committed),
		 SIZE("available", balloon_report.available)), NULL },
	{ "JOB_STATUS_CHANGE", PREPARE, EVENT_JOB_CHANGED,
	  FIELDS(TEXT("id", job_changed.id), WORD("status", job_changed.status, JOB_STATUS)), NULL },
	{ "MEMORY_DEVICE_SIZE_CHANGE", STREAM, EVENT_MEMORY_DEVICE_SIZE_CHANGED,
	  FIELDS(TEXT_OPTIONAL("id", memory_device_size_changed.id),
		 SIZE("size", memory_device_size_changed.size),
		 TEXT("qom-path", memory_device_size_changed.qom_path)), NULL },
	{ "MEMORY_FAILURE", STREAM, EVENT_MEMORY_FAILURE,
	  FIELDS(WORD("recipient", memory_failure.recipient, "hypervisor", "guest"),
		 WORD("action", memory_failure.action, "ignore", "inject", "fatal", "reset"),
		 FLAG("flags.action-required", memory_failure.action_required),
		 FLAG("flags.recursive", memory_failure.recursive)), NULL },
	{ "MEM_UNPLUG_ERROR", STREAM, EVENT_DEVICE_REMOVAL_FAILED,
	  FIELDS(TEXT("device", device_removal_failed.id),
		 CONSTANT("memory", device_removal_failed.reason),
		 CONSTANT("", device_removal_failed.qom_path), DETAIL_TEXT("msg", "text")), NULL },
	{ "MIGRATION", STREAM, EVENT_MIGRATION_CHANGED,
	  FIELDS(WORD("status", migration_changed.status, MIGRATION_STATUS),
		 CONSTANT("", migration_changed.old)), NULL },
	{ "MIGRATION_PASS", STREAM, EVENT_MIGRATION_PASS,
	  FIELDS(CONSTANT("outgoing", migration_pass.direction), INT("pass", migration_pass.pass)),
	  NULL },
	{ "NETDEV_STREAM_CONNECTED", STREAM, EVENT_NETDEV_CONNECTED,
	  FIELDS(TEXT("netdev-id", netdev_connected.netdev),
		 CONSTANT("stream", netdev_connected.kind), TAKEN("addr")), complete_netdev_connected },
	{ "NETDEV_STREAM_DISCONNECTED", STREAM, EVENT_NETDEV_DISCONNECTED,
	  FIELDS(TEXT("netdev-id", netdev_disconnected.netdev),
		 CONSTANT("stream", netdev_disconnected.kind)), NULL },
	{ "NETDEV_VHOST_USER_CONNECTED", STREAM, EVENT_NETDEV_CONNECTED,
	  FIELDS(TEXT("netdev-id", netdev_connected.netdev),
		 CONSTANT("vhost-user", netdev_connected.kind),
		 DETAIL_TEXT("chardev-id", "chardev")), NULL },
	{ "NETDEV_VHOST_USER_DISCONNECTED", STREAM, EVENT_NETDEV_DISCONNECTED,
	  FIELDS(TEXT("netdev-id", netdev_disconnected.netdev),
		 CONSTANT("vhost-user", netdev_disconnected.kind)), NULL },
	{ "NIC_RX_FILTER_CHANGED", TRIGGER, EVENT_FILTER_CHANGED,
	  FIELDS(TEXT_OPTIONAL("name", filter_changed.nic)), NULL },
	{ "POWERDOWN", STREAM, EVENT_POWERDOWN_REQUESTED,
	  FIELDS(CONSTANT("host", powerdown_requested.source)), NULL },
	{ "PR_MANAGER_STATUS_CHANGED", STREAM, EVENT_PR_MANAGER_CHANGED,
	  FIELDS(TEXT("id", pr_manager_changed.id),
		 SWITCH("connected", pr_manager_changed.state, "connected", "disconnected")), NULL },
	{ "QUORUM_FAILURE", STREAM, EVENT_QUORUM_FAILURE,
	  FIELDS(TEXT("reference", quorum_failure.reference),
		 INT("sector-num", quorum_failure.sector),
		 INT("sectors-count", quorum_failure.count)), NULL },
	{ "QUORUM_REPORT_BAD", STREAM, EVENT_QUORUM_REPORT_BAD,
	  FIELDS(TEXT("node-name", quorum_report_bad.node),
		 WORD("type", quorum_report_bad.operation, "read", "write", "flush"),
		 INT("sector-num", quorum_report_bad.sector),
		 INT("sectors-count", quorum_report_bad.count)), NULL },
	{ "RDMA_GID_STATUS_CHANGED", STREAM, EVENT_RDMA_GID_STATUS_CHANGED,
	  FIELDS(TEXT("netdev", rdma_gid_status_changed.netdev),
		 FLAG("gid-status", rdma_gid_status_changed.status),
		 DETAIL_SIZE("subnet-prefix", "subnet-prefix"),
		 DETAIL_SIZE("interface-id", "interface-id")), NULL },
	{ "RESET", STREAM, EVENT_RESET,
	  FIELDS(SWITCH("guest", reset.initiator, "guest", "host"),
		 WORD("reason", reset.cause, SHUTDOWN_CAUSE)), NULL },
	{ "RESUME", STREAM, EVENT_LIFECYCLE, NULL, complete_resume },
	{ "RTC_CHANGE", STREAM, EVENT_RTC_CHANGED,
	  FIELDS(TEXT("qom-path", rtc_changed.qom_path), INT("offset", rtc_changed.offset)), NULL },
	{ "SCLP_CPI_INFO_AVAILABLE", STREAM, EVENT_GUEST_INFORMATION,
	  FIELDS(CONSTANT("control-program-identification", guest_information.kind)), NULL },
	{ "SHUTDOWN", STREAM, EVENT_LIFECYCLE,
	  FIELDS(DETAIL_FLAG("guest", "guest"), DETAIL_WORD("reason", "cause", SHUTDOWN_CAUSE)),
	  complete_shutdown },
	{ "SPICE_CONNECTED", STREAM, EVENT_DISPLAY_CLIENT, SPICE_FIELDS("connected"), complete_client },
	{ "SPICE_DISCONNECTED", STREAM, EVENT_DISPLAY_CLIENT, SPICE_FIELDS("disconnected"),
	  complete_client },
	{ "SPICE_INITIALIZED", STREAM, EVENT_DISPLAY_CLIENT, SPICE_CHANNEL_FIELDS("initialized"),
	  complete_client_channel },
	{ "SPICE_MIGRATE_COMPLETED", STREAM, EVENT_DISPLAY_CLIENT, NULL, complete_spice_migrated },
	{ "STOP", PREPARE, EVENT_LIFECYCLE, NULL, complete_stop },
	{ "SUSPEND", STREAM, EVENT_LIFECYCLE, NULL, complete_suspend },
	{ "SUSPEND_DISK", STREAM, EVENT_LIFECYCLE, NULL, complete_suspend_disk },
	{ "UNPLUG_PRIMARY", STREAM, EVENT_FAILOVER_PRIMARY_UNPLUGGED,
	  FIELDS(TEXT("device-id", failover_primary_unplugged.device)), NULL },
	{ "VFIO_MIGRATION", STREAM, EVENT_MIGRATION_DEVICE_CHANGED,
	  FIELDS(TEXT("device-id", migration_device_changed.device),
		 TEXT("qom-path", migration_device_changed.qom_path),
		 WORD("device-state", migration_device_changed.state, VFIO_STATE)), NULL },
	{ "VFU_CLIENT_HANGUP", STREAM, EVENT_VFU_CLIENT_HANGUP,
	  FIELDS(TEXT("vfu-id", vfu_client_hangup.id), TEXT("dev-id", vfu_client_hangup.device),
		 TEXT("vfu-qom-path", vfu_client_hangup.qom_path),
		 DETAIL_TEXT("dev-qom-path", "device-qom-path")), NULL },
	{ "VNC_CONNECTED", STREAM, EVENT_DISPLAY_CLIENT, VNC_FIELDS("connected"), complete_client },
	{ "VNC_DISCONNECTED", STREAM, EVENT_DISPLAY_CLIENT, VNC_FIELDS("disconnected"),
	  complete_client },
	{ "VNC_INITIALIZED", STREAM, EVENT_DISPLAY_CLIENT, VNC_FIELDS("initialized"), complete_client },
	{ "VSERPORT_CHANGE", STREAM, EVENT_CHANNEL_CHANGED,
	  FIELDS(TEXT("id", channel_changed.id),
		 SWITCH("open", channel_changed.state, "open", "closed")), NULL },
	{ "WAKEUP", STREAM, EVENT_LIFECYCLE, NULL, complete_wakeup },
	{ "WATCHDOG", STREAM, EVENT_WATCHDOG,
	  FIELDS(WORD("action", watchdog.action, WATCHDOG_ACTION)), NULL },
};

static int compare_name(const void *key, const void *row)
{
	return strcmp(key, ((const EventRow *)row)->name);
}

const EventRow *event_table_lookup(const char *name)
{
	return bsearch(name, rows, G_N_ELEMENTS(rows), sizeof(rows[0]), compare_name);
}

const EventRow *event_table_rows(size_t *ret_count)
{
	*ret_count = G_N_ELEMENTS(rows);
	return rows;
}
