/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/reload-plan.h"

#include <string.h>

/*
 * Names are what can be had by one alone. Each name is claimed: by a domain that keeps it (or by a file that stays
 * where it is, since the next write would go there), or by an entry that wants it. An entry that is refused keeps what
 * it had, which may refuse the next one; each is refused at most once, so that comes to an end.
 */

typedef struct Planner {
	ReloadPlan *plan;
	StoredDefinitions *stored;
	GHashTable *by_uuid;     /* uuid -> ReloadEntry: the file that counts */
	GHashTable *claims;      /* name -> ReloadEntry, or the planner itself: it is not to be had */
	GHashTable *refused;     /* ReloadEntry */
	GQueue to_refuse;        /* ReloadEntry that have lost their claim */
	unsigned n_new, n_leaving;
} Planner;

static void entry_free(void *data)
{
	ReloadEntry *entry = data;

	domain_unref(entry->domain);
	definition_unref(entry->before);
	g_free(entry);
}

static void unref_domain(void *domain)
{
	domain_unref(domain);
}

static void unref_definition(void *definition)
{
	definition_unref(definition);
}

static const char *name_of(const ReloadEntry *entry)
{
	return entry->stored->definition->name;
}

static bool is_renamed(const ReloadEntry *entry)
{
	return entry->domain && !g_str_equal(name_of(entry), domain_get_name(entry->domain));
}

static bool is_active(const Domain *domain)
{
	return domain_state_is_active(domain_get_state(domain));
}

/* ---- refusing ---- */

G_GNUC_PRINTF(4, 5)
static void complain(Planner *planner, const StoredDefinition *stored, const char *path,
		     const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	stored_definitions_add_problem(planner->stored, stored->file, (DefinitionPlace){ 0 }, path,
				       message);
}

/* Whoever wanted that name does not get it. */
static void fix_name(Planner *planner, const char *name)
{
	void *claim = g_hash_table_lookup(planner->claims, name);

	if (claim == planner)
		return;
	g_hash_table_insert(planner->claims, g_strdup(name), planner);
	if (claim)
		g_queue_push_tail(&planner->to_refuse, claim);
}

static void fix_file(Planner *planner, const StoredDefinition *stored)
{
	g_autofree char *name = stored_name_of(stored->file);

	fix_name(planner, name);
}

/* It is told already. */
static void refuse(Planner *planner, ReloadEntry *entry)
{
	if (!g_hash_table_add(planner->refused, entry))
		return;
	if (g_hash_table_lookup(planner->claims, name_of(entry)) == entry)
		g_hash_table_remove(planner->claims, name_of(entry));
	if (!entry->domain)
		planner->n_new--;
	else
		fix_name(planner, domain_get_name(entry->domain));
	fix_file(planner, entry->stored);
}

static void refuse_name(Planner *planner, ReloadEntry *entry)
{
	const Domain *owner = registry_find_by_name(planner->plan->registry, name_of(entry));

	if (g_hash_table_contains(planner->refused, entry))
		return;
	if (owner && owner != entry->domain)
		complain(planner, entry->stored, "name", "there is a domain '%s' already, with the uuid %s",
			 name_of(entry), domain_get_uuid(owner));
	else
		complain(planner, entry->stored, "name", "another file has the name '%s', or is called so",
			 name_of(entry));
	refuse(planner, entry);
}

static void refuse_losers(Planner *planner)
{
	ReloadEntry *entry;

	while ((entry = g_queue_pop_head(&planner->to_refuse)))
		refuse_name(planner, entry);
}

/* ---- whose file is it? ---- */

static ReloadEntry *add_entry(Planner *planner, StoredDefinition *stored)
{
	ReloadEntry *entry = g_new0(ReloadEntry, 1);
	Domain *domain = registry_find_by_uuid(planner->plan->registry, stored->definition->uuid);

	entry->stored = stored;
	if (domain) {
		entry->domain = domain_ref(domain);
		entry->before = definition_ref(domain_get_next_definition(domain));
	} else {
		planner->n_new++;
	}
	g_ptr_array_add(planner->plan->entries, entry);
	g_hash_table_insert(planner->by_uuid, stored->definition->uuid, entry);
	return entry;
}

/* A copy does not take the place of what it was made from, nor does a file that is called otherwise. */
static unsigned rate(const ReloadEntry *entry, const StoredDefinition *stored)
{
	const char *name = stored->definition->name;
	g_autofree char *proper = stored_file_of(name);
	bool keeps_name = entry->domain && g_str_equal(name, domain_get_name(entry->domain));

	return (keeps_name ? 2 : 0) + (g_str_equal(stored->file, proper) ? 1 : 0);
}

/* Of two files with one uuid the better one counts, else the first. */
static void add_one(Planner *planner, StoredDefinition *stored)
{
	ReloadEntry *first = g_hash_table_lookup(planner->by_uuid, stored->definition->uuid);
	StoredDefinition *loser = stored;

	if (!first) {
		(void)add_entry(planner, stored);
		return;
	}
	if (rate(first, stored) > rate(first, first->stored)) {
		loser = first->stored;
		first->stored = stored;
		/* The key was the loser's. */
		g_hash_table_replace(planner->by_uuid, stored->definition->uuid, first);
	}
	complain(planner, loser, "uuid", "the uuid %s is that of the file %s, too", loser->definition->uuid,
		 first->stored->file);
	fix_file(planner, loser);
}

static void check_alone(Planner *planner, ReloadEntry *entry)
{
	Registry *registry = planner->plan->registry;
	const Definition *definition = entry->stored->definition;

	if (entry->domain && domain_is_adopted(entry->domain))
		complain(planner, entry->stored, "uuid",
			 "domain '%s', which was adopted, has this uuid; let go of it (Undefine) or wait "
			 "for its end, and reload", domain_get_name(entry->domain));
	else if (entry->domain && is_active(entry->domain) && is_renamed(entry))
		complain(planner, entry->stored, "name",
			 "domain '%s' runs and cannot be renamed to '%s' now; shut it down and reload",
			 domain_get_name(entry->domain), definition->name);
	else if (registry_is_held(registry, definition->name) ||
		 registry_is_held(registry, definition->uuid))
		complain(planner, entry->stored, "name",
			 "the domain '%s' is being defined at this moment; reload again",
			 definition->name);
	else if (!entry->domain && registry_count(registry) + planner->n_new >
					   REGISTRY_DOMAINS_MAX + planner->n_leaving)
		complain(planner, entry->stored, "",
			 "there would be more than %u domains; undefine some", REGISTRY_DOMAINS_MAX);
	else
		return;
	refuse(planner, entry);
}

/* ---- names ---- */

/* Has no file any more. What runs goes on, and goes when it stops. */
static bool is_removed(const Planner *planner, const Domain *domain)
{
	return domain_is_persistent(domain) && planner->stored->complete &&
	       !g_hash_table_contains(planner->by_uuid, domain_get_uuid(domain)) &&
	       !g_hash_table_contains(planner->stored->doubtful, domain_get_uuid(domain)) &&
	       !g_hash_table_contains(planner->stored->doubtful, domain_get_name(domain));
}

static void claim_kept(Planner *planner, Domain *domain)
{
	const ReloadEntry *entry = g_hash_table_lookup(planner->by_uuid, domain_get_uuid(domain));

	if (is_removed(planner, domain)) {
		g_ptr_array_add(planner->plan->removed, domain_ref(domain));
		if (!is_active(domain)) {
			planner->n_leaving++;
			return;
		}
	}
	if (!entry || !is_renamed(entry))
		fix_name(planner, domain_get_name(domain));
}

static void claim_wanted(Planner *planner, ReloadEntry *entry)
{
	if (g_hash_table_contains(planner->refused, entry) || (entry->domain && !is_renamed(entry)))
		return;
	if (g_hash_table_contains(planner->claims, name_of(entry)))
		refuse_name(planner, entry);
	else
		g_hash_table_insert(planner->claims, g_strdup(name_of(entry)), entry);
	refuse_losers(planner);
}

static void decide(Planner *planner)
{
	GPtrArray *entries = planner->plan->entries;
	g_autoptr(GPtrArray) domains = registry_list(planner->plan->registry);
	GHashTableIter iter;
	void *doubtful;

	for (unsigned i = 0; i < planner->stored->definitions->len; i++)
		add_one(planner, g_ptr_array_index(planner->stored->definitions, i));
	g_hash_table_iter_init(&iter, planner->stored->doubtful);
	while (g_hash_table_iter_next(&iter, &doubtful, NULL))
		fix_name(planner, doubtful);
	for (unsigned i = 0; i < domains->len; i++)
		claim_kept(planner, g_ptr_array_index(domains, i));
	for (unsigned i = 0; i < entries->len; i++)
		check_alone(planner, g_ptr_array_index(entries, i));
	for (unsigned i = 0; i < entries->len; i++)
		claim_wanted(planner, g_ptr_array_index(entries, i));
	refuse_losers(planner);
}

/* ---- the outcome ---- */

static void hold(ReloadPlan *plan, ReloadEntry *entry)
{
	registry_reserve(plan->registry, entry->stored->definition);
	g_ptr_array_add(plan->held, definition_ref(entry->stored->definition));
	g_ptr_array_add(plan->accepted, entry->stored);
	if (is_renamed(entry))
		g_ptr_array_add(plan->waiting, domain_ref(entry->domain));
}

static void accept(Planner *planner)
{
	ReloadPlan *plan = planner->plan;

	g_autoptr(GPtrArray) all = g_steal_pointer(&plan->entries);

	plan->entries = g_ptr_array_new_with_free_func(entry_free);
	g_ptr_array_set_free_func(all, NULL);
	for (unsigned i = 0; i < all->len; i++) {
		ReloadEntry *entry = g_ptr_array_index(all, i);

		if (g_hash_table_contains(planner->refused, entry)) {
			entry_free(entry);
			continue;
		}
		g_ptr_array_add(plan->entries, entry);
		hold(plan, entry);
	}
	for (unsigned i = 0; i < plan->removed->len; i++)
		g_ptr_array_add(plan->waiting, domain_ref(g_ptr_array_index(plan->removed, i)));
	for (unsigned i = 0; i < plan->waiting->len; i++)
		domain_set_renaming(g_ptr_array_index(plan->waiting, i), true);
}

ReloadPlan *reload_plan_new(Registry *registry, StoredDefinitions *stored)
{
	ReloadPlan *plan = g_new0(ReloadPlan, 1);
	Planner planner = { .plan = plan, .stored = stored };

	plan->registry = registry;
	plan->entries = g_ptr_array_new_with_free_func(entry_free);
	plan->accepted = g_ptr_array_new();
	plan->removed = g_ptr_array_new_with_free_func(unref_domain);
	plan->waiting = g_ptr_array_new_with_free_func(unref_domain);
	plan->held = g_ptr_array_new_with_free_func(unref_definition);
	planner.by_uuid = g_hash_table_new(g_str_hash, g_str_equal);
	planner.claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	planner.refused = g_hash_table_new(NULL, NULL);
	g_queue_init(&planner.to_refuse);
	decide(&planner);
	accept(&planner);
	stored_definitions_end_problems(stored);
	g_hash_table_unref(planner.by_uuid);
	g_hash_table_unref(planner.claims);
	g_hash_table_unref(planner.refused);
	return plan;
}

static bool is_same(const Definition *a, const Definition *b)
{
	g_autofree char *text_a = definition_to_json(a);
	g_autofree char *text_b = definition_to_json(b);

	return g_str_equal(text_a, text_b);
}

void reload_plan_compare(ReloadPlan *plan)
{
	for (unsigned i = 0; i < plan->entries->len; i++) {
		ReloadEntry *entry = g_ptr_array_index(plan->entries, i);

		entry->is_same = entry->before && is_same(entry->before, entry->stored->definition);
	}
}

void reload_plan_release(ReloadPlan *plan)
{
	for (unsigned i = 0; i < plan->waiting->len; i++)
		domain_set_renaming(g_ptr_array_index(plan->waiting, i), false);
	for (unsigned i = 0; i < plan->held->len; i++)
		registry_release(plan->registry, g_ptr_array_index(plan->held, i));
	g_ptr_array_set_size(plan->waiting, 0);
	g_ptr_array_set_size(plan->held, 0);
}

ReloadPlan *reload_plan_free(ReloadPlan *plan)
{
	if (!plan)
		return NULL;
	reload_plan_release(plan);
	g_ptr_array_unref(plan->entries);
	g_ptr_array_unref(plan->accepted);
	g_ptr_array_unref(plan->removed);
	g_ptr_array_unref(plan->waiting);
	g_ptr_array_unref(plan->held);
	g_free(plan);
	return NULL;
}
