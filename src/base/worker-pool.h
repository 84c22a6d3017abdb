/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "loop/loop.h"

/*
 * Workers compute, the event thread commits.
 *
 * A WorkerPool is a GThreadPool plus the way back to the event thread. A Strand is a FIFO of
 * items that at most one worker drains at a time: items of one strand are worked on in order and
 * are done in order, items of different strands in parallel. Each domain has a strand for its
 * events.
 *
 *    event thread                      worker
 *    strand_push() ------------------> work()
 *        wait()  <--- STRAND_WAIT ------'          the strand stands still and holds no thread
 *    strand_resume() ----------------> work()      the same item, once more
 *        done()  <--- STRAND_DONE ------'          work() of the next item may already be running
 *        free()
 *
 * So a handler that needs an answer from QEMU never waits for it on a thread: work() says
 * STRAND_WAIT, wait() sends the command on the event thread, the reply is put into the item and
 * strand_resume() lets work() run again. No number of hung QEMUs can use up the pool.
 *
 * All functions here are called on the event thread; only work() runs elsewhere. It may block on
 * host work (files, netlink, spawning) and must touch nothing but its item.
 */

typedef struct WorkerPool WorkerPool;
typedef struct Strand Strand;

typedef enum StrandStep {
	STRAND_DONE,
	STRAND_WAIT,
} StrandStep;

typedef struct StrandItemClass {
	/* Worker thread. NULL: nothing to compute, the item only keeps its place in the order; if
	 * the strand is idle its done() is called before strand_push() returns. */
	StrandStep (*work)(void *item);
	/* Event thread, after STRAND_WAIT; may call strand_resume() at once. After that the item is
	 * the worker's, or gone: do not touch it. */
	void (*wait)(Strand *strand, void *item);
	/* Event thread, in the order of strand_push(). Not called once the strand is closed. */
	void (*done)(void *item);
	/* Event thread, exactly once for every item pushed. */
	void (*free)(void *item);
	/* work() takes no longer than handing it to a worker would, and blocks on nothing: it may run on the event thread, where
	 * the item is pushed or resumed, if no other item is before it; then done() and free() are called there as well.
	 * Light ones behind one that is resumed may follow it at once. */
	bool light;
} StrandItemClass;

/* At most max_threads workers; 0 means one per CPU, at least 2 and at most
 * WORKER_POOL_THREADS_MAX. loop must outlive the pool. CORE_ERROR_IO if the descriptor or the
 * threads cannot be had. */
#define WORKER_POOL_THREADS_MAX 16
WorkerPool *worker_pool_new(Loop *loop, unsigned max_threads, GError **error);

/* Waits for the work() calls that are running, then frees all queued items without calling done().
 * Strands may outlive the pool; pushing to them then frees the item at once. Not from within an
 * item's wait(), done() or free(). NULL-safe, returns NULL. */
WorkerPool *worker_pool_free(WorkerPool *pool);

Strand *strand_new(WorkerPool *pool);
Strand *strand_ref(Strand *strand);
/* The last unref closes the strand. NULL-safe, returns NULL. */
Strand *strand_unref(Strand *strand);

/* Takes item over; on a closed strand it is freed at once. item_class must be static. A strand is
 * as long as its user lets it get: see strand_get_length(). */
void strand_push(Strand *strand, const StrandItemClass *item_class, void *item);

/* Lets the item that said STRAND_WAIT go on. A bug (asserted) if none waits; on a closed strand
 * it does nothing. */
void strand_resume(Strand *strand);

/* Frees what is queued, as soon as neither a worker nor wait() is on it; no done() is called from
 * here on. */
void strand_close(Strand *strand);

/* Items pushed and not yet done, the one being worked on included. */
unsigned strand_get_length(const Strand *strand);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WorkerPool, worker_pool_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Strand, strand_unref)
