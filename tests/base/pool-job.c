/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool-job.h"

void gate_await_arrivals(Gate *gate, unsigned n)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_US;

	g_mutex_lock(&gate->lock);
	while (gate->arrived < n)
		g_assert_true(g_cond_wait_until(&gate->changed, &gate->lock, deadline));
	g_mutex_unlock(&gate->lock);
}

void gate_arrive(Gate *gate)
{
	g_mutex_lock(&gate->lock);
	gate->arrived++;
	g_cond_broadcast(&gate->changed);
	g_mutex_unlock(&gate->lock);
}

void gate_open(Gate *gate)
{
	g_mutex_lock(&gate->lock);
	gate->open = true;
	g_cond_broadcast(&gate->changed);
	g_mutex_unlock(&gate->lock);
}

void gate_pass(Gate *gate)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_US;

	g_mutex_lock(&gate->lock);
	gate->arrived++;
	g_cond_broadcast(&gate->changed);
	while (!gate->open)
		g_assert_true(g_cond_wait_until(&gate->changed, &gate->lock, deadline));
	g_mutex_unlock(&gate->lock);
}

unsigned n_done;

static StrandStep job_work(void *item)
{
	Job *self = item;

	self->record->works++;
	if (self->on_work)
		self->on_work(self);
	if (self->gate)
		gate_pass(self->gate);
	return self->record->works <= self->n_waits_wanted ? STRAND_WAIT : STRAND_DONE;
}

static void job_wait(Strand *strand, void *item)
{
	Job *self = item;

	self->record->waits++;
	if (self->on_wait)
		self->on_wait(strand, self);
}

static void job_done(void *item)
{
	Job *self = item;

	g_assert_cmpuint(self->record->frees, ==, 0);
	self->record->dones++;
	self->record->done_at = ++n_done;
	if (self->on_done)
		self->on_done(self);
}

static void job_free(void *item)
{
	Job *self = item;

	self->record->frees++;
	if (self->on_free)
		self->on_free(self);
	g_free(self);
}

static const StrandItemClass job_class = {
	.work = job_work, .wait = job_wait, .done = job_done, .free = job_free,
};
static const StrandItemClass light_class = {
	.work = job_work, .wait = job_wait, .done = job_done, .free = job_free, .light = true,
};
static const StrandItemClass place_class = { .done = job_done, .free = job_free };

void push(Strand *strand, Job job)
{
	strand_push(strand, &job_class, g_memdup2(&job, sizeof(job)));
}

void push_light(Strand *strand, Job job)
{
	strand_push(strand, &light_class, g_memdup2(&job, sizeof(job)));
}

void push_place(Strand *strand, Job job)
{
	strand_push(strand, &place_class, g_memdup2(&job, sizeof(job)));
}

void set_up(Fixture *fixture, gconstpointer n_threads)
{
	g_autoptr(GError) error = NULL;

	n_done = 0;
	fixture->loop = loop_poll_new();
	fixture->pool = worker_pool_new(fixture->loop, GPOINTER_TO_UINT(n_threads), &error);
	g_assert_no_error(error);
}

void tear_down(Fixture *fixture, gconstpointer unused)
{
	fixture->pool = worker_pool_free(fixture->pool);
	fixture->loop = loop_free(fixture->loop);
}

void add(const char *path, unsigned n_threads, void (*test)(Fixture *, gconstpointer))
{
	g_test_add(path, Fixture, GUINT_TO_POINTER(n_threads), set_up, test, tear_down);
}
