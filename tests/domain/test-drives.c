/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain-fixture.h"

/* Drives: trays, their status, write thresholds. */

#define DISK(status)                                                                               \
	"{\"device\":\"\",\"qdev\":\"/machine/peripheral/vd0/virtio-backend\",\"io-status\":\"" status   \
	"\",\"inserted\":{\"node-name\":\"n0\"}}"
#define CD(tray, node)                                                                             \
	"{\"device\":\"\",\"qdev\":\"cd0\",\"io-status\":\"ok\",\"tray_open\":" tray                     \
	",\"inserted\":{\"node-name\":\"" node "\"}}"
#define OLD_CD                                                                                     \
	"{\"device\":\"ide1\",\"qdev\":\"/machine/unattached/device[9]\",\"tray_open\":false}"
#define MOVED(id, open)                                                                            \
	"{\"event\":\"DEVICE_TRAY_MOVED\",\"data\":{\"device\":\"\",\"id\":\"" id "\",\"tray-open\":" open "}}"
#define FAILED(members, action)                                                                    \
	"{\"event\":\"BLOCK_IO_ERROR\",\"data\":{" members ",\"operation\":\"read\",\"action\":\"" action  \
	"\",\"nospace\":false,\"reason\":\"Input/output error\"}}"

static void set_drives(DomainFixture *fixture, Domain *domain, const char *drives)
{
	fixture_set(fixture, domain, "reply:query-block", drives);
}

static void set_nodes(DomainFixture *fixture, Domain *domain, const char *nodes)
{
	fixture_set(fixture, domain, "reply:query-named-block-nodes", nodes);
}

static Domain *run_with_drives(DomainFixture *fixture)
{
	return fixture_run_domain(fixture, "a", "reply:query-block=[" DISK("ok") "," CD("false", "n1") ","
				  OLD_CD "]", "\"devices\":[{\"driver\":\"x\",\"id\":\"vd0\"},"
					      "{\"driver\":\"x\",\"id\":\"cd0\"}]");
}

static const char *get_tray(Domain *domain, const char *id)
{
	return g_hash_table_lookup(domain_get_trays(domain), id);
}

static const char *get_status(Domain *domain, const char *id)
{
	return g_hash_table_lookup(domain_get_io_status(domain), id);
}

static uint64_t get_threshold(Domain *domain, const char *node)
{
	const uint64_t *bytes = g_hash_table_lookup(domain_get_write_thresholds(domain), node);

	return bytes ? *bytes : 0;
}

/* ---- trays ---- */

static void test_trays(DomainFixture *fixture, const void *data)
{
	Domain *domain = run_with_drives(fixture);

	g_assert_cmpuint(g_hash_table_size(domain_get_trays(domain)), ==, 2);
	g_assert_cmpstr(get_tray(domain, "cd0"), ==, "closed");
	g_assert_cmpstr(get_tray(domain, "ide1"), ==, "closed");
	fixture->changed = 0;
	fixture_emit(fixture, domain, MOVED("cd0", "true"));
	fixture_expect(fixture, domain, "TrayChanged cd0 open ", NULL);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_TRAYS);
	g_assert_cmpstr(get_tray(domain, "cd0"), ==, "open");
	fixture_emit(fixture, domain,
		     "{\"event\":\"DEVICE_TRAY_MOVED\",\"data\":{\"device\":\"ide1\","
		     "\"id\":\"/machine/unattached/device[9]\",\"tray-open\":true}}");
	fixture_expect(fixture, domain, "TrayChanged ide1 open ide1", NULL);
	assert_detail(fixture_last(fixture), "qom-path", "'/machine/unattached/device[9]'");
	g_assert_cmpstr(get_tray(domain, "ide1"), ==, "open");
	g_assert_cmpuint(g_hash_table_size(domain_get_trays(domain)), ==, 2);
}

static bool is_closed(void *userdata)
{
	return g_strcmp0(get_tray(userdata, "cd0"), "closed") == 0;
}

/* What does not say how the tray is makes no state: QEMU is asked. */
static void test_tray_irregular(DomainFixture *fixture, const void *data)
{
	Domain *domain = run_with_drives(fixture);

	fixture_emit(fixture, domain, MOVED("cd0", "true"));
	fixture_expect(fixture, domain, "TrayChanged cd0 open ", NULL);
	fixture_emit(fixture, domain, "\"DEVICE_TRAY_MOVED\",{\"event\":\"DEVICE_TRAY_MOVED\",\"data\":"
				      "{\"device\":\"\",\"id\":\"cd0\",\"tray-open\":\"x\"}}");
	fixture_wait(fixture, is_closed, domain);
	fixture_expect(fixture, domain, "TrayChanged   ", "TrayChanged cd0  ", NULL);
	g_assert_cmpuint(domain_get_irregular_events(domain), ==, 2);
	g_assert_cmpuint(g_hash_table_size(domain_get_trays(domain)), ==, 2);
}

static void test_device_removed(DomainFixture *fixture, const void *data)
{
	Domain *domain = run_with_drives(fixture);

	fixture->changed = 0;
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"cd0\"}"));
	fixture_expect(fixture, domain, "DeviceRemoved cd0 /machine/peripheral/cd0", NULL);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_TRAYS);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_IO_STATUS);
	g_assert_null(get_tray(domain, "cd0"));
	g_assert_null(get_status(domain, "cd0"));
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "ok");
}

static bool has_second(void *userdata)
{
	return get_tray(userdata, "cd1") != NULL;
}

static void test_device_added(DomainFixture *fixture, const void *data)
{
	Domain *domain = run_with_drives(fixture);

	set_drives(fixture, domain, "[{\"device\":\"\",\"qdev\":\"cd1\",\"tray_open\":true}]");
	g_free(fixture_execute(fixture, domain, "device_add", "{\"driver\":\"x\",\"id\":\"cd1\"}"));
	fixture_wait(fixture, has_second, domain);
	g_assert_cmpstr(get_tray(domain, "cd1"), ==, "open");
	fixture_expect(fixture, domain, "DeviceAdded cd1 x /machine/peripheral/cd1", NULL);
}

/* ---- errors ---- */

static void test_io_error(DomainFixture *fixture, const void *data)
{
	Domain *domain = run_with_drives(fixture);

	g_assert_cmpstr(get_status(domain, "vd0"), ==, "ok");
	g_assert_cmpstr(get_status(domain, "cd0"), ==, "ok");
	/* Does not stop the guest. */
	fixture_emit(fixture, domain, FAILED("\"device\":\"\",\"node-name\":\"n0\"", "report"));
	fixture_expect(fixture, domain, "IOError vd0 read report 0", NULL);
	assert_detail(fixture_last(fixture), "node", "'n0'");
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "ok");

	fixture->changed = 0;
	fixture_emit(fixture, domain, FAILED("\"device\":\"\",\"node-name\":\"n0\"", "stop") ",\"STOP\"");
	fixture_expect(fixture, domain, "IOError vd0 read stop 0", "suspended ioerror paused", NULL);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_IOERROR);
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "failed");
	g_assert_cmpstr(get_status(domain, "cd0"), ==, "ok");
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_IO_STATUS);

	/* QEMU does not set it anew once it is set, and does not clear it: the events do. */
	set_drives(fixture, domain, "[" DISK("failed") "," CD("false", "n1") "," OLD_CD "]");
	fixture_emit(fixture, domain, "\"RESUME\"");
	fixture_expect(fixture, domain, "resumed unpaused running", NULL);
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "ok");
	g_free(fixture_execute(fixture, domain, "device_add", "{\"driver\":\"x\",\"id\":\"d\"}"));
	fixture_expect(fixture, domain, "DeviceAdded d x /machine/peripheral/d", NULL);
	/* Its reply comes behind that of the query. */
	fixture_emit(fixture, domain, "");
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "ok");
	/* By the name of its back end, and by the node. */
	fixture_emit(fixture, domain,
		     "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"device\":\"drive0\",\"node-name\":"
		     "\"n0\",\"operation\":\"write\",\"action\":\"stop\",\"nospace\":true,"
		     "\"reason\":\"No space\"}}");
	fixture_expect(fixture, domain, "IOError drive0 write stop 1", NULL);
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "nospace");
}

/* However QEMU names the drive. */
static void test_names(DomainFixture *fixture, const void *data)
{
	Domain *domain = run_with_drives(fixture);

	fixture_emit(fixture, domain,
		     FAILED("\"device\":\"drive7\",\"node-name\":\"n0\"", "report") ","
		     FAILED("\"device\":\"\",\"qom-path\":\"/machine/peripheral/x/y\"", "report") ","
		     FAILED("\"device\":\"\",\"qom-path\":\"/machine/unattached/z\"", "report") ","
		     FAILED("\"device\":\"\",\"node-name\":\"n1\"", "report") ","
		     FAILED("\"device\":\"\"", "report") ",\"BLOCK_IO_ERROR\"");
	fixture_expect(fixture, domain, "IOError drive7 read report 0", "IOError x read report 0",
		       "IOError /machine/unattached/z read report 0", "IOError cd0 read report 0",
		       "IOError  read report 0", "IOError    0", NULL);
	/* What those that were not found have asked for is answered: once, and once more. */
	fixture_emit(fixture, domain, "");
	fixture_emit(fixture, domain, "");
	/* A node that came in unseen is known from its second error on. */
	set_drives(fixture, domain, "[" DISK("ok") "," CD("false", "n9") "]");
	fixture_emit(fixture, domain, FAILED("\"device\":\"\",\"node-name\":\"n9\"", "report"));
	fixture_expect(fixture, domain, "IOError  read report 0", NULL);
	fixture_emit(fixture, domain, FAILED("\"device\":\"\",\"node-name\":\"n9\"", "report"));
	fixture_expect(fixture, domain, "IOError cd0 read report 0", NULL);
}

/* ---- write thresholds ---- */

static void set_threshold(DomainFixture *fixture, Domain *domain, const char *node, uint64_t bytes)
{
	g_auto(Answer) answer = { 0 };

	domain_set_write_threshold(domain, node, bytes, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

static void test_thresholds(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:query-named-block-nodes=[{\"node-name\":"
					    "\"n0\",\"write_threshold\":5},{\"node-name\":\"n1\","
					    "\"write_threshold\":0}]", NULL);
	g_auto(Answer) large = { 0 }, refused = { 0 };

	g_assert_cmpuint(get_threshold(domain, "n0"), ==, 5);
	g_assert_cmpuint(g_hash_table_size(domain_get_write_thresholds(domain)), ==, 1);
	fixture->changed = 0;
	set_threshold(fixture, domain, "n1", 4096);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_THRESHOLDS);
	g_assert_cmpuint(get_threshold(domain, "n1"), ==, 4096);
	set_threshold(fixture, domain, "n0", 0);
	g_assert_cmpuint(g_hash_table_size(domain_get_write_thresholds(domain)), ==, 1);
	/* Once. */
	fixture_emit(fixture, domain, "{\"event\":\"BLOCK_WRITE_THRESHOLD\",\"data\":{\"node-name\":\"n1\","
				      "\"write-threshold\":4096,\"amount-exceeded\":512}}");
	fixture_expect(fixture, domain, "WriteThreshold n1 4096 512", NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_write_thresholds(domain)), ==, 0);
	g_free(fixture_execute(fixture, domain, "block-set-write-threshold",
			       "{\"node-name\":\"n2\",\"write-threshold\":7}"));
	g_assert_cmpuint(get_threshold(domain, "n2"), ==, 7);

	domain_set_write_threshold(domain, "n2", (uint64_t)INT64_MAX + 1, on_answer, &large);
	answer_wait_error(fixture, &large, CORE_ERROR_INVALID_ARGUMENT, "bytes");
	fixture_set(fixture, domain, "fail:block-set-write-threshold", "no such node");
	domain_set_write_threshold(domain, "n9", 1, on_answer, &refused);
	answer_wait_error(fixture, &refused, CORE_ERROR_QEMU_ERROR, "no such node");
	g_assert_cmpuint(g_hash_table_size(domain_get_write_thresholds(domain)), ==, 1);
}

/* ---- read afresh ---- */

static void test_resync(DomainFixture *fixture, const void *data)
{
	Domain *domain = run_with_drives(fixture);

	set_threshold(fixture, domain, "n0", 4096);
	set_threshold(fixture, domain, "n1", 8192);
	set_threshold(fixture, domain, "n2", 1);
	/* n2 is gone: of that nothing is told. */
	set_nodes(fixture, domain, "[{\"node-name\":\"n0\",\"write_threshold\":0},{\"node-name\":\"n1\","
				   "\"write_threshold\":16384}]");
	set_drives(fixture, domain, "[" DISK("nospace") "," CD("true", "n1") "]");
	fixture_set(fixture, domain, "status", "io-error");
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "TrayChanged cd0 open  (resync)",
		       "WriteThreshold n0 4096 0 (resync)", "suspended ioerror paused (resync)",
		       "Resynchronized monitor-lost", NULL);
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "nospace");
	g_assert_cmpuint(g_hash_table_size(domain_get_trays(domain)), ==, 1);
	g_assert_cmpuint(g_hash_table_size(domain_get_write_thresholds(domain)), ==, 1);
	g_assert_cmpuint(get_threshold(domain, "n1"), ==, 16384);

	/* The guest runs: what QEMU still says of the drive is of long ago. */
	set_drives(fixture, domain, "[" DISK("nospace") "," CD("false", "n1") "]");
	fixture_set(fixture, domain, "status", "running");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 4);
	assert_detail(((Record *)g_ptr_array_index(fixture->records, 1))->event, "reason", "'resync'");
	fixture_expect(fixture, domain, "Lost closed", "TrayChanged cd0 closed  (resync)",
		       "resumed resync running (resync)", "Resynchronized monitor-lost", NULL);
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "ok");
}

static void test_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = run_with_drives(fixture);

	set_nodes(fixture, domain, "[{\"node-name\":\"n0\",\"write_threshold\":3}]");
	set_drives(fixture, domain, "[" DISK("failed") "," CD("true", "n1") "]");
	fixture_set(fixture, domain, "status", "io-error");
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_expect(fixture, domain, "suspended ioerror paused (resync)",
		       "Resynchronized service-restarted", NULL);
	g_assert_cmpstr(get_tray(domain, "cd0"), ==, "open");
	g_assert_cmpstr(get_status(domain, "vd0"), ==, "failed");
	g_assert_cmpuint(get_threshold(domain, "n0"), ==, 3);
	fixture->changed = 0;
	fixture_destroy(fixture, domain);
	g_assert_true((fixture->changed & DOMAIN_PROPERTY_TRAYS) &&
		      (fixture->changed & DOMAIN_PROPERTY_IO_STATUS) &&
		      (fixture->changed & DOMAIN_PROPERTY_THRESHOLDS));
	g_assert_cmpuint(g_hash_table_size(domain_get_trays(domain)), ==, 0);
}

static void test_odd(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *drives, *nodes;
		bool taken;
	} rows[] = {
		{ "{}", "{}", false },
		{ "7", "\"x\"", false },
		{ "[7,null,[],{}]", "[7,null,[],{}]", true },
		{ "[{\"device\":7,\"qdev\":[],\"tray_open\":\"x\",\"io-status\":7,\"inserted\":[]}]",
		  "[{\"node-name\":7,\"write_threshold\":1}]", true },
		{ "[{\"device\":\"d\",\"tray_open\":7,\"io-status\":{},\"inserted\":{\"node-name\":7}}]",
		  "[{\"node-name\":\"n\",\"write_threshold\":\"1\"}]", true },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = g_strdup_printf("odd%u", i);
		Domain *domain = fixture_run_domain(fixture, name, "reply:query-block=[" CD("false", "n1")
						    "];reply:query-named-block-nodes=[{\"node-name\":"
						    "\"n\",\"write_threshold\":1}]", NULL);

		set_drives(fixture, domain, rows[i].drives);
		set_nodes(fixture, domain, rows[i].nodes);
		fixture_close_monitor(fixture, domain);
		fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
		g_assert_cmpuint(g_hash_table_size(domain_get_trays(domain)), ==, rows[i].taken ? 0 : 1);
		g_assert_cmpuint(g_hash_table_size(domain_get_write_thresholds(domain)), ==,
				 rows[i].taken ? 0 : 1);
	}
}

static void test_many(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autoptr(GString) drives = g_string_new("[");
	g_autoptr(GString) nodes = g_string_new("[");
	g_auto(Answer) answer = { 0 };

	for (unsigned i = 0; i < 1030; i++) {
		g_string_append_printf(drives, "%s{\"qdev\":\"d%u\",\"tray_open\":false,\"io-status\":\"ok\","
				       "\"inserted\":{\"node-name\":\"n%u\"}}", i > 0 ? "," : "", i, i);
		g_string_append_printf(nodes, "%s{\"node-name\":\"n%u\",\"write_threshold\":1}",
				       i > 0 ? "," : "", i);
	}
	g_string_append_c(drives, ']');
	g_string_append_c(nodes, ']');
	set_drives(fixture, domain, drives->str);
	set_nodes(fixture, domain, nodes->str);
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_trays(domain)), ==, 1024);
	g_assert_cmpuint(g_hash_table_size(domain_get_io_status(domain)), ==, 1024);
	g_assert_cmpuint(g_hash_table_size(domain_get_write_thresholds(domain)), ==, 1024);
	/* By an event, by a command: told and done, not listed. */
	fixture_emit(fixture, domain, MOVED("other", "true"));
	fixture_expect(fixture, domain, "TrayChanged other open ", NULL);
	g_assert_null(get_tray(domain, "other"));
	domain_set_write_threshold(domain, "other", 1, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	g_assert_cmpuint(g_hash_table_size(domain_get_write_thresholds(domain)), ==, 1024);
}

#define ADD(name, function) FIXTURE_ADD("/domain/drives/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("trays", test_trays);
	ADD("tray-irregular", test_tray_irregular);
	ADD("device-removed", test_device_removed);
	ADD("device-added", test_device_added);
	ADD("io-error", test_io_error);
	ADD("names", test_names);
	ADD("thresholds", test_thresholds);
	ADD("resync", test_resync);
	ADD("restart", test_restart);
	ADD("odd", test_odd);
	ADD("many", test_many);
	return g_test_run();
}
