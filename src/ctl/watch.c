/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/watch.h"

#include <glib/gi18n.h>

#include "ctl/call.h"
#include "ctl/event-type.h"

struct Watch {
	VmhConnection *connection;
	WatchHandler handler;
	int timer;                      /* wakes the loop, and does nothing */
	int64_t bus_gone;               /* since when (monotonic); -1: it is there */
	uint64_t last;                  /* sequence of the event that was told last */
};

static void on_event(VmhConnection *connection, VmhDomain *domain, const VmhEvent *event, void *userdata)
{
	Watch *watch = userdata;

	/* Who fits two types comes twice, one after the other. */
	if (event->sequence > 0 && event->sequence == watch->last)
		return;
	watch->last = event->sequence;
	watch->handler.event(event, watch->handler.userdata);
}

static void on_gap(VmhConnection *connection, uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata)
{
	Watch *watch = userdata;

	watch->handler.gap(from, to, snapshot, watch->handler.userdata);
}

static void on_status(VmhConnection *connection, VmhStatus status, void *userdata)
{
	Watch *watch = userdata;

	if (status == VMH_STATUS_DISCONNECTED)
		watch->bus_gone = g_get_monotonic_time();
	else if (status == VMH_STATUS_CONNECTED)
		watch->bus_gone = -1;
	watch->handler.status(status, watch->handler.userdata);
}

static void on_timer(int timer, void *userdata)
{
}

CtlExit watch_connect(Ctl *ctl, unsigned flags)
{
	vmh_event_register_default_impl();
	return call_connect(ctl, flags);
}

static CtlExit add_match(Watch *watch, const VmhEventMatch *match)
{
	g_autoptr(VmhError) error = NULL;

	if (vmh_connection_register_match(watch->connection, match, on_event, watch, NULL, &error) < 0)
		return call_report(error);
	return CTL_OK;
}

static CtlExit add_kind(Watch *watch, VmhDomain *domain, VmhEventKind kind)
{
	const VmhEventMatch match = { .domain = domain, .kind = kind };

	return add_match(watch, &match);
}

static CtlExit add_rules(Watch *watch, const WatchRules *rules)
{
	bool all = rules->types->len == 0 || rules->in_order;
	CtlExit code;

	/* Who comes and goes, also of other domains: their names are learned by it. Before the events, which are shown with them. */
	code = add_kind(watch, NULL, VMH_EVENT_DOMAIN_ADDED);
	if (code == CTL_OK)
		code = add_kind(watch, NULL, VMH_EVENT_DOMAIN_REMOVED);
	if (code == CTL_OK && (rules->properties || rules->types->len == 0))
		code = add_kind(watch, rules->domain, VMH_EVENT_PROPERTIES_CHANGED);
	if (code == CTL_OK && all)
		code = add_kind(watch, rules->domain, VMH_EVENT_ANY);
	for (unsigned i = 0; code == CTL_OK && !all && i < rules->types->len; i++) {
		const VmhEventMatch match = event_type_get_match(rules->types->pdata[i], rules->domain);

		code = add_match(watch, &match);
	}
	return code;
}

CtlExit watch_new(Ctl *ctl, const WatchRules *rules, const WatchHandler *handler, Watch **ret_watch)
{
	g_autoptr(Watch) watch = g_new0(Watch, 1);
	g_autoptr(VmhError) error = NULL;
	CtlExit code;

	watch->connection = ctl->connection;
	watch->handler = *handler;
	watch->bus_gone = -1;
	watch->timer = vmh_event_add_timeout(-1, on_timer, NULL, NULL);
	vmh_connection_set_gap_callback(ctl->connection, on_gap, watch, NULL);
	vmh_connection_set_status_callback(ctl->connection, on_status, watch, NULL);
	if (rules->after && vmh_connection_set_position(ctl->connection, rules->after, &error) < 0) {
		ctl_error("%s: %s", rules->after_name, error->message);
		return CTL_FAILED;
	}
	code = add_rules(watch, rules);
	if (code == CTL_OK)
		*ret_watch = g_steal_pointer(&watch);
	return code;
}

Watch *watch_free(Watch *watch)
{
	if (!watch)
		return NULL;
	/* Whatever is registered refers to the watch. */
	vmh_connection_close(watch->connection);
	vmh_event_remove_timeout(watch->timer);
	g_free(watch);
	return NULL;
}

/* In milliseconds, rounded up, or it would wake before it is due. */
static int get_interval(int64_t deadline)
{
	int64_t left = deadline - g_get_monotonic_time();

	return deadline < 0 ? -1 : (int) CLAMP((left + 999) / 1000, 0, G_MAXINT);
}

CtlExit watch_process(Watch *watch, int64_t deadline)
{
	int64_t bus_deadline = watch->bus_gone + WATCH_BUS_GONE_MAX;

	if (watch->bus_gone >= 0 && g_get_monotonic_time() >= bus_deadline) {
		ctl_error(_("The connection to the bus is lost"));
		return CTL_UNREACHABLE;
	}
	if (watch->bus_gone >= 0 && (deadline < 0 || bus_deadline < deadline))
		deadline = bus_deadline;
	vmh_event_update_timeout(watch->timer, get_interval(deadline));
	vmh_event_run_default_impl();
	return CTL_OK;
}
