/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * What a domain's NICs are like now, on both sides.
 *
 *   QEMU      query-rx-filter: the filters as they are, also where the guest has not announced a change. That arms
 *             QEMU's latches once more, which takes nothing from filter-watch.c: what happens after it is an event.
 *   worker    the links, and the comparison
 *   done      to the caller
 *
 * If QEMU does not answer, the filters are told as they were seen last.
 */

#define QUERY_TIMEOUT_MS 5000

typedef struct NicQuery {
	DomainNicsDone done;
	void *userdata;
	GPtrArray *reports;          /* NicReport; NULL until they are made */
} NicQuery;

static void on_ended(Domain *domain, const char *result, const GError *error, void *userdata)
{
	NicQuery *query = userdata;

	query->done(domain, error ? NULL : query->reports, error, query->userdata);
	g_clear_pointer(&query->reports, g_ptr_array_unref);
	g_free(query);
}

/* ---- the worker's part ---- */

typedef struct ReadJob {
	OperationRef *operation;
	GPtrArray *reports;
} ReadJob;

static StrandStep read_work(void *data)
{
	const ReadJob *job = data;

	for (unsigned i = 0; i < job->reports->len; i++)
		nic_report_read(g_ptr_array_index(job->reports, i));
	return STRAND_DONE;
}

static void read_done(void *data)
{
	ReadJob *job = data;
	Operation *operation = operation_ref_get(job->operation);
	NicQuery *query;

	if (!operation)
		return;
	query = operation->userdata;
	query->reports = g_steal_pointer(&job->reports);
	operation_end(operation, NULL, NULL);
}

static void read_free(void *data)
{
	ReadJob *job = data;

	g_clear_pointer(&job->reports, g_ptr_array_unref);
	operation_ref_free(job->operation);
	g_free(job);
}

static const StrandItemClass read_class = { read_work, NULL, read_done, read_free };

/* ---- what is known here ---- */

/* NIC -> RxFilter. */
static GHashTable *read_filters(Domain *domain, JsonNode *result)
{
	GHashTable *filters = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
						    (GDestroyNotify)rx_filter_unref);
	JsonArray *array = json_node_as_array(result);
	GHashTableIter iter;
	void *seen;

	for (unsigned i = 0; array && i < MIN(json_array_get_length(array), FILTER_WATCH_NICS_MAX); i++) {
		RxFilter *filter = rx_filter_parse(json_array_get_element(array, i), NULL);

		if (filter)
			g_hash_table_replace(filters, filter->nic, filter);
	}
	g_hash_table_iter_init(&iter, domain_get_filters(domain));
	while (!array && g_hash_table_iter_next(&iter, NULL, &seen))
		g_hash_table_replace(filters, ((RxFilter *)seen)->nic, rx_filter_ref(seen));
	return filters;
}

static NicReport *make_report(Domain *domain, const char *id, GHashTable *filters)
{
	const HostNic *link = g_hash_table_lookup(domain->host_nics, id);
	RxFilter *guest = g_hash_table_lookup(filters, id);
	const HostFilterOwn *own = nic_sync_get_own(domain, id);
	NicReport *report = nic_report_new(id);

	report->guest = guest ? rx_filter_ref(guest) : NULL;
	report->link = link ? host_nic_copy(link) : NULL;
	report->own = own ? host_filter_own_copy(own) : NULL;
	return report;
}

static GPtrArray *make_reports(Domain *domain, JsonNode *result)
{
	GPtrArray *reports = g_ptr_array_new_with_free_func((GDestroyNotify)nic_report_free);
	g_autoptr(GHashTable) filters = read_filters(domain, result);
	const GPtrArray *interfaces = domain->definition->interfaces;
	GHashTableIter iter;
	void *id;

	for (unsigned i = 0; i < interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(interfaces, i);
		NicReport *report = make_report(domain, interface->id, filters);

		report->interface = definition_interface_copy(interface);
		g_ptr_array_add(reports, report);
		(void)g_hash_table_remove(filters, interface->id);
	}
	/* The others are devices of QEMU's own, of which the guest's side is known. */
	g_hash_table_iter_init(&iter, filters);
	while (g_hash_table_iter_next(&iter, &id, NULL))
		g_ptr_array_add(reports, make_report(domain, id, filters));
	return reports;
}

static void on_filters(JsonNode *result, const GError *error, void *userdata)
{
	OperationRef *ref = userdata;
	Operation *operation = operation_ref_get(ref);
	ReadJob *job;

	if (!operation) {
		operation_ref_free(ref);
		return;
	}
	job = g_new0(ReadJob, 1);
	job->reports = make_reports(operation->domain, result);
	job->operation = ref;
	strand_push(operation->domain->work, &read_class, job);
}

void domain_get_nics(Domain *domain, DomainNicsDone done, void *userdata)
{
	NicQuery *query = g_new0(NicQuery, 1);
	Operation *operation;

	query->done = done;
	query->userdata = userdata;
	operation = operation_begin(domain, DOMAIN_OPERATION_GET_INTERFACES, on_ended, query);
	if (operation)
		operation_send(operation, "query-rx-filter", NULL, QUERY_TIMEOUT_MS, on_filters,
			       operation_ref_new(operation));
}
