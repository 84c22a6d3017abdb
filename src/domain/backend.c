/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/backend.h"

const BackendRow backend_rows[BACKEND_MAX] = {
	[BACKEND_OBJECT] = { "object", "object-add", "object-del", "id", "id",
			     DEFINITION_ENTRY_OBJECT },
	[BACKEND_BLOCKDEV] = { "blockdev", "blockdev-add", "blockdev-del", "node-name", "node-name",
			       DEFINITION_ENTRY_BLOCKDEV },
	[BACKEND_NETDEV] = { "netdev", "netdev_add", "netdev_del", "id", "id",
			     DEFINITION_ENTRY_NETDEV },
};

Backends *backends_free(Backends *backends)
{
	if (!backends)
		return NULL;
	for (unsigned i = 0; i < BACKEND_MAX; i++)
		g_free(backends->ids[i]);
	g_free(backends);
	return NULL;
}

GHashTable *backends_table_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
				     (GDestroyNotify)backends_free);
}
