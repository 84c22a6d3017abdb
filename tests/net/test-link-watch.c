/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/link-watch.h"

#include "loop/loop-poll.h"
#include "sandbox.h"

#define DEADLINE_US (30 * G_TIME_SPAN_SECOND)
/* More links than the messages of a socket's buffer have room for. */
#define STORM 300u

typedef struct Watched {
	LinkWatchEntry *entry;
	unsigned n_calls;
} Watched;

static void on_deleted(void *userdata)
{
	((Watched *)userdata)->n_calls++;
}

static void on_deleted_once(void *userdata)
{
	Watched *watched = userdata;

	watched->n_calls++;
	watched->entry = link_watch_remove(watched->entry);
}

static void wait_called(Loop *loop, const Watched *watched)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_US;

	while (watched->n_calls == 0) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		(void)loop_run_once(loop, 1000);
	}
}

static void add_link(const char *name)
{
	sandbox_run("ip link add %s type veth peer name %s-peer", name, name);
}

static void test_deleted(void)
{
	g_autoptr(Loop) loop = loop_poll_new();
	g_autoptr(LinkWatch) watch = link_watch_new(loop);
	Watched gone = { 0 }, stays = { 0 };

	g_assert_false(link_watch_is_open(watch));
	add_link("one");
	add_link("two");
	gone.entry = link_watch_add(watch, sandbox_link("one").index, on_deleted, &gone);
	stays.entry = link_watch_add(watch, sandbox_link("two").index, on_deleted, &stays);
	g_assert_true(link_watch_is_open(watch));

	/* Up, down, renamed, and in and out of a bridge: it is there. */
	sandbox_run("ip link set two up");
	sandbox_run("ip link set two master bridge0");
	sandbox_run("ip link set two nomaster");
	sandbox_run("ip link set two down");
	sandbox_run("ip link set two name other");
	sandbox_run("ip link del one");
	wait_called(loop, &gone);
	g_assert_cmpuint(gone.n_calls, ==, 1);
	g_assert_cmpuint(stays.n_calls, ==, 0);
	link_watch_remove(gone.entry);
	g_assert_true(link_watch_is_open(watch));
	link_watch_remove(stays.entry);
	g_assert_false(link_watch_is_open(watch));
	sandbox_run("ip link del other");
}

/* Several on one link; each may go when it is called, the last one and the socket with it. */
static void test_removed_from_within(void)
{
	unsigned n_descriptors = sandbox_count_descriptors();
	g_autoptr(Loop) loop = loop_poll_new();
	g_autoptr(LinkWatch) watch = link_watch_new(loop);
	Watched watched[3] = { 0 };
	unsigned index;

	add_link("one");
	index = sandbox_link("one").index;
	for (unsigned i = 0; i < G_N_ELEMENTS(watched); i++)
		watched[i].entry = link_watch_add(watch, index, on_deleted_once, &watched[i]);
	sandbox_run("ip link del one");
	wait_called(loop, &watched[2]);
	for (unsigned i = 0; i < G_N_ELEMENTS(watched); i++)
		g_assert_cmpuint(watched[i].n_calls, ==, 1);
	g_assert_false(link_watch_is_open(watch));

	/* And again. */
	add_link("one");
	watched[0] = (Watched){ link_watch_add(watch, sandbox_link("one").index, on_deleted_once, &watched[0]), 0 };
	sandbox_run("ip link del one");
	wait_called(loop, &watched[0]);
	watch = link_watch_free(watch);
	loop = loop_free(loop);
	g_assert_cmpuint(sandbox_count_descriptors(), ==, n_descriptors);
}

/* Nobody reads while more is told than the socket takes: all are called, to look for themselves. */
static void test_overrun(void)
{
	g_autoptr(Loop) loop = loop_poll_new();
	g_autoptr(LinkWatch) watch = link_watch_new(loop);
	Watched watched = { 0 };

	add_link("one");
	watched.entry = link_watch_add(watch, sandbox_link("one").index, on_deleted, &watched);
	for (unsigned i = 0; i < STORM; i++) {
		sandbox_run("ip link set one alias a%u", i);
		sandbox_run("ip link set one %s", i % 2 ? "up" : "down");
	}
	wait_called(loop, &watched);
	link_watch_remove(watched.entry);
	sandbox_run("ip link del one");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/link-watch/deleted", test_deleted);
	g_test_add_func("/link-watch/removed-from-within", test_removed_from_within);
	g_test_add_func("/link-watch/overrun", test_overrun);
	return sandbox_main();
}
