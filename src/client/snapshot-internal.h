/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <vmherald/snapshot.h>

/* objects: a{oa{sa{sv}}}, the answer of GetManagedObjects(); a reference is taken. What is no domain is left out, and what a domain does
 * not tell is empty. */
VmhSnapshot *snapshot_new(GVariant *objects, uint64_t sequence);
