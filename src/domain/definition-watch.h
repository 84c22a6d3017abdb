/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "loop/loop.h"

/*
 * Notices that something has happened in the folder of definitions, by inotify(7). It does not say what: the
 * events are only the reason to look, so that none of them has to be believed, and a queue that has overflowed is one
 * more reason. The folder may be taken away and put back, or another one be put in its place: what is above it is
 * watched, too.
 *
 * A look is asked for at most once in an interval, however much happens, and not again before it is over:
 *
 *    callback()                      event thread
 *    definition_watch_renew()        worker: before it looks, so that what happens from then on is a new reason
 *    definition_watch_resume()       event thread: it has looked
 *
 * Our own writes are reasons, too; whether anything has changed is for the one who looks.
 */

#define DEFINITION_WATCH_INTERVAL_MS 500
/* Where there is nothing left that could be watched. */
#define DEFINITION_WATCH_RETRY_MS 10000

typedef struct DefinitionWatch DefinitionWatch;

typedef void (*DefinitionWatchCallback)(void *userdata);

/* CORE_ERROR_IO if the system has no more of them. Watches nothing before the first renew. loop must outlive it. */
DefinitionWatch *definition_watch_new(Loop *loop, const char *folder, int interval_ms, int retry_ms,
				      DefinitionWatchCallback callback, void *userdata,
				      GError **error);
/* No worker may be on it. NULL-safe, returns NULL. */
DefinitionWatch *definition_watch_free(DefinitionWatch *watch);

/* Blocks on the disk: worker, or start-up. */
void definition_watch_renew(DefinitionWatch *watch);
void definition_watch_resume(DefinitionWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DefinitionWatch, definition_watch_free)
