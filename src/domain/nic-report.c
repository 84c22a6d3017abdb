/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/nic-report.h"

NicReport *nic_report_new(const char *id)
{
	NicReport *report = g_new0(NicReport, 1);

	report->id = g_strdup(id);
	return report;
}

NicReport *nic_report_free(NicReport *report)
{
	if (!report)
		return NULL;
	definition_interface_free(report->interface);
	if (report->guest)
		rx_filter_unref(report->guest);
	host_nic_free(report->link);
	host_filter_own_free(report->own);
	host_filter_free(report->host);
	g_strfreev(report->differences);
	g_free(report->host_error);
	g_free(report->refused);
	g_free(report->id);
	g_free(report);
	return NULL;
}

static bool has_macs(const MacSet *a, const MacSet *b)
{
	return mac_set_get_size(a) > 0 || mac_set_get_size(b) > 0;
}

/* The parts of the host's filter that the plan would change. */
static GStrv list_changes(const FilterPlan *plan)
{
	const struct {
		const char *name;
		bool changes;
	} rows[] = {
		{ "mac", plan->set_mac },
		{ "promiscuous", plan->set_promiscuous },
		{ "all-multicast", plan->set_all_multicast },
		{ "multicast", plan->set_multicast },
		{ "multicast-table", has_macs(plan->multicast_add, plan->multicast_remove) },
		{ "forwarding", has_macs(plan->forwarding_add, plan->forwarding_remove) },
	};
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (rows[i].changes)
			g_strv_builder_add(names, rows[i].name);
	return g_strv_builder_end(names);
}

void nic_report_compare(NicReport *report)
{
	g_autoptr(FilterPlan) plan = NULL;

	g_clear_pointer(&report->differences, g_strfreev);
	g_clear_pointer(&report->refused, g_free);
	if (!report->guest || !report->host) {
		report->differences = g_new0(char *, 1);
		return;
	}
	plan = filter_plan_new(report->guest, report->host, report->own);
	report->differences = list_changes(plan);
	report->refused = g_strdup(plan->refused);
}

void nic_report_read(NicReport *report)
{
	g_autoptr(GError) error = NULL;

	if (report->link) {
		report->host = host_nic_read(report->link, &error);
		if (!report->host)
			report->host_error = g_strdup(error->message);
	}
	nic_report_compare(report);
}
