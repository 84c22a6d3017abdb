/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/* What the user calls a TYPE of events; NULL parts match everything. */
typedef struct EventType {
	char *interface;        /* short name */
	char *member;
	char *event;            /* of Domain.Lifecycle */
} EventType;

/* "Member", "Interface.Member", "Interface.*" or a lifecycle event. A bad one is reported. */
CtlExit event_type_parse(const char *text, EventType **ret_type);
EventType *event_type_free(EventType *type);

/* An empty list that owns its EventTypes. Free with g_ptr_array_unref(). */
GPtrArray *event_type_list_new(void);

bool event_type_matches(const EventType *type, const VmhEvent *event);

/* The narrowest thing to register for it: it may have more in it. Strings are the type's. */
VmhEventMatch event_type_get_match(const EventType *type, VmhDomain *domain);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventType, event_type_free)
