/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain-fixture.h"

/* Devices that come and go, with the backends that belong to them. */

#define OBJECT   "{\"qom-type\":\"rng-builtin\",\"id\":\"obj1\"}"
#define BLOCKDEV "{\"driver\":\"null-co\",\"node-name\":\"node1\"}"
#define NETDEV   "{\"type\":\"user\",\"id\":\"host1\"}"
#define DEVICE   "{\"driver\":\"virtio-net-pci\",\"id\":\"net1\"}"
#define PATH     "/machine/peripheral/net1"

static JsonNode *parse_or_null(const char *text)
{
	return text ? fixture_json(text) : NULL;
}

static void attach(Domain *domain, const char *device, const char *object, const char *blockdev,
		   const char *netdev, Answer *answer)
{
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_OBJECT] = parse_or_null(object),
		[BACKEND_BLOCKDEV] = parse_or_null(blockdev),
		[BACKEND_NETDEV] = parse_or_null(netdev),
	};

	domain_attach_device(domain, fixture_json(device), backends, DOMAIN_CALL_TIMEOUT_MS, on_answer, answer);
}

static void attach_all(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	attach(domain, DEVICE, OBJECT, BLOCKDEV, NETDEV, &answer);
	answer_wait_ok(fixture, &answer);
	g_assert_cmpstr(answer.result, ==, "net1");
	fixture_expect(fixture, domain, "DeviceAdded net1 virtio-net-pci " PATH, NULL);
}

static void detach(DomainFixture *fixture, Domain *domain, const char *id)
{
	g_auto(Answer) answer = { 0 };

	domain_detach_device(domain, id, 20000, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

static void assert_log(DomainFixture *fixture, Domain *domain, const char *expected)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	g_assert_cmpstr(log, ==, expected);
}

static bool has_bus(void *userdata)
{
	const DomainDevice *device = g_hash_table_lookup(domain_get_devices(userdata), "net1");

	return device && g_str_equal(device->bus, "pcie.0");
}

/* ---- attach ---- */

static void test_attach(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	const DomainDevice *device;

	fixture->changed = 0;
	attach_all(fixture, domain);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_DEVICES);
	assert_log(fixture, domain, "[\"cont\",\"object-add obj1\",\"blockdev-add node1\","
				    "\"netdev_add host1\",\"device_add net1\"]");
	fixture_wait(fixture, has_bus, domain);
	device = g_hash_table_lookup(domain_get_devices(domain), "net1");
	g_assert_cmpstr(device->id, ==, "net1");
	g_assert_cmpstr(device->driver, ==, "virtio-net-pci");
	g_assert_cmpstr(device->qom_path, ==, PATH);
}

static void test_id_made(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) first = { 0 }, second = { 0 };

	attach(domain, "{\"driver\":\"x\",\"n\":[1,{\"a\":null}]}", NULL, NULL, NULL, &first);
	answer_wait_ok(fixture, &first);
	g_assert_cmpstr(first.result, ==, "device0");
	attach(domain, "{\"driver\":\"y\"}", NULL, NULL, NULL, &second);
	answer_wait_ok(fixture, &second);
	g_assert_cmpstr(second.result, ==, "device1");
	fixture_expect(fixture, domain, "DeviceAdded device0 x /machine/peripheral/device0",
		       "DeviceAdded device1 y /machine/peripheral/device1", NULL);
}

/* What the definition has is there from the start, and is not told as added. */
static void test_from_start(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"devices\":[" DEVICE "]");

	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 1);
	fixture_wait(fixture, has_bus, domain);
	detach(fixture, domain, "net1");
	fixture_expect(fixture, domain, "DeviceRemoved net1 " PATH, NULL);
}

static void test_by_command(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) refused = { 0 };

	g_free(fixture_execute(fixture, domain, "device_add", DEVICE));
	fixture_expect(fixture, domain, "DeviceAdded net1 virtio-net-pci " PATH, NULL);
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"net1\"}"));
	fixture_expect(fixture, domain, "DeviceRemoved net1 " PATH, NULL);

	fixture_set(fixture, domain, "fail:device_add", "no bus");
	domain_execute(domain, "device_add", fixture_json(DEVICE), 1000, on_answer, &refused);
	answer_wait_error(fixture, &refused, CORE_ERROR_QEMU_ERROR, "GenericError: no bus");
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);
}

static void test_bad_arguments(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *device, *object, *blockdev, *netdev;
		CoreError code;
		const char *text;
	} rows[] = {
		{ "{}", NULL, NULL, NULL, CORE_ERROR_INVALID_ARGUMENT, "driver" },
		{ "[]", NULL, NULL, NULL, CORE_ERROR_INVALID_ARGUMENT, "driver" },
		{ "7", NULL, NULL, NULL, CORE_ERROR_INVALID_ARGUMENT, "driver" },
		{ "{\"driver\":7}", NULL, NULL, NULL, CORE_ERROR_INVALID_ARGUMENT, "driver" },
		{ DEVICE, "{}", NULL, NULL, CORE_ERROR_INVALID_ARGUMENT, "object" },
		{ DEVICE, OBJECT, "{\"id\":\"x\"}", NULL, CORE_ERROR_INVALID_ARGUMENT, "node-name" },
		{ DEVICE, OBJECT, BLOCKDEV, "[1]", CORE_ERROR_INVALID_ARGUMENT, "netdev" },
		{ "{\"driver\":\"x\",\"id\":\"here\"}", NULL, NULL, NULL, CORE_ERROR_DEVICE_EXISTS,
		  "'here'" },
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL,
					    "\"devices\":[{\"driver\":\"x\",\"id\":\"here\"}]");

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(Answer) answer = { 0 };

		attach(domain, rows[i].device, rows[i].object, rows[i].blockdev, rows[i].netdev,
		       &answer);
		answer_wait_error(fixture, &answer, rows[i].code, rows[i].text);
	}
	/* QEMU was not troubled with it. */
	assert_log(fixture, domain, "[\"cont\"]");
}

/* A transaction: whatever step fails, what was put in goes out in reverse. */
static void test_rollback(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *command, *log;
	} rows[] = {
		{ "object-add", "[\"cont\",\"object-add obj1\"]" },
		{ "blockdev-add", "[\"cont\",\"object-add obj1\",\"blockdev-add node1\","
				  "\"object-del obj1\"]" },
		{ "netdev_add", "[\"cont\",\"object-add obj1\",\"blockdev-add node1\","
				"\"netdev_add host1\",\"blockdev-del node1\",\"object-del obj1\"]" },
		{ "device_add", "[\"cont\",\"object-add obj1\",\"blockdev-add node1\","
				"\"netdev_add host1\",\"device_add net1\",\"netdev_del host1\","
				"\"blockdev-del node1\",\"object-del obj1\"]" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *settings = g_strdup_printf("fail:%s=step %u", rows[i].command, i);
		g_autofree char *text = g_strdup_printf("step %u", i);
		Domain *domain = fixture_run_domain(fixture, name, settings, NULL);
		g_auto(Answer) answer = { 0 };

		attach(domain, DEVICE, OBJECT, BLOCKDEV, NETDEV, &answer);
		answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, text);
		assert_log(fixture, domain, rows[i].log);
		g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);
		fixture_expect(fixture, domain, NULL);
	}
}

/* One that cannot be taken back does not keep the others from it, and the first error is told. */
static void test_rollback_fails(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:device_add=first;"
							  "fail:netdev_del=second", NULL);
	g_auto(Answer) answer = { 0 };

	attach(domain, DEVICE, OBJECT, NULL, NETDEV, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "first");
	assert_log(fixture, domain, "[\"cont\",\"object-add obj1\",\"netdev_add host1\","
				    "\"device_add net1\",\"netdev_del host1\",\"object-del obj1\"]");
}

/* QEMU ends in the middle: answered once, nothing is left. */
static void test_end_while_attaching(DomainFixture *fixture, const void *data)
{
	static const char *const steps[] = { "object-add", "netdev_add", "device_add" };

	for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *settings = g_strdup_printf("hang=%s", steps[i]);
		Domain *domain = fixture_run_domain(fixture, name, settings, NULL);
		g_auto(Answer) answer = { 0 };

		attach(domain, DEVICE, OBJECT, NULL, NETDEV, &answer);
		fixture_destroy(fixture, domain);
		answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "");
		fixture_expect(fixture, domain, "shutdown host shutting-down",
			       "stopped destroyed shut-off", NULL);
	}
}

/* ---- detach ---- */

/* The backends go first: who hears DeviceRemoved can use their names again. */
static void test_detach(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	attach_all(fixture, domain);
	fixture->changed = 0;
	detach(fixture, domain, "net1");
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_DEVICES);
	fixture_expect(fixture, domain, "DeviceRemoved net1 " PATH, NULL);
	assert_detail(fixture_last(fixture), "children", "['" PATH "/virtio-backend']");
	assert_log(fixture, domain, "[\"cont\",\"object-add obj1\",\"blockdev-add node1\","
				    "\"netdev_add host1\",\"device_add net1\",\"device_del net1\","
				    "\"netdev_del host1\",\"blockdev-del node1\",\"object-del obj1\"]");
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);
	attach_all(fixture, domain);
}

static void test_detach_before_reply(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "device-del=before", NULL);

	attach_all(fixture, domain);
	detach(fixture, domain, "net1");
	fixture_expect(fixture, domain, "DeviceRemoved net1 " PATH, NULL);
	g_assert_cmpuint(domain_get_pending(domain), ==, 0);
}

static void test_detach_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:device_del=busy", NULL);
	g_auto(Answer) unknown = { 0 }, refused = { 0 };

	domain_detach_device(domain, "net1", 1000, on_answer, &unknown);
	answer_wait_error(fixture, &unknown, CORE_ERROR_NO_SUCH_DEVICE, "'net1'");
	attach_all(fixture, domain);
	domain_detach_device(domain, "net1", 1000, on_answer, &refused);
	answer_wait_error(fixture, &refused, CORE_ERROR_REMOVAL_REFUSED, "busy");
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 1);
	fixture_expect(fixture, domain, NULL);
}

/* The guest takes its time: told when ours is over, and once more when it has let go. */
static void test_detach_timeout(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "device-del=never", NULL);
	g_auto(Answer) late = { 0 }, twice = { 0 };

	attach_all(fixture, domain);
	domain_detach_device(domain, "net1", 50, on_answer, &late);
	domain_detach_device(domain, "net1", 50, on_answer, &twice);
	answer_wait_error(fixture, &twice, CORE_ERROR_WRONG_STATE, "'net1'");
	answer_wait_error(fixture, &late, CORE_ERROR_TIMEOUT, "'net1'");
	fixture_expect(fixture, domain, "DeviceRemovalFailed net1 timeout " PATH, NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 1);

	fixture_set(fixture, domain, "device-del", "after");
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"net1\"}"));
	fixture_expect(fixture, domain, "DeviceRemoved net1 " PATH, NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);
}

static void test_end_while_detaching(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "device-del=never", NULL);
	g_auto(Answer) answer = { 0 };

	attach_all(fixture, domain);
	domain_detach_device(domain, "net1", 20000, on_answer, &answer);
	fixture_destroy(fixture, domain);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "");
	fixture_forget(fixture);
}

/* ---- DEVICE_DELETED ---- */

static void test_children(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"devices\":[" DEVICE "]");

	/* Of ours, and then one whose name only begins like ours. */
	fixture_emit(fixture, domain,
		     "{\"event\":\"DEVICE_DELETED\",\"data\":{\"path\":\"" PATH "/a\"}},"
		     "{\"event\":\"DEVICE_DELETED\",\"data\":{\"path\":\"" PATH "/a/b\"}},"
		     "{\"event\":\"DEVICE_DELETED\",\"data\":{\"path\":\"" PATH "0\"}},"
		     "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"net1\",\"path\":\"" PATH "\"}}");
	fixture_expect(fixture, domain, "DeviceRemoved  " PATH "0", "DeviceRemoved net1 " PATH, NULL);
	assert_detail(fixture_last(fixture), "children", "['" PATH "/a', '" PATH "/a/b']");
}

/* More children than are kept: told one by one, none lost. */
static void test_many_children(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"devices\":[" DEVICE "]");
	g_autoptr(GString) events = g_string_new(NULL);
	g_autoptr(GVariant) children = NULL;

	for (unsigned i = 0; i < 66; i++)
		g_string_append_printf(events, "{\"event\":\"DEVICE_DELETED\",\"data\":{\"path\":\"" PATH
				       "/c%u\"}},", i);
	g_string_append(events, "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"net1\","
				"\"path\":\"" PATH "\"}}");
	fixture_emit(fixture, domain, events->str);
	fixture_expect(fixture, domain, "DeviceRemoved  " PATH "/c64", "DeviceRemoved  " PATH "/c65",
		       "DeviceRemoved net1 " PATH, NULL);
	children = g_variant_lookup_value(fixture_last(fixture)->details, "children",
					  G_VARIANT_TYPE_STRING_ARRAY);
	g_assert_cmpuint(g_variant_n_children(children), ==, 64);
}

/* QEMU frees an id before it tells that the device has gone. What takes the id meanwhile is another, which keeps
 * its place and its backends, and goes in its own time. */
static void test_late(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	attach_all(fixture, domain);
	g_free(fixture_execute(fixture, domain, "x-lines",
			       "{\"lines\":["
			       "\"{\\\"event\\\":\\\"DEVICE_DELETED\\\",\\\"data\\\":"
			       "{\\\"path\\\":\\\"" PATH "/old\\\"}}\","
			       "\"{\\\"event\\\":\\\"DEVICE_DELETED\\\",\\\"data\\\":"
			       "{\\\"device\\\":\\\"net1\\\",\\\"path\\\":\\\"" PATH "\\\"}}\"]}"));
	fixture_run(fixture);
	assert_log(fixture, domain, "[\"cont\",\"object-add obj1\",\"blockdev-add node1\","
				    "\"netdev_add host1\",\"device_add net1\"]");
	fixture_expect(fixture, domain, NULL);
	g_assert_true(g_hash_table_contains(domain_get_devices(domain), "net1"));

	detach(fixture, domain, "net1");
	fixture_expect(fixture, domain, "DeviceRemoved net1 " PATH, NULL);
	assert_detail(fixture_last(fixture), "children", "['" PATH "/virtio-backend']");
	assert_log(fixture, domain, "[\"cont\",\"object-add obj1\",\"blockdev-add node1\","
				    "\"netdev_add host1\",\"device_add net1\",\"device_del net1\","
				    "\"netdev_del host1\",\"blockdev-del node1\",\"object-del obj1\"]");
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);
}

static bool is_old_gone(void *userdata)
{
	DomainFixture *fixture = userdata;
	g_autofree char *log = fixture_execute(fixture, driver_find_domain(fixture->driver, "a"),
					       "x-log", NULL);

	return g_str_has_suffix(log, "\"netdev_del host1\"]");
}

/* The same, where another service finds that the older one is no longer listed, and its backend is still in use:
 * it is not forgotten for that of the new one. */
static void test_late_backends(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) first = { 0 }, second = { 0 };
	g_autofree char *log = NULL;

	attach(domain, DEVICE, NULL, NULL, NETDEV, &first);
	answer_wait_ok(fixture, &first);
	fixture_set(fixture, domain, "fail:netdev_del", "in use");
	g_free(fixture_execute(fixture, domain, "x-forget", "{\"device\":\"net1\"}"));
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	g_assert_false(g_hash_table_contains(domain_get_devices(domain), "net1"));

	attach(domain, DEVICE, NULL, NULL, "{\"type\":\"user\",\"id\":\"host2\"}", &second);
	answer_wait_ok(fixture, &second);
	fixture_set(fixture, domain, "fail:netdev_del", "");
	g_free(fixture_execute(fixture, domain, "x-lines",
			       "{\"lines\":[\"{\\\"event\\\":\\\"DEVICE_DELETED\\\",\\\"data\\\":"
			       "{\\\"device\\\":\\\"net1\\\",\\\"path\\\":\\\"" PATH "\\\"}}\"]}"));
	fixture_wait(fixture, is_old_gone, fixture);
	detach(fixture, domain, "net1");
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_true(g_str_has_suffix(log, "\"netdev_del host1\",\"device_del net1\","
					    "\"netdev_del host2\"]"));
	fixture_expect(fixture, domain, "DeviceAdded net1 virtio-net-pci " PATH,
		       "DeviceRemoved net1 " PATH, NULL);
}

/* The backend's removal is not answered: later events of this domain wait for it, as long as the step may
 * take; those of another do not. */
static void test_prepare_deadline(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=netdev_del", NULL);
	Domain *other = fixture_run_domain(fixture, "b", NULL, NULL);
	g_auto(Answer) stop = { 0 };
	gint64 begin = g_get_monotonic_time();

	attach_all(fixture, domain);
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"net1\"}"));
	domain_command(domain, DOMAIN_OPERATION_SUSPEND, on_answer, &stop);
	for (unsigned i = 0; i < 10; i++) {
		fixture_emit(fixture, other, "\"STOP\",\"RESUME\"");
		fixture_expect(fixture, other, "suspended paused paused", "resumed unpaused running",
			       NULL);
	}
	g_assert_cmpint(g_get_monotonic_time() - begin, <, 5 * G_TIME_SPAN_SECOND);
	g_assert_false(stop.done);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 0);

	fixture_expect(fixture, domain, "DeviceRemoved net1 " PATH, "suspended paused paused", NULL);
	g_assert_cmpint(g_get_monotonic_time() - begin, >=, 5 * G_TIME_SPAN_SECOND);
	answer_wait_ok(fixture, &stop);
}

#define ADD(name, function) FIXTURE_ADD("/domain/devices/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("attach", test_attach);
	ADD("id-made", test_id_made);
	ADD("from-start", test_from_start);
	ADD("by-command", test_by_command);
	ADD("bad-arguments", test_bad_arguments);
	ADD("rollback", test_rollback);
	ADD("rollback-fails", test_rollback_fails);
	ADD("end-while-attaching", test_end_while_attaching);
	ADD("detach", test_detach);
	ADD("detach-before-reply", test_detach_before_reply);
	ADD("detach-refused", test_detach_refused);
	ADD("detach-timeout", test_detach_timeout);
	ADD("end-while-detaching", test_end_while_detaching);
	ADD("children", test_children);
	ADD("many-children", test_many_children);
	ADD("late", test_late);
	ADD("late-backends", test_late_backends);
	ADD("prepare-deadline", test_prepare_deadline);
	return g_test_run();
}
