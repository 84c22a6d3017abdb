/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain-fixture.h"

/* The service goes in the middle of a transaction, and the next one brings what is left of it to an end. With real
 * QEMUs, and at any moment, it is in tests/integration/test-kills.py. */

#define DEVICES "\"devices\":[{\"driver\":\"ide-cd\",\"id\":\"cd0\"}]"
#define DRIVE(tray, inserted) "[{\"device\":\"\",\"qdev\":\"cd0\",\"tray_open\":" tray inserted "}]"
#define INSERTED(node) ",\"inserted\":{\"node-name\":\"" node "\"}"

static Domain *reopen(DomainFixture *fixture, const char *name)
{
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	return driver_find_domain(fixture->driver, name);
}

/* What was commanded last. Waits for it, since nobody is told when it is all done. */
static void wait_log(DomainFixture *fixture, Domain *domain, const char *expected)
{
	gint64 deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;

	for (;;) {
		g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

		if (g_str_has_suffix(log, expected))
			return;
		if (g_get_monotonic_time() > deadline)
			g_error("'%s' is not at the end of: %s", expected, log);
	}
}

static void wait_command(DomainFixture *fixture, Domain *domain, const char *command)
{
	gint64 deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;
	bool seen = false;

	while (!seen) {
		g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		seen = strstr(log, command) != NULL;
	}
}

static char *read_run_file(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *path = fixture_path(fixture, domain, "run.json");
	char *text;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

/* The note is written before and is gone after. */
static bool is_noted(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *text = read_run_file(fixture, domain);

	return strstr(text, "under-way") != NULL;
}

static void wait_forgotten(DomainFixture *fixture, Domain *domain)
{
	gint64 deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;

	while (is_noted(fixture, domain)) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		(void)loop_run_once(fixture->loop, 100);
	}
}

static void attach(Domain *domain, const char *netdev, Answer *answer)
{
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_OBJECT] = fixture_json("{\"qom-type\":\"x\",\"id\":\"obj1\"}"),
		[BACKEND_NETDEV] = fixture_json(netdev),
	};

	domain_attach_device(domain, fixture_json("{\"driver\":\"x\",\"id\":\"net1\"}"), backends, -1,
			     on_answer, answer);
}

static void test_attach(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=device_add", NULL);
	g_auto(Answer) answer = { 0 };

	attach(domain, "{\"type\":\"user\",\"id\":\"host1\"}", &answer);
	wait_command(fixture, domain, "device_add net1");
	g_assert_true(is_noted(fixture, domain));
	domain = reopen(fixture, "a");
	wait_log(fixture, domain, "\"netdev_del host1\",\"object-del obj1\"]");
	wait_forgotten(fixture, domain);
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
}

/* Names that belong to others are not ours to take out, whatever a client asks for. */
static void test_names_of_others(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=netdev_add",
					    "\"interfaces\":[{\"id\":\"net0\",\"type\":\"user\"}],"
					    "\"objects\":[{\"qom-type\":\"x\",\"id\":\"obj1\"}]");
	g_auto(Answer) answer = { 0 };
	g_autofree char *log = NULL;

	attach(domain, "{\"type\":\"user\",\"id\":\"host-net0\"}", &answer);
	wait_command(fixture, domain, "netdev_add host-net0");
	domain = reopen(fixture, "a");
	wait_forgotten(fixture, domain);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_null(strstr(log, "_del"));
	g_assert_null(strstr(log, "-del"));
	fixture_forget(fixture);
}

/* It came to its end, and nobody had written that down: the backends are those of the device. */
static void test_attached(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *path = fixture_path(fixture, domain, "run.json");
	g_auto(Answer) answer = { 0 }, detach = { 0 };
	g_autofree char *text = NULL;
	g_autoptr(GString) changed = NULL;

	attach(domain, "{\"type\":\"user\",\"id\":\"host1\"}", &answer);
	answer_wait_ok(fixture, &answer);
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	changed = g_string_new(text);
	g_assert_cmpuint(g_string_replace(changed, "\"backends\"", "\"backends\":{},\"under-way\"", 0),
			 ==, 1);
	g_assert_true(g_file_set_contents(path, changed->str, -1, NULL));
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	wait_forgotten(fixture, domain);
	domain_detach_device(domain, "net1", 20000, on_answer, &detach);
	answer_wait_ok(fixture, &detach);
	wait_log(fixture, domain, "\"device_del net1\",\"netdev_del host1\",\"object-del obj1\"]");
	fixture_forget(fixture);
}

/* The monitor is lost in between, and comes again: as after a kill. */
static void test_monitor_lost(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "close=device_add", NULL);
	g_auto(Answer) answer = { 0 };

	attach(domain, "{\"type\":\"user\",\"id\":\"host1\"}", &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	wait_log(fixture, domain, "\"netdev_del host1\",\"object-del obj1\"]");
	wait_forgotten(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
}

static void test_medium(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *hang, *before, *after, *log;
	} rows[] = {
		/* Not begun, so to speak. */
		{ "blockdev-open-tray", DRIVE("false", INSERTED("first")),
		  DRIVE("false", INSERTED("first")), "\"blockdev-del second\"]" },
		/* The old one is in, behind an open tray. */
		{ "blockdev-remove-medium", DRIVE("false", INSERTED("first")),
		  DRIVE("true", INSERTED("first")), "\"blockdev-close-tray cd0\",\"blockdev-del second\"]" },
		/* Neither is in. */
		{ "blockdev-insert-medium", DRIVE("false", INSERTED("first")), DRIVE("true", ""),
		  "\"blockdev-insert-medium cd0\",\"blockdev-close-tray cd0\",\"blockdev-del second\"]" },
		{ "blockdev-insert-medium", DRIVE("true", ""), DRIVE("true", ""),
		  "\"blockdev-del second\"]" },
		/* The new one is in. */
		{ "blockdev-close-tray", DRIVE("false", INSERTED("first")),
		  DRIVE("true", INSERTED("second")), "\"blockdev-close-tray cd0\"]" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		Domain *domain = fixture_run_domain(fixture, name, NULL, DEVICES);
		g_auto(Answer) answer = { 0 };

		g_test_message("%u: %s", i, rows[i].hang);
		fixture_set(fixture, domain, "reply:query-block", rows[i].before);
		fixture_set(fixture, domain, "hang", rows[i].hang);
		domain_change_media(domain, "cd0",
				    fixture_json("{\"driver\":\"null-co\",\"node-name\":\"second\"}"),
				    false, -1, on_answer, &answer);
		wait_command(fixture, domain, rows[i].hang);
		g_assert_true(is_noted(fixture, domain));
		fixture_set(fixture, domain, "hang", "");
		fixture_set(fixture, domain, "reply:query-block", rows[i].after);
		domain = reopen(fixture, name);
		wait_log(fixture, domain, rows[i].log);
		wait_forgotten(fixture, domain);
		fixture_destroy(fixture, domain);
		fixture_forget(fixture);
	}
}

#define ADD(name, function) FIXTURE_ADD("/domain/leftover/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("attach", test_attach);
	ADD("names-of-others", test_names_of_others);
	ADD("attached", test_attached);
	ADD("monitor-lost", test_monitor_lost);
	ADD("medium", test_medium);
	return g_test_run();
}
