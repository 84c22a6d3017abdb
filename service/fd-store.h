/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/monitor-store.h"

/*
 * The descriptor store of the service manager (FileDescriptorStoreMax= in systemd.service(5)): what is kept there comes
 * back at the next start of the unit, whatever has ended the service. Without a service manager, or where the unit
 * does not allow it, nothing is kept and nothing comes.
 */

typedef struct FdStore FdStore;

/* Takes what the service manager has passed on. Once, before there are threads. */
FdStore *fd_store_new(void);
/* Closes what nobody took; it stays kept. NULL-safe, returns NULL. */
FdStore *fd_store_free(FdStore *store);
/* The same for who keeps something in it. store must outlive its use. */
DescriptorStore fd_store_get_interface(FdStore *store);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FdStore, fd_store_free)
