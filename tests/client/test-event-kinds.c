/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event-internal.h"
#include "client/event-kinds.h"
#include "domain-signals.h"
#include "tests/service/descriptions.h"

/* What the library knows of the service, held against the contract and the core: the signals, and the words. */

/* ---- the table and the contract ---- */

static void test_descriptions(void)
{
	g_autoptr(GHashTable) signals = descriptions_read_signals();

	for (int kind = VMH_EVENT_UNKNOWN + 1; kind < VMH_EVENT_KIND_MAX; kind++) {
		const EventKindRow *row = event_kind_get_row((VmhEventKind)kind);
		g_autofree char *name = NULL, *types = NULL;
		const char *described;

		g_assert_nonnull(row);
		name = g_strdup_printf("%s.%s", row->interface, row->member);
		types = g_strconcat(row->signature, EVENT_STAMP_SIGNATURE " ", NULL);
		described = g_hash_table_lookup(signals, name);
		g_test_message("%s", name);
		g_assert_nonnull(described);
		g_assert_true(g_str_has_prefix(described, types));
		g_assert_true(g_hash_table_remove(signals, name));
	}
	/* There is no signal that the library does not know. */
	g_assert_cmpuint(g_hash_table_size(signals), ==, 0);
}

static void check_name(VmhEventKind kind)
{
	const EventKindRow *row = event_kind_get_row(kind);
	const char *name = vmh_event_kind_to_string(kind);

	g_assert_cmpint(row->kind, ==, kind);
	g_assert_true(event_kind_find_row(row->interface, row->member) == row);
	g_assert_cmpstr(event_kind_get_interface(kind), ==, row->interface);
	g_assert_cmpstr(event_kind_get_member(kind), ==, row->member);
	g_assert_cmpint(vmh_event_kind_from_string(name), ==, kind);
	g_assert_true(g_str_has_suffix(name, row->member));
	/* No two interfaces have one of the same name now; whoever adds one has it to be named in full. */
	g_assert_cmpint(vmh_event_kind_from_string(row->member), ==, kind);
}

static void test_names(void)
{
	for (int kind = VMH_EVENT_UNKNOWN + 1; kind < VMH_EVENT_KIND_MAX; kind++)
		check_name((VmhEventKind)kind);
	for (int kind = VMH_EVENT_PROPERTIES_CHANGED; kind <= VMH_EVENT_DOMAIN_REMOVED; kind++)
		check_name((VmhEventKind)kind);
	g_assert_cmpstr(vmh_event_kind_to_string(VMH_EVENT_LIFECYCLE), ==, "Domain.Lifecycle");
	g_assert_cmpstr(vmh_event_kind_to_string(VMH_EVENT_GUEST_INFORMATION), ==, "Guest.Information");
	g_assert_cmpint(vmh_event_kind_from_string("Information"), ==, VMH_EVENT_GUEST_INFORMATION);
	g_assert_null(vmh_event_kind_to_string(VMH_EVENT_UNKNOWN));
	g_assert_null(vmh_event_kind_to_string(VMH_EVENT_ANY));
	g_assert_null(vmh_event_kind_to_string(VMH_EVENT_KIND_MAX));
	g_assert_null(vmh_event_kind_to_string((VmhEventKind)1003));
	g_assert_cmpint(vmh_event_kind_from_string("Lifecycle2"), ==, VMH_EVENT_UNKNOWN);
	g_assert_cmpint(vmh_event_kind_from_string("Domain."), ==, VMH_EVENT_UNKNOWN);
	g_assert_cmpint(vmh_event_kind_from_string(""), ==, VMH_EVENT_UNKNOWN);
	g_assert_cmpint(vmh_event_kind_from_string(NULL), ==, VMH_EVENT_UNKNOWN);
}

/* ---- words ---- */

#define CHECK_WORDS(core, max, client, offset)                                                     \
	for (int i = 0; i < (int)(max); i++) {                                                     \
		const char *word = core##_to_string(i);                                            \
		g_assert_cmpint(client##_from_string(word), ==, i + (offset));                     \
		g_assert_cmpstr(client##_to_string(i + (offset)), ==, word);                       \
	}                                                                                          \
	g_assert_null(client##_to_string((int)(max) + (offset)));                                  \
	g_assert_cmpint(client##_from_string("of tomorrow"), ==, 0);                               \
	g_assert_cmpint(client##_from_string(NULL), ==, 0)

/* Each word of the core is known, and there are no others. */
static void test_words(void)
{
	CHECK_WORDS(lifecycle_event, LIFECYCLE_EVENT_MAX, vmh_lifecycle_event, 1);
	CHECK_WORDS(lifecycle_reason, LIFECYCLE_REASON_MAX, vmh_lifecycle_reason, 0);
	CHECK_WORDS(domain_state, DOMAIN_STATE_MAX, vmh_domain_state, 1);
	g_assert_null(vmh_lifecycle_event_to_string(VMH_LIFECYCLE_UNKNOWN));
	g_assert_null(vmh_domain_state_to_string(VMH_STATE_OTHER));
	g_assert_cmpint(vmh_domain_state_from_string("unknown"), ==, VMH_STATE_UNKNOWN);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/event-kinds/descriptions", test_descriptions);
	g_test_add_func("/client/event-kinds/names", test_names);
	g_test_add_func("/client/event-kinds/words", test_words);
	return g_test_run();
}
