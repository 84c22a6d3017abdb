/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formats. In braces is what is filled in: the number of an argument or the key of a detail, others
 * to take instead where it is empty, and how it is shown: "{0}", "{0|node}", "{1:size}". A part in
 * brackets is left out if something in it is missing or empty. All else is as it stands there, so
 * that a translation may put things in another order.
 *
 * WARNING: values come from guests. They are filled in once, and never read as a format.
 */
#include "ctl/sentence.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ctl/event-line.h"
#include "ctl/output.h"
#include "ctl/value.h"

typedef struct Sentence {
	const char *signal;     /* interface and member */
	const char *what;       /* argument or detail that chooses this row; NULL: it fits always */
	const char *values;     /* one of these, with "|" between them; NULL: any that is not empty */
	const char *format;     /* N_() */
} Sentence;

/* The first row that fits is the sentence. */
static const Sentence sentences[] = {
	{ "Domain.Lifecycle", NULL, NULL,
	  N_("{0}[ ({1})]; state {2}[, cause {cause}][, exit status {exit-status}]"
	     "[, signal {signal}][, QEMU said: {stderr:text}]") },
	{ "Domain.Reset", "0", "guest", N_("machine reset by the guest[ ({1})]") },
	{ "Domain.Reset", "0", "host", N_("machine reset by the host[ ({1})]") },
	{ "Domain.Reset", NULL, NULL, N_("machine reset[ ({1})]") },
	{ "Domain.PowerdownRequested", NULL, NULL, N_("guest asked to power down[, by {0}]") },
	{ "Domain.GuestShutdownRequested", NULL, NULL,
	  N_("guest asks for its shutdown[, through {0}]") },
	{ "Domain.Watchdog", NULL, NULL, N_("watchdog expired, action {0}") },
	{ "Domain.Panicked", NULL, NULL,
	  N_("guest panicked, action {0}[, {info-type}][, {info-reason}][: {info-message:text}]") },

	{ "Devices.DeviceAdded", NULL, NULL, N_("device {0|2} added[ ({1})]") },
	{ "Devices.DeviceRemoved", NULL, NULL, N_("device {0|1} removed") },
	{ "Devices.DeviceRemovalFailed", "1", "guest",
	  N_("device {0|2} not removed: the guest refuses") },
	{ "Devices.DeviceRemovalFailed", "1", "memory",
	  N_("device {0|2} not removed: the guest keeps its memory[: {text:text}]") },
	{ "Devices.DeviceRemovalFailed", "1", "acpi",
	  N_("device {0|2} not removed: refused by ACPI"
	     "[ (source {source:hex}, status {status:hex})]") },
	{ "Devices.DeviceRemovalFailed", "1", "timeout",
	  N_("device {0|2} not removed: the guest did not let go of it in time") },
	{ "Devices.DeviceRemovalFailed", NULL, NULL, N_("device {0|2} not removed: {1}") },
	{ "Devices.TrayChanged", "1", "open", N_("tray of {0|2} opened") },
	{ "Devices.TrayChanged", "1", "closed", N_("tray of {0|2} closed") },
	{ "Devices.TrayChanged", NULL, NULL, N_("tray of {0|2}: {1}") },
	{ "Devices.AcpiDeviceStatus", NULL, NULL,
	  N_("ACPI status of {2} slot {1}[ ({0})]: source {3:hex}, status {4:hex}") },
	{ "Devices.MemoryDeviceSizeChanged", NULL, NULL,
	  N_("memory device {0|2} has {1:size} plugged in") },
	{ "Devices.VfuClientHangup", NULL, NULL,
	  N_("client of vfio-user server {0|2} hung up[ (device {1})]") },

	{ "Network.FilterChanged", NULL, NULL, N_("receive filter of {0}: {1}") },
	{ "Network.MacChanged", NULL, NULL, N_("MAC address of {0} is {2}[ (was {1})]") },
	{ "Network.NetdevConnected", NULL, NULL,
	  N_("network backend {0}[ ({1})] connected[ to {address:text}][, chardev {chardev}]") },
	{ "Network.NetdevDisconnected", NULL, NULL,
	  N_("network backend {0}[ ({1})] disconnected") },
	{ "Network.FailoverNegotiated", NULL, NULL, N_("failover negotiated for {0}") },
	{ "Network.FailoverPrimaryUnplugged", NULL, NULL,
	  N_("failover primary {0} unplugged for migration") },
	{ "Network.RdmaGidStatusChanged", "1", "true",
	  N_("RDMA address of {0} added[ (subnet prefix {subnet-prefix:hex}, "
	     "interface id {interface-id:hex})]") },
	{ "Network.RdmaGidStatusChanged", "1", "false",
	  N_("RDMA address of {0} removed[ (subnet prefix {subnet-prefix:hex}, "
	     "interface id {interface-id:hex})]") },

	{ "Block.IOError", "3", "true", N_("I/O error: {0|node|qom-path}, {1}, no space left") },
	{ "Block.IOError", NULL, NULL, N_("I/O error: {0|node|qom-path}, {1}[, {4:text}]") },
	{ "Block.ImageCorrupted", "1", "true",
	  N_("image of {0|node} is corrupted and can no longer be used[: {2:text}]"
	     "[, offset {offset}][, {size:size}]") },
	{ "Block.ImageCorrupted", NULL, NULL,
	  N_("image of {0|node} is corrupted[: {2:text}][, offset {offset}][, {size:size}]") },
	{ "Block.WriteThreshold", "reason", "resync",
	  N_("write threshold of {0} at {1:size} was exceeded") },
	{ "Block.WriteThreshold", NULL, NULL,
	  N_("write threshold of {0} at {1:size} exceeded by {2:size}") },
	{ "Block.JobChanged", "type", VALUE_JOBS_IN_BYTES,
	  N_("job {0} ({type}): {1}[, {offset:size} of {len:size}][: {error:text}]") },
	{ "Block.JobChanged", NULL, NULL, N_("job {0}[ ({type})]: {1}[: {error:text}]") },
	{ "Block.JobEvent", "1", "ready",
	  N_("block job {0}[ ({2})] ready[, {offset:size} of {len:size}]") },
	{ "Block.JobEvent", "1", "completed",
	  N_("block job {0}[ ({2})] completed[, {offset:size} of {len:size}][: {error:text}]") },
	{ "Block.JobEvent", "1", "cancelled",
	  N_("block job {0}[ ({2})] cancelled[, {offset:size} of {len:size}]") },
	{ "Block.JobEvent", "1", "pending",
	  N_("block job {0}[ ({2})] waits to be finalized[: {error:text}]") },
	{ "Block.JobEvent", "1", "error", N_("I/O error in block job {0}[ ({2})][, {operation}]") },
	{ "Block.JobEvent", NULL, NULL, N_("block job {0}[ ({2})]: {1}") },
	{ "Block.ExportDeleted", NULL, NULL, N_("block export {0} deleted") },
	{ "Block.QuorumFailure", NULL, NULL,
	  N_("quorum {0} has no majority, first sector {1}, count {2}") },
	{ "Block.QuorumReportBad", NULL, NULL,
	  N_("quorum child {0} failed or differs at {1}, first sector {2}, count {3}[: {error:text}]") },
	{ "Block.PRManagerChanged", "1", "connected",
	  N_("persistent reservation helper {0} connected") },
	{ "Block.PRManagerChanged", "1", "disconnected",
	  N_("persistent reservation helper {0} disconnected") },
	{ "Block.PRManagerChanged", NULL, NULL, N_("persistent reservation helper {0}: {1}") },

	{ "Guest.ChannelChanged", "1", "open", N_("channel {0}[ ({name})] opened") },
	{ "Guest.ChannelChanged", "1", "closed", N_("channel {0}[ ({name})] closed") },
	{ "Guest.ChannelChanged", NULL, NULL, N_("channel {0}[ ({name})]: {1}") },
	{ "Guest.BalloonChanged", NULL, NULL, N_("balloon[ {0}] at {1:size}") },
	{ "Guest.BalloonReport", NULL, NULL,
	  N_("balloon[ {0}] reports {1:size} committed, {2:size} available") },
	{ "Guest.RtcChanged", NULL, NULL, N_("guest has set its clock, offset {1} s") },
	{ "Guest.MemoryFailure", "0", "hypervisor",
	  N_("host memory error in the hypervisor, action {1}[ ({2:list})]") },
	{ "Guest.MemoryFailure", "0", "guest",
	  N_("host memory error in the guest, action {1}[ ({2:list})]") },
	{ "Guest.MemoryFailure", NULL, NULL, N_("host memory error, action {1}[ ({2:list})]") },
	{ "Guest.CpuPolarizationChanged", NULL, NULL, N_("guest asks for {0} CPU polarization") },
	{ "Guest.Information", NULL, NULL, N_("guest has told its {0}") },

	{ "Display.Client", "1", "connected",
	  N_("{0} client connected[ from {client:text}]") },
	{ "Display.Client", "1", "initialized",
	  N_("{0} client initialized[ from {client:text}][, authentication {auth}]"
	     "[, channel {connection-id}:{channel-type}:{channel-id}]") },
	{ "Display.Client", "1", "disconnected",
	  N_("{0} client disconnected[ from {client:text}]") },
	{ "Display.Client", "1", "migrated", N_("{0} clients migrated") },
	{ "Display.Client", NULL, NULL, N_("{0} client[ from {client:text}]: {1}") },

	{ "Migration.Changed", NULL, NULL, N_("migration: {0}[ (was {1})]") },
	{ "Migration.Pass", NULL, NULL, N_("migration pass {1}[ ({0})]") },
	{ "Migration.DeviceChanged", NULL, NULL, N_("migration of device {0|2}: {1}") },
	{ "Migration.ColoExit", NULL, NULL, N_("COLO ended, mode {0}, reason {1}") },
	{ "Migration.DumpCompleted", "0", "completed",
	  N_("memory dump completed, {1:size} of {2:size}[: {3:text}]") },
	{ "Migration.DumpCompleted", "0", "failed",
	  N_("memory dump failed, {1:size} of {2:size}[: {3:text}]") },
	{ "Migration.DumpCompleted", NULL, NULL,
	  N_("memory dump: {0}, {1:size} of {2:size}[: {3:text}]") },

	{ "Monitor.Event", NULL, NULL,
	  N_("QEMU's event {0}[: {1:text}][ ({omitted-bytes:size} left out)]") },
	{ "Monitor.Lost", NULL, NULL, N_("monitor lost[: {0}][, {reason:text}]") },
	{ "Monitor.Resynchronized", "0", "connection-kept",
	  N_("the service was started again; nothing was lost") },
	{ "Monitor.Resynchronized", "1", "0",
	  N_("state read afresh[ ({0})]; events before may be missing") },
	{ "Monitor.Resynchronized", NULL, NULL,
	  N_("state read afresh[ ({0})]; events after number {1} may be missing") },
	{ "Monitor.EventsLost", NULL, NULL, N_("events lost in {0}: {1}[, {reason:text}]") },
};

/* What follows the sentence: each row that fits. A NULL signal is any. */
static const Sentence additions[] = {
	{ "Domain.Lifecycle", "while-away", "true", N_(", while the service was away") },
	{ "Block.IOError", "2", "stop", N_("; guest paused") },
	{ "Block.IOError", "2", "report", N_("; reported to the guest") },
	{ "Block.IOError", "2", "ignore", N_("; ignored") },
	{ "Block.JobEvent", "action", "stop", N_("; job paused") },
	{ "Block.JobEvent", "action", "report", N_("; job fails") },
	{ "Block.JobEvent", "action", "ignore", N_("; ignored") },
	{ NULL, "reason", "resync", N_(" (found by resync)") },
	{ NULL, "irregular", NULL, N_(" (irregular: {irregular:list})") },
};

/* ---- values ---- */

/* NULL if the event has no such argument or detail. A new reference. */
static VmhValue *find_value(const VmhEvent *event, const char *what)
{
	/* Details begin with a letter. */
	if (g_ascii_isdigit(*what))
		return vmh_value_get_child(event->arguments, (size_t) (*what - '0'));
	return vmh_value_lookup(event->details, what);
}

static bool fits(const Sentence *row, const VmhEvent *event, const char *name)
{
	g_autoptr(VmhValue) value = NULL;
	g_autofree char *text = NULL;

	if (row->signal && !g_str_equal(row->signal, name))
		return false;
	if (!row->what)
		return true;
	value = find_value(event, row->what);
	if (!value || value_is_empty(value))
		return false;
	if (!row->values)
		return true;
	text = vmh_value_get_string(value) ? g_strdup(vmh_value_get_string(value)) : vmh_value_to_json(value);
	return value_is_among(row->values, text);
}

static bool append_list(GString *string, const VmhValue *value)
{
	size_t length = vmh_value_get_length(value);

	if (!value_is_list(value))
		return false;
	for (size_t i = 0; i < MIN(length, VALUE_TEXT_LIST_MAX); i++) {
		g_autoptr(VmhValue) element = vmh_value_get_child(value, i);
		const char *plain = vmh_value_get_string(element);
		g_autofree char *text = plain ? value_shorten(plain) : value_to_text(element);

		g_string_append_printf(string, "%s%s", i > 0 ? ", " : "", text);
	}
	if (length > VALUE_TEXT_LIST_MAX)
		g_string_append(string, ", …");
	return true;
}

/* False if the value is not of the kind that can be shown like this. */
static bool append_value(GString *string, const VmhValue *value, const char *how)
{
	g_autofree char *text = NULL;
	uint64_t number = 0;

	if (!how) {
		value_append_text(string, value);
		return true;
	}
	if (g_str_equal(how, "list"))
		return append_list(string, value);
	if (g_str_equal(how, "text")) {
		if (!vmh_value_get_string(value))
			return false;
		text = value_shorten(vmh_value_get_string(value));
	} else {
		if (!vmh_value_get_uint64(value, &number))
			return false;
		text = g_str_equal(how, "size") ? output_size(number)
						: g_strdup_printf("0x%" G_GINT64_MODIFIER "x", number);
	}
	g_string_append(string, text);
	return true;
}

/* ---- formats ---- */

typedef enum Filled {
	FILLED,
	FILLED_EMPTY,           /* with nothing: there is a value, but it is empty */
	FILLED_NOT,             /* no such value, or another kind of it */
} Filled;

/* place is what is between the braces. */
static Filled fill_in(GString *string, const char *place, const VmhEvent *event)
{
	g_auto(GStrv) parts = g_strsplit(place, ":", 2);
	g_auto(GStrv) names = g_strsplit(parts[0], "|", -1);
	g_autoptr(VmhValue) value = NULL;

	for (unsigned i = 0; names[i]; i++) {
		g_autoptr(VmhValue) found = find_value(event, names[i]);

		if (found && (!value || value_is_empty(value))) {
			vmh_value_unref(value);
			value = g_steal_pointer(&found);
		}
	}
	if (!value || !append_value(string, value, parts[1]))
		return FILLED_NOT;
	return value_is_empty(value) ? FILLED_EMPTY : FILLED;
}

/* False if something outside of brackets is missing. */
static bool append_format(GString *string, const char *format, const VmhEvent *event)
{
	gsize part = 0;         /* length of string where the part in brackets began */
	bool inside = false, left_out = false;

	while (*format) {
		g_autofree char *place = NULL;
		Filled filled;

		if (*format == '[') {
			inside = true;
			left_out = false;
			part = string->len;
			format++;
		} else if (*format == ']') {
			if (left_out)
				g_string_truncate(string, part);
			inside = false;
			format++;
		} else if (*format == '{' && strchr(format, '}')) {
			place = g_strndup(format + 1, (gsize) (strchr(format, '}') - format - 1));
			filled = fill_in(string, place, event);
			if (filled == FILLED_NOT && !inside)
				return false;
			left_out = left_out || filled != FILLED;
			format += strlen(place) + 2;
		} else {
			g_string_append_c(string, *format++);
		}
	}
	return true;
}

char *sentence_new(const VmhEvent *event)
{
	g_autofree char *name = NULL;
	g_autoptr(GString) string = NULL;
	const Sentence *sentence = NULL;

	if (!event->details)
		return NULL;
	name = event_line_name(event);
	for (unsigned i = 0; !sentence && i < G_N_ELEMENTS(sentences); i++) {
		if (fits(&sentences[i], event, name))
			sentence = &sentences[i];
	}
	if (!sentence)
		return NULL;
	string = g_string_new(NULL);
	if (!append_format(string, _(sentence->format), event))
		return NULL;
	for (unsigned i = 0; i < G_N_ELEMENTS(additions); i++) {
		gsize length = string->len;

		if (fits(&additions[i], event, name) &&
		    !append_format(string, _(additions[i].format), event))
			g_string_truncate(string, length);
	}
	return g_string_free(g_steal_pointer(&string), false);
}
