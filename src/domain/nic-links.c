/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "domain/domain-internal.h"

/*
 * The links of the host that the NICs of a domain stand on (net/host-nic.h), as its other chapters see them: which
 * there are, and how one goes. They come with a start (launch.c) or with a NIC that is plugged in (attach.c), and
 * go with that NIC or at the end of the run (run-end.c).
 *
 * A link stays in the table, and so in the run file, until it has been removed: whoever is killed in between
 * leaves a note of what there may be, and removing it twice does nothing.
 */

void nic_links_started(Domain *domain, GHashTable *nics)
{
	const GPtrArray *interfaces = domain->definition->interfaces;

	g_hash_table_unref(domain->host_nics);
	domain->host_nics = nics;
	/* When such a NIC is plugged out its netdev goes too, as that of one that was plugged in. */
	for (unsigned i = 0; i < interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(interfaces, i);
		char *netdev = definition_interface_get_netdev(interface);
		Backends *backends;

		if (!netdev)
			continue;
		backends = g_new0(Backends, 1);
		backends->ids[BACKEND_NETDEV] = netdev;
		g_hash_table_replace(domain->backends, g_strdup(interface->id), backends);
	}
}

void nic_links_rename(Domain *domain, const char *id, const char *place)
{
	char *known;
	HostNic *nic;

	if (!g_hash_table_steal_extended(domain->host_nics, id, (void **)&known, (void **)&nic))
		return;
	g_free(known);
	g_hash_table_insert(domain->host_nics, g_strdup(place), nic);
}

/* ---- going ---- */

typedef struct Removal {
	Domain *domain;
	uint64_t run;
	char *id, *name;
	bool known;                  /* it is in the table */
	GHashTable *links;           /* with that one in it */
	NicLinksDone done;
	void *userdata;
} Removal;

static StrandStep removal_work(void *data)
{
	const Removal *removal = data;

	host_nics_remove(removal->links, removal->name);
	return STRAND_DONE;
}

static void removal_done(void *data)
{
	Removal *removal = data;
	Domain *domain = removal->domain;
	const HostNic *removed = g_hash_table_lookup(removal->links, removal->id);
	const HostNic *known;

	if (!removal->known || !domain->host || domain->run != removal->run)
		return;
	known = g_hash_table_lookup(domain->host_nics, removal->id);
	if (known && g_str_equal(known->link, removed->link))
		(void)g_hash_table_remove(domain->host_nics, removal->id);
}

/* Also reached without removal_done(), when the service leaves: the next one finds the link in the run file. */
static void removal_free(void *data)
{
	Removal *removal = data;

	removal->done(removal->domain, removal->userdata);
	g_hash_table_unref(removal->links);
	domain_unref(removal->domain);
	g_free(removal->id);
	g_free(removal->name);
	g_free(removal);
}

static const StrandItemClass removal_class = { removal_work, NULL, removal_done, removal_free };

static void push_removal(Domain *domain, const char *id, const HostNic *link, bool known,
			 NicLinksDone done, void *userdata)
{
	Removal *removal = g_new0(Removal, 1);

	removal->domain = domain_ref(domain);
	removal->run = domain->run;
	removal->id = g_strdup(id);
	removal->name = g_strdup(domain_get_name(domain));
	removal->known = known;
	removal->links = host_nics_new();
	g_hash_table_insert(removal->links, g_strdup(id), host_nic_copy(link));
	removal->done = done;
	removal->userdata = userdata;
	strand_push(domain->work, &removal_class, removal);
}

void nic_links_remove(Domain *domain, const char *id, NicLinksDone done, void *userdata)
{
	const HostNic *link = g_hash_table_lookup(domain->host_nics, id);

	if (link)
		push_removal(domain, id, link, true, done, userdata);
	else
		done(domain, userdata);
}

void nic_links_remove_one(Domain *domain, const char *id, const HostNic *link, NicLinksDone done,
			  void *userdata)
{
	push_removal(domain, id, link, false, done, userdata);
}

/* ---- coming ---- */

GStrv nic_links_make_names(const char *id, unsigned n_names)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (unsigned i = 0; i < n_names; i++) {
		g_autofree char *name = g_strdup_printf("vmherald-%s-%u", id, i);

		g_strv_builder_add(builder, name);
	}
	return g_strv_builder_end(builder);
}

typedef struct Making {
	Domain *domain;
	char *name;
	DefinitionInterface *interface;
	HostNic *link;
	GArray *descriptors;
	GError *error;
	NicLinksMade done;
	void *userdata;
} Making;

/* At a start it is the start that has failed. */
static void rename_error(GError *error)
{
	if (g_error_matches(error, CORE_ERROR, CORE_ERROR_START_FAILED))
		error->code = CORE_ERROR_IO;
}

static StrandStep making_work(void *data)
{
	Making *making = data;

	if (!host_nics_make_one(making->link, making->interface, making->name, 0, making->descriptors,
				&making->error))
		rename_error(making->error);
	return STRAND_DONE;
}

/* Also when the service leaves: then nobody goes on with it, and the next service finds the note. */
static void making_free(void *data)
{
	Making *making = data;

	making->done(making->domain, making->link, making->descriptors, making->error, making->userdata);
	g_array_unref(making->descriptors);
	definition_interface_free(making->interface);
	host_nic_free(making->link);
	g_clear_error(&making->error);
	domain_unref(making->domain);
	g_free(making->name);
	g_free(making);
}

static const StrandItemClass making_class = { making_work, NULL, NULL, making_free };

void nic_links_make(Domain *domain, const DefinitionInterface *interface, const HostNic *link,
		    NicLinksMade done, void *userdata)
{
	Making *making = g_new0(Making, 1);

	making->domain = domain_ref(domain);
	making->name = g_strdup(domain_get_name(domain));
	making->interface = definition_interface_copy(interface);
	making->link = host_nic_copy(link);
	making->descriptors = host_nics_descriptors_new();
	making->done = done;
	making->userdata = userdata;
	strand_push(domain->work, &making_class, making);
}
