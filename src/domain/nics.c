/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * What guests do with their NICs. NIC_RX_FILTER_CHANGED only says that something has changed, and QEMU says no
 * more until it has been asked: filter-watch.c decides when, here it is done and told; where the host has to follow,
 * when it has (nic-sync.c).
 *
 * A change that the guest did not announce (it was reset, or nobody listened) is found by the queries that
 * follow a reset and a connect, and told with the reason resync.
 */

typedef struct FilterQuery {
	Domain *domain;
	uint64_t run;
	char *nic;
} FilterQuery;

static void on_filter_reply(JsonNode *result, const GError *error, void *userdata)
{
	FilterQuery *query = userdata;
	Domain *domain = query->domain;

	/* At the end of QEMU there may always be one on its way. */
	if (error && !g_error_matches(error, CORE_ERROR, CORE_ERROR_MONITOR_LOST))
		domain_log(domain, LOG_INFO, "query-rx-filter: %s", error->message);
	if (domain->host && domain->run == query->run) {
		filter_watch_answer(domain->filter_watch, query->nic, result);
		if (g_error_matches(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED))
			filter_watch_retry(domain->filter_watch, query->nic);
	}
	domain_unref(domain);
	g_free(query->nic);
	g_free(query);
}

/* A trigger's job holds back nothing, so its question does not take a place in the strand either. */
static void watch_query(FilterWatch *watch, const char *nic, void *userdata)
{
	Domain *domain = userdata;
	JsonNode *arguments = nic ? call_arguments("name", nic) : NULL;
	FilterQuery *query = g_new0(FilterQuery, 1);

	query->domain = domain_ref(domain);
	query->run = domain->run;
	query->nic = g_strdup(nic);
	if (domain->monitor) {
		/* Without a time-out: an answer given up would be the last state, lost. There is never more than
		 * one for each NIC, and the end of the monitor ends it. */
		qmp_monitor_execute(domain->monitor, "query-rx-filter", arguments, -1,
				    on_filter_reply, query);
		return;
	}
	g_clear_pointer(&arguments, json_node_unref);
	on_filter_reply(NULL, NULL, query);
}

void nics_tell(Domain *domain, const RxFilter *before, RxFilter *now, bool requested, bool host_news)
{
	bool changed = !before || !rx_filter_equal(before, now);

	if (changed || host_news)
		domain_changed(domain, DOMAIN_PROPERTY_FILTERS);
	if (requested || (before && changed) || host_news) {
		Event *event = event_new(EVENT_FILTER_CHANGED, 0);

		if (!requested)
			event_add_resync(event);
		nic_sync_add_details(domain, now->nic, event);
		event->filter_changed.nic = event_string(event, now->nic);
		event->filter_changed.filter = rx_filter_ref(now);
		domain_publish(domain, event);
	}
	if (before && !g_str_equal(before->main_mac, now->main_mac)) {
		Event *event = event_new(EVENT_MAC_CHANGED, 0);

		if (!requested)
			event_add_resync(event);
		event->mac_changed.nic = event_string(event, now->nic);
		event->mac_changed.old_mac = event_string(event, before->main_mac);
		event->mac_changed.new_mac = event_string(event, now->main_mac);
		domain_publish(domain, event);
	}
}

static bool watch_seen(FilterWatch *watch, RxFilter *before, RxFilter *now, bool requested, void *userdata)
{
	Domain *domain = userdata;

	if (nic_sync_begin(domain, before, now, requested))
		return false;
	filter_watch_commit(watch, now->nic);
	nics_tell(domain, before, now, requested, false);
	return true;
}

void nics_init(Domain *domain)
{
	const FilterWatchOwner owner = { watch_query, watch_seen, domain };

	domain->filter_watch = filter_watch_new(domain->host->loop, &owner);
}

void nics_commit_filter_changed(Domain *domain, Event *event)
{
	handover_note_filters(domain);
	filter_watch_request(domain->filter_watch, event->filter_changed.nic);
	event_unref(event);
}
