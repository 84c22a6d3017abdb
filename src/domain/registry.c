/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/registry.h"

#include <string.h>

#include "base/error.h"

struct Registry {
	GHashTable *by_uuid;     /* owns the reference */
	GHashTable *by_name;     /* key owned: a name may change under the domain */
	GHashTable *held;        /* names and uuids; neither can be mistaken for the other in length and form,
				  * and if so, both are held, which only refuses more */
};

static void unref_domain(void *domain)
{
	domain_unref(domain);
}

Registry *registry_new(void)
{
	Registry *registry = g_new0(Registry, 1);

	registry->by_uuid = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_domain);
	registry->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	registry->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return registry;
}

Registry *registry_free(Registry *registry)
{
	if (!registry)
		return NULL;
	g_hash_table_unref(registry->by_name);
	g_hash_table_unref(registry->by_uuid);
	g_hash_table_unref(registry->held);
	g_free(registry);
	return NULL;
}

void registry_add(Registry *registry, Domain *domain)
{
	g_assert(!registry_find_by_uuid(registry, domain_get_uuid(domain)));
	g_assert(!registry_find_by_name(registry, domain_get_name(domain)));
	g_hash_table_insert(registry->by_uuid, g_strdup(domain_get_uuid(domain)),
			    domain_ref(domain));
	g_hash_table_insert(registry->by_name, g_strdup(domain_get_name(domain)), domain);
}

void registry_remove(Registry *registry, Domain *domain)
{
	g_hash_table_remove(registry->by_name, domain_get_name(domain));
	g_hash_table_remove(registry->by_uuid, domain_get_uuid(domain));
}

void registry_rename(Registry *registry, Domain *domain, const char *old_name)
{
	/* Where two change names it is the other's by now. */
	if (registry_find_by_name(registry, old_name) == domain)
		g_hash_table_remove(registry->by_name, old_name);
	g_hash_table_insert(registry->by_name, g_strdup(domain_get_name(domain)), domain);
}

Domain *registry_find_by_uuid(const Registry *registry, const char *uuid)
{
	g_autofree char *lower = g_ascii_strdown(uuid, -1);

	return g_hash_table_lookup(registry->by_uuid, lower);
}

Domain *registry_find_by_name(const Registry *registry, const char *name)
{
	return g_hash_table_lookup(registry->by_name, name);
}

Domain *registry_find(const Registry *registry, const char *name_or_uuid)
{
	Domain *domain = registry_find_by_name(registry, name_or_uuid);

	return domain ? domain : registry_find_by_uuid(registry, name_or_uuid);
}

static bool is_taken(const Registry *registry, const char *key, const Domain *owner,
		     const Domain *allowed)
{
	return (owner && owner != allowed) || g_hash_table_contains(registry->held, key);
}

bool registry_hold(Registry *registry, const Definition *definition, const Domain *allowed,
		   GError **error)
{
	const char *name = definition->name, *uuid = definition->uuid;

	if (is_taken(registry, name, registry_find_by_name(registry, name), allowed)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS,
			    "There is a domain '%s' already, with another uuid (or it is being "
			    "defined at this moment); to change it, give its uuid", name);
		return false;
	}
	if (is_taken(registry, uuid, registry_find_by_uuid(registry, uuid), allowed)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS,
			    "There is a domain with the uuid %s already (or it is being defined at "
			    "this moment)", uuid);
		return false;
	}
	if (!allowed && registry_count(registry) >= REGISTRY_DOMAINS_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "There are %u domains already; undefine some",
			    registry_count(registry));
		return false;
	}
	g_hash_table_add(registry->held, g_strdup(name));
	g_hash_table_add(registry->held, g_strdup(uuid));
	return true;
}

void registry_reserve(Registry *registry, const Definition *definition)
{
	g_hash_table_add(registry->held, g_strdup(definition->name));
	g_hash_table_add(registry->held, g_strdup(definition->uuid));
}

bool registry_is_held(const Registry *registry, const char *name_or_uuid)
{
	return g_hash_table_contains(registry->held, name_or_uuid);
}

void registry_release(Registry *registry, const Definition *definition)
{
	g_hash_table_remove(registry->held, definition->name);
	g_hash_table_remove(registry->held, definition->uuid);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(domain_get_name(*(Domain *const *)a), domain_get_name(*(Domain *const *)b));
}

GPtrArray *registry_list(const Registry *registry)
{
	GPtrArray *list = g_ptr_array_new_full(registry_count(registry), unref_domain);
	GHashTableIter iter;
	void *domain;

	g_hash_table_iter_init(&iter, registry->by_uuid);
	while (g_hash_table_iter_next(&iter, NULL, &domain))
		g_ptr_array_add(list, domain_ref(domain));
	g_ptr_array_sort(list, compare_names);
	return list;
}

unsigned registry_count(const Registry *registry)
{
	return g_hash_table_size(registry->by_uuid);
}
