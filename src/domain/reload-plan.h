/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/registry.h"
#include "domain/stored-definition.h"

/*
 * What is to become of the domains when the files of definitions have been read again.
 *
 * The uuid says whose file it is, so a file with another name in it renames a domain, and two files
 * may exchange the names of two domains. It is decided for all at once which of them can be had; what cannot is a
 * problem of its file, and the domain stays as it was.
 *
 * A domain without a file is given up, unless a file that cannot be read may be its own: by its name, or by a
 * uuid in it.
 */

typedef struct ReloadEntry {
	StoredDefinition *stored;   /* borrowed from what was loaded */
	Domain *domain;             /* a reference; NULL: it is a new one */
	Definition *before;         /* a reference; NULL likewise */
	bool is_same;               /* reload_plan_compare(): nothing has changed */
} ReloadEntry;

typedef struct ReloadPlan {
	Registry *registry;
	GPtrArray *entries;         /* ReloadEntry, in the order of their files */
	GPtrArray *accepted;        /* their StoredDefinitions */
	GPtrArray *removed;         /* Domain, with references */
	GPtrArray *waiting;         /* Domain, likewise: those that must not be started before it is done */
	GPtrArray *held;            /* Definition, with references: those whose names are held */
} ReloadPlan;

/* Adds to the problems of stored, which must outlive the plan. Until the plan is freed the names and uuids in it are
 * held, and what is renamed or removed is not started. Event thread. */
ReloadPlan *reload_plan_new(Registry *registry, StoredDefinitions *stored);
/* The long part of finding out what has changed: any thread. */
void reload_plan_compare(ReloadPlan *plan);
/* Lets go of what it holds; call before the domains are changed. */
void reload_plan_release(ReloadPlan *plan);
ReloadPlan *reload_plan_free(ReloadPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ReloadPlan, reload_plan_free)
