/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <vmherald/glib.h>

/*
 * Events as the library makes them: from a signal that came, and from an entry of the history. They are the same bytes, and
 * the same event comes of both.
 */

/* From a signal with these arguments (a tuple, of which it takes a reference). The interface is the full one. Signals of the service
 * that end in stamp and details are events, known or not; besides them there are the three of the bus's own interfaces. NULL: it is neither,
 * or it is malformed. path: of the signal; ObjectManager's signals say in their arguments which domain they are about. */
VmhEvent *event_new_from_signal(const char *path, const char *interface, const char *member, GVariant *arguments);

/* The sequence of the last signal of the same domain, of whatever kind (the detail domain-previous, or else previous); 0: none known. */
uint64_t event_get_domain_previous(const VmhEvent *event);

/* Its first argument, if that is a string; else NULL. Borrowed. */
const char *event_get_arg0(const VmhEvent *event);

/* The full name of the interface and the member of a kind. Borrowed. */
const char *event_kind_get_interface(VmhEventKind kind);
const char *event_kind_get_member(VmhEventKind kind);
