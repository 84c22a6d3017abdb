/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/worker-pool.h"
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/error.h"

typedef struct Entry { const StrandItemClass *item_class; void *item; } Entry;
struct WorkerPool { Loop *loop; GThreadPool *threads; GMutex lock; int fd; int handle; GQueue ready; bool closed; int refs; };
struct Strand { int refs; WorkerPool *pool; GQueue queue; Entry *current; StrandStep step; bool running, waiting, closed; unsigned length; };

static void strand_next(Strand *s);
static void finish(Strand *s, Entry *e, bool done)
{
	s->length--;
	if (done && !s->closed && e->item_class->done) e->item_class->done(e->item);
	e->item_class->free(e->item);
	g_free(e);
}
static void pool_unref(WorkerPool *p) { if (--p->refs == 0) { g_mutex_clear(&p->lock); g_free(p); } }
Strand *strand_ref(Strand *s) { s->refs++; return s; }
Strand *strand_unref(Strand *s)
{
	if (!s || --s->refs > 0) return NULL;
	s->refs++; strand_close(s); s->refs--;
	if (s->refs == 0) { pool_unref(s->pool); g_free(s); }
	return NULL;
}
static void thread_run(void *data, void *user)
{
	Strand *s = data; WorkerPool *p = s->pool; bool wake;
	s->step = s->current->item_class->work(s->current->item);
	g_mutex_lock(&p->lock);
	wake = g_queue_is_empty(&p->ready);
	g_queue_push_tail(&p->ready, s);
	g_mutex_unlock(&p->lock);
	if (wake) eventfd_write(p->fd, 1);
}
static void start(Strand *s) { s->running = true; strand_ref(s); g_thread_pool_push(s->pool->threads, s, NULL); }
static void strand_next(Strand *s)
{
	while (!s->current && !g_queue_is_empty(&s->queue)) {
		s->current = g_queue_pop_head(&s->queue);
		if (s->closed || !s->current->item_class->work) { Entry *e = s->current; finish(s, e, true); s->current = NULL; continue; }
		start(s);
	}
}
static void on_ready(int h, int fd, LoopEvents ev, void *user)
{
	WorkerPool *p = user; GQueue q = G_QUEUE_INIT; uint64_t n; Strand *s;
	(void)eventfd_read(fd, &n);
	g_mutex_lock(&p->lock); q = p->ready; g_queue_init(&p->ready); g_mutex_unlock(&p->lock);
	while ((s = g_queue_pop_head(&q))) {
		s->running = false;
		if (s->step == STRAND_WAIT && !s->closed) { s->waiting = true; s->current->item_class->wait(s, s->current->item); }
		else { Entry *e = s->current; finish(s, e, true); s->current = NULL; strand_next(s); }
		strand_unref(s);
	}
}
WorkerPool *worker_pool_new(Loop *loop, unsigned max, GError **error)
{
	WorkerPool *p = g_new0(WorkerPool, 1);
	p->refs = 1; p->loop = loop; g_mutex_init(&p->lock);
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->threads = g_thread_pool_new(thread_run, NULL, max ? (int)max : 4, FALSE, error);
	p->handle = loop_add_handle(loop, p->fd, LOOP_READABLE, on_ready, p, NULL);
	return p;
}
WorkerPool *worker_pool_free(WorkerPool *p)
{
	if (!p) return NULL;
	g_thread_pool_free(p->threads, FALSE, TRUE);
	p->closed = true;
	on_ready(0, p->fd, 0, p);
	loop_remove_handle(p->loop, p->handle);
	close(p->fd);
	pool_unref(p);
	return NULL;
}
Strand *strand_new(WorkerPool *p) { Strand *s = g_new0(Strand, 1); s->refs = 1; s->pool = p; p->refs++; return s; }
void strand_push(Strand *s, const StrandItemClass *c, void *item)
{
	Entry *e = g_new0(Entry, 1);
	e->item_class = c; e->item = item; s->length++;
	if (s->closed || s->pool->closed) { finish(s, e, false); return; }
	strand_ref(s);
	g_queue_push_tail(&s->queue, e);
	strand_next(s);
	strand_unref(s);
}
void strand_resume(Strand *s) { if (s->closed) return; g_assert(s->waiting); s->waiting = false; start(s); }
void strand_close(Strand *s)
{
	Entry *e;
	if (s->closed) return;
	s->closed = true;
	while ((e = g_queue_pop_head(&s->queue))) finish(s, e, false);
	if (s->current && s->waiting) { e = s->current; s->current = NULL; finish(s, e, false); }
}
unsigned strand_get_length(const Strand *s) { return s->length; }
