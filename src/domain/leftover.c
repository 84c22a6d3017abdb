/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * What is left in QEMU of a service that was killed, or has lost the monitor, in the middle of something.
 *
 * Plugging a device in and changing a medium are several commands each. So what goes in is written to the run file
 * before the first of them (under-way.h), and the note is taken out with the last. The next service reads the state
 * afresh and finds either that it came to its end, or what has to be taken back: nobody was answered, so
 * both are right, and nothing in between is.
 *
 * WARNING: what is not ours must not be taken out. A name that is known to belong to something else is
 * refused by QEMU and is not written down; one that only a client's own command knows of is not known.
 */

/* ---- before ---- */

/* Whether an object of the list has that name. */
static bool has_entry(GPtrArray *entries, const char *member, const char *name)
{
	const char *value;

	for (unsigned i = 0; i < entries->len; i++)
		if (json_read_string(json_node_as_object(g_ptr_array_index(entries, i)), member, &value) &&
		    g_str_equal(value, name))
			return true;
	return false;
}

/* WARNING: the definition of what runs follows its devices a little later, so what it says of one that has gone is
 * the past. What of that one may still be there is in the table of backends. */
static bool has_interface(const Domain *domain, const char *netdev)
{
	const GPtrArray *interfaces = domain->definition->interfaces;

	for (unsigned i = 0; i < interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(interfaces, i);
		g_autofree char *own = definition_interface_get_netdev(interface);

		if (g_strcmp0(own, netdev) == 0 && g_hash_table_contains(domain->devices, interface->id))
			return true;
	}
	return false;
}

static bool is_of_a_device(GHashTable *table, BackendKind kind, const char *name)
{
	GHashTableIter iter;
	void *backends;

	g_hash_table_iter_init(&iter, table);
	while (g_hash_table_iter_next(&iter, NULL, &backends))
		if (g_strcmp0(((const Backends *)backends)->ids[kind], name) == 0)
			return true;
	return false;
}

static bool is_under_way(GHashTable *table, BackendKind kind, const char *name)
{
	GHashTableIter iter;
	void *entry;

	g_hash_table_iter_init(&iter, table);
	while (g_hash_table_iter_next(&iter, NULL, &entry))
		if (g_strcmp0(((const UnderWay *)entry)->backends.ids[kind], name) == 0)
			return true;
	return false;
}

static bool is_known(const Domain *domain, BackendKind kind, const char *name)
{
	const Definition *definition = domain->definition;
	GPtrArray *const entries[BACKEND_MAX] = {
		[BACKEND_OBJECT] = definition->objects,
		[BACKEND_BLOCKDEV] = definition->blockdevs,
		[BACKEND_NETDEV] = definition->netdevs,
	};

	return has_entry(entries[kind], backend_rows[kind].id_member, name) ||
	       (kind == BACKEND_NETDEV && has_interface(domain, name)) ||
	       (kind == BACKEND_BLOCKDEV && g_hash_table_contains(domain->drive_nodes, name)) ||
	       is_of_a_device(domain->backends, kind, name) ||
	       is_under_way(domain->under_way, kind, name);
}

void leftover_note(Domain *domain, const char *device, UnderWay *entry, RunFileWritten done,
		   void *userdata)
{
	for (unsigned i = 0; i < BACKEND_MAX; i++)
		if (entry->backends.ids[i] && is_known(domain, (BackendKind)i, entry->backends.ids[i]))
			g_clear_pointer(&entry->backends.ids[i], g_free);
	g_hash_table_replace(domain->under_way, g_strdup(device), entry);
	domain_write_run_file(domain, true, done, userdata);
}

static void on_written(Domain *domain, const GError *error, void *userdata)
{
	if (error)
		domain_log(domain, LOG_INFO, "%s", error->message);
}

void leftover_forget(Domain *domain, const char *device, RunFileWritten done, void *userdata)
{
	(void)g_hash_table_remove(domain->under_way, device);
	domain_write_run_file(domain, true, done, userdata);
}

bool leftover_is_noted(const Domain *domain, const char *device)
{
	const UnderWay *entry = g_hash_table_lookup(domain->under_way, device);

	return entry && !entry->found;
}

void leftover_set_link_index(Domain *domain, const char *device, unsigned index)
{
	UnderWay *entry = g_hash_table_lookup(domain->under_way, device);

	if (entry && entry->link)
		entry->link->index = index;
}

/* ---- after ---- */

/* All that is sent because of what was found; when the last is answered, the notes go. */
typedef struct Cleaning {
	Domain *domain;
	uint64_t run;
	unsigned pending;
	GHashTable *links;           /* device id -> HostNic, that belong to nothing */
} Cleaning;

/* Not what was begun under the same name since. */
static gboolean is_found(void *device, void *entry, void *userdata)
{
	return ((const UnderWay *)entry)->found;
}

static void step(Cleaning *cleaning);

static void on_link_removed(Domain *domain, void *userdata)
{
	step(userdata);
}

/* When QEMU has nothing of them any more. False if there is none, or none any more. */
static bool remove_links(Cleaning *cleaning)
{
	g_autoptr(GHashTable) links = g_steal_pointer(&cleaning->links);
	GHashTableIter iter;
	void *device, *link;

	cleaning->links = host_nics_new();
	cleaning->pending = g_hash_table_size(links);
	g_hash_table_iter_init(&iter, links);
	while (g_hash_table_iter_next(&iter, &device, &link))
		nic_links_remove_one(cleaning->domain, device, link, on_link_removed, cleaning);
	return g_hash_table_size(links) > 0;
}

static void step(Cleaning *cleaning)
{
	Domain *domain = cleaning->domain;

	if (--cleaning->pending > 0)
		return;
	if (domain->host && domain->run == cleaning->run && remove_links(cleaning))
		return;
	if (domain->host && domain->run == cleaning->run && domain->monitor) {
		(void)g_hash_table_foreach_remove(domain->under_way, is_found, NULL);
		domain_write_run_file(domain, true, on_written, NULL);
		drives_changed(domain);
	}
	g_hash_table_unref(cleaning->links);
	domain_unref(domain);
	g_free(cleaning);
}

/* A refusal is what comes of a step that had not been taken. */
static void on_answer(JsonNode *result, const GError *error, void *userdata)
{
	Cleaning *cleaning = userdata;

	if (error)
		domain_log(cleaning->domain, LOG_INFO, "cleaning up: %s", error->message);
	step(cleaning);
}

/* Takes arguments over. */
static void order(Cleaning *cleaning, const char *command, JsonNode *arguments)
{
	cleaning->pending++;
	domain_call(cleaning->domain, command, arguments, DOMAIN_CALL_TIMEOUT_MS, on_answer, cleaning);
}

static void take_out(Cleaning *cleaning, BackendKind kind, const char *name)
{
	if (name)
		order(cleaning, backend_rows[kind].remove,
		      call_arguments(backend_rows[kind].remove_member, name));
}

static Backends *get_backends(Domain *domain, const char *device)
{
	Backends *backends = g_hash_table_lookup(domain->backends, device);

	if (!backends) {
		backends = g_new0(Backends, 1);
		g_hash_table_replace(domain->backends, g_strdup(device), backends);
	}
	return backends;
}

/* The netdev that was to take them has none of these names any more. */
static void close_descriptors(Cleaning *cleaning, const char *device, unsigned n_fds)
{
	g_auto(GStrv) names = nic_links_make_names(device, n_fds);

	for (unsigned i = 0; names[i]; i++)
		order(cleaning, "closefd", call_arguments("fdname", names[i]));
}

static void clean_device(Cleaning *cleaning, const char *device, UnderWay *entry)
{
	bool is_in = g_hash_table_contains(cleaning->domain->devices, device);

	domain_log(cleaning->domain, LOG_NOTICE, "plugging in device '%s' was cut off; %s", device,
		   is_in ? "it is in" : "what came with it is taken out");
	for (unsigned i = BACKEND_MAX; i-- > 0;) {
		if (is_in && entry->backends.ids[i])
			get_backends(cleaning->domain, device)->ids[i] =
				g_steal_pointer(&entry->backends.ids[i]);
		else if (!is_in)
			take_out(cleaning, (BackendKind)i, entry->backends.ids[i]);
	}
	if (!is_in)
		close_descriptors(cleaning, device, entry->n_fds);
	if (entry->link && is_in)
		g_hash_table_replace(cleaning->domain->host_nics, g_strdup(device),
				     g_steal_pointer(&entry->link));
	else if (entry->link)
		/* A copy: it stays noted until it has gone. */
		g_hash_table_replace(cleaning->links, g_strdup(device), host_nic_copy(entry->link));
}

static void clean_medium(Cleaning *cleaning, const char *device, UnderWay *entry)
{
	Domain *domain = cleaning->domain;
	const char *node = drives_get_node(domain, device), *new = entry->backends.ids[BACKEND_BLOCKDEV];
	bool is_there = g_hash_table_contains(domain->devices, device);
	bool is_open = g_strcmp0(g_hash_table_lookup(domain->trays, device), "open") == 0;
	bool is_done = is_there && (new || !entry->old) ? g_strcmp0(node, new) == 0 : is_there && !node;

	domain_log(domain, LOG_NOTICE, "changing the medium of '%s' was cut off; %s", device,
		   is_done ? "it is done" : "that is undone");
	if (is_done) {
		Backends *backends = get_backends(domain, device);

		/* That of the medium before, if it came by us. */
		take_out(cleaning, BACKEND_BLOCKDEV, backends->ids[BACKEND_BLOCKDEV]);
		g_free(backends->ids[BACKEND_BLOCKDEV]);
		backends->ids[BACKEND_BLOCKDEV] = g_strdup(new);
		if (is_open && new)
			order(cleaning, "blockdev-close-tray", call_arguments("id", device));
		return;
	}
	if (is_there && !node && entry->old) {
		JsonNode *arguments = call_arguments("id", device);

		json_object_set_string_member(json_node_get_object(arguments), "node-name",
					      entry->old);
		order(cleaning, "blockdev-insert-medium", arguments);
	}
	if (is_there && is_open && !entry->was_open)
		order(cleaning, "blockdev-close-tray", call_arguments("id", device));
	take_out(cleaning, BACKEND_BLOCKDEV, new);
}

/* The service was killed after such a device had gone, and before the definition followed it. */
static void drop_interfaces(Domain *domain)
{
	const GPtrArray *interfaces = domain->definition->interfaces;

	for (unsigned i = 0; i < interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(interfaces, i);

		if (!g_hash_table_contains(domain->devices, interface->id))
			live_definition_remove(domain, interface->id, 0);
	}
}

void leftover_resynced(Domain *domain)
{
	Cleaning *cleaning;
	GHashTableIter iter;
	void *device, *value;

	drop_interfaces(domain);
	if (g_hash_table_size(domain->under_way) == 0)
		return;
	cleaning = g_new0(Cleaning, 1);
	cleaning->domain = domain_ref(domain);
	cleaning->run = domain->run;
	cleaning->pending = 1;
	cleaning->links = host_nics_new();
	g_hash_table_iter_init(&iter, domain->under_way);
	while (g_hash_table_iter_next(&iter, &device, &value)) {
		UnderWay *entry = value;

		entry->found = true;
		if (entry->medium)
			clean_medium(cleaning, device, entry);
		else
			clean_device(cleaning, device, entry);
	}
	step(cleaning);
}
