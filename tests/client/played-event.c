/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "played-event.h"

#include "bus/names.h"
#include "bus/object-path.h"
#include "client/event-internal.h"
#include "client/snapshot-internal.h"

const char *played_domain(unsigned domain)
{
	static const char *const uuids[PLAYED_DOMAINS_MAX] = {
		"0b8f4d3e-6a52-4c1b-9d7e-2f1a5c3e7d90",
		"11111111-6a52-4c1b-9d7e-2f1a5c3e7d91",
		"22222222-6a52-4c1b-9d7e-2f1a5c3e7d92",
		"33333333-6a52-4c1b-9d7e-2f1a5c3e7d93",
	};

	return uuids[domain];
}

static VmhEvent *make(unsigned domain, VmhEventKind kind, GVariant *arguments)
{
	g_autofree char *path = bus_path_from_uuid(played_domain(domain));
	VmhEvent *event = event_new_from_signal(path, event_kind_get_interface(kind), event_kind_get_member(kind), arguments);

	g_assert_nonnull(event);
	g_assert_cmpint(event->kind, ==, kind);
	return event;
}

VmhEvent *played_event(uint64_t sequence, uint64_t previous, uint64_t domain_previous, unsigned domain, VmhEventKind kind, const char *arg0)
{
	bool has_three = kind == VMH_EVENT_LIFECYCLE || kind == VMH_EVENT_JOB_EVENT;
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE_TUPLE);
	for (unsigned i = 0; i < (has_three ? 3 : 2); i++)
		g_variant_builder_add(&builder, "s", i == 0 ? arg0 : "other");
	g_variant_builder_add(&builder, "(ttt)", sequence, previous, sequence * 1000);
	g_variant_builder_open(&builder, G_VARIANT_TYPE_VARDICT);
	if (domain_previous != previous)
		g_variant_builder_add(&builder, "{sv}", "domain-previous", g_variant_new_uint64(domain_previous));
	g_variant_builder_close(&builder);
	return make(domain, kind, g_variant_builder_end(&builder));
}

VmhEvent *played_state(unsigned domain)
{
	return make(domain, VMH_EVENT_PROPERTIES_CHANGED,
		    g_variant_new_parsed("(%s, @a{sv} {}, @as [])", BUS_INTERFACE("Domain")));
}

VmhSnapshot *played_snapshot(void)
{
	return snapshot_new(g_variant_new_array(G_VARIANT_TYPE("{oa{sa{sv}}}"), NULL, 0), 0);
}
