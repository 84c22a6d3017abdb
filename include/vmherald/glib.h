/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include <vmherald/vmherald.h>

VMH_BEGIN_DECLS

/* The event loop of a GMainContext (NULL: the default one), of which a reference is taken. Whoever iterates it runs the
 * callbacks. 0, or -1 if a loop is registered already. Since 0.1. */
VMH_PUBLIC int vmh_event_register_glib(GMainContext *context);

VMH_END_DECLS

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmhError, vmh_error_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmhConnection, vmh_connection_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmhDomain, vmh_domain_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmhEvent, vmh_event_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmhOptions, vmh_options_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmhSnapshot, vmh_snapshot_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmhValue, vmh_value_unref)
