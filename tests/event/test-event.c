/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/event.h"

#define STAMP ((EventStamp){ .sequence = 7, .previous = 3 })

static void test_new(void)
{
	int64_t before = event_now();
	g_autoptr(Event) now = event_new(EVENT_RESET, 0);
	g_autoptr(Event) negative = event_new(EVENT_RESET, -1);
	g_autoptr(Event) then = event_new(EVENT_RESET, 1700000000000001);

	g_assert_cmpint(now->kind, ==, EVENT_RESET);
	g_assert_cmpint(now->time, >=, before);
	g_assert_cmpint(now->time, <=, event_now());
	/* QEMU's clock could not be read: then it is ours. */
	g_assert_cmpint(negative->time, >=, before);
	g_assert_cmpint(then->time, ==, 1700000000000001);
	g_assert_cmpuint(then->stamp.sequence, ==, 0);
	g_assert_null(then->details);
}

static void test_lifecycle(void)
{
	g_autoptr(Event) event = event_new_lifecycle(5, LIFECYCLE_SUSPENDED,
						     LIFECYCLE_REASON_IOERROR);

	g_assert_cmpint(event->kind, ==, EVENT_LIFECYCLE);
	g_assert_cmpint(event->time, ==, 5);
	g_assert_cmpint(event->lifecycle.event, ==, LIFECYCLE_SUSPENDED);
	g_assert_cmpint(event->lifecycle.reason, ==, LIFECYCLE_REASON_IOERROR);
}

/* Strings live as long as the event, however many there are, and not as long as what they came from. */
static void test_strings(void)
{
	g_autoptr(Event) event = event_new(EVENT_DEVICE_ADDED, 0);
	const char *copies[200];

	for (unsigned i = 0; i < G_N_ELEMENTS(copies); i++) {
		g_autofree char *text = g_strdup_printf("string %u", i);

		copies[i] = event_string(event, text);
		g_assert_true(copies[i] != text);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(copies); i++) {
		g_autofree char *text = g_strdup_printf("string %u", i);

		g_assert_cmpstr(copies[i], ==, text);
	}
	g_assert_cmpstr(event_string(event, NULL), ==, "");
	g_assert_cmpstr(event_string(event, ""), ==, "");
}

static void test_details(void)
{
	g_autoptr(Event) event = event_new(EVENT_RESET, 0);
	g_autoptr(GVariant) own = g_variant_ref_sink(g_variant_new_uint64(G_MAXUINT64));
	const char *text = NULL;
	uint64_t number = 0;
	gboolean flag = FALSE;

	event_add_detail(event, "text", g_variant_new_string("a"));
	event_add_detail(event, "number", own);
	event_add_detail(event, "flag", g_variant_new_boolean(TRUE));
	/* The last one counts. */
	event_add_detail(event, "text", g_variant_new_string("b"));
	event_seal(event, STAMP);

	g_assert_true(g_variant_is_of_type(event->details, G_VARIANT_TYPE_VARDICT));
	g_assert_cmpuint(g_variant_n_children(event->details), ==, 3);
	g_assert_true(g_variant_lookup(event->details, "text", "&s", &text));
	g_assert_cmpstr(text, ==, "b");
	g_assert_true(g_variant_lookup(event->details, "number", "t", &number));
	g_assert_cmpuint(number, ==, G_MAXUINT64);
	g_assert_true(g_variant_lookup(event->details, "flag", "b", &flag));
	g_assert_true(flag);
	g_assert_null(event->extra);
}

/* However it is given, it is there once, and the last one counts. */
static void test_name(void)
{
	g_autoptr(Event) event = event_new(EVENT_RESET, 0), other = event_new(EVENT_RESET, 0);

	event_add_detail(event, "name", g_variant_new_uint64(1));
	event_set_name(event, "a");
	g_assert_cmpstr(event->name, ==, "a");
	event_add_detail(event, "name", g_variant_new_string("b"));
	event_seal(event, STAMP);
	g_assert_cmpstr(event->name, ==, "b");
	g_assert_cmpuint(g_variant_n_children(event->details), ==, 0);

	event_set_name(other, "a");
	event_add_detail(other, "name", g_variant_new_uint64(1));
	event_seal(other, STAMP);
	g_assert_null(other->name);
	g_assert_cmpuint(g_variant_n_children(other->details), ==, 1);
}

static void test_seal(void)
{
	g_autoptr(Event) event = event_new(EVENT_RESET, 9);

	event_seal(event, STAMP);
	g_assert_cmpuint(event->stamp.sequence, ==, 7);
	g_assert_cmpuint(event->stamp.previous, ==, 3);
	g_assert_cmpint(event->time, ==, 9);
	g_assert_null(event->details);
}

/* What is sealed does not change, and a number is given once: both are asserted. */
static void test_sealed_twice(void)
{
	if (g_test_subprocess()) {
		Event *event = event_new(EVENT_RESET, 0);

		event_seal(event, STAMP);
		event_seal(event, STAMP);
		return;
	}
	g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
	g_test_trap_assert_failed();
}

static void test_detail_after_seal(void)
{
	if (g_test_subprocess()) {
		Event *event = event_new(EVENT_RESET, 0);

		event_add_detail(event, "a", g_variant_new_boolean(TRUE));
		event_seal(event, STAMP);
		event_add_detail(event, "b", g_variant_new_boolean(TRUE));
		return;
	}
	g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
	g_test_trap_assert_failed();
}

#define THREADS    4u
#define REFERENCES 20000u

static void *take_and_drop(void *data)
{
	for (unsigned i = 0; i < REFERENCES; i++)
		event_unref(event_ref(data));
	return NULL;
}

static void test_references(void)
{
	g_autoptr(Event) event = event_new(EVENT_FILTER_CHANGED, 0);
	GThread *threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("references", take_and_drop, event);
	for (unsigned i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
	g_assert_cmpint(event->ref_count, ==, 1);
	g_assert_null(event_unref(NULL));
	/* The union: another kind's payload is not a filter. */
	g_assert_null(event_unref(event_new_lifecycle(0, LIFECYCLE_CRASHED,
						      LIFECYCLE_REASON_PANICKED)));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/event/new", test_new);
	g_test_add_func("/event/event/lifecycle", test_lifecycle);
	g_test_add_func("/event/event/strings", test_strings);
	g_test_add_func("/event/event/details", test_details);
	g_test_add_func("/event/event/name", test_name);
	g_test_add_func("/event/event/seal", test_seal);
	g_test_add_func("/event/event/sealed-twice", test_sealed_twice);
	g_test_add_func("/event/event/detail-after-seal", test_detail_after_seal);
	g_test_add_func("/event/event/references", test_references);
	return g_test_run();
}
