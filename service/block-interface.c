/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-options.h"
#include "bus/variant.h"
#include "domain-object.h"
#include "method-call.h"

/* org.vmherald.Domains1.Block: drives, their errors and their jobs. */

static int append_job(sd_bus_message *reply, const void *value)
{
	const DomainJob *job = value;

	return sd_bus_message_append(reply, "a{sv}", job->error ? 6 : 5, "type", "s", job->type,
				     "status", "s", job->status, "len", "t", job->length,
				     "offset", "t", job->offset, "speed", "t", job->speed,
				     "error", "s", job->error);
}

static int get_jobs(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return bus_append_entries(reply, domain_get_jobs(((DomainObject *)userdata)->domain),
				  append_job);
}

static int get_io_status(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return bus_append_strings(reply, domain_get_io_status(((DomainObject *)userdata)->domain));
}

static int get_thresholds(sd_bus *bus, const char *path, const char *interface, const char *property,
			  sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const Domain *domain = ((DomainObject *)userdata)->domain;
	int r = sd_bus_message_open_container(reply, 'a', "{st}");
	GHashTableIter iter;
	void *node, *bytes;

	g_hash_table_iter_init(&iter, domain_get_write_thresholds(domain));
	while (r >= 0 && g_hash_table_iter_next(&iter, &node, &bytes))
		r = sd_bus_message_append(reply, "{st}", node, *(uint64_t *)bytes);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_set_threshold(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	const char *node;
	uint64_t bytes;
	int r = sd_bus_message_read(message, "st", &node, &bytes);

	if (r < 0)
		return r;
	domain_set_write_threshold(object.domain, node, bytes, method_call_done,
				   method_call_new(object.service, message));
	return 1;
}

static int method_cancel_job(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	int timeout_ms = DOMAIN_CANCEL_TIMEOUT_MS;
	bool force = false;
	const BusOption options[] = {
		{ "force", BUS_OPTION_BOOLEAN, &force },
		{ "timeout", BUS_OPTION_DURATION, &timeout_ms },
	};
	const char *id;
	int r = sd_bus_message_read(message, "s", &id);

	if (r >= 0)
		r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	if (r < 0)
		return r;
	domain_cancel_job(object.domain, id, force, timeout_ms, method_call_done,
			  method_call_new(object.service, message));
	return 1;
}

const sd_bus_vtable block_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("SetWriteThreshold", SD_BUS_ARGS("s", node, "t", bytes),
		      SD_BUS_NO_RESULT, method_set_threshold, ACTION_CONTROL),
	ACTION_METHOD("CancelJob", SD_BUS_ARGS("s", id, "a{sv}", options),
		      SD_BUS_NO_RESULT, method_cancel_job, ACTION_CONTROL),
	SD_BUS_PROPERTY("Jobs", "a{sa{sv}}", get_jobs, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("IOStatus", "a{ss}", get_io_status, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("WriteThresholds", "a{st}", get_thresholds, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_SIGNAL_WITH_ARGS("IOError",
				SD_BUS_ARGS("s", device, "s", operation, "s", action, "b", no_space,
					    "s", text, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("ImageCorrupted",
				SD_BUS_ARGS("s", device, "b", fatal, "s", text, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("WriteThreshold",
				SD_BUS_ARGS("s", node, "t", threshold, "t", excess, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("JobChanged",
				SD_BUS_ARGS("s", id, "s", status, "(ttt)", stamp, "a{sv}", details),
					    0),
	SD_BUS_SIGNAL_WITH_ARGS("JobEvent",
				SD_BUS_ARGS("s", id, "s", event, "s", type, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("ExportDeleted",
				SD_BUS_ARGS("s", id, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("QuorumFailure",
				SD_BUS_ARGS("s", reference, "x", sector, "x", count, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("QuorumReportBad",
				SD_BUS_ARGS("s", node, "s", operation, "x", sector, "x", count,
					    "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("PRManagerChanged",
				SD_BUS_ARGS("s", id, "s", state, "(ttt)", stamp, "a{sv}", details),
					    0),
	SD_BUS_VTABLE_END,
};
