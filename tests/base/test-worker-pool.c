/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "pool-job.h"

/* What the pool calls; counted here on its way to the kernel. */
static int n_wake_ups;

int eventfd_write(int fd, eventfd_t value)
{
	g_atomic_int_inc(&n_wake_ups);
	return write(fd, &value, sizeof(value)) == sizeof(value) ? 0 : -1;
}

#define N_STRANDS 50
#define N_ITEMS 2000
/* STRAND_HERE_MAX of worker-pool.c. */
#define HERE_MAX 64

typedef struct Line {
	Strand *strand;
	unsigned n_worked; /* no lock: the strand is what keeps workers apart */
	unsigned n_done;
	unsigned n_freed;
	bool at_work;
} Line;

typedef struct LineItem {
	Line *line;
	unsigned number;
	unsigned n_waits_wanted;
} LineItem;

static StrandStep line_work(void *userdata)
{
	LineItem *self = userdata;

	g_assert_false(self->line->at_work);
	self->line->at_work = true;
	g_assert_cmpuint(self->line->n_worked, ==, self->number);
	if (self->n_waits_wanted == 0)
		self->line->n_worked++;
	self->line->at_work = false;
	return self->n_waits_wanted-- > 0 ? STRAND_WAIT : STRAND_DONE;
}

static void line_wait(Strand *strand, void *userdata)
{
	strand_resume(strand);
}

static void line_done(void *userdata)
{
	LineItem *self = userdata;

	g_assert_cmpuint(self->line->n_done, ==, self->number);
	self->line->n_done++;
}

static void line_free(void *userdata)
{
	LineItem *self = userdata;

	self->line->n_freed++;
	g_free(self);
}

static const StrandItemClass line_class = {
	.work = line_work, .wait = line_wait, .done = line_done, .free = line_free,
};

static void test_order(Fixture *fixture, gconstpointer unused)
{
	Line lines[N_STRANDS] = { 0 };

	for (unsigned i = 0; i < N_STRANDS; i++)
		lines[i].strand = strand_new(fixture->pool);
	for (unsigned number = 0; number < N_ITEMS; number++)
		for (unsigned i = 0; i < N_STRANDS; i++) {
			LineItem *item = g_new(LineItem, 1);

			/* Some of them wait for a reply in between. */
			*item = (LineItem){ .line = &lines[i], .number = number,
					    .n_waits_wanted = number % 97 == 0 ? 2 : 0 };
			strand_push(lines[i].strand, &line_class, item);
		}

	for (unsigned i = 0; i < N_STRANDS; i++) {
		run_until(fixture, lines[i].n_freed == N_ITEMS);
		g_assert_cmpuint(lines[i].n_done, ==, N_ITEMS);
		g_assert_cmpuint(strand_get_length(lines[i].strand), ==, 0);
		lines[i].strand = strand_unref(lines[i].strand);
	}
}

/* Pushed a few at a time, so that strands become idle and ready again and again. */
static void test_order_in_bursts(Fixture *fixture, gconstpointer unused)
{
	Line line = { .strand = strand_new(fixture->pool) };
	unsigned number = 0;

	while (number < N_ITEMS) {
		for (unsigned i = 0; i < number % 5 + 1; i++) {
			LineItem *item = g_new(LineItem, 1);

			*item = (LineItem){ .line = &line, .number = number++ };
			strand_push(line.strand, &line_class, item);
		}
		if (number % 3 == 0)
			run_until(fixture, line.n_freed == number);
		else
			loop_run_once(fixture->loop, 0);
	}
	run_until(fixture, line.n_freed == number);
	strand_unref(line.strand);
}

static void meet(Job *self)
{
	gate_arrive(self->extra);
	gate_await_arrivals(self->extra, 2);
}

static void test_parallel(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) a = strand_new(fixture->pool), b = strand_new(fixture->pool);
	Record records[2] = { 0 };
	Gate gate = { 0 };

	push(a, (Job){ .record = &records[0], .on_work = meet, .extra = &gate });
	push(b, (Job){ .record = &records[1], .on_work = meet, .extra = &gate });
	run_until(fixture, records[0].dones && records[1].dones);
}

#define N_WAITING 100

static void test_wait_holds_no_thread(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) other = strand_new(fixture->pool);
	Strand *strands[N_WAITING];
	Record records[N_WAITING] = { 0 }, behind[N_WAITING] = { 0 }, record = { 0 };

	for (unsigned i = 0; i < N_WAITING; i++) {
		strands[i] = strand_new(fixture->pool);
		push(strands[i], (Job){ .record = &records[i], .n_waits_wanted = 1 });
		push(strands[i], (Job){ .record = &behind[i] });
	}
	for (unsigned i = 0; i < N_WAITING; i++)
		run_until(fixture, records[i].waits == 1);

	push(other, (Job){ .record = &record });
	run_until(fixture, record.dones == 1);

	for (unsigned i = 0; i < N_WAITING; i++) {
		g_assert_cmpuint(records[i].dones, ==, 0);
		/* The strand stands still. */
		g_assert_cmpuint(behind[i].works, ==, 0);
		g_assert_cmpuint(strand_get_length(strands[i]), ==, 2);
		strand_resume(strands[i]);
	}
	for (unsigned i = 0; i < N_WAITING; i++) {
		run_until(fixture, behind[i].frees == 1);
		g_assert_cmpuint(records[i].works, ==, 2);
		g_assert_cmpuint(records[i].waits, ==, 1);
		g_assert_cmpuint(records[i].dones, ==, 1);
		g_assert_cmpuint(records[i].done_at, <, behind[i].done_at);
		strand_unref(strands[i]);
	}
}

static void resume_now(Strand *strand, Job *self)
{
	strand_resume(strand);
}

static void test_resume_inside_wait(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[2] = { 0 };

	push(strand, (Job){ .record = &records[0], .n_waits_wanted = 5, .on_wait = resume_now });
	push(strand, (Job){ .record = &records[1] });
	run_until(fixture, records[1].frees == 1);
	g_assert_cmpuint(records[0].works, ==, 6);
	g_assert_cmpuint(records[0].waits, ==, 5);
	g_assert_cmpuint(records[0].dones, ==, 1);
	g_assert_cmpuint(records[0].done_at, ==, 1);
}

static void note_thread(Job *self)
{
	*(GThread **)self->extra = g_thread_self();
}

static void test_light_when_idle(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record record = { 0 };
	GThread *thread = NULL;

	push_light(strand, (Job){ .record = &record, .on_work = note_thread, .extra = &thread });
	g_assert_cmpuint(record.frees, ==, 1);
	g_assert_cmpuint(record.dones, ==, 1);
	g_assert_true(thread == g_thread_self());
	g_assert_cmpuint(strand_get_length(strand), ==, 0);
}

/* Behind one that a worker has, and behind one that has come back and is not done yet. */
static void test_light_keeps_order(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Gate gate = { 0 };
	Record records[3] = { 0 };
	GThread *thread = NULL;

	push(strand, (Job){ .record = &records[0], .gate = &gate });
	push_light(strand, (Job){ .record = &records[1], .on_work = note_thread, .extra = &thread });
	push_light(strand, (Job){ .record = &records[2] });
	g_assert_cmpuint(records[1].works, ==, 0);
	gate_open(&gate);
	run_until(fixture, records[2].frees == 1);
	g_assert_true(thread != g_thread_self());
	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		g_assert_cmpuint(records[i].done_at, ==, i + 1);
}

static void push_two(Job *self)
{
	Job *jobs = self->extra;

	push_light(jobs[0].extra, jobs[0]);
	push_light(jobs[1].extra, jobs[1]);
	g_assert_cmpuint(jobs[0].record->dones, ==, 0);
}

/* Pushed by what is being done, it is not before that. */
static void test_light_inside_done(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[3] = { 0 };
	Job jobs[2] = { { .record = &records[1], .extra = strand }, { .record = &records[2], .extra = strand } };

	push_light(strand, (Job){ .record = &records[0], .on_done = push_two, .extra = jobs });
	run_until(fixture, records[2].frees == 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		g_assert_cmpuint(records[i].done_at, ==, i + 1);
}

/* It goes on where it is resumed, and who stands behind it after it. */
static void test_light_waits(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[3] = { 0 };

	push_light(strand, (Job){ .record = &records[0], .n_waits_wanted = 1 });
	push_light(strand, (Job){ .record = &records[1] });
	g_assert_cmpuint(records[0].waits, ==, 1);
	g_assert_cmpuint(records[1].works, ==, 0);
	strand_resume(strand);
	g_assert_cmpuint(records[0].frees, ==, 1);
	g_assert_cmpuint(records[1].frees, ==, 1);
	g_assert_cmpuint(records[0].done_at, ==, 1);

	push_light(strand, (Job){ .record = &records[2], .n_waits_wanted = 4, .on_wait = resume_now });
	g_assert_cmpuint(records[2].waits, ==, 4);
	g_assert_cmpuint(records[2].frees, ==, 1);
	g_assert_cmpuint(strand_get_length(strand), ==, 0);
}

static void close_strand(Job *self)
{
	strand_close(self->extra);
}

static void test_light_closes(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[2] = { 0 };

	push_light(strand, (Job){ .record = &records[0], .on_done = close_strand, .extra = strand });
	push_light(strand, (Job){ .record = &records[1] });
	g_assert_cmpuint(records[0].frees, ==, 1);
	g_assert_cmpuint(records[1].works, ==, 0);
	g_assert_cmpuint(records[1].frees, ==, 1);
}

static const StrandItemClass light_line_class = {
	.work = line_work, .wait = line_wait, .done = line_done, .free = line_free, .light = true,
};

static void push_line(Line *line, const StrandItemClass *item_class, unsigned number, unsigned n_waits)
{
	LineItem *item = g_new(LineItem, 1);

	*item = (LineItem){ .line = line, .number = number, .n_waits_wanted = n_waits };
	strand_push(line->strand, item_class, item);
}

/* Those that came while it waited: here, as long as they are light and few. Whether one of them waits and is resumed at once
 * is the same. */
static void test_light_behind_wait(Fixture *fixture, gconstpointer unused)
{
	Line line = { .strand = strand_new(fixture->pool) };
	Record records[3] = { 0 };

	push_light(line.strand, (Job){ .record = &records[0], .n_waits_wanted = 1 });
	for (unsigned number = 0; number < 10; number++)
		push_line(&line, &light_line_class, number, number % 2 * 3);
	strand_resume(line.strand);
	g_assert_cmpuint(line.n_freed, ==, 10);

	push_light(line.strand, (Job){ .record = &records[1], .n_waits_wanted = 1 });
	push_line(&line, &light_line_class, 10, 0);
	push_line(&line, &line_class, 11, 0);
	push_line(&line, &light_line_class, 12, 0);
	strand_resume(line.strand);
	g_assert_cmpuint(line.n_freed, ==, 11);
	run_until(fixture, line.n_freed == 13);

	push_light(line.strand, (Job){ .record = &records[2], .n_waits_wanted = 1 });
	for (unsigned number = 13; number < N_ITEMS; number++)
		push_line(&line, &light_line_class, number, number % 2);
	strand_resume(line.strand);
	g_assert_cmpuint(line.n_freed, ==, 13 + HERE_MAX - 1);
	run_until(fixture, line.n_freed == N_ITEMS);
	g_assert_cmpuint(strand_get_length(line.strand), ==, 0);
	strand_unref(line.strand);
}

/* One of those that follow closes the strand: that was the last. */
static void test_light_closes_behind_wait(Fixture *fixture, gconstpointer unused)
{
	Strand *strand = strand_new(fixture->pool);
	Record records[3] = { 0 };

	push_light(strand, (Job){ .record = &records[0], .n_waits_wanted = 1 });
	push_light(strand, (Job){ .record = &records[1], .on_done = close_strand, .extra = strand });
	push_light(strand, (Job){ .record = &records[2] });
	strand_resume(strand);
	g_assert_cmpuint(records[1].dones, ==, 1);
	g_assert_cmpuint(records[2].works, ==, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		g_assert_cmpuint(records[i].frees, ==, 1);
	strand_unref(strand);
}

static void test_place_when_idle(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record record = { 0 };

	push_place(strand, (Job){ .record = &record });
	g_assert_cmpuint(record.dones, ==, 1);
	g_assert_cmpuint(record.frees, ==, 1);
	g_assert_cmpuint(strand_get_length(strand), ==, 0);
}

static void test_place_keeps_order(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[5] = { 0 };
	Gate gate = { 0 };

	push(strand, (Job){ .record = &records[0], .gate = &gate });
	push_place(strand, (Job){ .record = &records[1] });
	push(strand, (Job){ .record = &records[2], .n_waits_wanted = 1, .on_wait = resume_now });
	push_place(strand, (Job){ .record = &records[3] });
	gate_await_arrivals(&gate, 1);
	push_place(strand, (Job){ .record = &records[4] });
	g_assert_cmpuint(n_done, ==, 0);
	g_assert_cmpuint(strand_get_length(strand), ==, 5);

	gate_open(&gate);
	run_until(fixture, records[4].frees == 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		g_assert_cmpuint(records[i].done_at, ==, i + 1);
}

/* Worked on, but done() not called yet: still not idle. */
static void test_place_behind_undispatched(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[2] = { 0 };
	Gate gate = { .open = true };

	push(strand, (Job){ .record = &records[0], .gate = &gate });
	gate_await_arrivals(&gate, 1);
	push_place(strand, (Job){ .record = &records[1] });
	g_assert_cmpuint(n_done, ==, 0);
	run_until(fixture, records[1].frees == 1);
	g_assert_cmpuint(records[0].done_at, ==, 1);
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

static void push_place_inside_done(Job *self)
{
	Pusher *pusher = self->extra;

	push_place_more(self);
	/* Not inside of another's done(). */
	g_assert_cmpuint(pusher->record->dones, ==, 0);
	g_assert_cmpuint(strand_get_length(pusher->strand), ==, 2);
}

static void test_push_inside(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[6] = { 0 };
	Pusher in_done = { strand, &records[1] };
	Pusher in_free = { strand, &records[3] };
	Pusher in_place = { strand, &records[5] };

	push(strand, (Job){ .record = &records[0], .on_done = push_place_inside_done,
			    .extra = &in_done });
	run_until(fixture, records[1].frees == 1);

	/* In free() the item is done, and the strand idle. */
	push(strand, (Job){ .record = &records[2], .on_free = push_place_more, .extra = &in_free });
	run_until(fixture, records[3].frees == 1);

	push_place(strand, (Job){ .record = &records[4], .on_done = push_place_inside_done,
				  .extra = &in_place });
	run_until(fixture, records[5].frees == 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++)
		g_assert_cmpuint(records[i].done_at, ==, i + 1);
}

static void test_length(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	Record records[10] = { 0 };
	Gate gate = { 0 };

	g_assert_cmpuint(strand_get_length(strand), ==, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(records); i++) {
		push(strand, (Job){ .record = &records[i], .gate = &gate });
		g_assert_cmpuint(strand_get_length(strand), ==, i + 1);
	}
	gate_await_arrivals(&gate, 1);
	g_assert_cmpuint(strand_get_length(strand), ==, 10);
	gate_open(&gate);
	gate_await_arrivals(&gate, 10);
	g_assert_cmpuint(strand_get_length(strand), ==, 10);
	run_until(fixture, records[9].frees == 1);
	g_assert_cmpuint(strand_get_length(strand), ==, 0);
}

#define N_FLOOD 1000

typedef struct Flood {
	unsigned n_worked;
	unsigned n_worked_at_other;
} Flood;

static void count_work(Job *self)
{
	((Flood *)self->extra)->n_worked++;
}

static void note_count(Job *self)
{
	Flood *flood = self->extra;

	flood->n_worked_at_other = flood->n_worked;
}

/* With one thread, a strand that never runs dry lets the others in after a batch. */
static void test_fair_worker(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) busy = strand_new(fixture->pool), other = strand_new(fixture->pool);
	g_autofree Record *records = g_new0(Record, N_FLOOD);
	Record record = { 0 };
	Flood flood = { 0 };
	Gate gate = { 0 };

	for (unsigned i = 0; i < N_FLOOD; i++)
		push(busy, (Job){ .record = &records[i], .on_work = count_work, .extra = &flood,
				  .gate = i == 0 ? &gate : NULL });
	push(other, (Job){ .record = &record, .on_work = note_count, .extra = &flood });
	gate_open(&gate);
	run_until(fixture, record.frees == 1);
	g_assert_cmpuint(flood.n_worked_at_other, ==, 64);
	run_until(fixture, records[N_FLOOD - 1].frees == 1);
}

static void count_turn(int timeout, void *userdata)
{
	(*(unsigned *)userdata)++;
}

/* A thousand outcomes at once: the event thread takes a share of them each turn, woken once. */
static void test_fair_event_thread(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(Strand) strand = strand_new(fixture->pool);
	g_autofree Record *records = g_new0(Record, N_FLOOD);
	unsigned n_turns = 0;
	Gate gate = { .open = true };

	loop_add_timeout(fixture->loop, 0, count_turn, &n_turns, NULL);
	g_atomic_int_set(&n_wake_ups, 0);
	for (unsigned i = 0; i < N_FLOOD; i++)
		push(strand, (Job){ .record = &records[i], .gate = &gate });
	gate_await_arrivals(&gate, N_FLOOD);
	/* The first outcome woke us, all others joined it. */
	g_assert_cmpint(g_atomic_int_get(&n_wake_ups), ==, 1);

	while (records[N_FLOOD - 1].frees == 0) {
		unsigned before = n_done;

		g_assert_true(loop_run_once(fixture->loop, 1000));
		g_assert_cmpuint(n_done - before, <=, 128);
	}
	g_assert_cmpuint(n_done, ==, N_FLOOD);
	g_assert_cmpuint(n_turns, >=, N_FLOOD / 128);
}

typedef struct Crowd {
	Gate *gate;
	int now;
	int most;
} Crowd;

static void crowd_in(Job *self)
{
	Crowd *crowd = self->extra;
	int now = g_atomic_int_add(&crowd->now, 1) + 1;

	for (;;) {
		int most = g_atomic_int_get(&crowd->most);

		if (now <= most || g_atomic_int_compare_and_exchange(&crowd->most, most, now))
			break;
	}
	gate_arrive(crowd->gate);
	gate_await_arrivals(crowd->gate, WORKER_POOL_THREADS_MAX);
	g_atomic_int_add(&crowd->now, -1);
}

static void test_threads_max(Fixture *fixture, gconstpointer unused)
{
	Strand *strands[5 * WORKER_POOL_THREADS_MAX];
	Record records[G_N_ELEMENTS(strands)] = { 0 };
	Gate gate = { 0 };
	Crowd crowd = { .gate = &gate };

	for (unsigned i = 0; i < G_N_ELEMENTS(strands); i++) {
		strands[i] = strand_new(fixture->pool);
		push(strands[i], (Job){ .record = &records[i], .on_work = crowd_in,
					.extra = &crowd });
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(strands); i++) {
		run_until(fixture, records[i].frees == 1);
		strand_unref(strands[i]);
	}
	g_assert_cmpint(crowd.most, ==, WORKER_POOL_THREADS_MAX);
}

static void test_out_of_descriptors(void)
{
	g_autoptr(Loop) loop = loop_poll_new();
	g_autoptr(GError) error = NULL;
	struct rlimit limit, none;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	none = limit;
	none.rlim_cur = 0;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
	g_assert_null(worker_pool_new(loop, 1, &error));
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
}

static void test_null(void)
{
	g_assert_null(worker_pool_free(NULL));
	g_assert_null(strand_unref(NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/worker-pool/order", 4, test_order);
	add("/worker-pool/order-one-per-cpu", 0, test_order);
	add("/worker-pool/order-in-bursts", 4, test_order_in_bursts);
	add("/worker-pool/parallel", 2, test_parallel);
	add("/worker-pool/wait-holds-no-thread", 1, test_wait_holds_no_thread);
	add("/worker-pool/resume-inside-wait", 2, test_resume_inside_wait);
	add("/worker-pool/light/when-idle", 1, test_light_when_idle);
	add("/worker-pool/light/keeps-order", 2, test_light_keeps_order);
	add("/worker-pool/light/inside-done", 2, test_light_inside_done);
	add("/worker-pool/light/waits", 1, test_light_waits);
	add("/worker-pool/light/closes", 1, test_light_closes);
	add("/worker-pool/light/behind-wait", 2, test_light_behind_wait);
	add("/worker-pool/light/closes-behind-wait", 1, test_light_closes_behind_wait);
	add("/worker-pool/place/when-idle", 1, test_place_when_idle);
	add("/worker-pool/place/keeps-order", 2, test_place_keeps_order);
	add("/worker-pool/place/behind-undispatched", 2, test_place_behind_undispatched);
	add("/worker-pool/push-inside", 2, test_push_inside);
	add("/worker-pool/length", 1, test_length);
	add("/worker-pool/fair/worker", 1, test_fair_worker);
	add("/worker-pool/fair/event-thread", 1, test_fair_event_thread);
	add("/worker-pool/threads-max", 1000, test_threads_max);
	g_test_add_func("/worker-pool/out-of-descriptors", test_out_of_descriptors);
	g_test_add_func("/worker-pool/null", test_null);
	return g_test_run();
}
