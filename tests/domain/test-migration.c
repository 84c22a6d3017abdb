/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

/* What QEMU has one value of: the status of a migration, the balloon, sizes of memory devices. */

#define MIGRATION(status) "{\"event\":\"MIGRATION\",\"data\":{\"status\":\"" status "\"}}"
#define BALLOON(actual)   "{\"event\":\"BALLOON_CHANGE\",\"data\":{\"actual\":" actual "}}"
#define SIZE(id, size, path) \
	"{\"event\":\"MEMORY_DEVICE_SIZE_CHANGE\",\"data\":{" id "\"size\":" size ",\"qom-path\":\"" path "\"}}"
#define VMEM        "/machine/peripheral/vmem0"
#define MEMORY_LIST(vmem, dimm) \
	"[{\"type\":\"virtio-mem\",\"data\":{\"id\":\"vmem0\",\"size\":" vmem ",\"requested-size\":9}}," \
	"{\"type\":\"dimm\",\"data\":{\"id\":\"dimm1\",\"size\":" dimm "}},{\"type\":\"dimm\",\"data\":" \
	"{\"size\":5}}]"
#define MEMORY_DEVICES \
	"\"devices\":[{\"driver\":\"virtio-mem-pci\",\"id\":\"vmem0\"},{\"driver\":\"pc-dimm\",\"id\":\"dimm1\"}," \
	"{\"driver\":\"x\",\"id\":\"other\"}]"
#define BALLOON_DEVICE "\"devices\":[{\"driver\":\"virtio-balloon-pci\",\"id\":\"bal0\"}]"

static Domain *reopen(DomainFixture *fixture)
{
	Domain *domain;

	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	return domain;
}

/* Each answer in turn, as another service finds it: no crash, and what check() says holds. */
static void check_malformed(DomainFixture *fixture, const char *command, const char *const *answers,
			    const char *settings, const char *devices, void (*check)(Domain *domain))
{
	g_autofree char *key = g_strconcat("reply:", command, NULL);
	Domain *domain = fixture_run_domain(fixture, "a", settings, devices);

	for (unsigned i = 0; answers[i]; i++) {
		g_test_message("%s", answers[i]);
		fixture_set(fixture, domain, key, answers[i]);
		domain = reopen(fixture);
		check(domain);
	}
}

/* ---- migration ---- */

static void test_migration(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	g_assert_cmpstr(domain_get_migration_status(domain), ==, "none");
	fixture->changed = 0;
	fixture_emit(fixture, domain, MIGRATION("setup") ",{\"event\":\"MIGRATION_PASS\",\"data\":"
				      "{\"pass\":1}}," MIGRATION("active") "," MIGRATION("completed"));
	fixture_expect(fixture, domain, "MigrationChanged setup none", "MigrationPass outgoing 1",
		       "MigrationChanged active setup", "MigrationChanged completed active", NULL);
	g_assert_cmpstr(domain_get_migration_status(domain), ==, "completed");
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_MIGRATION);

	/* One that is not known yet is one all the same. */
	fixture_emit(fixture, domain, MIGRATION("later"));
	fixture_expect(fixture, domain, "MigrationChanged later completed", NULL);
	g_assert_cmpstr(domain_get_migration_status(domain), ==, "later");
	fixture_destroy(fixture, domain);
	g_assert_cmpstr(domain_get_migration_status(domain), ==, "none");
	fixture_forget(fixture);
}

static void test_migration_resync(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	const Record *record;

	fixture_set(fixture, domain, "reply:query-migrate", "{\"status\":\"failed\",\"ram\":{}}");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpuint(fixture->records->len, ==, 3);
	record = g_ptr_array_index(fixture->records, 1);
	assert_detail(record->event, "reason", "'resync'");
	fixture_expect(fixture, domain, "Lost closed", "MigrationChanged failed none (resync)",
		       "Resynchronized monitor-lost", NULL);

	domain = reopen(fixture);
	g_assert_cmpstr(domain_get_migration_status(domain), ==, "failed");
	fixture_set(fixture, domain, "reply:query-migrate", "{}");
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "MigrationChanged none failed (resync)",
		       "Resynchronized monitor-lost", NULL);
}

static bool is_loaded(void *userdata)
{
	Domain *domain = userdata;

	return domain_get_balloon(domain) == 70 &&
	       g_strcmp0(g_hash_table_lookup(domain_get_trays(domain), "cd0"), "open") == 0;
}

/* What comes with a guest that was loaded is told by no event. */
static void test_migration_loaded(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-balloon={\"actual\":100};"
					    "reply:query-block=[{\"qdev\":\"cd0\",\"tray_open\":false}]",
					    BALLOON_DEVICE);

	fixture_set(fixture, domain, "reply:query-balloon", "{\"actual\":70}");
	fixture_set(fixture, domain, "reply:query-block",
		    "[{\"qdev\":\"cd0\",\"tray_open\":true}]");
	fixture_emit(fixture, domain, MIGRATION("completed"));
	fixture_wait(fixture, is_loaded, domain);
	fixture_forget(fixture);
}

static void check_none(Domain *domain)
{
	g_assert_cmpstr(domain_get_migration_status(domain), ==, "none");
}

static void test_migration_malformed(DomainFixture *fixture, const void *data)
{
	static const char *const answers[] = { "[]", "7", "null", "{\"status\":7}", "{\"status\":null}",
					       NULL };

	check_malformed(fixture, "query-migrate", answers, NULL, NULL, check_none);
}

/* ---- balloon ---- */

static void test_balloon(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-balloon={\"actual\":100}",
					    BALLOON_DEVICE);

	g_assert_cmpuint(domain_get_balloon(domain), ==, 100);
	fixture->changed = 0;
	fixture_emit(fixture, domain, BALLOON("80"));
	fixture_expect(fixture, domain, "BalloonChanged bal0 80", NULL);
	assert_detail(fixture_last(fixture), "reason", "");
	g_assert_cmpuint(domain_get_balloon(domain), ==, 80);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_BALLOON);
	fixture_destroy(fixture, domain);
	g_assert_cmpuint(domain_get_balloon(domain), ==, 0);
	fixture_forget(fixture);
}

static bool has_balloon(void *userdata)
{
	return domain_get_balloon(userdata) == 100;
}

static bool has_no_balloon(void *userdata)
{
	return domain_get_balloon(userdata) == 0;
}

/* The device decides whether there is one, and which it is. */
static void test_balloon_device(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	g_assert_cmpuint(domain_get_balloon(domain), ==, 0);
	fixture_emit(fixture, domain, BALLOON("0"));
	fixture_expect(fixture, domain, "BalloonChanged  0", NULL);
	fixture_set(fixture, domain, "reply:query-balloon", "{\"actual\":100}");
	g_free(fixture_execute(fixture, domain, "device_add",
			       "{\"driver\":\"virtio-balloon-pci-non-transitional\",\"id\":\"b\"}"));
	fixture_wait(fixture, has_balloon, domain);
	fixture_set(fixture, domain, "reply:query-balloon", "");
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"b\"}"));
	fixture_wait(fixture, has_no_balloon, domain);
	fixture_forget(fixture);

	g_free(fixture_execute(fixture, domain, "device_add",
			       "{\"driver\":\"hv-balloon\",\"id\":\"hv\"}"));
	fixture_emit(fixture, domain, "{\"event\":\"HV_BALLOON_STATUS_REPORT\",\"data\":"
				      "{\"committed\":5,\"available\":6}}," BALLOON("7"));
	fixture_expect(fixture, domain, "DeviceAdded hv hv-balloon /machine/peripheral/hv",
		       "BalloonReport hv 5 6", "BalloonChanged hv 7", NULL);
}

/* QEMU tells of it at most once a second, so the last of it may come when the device has gone. */
static void test_balloon_late(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-balloon={\"actual\":100}",
					    BALLOON_DEVICE);

	fixture_set(fixture, domain, "reply:query-balloon", "");
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"bal0\"}"));
	fixture_wait(fixture, has_no_balloon, domain);
	fixture_forget(fixture);
	fixture_emit(fixture, domain, BALLOON("80"));
	fixture_expect(fixture, domain, "BalloonChanged  80", NULL);
	fixture_emit(fixture, domain, "\"X_TEST\"");
	fixture_forget(fixture);
	g_assert_cmpuint(domain_get_balloon(domain), ==, 0);
}

/* One without an id is not in the list of devices, and has its size all the same. */
static void test_balloon_without_id(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-balloon={\"actual\":90}", NULL);

	fixture_emit(fixture, domain, BALLOON("100"));
	fixture_expect(fixture, domain, "BalloonChanged  100", NULL);
	g_assert_cmpuint(domain_get_balloon(domain), ==, 100);
}

static void test_balloon_resync(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-balloon={\"actual\":100}",
					    BALLOON_DEVICE);
	const Record *record;

	fixture_set(fixture, domain, "reply:query-balloon", "{\"actual\":90}");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpuint(fixture->records->len, ==, 3);
	record = g_ptr_array_index(fixture->records, 1);
	assert_detail(record->event, "reason", "'resync'");
	fixture_expect(fixture, domain, "Lost closed", "BalloonChanged bal0 90 (resync)",
		       "Resynchronized monitor-lost", NULL);
	domain = reopen(fixture);
	g_assert_cmpuint(domain_get_balloon(domain), ==, 90);
}

static void check_no_balloon(Domain *domain)
{
	g_assert_cmpuint(domain_get_balloon(domain), ==, 0);
}

static void test_balloon_malformed(DomainFixture *fixture, const void *data)
{
	static const char *const answers[] = { "[]", "7", "null", "{}", "{\"actual\":\"7\"}",
					       "{\"actual\":-1}", "{\"actual\":1.5}", NULL };

	check_malformed(fixture, "query-balloon", answers, NULL, BALLOON_DEVICE, check_no_balloon);
}

static void test_set_balloon(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:balloon={}", BALLOON_DEVICE);
	g_auto(Answer) done = { 0 }, refused = { 0 }, huge = { 0 }, off = { 0 };

	domain_set_balloon(domain, 8 << 20, on_answer, &done);
	answer_wait_ok(fixture, &done);
	g_assert_null(done.result);
	domain_set_balloon(domain, G_MAXUINT64, on_answer, &huge);
	answer_wait_error(fixture, &huge, CORE_ERROR_INVALID_ARGUMENT, "bytes");
	fixture_set(fixture, domain, "fail:balloon", "no such balloon");
	domain_set_balloon(domain, 8 << 20, on_answer, &refused);
	answer_wait_error(fixture, &refused, CORE_ERROR_QEMU_ERROR, "GenericError: no such balloon");
	fixture_destroy(fixture, domain);
	domain_set_balloon(domain, 8 << 20, on_answer, &off);
	answer_wait_error(fixture, &off, CORE_ERROR_WRONG_STATE, "set-balloon");
	fixture_forget(fixture);
}

/* ---- memory devices ---- */

static const DomainDevice *get_device(Domain *domain, const char *id)
{
	return g_hash_table_lookup(domain_get_devices(domain), id);
}

static void test_memory(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-memory-devices="
					    MEMORY_LIST("0", "128"), MEMORY_DEVICES);

	g_assert_true(get_device(domain, "vmem0")->is_memory);
	g_assert_cmpuint(get_device(domain, "vmem0")->size, ==, 0);
	g_assert_cmpuint(get_device(domain, "dimm1")->size, ==, 128);
	g_assert_false(get_device(domain, "other")->is_memory);
	fixture->changed = 0;
	fixture_emit(fixture, domain, SIZE("\"id\":\"vmem0\",", "64", VMEM));
	fixture_expect(fixture, domain, "MemoryDeviceSizeChanged vmem0 64 " VMEM, NULL);
	g_assert_cmpuint(get_device(domain, "vmem0")->size, ==, 64);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_DEVICES);

	/* The id is in the path, if it has one. */
	fixture_emit(fixture, domain, SIZE("", "32", VMEM) "," SIZE("", "1", VMEM "/x") ","
				      SIZE("", "2", "/machine/peripheral-anon/device[1]"));
	fixture_expect(fixture, domain, "MemoryDeviceSizeChanged vmem0 32 " VMEM,
		       "MemoryDeviceSizeChanged  1 " VMEM "/x",
		       "MemoryDeviceSizeChanged  2 /machine/peripheral-anon/device[1]", NULL);
	g_assert_cmpuint(get_device(domain, "vmem0")->size, ==, 32);
}

static bool has_dimm(void *userdata)
{
	const DomainDevice *device = get_device(userdata, "dimm1");

	return device && device->is_memory && device->size == 128;
}

static void test_memory_added(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-memory-devices="
					    MEMORY_LIST("0", "128"), NULL);

	g_free(fixture_execute(fixture, domain, "device_add",
			       "{\"driver\":\"pc-dimm\",\"id\":\"dimm1\"}"));
	fixture_wait(fixture, has_dimm, domain);
	fixture_expect(fixture, domain, "DeviceAdded dimm1 pc-dimm /machine/peripheral/dimm1", NULL);
}

static void test_memory_resync(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-memory-devices="
					    MEMORY_LIST("0", "128"), MEMORY_DEVICES);
	const Record *record;

	fixture_set(fixture, domain, "reply:query-memory-devices", MEMORY_LIST("64", "128"));
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpuint(fixture->records->len, ==, 3);
	record = g_ptr_array_index(fixture->records, 1);
	assert_detail(record->event, "reason", "'resync'");
	fixture_expect(fixture, domain, "Lost closed", "MemoryDeviceSizeChanged vmem0 64 " VMEM " (resync)",
		       "Resynchronized monitor-lost", NULL);
}

static void check_unknown_size(Domain *domain)
{
	g_assert_false(get_device(domain, "vmem0")->is_memory);
	g_assert_false(get_device(domain, "dimm1")->is_memory);
}

static void test_memory_malformed(DomainFixture *fixture, const void *data)
{
	static const char *const answers[] = {
		"{}", "7", "null", "[]", "[7,[],null,{}]", "[{\"data\":7}]",
		"[{\"data\":{\"id\":7,\"size\":5}}]", "[{\"data\":{\"id\":\"dimm1\"}}]",
		"[{\"data\":{\"id\":\"dimm1\",\"size\":\"5\"}},{\"data\":{\"id\":\"vmem0\",\"size\":-5}}]",
		NULL,
	};

	check_malformed(fixture, "query-memory-devices", answers, NULL, MEMORY_DEVICES,
			check_unknown_size);
}

#define ADD(name, function) FIXTURE_ADD("/domain/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("migration/events", test_migration);
	ADD("migration/resync", test_migration_resync);
	ADD("migration/loaded", test_migration_loaded);
	ADD("migration/malformed", test_migration_malformed);
	ADD("balloon/events", test_balloon);
	ADD("balloon/device", test_balloon_device);
	ADD("balloon/resync", test_balloon_resync);
	ADD("balloon/late", test_balloon_late);
	ADD("balloon/without-id", test_balloon_without_id);
	ADD("balloon/malformed", test_balloon_malformed);
	ADD("balloon/set", test_set_balloon);
	ADD("memory/events", test_memory);
	ADD("memory/added", test_memory_added);
	ADD("memory/resync", test_memory_resync);
	ADD("memory/malformed", test_memory_malformed);
	return g_test_run();
}
