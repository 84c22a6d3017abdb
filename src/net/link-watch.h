/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/error.h"
#include "loop/loop.h"

/*
 * Links that are deleted by somebody else: the kernel tells all of them (RTNLGRP_LINK), and who stands on one is called.
 *
 * While nobody does there is no socket: a host whose links come and go does not wake a service that has none.
 * Where the kernel had to leave something out, nobody knows what; then all are called, to look for themselves.
 */

typedef struct LinkWatch LinkWatch;
typedef struct LinkWatchEntry LinkWatchEntry;

/* The link may be gone. The entry may be removed from within. */
typedef void (*LinkWatchCallback)(void *userdata);

/* All of it: event thread. loop must outlive the watch, and the watch its entries. Links are those of the network
 * namespace that the event thread is in. */
LinkWatch *link_watch_new(Loop *loop);
/* NULL-safe, returns NULL. */
LinkWatch *link_watch_free(LinkWatch *watch);

/* index: of the link. Without a socket (logged) nothing is ever told. */
LinkWatchEntry *link_watch_add(LinkWatch *watch, unsigned index, LinkWatchCallback callback, void *userdata);
/* NULL-safe, returns NULL. */
LinkWatchEntry *link_watch_remove(LinkWatchEntry *entry);

/* There is a socket. */
bool link_watch_is_open(const LinkWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinkWatch, link_watch_free)
