/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/host-nic.h"

/*
 * Which entries of a link's tables were put there by us (HostFilterOwn), as a file in the run folder: so that a service
 * that was killed does not leave entries that nobody takes out again. It is written before entries are added, with the
 * old ones and the new, and once more when that is done; so at any moment all that is ours is in it, and what is in it
 * and not on the link does no harm.
 *
 * A crash of the host takes the link away, and the file may go with it. Named after the link, which is a name of at
 * most 15 bytes without a slash; a link that has the name and is another one is told by its index.
 *
 * Blocks: workers.
 */

/* Of each table: what a guest may ask for, before a change and after it. */
#define FILTER_LEDGER_ENTRIES_MAX (2 * RX_FILTER_ENTRIES_MAX)

/* Never NULL. Nothing is ours if there is no file, if it is damaged, or if it is about another link. */
HostFilterOwn *filter_ledger_read(const char *directory, const HostNic *link);
/* CORE_ERROR_IO names the file. */
bool filter_ledger_write(const char *directory, const HostNic *link, const HostFilterOwn *own, GError **error);
/* One that is not there is no error; one that cannot be removed goes with the folder. */
void filter_ledger_remove(const char *directory, const HostNic *link);
