/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vmherald/domain.h>

#include <glib.h>

#include "bus/object-path.h"
#include "client/error-internal.h"

/*
 * The address of a domain. What can be asked of it is in client/domain.c.
 */

struct VmhDomain {
	int refs;                   /* atomic */
	VmhConnection *connection;
	char uuid[BUS_PATH_UUID_LENGTH + 1];
	char *path;
};

VmhDomain *vmh_domain_new(VmhConnection *connection, const char *uuid, VmhError **error)
{
	g_autofree char *path = NULL, *lower = NULL;
	VmhDomain *domain;

	g_return_val_if_fail(connection && uuid, NULL);
	lower = g_ascii_strdown(uuid, -1);
	domain = g_new0(VmhDomain, 1);
	path = bus_path_from_uuid(lower);
	if (!bus_path_to_uuid(path, domain->uuid)) {
		g_free(domain);
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "\"%s\" is not a uuid", uuid);
		return NULL;
	}
	domain->refs = 1;
	domain->connection = vmh_connection_ref(connection);
	domain->path = g_steal_pointer(&path);
	return domain;
}

VmhDomain *vmh_domain_ref(VmhDomain *domain)
{
	g_return_val_if_fail(domain, NULL);

	g_atomic_int_inc(&domain->refs);
	return domain;
}

void vmh_domain_unref(VmhDomain *domain)
{
	if (!domain || !g_atomic_int_dec_and_test(&domain->refs))
		return;
	vmh_connection_unref(domain->connection);
	g_free(domain->path);
	g_free(domain);
}

const char *vmh_domain_get_uuid(const VmhDomain *domain)
{
	g_return_val_if_fail(domain, NULL);

	return domain->uuid;
}

const char *vmh_domain_get_path(const VmhDomain *domain)
{
	g_return_val_if_fail(domain, NULL);

	return domain->path;
}

VmhConnection *vmh_domain_get_connection(const VmhDomain *domain)
{
	g_return_val_if_fail(domain, NULL);

	return domain->connection;
}
