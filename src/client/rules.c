/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/rules.h"

#include "bus/names.h"
#include "bus/object-path.h"
#include "client/event-internal.h"

/* So few are looked through one by one. */
#define FEW 4u

/* What a match names besides its arg0 and its uuid: nothing, its kind, or its interface. */
enum {
	NAMES_NOTHING,
	NAMES_KIND,
	NAMES_INTERFACE,
	N_NAMES,
};

struct Rules {
	GPtrArray *all;             /* Rule */
	GHashTable *by_match;       /* RuleMatch, that of the rule -> Rule */
	unsigned n_of_shape[2][2][N_NAMES];     /* rules with or without a uuid, with or without an arg0, by what they name */
	/* Of rules for events alone. */
	GSequence *by_since;        /* Rule, the lowest first */
	GQueue by_birth;            /* Rule, the oldest first */
	unsigned generation, last_loss;
	unsigned n_events;          /* rules that want events */
	unsigned n_all;             /* that want all of them */
	unsigned n_unknown;         /* of kinds that the service cannot be asked for */
};

/* ---- what is wanted ---- */

static bool is_state(VmhEventKind kind)
{
	return kind >= VMH_EVENT_PROPERTIES_CHANGED;
}

static bool is_all(const RuleMatch *match)
{
	return !match->uuid && match->kind == VMH_EVENT_ANY && !match->interface && !match->arg0;
}

static RuleBreadth get_breadth(const RuleMatch *match)
{
	if (match->arg0)
		return RULE_BREADTHS;
	if (match->kind != VMH_EVENT_ANY || match->interface)
		return RULE_MEMBER;
	return match->uuid ? RULE_DOMAIN : RULE_ALL;
}

static bool wants_kind(const RuleMatch *match, const VmhEvent *event)
{
	return match->kind == VMH_EVENT_ANY ? !is_state(event->kind) : match->kind == event->kind;
}

bool rule_match_wants(const RuleMatch *match, const VmhEvent *event)
{
	return wants_kind(match, event) && (!match->uuid || g_strcmp0(match->uuid, event->uuid) == 0) &&
	       (!match->interface || g_strcmp0(match->interface, event->interface) == 0) &&
	       (!match->arg0 || g_strcmp0(match->arg0, event_get_arg0(event)) == 0);
}

/* In both tables a match is the same if all its parts are. */
static guint hash_match(const void *key)
{
	const RuleMatch *match = key;
	guint hash = (guint)match->kind + 1;

	if (match->uuid)
		hash = hash * 31 + g_str_hash(match->uuid);
	if (match->interface)
		hash = hash * 31 + g_str_hash(match->interface);
	if (match->arg0)
		hash = hash * 31 + g_str_hash(match->arg0);
	return hash;
}

static gboolean are_equal(const void *key_a, const void *key_b)
{
	const RuleMatch *a = key_a, *b = key_b;

	return a->kind == b->kind && g_strcmp0(a->uuid, b->uuid) == 0 && g_strcmp0(a->interface, b->interface) == 0 &&
	       g_strcmp0(a->arg0, b->arg0) == 0;
}

static unsigned get_naming(const RuleMatch *match)
{
	if (match->kind != VMH_EVENT_ANY)
		return NAMES_KIND;
	return match->interface ? NAMES_INTERFACE : NAMES_NOTHING;
}

/* Those with this domain and this arg0. What no rule is like is not looked for: rules are mostly alike. */
static unsigned find_kinds(const Rules *rules, const VmhEvent *event, const char *uuid, const char *arg0, Rule *ret_rules[])
{
	const RuleMatch matches[] = {
		[NAMES_NOTHING] = { uuid, VMH_EVENT_ANY, NULL, arg0 },
		[NAMES_KIND] = { uuid, event->kind, NULL, arg0 },
		[NAMES_INTERFACE] = { uuid, VMH_EVENT_ANY, event->interface, arg0 },
	};
	const unsigned *n_of_naming = rules->n_of_shape[uuid != NULL][arg0 != NULL];
	unsigned n = 0;

	for (unsigned i = 0; i < N_NAMES; i++) {
		Rule *rule;

		if (n_of_naming[i] == 0 || (is_state(event->kind) && i != NAMES_KIND))
			continue;
		rule = g_hash_table_lookup(rules->by_match, &matches[i]);
		if (rule)
			ret_rules[n++] = rule;
	}
	return n;
}

unsigned rules_find_fitting(const Rules *rules, const VmhEvent *event, Rule *ret_rules[RULES_FITTING_MAX])
{
	const char *arg0 = event_get_arg0(event);
	unsigned n = 0;

	if (rules->all->len <= FEW) {
		for (unsigned i = 0; i < rules->all->len; i++)
			if (rule_match_wants(&rules_get(rules, i)->match, event))
				ret_rules[n++] = rules_get(rules, i);
		return n;
	}
	for (unsigned with_uuid = 0; with_uuid < 2; with_uuid++) {
		const char *uuid = with_uuid ? event->uuid : NULL;

		n += find_kinds(rules, event, uuid, NULL, ret_rules + n);
		if (arg0)
			n += find_kinds(rules, event, uuid, arg0, ret_rules + n);
	}
	return n;
}

/* since: of those that want the event, the lowest of each breadth. */
static void get_predecessors(const VmhEvent *event, const uint64_t since[], uint64_t predecessors[])
{
	predecessors[RULE_ALL] = event->sequence - 1;
	predecessors[RULE_DOMAIN] = event_get_domain_previous(event);
	predecessors[RULE_MEMBER] = event->previous;
	/* What names itself or what is to come does not know what it says. */
	for (unsigned i = 0; i < RULE_BREADTHS; i++)
		if (predecessors[i] <= since[i] || predecessors[i] >= event->sequence)
			predecessors[i] = 0;
}

bool rules_want(const Rules *rules, const VmhEvent *event, uint64_t ret_predecessors[RULE_BREADTHS])
{
	uint64_t since[RULE_BREADTHS + 1] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	Rule *fitting[RULES_FITTING_MAX];
	unsigned n = rules_find_fitting(rules, event, fitting);
	bool wanted = false;

	for (unsigned i = 0; i < n; i++) {
		const Rule *rule = fitting[i];
		RuleBreadth breadth = get_breadth(&rule->match);

		if (event->sequence > 0 && event->sequence <= rule->since)
			continue;
		wanted = true;
		since[breadth] = MIN(since[breadth], rule->since);
	}
	for (unsigned i = 0; i < RULE_BREADTHS; i++)
		ret_predecessors[i] = 0;
	if (wanted && event->sequence > 0)
		get_predecessors(event, since, ret_predecessors);
	return wanted;
}

/* ---- the text ---- */

/* Apostrophes end a quotation, and one outside of any is \': a backslash says nothing where something is quoted. */
static void append_quoted(GString *text, const char *key, const char *value)
{
	g_string_append_c(text, ',');
	g_string_append(text, key);
	g_string_append(text, "='");
	for (; *value; value++)
		if (*value == '\'')
			g_string_append(text, "'\\''");
		else
			g_string_append_c(text, *value);
	g_string_append_c(text, '\'');
}

/* ObjectManager's signals are the manager's, and say in arg0 which domain they are about. */
static void append_place(GString *text, const RuleMatch *match)
{
	g_autofree char *path = match->uuid ? bus_path_from_uuid(match->uuid) : NULL;

	if (match->kind == VMH_EVENT_DOMAIN_ADDED || match->kind == VMH_EVENT_DOMAIN_REMOVED) {
		append_quoted(text, "path", BUS_PATH);
		/* arg0 is a path: it is no string, so nobody can want one, and the bus takes one of the two alone. */
		if (path && !match->arg0)
			append_quoted(text, "arg0path", path);
	} else if (path) {
		append_quoted(text, "path", path);
	} else if (match->kind <= VMH_EVENT_UNKNOWN ? !match->interface : is_state(match->kind)) {
		append_quoted(text, "path_namespace", BUS_PATH);
	}
}

static char *make_text(const RuleMatch *match)
{
	GString *text = g_string_new("type='signal',sender='" BUS_NAME "'");

	append_place(text, match);
	if (match->interface)
		append_quoted(text, "interface", match->interface);
	if (match->kind > VMH_EVENT_UNKNOWN) {
		append_quoted(text, "interface", event_kind_get_interface(match->kind));
		append_quoted(text, "member", event_kind_get_member(match->kind));
	}
	if (match->arg0)
		append_quoted(text, "arg0", match->arg0);
	return g_string_free(text, FALSE);
}

/* ---- the filter ---- */

bool rules_are_exact(const Rules *rules)
{
	return rules->n_events <= RULES_FILTER_MAX && rules->n_unknown == 0;
}

static void add_string(GVariantBuilder *builder, const char *key, const char *value)
{
	if (value)
		g_variant_builder_add(builder, "{sv}", key, g_variant_new_string(value));
}

static GVariant *make_entry(const RuleMatch *match, uint64_t since)
{
	bool is_named = match->kind > VMH_EVENT_UNKNOWN;
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
	if (match->uuid) {
		g_autofree char *path = bus_path_from_uuid(match->uuid);

		g_variant_builder_add(&builder, "{sv}", "domain", g_variant_new_object_path(path));
	}
	add_string(&builder, "interface", is_named ? event_kind_get_interface(match->kind) : match->interface);
	add_string(&builder, "member", is_named ? event_kind_get_member(match->kind) : NULL);
	add_string(&builder, "arg0", match->arg0);
	g_variant_builder_add(&builder, "{sv}", "after", g_variant_new_uint64(since));
	return g_variant_builder_end(&builder);
}

/* What all rules for events have in common. Strings are borrowed from the first. */
static RuleMatch get_common_match(const Rules *rules)
{
	RuleMatch common = { .kind = VMH_EVENT_ANY };
	bool is_first = true;

	for (unsigned i = 0; i < rules->all->len; i++) {
		const RuleMatch *match = &rules_get(rules, i)->match;
		const char *interface = match->kind > VMH_EVENT_UNKNOWN ? event_kind_get_interface(match->kind)
									: match->interface;

		if (is_state(match->kind))
			continue;
		if (is_first)
			common = (RuleMatch){ match->uuid, match->kind, interface, match->arg0 };
		is_first = false;
		if (g_strcmp0(common.uuid, match->uuid) != 0)
			common.uuid = NULL;
		if (common.kind != match->kind)
			common.kind = VMH_EVENT_ANY;
		if (g_strcmp0(common.interface, interface) != 0)
			common.interface = NULL;
		if (g_strcmp0(common.arg0, match->arg0) != 0)
			common.arg0 = NULL;
	}
	return common;
}

GVariant *rules_get_filter(const Rules *rules, bool *ret_exact)
{
	GVariantBuilder entries, filter;

	g_variant_builder_init(&entries, G_VARIANT_TYPE("aa{sv}"));
	if (rules->n_events > RULES_FILTER_MAX) {
		RuleMatch common = get_common_match(rules);

		g_variant_builder_add_value(&entries, make_entry(&common, rules_get_since(rules, 0)));
	} else {
		for (unsigned i = 0; i < rules->all->len; i++) {
			const Rule *rule = rules_get(rules, i);

			if (!is_state(rule->match.kind))
				g_variant_builder_add_value(&entries, make_entry(&rule->match, rule->since));
		}
	}
	g_variant_builder_init(&filter, G_VARIANT_TYPE_VARDICT);
	g_variant_builder_add(&filter, "{sv}", "any-of", g_variant_builder_end(&entries));
	if (ret_exact)
		*ret_exact = rules_are_exact(rules);
	return g_variant_builder_end(&filter);
}

/* ---- the rules ---- */

static void rule_free(void *data)
{
	Rule *rule = data;

	g_free((char *)rule->match.uuid);
	g_free((char *)rule->match.interface);
	g_free((char *)rule->match.arg0);
	g_free(rule->text);
	g_free(rule);
}

Rules *rules_new(void)
{
	Rules *rules = g_new0(Rules, 1);

	rules->all = g_ptr_array_new_with_free_func(rule_free);
	rules->by_match = g_hash_table_new(hash_match, are_equal);
	rules->by_since = g_sequence_new(NULL);
	g_queue_init(&rules->by_birth);
	rules->generation = 1;
	return rules;
}

Rules *rules_free(Rules *rules)
{
	if (!rules)
		return NULL;
	g_hash_table_unref(rules->by_match);
	g_sequence_free(rules->by_since);
	g_ptr_array_unref(rules->all);
	g_free(rules);
	return NULL;
}

static void count(Rules *rules, const RuleMatch *match, int by)
{
	rules->generation++;
	rules->n_events += is_state(match->kind) ? 0 : by;
	rules->n_all += is_all(match) ? by : 0;
	rules->n_unknown += match->kind == VMH_EVENT_UNKNOWN ? by : 0;
	rules->n_of_shape[match->uuid != NULL][match->arg0 != NULL][get_naming(match)] += by;
}

static int compare_since(const void *a, const void *b, void *unused)
{
	uint64_t since_a = ((const Rule *)a)->since, since_b = ((const Rule *)b)->since;

	return (since_a > since_b) - (since_a < since_b);
}

/* What has a since has its place in both orders. */
static void put_in_order(Rules *rules, Rule *rule)
{
	if (is_state(rule->match.kind))
		return;
	rule->by_since = g_sequence_insert_sorted(rules->by_since, rule, compare_since, NULL);
	rule->by_birth.data = rule;
	g_queue_push_tail_link(&rules->by_birth, &rule->by_birth);
}

static void take_from_order(Rules *rules, Rule *rule)
{
	if (is_state(rule->match.kind))
		return;
	g_sequence_remove(rule->by_since);
	g_queue_unlink(&rules->by_birth, &rule->by_birth);
}

Rule *rules_take(Rules *rules, const RuleMatch *match, uint64_t since, bool *ret_new)
{
	Rule *rule = g_hash_table_lookup(rules->by_match, match);
	bool is_new = !rule;

	if (is_new && rules->all->len == RULES_MAX)
		return NULL;
	if (is_new) {
		rule = g_new0(Rule, 1);
		rule->match = (RuleMatch){ g_strdup(match->uuid), match->kind, g_strdup(match->interface),
					   g_strdup(match->arg0) };
		rule->text = make_text(match);
		rule->since = since;
		count(rules, match, 1);
		rule->born = rules->generation;
		rule->index = rules->all->len;
		g_ptr_array_add(rules->all, rule);
		g_hash_table_insert(rules->by_match, &rule->match, rule);
		put_in_order(rules, rule);
	}
	rule->users++;
	*ret_new = is_new;
	return rule;
}

bool rules_release(Rules *rules, Rule *rule, char **ret_text)
{
	if (--rule->users > 0)
		return false;
	*ret_text = g_steal_pointer(&rule->text);
	count(rules, &rule->match, -1);
	rules->last_loss = rules->generation;
	g_hash_table_remove(rules->by_match, &rule->match);
	take_from_order(rules, rule);
	/* The last one takes its place. */
	rules_get(rules, rules->all->len - 1)->index = rule->index;
	g_ptr_array_remove_index_fast(rules->all, rule->index);
	return true;
}

void rules_set_since(Rules *rules, Rule *rule, uint64_t since)
{
	if (since == rule->since)
		return;
	rules->generation++;
	if (since > rule->since) {
		rules->last_loss = rules->generation;
		rule->since = since;
		if (!is_state(rule->match.kind))
			g_sequence_sort_changed(rule->by_since, compare_since, NULL);
		return;
	}
	take_from_order(rules, rule);
	rule->born = rules->generation;
	rule->since = since;
	put_in_order(rules, rule);
}

void rules_renumber(Rules *rules)
{
	for (unsigned i = 0; i < rules->all->len; i++)
		rules_set_since(rules, rules_get(rules, i), 0);
}

unsigned rules_get_length(const Rules *rules)
{
	return rules->all->len;
}

Rule *rules_get(const Rules *rules, unsigned index)
{
	return g_ptr_array_index(rules->all, index);
}

bool rules_have_all(const Rules *rules)
{
	return rules->n_all > 0;
}

bool rules_have_events(const Rules *rules)
{
	return rules->n_events > 0;
}

uint64_t rules_get_since(const Rules *rules, unsigned generation)
{
	GSequenceIter *lowest = g_sequence_get_begin_iter(rules->by_since);
	uint64_t since = UINT64_MAX;

	if (generation == 0)
		return g_sequence_iter_is_end(lowest) ? UINT64_MAX : ((const Rule *)g_sequence_get(lowest))->since;
	for (const GList *link = rules->by_birth.tail; link; link = link->prev) {
		const Rule *rule = link->data;

		if (rule->born <= generation)
			break;
		since = MIN(since, rule->since);
	}
	return since;
}

unsigned rules_get_generation(const Rules *rules)
{
	return rules->generation;
}

unsigned rules_get_last_loss(const Rules *rules)
{
	return rules->last_loss;
}
