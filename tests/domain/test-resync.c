/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain-fixture.h"
#include "domain/domain-internal.h"

/*
 * The picture after a gap. The monitor is lost and found again, and meanwhile something has changed: it is told
 * by the ordinary signals, between Lost and Resynchronized, with the reason resync. A monitor that is gone
 * is believed after a second, so each case here takes that long.
 */

#define PATH(id) "/machine/peripheral/" id
#define LIST(id) "[{\"name\":\"" id "\",\"type\":\"child<e1000>\"},{\"name\":\"type\",\"type\":\"string\"}]"

static bool is_asking(void *userdata)
{
	return ((Domain *)userdata)->resync != NULL;
}

/* Until the state is being read. */
static void lose_monitor_and_connect(DomainFixture *fixture, Domain *domain)
{
	domain_execute(domain, "x-close", NULL, 20000, NULL, NULL);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait(fixture, is_asking, domain);
}

static void test_devices(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "reply:qom-list", LIST("nic7"));
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed",
		       "DeviceAdded nic7 e1000 " PATH("nic7") " (resync)", "Resynchronized monitor-lost",
		       NULL);
	g_assert_true(g_hash_table_contains(domain_get_devices(domain), "nic7"));

	fixture_set(fixture, domain, "reply:qom-list", "[]");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed",
		       "DeviceRemoved nic7 " PATH("nic7") " (resync)", "Resynchronized monitor-lost",
		       NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);

	/* It was just going: QEMU's own word comes late, and is not told twice. */
	fixture_emit(fixture, domain, "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"nic7\",\"path\":\""
				      PATH("nic7") "\"}},\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
}

/* Who waits for a device to go is answered when it is found gone. */
static void test_detach(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "device-del=never", NULL);
	g_auto(Answer) attach = { 0 };
	g_auto(Answer) detach = { 0 };
	g_autofree char *log = NULL;
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_NETDEV] = fixture_json("{\"type\":\"user\",\"id\":\"host1\"}"),
	};

	domain_attach_device(domain, fixture_json("{\"driver\":\"e1000\",\"id\":\"nic1\"}"), backends,
			     DOMAIN_CALL_TIMEOUT_MS, on_answer, &attach);
	answer_wait_ok(fixture, &attach);
	fixture_expect(fixture, domain, "DeviceAdded nic1 e1000 " PATH("nic1"), NULL);
	domain_detach_device(domain, "nic1", 60000, on_answer, &detach);
	fixture_set(fixture, domain, "reply:qom-list", "[]");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	answer_wait_ok(fixture, &detach);
	fixture_expect(fixture, domain, "Lost closed", "DeviceRemoved nic1 " PATH("nic1") " (resync)",
		       "Resynchronized monitor-lost", NULL);
	/* Its backend went out with it, and so that name can be used again. */
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_nonnull(strstr(log, "\"netdev_del host1\""));
}

/* A new service has no picture but that of the devices; all else it takes as it is. */
static void test_new_service(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "reply:qom-list", LIST("nic7"));
	fixture_close_driver(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_expect(fixture, domain, "DeviceAdded nic7 e1000 " PATH("nic7") " (resync)",
		       "Resynchronized service-restarted", NULL);
	g_assert_true(g_hash_table_contains(domain_get_devices(domain), "nic7"));
	fixture_destroy(fixture, domain);
}

/* What cannot be read is not there; what is refused is none. */
static void test_odd_answers(DomainFixture *fixture, const void *data)
{
	static const char *const queries[] = {
		"qom-list", "query-memory-devices", "query-block", "query-named-block-nodes", "query-jobs",
		"query-chardev", "query-balloon", "query-vnc-servers", "query-spice", "query-migrate",
	};
	static const char *const answers[] = {
		"{\"a\":[1,null,{\"b\":true}]}", "[1,\"x\",null,[],{},{\"id\":7,\"type\":{}}]", "\"text\"", "null",
		"[{\"name\":5},{\"type\":\"dimm\",\"data\":7},{\"clients\":{}},{\"channels\":[1]}]",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
		g_autofree char *name = g_strdup_printf("a%u", i);
		Domain *domain = fixture_run_domain(fixture, name, NULL, NULL);

		for (unsigned j = 0; j < G_N_ELEMENTS(queries); j++) {
			g_autofree char *key = g_strconcat("reply:", queries[j], NULL);

			fixture_set(fixture, domain, key, answers[i]);
		}
		fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
		fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
		fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
		fixture_emit(fixture, domain, "\"STOP\"");
		fixture_expect(fixture, domain, "suspended paused paused", NULL);
		fixture_destroy(fixture, domain);
	}
}

/* The monitor is lost once more while the state is read: nothing is left of that when it is back for good. The
 * event is one for which the replies behind it have to wait. */
static void test_lost_again(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) attach = { 0 };
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_NETDEV] = fixture_json("{\"type\":\"user\",\"id\":\"host1\"}"),
	};

	domain_attach_device(domain, fixture_json("{\"driver\":\"e1000\",\"id\":\"nic1\"}"), backends,
			     DOMAIN_CALL_TIMEOUT_MS, on_answer, &attach);
	answer_wait_ok(fixture, &attach);
	fixture_expect(fixture, domain, "DeviceAdded nic1 e1000 " PATH("nic1"), NULL);

	fixture_set(fixture, domain, "reply:qom-list", "[]");
	fixture_set(fixture, domain, "before:qom-list",
		    "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"nic1\",\"path\":\"" PATH("nic1") "\"}}");
	fixture_set(fixture, domain, "close", "query-status");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed", "DeviceRemoved nic1 " PATH("nic1"),
		       "Resynchronized monitor-lost", NULL);
	/* The time in which the process behind a closed monitor would have had to end. */
	fixture_run_for(fixture, 1500);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
}

/* What QEMU itself says while the state is read is not found once more. */
static void test_told_by_event(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
	fixture_set(fixture, domain, "before:query-status", "{\"event\":\"RESUME\"}");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed", "resumed unpaused running",
		       "Resynchronized monitor-lost", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
}

#define SHUTDOWN "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}"

/* A QEMU that stays when its guest has shut down is not one that is about to end, and is found as it was. */
static void test_kept_down(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-shutdown\":\"pause\"");

	fixture_emit(fixture, domain, SHUTDOWN ",\"STOP\"");
	fixture_set(fixture, domain, "status", "shutdown");
	fixture_expect(fixture, domain, "shutdown guest shutting-down", "suspended guest-shutdown paused",
		       NULL);
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_GUEST_SHUTDOWN);
}

/* What was seen before the gap does not explain what comes behind it. */
static void test_old_hints(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-shutdown\":\"pause\"");

	fixture_emit(fixture, domain, "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"device\":\"d\",\"operation\":\"write\","
				      "\"action\":\"stop\",\"reason\":\"no\"}}");
	fixture_expect(fixture, domain, "IOError d write stop 0", NULL);
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	fixture_emit(fixture, domain, "\"STOP\",\"RESUME\"");
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running", NULL);

	/* Down, and reset while nobody looked. */
	fixture_emit(fixture, domain, SHUTDOWN ",\"STOP\"");
	fixture_expect(fixture, domain, "shutdown guest shutting-down", "suspended guest-shutdown paused",
		       NULL);
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed", "resumed resync running (resync)",
		       "Resynchronized monitor-lost", NULL);
	domain_execute(domain, "x-exit", fixture_json("{\"status\":3}"), 20000, NULL, NULL);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
}

/* It went down meanwhile, as somebody wanted. */
static void test_found_down(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-shutdown\":\"pause\"");
	g_auto(Answer) answer = { 0 };

	domain_shutdown(domain, -1, on_answer, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", NULL);
	fixture_set(fixture, domain, "status", "shutdown");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "Lost closed", "suspended guest-shutdown paused (resync)",
		       "Resynchronized monitor-lost", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
}

/* A guest whose every error is one more question does not keep the state from being known. */
static void test_no_end(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "each:query-block",
		    "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"device\":\"\",\"operation\":\"write\","
		    "\"action\":\"report\",\"reason\":\"no\"}}");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_set(fixture, domain, "each:query-block", "");
	fixture_forget(fixture);
}

/* The service leaves while QEMU is asked; and QEMU ends while the next one asks it: that is its end. */
static void test_close_in_between(DomainFixture *fixture, const void *data)
{
	static const char *const commands[] = { "qom-list", "query-balloon", "query-status" };

	for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_autofree char *name = g_strdup_printf("a%u", i);
		Domain *domain = fixture_run_domain(fixture, name, NULL, NULL);

		fixture_set(fixture, domain, "hang", commands[i]);
		domain_execute(domain, "x-emit", fixture_json("{\"events\":[\"STOP\"]}"), 20000, NULL, NULL);
		lose_monitor_and_connect(fixture, domain);
		domain_refresh(domain, STATE_QUERY_BALLOON);
		fixture_close_driver(fixture);
		fixture_open_driver(fixture);
		domain = driver_find_domain(fixture->driver, name);
		g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_UNKNOWN);
		fixture_destroy(fixture, domain);
		fixture_forget(fixture);
	}
}

/* More than the monitor takes at a time, and all of it is read; also when it is lost in the middle. */
static void test_many_devices(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autoptr(GString) list = g_string_new("[");
	unsigned n = QMP_MONITOR_CALLS_MAX;

	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(list, "%s{\"name\":\"d%u\",\"type\":\"child<x>\"}",
				       i > 0 ? "," : "", i);
	g_string_append_c(list, ']');
	fixture_set(fixture, domain, "reply:qom-list", list->str);
	fixture_set(fixture, domain, "close", "qom-get");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, n);
	fixture_forget(fixture);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	FIXTURE_ADD("/domain/resync/devices", test_devices);
	FIXTURE_ADD("/domain/resync/detach", test_detach);
	FIXTURE_ADD("/domain/resync/new-service", test_new_service);
	FIXTURE_ADD("/domain/resync/odd-answers", test_odd_answers);
	FIXTURE_ADD("/domain/resync/lost-again", test_lost_again);
	FIXTURE_ADD("/domain/resync/told-by-event", test_told_by_event);
	FIXTURE_ADD("/domain/resync/kept-down", test_kept_down);
	FIXTURE_ADD("/domain/resync/old-hints", test_old_hints);
	FIXTURE_ADD("/domain/resync/found-down", test_found_down);
	FIXTURE_ADD("/domain/resync/close-in-between", test_close_in_between);
	FIXTURE_ADD("/domain/resync/no-end", test_no_end);
	FIXTURE_ADD("/domain/resync/many-devices", test_many_devices);
	return g_test_run();
}
