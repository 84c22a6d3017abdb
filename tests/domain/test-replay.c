/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain-fixture.h"
#include "domain/domain-internal.h"

/*
 * The service goes in the midst of what QEMU says: what it had read and not told is in the journal, and the next one tells
 * it. With the connection kept nothing is missing then; without it, what QEMU said to nobody.
 *
 * A kill in the midst of a step is the journal as that step leaves it, made here with the driver away.
 */

#define KEPT "Resynchronized connection-kept"
#define GAP "Resynchronized service-restarted"
#define X_TEST(n) "{\"event\":\"X_TEST\",\"data\":{\"n\":" n "}}"
#define END "\r\n"
#define PANICKED "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\"}}" END
#define EMIT(events) "{\"execute\":\"x-emit\",\"id\":7,\"arguments\":{\"events\":[" events "]}}\r\n"

static void open_with(DomainFixture *fixture, bool keeps)
{
	fixture_close_driver(fixture);
	fixture_use_history(fixture);
	if (keeps)
		fixture_use_store(fixture);
	fixture_open_driver(fixture);
}

static bool is_kept(void *userdata)
{
	return fixture_count_kept(userdata) > 0;
}

static Domain *begin(DomainFixture *fixture, const char *settings, const char *members)
{
	Domain *domain;

	open_with(fixture, true);
	domain = fixture_run_domain(fixture, "a", settings, members);
	fixture_wait(fixture, is_kept, fixture);
	fixture_run(fixture);
	return domain;
}

static Domain *reopen(DomainFixture *fixture)
{
	fixture_open_driver(fixture);
	return driver_find_domain(fixture->driver, "a");
}

static void say_to(int fd, const char *bytes)
{
	g_assert_cmpint(send(fd, bytes, strlen(bytes), 0), ==, (ssize_t)strlen(bytes));
}

/* ---- between two events ---- */

static unsigned stop_after;

static bool has_enough(void *userdata)
{
	return fixture_count(userdata, "a") >= stop_after;
}

/* What is behind it has been read, and stays where it is. */
static void stop_reading(DomainFixture *fixture, Domain *domain)
{
	if (fixture_count(fixture, "a") == stop_after)
		qmp_monitor_set_reading(domain->monitor, false);
}

/* The driver goes when it has told so many of them. */
static void flood_and_leave(DomainFixture *fixture, Domain *domain, unsigned count, unsigned told)
{
	g_autofree char *arguments = g_strdup_printf("{\"first\":0,\"count\":%u}", count);

	stop_after = told;
	fixture->recorded = stop_reading;
	domain_execute(domain, "x-flood", fixture_json(arguments), 20000, NULL, NULL);
	fixture_wait(fixture, has_enough, fixture);
	fixture->recorded = NULL;
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, told);
	fixture_close_driver(fixture);
}

static void expect_flood(DomainFixture *fixture, unsigned count, const char *last)
{
	stop_after = count + 1;
	fixture_wait(fixture, has_enough, fixture);
	for (unsigned i = 0; i <= count; i++) {
		const Record *record = g_ptr_array_index(fixture->records, i);
		g_autofree char *expected = i == count ? g_strdup(last)
						       : g_strdup_printf("Event X_TEST {\"n\":%u}", i);

		g_assert_cmpstr(record->text, ==, expected);
	}
	fixture_forget(fixture);
}

static void test_flood_kept(DomainFixture *fixture, const void *data)
{
	static const unsigned told[] = { 1, 17, 128, 1000, 4000 };
	Domain *domain = begin(fixture, NULL, NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(told); i++) {
		flood_and_leave(fixture, domain, 6000, told[i]);
		domain = reopen(fixture);
		expect_flood(fixture, 6000, KEPT);
	}
}

/* It fits into one read. */
static void test_flood_not_kept(DomainFixture *fixture, const void *data)
{
	Domain *domain;

	open_with(fixture, false);
	domain = fixture_run_domain(fixture, "a", NULL, NULL);
	for (unsigned told = 1; told < 400; told = told * 3 + 1) {
		fixture_run(fixture);
		flood_and_leave(fixture, domain, 1000, told);
		domain = reopen(fixture);
		expect_flood(fixture, 1000, GAP);
		g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
		g_assert_true(domain_is_connected(domain));
	}
}

/* ---- in the midst of one ---- */

/* Everything was told; the domain is no longer to be used, its connection and its journal are. */
static QmpJournal *leave(DomainFixture *fixture, Domain *domain, int *ret_fd)
{
	g_autofree char *directory = fixture_path(fixture, domain, NULL);
	QmpJournal *journal;

	fixture_run(fixture);
	*ret_fd = fixture_get_kept(fixture, domain);
	fixture_close_driver(fixture);
	journal = qmp_journal_open(directory, NULL, NULL);
	g_assert_nonnull(journal);
	g_assert_true(qmp_journal_resume(journal, *ret_fd));
	return journal;
}

/* As if it had been read. Returns where it ends. */
static uint64_t put(QmpJournal *journal, const char *bytes)
{
	uint64_t position;
	size_t length;

	g_assert_true(qmp_journal_note(journal, bytes, strlen(bytes)));
	qmp_journal_take(journal, strlen(bytes));
	(void)qmp_journal_get_left(journal, &length, &position);
	return position;
}

/* Wherever the read was: looked at, taken, and with the rest of a message in the socket. */
static void test_half_read(DomainFixture *fixture, const void *data)
{
	static const char event[] = X_TEST("1") END;
	Domain *domain = begin(fixture, NULL, NULL);

	for (size_t n = 1; n <= strlen(event); n += 7) {
		for (unsigned step = 0; step < 3; step++) {
			g_autoptr(QmpJournal) journal = NULL;
			char bytes[100], taken[100];
			int fd;

			journal = leave(fixture, domain, &fd);
			say_to(fd, EMIT(X_TEST("1") "," X_TEST("2")));
			while (recv(fd, bytes, n, MSG_PEEK) != (ssize_t)n)
				(void)sched_yield();
			g_assert_true(qmp_journal_note(journal, bytes, n));
			if (step > 0)
				g_assert_cmpint(recv(fd, taken, n, 0), ==, (ssize_t)n);
			if (step > 1)
				qmp_journal_take(journal, n);
			journal = qmp_journal_free(journal);
			domain = reopen(fixture);
			fixture_expect(fixture, domain, "Event X_TEST {\"n\":1}", "Event X_TEST {\"n\":2}", KEPT,
				       NULL);
		}
	}
}

/* A message of two events, of which so many had been told: they are the last ones that there are. */
static void test_half_told(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, "\"on-panic\":\"preserve\"");
	unsigned told = GPOINTER_TO_UINT(data);
	g_autoptr(QmpJournal) journal = NULL;
	uint64_t position;
	int fd;

	fixture_emit(fixture, domain, "{\"event\":\"X_TEST\",\"data\":{\"n\":1}},"
		     "{\"event\":\"X_TEST\",\"data\":{\"n\":2}}");
	fixture_expect(fixture, domain, "Event X_TEST {\"n\":1}", "Event X_TEST {\"n\":2}", NULL);
	journal = leave(fixture, domain, &fd);
	position = put(journal, PANICKED);
	(void)put(journal, X_TEST("3") END);
	qmp_journal_intend(journal, position, fixture->last_sequence - told, 0);
	journal = qmp_journal_free(journal);
	say_to(fd, "{\"execute\":\"x-set\",\"id\":5,\"arguments\":{\"status\":\"guest-panicked\"}}\r\n");
	domain = reopen(fixture);
	if (told == 0)
		fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed",
			       "Event X_TEST {\"n\":3}", KEPT, NULL);
	else if (told == 1)
		fixture_expect(fixture, domain, "crashed panicked crashed", "Event X_TEST {\"n\":3}", KEPT,
			       NULL);
	else
		fixture_expect(fixture, domain, "Event X_TEST {\"n\":3}", KEPT, NULL);
	/* What was told before is what has become of the domain, too. */
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_CRASHED);
	/* And what the next one reads is told, as it is of no use any more what this one had noted. */
	fixture_emit(fixture, domain, "{\"event\":\"X_TEST\",\"data\":{\"n\":4}}");
	fixture_expect(fixture, domain, "Event X_TEST {\"n\":4}", NULL);
}

/* Killed once more before it has come as far as the one before. */
static void test_half_told_twice(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, "\"on-panic\":\"preserve\"");
	g_autoptr(QmpJournal) journal = NULL;
	uint64_t position;
	int fd;

	journal = leave(fixture, domain, &fd);
	position = put(journal, PANICKED);
	/* One by the first, and none by the second. */
	qmp_journal_intend(journal, position, fixture->last_sequence, 1);
	journal = qmp_journal_free(journal);
	say_to(fd, "{\"execute\":\"x-set\",\"id\":5,\"arguments\":{\"status\":\"guest-panicked\"}}\r\n");
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "crashed panicked crashed", KEPT, NULL);
}

/* STOP and RESUME, with the state that was told before them. */
static void test_states(DomainFixture *fixture, const void *data)
{
	static const char stop[] = "{\"event\":\"STOP\"}\r\n", cont[] = "{\"event\":\"RESUME\"}\r\n";
	bool keeps = data != NULL;
	g_autoptr(QmpJournal) journal = NULL;
	Domain *domain;
	int fd;

	open_with(fixture, keeps);
	domain = fixture_run_domain(fixture, "a", NULL, NULL);
	if (keeps)
		fixture_wait(fixture, is_kept, fixture);
	fixture_set(fixture, domain, "status", "paused");
	if (keeps) {
		journal = leave(fixture, domain, &fd);
	} else {
		g_autofree char *directory = fixture_path(fixture, domain, NULL);

		fixture_run(fixture);
		fixture_close_driver(fixture);
		journal = qmp_journal_open(directory, NULL, NULL);
	}
	(void)put(journal, stop);
	(void)put(journal, cont);
	(void)put(journal, stop);
	/* Of this the end never comes, without the connection. */
	if (!keeps)
		(void)put(journal, "{\"event\"");
	journal = qmp_journal_free(journal);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running",
		       "suspended paused paused", keeps ? KEPT : GAP, NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
}

/* A device has gone, and that was read; the connection has ended with the service. What the device stood on cannot be taken
 * out while it is told, and goes when QEMU is there again. */
static void test_device_gone(DomainFixture *fixture, const void *data)
{
	static const char gone[] = "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"net1\","
				   "\"path\":\"/machine/peripheral/net1\"}}" END;
	Domain *domain = begin(fixture, "device-del=before", NULL);
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_NETDEV] = fixture_json("{\"type\":\"user\",\"id\":\"host1\"}"),
	};
	g_autoptr(QmpJournal) journal = NULL;
	g_auto(Answer) attached = { 0 };
	g_autofree char *log = NULL;
	char said[4096] = "";
	int fd;

	domain_attach_device(domain, fixture_json("{\"driver\":\"x\",\"id\":\"net1\"}"), backends, -1, on_answer,
			     &attached);
	answer_wait_ok(fixture, &attached);
	fixture_forget(fixture);
	journal = leave(fixture, domain, &fd);
	say_to(fd, "{\"execute\":\"device_del\",\"id\":9,\"arguments\":{\"id\":\"net1\"}}\r\n");
	for (size_t n = 0; !strstr(said, "\"return\""); n = strlen(said)) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };

		g_assert_cmpint(poll(&readable, 1, -1), ==, 1);
		g_assert_cmpint(recv(fd, said + n, sizeof(said) - 1 - n, 0), >, 0);
	}
	(void)put(journal, gone);
	journal = qmp_journal_free(journal);
	/* Nobody keeps it any more. */
	g_hash_table_remove_all(fixture->kept);
	fixture->keeps = false;
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "DeviceRemoved net1 /machine/peripheral/net1", GAP, NULL);
	fixture_run(fixture);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_nonnull(strstr(log, "\"netdev_del host1\""));
}

/* It has ended, and what it said last had been read. */
static void test_ended(DomainFixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = NULL;
	g_autofree char *directory = NULL;
	Domain *domain;
	pid_t pid;

	open_with(fixture, false);
	domain = fixture_run_domain(fixture, "a", NULL, NULL);
	pid = domain_get_pid(domain);
	directory = fixture_path(fixture, domain, NULL);
	fixture_run(fixture);
	fixture_close_driver(fixture);
	journal = qmp_journal_open(directory, NULL, NULL);
	(void)put(journal, X_TEST("1") END);
	(void)put(journal, "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}\r\n");
	journal = qmp_journal_free(journal);
	g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
	g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "Event X_TEST {\"n\":1}", "shutdown guest shutting-down",
		       "stopped shutdown shut-off", NULL);
	assert_detail(fixture_last(fixture), "while-away", "true");
	assert_detail(fixture_last(fixture), "cause", "'guest-shutdown'");
	fixture_start(fixture, domain);
}

/* To read the state takes longer than the start of the service waits for: QEMU is there, and its events are told. */
static void test_slow(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd;

	fixture_set(fixture, domain, "hang", "qom-list");
	fixture_run(fixture);
	fd = fixture_get_kept(fixture, domain);
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	say_to(fd, EMIT("\"STOP\",\"RESUME\""));
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running", NULL);
}

/* ---- what QEMU was to be asked ---- */

static bool is_waiting(void *userdata)
{
	return ((Domain *)userdata)->prepares > 0;
}

/* An event that waits for an answer, and those behind it. */
static void test_waiting(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd;

	fixture_set(fixture, domain, "status", "paused");
	fixture_set(fixture, domain, "hang", "query-status");
	domain_execute(domain, "x-emit", fixture_json("{\"events\":[\"STOP\"]}"), 20000, NULL, NULL);
	fixture_wait(fixture, is_waiting, domain);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 0);
	fd = fixture_get_kept(fixture, domain);
	fixture_close_driver(fixture);
	say_to(fd, "{\"execute\":\"x-set\",\"id\":5,\"arguments\":{\"hang\":\"\"}}\r\n");
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "suspended paused paused", KEPT, NULL);
}

#define FILTER(nic, mac)                                                                            \
	"{\"name\":\"" nic "\",\"main-mac\":\"" mac "\",\"promiscuous\":false,\"unicast\":\"normal\","         \
	"\"multicast\":\"normal\",\"vlan\":\"normal\",\"broadcast-allowed\":true,"                          \
	"\"unicast-overflow\":false,\"multicast-overflow\":false,\"unicast-table\":[],"                     \
	"\"multicast-table\":[],\"vlan-table\":[]}"

/* A filter that the guest has changed, and QEMU had not said how. */
static void test_filters_due(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd;

	fixture_set(fixture, domain, "filters", "[" FILTER("n0", "52:54:00:00:00:01") "]");
	fixture_set(fixture, domain, "hang", "query-rx-filter");
	fixture_emit(fixture, domain, "{\"event\":\"NIC_RX_FILTER_CHANGED\",\"data\":{\"name\":\"n0\"}}");
	fixture_run(fixture);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 0);
	g_assert_true(run_picture_get_filters_due(domain->picture));
	fd = fixture_get_kept(fixture, domain);
	fixture_close_driver(fixture);
	say_to(fd, "{\"execute\":\"x-set\",\"id\":5,\"arguments\":{\"hang\":\"\"}}\r\n");
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "FilterChanged n0 52:54:00:00:00:01", KEPT, NULL);
	/* Once. */
	fixture_run(fixture);
	g_assert_false(run_picture_get_filters_due(domain->picture));
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
}

/* ---- what there is no journal for ---- */

static bool is_over_bound(void *userdata)
{
	return !qmp_journal_is_whole(((Domain *)userdata)->journal);
}

static bool is_within_bound(void *userdata)
{
	return qmp_journal_is_whole(((Domain *)userdata)->journal);
}

/* An answer that is longer than the journal. */
static void test_bound(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	g_autofree char *filling = g_strnfill(QMP_JOURNAL_MAX + (1u << 20), 'x');
	g_autofree char *answer = g_strdup_printf("\"%s\"", filling);

	fixture_set(fixture, domain, "reply:x-long", answer);
	/* Read to its end, it is no more than a moment. */
	domain_execute(domain, "x-long", NULL, 20000, NULL, NULL);
	fixture_wait(fixture, is_over_bound, domain);
	fixture_wait(fixture, is_within_bound, domain);
	fixture_run(fixture);
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
	/* In the midst of it, something is missing. */
	fixture_emit(fixture, domain, "{\"event\":\"X_TEST\",\"data\":{\"n\":1}}");
	fixture_expect(fixture, domain, "Event X_TEST {\"n\":1}", NULL);
	domain_execute(domain, "x-long", NULL, 20000, NULL, NULL);
	fixture_wait(fixture, is_over_bound, domain);
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, GAP, NULL);
	fixture_run(fixture);
	g_assert_true(qmp_journal_is_whole(domain->journal));
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
}

/* One that is damaged, or not there. */
static void test_no_journal(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);

	for (unsigned i = 0; i < 2; i++) {
		g_autofree char *path = fixture_path(fixture, domain, QMP_JOURNAL_NAME);

		fixture_run(fixture);
		fixture_close_driver(fixture);
		if (i == 0)
			g_assert_cmpint(truncate(path, 100), ==, 0);
		else
			g_assert_cmpint(unlink(path), ==, 0);
		domain = reopen(fixture);
		fixture_expect(fixture, domain, GAP, NULL);
	}
	fixture_run(fixture);
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
}

/* A gap that was not told is one for the next service too. */
static void test_gap_not_told(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd;

	fixture_set(fixture, domain, "hang", "qom-list");
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", NULL);
	fixture_wait(fixture, is_kept, fixture);
	fd = fixture_get_kept(fixture, domain);
	fixture_close_driver(fixture);
	say_to(fd, "{\"execute\":\"x-set\",\"id\":5,\"arguments\":{\"hang\":\"\"}}\r\n");
	domain = reopen(fixture);
	fixture_expect(fixture, domain, GAP, NULL);
}

int main(int argc, char **argv)
{
#define ADD_WITH(name, data, function)                                                             \
	g_test_add("/domain/replay/" name, DomainFixture, GUINT_TO_POINTER(data), fixture_set_up,   \
		   function, fixture_tear_down)
#define ADD(name, function) ADD_WITH(name, 0, function)

	g_test_init(&argc, &argv, NULL);
	ADD("flood-kept", test_flood_kept);
	ADD("flood-not-kept", test_flood_not_kept);
	ADD("half-read", test_half_read);
	ADD_WITH("half-told/none", 0, test_half_told);
	ADD_WITH("half-told/one", 1, test_half_told);
	ADD_WITH("half-told/both", 2, test_half_told);
	ADD("half-told/twice", test_half_told_twice);
	ADD_WITH("states/kept", 1, test_states);
	ADD_WITH("states/not-kept", 0, test_states);
	ADD("device-gone", test_device_gone);
	ADD("ended", test_ended);
	ADD("slow", test_slow);
	ADD("waiting", test_waiting);
	ADD("filters-due", test_filters_due);
	ADD("bound", test_bound);
	ADD("no-journal", test_no_journal);
	ADD("gap-not-told", test_gap_not_told);
	return g_test_run();
}
