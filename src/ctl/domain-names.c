/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/domain-names.h"

#include <glib/gi18n.h>

struct DomainNames {
	GHashTable *names;              /* uuid -> name */
	GQueue *gone;                   /* char *, uuids of removed domains, oldest first */
};

DomainNames *domain_names_new(void)
{
	DomainNames *names = g_new0(DomainNames, 1);

	names->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	names->gone = g_queue_new();
	return names;
}

DomainNames *domain_names_free(DomainNames *names)
{
	if (!names)
		return NULL;
	g_hash_table_unref(names->names);
	g_queue_free_full(names->gone, g_free);
	g_free(names);
	return NULL;
}

const char *domain_names_get(const DomainNames *names, const char *uuid)
{
	return g_hash_table_lookup(names->names, uuid);
}

static void learn(DomainNames *names, const char *uuid, const char *name)
{
	GList *link;

	if (!name)
		return;
	link = g_queue_find_custom(names->gone, uuid, (GCompareFunc) g_strcmp0);
	if (link) {
		g_free(link->data);
		g_queue_delete_link(names->gone, link);
	}
	g_hash_table_replace(names->names, g_strdup(uuid), g_strdup(name));
}

/* Its last events may come after it was removed, so the name is kept for a while. */
static void forget(DomainNames *names, const char *uuid)
{
	if (!g_hash_table_contains(names->names, uuid) ||
	    g_queue_find_custom(names->gone, uuid, (GCompareFunc) g_strcmp0))
		return;
	g_queue_push_tail(names->gone, g_strdup(uuid));
	if (names->gone->length > DOMAIN_NAMES_GONE_MAX) {
		g_autofree char *oldest = g_queue_pop_head(names->gone);

		g_hash_table_remove(names->names, oldest);
	}
}

void domain_names_heed(DomainNames *names, const VmhEvent *event)
{
	g_autoptr(VmhValue) properties = NULL;

	if (!*event->uuid)
		return;
	if (event->kind == VMH_EVENT_DOMAIN_ADDED)
		properties = vmh_value_lookup(event->domain_added.interfaces, VMH_BUS_NAME ".Domain");
	else if (event->kind == VMH_EVENT_PROPERTIES_CHANGED &&
		 g_str_equal(event->properties_changed.interface, VMH_BUS_NAME ".Domain"))
		properties = vmh_value_ref(event->properties_changed.changed);
	else if (event->kind == VMH_EVENT_DOMAIN_REMOVED)
		forget(names, event->uuid);
	if (properties)
		learn(names, event->uuid, vmh_value_lookup_string(properties, "Name"));
}

void domain_names_take(DomainNames *names, const VmhSnapshot *snapshot)
{
	for (size_t i = 0; i < vmh_snapshot_get_length(snapshot); i++) {
		const VmhDomainInfo *info = vmh_snapshot_get_info(snapshot, i);

		learn(names, info->uuid, info->name);
	}
}

bool domain_names_ask(DomainNames *names, VmhConnection *connection)
{
	g_autoptr(VmhError) error = NULL;
	VmhDomainEntry *entries;
	size_t length = 0;

	entries = vmh_connection_list_domains(connection, NULL, &length, &error);
	for (size_t i = 0; i < length; i++)
		learn(names, entries[i].uuid, entries[i].name);
	vmh_domain_entries_free(entries, length);
	if (error && error->code == VMH_ERROR_NO_REPLY && vmh_connection_is_service_there(connection)) {
		ctl_error(_("The service does not tell the names of its domains in time"));
		return true;
	}
	return !error;
}
