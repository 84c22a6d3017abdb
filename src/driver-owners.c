/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "domain/owner-store.h"
#include "driver-internal.h"

/*
 * Whose domains they are, and how many a user may have. He is asked when one comes to be, on the event thread and in the same turn or
 * job in which it is added, so of two calls at his limit one is refused. What has been there when a limit was lowered stays.
 */

static uint64_t count_of(const Driver *driver, uid_t owner, bool adopted)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);
	uint64_t n = 0;

	for (unsigned i = 0; i < domains->len; i++) {
		const Domain *domain = g_ptr_array_index(domains, i);

		n += domain_get_owner(domain) == owner && domain_is_adopted(domain) == adopted;
	}
	return n;
}

bool driver_check_owner(const Driver *driver, uid_t owner, bool adopted, GError **error)
{
	const ConfigurationLimits *limits = &driver->configuration->limits;
	uint64_t max = adopted ? limits->adopted : limits->domains, n;

	if (owner == 0 || max == CONFIGURATION_INFINITY)
		return true;
	n = count_of(driver, owner, adopted);
	if (n < max)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
		    "User %u has %" PRIu64 " %s. The limit of a user is %" PRIu64 ", [Limits] %s= in vmherald.conf; "
		    "undefine one, or let the administrator raise it", (unsigned)owner, n,
		    adopted ? "domains that were adopted" : "domains", max, adopted ? "AdoptedMax" : "DomainsMax");
	return false;
}

void driver_load_owners(Driver *driver)
{
	const char *directory = driver->directories->owners;
	g_autoptr(GHashTable) owners = owner_store_load(directory);
	GHashTableIter iter;
	void *uuid, *owner;

	g_hash_table_iter_init(&iter, owners);
	while (g_hash_table_iter_next(&iter, &uuid, &owner)) {
		Domain *domain = registry_find_by_uuid(driver->registry, uuid);
		g_autoptr(GError) error = NULL;

		if (domain)
			domain_set_owner(domain, GPOINTER_TO_UINT(owner));
		/* WARNING: a bad file may be mended, and is still his. */
		else if (driver->problems->len == 0 && !owner_store_remove(directory, uuid, &error))
			log_problem(LOG_ID_STORE_FAILED, NULL, error->message);
	}
}
