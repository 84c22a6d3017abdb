/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/rules.h"

#include <vmherald/glib.h>

#include "played-event.h"

#define SENDER     "type='signal',sender='org.vmherald.Domains1'"
#define MANAGER    "/org/vmherald/Domains1"
#define PATH       MANAGER "/domain/_0b8f4d3e_6a52_4c1b_9d7e_2f1a5c3e7d90"
#define DOMAIN     "org.vmherald.Domains1.Domain"
#define NETWORK    "org.vmherald.Domains1.Network"

static Rule *take(Rules *rules, RuleMatch match, uint64_t since)
{
	bool is_new;

	return rules_take(rules, &match, since, &is_new);
}

static void release(Rules *rules, Rule *rule)
{
	g_autofree char *text = NULL;

	g_assert_true(rules_release(rules, rule, &text));
	g_assert_nonnull(text);
}

/* ---- texts ---- */

static void test_texts(void)
{
	const char *uuid = played_domain(0);
	const struct {
		RuleMatch match;
		const char *text;
	} cases[] = {
		/* The table of README.md */
		{ { .kind = VMH_EVENT_ANY }, SENDER ",path_namespace='" MANAGER "'" },
		{ { .kind = VMH_EVENT_ANY, .uuid = uuid }, SENDER ",path='" PATH "'" },
		{ { .kind = VMH_EVENT_ANY, .interface = NETWORK }, SENDER ",interface='" NETWORK "'" },
		{ { .kind = VMH_EVENT_LIFECYCLE }, SENDER ",interface='" DOMAIN "',member='Lifecycle'" },
		{ { .kind = VMH_EVENT_LIFECYCLE, .arg0 = "stopped" },
		  SENDER ",interface='" DOMAIN "',member='Lifecycle',arg0='stopped'" },
		/* And what follows from it */
		{ { .kind = VMH_EVENT_LIFECYCLE, .uuid = uuid, .arg0 = "stopped" },
		  SENDER ",path='" PATH "',interface='" DOMAIN "',member='Lifecycle',arg0='stopped'" },
		{ { .kind = VMH_EVENT_ANY, .uuid = uuid, .interface = NETWORK },
		  SENDER ",path='" PATH "',interface='" NETWORK "'" },
		{ { .kind = VMH_EVENT_ANY, .arg0 = "x" }, SENDER ",path_namespace='" MANAGER "',arg0='x'" },
		{ { .kind = VMH_EVENT_UNKNOWN }, SENDER ",path_namespace='" MANAGER "'" },
		{ { .kind = VMH_EVENT_ANY, .arg0 = "it's, \\'so'" },
		  SENDER ",path_namespace='" MANAGER "',arg0='it'\\''s, \\'\\''so'\\'''" },
		{ { .kind = VMH_EVENT_PROPERTIES_CHANGED },
		  SENDER ",path_namespace='" MANAGER "',interface='org.freedesktop.DBus.Properties',"
			 "member='PropertiesChanged'" },
		{ { .kind = VMH_EVENT_PROPERTIES_CHANGED, .uuid = uuid, .arg0 = NETWORK },
		  SENDER ",path='" PATH "',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
			 "arg0='" NETWORK "'" },
		{ { .kind = VMH_EVENT_DOMAIN_ADDED },
		  SENDER ",path='" MANAGER "',interface='org.freedesktop.DBus.ObjectManager',member='InterfacesAdded'" },
		{ { .kind = VMH_EVENT_DOMAIN_REMOVED, .uuid = uuid },
		  SENDER ",path='" MANAGER "',arg0path='" PATH "',interface='org.freedesktop.DBus.ObjectManager',"
			 "member='InterfacesRemoved'" },
	};
	g_autoptr(Rules) rules = rules_new();

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		Rule *rule = take(rules, cases[i].match, 0);

		g_assert_cmpstr(rule->text, ==, cases[i].text);
		release(rules, rule);
	}
}

/* ---- users ---- */

static void test_users(void)
{
	g_autoptr(Rules) rules = rules_new();
	RuleMatch match = { .kind = VMH_EVENT_RESET, .uuid = played_domain(1), .arg0 = "guest" };
	char *text = NULL;
	bool is_new;
	Rule *rule = rules_take(rules, &match, 5, &is_new);
	unsigned generation = rules_get_generation(rules);

	g_assert_true(is_new);
	g_assert_true(rules_take(rules, &match, 9, &is_new) == rule);
	g_assert_false(is_new);
	g_assert_cmpuint(rule->since, ==, 5);
	g_assert_cmpuint(rule->users, ==, 2);
	g_assert_cmpuint(rules_get_generation(rules), ==, generation);
	match.arg0 = "host";
	g_assert_true(rules_take(rules, &match, 9, &is_new) != rule);
	g_assert_true(is_new);
	g_assert_cmpuint(rules_get_length(rules), ==, 2);
	g_assert_false(rules_release(rules, rule, &text));
	g_assert_null(text);
	generation = rules_get_generation(rules);
	g_assert_true(rules_release(rules, rule, &text));
	g_assert_true(g_str_has_suffix(text, "arg0='guest'"));
	g_free(text);
	g_assert_cmpuint(rules_get_generation(rules), >, generation);
	g_assert_cmpuint(rules_get_last_loss(rules), ==, rules_get_generation(rules));
	g_assert_cmpuint(rules_get_length(rules), ==, 1);
}

static void test_too_many(void)
{
	g_autoptr(Rules) rules = rules_new();
	bool is_new = true;

	for (unsigned i = 0; i < RULES_MAX; i++) {
		g_autofree char *arg0 = g_strdup_printf("%u", i);

		g_assert_nonnull(take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY, .arg0 = arg0 }, 0));
	}
	g_assert_null(take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY }, 0));
	g_assert_nonnull(rules_take(rules, &(RuleMatch){ .kind = VMH_EVENT_ANY, .arg0 = "7" }, 0, &is_new));
	g_assert_false(is_new);
}

static void test_since(void)
{
	g_autoptr(Rules) rules = rules_new();
	Rule *first = take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY }, 10), *second;
	unsigned generation = rules_get_generation(rules);

	g_assert_true(rules_have_all(rules));
	g_assert_true(rules_have_events(rules));
	g_assert_cmpuint(rules_get_since(rules, 0), ==, 10);
	g_assert_cmpuint(rules_get_since(rules, generation), ==, UINT64_MAX);
	second = take(rules, (RuleMatch){ .kind = VMH_EVENT_RESET }, 20);
	g_assert_cmpuint(rules_get_since(rules, generation), ==, 20);
	/* State has no sequence, whatever is said of it. */
	take(rules, (RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED }, 1);
	g_assert_cmpuint(rules_get_since(rules, 0), ==, 10);
	/* Who wants older ones than before is as one that came; who wants fewer, as one that went. */
	generation = rules_get_generation(rules);
	rules_set_since(rules, first, 5);
	g_assert_cmpuint(rules_get_since(rules, generation), ==, 5);
	g_assert_cmpuint(rules_get_last_loss(rules), ==, 0);
	rules_set_since(rules, second, 30);
	g_assert_cmpuint(rules_get_last_loss(rules), ==, rules_get_generation(rules));
	rules_renumber(rules);
	g_assert_cmpuint(first->since, ==, 0);
	g_assert_cmpuint(second->since, ==, 0);
	release(rules, first);
	g_assert_false(rules_have_all(rules));
	release(rules, second);
	g_assert_false(rules_have_events(rules));
}

static uint64_t find_since(const Rules *rules, unsigned generation)
{
	uint64_t since = UINT64_MAX;

	for (unsigned i = 0; i < rules_get_length(rules); i++) {
		const Rule *rule = rules_get(rules, i);

		if (rule->match.kind < VMH_EVENT_PROPERTIES_CHANGED && rule->born > generation)
			since = MIN(since, rule->since);
	}
	return since;
}

static void take_any(Rules *rules, GRand *dice)
{
	g_autofree char *arg0 = g_strdup_printf("%d", g_rand_int_range(dice, 0, 100));
	bool of_state = g_rand_int_range(dice, 0, 8) == 0;

	take(rules, (RuleMatch){ .kind = of_state ? VMH_EVENT_PROPERTIES_CHANGED : VMH_EVENT_RESET, .arg0 = arg0 },
	     (uint64_t)g_rand_int_range(dice, 0, 1000));
}

static void do_anything(Rules *rules, GRand *dice)
{
	g_autofree char *text = NULL;
	Rule *rule;

	if (rules_get_length(rules) == 0 || g_rand_int_range(dice, 0, 5) < 2) {
		take_any(rules, dice);
		return;
	}
	rule = rules_get(rules, (unsigned)g_rand_int_range(dice, 0, (int)rules_get_length(rules)));
	if (g_rand_int_range(dice, 0, 3) == 0)
		(void)rules_release(rules, rule, &text);
	else
		rules_set_since(rules, rule, (uint64_t)g_rand_int_range(dice, 0, 1000));
	if (g_rand_int_range(dice, 0, 200) == 0)
		rules_renumber(rules);
}

/* The lowest since is what is found by asking each, however they came, went and changed. */
static void test_since_of_many(void)
{
	g_autoptr(Rules) rules = rules_new();
	g_autoptr(GRand) dice = g_rand_new_with_seed(10);

	for (unsigned i = 0; i < 5000; i++) {
		unsigned generation = (unsigned)g_rand_int_range(dice, 0, (int)rules_get_generation(rules) + 1);

		do_anything(rules, dice);
		g_assert_cmpuint(rules_get_since(rules, 0), ==, find_since(rules, 0));
		g_assert_cmpuint(rules_get_since(rules, generation), ==, find_since(rules, generation));
	}
}

/* ---- what an event fits ---- */

static unsigned count_fitting(const Rules *rules, const VmhEvent *event)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rules_get_length(rules); i++)
		n += rule_match_wants(&rules_get(rules, i)->match, event) ? 1 : 0;
	return n;
}

/* What is looked up is what is found by asking each. */
static void check_fitting(const Rules *rules, const VmhEvent *event)
{
	Rule *fitting[RULES_FITTING_MAX];
	unsigned n = rules_find_fitting(rules, event, fitting);

	g_assert_cmpuint(n, ==, count_fitting(rules, event));
	for (unsigned i = 0; i < n; i++) {
		g_assert_true(rule_match_wants(&fitting[i]->match, event));
		for (unsigned j = 0; j < i; j++)
			g_assert_true(fitting[i] != fitting[j]);
	}
}

/* All combinations come and go again, beginning with the first and in between. */
static void test_fitting(void)
{
	g_autoptr(Rules) rules = rules_new();
	g_autoptr(VmhEvent) event = played_event(50, 40, 45, 0, VMH_EVENT_LIFECYCLE, "stopped");
	g_autoptr(VmhEvent) other = played_event(51, 0, 0, 1, VMH_EVENT_RESET, "x");
	const char *uuids[] = { NULL, event->uuid, other->uuid }, *arg0s[] = { NULL, "stopped", "started" };
	const RuleMatch kinds[] = {
		{ .kind = VMH_EVENT_ANY },
		{ .kind = VMH_EVENT_LIFECYCLE },
		{ .kind = VMH_EVENT_RESET },
		{ .kind = VMH_EVENT_PROPERTIES_CHANGED },
		{ .kind = VMH_EVENT_ANY, .interface = event->interface },
		{ .kind = VMH_EVENT_ANY, .interface = "org.example.Other" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(uuids) * G_N_ELEMENTS(arg0s) * G_N_ELEMENTS(kinds); i++) {
		RuleMatch match = kinds[i / (G_N_ELEMENTS(uuids) * G_N_ELEMENTS(arg0s))];

		match.uuid = uuids[i % G_N_ELEMENTS(uuids)];
		match.arg0 = arg0s[i / G_N_ELEMENTS(uuids) % G_N_ELEMENTS(arg0s)];
		take(rules, match, 0);
		check_fitting(rules, event);
		check_fitting(rules, other);
	}
	g_assert_cmpuint(count_fitting(rules, event), ==, RULES_FITTING_MAX);
	while (rules_get_length(rules) > 0) {
		release(rules, rules_get(rules, rules_get_length(rules) / 3));
		check_fitting(rules, event);
		check_fitting(rules, other);
	}
}

/* ---- what is wanted ---- */

static void check_wanted(const Rules *rules, VmhEvent *event, bool wanted, uint64_t all, uint64_t domain, uint64_t member)
{
	uint64_t predecessors[RULE_BREADTHS] = { 99, 99, 99 };

	g_assert_cmpint(rules_want(rules, event, predecessors), ==, wanted);
	g_assert_cmpuint(predecessors[RULE_ALL], ==, all);
	g_assert_cmpuint(predecessors[RULE_DOMAIN], ==, domain);
	g_assert_cmpuint(predecessors[RULE_MEMBER], ==, member);
	vmh_event_unref(event);
}

/* 50, of domain 0, before it of the domain 45, of the kind too 40. */
static VmhEvent *make_event(void)
{
	return played_event(50, 40, 45, 0, VMH_EVENT_LIFECYCLE, "stopped");
}

static void check_one(RuleMatch match, uint64_t since, bool wanted, uint64_t all, uint64_t domain, uint64_t member)
{
	g_autoptr(Rules) rules = rules_new();

	take(rules, match, since);
	check_wanted(rules, make_event(), wanted, all, domain, member);
}

static void test_predecessors(void)
{
	const char *uuid = played_domain(0);

	check_one((RuleMatch){ .kind = VMH_EVENT_ANY }, 0, true, 49, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY }, 48, true, 49, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY }, 49, true, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY }, 50, false, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY, .uuid = uuid }, 0, true, 0, 45, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY, .uuid = uuid }, 45, true, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY, .uuid = played_domain(1) }, 0, false, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 39, true, 0, 0, 40);
	check_one((RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 40, true, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .uuid = uuid }, 0, true, 0, 0, 40);
	check_one((RuleMatch){ .kind = VMH_EVENT_RESET }, 0, false, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY, .interface = DOMAIN }, 0, true, 0, 0, 40);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY, .interface = DOMAIN, .uuid = uuid }, 0, true, 0, 0, 40);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY, .interface = NETWORK }, 0, false, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .arg0 = "stopped" }, 0, true, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_ANY, .uuid = uuid, .arg0 = "stopped" }, 0, true, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .arg0 = "started" }, 0, false, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_UNKNOWN }, 0, false, 0, 0, 0);
	check_one((RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED }, 0, false, 0, 0, 0);
}

/* Each rule knows back to its own since; of those that know the same, the oldest counts. */
static void test_several(void)
{
	g_autoptr(Rules) rules = rules_new();
	Rule *all = take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY }, 49);

	take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY, .uuid = played_domain(0) }, 44);
	take(rules, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 41);
	check_wanted(rules, make_event(), true, 0, 45, 0);
	take(rules, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .uuid = played_domain(0) }, 39);
	check_wanted(rules, make_event(), true, 0, 45, 40);
	rules_set_since(rules, all, 0);
	check_wanted(rules, make_event(), true, 49, 45, 40);
	/* What cannot be before it. */
	check_wanted(rules, played_event(50, 50, 51, 0, VMH_EVENT_LIFECYCLE, "stopped"), true, 49, 0, 0);
	check_wanted(rules, played_event(1, 0, 0, 0, VMH_EVENT_LIFECYCLE, "stopped"), true, 0, 0, 0);
}

static void test_state(void)
{
	g_autoptr(Rules) rules = rules_new();

	take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY }, 0);
	check_wanted(rules, played_state(0), false, 0, 0, 0);
	take(rules, (RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED, .uuid = played_domain(0), .arg0 = DOMAIN }, 1000);
	check_wanted(rules, played_state(0), true, 0, 0, 0);
	check_wanted(rules, played_state(1), false, 0, 0, 0);
}

/* ---- the filter ---- */

static void check_filter(const Rules *rules, bool exact, const char *expected)
{
	bool is_exact;
	g_autoptr(GVariant) filter = g_variant_ref_sink(rules_get_filter(rules, &is_exact));
	g_autoptr(GVariant) wanted = g_variant_ref_sink(g_variant_new_parsed(expected));
	g_autofree char *text = g_variant_print(filter, TRUE), *wanted_text = g_variant_print(wanted, TRUE);

	g_assert_cmpstr(text, ==, wanted_text);
	g_assert_cmpint(is_exact, ==, exact);
	g_assert_cmpint(rules_are_exact(rules), ==, exact);
}

static void test_filter(void)
{
	g_autoptr(Rules) rules = rules_new();

	take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY }, 7);
	check_filter(rules, true, "{'any-of': <[{'after': <@t 7>}]>}");
	take(rules, (RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED }, 8);
	take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY, .uuid = played_domain(0), .interface = NETWORK }, 9);
	take(rules, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .arg0 = "it's" }, 0);
	check_filter(rules, true,
		     "{'any-of': <[{'after': <@t 7>}, {'domain': <objectpath '" PATH "'>, 'interface': <'" NETWORK "'>, "
		     "'after': <@t 9>}, {'interface': <'" DOMAIN "'>, 'member': <'Lifecycle'>, 'arg0': <\"it's\">, "
		     "'after': <@t 0>}]>}");
	/* It cannot be asked for what the library does not know. */
	take(rules, (RuleMatch){ .kind = VMH_EVENT_UNKNOWN, .uuid = played_domain(0) }, 3);
	g_assert_false(rules_are_exact(rules));
}

static void take_many(Rules *rules, RuleMatch match)
{
	for (unsigned i = 0; i < RULES_FILTER_MAX; i++) {
		g_autofree char *arg0 = g_strdup_printf("%u", i);

		match.arg0 = arg0;
		take(rules, match, 100 - i);
	}
}

/* What is too much for any-of: the narrowest that has all of them in it, and no more is said of it. */
static void test_wide_filter(void)
{
	const char *uuid = played_domain(0);
	g_autoptr(Rules) rules = rules_new();
	Rule *rule;

	take_many(rules, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .uuid = uuid });
	g_assert_true(rules_are_exact(rules));
	take(rules, (RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED }, 0);
	g_assert_true(rules_are_exact(rules));
	rule = take(rules, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .uuid = uuid }, 50);
	check_filter(rules, false,
		     "{'any-of': <[{'domain': <objectpath '" PATH "'>, 'interface': <'" DOMAIN "'>, "
		     "'member': <'Lifecycle'>, 'after': <@t 37>}]>}");
	take(rules, (RuleMatch){ .kind = VMH_EVENT_RESET, .uuid = uuid }, 40);
	check_filter(rules, false,
		     "{'any-of': <[{'domain': <objectpath '" PATH "'>, 'interface': <'" DOMAIN "'>, 'after': <@t 37>}]>}");
	take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY, .uuid = uuid, .interface = NETWORK }, 40);
	check_filter(rules, false, "{'any-of': <[{'domain': <objectpath '" PATH "'>, 'after': <@t 37>}]>}");
	take(rules, (RuleMatch){ .kind = VMH_EVENT_ANY }, 2);
	check_filter(rules, false, "{'any-of': <[{'after': <@t 2>}]>}");
	release(rules, rule);
	g_assert_false(rules_are_exact(rules));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/rules/texts", test_texts);
	g_test_add_func("/client/rules/users", test_users);
	g_test_add_func("/client/rules/too-many", test_too_many);
	g_test_add_func("/client/rules/since", test_since);
	g_test_add_func("/client/rules/since-of-many", test_since_of_many);
	g_test_add_func("/client/rules/fitting", test_fitting);
	g_test_add_func("/client/rules/predecessors", test_predecessors);
	g_test_add_func("/client/rules/several", test_several);
	g_test_add_func("/client/rules/state", test_state);
	g_test_add_func("/client/rules/filter", test_filter);
	g_test_add_func("/client/rules/wide-filter", test_wide_filter);
	return g_test_run();
}
