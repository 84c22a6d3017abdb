/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "domain-fixture.h"
#include "model/definition-edit.h"

/* Devices that come and go in the definition, and in both: what runs, and what the next start will use. */

#define OBJECT   "{\"qom-type\":\"rng-builtin\",\"id\":\"obj1\"}"
#define BLOCKDEV "{\"driver\":\"null-co\",\"node-name\":\"node1\"}"
#define NETDEV   "{\"type\":\"user\",\"id\":\"host1\"}"
#define DEVICE   "{\"driver\":\"virtio-net-pci\",\"id\":\"net1\",\"netdev\":\"host1\",\"drive\":\"node1\"," \
		 "\"rng\":\"obj1\"}"
#define ADDED    "DeviceAdded net1 virtio-net-pci /machine/peripheral/net1"
#define REMOVED  "DeviceRemoved net1 /machine/peripheral/net1"
#define ALL_IN   "[\"cont\",\"object-add obj1\",\"blockdev-add node1\",\"netdev_add host1\"," \
		 "\"device_add net1\""
#define ALL_OUT  ",\"device_del net1\",\"netdev_del host1\",\"blockdev-del node1\",\"object-del obj1\"]"

static void attach(DomainFixture *fixture, Domain *domain, DeviceAffect affect, const char *device,
		   bool with_backends, Answer *answer)
{
	JsonNode *backends[BACKEND_MAX] = { NULL };

	if (with_backends) {
		backends[BACKEND_OBJECT] = fixture_json(OBJECT);
		backends[BACKEND_BLOCKDEV] = fixture_json(BLOCKDEV);
		backends[BACKEND_NETDEV] = fixture_json(NETDEV);
	}
	driver_attach_device(fixture->driver, domain, fixture_json(device), backends, DOMAIN_CALL_TIMEOUT_MS, affect, on_answer,
			     answer);
}

static void detach(DomainFixture *fixture, Domain *domain, DeviceAffect affect, Answer *answer)
{
	driver_detach_device(fixture->driver, domain, "net1", 20000, affect, on_answer, answer);
}

static void attach_ok(DomainFixture *fixture, Domain *domain, DeviceAffect affect)
{
	g_auto(Answer) answer = { 0 };

	attach(fixture, domain, affect, DEVICE, true, &answer);
	answer_wait_ok(fixture, &answer);
	g_assert_cmpstr(answer.result, ==, "net1");
}

static void detach_ok(DomainFixture *fixture, Domain *domain, DeviceAffect affect)
{
	g_auto(Answer) answer = { 0 };

	detach(fixture, domain, affect, &answer);
	answer_wait_ok(fixture, &answer);
}

static char *definitions_path(DomainFixture *fixture, const char *file)
{
	return g_build_filename(fixture->folder, "config", "domains", file, NULL);
}

/* What the file says is what the domain says. */
static void assert_config(DomainFixture *fixture, Domain *domain, bool has_device)
{
	const Definition *next = domain_get_next_definition(domain);
	g_autofree char *file = g_strconcat(domain_get_name(domain), ".json", NULL);
	g_autofree char *path = definitions_path(fixture, file);
	g_autofree char *text = definition_to_json(next);
	g_autofree char *on_disk = NULL;
	unsigned expected = has_device ? 1 : 0;

	g_assert_true(g_file_get_contents(path, &on_disk, NULL, NULL));
	g_assert_cmpstr(on_disk, ==, text);
	g_assert_cmpuint(next->objects->len, ==, expected);
	g_assert_cmpuint(next->blockdevs->len, ==, expected);
	g_assert_cmpuint(next->netdevs->len, ==, expected);
	g_assert_cmpuint(next->devices->len, ==, expected);
}

static bool is_plugged(Domain *domain)
{
	return g_hash_table_contains(domain_get_devices(domain), "net1");
}

static void assert_log(DomainFixture *fixture, Domain *domain, const char *expected)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	g_assert_cmpstr(log, ==, expected);
}

/* The folder of the definitions is away: nothing can be written. */
static void hide_definitions(DomainFixture *fixture, bool hidden)
{
	g_autofree char *place = definitions_path(fixture, NULL);
	g_autofree char *away = g_strconcat(place, ".away", NULL);

	g_assert_cmpint(hidden ? rename(place, away) : rename(away, place), ==, 0);
}

/* ---- config ---- */

static void test_config(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	attach_ok(fixture, domain, DEVICE_AFFECT_CONFIG);
	fixture_expect(fixture, domain, "defined updated running", NULL);
	assert_config(fixture, domain, true);
	g_assert_false(is_plugged(domain));
	assert_log(fixture, domain, "[\"cont\"]");

	/* It is in from the next start on. */
	fixture_destroy(fixture, domain);
	fixture_forget(fixture);
	fixture_start(fixture, domain);
	g_assert_true(is_plugged(domain));
	detach_ok(fixture, domain, DEVICE_AFFECT_CONFIG);
	fixture_expect(fixture, domain, "defined updated running", NULL);
	assert_config(fixture, domain, false);
	g_assert_true(is_plugged(domain));
}

static void test_shut_off(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	static const DeviceAffect needs_run[] = { DEVICE_AFFECT_LIVE, DEVICE_AFFECT_BOTH };

	for (unsigned i = 0; i < G_N_ELEMENTS(needs_run); i++) {
		g_auto(Answer) answer = { 0 };

		attach(fixture, domain, needs_run[i], DEVICE, true, &answer);
		answer_wait_error(fixture, &answer, CORE_ERROR_WRONG_STATE, "shut-off");
		assert_config(fixture, domain, false);
	}
	attach_ok(fixture, domain, DEVICE_AFFECT_CONFIG);
	assert_config(fixture, domain, true);
	for (unsigned i = 0; i < G_N_ELEMENTS(needs_run); i++) {
		g_auto(Answer) answer = { 0 };

		detach(fixture, domain, needs_run[i], &answer);
		answer_wait_error(fixture, &answer, CORE_ERROR_WRONG_STATE, "shut-off");
		assert_config(fixture, domain, true);
	}
	detach_ok(fixture, domain, DEVICE_AFFECT_CONFIG);
	assert_config(fixture, domain, false);
	fixture_expect(fixture, domain, "defined updated shut-off", "defined updated shut-off", NULL);
}

/* An id that is made up is new for what runs and for what is to run. */
static void test_id_made(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	static const struct {
		DeviceAffect affect;
		const char *id;
	} rows[] = {
		{ DEVICE_AFFECT_CONFIG, "device0" }, { DEVICE_AFFECT_CONFIG, "device1" },
		{ DEVICE_AFFECT_LIVE, "device2" },   { DEVICE_AFFECT_BOTH, "device3" },
	};
	g_auto(Answer) first = { 0 }, second = { 0 };

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(Answer) answer = { 0 };

		attach(fixture, domain, rows[i].affect, "{\"driver\":\"x\"}", false, &answer);
		answer_wait_ok(fixture, &answer);
		g_assert_cmpstr(answer.result, ==, rows[i].id);
	}
	g_assert_cmpuint(domain_get_next_definition(domain)->devices->len, ==, 3);
	/* Two at once. */
	attach(fixture, domain, DEVICE_AFFECT_BOTH, "{\"driver\":\"x\"}", false, &first);
	attach(fixture, domain, DEVICE_AFFECT_BOTH, "{\"driver\":\"x\"}", false, &second);
	answer_wait_ok(fixture, &first);
	answer_wait_ok(fixture, &second);
	g_assert_cmpstr(first.result, !=, second.result);
	g_assert_cmpuint(domain_get_next_definition(domain)->devices->len, ==, 5);
	fixture_forget(fixture);
}

static void test_transient(DomainFixture *fixture, const void *data)
{
	g_autofree char *document = fixture_document("t", NULL, NULL);
	g_auto(Answer) created = { 0 };
	Domain *domain;

	driver_create(fixture->driver, geteuid(), document, false, NULL, on_driver_answer, &created);
	answer_wait_ok(fixture, &created);
	domain = driver_find_domain(fixture->driver, "t");
	fixture_forget(fixture);
	for (unsigned i = DEVICE_AFFECT_CONFIG; i < DEVICE_AFFECT_MAX; i++) {
		g_auto(Answer) in = { 0 }, out = { 0 };

		attach(fixture, domain, (DeviceAffect)i, DEVICE, true, &in);
		answer_wait_error(fixture, &in, CORE_ERROR_WRONG_STATE, "transient");
		detach(fixture, domain, (DeviceAffect)i, &out);
		answer_wait_error(fixture, &out, CORE_ERROR_WRONG_STATE, "transient");
	}
	assert_log(fixture, domain, "[\"cont\"]");
	fixture_expect(fixture, domain, NULL);
}

static void test_bad_arguments(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *device;
		CoreError code;
		const char *text;
	} rows[] = {
		{ "{}", CORE_ERROR_INVALID_ARGUMENT, "driver" },
		{ "[]", CORE_ERROR_INVALID_ARGUMENT, "driver" },
		{ "{\"driver\":\"x\",\"id\":7}", CORE_ERROR_INVALID_ARGUMENT, "id" },
		{ "{\"driver\":\"x\",\"id\":\"\"}", CORE_ERROR_INVALID_DEFINITION, "devices[1].id" },
		{ "{\"driver\":\"x\",\"id\":\"here\"}", CORE_ERROR_DEVICE_EXISTS, "'here'" },
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL,
					    "\"devices\":[{\"driver\":\"x\",\"id\":\"here\"}]");

	for (unsigned i = DEVICE_AFFECT_CONFIG; i < DEVICE_AFFECT_MAX; i++) {
		for (unsigned k = 0; k < G_N_ELEMENTS(rows); k++) {
			g_auto(Answer) answer = { 0 };

			attach(fixture, domain, (DeviceAffect)i, rows[k].device, false, &answer);
			answer_wait_error(fixture, &answer, rows[k].code, rows[k].text);
		}
	}
	assert_log(fixture, domain, "[\"cont\"]");
	g_assert_cmpuint(domain_get_next_definition(domain)->devices->len, ==, 1);
	fixture_expect(fixture, domain, NULL);
}

/* ---- both ---- */

static void test_both(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	attach_ok(fixture, domain, DEVICE_AFFECT_BOTH);
	fixture_expect(fixture, domain, ADDED, "defined updated running", NULL);
	assert_config(fixture, domain, true);
	g_assert_true(is_plugged(domain));
	detach_ok(fixture, domain, DEVICE_AFFECT_BOTH);
	fixture_expect(fixture, domain, REMOVED, "defined updated running", NULL);
	assert_config(fixture, domain, false);
	g_assert_false(is_plugged(domain));
	assert_log(fixture, domain, ALL_IN ALL_OUT);
}

/* QEMU refuses: the file is what it was. */
static void test_both_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:device_add=no slot", NULL);
	g_auto(Answer) in = { 0 }, out = { 0 };

	attach(fixture, domain, DEVICE_AFFECT_BOTH, DEVICE, true, &in);
	answer_wait_error(fixture, &in, CORE_ERROR_QEMU_ERROR, "no slot");
	assert_config(fixture, domain, false);
	fixture_expect(fixture, domain, NULL);

	fixture_set(fixture, domain, "fail:device_add", "");
	attach_ok(fixture, domain, DEVICE_AFFECT_BOTH);
	fixture_forget(fixture);
	fixture_set(fixture, domain, "fail:device_del", "busy");
	detach(fixture, domain, DEVICE_AFFECT_BOTH, &out);
	answer_wait_error(fixture, &out, CORE_ERROR_REMOVAL_REFUSED, "busy");
	assert_config(fixture, domain, true);
	g_assert_true(is_plugged(domain));
	fixture_expect(fixture, domain, NULL);
}

/* The file cannot be written: neither. */
static void test_both_not_written(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) in = { 0 }, out = { 0 }, config = { 0 };

	hide_definitions(fixture, true);
	attach(fixture, domain, DEVICE_AFFECT_BOTH, DEVICE, true, &in);
	answer_wait_error(fixture, &in, CORE_ERROR_IO, "config/domains");
	attach(fixture, domain, DEVICE_AFFECT_CONFIG, DEVICE, true, &config);
	answer_wait_error(fixture, &config, CORE_ERROR_IO, "config/domains");
	hide_definitions(fixture, false);
	fixture_expect(fixture, domain, ADDED, REMOVED, NULL);
	assert_log(fixture, domain, ALL_IN ALL_OUT);
	assert_config(fixture, domain, false);
	g_assert_false(is_plugged(domain));

	/* What has been detached does not come back by itself; that is said, and it can be tried again. */
	attach_ok(fixture, domain, DEVICE_AFFECT_BOTH);
	hide_definitions(fixture, true);
	detach(fixture, domain, DEVICE_AFFECT_BOTH, &out);
	answer_wait_error(fixture, &out, CORE_ERROR_IO, "affect 'config'");
	hide_definitions(fixture, false);
	assert_config(fixture, domain, true);
	g_assert_false(is_plugged(domain));
	detach_ok(fixture, domain, DEVICE_AFFECT_CONFIG);
	assert_config(fixture, domain, false);
	fixture_forget(fixture);
}

/* Nor can the device be taken out again: who asked is told that it is still there. */
static void test_both_not_undone(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:device_del=busy", NULL);
	g_auto(Answer) answer = { 0 };

	hide_definitions(fixture, true);
	attach(fixture, domain, DEVICE_AFFECT_BOTH, DEVICE, true, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_IO, "'net1' stays plugged in");
	hide_definitions(fixture, false);
	g_assert_nonnull(strstr(answer.error->message, "busy"));
	g_assert_true(is_plugged(domain));
	assert_config(fixture, domain, false);
	fixture_expect(fixture, domain, ADDED, NULL);
}

/* Only one half is there. */
static void test_halves(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) live_both = { 0 }, live_config = { 0 }, config_both = { 0 }, config_live = { 0 };

	attach_ok(fixture, domain, DEVICE_AFFECT_LIVE);
	detach(fixture, domain, DEVICE_AFFECT_BOTH, &live_both);
	answer_wait_error(fixture, &live_both, CORE_ERROR_NO_SUCH_DEVICE, "affect 'live'");
	detach(fixture, domain, DEVICE_AFFECT_CONFIG, &live_config);
	answer_wait_error(fixture, &live_config, CORE_ERROR_NO_SUCH_DEVICE, "definition");
	g_assert_true(is_plugged(domain));
	detach_ok(fixture, domain, DEVICE_AFFECT_LIVE);

	attach_ok(fixture, domain, DEVICE_AFFECT_CONFIG);
	detach(fixture, domain, DEVICE_AFFECT_BOTH, &config_both);
	answer_wait_error(fixture, &config_both, CORE_ERROR_NO_SUCH_DEVICE, "affect 'config'");
	detach(fixture, domain, DEVICE_AFFECT_LIVE, &config_live);
	answer_wait_error(fixture, &config_live, CORE_ERROR_NO_SUCH_DEVICE, "'net1'");
	assert_config(fixture, domain, true);
	fixture_expect(fixture, domain, ADDED, REMOVED, "defined updated running", NULL);
}

/* The domain stops while QEMU is at it: the file is what it was. */
static void test_end_while_attaching(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=device_add", NULL);
	g_auto(Answer) answer = { 0 };

	attach(fixture, domain, DEVICE_AFFECT_BOTH, DEVICE, true, &answer);
	fixture_run_for(fixture, 50);
	g_assert_false(answer.done);
	fixture_destroy(fixture, domain);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "");
	assert_config(fixture, domain, false);
	fixture_forget(fixture);
}

/* A device that a guest does not let go of is in both, also after a restart of the service. */
static void test_detach_late(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "device-del=never", NULL);
	g_auto(Answer) answer = { 0 };

	attach_ok(fixture, domain, DEVICE_AFFECT_BOTH);
	fixture_forget(fixture);
	driver_detach_device(fixture->driver, domain, "net1", 50, DEVICE_AFFECT_BOTH, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_TIMEOUT, "'net1'");
	assert_config(fixture, domain, true);
	fixture_expect(fixture, domain, "DeviceRemovalFailed net1 timeout /machine/peripheral/net1", NULL);
}

static void assert_live(Domain *domain, const char *members)
{
	g_autofree char *text = definition_to_json(domain_get_definition(domain));

	g_assert_true(members ? strstr(text, members) != NULL : strstr(text, "net1") == NULL);
	if (members)
		g_assert_cmpuint(domain_get_definition(domain)->devices->len, ==, 1);
}

static bool has_no_live_device(void *userdata)
{
	return !definition_has_device(domain_get_definition(userdata), "net1");
}

/* What runs, as a definition, has what was plugged in: also after a restart of the service. The next start does not. */
static void test_live_definition(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	attach_ok(fixture, domain, DEVICE_AFFECT_LIVE);
	for (unsigned i = 0; i < 2; i++) {
		assert_live(domain, DEVICE);
		assert_live(domain, OBJECT);
		assert_live(domain, BLOCKDEV);
		assert_live(domain, NETDEV);
		assert_config(fixture, domain, false);
		fixture_close_driver(fixture);
		fixture_open_driver(fixture);
		domain = driver_find_domain(fixture->driver, "a");
	}
	detach_ok(fixture, domain, DEVICE_AFFECT_LIVE);
	fixture_wait(fixture, has_no_live_device, domain);
	assert_live(domain, NULL);
	assert_config(fixture, domain, false);

	/* It ends with the run. */
	attach_ok(fixture, domain, DEVICE_AFFECT_LIVE);
	fixture_destroy(fixture, domain);
	assert_live(domain, NULL);
	fixture_forget(fixture);
}

static bool is_in_qemu(void *userdata)
{
	return is_plugged(userdata);
}

/* Cut off between the halves: each says what is true, and the other half can be made up for. */
static void test_cut_off(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };
	bool written;

	attach(fixture, domain, DEVICE_AFFECT_BOTH, DEVICE, true, &answer);
	fixture_wait(fixture, is_in_qemu, domain);
	fixture_close_driver(fixture);
	g_assert_true(answer.done);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	/* Whether it was told before is not always known; then it is told once more. */
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_wait(fixture, is_in_qemu, domain);
	written = definition_has_device(domain_get_next_definition(domain), "net1");
	assert_config(fixture, domain, written);
	if (!written)
		attach_ok(fixture, domain, DEVICE_AFFECT_CONFIG);
	detach_ok(fixture, domain, DEVICE_AFFECT_BOTH);
	assert_config(fixture, domain, false);
	g_assert_false(is_plugged(domain));
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/affect/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("config", test_config);
	ADD("shut-off", test_shut_off);
	ADD("id-made", test_id_made);
	ADD("transient", test_transient);
	ADD("bad-arguments", test_bad_arguments);
	ADD("both", test_both);
	ADD("both-refused", test_both_refused);
	ADD("both-not-written", test_both_not_written);
	ADD("both-not-undone", test_both_not_undone);
	ADD("halves", test_halves);
	ADD("end-while-attaching", test_end_while_attaching);
	ADD("detach-late", test_detach_late);
	ADD("cut-off", test_cut_off);
	ADD("live-definition", test_live_definition);
	return g_test_run();
}
