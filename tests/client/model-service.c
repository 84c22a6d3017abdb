/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-service.h"

#include "client/event-internal.h"
#include "played-event.h"

static const VmhEventKind kinds[MODEL_KINDS] = { VMH_EVENT_LIFECYCLE, VMH_EVENT_RESET, VMH_EVENT_JOB_CHANGED, VMH_EVENT_JOB_EVENT };

static void free_event(void *data)
{
	ModelEvent *event = data;

	vmh_event_unref(event->event);
	g_free(event);
}

ModelService *model_service_new(GRand *rand, uint64_t base, unsigned history_max, unsigned page_max, unsigned look_max)
{
	ModelService *service = g_new0(ModelService, 1);

	service->rand = rand;
	service->events = g_ptr_array_new();
	service->old = g_ptr_array_new_with_free_func(free_event);
	service->by_event = g_hash_table_new(NULL, NULL);
	service->base = service->evicted = base;
	service->history_max = history_max;
	service->page_max = page_max;
	service->look_max = look_max;
	return service;
}

static void retire_events(ModelService *service)
{
	for (unsigned i = 0; i < service->events->len; i++)
		g_ptr_array_add(service->old, g_ptr_array_index(service->events, i));
	g_ptr_array_set_size(service->events, 0);
}

ModelService *model_service_free(ModelService *service)
{
	retire_events(service);
	g_ptr_array_unref(service->events);
	g_ptr_array_unref(service->old);
	g_hash_table_unref(service->by_event);
	g_free(service);
	return NULL;
}

uint64_t model_service_get_last(const ModelService *service)
{
	return service->base + service->events->len;
}

ModelEvent *model_service_get(const ModelService *service, uint64_t sequence)
{
	return g_ptr_array_index(service->events, sequence - service->base - 1);
}

ModelEvent *model_service_emit(ModelService *service)
{
	static const char *const values[] = { "stopped", "host", "guest's" };
	unsigned domain = g_rand_int_range(service->rand, 0, MODEL_DOMAINS), kind = g_rand_int_range(service->rand, 0, MODEL_KINDS);
	uint64_t sequence = model_service_get_last(service) + 1;
	ModelEvent *event = g_new0(ModelEvent, 1);

	event->event = played_event(sequence, service->previous[domain][kind], service->domain_previous[domain], domain,
				    kinds[kind], values[g_rand_int_range(service->rand, 0, G_N_ELEMENTS(values))]);
	event->too_long = g_rand_int_range(service->rand, 0, 2000) == 0;
	service->previous[domain][kind] = service->domain_previous[domain] = sequence;
	g_ptr_array_add(service->events, event);
	g_hash_table_insert(service->by_event, event->event, event);
	if (sequence - service->base > service->history_max)
		service->evicted = MAX(service->evicted, sequence - service->history_max);
	return event;
}

void model_service_renumber(ModelService *service, uint64_t base)
{
	retire_events(service);
	service->base = service->evicted = base;
	memset(service->previous, 0, sizeof service->previous);
	memset(service->domain_previous, 0, sizeof service->domain_previous);
}

bool model_service_has_lost(const ModelService *service, uint64_t from, uint64_t to)
{
	if (from <= service->evicted)
		return true;
	for (uint64_t sequence = from; sequence <= MIN(to, model_service_get_last(service)); sequence++)
		if (model_service_get(service, sequence)->too_long)
			return true;
	return false;
}

static bool is_equal(GVariant *entry, const char *key, const char *type, const char *value)
{
	const char *wanted;

	return !g_variant_lookup(entry, key, type, &wanted) || g_str_equal(wanted, value);
}

static bool holds(GVariant *entry, const ModelEvent *event)
{
	uint64_t after = 0;

	g_assert_true(g_variant_lookup(entry, "after", "t", &after));
	return event->event->sequence > after && is_equal(entry, "domain", "&o", event->event->path) &&
	       is_equal(entry, "interface", "&s", event->event->interface) &&
	       is_equal(entry, "member", "&s", event->event->member) &&
	       (event->too_long || is_equal(entry, "arg0", "&s", event_get_arg0(event->event)));
}

static bool is_wanted(GVariant *any_of, const ModelEvent *event)
{
	for (size_t i = 0; i < g_variant_n_children(any_of); i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(any_of, i);

		if (holds(entry, event))
			return true;
	}
	return false;
}

static void tell(ModelAnswer *answer, const ModelEvent *event)
{
	if (event->too_long) {
		answer->complete = false;
		return;
	}
	answer->count++;
	if (answer->events)
		g_ptr_array_add(answer->events, vmh_event_ref(event->event));
}

static bool has_evicted(const ModelService *service, uint64_t after, GVariant *any_of)
{
	if (!service->knows_evicted)
		return after < service->evicted;
	for (uint64_t sequence = MAX(after, service->base) + 1; sequence <= service->evicted; sequence++)
		if (is_wanted(any_of, model_service_get(service, sequence)))
			return true;
	return false;
}

ModelAnswer model_service_ask(const ModelService *service, uint64_t after, GVariant *filter, bool counted)
{
	g_autoptr(GVariant) any_of = g_variant_lookup_value(filter, "any-of", G_VARIANT_TYPE("aa{sv}"));
	uint64_t newest = model_service_get_last(service);
	unsigned looked_at = 0, look_max = counted ? 10 * service->look_max : service->look_max;
	ModelAnswer answer = { .refused = after > newest };

	g_assert_cmpuint(g_variant_n_children(any_of), >, 0);
	if (answer.refused)
		return answer;
	answer.events = counted ? NULL : g_ptr_array_new_with_free_func((GDestroyNotify)vmh_event_unref);
	answer.complete = after >= newest || !has_evicted(service, after, any_of);
	answer.last = MAX(after, service->evicted);
	while (answer.last < newest && looked_at++ < look_max && (counted || answer.count < service->page_max)) {
		const ModelEvent *event = model_service_get(service, ++answer.last);

		if (is_wanted(any_of, event))
			tell(&answer, event);
	}
	return answer;
}
