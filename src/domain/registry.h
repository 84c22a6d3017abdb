/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/domain.h"

/*
 * Every domain the service knows, by uuid and by name. A name or uuid can also be held for a definition
 * that is being written, so that two calls cannot both succeed. Event thread only.
 */

#define REGISTRY_DOMAINS_MAX 4096u

typedef struct Registry Registry;

Registry *registry_new(void);
/* The domains must have been removed, or closed. */
Registry *registry_free(Registry *registry);

/* Takes a reference. Name and uuid must be free. */
void registry_add(Registry *registry, Domain *domain);
void registry_remove(Registry *registry, Domain *domain);
/* After a redefinition that changed the name. Somebody else may have taken the old one already, and the owner of
 * the new one must be on its way to another. */
void registry_rename(Registry *registry, Domain *domain, const char *old_name);

/* Borrowed; NULL if there is none. */
Domain *registry_find_by_uuid(const Registry *registry, const char *uuid);
Domain *registry_find_by_name(const Registry *registry, const char *name);
Domain *registry_find(const Registry *registry, const char *name_or_uuid);

/* Holds what definition needs. CORE_ERROR_DOMAIN_EXISTS if a domain other than allowed (may be NULL) has or
 * holds its name or uuid, CORE_ERROR_LIMIT_EXCEEDED if there are too many. */
bool registry_hold(Registry *registry, const Definition *definition, const Domain *allowed,
		   GError **error);
void registry_release(Registry *registry, const Definition *definition);

/* Holds both without asking whose they are. */
void registry_reserve(Registry *registry, const Definition *definition);
/* name_or_uuid in lower case. */
bool registry_is_held(const Registry *registry, const char *name_or_uuid);

/* In the order of their names; with references. */
GPtrArray *registry_list(const Registry *registry);
unsigned registry_count(const Registry *registry);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Registry, registry_free)
