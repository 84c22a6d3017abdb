/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>

#include "pool-job.h"

/* Strands that are closed, and pools that are freed, in all states their items can be in. */

/* What the pool calls to stop its threads; workers held by this gate go on from here, so that they
 * are sure to come back to a pool that is about to go. */
static Gate *opened_at_stop;

/* In brackets, as it may be a macro (tests/threads/glib-locks.h). */
void (g_thread_pool_free)(GThreadPool *threads, gboolean immediate, gboolean wait)
{
	void (*next)(GThreadPool *, gboolean, gboolean);

	*(void **)&next = dlsym(RTLD_NEXT, "g_thread_pool_free");
	if (opened_at_stop)
		gate_open(g_steal_pointer(&opened_at_stop));
	next(threads, immediate, wait);
}

/* A turn in which nothing comes back, with no worker at work, means: there is nothing left. */
static void run_until_quiet(Fixture *fixture)
{
	while (loop_run_once(fixture->loop, 0))
		;
}

static void assert_freed_undone(const Record *records, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		g_assert_cmpuint(records[i].frees, ==, 1);
		g_assert_cmpuint(records[i].dones, ==, 0);
	}
}

static void test_close_while_running(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[20] = { 0 }, late = { 0 };
	Gate gate = { 0 };

	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		push(strand, (Job){ .record = &records[i], .gate = &gate });
	gate_await_arrivals(&gate, 1);
	strand_close(strand);
	/* What is queued goes at once, what is worked on when it comes back. */
	assert_freed_undone(records + 1, G_N_ELEMENTS(records) - 1);
	g_assert_cmpuint(records[0].frees, ==, 0);
	g_assert_cmpuint(strand_get_length(strand), ==, 1);

	push(strand, (Job){ .record = &late });
	g_assert_cmpuint(late.frees, ==, 1);
	strand_close(strand);

	gate_open(&gate);
	run_until(fixture, records[0].frees == 1);
	assert_freed_undone(records, G_N_ELEMENTS(records));
	for (unsigned i = 1; i < G_N_ELEMENTS(records); i++)
		g_assert_cmpuint(records[i].works, ==, 0);
	g_assert_cmpuint(strand_get_length(strand), ==, 0);
}

/* The last reference goes while a worker is on an item; the strand stays for it. */
static void test_unref_while_running(Fixture *fixture, gconstpointer unused)
{
	Strand *strand = strand_new(fixture->pool);
	Record records[3] = { 0 };
	Gate gate = { 0 };

	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		push(strand, (Job){ .record = &records[i], .gate = &gate });
	gate_await_arrivals(&gate, 1);
	g_assert_true(strand_ref(strand) == strand);
	strand_unref(strand);
	g_assert_cmpuint(records[1].frees, ==, 0);
	strand_unref(strand);
	assert_freed_undone(records + 1, 2);
	gate_open(&gate);
	run_until(fixture, records[0].frees == 1);
	assert_freed_undone(records, 3);
}

/* One thread, held by another strand: what no worker is on is freed at once. */
static void test_close_while_ready(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) busy = strand_new(fixture->pool), last = strand_new(fixture->pool);
	Strand *strand = strand_new(fixture->pool);
	Record records[3] = { 0 }, blocker = { 0 }, after = { 0 };
	Gate gate = { 0 };

	push(busy, (Job){ .record = &blocker, .gate = &gate });
	gate_await_arrivals(&gate, 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		push(strand, (Job){ .record = &records[i] });
	push(last, (Job){ .record = &after });
	strand_unref(strand);
	assert_freed_undone(records, 3);

	gate_open(&gate);
	run_until(fixture, after.frees == 1);
	g_assert_cmpuint(blocker.dones, ==, 1);
	g_assert_cmpuint(after.dones, ==, 1);
}

static void test_close_undispatched(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[10] = { 0 };
	Gate gate = { .open = true };

	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		push(strand, (Job){ .record = &records[i], .gate = &gate });
	gate_await_arrivals(&gate, G_N_ELEMENTS(records));
	strand_close(strand);
	run_until(fixture, strand_get_length(strand) == 0);
	assert_freed_undone(records, G_N_ELEMENTS(records));
}

static void test_close_while_waiting(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[2] = { 0 };

	push(strand, (Job){ .record = &records[0], .n_waits_wanted = 1 });
	push(strand, (Job){ .record = &records[1] });
	run_until(fixture, records[0].waits == 1);
	strand_close(strand);
	assert_freed_undone(records, 2);
	/* The reply that comes too late. */
	strand_resume(strand);
	run_until_quiet(fixture);
	assert_freed_undone(records, 2);
}

static void close_now(Strand *strand, Job *self)
{
	strand_close(strand);
	/* Not under our feet. */
	g_assert_cmpuint(self->record->frees, ==, 0);
}

static void close_and_resume(Strand *strand, Job *self)
{
	close_now(strand, self);
	strand_resume(strand);
	g_assert_cmpuint(self->record->frees, ==, 0);
}

static void resume_and_close(Strand *strand, Job *self)
{
	strand_resume(strand);
	strand_close(strand);
}

static void unref_now(Strand *strand, Job *self)
{
	strand_unref(strand);
	g_assert_cmpuint(self->record->frees, ==, 0);
}

static void resume_and_unref(Strand *strand, Job *self)
{
	strand_resume(strand);
	strand_unref(strand);
}

static void test_close_inside_wait(Fixture *fixture, gconstpointer unused)
{
	void (*const actions[])(Strand *, Job *) = {
		close_now, close_and_resume, resume_and_close, unref_now, resume_and_unref,
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
		Strand *strand = strand_new(fixture->pool);
		Record records[2] = { 0 };

		push(strand, (Job){ .record = &records[0], .n_waits_wanted = 1,
				    .on_wait = actions[i] });
		push(strand, (Job){ .record = &records[1] });
		run_until(fixture, records[0].frees == 1 && records[1].frees == 1);
		assert_freed_undone(records, 2);
		if (actions[i] != unref_now && actions[i] != resume_and_unref)
			strand_unref(strand);
	}
}

static void close_extra(Job *self)
{
	strand_close(self->extra);
}

static void unref_extra(Job *self)
{
	strand_unref(self->extra);
}

/* Close and unref from done() and free(), of items that were worked on and of places. */
static void test_close_inside_done_and_free(Fixture *fixture, gconstpointer unused)
{
	for (unsigned i = 0; i < 8; i++) {
		Strand *strand = strand_new(fixture->pool);
		void (*action)(Job *) = i & 1 ? unref_extra : close_extra;
		Record records[3] = { 0 };
		Job first = { .record = &records[0], .extra = strand };

		if (i & 2)
			first.on_free = action;
		else
			first.on_done = action;

		if (i & 4) {
			push_place(strand, first);
			g_assert_cmpuint(records[0].frees, ==, 1);
			if (!(i & 1)) {
				push(strand, (Job){ .record = &records[1] });
				push(strand, (Job){ .record = &records[2] });
			}
		} else {
			Gate gate = { 0 };

			first.gate = &gate;
			push(strand, first);
			push(strand, (Job){ .record = &records[1] });
			push(strand, (Job){ .record = &records[2] });
			gate_open(&gate);
			run_until(fixture, records[0].frees && records[1].frees &&
				  records[2].frees);
		}

		g_assert_cmpuint(records[0].dones, ==, 1);
		g_assert_cmpuint(records[0].frees, ==, 1);
		g_assert_cmpuint(records[1].dones + records[2].dones, ==, 0);
		if (!(i & 1))
			strand_unref(strand);
	}
}

/* One with all: queued, running, waiting, worked on but not dispatched; strands that outlive the
 * pool and strands that do not. */
static void test_free_pool(Fixture *fixture, gconstpointer unused)
{
	Strand *waiting = strand_new(fixture->pool);
	Strand *running = strand_new(fixture->pool);
	Strand *undispatched = strand_new(fixture->pool);
	Strand *queued = strand_new(fixture->pool);
	Record records[12] = { 0 }, late = { 0 };
	Gate passed = { .open = true }, gate = { 0 };

	push(waiting, (Job){ .record = &records[0], .n_waits_wanted = 1 });
	push(waiting, (Job){ .record = &records[1] });
	run_until(fixture, records[0].waits == 1);

	push(undispatched, (Job){ .record = &records[2], .gate = &passed });
	push(undispatched, (Job){ .record = &records[3], .gate = &passed });
	gate_await_arrivals(&passed, 2);

	/* Both threads of the pool. */
	push(running, (Job){ .record = &records[4], .gate = &gate });
	push(running, (Job){ .record = &records[5], .gate = &gate });
	push(undispatched, (Job){ .record = &records[6], .gate = &gate });
	gate_await_arrivals(&gate, 2);
	for (unsigned i = 7; i < 12; i++)
		push(queued, (Job){ .record = &records[i] });
	strand_unref(running);

	opened_at_stop = &gate;
	fixture->pool = worker_pool_free(fixture->pool);

	assert_freed_undone(records, G_N_ELEMENTS(records));
	g_assert_cmpuint(records[4].works, ==, 1);
	g_assert_cmpuint(records[5].works, ==, 0);
	g_assert_cmpuint(records[7].works, ==, 0);

	push(queued, (Job){ .record = &late });
	push_place(queued, (Job){ .record = &late });
	g_assert_cmpuint(late.frees, ==, 2);
	g_assert_cmpuint(late.dones, ==, 0);
	strand_close(waiting);
	strand_resume(waiting);
	g_assert_cmpuint(strand_get_length(waiting), ==, 0);
	strand_unref(waiting);
	strand_unref(undispatched);
	strand_unref(queued);
}

typedef struct Pusher {
	Strand *strand;
	Record *record;
} Pusher;

static void push_place_more(Job *self)
{
	Pusher *pusher = self->extra;

	push_place(pusher->strand, (Job){ .record = pusher->record });
}

/* free() that reaches for other strands while the pool goes. */
static void test_free_pool_with_busy_frees(Fixture *fixture, gconstpointer unused)
{
	Strand *a = strand_new(fixture->pool), *b = strand_new(fixture->pool);
	Record records[4] = { 0 };
	Pusher to_b = { b, &records[1] };
	Gate gate = { 0 };

	push(a, (Job){ .record = &records[0], .gate = &gate, .on_free = push_place_more,
		       .extra = &to_b });
	push(a, (Job){ .record = &records[2], .on_free = unref_extra, .extra = a });
	push(b, (Job){ .record = &records[3], .gate = &gate, .on_free = unref_extra, .extra = b });
	gate_await_arrivals(&gate, 1);
	opened_at_stop = &gate;
	/* to_b pushes before b goes: b's own item is behind. */
	strand_ref(b);
	fixture->pool = worker_pool_free(fixture->pool);
	strand_unref(b);
	assert_freed_undone(records, 4);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/worker-pool/close/while-running", 2, test_close_while_running);
	add("/worker-pool/close/unref-while-running", 2, test_unref_while_running);
	add("/worker-pool/close/while-ready", 1, test_close_while_ready);
	add("/worker-pool/close/undispatched", 1, test_close_undispatched);
	add("/worker-pool/close/while-waiting", 2, test_close_while_waiting);
	add("/worker-pool/close/inside-wait", 2, test_close_inside_wait);
	add("/worker-pool/close/inside-done-and-free", 2, test_close_inside_done_and_free);
	add("/worker-pool/free", 2, test_free_pool);
	add("/worker-pool/free-with-busy-frees", 1, test_free_pool_with_busy_frees);
	return g_test_run();
}
