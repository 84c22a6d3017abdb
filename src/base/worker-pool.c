/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/worker-pool.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

/*
 * The pool keeps its own list of strands that have work (ready). What goes through the GThreadPool
 * is only a token that says "there is one more": so a strand is never in the hands of the thread
 * pool, and closing it just takes it off the list. A token that finds the list empty is harmless.
 *
 * An item is always in exactly one place, and that place owns it:
 *
 *    strand->queue     waits for its turn                                       (lock)
 *    a worker          strand->state is RUNNING
 *    pool->outcomes    worked on; on its way back                               (lock)
 *    pool->backlog     back, not dispatched yet                                 (event thread)
 *    strand->waiting   said STRAND_WAIT; stands until strand_resume()           (event thread)
 *
 * Each item holds its strand until it is freed, and items are freed on the event thread only, so a
 * worker's strand cannot go away under it. After the worker has handed over its last item and left
 * the lock, the strand may be gone: it must not look at it again.
 */

/* After so many items of one strand, a worker takes the next strand that is ready. */
#define STRAND_BATCH_MAX 64

/* After so many light ones behind one that was resumed, a worker has the rest. */
#define STRAND_HERE_MAX 64

/* So many outcomes are dispatched in one turn of the loop; the rest in the next, so that monitors
 * and the bus are served in between. */
#define TURN_OUTCOMES_MAX 128

typedef struct Item Item;
struct Item {
	/* Constant */
	Strand *strand;
	const StrandItemClass *class;
	void *data;

	/* Whoever owns the item, and what data points to likewise */
	Item *next;
	StrandStep step; /* what work() said */
};

typedef struct ItemQueue {
	Item *head;
	Item *tail;
} ItemQueue;

typedef enum StrandState {
	STRAND_STATE_IDLE,    /* nothing queued, no worker */
	STRAND_STATE_READY,   /* in pool->ready */
	STRAND_STATE_RUNNING, /* a worker is on one of its items */
	STRAND_STATE_WAITING, /* an item said STRAND_WAIT and was not resumed */
} StrandState;

struct Strand {
	/* Event thread */
	WorkerPool *pool;    /* NULL once the pool is freed */
	GList pool_link;     /* in pool->strands */
	unsigned refs;       /* of the users; the last closes */
	unsigned holds;      /* items not yet freed, and callbacks on the stack */
	unsigned length;     /* items pushed and not yet done */
	bool closed;
	Item *waiting;       /* item that strand_resume() is for */
	Item *in_wait;       /* item whose wait() is on the stack */
	bool here;           /* run_here() is on the stack */

	/* pool->lock */
	StrandState state;
	ItemQueue queue;
	GList ready_link;    /* in pool->ready while state is READY */
};

struct WorkerPool {
	/* Constant, for all threads */
	Loop *loop;
	GThreadPool *threads;
	int wake_fd;         /* eventfd: outcomes has something */

	/* Event thread */
	int wake_handle;
	GQueue strands;      /* all, by pool_link */
	ItemQueue backlog;
	unsigned n_callbacks; /* done(), wait() and free() on the stack */

	/* lock: held for list operations only, never across a callback or a system call */
	GMutex lock;
	GQueue ready;        /* strands that a worker may take, by ready_link */
	ItemQueue outcomes;
	bool woken;          /* wake_fd was written since outcomes were last taken */
	bool stopping;       /* no work() is begun any more */
};

static void item_queue_append(ItemQueue *queue, ItemQueue *more)
{
	if (!more->head)
		return;
	if (queue->tail)
		queue->tail->next = more->head;
	else
		queue->head = more->head;
	queue->tail = more->tail;
	*more = (ItemQueue){ 0 };
}

static void item_queue_push(ItemQueue *queue, Item *item)
{
	ItemQueue one = { .head = item, .tail = item };

	item->next = NULL;
	item_queue_append(queue, &one);
}

static void item_queue_push_head(ItemQueue *queue, Item *item)
{
	item->next = queue->head;
	queue->head = item;
	if (!queue->tail)
		queue->tail = item;
}

static Item *item_queue_pop(ItemQueue *queue)
{
	Item *item = queue->head;

	if (item) {
		queue->head = item->next;
		if (!queue->head)
			queue->tail = NULL;
		item->next = NULL;
	}
	return item;
}

static ItemQueue item_queue_steal(ItemQueue *queue)
{
	ItemQueue stolen = *queue;

	*queue = (ItemQueue){ 0 };
	return stolen;
}

/* The counter cannot overflow, so this cannot block or fail. Any thread. */
static void wake_event_thread(WorkerPool *pool)
{
	if (eventfd_write(pool->wake_fd, 1) < 0)
		g_warning("cannot wake the event thread: %s", g_strerror(errno));
}

/* With the lock. */
static void strand_make_ready(WorkerPool *pool, Strand *strand)
{
	strand->state = STRAND_STATE_READY;
	g_queue_push_tail_link(&pool->ready, &strand->ready_link);
	if (!pool->stopping)
		g_thread_pool_push(pool->threads, pool, NULL);
}

/* With the lock: the next item the worker shall go on with, or NULL to let go of the strand. */
static Item *strand_next(WorkerPool *pool, Strand *strand, StrandStep step, unsigned n_worked)
{
	if (step == STRAND_WAIT) {
		strand->state = STRAND_STATE_WAITING;
		return NULL;
	}
	if (!strand->queue.head) {
		strand->state = STRAND_STATE_IDLE;
		return NULL;
	}
	if (n_worked >= STRAND_BATCH_MAX || pool->stopping) {
		strand_make_ready(pool, strand);
		return NULL;
	}
	return item_queue_pop(&strand->queue);
}

/* Worker thread: drains one strand, or a batch of it. */
static void worker(void *token, void *userdata)
{
	WorkerPool *pool = userdata;
	Strand *strand = NULL;
	Item *item = NULL;
	GList *link;

	g_mutex_lock(&pool->lock);
	link = pool->stopping ? NULL : g_queue_pop_head_link(&pool->ready);
	if (link) {
		strand = link->data;
		strand->state = STRAND_STATE_RUNNING;
		item = item_queue_pop(&strand->queue);
		g_assert(item);
	}
	g_mutex_unlock(&pool->lock);

	for (unsigned n_worked = 1; item; n_worked++) {
		StrandStep step = item->class->work ? item->class->work(item->data) : STRAND_DONE;
		bool wake;

		item->step = step;
		g_mutex_lock(&pool->lock);
		item_queue_push(&pool->outcomes, item);
		wake = !pool->woken;
		pool->woken = true;
		item = strand_next(pool, strand, step, n_worked);
		g_mutex_unlock(&pool->lock);

		/* Without an item in hand, the strand may be gone from here on. */
		if (wake)
			wake_event_thread(pool);
	}
}

static void strand_hold(Strand *strand)
{
	strand->holds++;
}

static void strand_release(Strand *strand)
{
	g_assert(strand->holds > 0);
	if (--strand->holds > 0 || strand->refs > 0)
		return;

	if (strand->pool)
		g_queue_unlink(&strand->pool->strands, &strand->pool_link);
	g_free(strand);
}

/* Last step of every item; the strand may be gone afterwards. */
static void item_free(Item *item)
{
	Strand *strand = item->strand;
	WorkerPool *pool = strand->pool;

	pool->n_callbacks++;
	if (item->class->free)
		item->class->free(item->data);
	pool->n_callbacks--;
	g_free(item);
	strand_release(strand);
}

/* For items that shall not be done. */
static void item_discard(Item *item)
{
	item->strand->length--;
	item_free(item);
}

static void item_queue_discard(ItemQueue *queue)
{
	Item *item;

	while ((item = item_queue_pop(queue)))
		item_discard(item);
}

static void item_done(Item *item)
{
	Strand *strand = item->strand;

	strand->pool->n_callbacks++;
	if (item->class->done)
		item->class->done(item->data);
	strand->pool->n_callbacks--;
	/* Only now: what done() pushes to this strand must not be done inside of it. */
	strand->length--;
	item_free(item);
}

static void item_wait(Item *item)
{
	Strand *strand = item->strand;

	g_assert(item->class->wait);
	strand->waiting = item;
	strand->in_wait = item;
	/* wait() may resume, close and unref: then item and strand are another's or gone. */
	strand_hold(strand);
	strand->pool->n_callbacks++;
	item->class->wait(strand, item->data);
	strand->pool->n_callbacks--;
	strand->in_wait = NULL;
	/* strand_close() leaves the item of a wait() that is on the stack to us. */
	if (strand->closed && strand->waiting) {
		strand->waiting = NULL;
		item_discard(item);
	}
	strand_release(strand);
}

static void outcome_dispatch(Item *item)
{
	if (item->strand->closed)
		item_discard(item);
	else if (item->step == STRAND_WAIT)
		item_wait(item);
	else
		item_done(item);
}

/* Steal under the lock, dispatch without it: callbacks push, close and resume. */
static void pool_take_outcomes(WorkerPool *pool)
{
	ItemQueue taken;

	g_mutex_lock(&pool->lock);
	taken = item_queue_steal(&pool->outcomes);
	pool->woken = false;
	g_mutex_unlock(&pool->lock);

	item_queue_append(&pool->backlog, &taken);
}

static void run_one_here(Item *item)
{
	Strand *strand = item->strand;
	WorkerPool *pool = strand->pool;

	g_mutex_lock(&pool->lock);
	strand->state = STRAND_STATE_RUNNING;
	g_mutex_unlock(&pool->lock);
	item->step = item->class->work(item->data);
	g_mutex_lock(&pool->lock);
	strand->state = item->step == STRAND_WAIT ? STRAND_STATE_WAITING : STRAND_STATE_IDLE;
	g_mutex_unlock(&pool->lock);
	/* WARNING: what it pushes may be worked on by now, but comes back by way of the loop: so it cannot be done before
	 * this one. */
	outcome_dispatch(item);
}

static Item *take_next_here(Strand *strand, unsigned n_worked)
{
	WorkerPool *pool = strand->pool;
	Item *item = NULL;

	g_mutex_lock(&pool->lock);
	if (strand->state == STRAND_STATE_IDLE && strand->queue.head) {
		if (n_worked < STRAND_HERE_MAX && strand->queue.head->class->light)
			item = item_queue_pop(&strand->queue);
		else
			strand_make_ready(pool, strand);
	}
	g_mutex_unlock(&pool->lock);
	return item;
}

/* Without a worker: the item is the first, and none is on the strand. Those behind it follow; if it is resumed in its wait(),
 * they follow where that was called. */
static void run_here(Item *item)
{
	Strand *strand = item->strand;
	bool outermost = !strand->here;

	strand_hold(strand);
	strand->here = true;
	for (unsigned n_worked = 1; item; n_worked++) {
		run_one_here(item);
		item = outermost ? take_next_here(strand, n_worked) : NULL;
	}
	if (outermost)
		strand->here = false;
	strand_release(strand);
}

static void wake_cb(int handle, int fd, LoopEvents events, void *userdata)
{
	WorkerPool *pool = userdata;
	eventfd_t count;

	/* First the counter, then the outcomes: the other way round a wake-up could get lost. */
	(void)eventfd_read(fd, &count);
	pool_take_outcomes(pool);

	for (unsigned i = 0; i < TURN_OUTCOMES_MAX && pool->backlog.head; i++)
		outcome_dispatch(item_queue_pop(&pool->backlog));

	if (pool->backlog.head)
		wake_event_thread(pool);
}

static unsigned thread_count(unsigned max_threads)
{
	if (max_threads == 0)
		max_threads = MAX(g_get_num_processors(), 2);

	return MIN(max_threads, WORKER_POOL_THREADS_MAX);
}

WorkerPool *worker_pool_new(Loop *loop, unsigned max_threads, GError **error)
{
	g_autoptr(WorkerPool) pool = g_new0(WorkerPool, 1);
	g_autoptr(GError) local_error = NULL;

	g_mutex_init(&pool->lock);
	g_queue_init(&pool->strands);
	g_queue_init(&pool->ready);
	pool->loop = loop;
	pool->wake_handle = -1;

	pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->wake_fd < 0) {
		core_error_set_errno(error, errno, "cannot make an eventfd for the worker pool");
		return NULL;
	}

	pool->wake_handle = loop_add_handle(loop, pool->wake_fd, LOOP_READABLE, wake_cb, pool,
					    NULL);
	if (pool->wake_handle < 0) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "cannot add the worker pool to the event loop");
		return NULL;
	}

	/* Exclusive: its threads are there from the start or not at all, so that no item ever waits
	 * for a thread that cannot be made. */
	pool->threads = g_thread_pool_new(worker, pool, (int)thread_count(max_threads), TRUE,
					  &local_error);
	if (local_error) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "cannot start worker threads: %s",
			    local_error->message);
		return NULL;
	}

	return g_steal_pointer(&pool);
}

/* No worker is left. All strands are closed before the first free(), whichever it pushes to. */
static void pool_discard_items(WorkerPool *pool)
{
	GList *link;

	for (link = pool->strands.head; link; link = link->next)
		((Strand *)link->data)->closed = true;

	pool_take_outcomes(pool);
	item_queue_discard(&pool->backlog);

	while ((link = pool->strands.head)) {
		Strand *strand = link->data;
		Item *waiting = g_steal_pointer(&strand->waiting);
		ItemQueue queue = item_queue_steal(&strand->queue);

		strand_hold(strand);
		strand->closed = true;
		if (waiting)
			item_discard(waiting);
		item_queue_discard(&queue);
		g_queue_unlink(&pool->strands, &strand->pool_link);
		strand->pool = NULL;
		strand_release(strand);
	}
}

WorkerPool *worker_pool_free(WorkerPool *pool)
{
	if (!pool)
		return NULL;

	/* From within done(), wait() or free() of an item it would pull the ground away. */
	g_assert(pool->n_callbacks == 0);

	if (pool->threads) {
		g_mutex_lock(&pool->lock);
		pool->stopping = true;
		g_mutex_unlock(&pool->lock);
		g_thread_pool_free(pool->threads, TRUE, TRUE);
	}
	if (pool->wake_handle >= 0)
		loop_remove_handle(pool->loop, pool->wake_handle);

	pool_discard_items(pool);

	if (pool->wake_fd >= 0)
		close(pool->wake_fd);
	g_mutex_clear(&pool->lock);
	g_free(pool);
	return NULL;
}

Strand *strand_new(WorkerPool *pool)
{
	Strand *strand = g_new0(Strand, 1);

	strand->pool = pool;
	strand->refs = 1;
	strand->pool_link.data = strand;
	strand->ready_link.data = strand;
	g_queue_push_tail_link(&pool->strands, &strand->pool_link);
	return strand;
}

Strand *strand_ref(Strand *strand)
{
	g_assert(strand->refs > 0);
	strand->refs++;
	return strand;
}

Strand *strand_unref(Strand *strand)
{
	if (!strand)
		return NULL;

	g_assert(strand->refs > 0);
	strand_hold(strand);
	if (--strand->refs == 0)
		strand_close(strand);
	strand_release(strand);
	return NULL;
}

void strand_push(Strand *strand, const StrandItemClass *item_class, void *data)
{
	WorkerPool *pool = strand->pool;
	Item *item;

	if (strand->closed) {
		if (item_class->free)
			item_class->free(data);
		return;
	}

	item = g_new(Item, 1);
	*item = (Item){ .strand = strand, .class = item_class, .data = data };
	strand_hold(strand);
	strand->length++;
	/* The short way: nothing to compute and nothing to overtake. */
	if (!item_class->work && strand->length == 1) {
		item_done(item);
		return;
	}
	if (item_class->light && strand->length == 1) {
		run_here(item);
		return;
	}

	g_mutex_lock(&pool->lock);
	item_queue_push(&strand->queue, item);
	if (strand->state == STRAND_STATE_IDLE)
		strand_make_ready(pool, strand);
	g_mutex_unlock(&pool->lock);
}

void strand_resume(Strand *strand)
{
	WorkerPool *pool = strand->pool;
	Item *item;

	/* Closed within the same wait(): the item goes when that returns. */
	if (strand->closed)
		return;

	g_assert(strand->waiting);
	item = g_steal_pointer(&strand->waiting);
	if (item->class->light) {
		run_here(item);
		return;
	}
	g_mutex_lock(&pool->lock);
	g_assert(strand->state == STRAND_STATE_WAITING);
	item_queue_push_head(&strand->queue, item);
	strand_make_ready(pool, strand);
	g_mutex_unlock(&pool->lock);
}

void strand_close(Strand *strand)
{
	WorkerPool *pool = strand->pool;
	ItemQueue queue;

	if (strand->closed)
		return;

	strand->closed = true;
	g_mutex_lock(&pool->lock);
	queue = item_queue_steal(&strand->queue);
	/* RUNNING stays: its worker finds the queue empty and lets go by itself. */
	if (strand->state == STRAND_STATE_READY) {
		g_queue_unlink(&pool->ready, &strand->ready_link);
		strand->state = STRAND_STATE_IDLE;
	}
	g_mutex_unlock(&pool->lock);

	strand_hold(strand);
	if (strand->waiting && strand->waiting != strand->in_wait)
		item_discard(g_steal_pointer(&strand->waiting));
	item_queue_discard(&queue);
	strand_release(strand);
}

unsigned strand_get_length(const Strand *strand)
{
	return strand->length;
}
