/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver-records.h"

#include <stddef.h>
#include <string.h>

#include "domain/domain-log.h"

/*
 * Which events become records, in one table for the life of a domain and one for its troubles. What a guest does
 * in the ordinary course of things (trays, channels, filters) is for those who listen, not for the log.
 *
 * All arguments and details of the signal are fields. The texts name the more important ones in braces.
 */

/* ---- fields ---- */

typedef struct Fields {
	LogField array[LOG_FIELDS_MAX + 1];
	size_t n;
	GPtrArray *owned;            /* names and values */
} Fields;

/* Both live as long as fields. */
static void add(Fields *fields, const char *name, const char *value)
{
	if (fields->n < LOG_FIELDS_MAX)
		fields->array[fields->n++] = (LogField){ name, value };
}

static void add_owned(Fields *fields, char *name, char *value)
{
	g_ptr_array_add(fields->owned, name);
	g_ptr_array_add(fields->owned, value);
	add(fields, name, value);
}

static char *make_name(const char *key)
{
	char *upper = g_ascii_strup(key, -1);
	char *name = g_strconcat(LOG_FIELD_DETAIL, g_strdelimit(upper, "-", '_'), NULL);

	g_free(upper);
	return name;
}

static void add_details(Fields *fields, GVariant *details)
{
	GVariantIter iter;
	const char *key;
	GVariant *value;

	if (!details)
		return;
	g_variant_iter_init(&iter, details);
	while (g_variant_iter_loop(&iter, "{&sv}", &key, &value))
		add_owned(fields, make_name(key), g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)
							  ? g_variant_dup_string(value, NULL)
							  : g_variant_print(value, FALSE));
}

static const char *find(const Fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n; i++)
		if (g_str_equal(fields->array[i].name, name))
			return fields->array[i].value;
	return NULL;
}

/* text with the values of the fields in place of their names: {DEVICE} of VMHERALD_DETAIL_DEVICE, {REASON} of
 * VMHERALD_REASON. */
static char *fill_in(const char *text, const Fields *fields)
{
	GString *filled = g_string_new(NULL);
	const char *open, *close;

	while ((open = strchr(text, '{')) && (close = strchr(open, '}'))) {
		g_autofree char *key = g_strndup(open + 1, (size_t)(close - open - 1));
		g_autofree char *detail = g_strconcat(LOG_FIELD_DETAIL, key, NULL);
		const char *value = find(fields, detail);

		if (!value && g_str_equal(key, "REASON"))
			value = find(fields, LOG_FIELD_REASON);
		g_string_append_len(filled, text, open - text);
		g_string_append(filled, value ?: "");
		text = close + 1;
	}
	g_string_append(filled, text);
	return g_string_free(filled, FALSE);
}

static void write_record(const Domain *domain, const Event *event, LogId id, const char *text,
			 Fields *fields)
{
	g_autofree char *sequence = g_strdup_printf("%" G_GUINT64_FORMAT, event->stamp.sequence);
	g_autofree char *filled = NULL;

	add(fields, LOG_FIELD_SEQUENCE, sequence);
	add_details(fields, event->details);
	filled = fill_in(text, fields);
	domain_log_event(domain, id, fields->array, "%s", filled);
}

/* ---- the life of a domain ---- */

typedef struct LifeRow {
	const char *text;
	LogId id;
	LogId failure;               /* if it happened by an error; 0 if it cannot */
} LifeRow;

static const LifeRow life_rows[] = {
	[LIFECYCLE_DEFINED] = { "defined ({REASON})", LOG_ID_DEFINED, LOG_ID_NONE },
	[LIFECYCLE_UNDEFINED] = { "undefined ({REASON})", LOG_ID_UNDEFINED, LOG_ID_NONE },
	[LIFECYCLE_STARTING] = { "starting ({REASON})", LOG_ID_STARTING, LOG_ID_NONE },
	[LIFECYCLE_STARTED] = { "started ({REASON})", LOG_ID_STARTED, LOG_ID_NONE },
	[LIFECYCLE_SUSPENDED] = { "paused ({REASON})", LOG_ID_SUSPENDED, LOG_ID_HELD },
	[LIFECYCLE_RESUMED] = { "resumed ({REASON})", LOG_ID_RESUMED, LOG_ID_NONE },
	[LIFECYCLE_SHUTDOWN] = { "shutting down ({REASON})", LOG_ID_SHUTDOWN, LOG_ID_NONE },
	[LIFECYCLE_STOPPED] = { "stopped ({REASON})", LOG_ID_STOPPED, LOG_ID_FAILED },
	[LIFECYCLE_PM_SUSPENDED] = { "sleeps ({REASON})", LOG_ID_PM_SUSPENDED, LOG_ID_NONE },
	[LIFECYCLE_CRASHED] = { "its guest has crashed ({REASON})", LOG_ID_CRASHED, LOG_ID_NONE },
};
G_STATIC_ASSERT(G_N_ELEMENTS(life_rows) == LIFECYCLE_EVENT_MAX);

static bool is_failure(LifecycleReason reason)
{
	switch (reason) {
	case LIFECYCLE_REASON_UNKNOWN:
	case LIFECYCLE_REASON_API_ERROR:
	case LIFECYCLE_REASON_POSTCOPY_FAILED:
	case LIFECYCLE_REASON_INTERNAL_ERROR:
	case LIFECYCLE_REASON_IOERROR:
	case LIFECYCLE_REASON_WATCHDOG:
	case LIFECYCLE_REASON_CRASHED:
	case LIFECYCLE_REASON_FAILED:
		return true;
	default:
		return false;
	}
}

/* How QEMU ended, if that is worth a word. */
static char *describe_end(const LifeRow *row, const Event *event)
{
	const char *signal;
	int32_t status;

	if (row->id != LOG_ID_STOPPED || !event->details)
		return g_strdup(row->text);
	if (g_variant_lookup(event->details, "signal", "&s", &signal))
		return g_strconcat(row->text, ", by signal {SIGNAL}", NULL);
	if (g_variant_lookup(event->details, "exit-status", "i", &status) && status != 0)
		return g_strconcat(row->text, ", exit status {EXIT_STATUS}", NULL);
	return g_strdup(row->text);
}

static void record_life(const Domain *domain, const Event *event, LogId id, Fields *fields)
{
	const LifeRow *row = &life_rows[event->lifecycle.event];
	g_autofree char *text = describe_end(row, event);

	add(fields, LOG_FIELD_EVENT, lifecycle_event_to_string(event->lifecycle.event));
	add(fields, LOG_FIELD_REASON, lifecycle_reason_to_string(event->lifecycle.reason));
	add(fields, LOG_FIELD_STATE, domain_state_to_string(event->lifecycle.state));
	write_record(domain, event, id, text, fields);
}

/* ---- its troubles ---- */

/* An argument of the signal, and the field it becomes. */
typedef struct Argument {
	const char *name;
	size_t place;
} Argument;

typedef struct TroubleRow {
	LogId id;
	const char *event;
	const char *text;
	Argument arguments[4];       /* those with a name */
} TroubleRow;

#define STRING(where) (offsetof(Event, where) + 0 * sizeof(&((Event *)NULL)->where == (const char **)NULL))
#define REASON(where) { LOG_FIELD_REASON, STRING(where) }
#define DETAIL(name, where) { LOG_FIELD_DETAIL name, STRING(where) }

static const TroubleRow trouble_rows[EVENT_KIND_MAX] = {
	[EVENT_WATCHDOG] = { LOG_ID_WATCHDOG, "watchdog",
	  "its watchdog has fired; action: {ACTION}", { DETAIL("ACTION", watchdog.action) } },
	[EVENT_DEVICE_REMOVAL_FAILED] = { LOG_ID_REMOVAL_REFUSED, "device-removal-failed",
	  "device '{DEVICE}' was not removed ({REASON})",
	  { DETAIL("DEVICE", device_removal_failed.id), REASON(device_removal_failed.reason),
	    DETAIL("QOM_PATH", device_removal_failed.qom_path) } },
	[EVENT_IO_ERROR] = { LOG_ID_IO_ERROR, "io-error",
	  "a {OPERATION} of disk '{DEVICE}' failed: {TEXT}; action: {ACTION}",
	  { DETAIL("DEVICE", io_error.device), DETAIL("OPERATION", io_error.operation),
	    DETAIL("ACTION", io_error.action), DETAIL("TEXT", io_error.text) } },
	[EVENT_IMAGE_CORRUPTED] = { LOG_ID_IMAGE_CORRUPTED, "image-corrupted",
	  "an image of disk '{DEVICE}' is corrupt: {TEXT}",
	  { DETAIL("DEVICE", image_corrupted.device), DETAIL("TEXT", image_corrupted.text) } },
	[EVENT_QUORUM_FAILURE] = { LOG_ID_QUORUM, "quorum-failure",
	  "quorum '{DEVICE}' has too few good images", { DETAIL("DEVICE", quorum_failure.reference) } },
	[EVENT_QUORUM_REPORT_BAD] = { LOG_ID_QUORUM, "quorum-report-bad",
	  "image '{DEVICE}' of a quorum is bad: {OPERATION} {ERROR}",
	  { DETAIL("DEVICE", quorum_report_bad.node), DETAIL("OPERATION", quorum_report_bad.operation) } },
	[EVENT_MEMORY_FAILURE] = { LOG_ID_MEMORY_FAILURE, "memory-failure",
	  "memory of the {RECIPIENT} has failed; action: {ACTION}",
	  { DETAIL("RECIPIENT", memory_failure.recipient), DETAIL("ACTION", memory_failure.action) } },
	[EVENT_MONITOR_LOST] = { LOG_ID_MONITOR_LOST, "monitor-lost",
	  "its monitor cannot be reached ({REASON}); the state is not known",
	  { REASON(monitor_lost.reason) } },
	[EVENT_MONITOR_RESYNCHRONIZED] = { LOG_ID_RESYNCHRONIZED, "resynchronized",
	  "its state was read afresh ({REASON})", { REASON(resynchronized.reason) } },
	[EVENT_EVENTS_LOST] = { LOG_ID_EVENTS_LOST, "events-lost",
	  "something QEMU told was lost: {WHERE} {REASON}", { DETAIL("WHERE", events_lost.where) } },
};

static void record_trouble(const Domain *domain, const Event *event, LogId id, Fields *fields)
{
	const TroubleRow *row = &trouble_rows[event->kind];

	add(fields, LOG_FIELD_EVENT, row->event);
	add(fields, LOG_FIELD_STATE, domain_state_to_string(domain_get_state(domain)));
	for (size_t i = 0; i < G_N_ELEMENTS(row->arguments) && row->arguments[i].name; i++) {
		const char *place = (const char *)event + row->arguments[i].place;
		const char *value = *(const char *const *)(const void *)place;

		/* NULL: incomplete (event.h). */
		add(fields, row->arguments[i].name, value ?: "");
	}
	write_record(domain, event, id, row->text, fields);
}

/* LOG_ID_NONE: it is no record. */
static LogId get_id(const Event *event)
{
	const LifeRow *row;

	if (event->kind != EVENT_LIFECYCLE)
		return trouble_rows[event->kind].id;
	row = &life_rows[event->lifecycle.event];
	return row->failure != LOG_ID_NONE && is_failure(event->lifecycle.reason) ? row->failure : row->id;
}

void driver_record_event(const Domain *domain, const Event *event)
{
	Fields fields = { .n = 0 };
	LogId id = get_id(event);

	if (id == LOG_ID_NONE || !log_wants(id, DOMAIN_LOG_SUBJECT(domain)))
		return;
	fields.owned = g_ptr_array_new_with_free_func(g_free);
	if (event->kind == EVENT_LIFECYCLE)
		record_life(domain, event, id, &fields);
	else
		record_trouble(domain, event, id, &fields);
	g_ptr_array_unref(fields.owned);
}
