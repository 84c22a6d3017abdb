/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb "events": shows events as they come, and those that were missed. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "ctl/call.h"
#include "ctl/domain-names.h"
#include "ctl/event-line.h"
#include "ctl/event-type.h"
#include "ctl/output.h"
#include "ctl/position.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"

/* A service that does not answer in this time is not waited for: microseconds. */
#define CALL_TIMEOUT (5u * G_USEC_PER_SEC)

static struct {
	char **types;
	gboolean passive;
	gboolean properties;
	int count;
	char *after;
	char *position_file;
	int ready_fd;
} options = { .ready_fd = -1 };

const GOptionEntry events_options[] = {
	{ "type", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.types,
	  N_("Only these types"), N_("TYPE[,TYPE…]") },
	{ "properties", 0, 0, G_OPTION_ARG_NONE, &options.properties,
	  N_("Also changes of properties, and domains that come and go"), NULL },
	{ "passive", 0, 0, G_OPTION_ARG_NONE, &options.passive,
	  N_("Make no call to the service; names are learned by listening"), NULL },
	{ "count", 0, 0, G_OPTION_ARG_INT, &options.count, N_("End after that many"), N_("NUMBER") },
	{ "after", 0, 0, G_OPTION_ARG_FILENAME, &options.after,
	  N_("Go on behind the event with this sequence; or: now, oldest"), N_("SEQUENCE") },
	{ "position-file", 0, 0, G_OPTION_ARG_FILENAME, &options.position_file,
	  N_("Remember there how far it came, and go on from there"), N_("FILE") },
	{ "ready-fd", 0, 0, G_OPTION_ARG_INT, &options.ready_fd,
	  N_("Write a line to this descriptor when nothing can be missed any more"), N_("NUMBER") },
	{},
};

typedef struct Events {
	Ctl *ctl;
	GPtrArray *types;       /* EventType */
	VmhDomain *domain;      /* the only one wanted: this, or the one with that name; both NULL: all */
	const char *name;
	DomainNames *names;
	bool names_asked;       /* since the service came */
	Position position;
	int shown;
} Events;

static bool is_wanted(const Events *events, const VmhEvent *event)
{
	if (events->domain && g_strcmp0(vmh_domain_get_uuid(events->domain), event->uuid) != 0)
		return false;
	if (events->name && g_strcmp0(events->name, domain_names_get(events->names, event->uuid)) != 0)
		return false;
	if (!event->details)
		return options.properties;
	for (unsigned i = 0; i < events->types->len; i++) {
		if (event_type_matches(events->types->pdata[i], event))
			return true;
	}
	return events->types->len == 0;
}

static void ask_names(Events *events)
{
	if (!options.passive)
		events->names_asked = domain_names_ask(events->names, events->ctl->connection);
}

static bool is_done(const Events *events)
{
	return options.count > 0 && events->shown >= options.count;
}

static void on_event(const VmhEvent *event, void *userdata)
{
	Events *events = userdata;

	domain_names_heed(events->names, event);
	/* The first event of a service that just came may be here before the news that it came. */
	if (!events->names_asked && *event->uuid && !domain_names_get(events->names, event->uuid))
		ask_names(events);
	/* Several may come in one turn. */
	if (is_done(events) || !is_wanted(events, event))
		return;
	event_line_print(events->ctl, event, domain_names_get(events->names, event->uuid));
	events->shown++;
	/* What comes behind the last one is not shown: the position stays here. */
	if (is_done(events))
		position_note(&events->position, events->ctl->connection, true);
}

static void on_gap(uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata)
{
	Events *events = userdata;
	g_autofree char *json = NULL;

	if (snapshot)
		domain_names_take(events->names, snapshot);
	if (is_done(events))
		return;
	/* With the sequence to go on from at the same place as that of an event. */
	json = g_strdup_printf("{\"gap\":{\"from\":%" G_GUINT64_FORMAT ",\"to\":%" G_GUINT64_FORMAT "},"
			       "\"sequence\":%" G_GUINT64_FORMAT "}", from, to, to);
	if (events->ctl->json)
		output_json_line(json);
	else
		ctl_error(_("events %llu to %llu are lost"), (unsigned long long) from, (unsigned long long) to);
}

static void on_status(VmhStatus status, void *userdata)
{
	Events *events = userdata;

	if (status == VMH_STATUS_SERVICE_GONE || status == VMH_STATUS_DISCONNECTED)
		events->names_asked = false;
	else
		ask_names(events);
}

static CtlExit parse_types(GPtrArray *types)
{
	for (char **text = options.types; text && *text; text++) {
		g_auto(GStrv) parts = g_strsplit(*text, ",", -1);

		for (unsigned i = 0; parts[i]; i++) {
			EventType *type = NULL;
			CtlExit code = event_type_parse(parts[i], &type);

			if (code != CTL_OK)
				return code;
			g_ptr_array_add(types, type);
		}
	}
	return CTL_OK;
}

static bool is_after(const char *text)
{
	return g_str_equal(text, "now") || g_str_equal(text, "oldest") ||
	       g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, NULL, NULL);
}

static CtlExit check_options(void)
{
	if (options.count < 0) {
		ctl_error(_("--count: must not be negative"));
		return CTL_USAGE;
	}
	if (options.after && !is_after(options.after)) {
		ctl_error(_("--after: '%s' is neither a sequence nor now nor oldest"), options.after);
		return CTL_USAGE;
	}
	if (options.passive && g_strcmp0(options.after, "oldest") == 0) {
		ctl_error(_("--after=oldest: the service has to be asked, which --passive forbids"));
		return CTL_USAGE;
	}
	if (options.ready_fd < -1 ||
	    (options.ready_fd >= 0 && fcntl(options.ready_fd, F_GETFD) < 0)) {
		ctl_error(_("--ready-fd: %d is no open descriptor"), options.ready_fd);
		return CTL_USAGE;
	}
	return CTL_OK;
}

static CtlExit tell_ready(void)
{
	static const char line[] = "ready\n";

	if (options.ready_fd < 0)
		return CTL_OK;
	if (write(options.ready_fd, line, strlen(line)) != (ssize_t) strlen(line)) {
		ctl_error("--ready-fd: %s", g_strerror(errno));
		return CTL_FAILED;
	}
	return CTL_OK;
}

/* Where to begin. *ret_after: NULL: now. */
static CtlExit read_after(const Events *events, char **ret_after)
{
	g_autoptr(VmhError) error = NULL;
	g_autoptr(VmhValue) value = NULL;
	uint64_t oldest = 0;

	if (events->position.written || !options.after || !g_str_equal(options.after, "oldest")) {
		bool now = g_strcmp0(options.after, "now") == 0;

		*ret_after = g_strdup(events->position.written ? events->position.written
							       : now ? NULL : options.after);
		return CTL_OK;
	}
	value = vmh_connection_get_property(events->ctl->connection, "OldestSequence", &error);
	if (!value)
		return call_report(error);
	/* 0: there is no history. */
	if (vmh_value_get_uint64(value, &oldest) && oldest > 0)
		*ret_after = g_strdup_printf("%" G_GUINT64_FORMAT, oldest - 1);
	return CTL_OK;
}

static CtlExit begin(Events *events, Watch **ret_watch)
{
	const WatchHandler handler = { .event = on_event, .gap = on_gap, .status = on_status, .userdata = events };
	g_autofree char *after = NULL;
	WatchRules rules = {
		.domain = events->domain,
		.types = events->types,
		.properties = options.properties,
		/* Then the sequence of the last event that was shown says which have been. */
		.in_order = options.after || options.position_file,
	};
	CtlExit code = read_after(events, &after);

	rules.after = after;
	rules.after_name = events->position.written ? options.position_file : "--after";
	if (code == CTL_OK)
		code = watch_new(events->ctl, &rules, &handler, ret_watch);
	if (code != CTL_OK)
		return code;
	position_note(&events->position, events->ctl->connection, true);
	code = position_write(&events->position);
	if (code == CTL_OK)
		code = tell_ready();
	/* Meanwhile nothing is shown, so that already the first line has a name. */
	if (code == CTL_OK)
		ask_names(events);
	return code;
}

static CtlExit process(Events *events, Watch *watch)
{
	int shown = events->shown;
	CtlExit code = watch_process(watch, position_get_due(&events->position));

	if (code != CTL_OK)
		return code;
	if (!is_done(events))
		position_note(&events->position, events->ctl->connection, events->shown > shown);
	return position_write(&events->position);
}

CtlExit events_run(Ctl *ctl, char **arguments)
{
	g_autoptr(GPtrArray) types = event_type_list_new();
	g_autoptr(DomainNames) names = domain_names_new();
	g_autoptr(VmhDomain) domain = NULL;
	g_autoptr(Watch) watch = NULL;
	Events events = { .ctl = ctl, .types = types, .names = names };
	CtlExit code;

	code = check_options();
	if (code == CTL_OK)
		code = parse_types(types);
	if (code == CTL_OK)
		code = position_read(&events.position, options.position_file);
	if (code == CTL_OK)
		code = watch_connect(ctl, options.passive ? VMH_CONNECTION_PASSIVE : VMH_CONNECTION_NO_AUTO_START);
	if (code != CTL_OK)
		return code;
	vmh_connection_set_call_timeout(ctl->connection, CALL_TIMEOUT);
	domain = arguments[0] ? vmh_domain_new(ctl->connection, arguments[0], NULL) : NULL;
	events.domain = domain;
	events.name = domain ? NULL : arguments[0];
	code = begin(&events, &watch);
	while (code == CTL_OK && !is_done(&events))
		code = process(&events, watch);
	position_clear(&events.position);
	return code;
}
