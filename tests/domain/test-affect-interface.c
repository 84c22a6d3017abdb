/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

#include "domain-fixture.h"

/* Interfaces that come and go: what runs, the definition, and both. Here without a link of the host. */

#define ADDED   "DeviceAdded net1 virtio-net-pci /machine/peripheral/net1"
#define REMOVED "DeviceRemoved net1 /machine/peripheral/net1"
#define LOG_IN  "\"netdev_add host-net1\",\"device_add net1\""
#define LOG_OUT "\"device_del net1\",\"netdev_del host-net1\""

static void attach(DomainFixture *fixture, Domain *domain, DeviceAffect affect, const char *text,
		   Answer *answer)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DefinitionInterface) interface = definition_parse_interface(text, strlen(text), &error);

	g_assert_no_error(error);
	driver_attach_interface(fixture->driver, domain, interface, DOMAIN_CALL_TIMEOUT_MS, affect,
				on_answer, answer);
}

static void attach_ok(DomainFixture *fixture, Domain *domain, DeviceAffect affect, const char *text,
		      const char *id)
{
	g_auto(Answer) answer = { 0 };

	attach(fixture, domain, affect, text, &answer);
	answer_wait_ok(fixture, &answer);
	g_assert_cmpstr(answer.result, ==, id);
}

static void detach_ok(DomainFixture *fixture, Domain *domain, DeviceAffect affect)
{
	g_auto(Answer) answer = { 0 };

	driver_detach_device(fixture->driver, domain, "net1", 20000, affect, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

static const DefinitionInterface *find(const Definition *definition, const char *id)
{
	for (unsigned i = 0; i < definition->interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(definition->interfaces, i);

		if (g_str_equal(interface->id, id))
			return interface;
	}
	return NULL;
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

/* The id and the MAC that were made up are the same in both. */
static void test_both(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[{}]");
	const DefinitionInterface *next, *live;

	attach_ok(fixture, domain, DEVICE_AFFECT_BOTH, "{\"trust-guest-rx-filters\":true}", "net1");
	next = find(domain_get_next_definition(domain), "net1");
	live = find(domain_get_definition(domain), "net1");
	g_assert_nonnull(next);
	g_assert_nonnull(live);
	g_assert_true(next != live);
	g_assert_cmpstr(next->mac, ==, live->mac);
	g_assert_true(next->trust_guest_rx_filters && live->trust_guest_rx_filters);
	fixture_expect(fixture, domain, ADDED, "defined updated running", NULL);
	g_assert_true(is_plugged(domain));
	detach_ok(fixture, domain, DEVICE_AFFECT_BOTH);
	fixture_expect(fixture, domain, REMOVED, "defined updated running", NULL);
	g_assert_false(is_plugged(domain));
	g_assert_null(find(domain_get_next_definition(domain), "net1"));
	g_assert_null(find(domain_get_definition(domain), "net1"));
	assert_log(fixture, domain, "[\"cont\"," LOG_IN "," LOG_OUT "]");
}

static void test_live(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	attach_ok(fixture, domain, DEVICE_AFFECT_LIVE, "{\"id\":\"net1\",\"type\":\"none\"}", "net1");
	g_assert_nonnull(find(domain_get_definition(domain), "net1"));
	g_assert_null(find(domain_get_next_definition(domain), "net1"));
	assert_log(fixture, domain, "[\"cont\",\"device_add net1\"]");
	detach_ok(fixture, domain, DEVICE_AFFECT_LIVE);
	fixture_expect(fixture, domain, ADDED, REMOVED, NULL);
}

static void test_config(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, "\"devices\":[{\"driver\":\"x\",\"id\":\"net0\"}]");

	attach_ok(fixture, domain, DEVICE_AFFECT_CONFIG, "{\"mac\":\"52:54:00:00:00:01\"}", "net1");
	attach_ok(fixture, domain, DEVICE_AFFECT_CONFIG, "{}", "net2");
	g_assert_cmpstr(find(domain_get_next_definition(domain), "net1")->mac, ==, "52:54:00:00:00:01");
	fixture_forget(fixture);
	fixture_start(fixture, domain);
	g_assert_true(is_plugged(domain));
	detach_ok(fixture, domain, DEVICE_AFFECT_CONFIG);
	g_assert_null(find(domain_get_next_definition(domain), "net1"));
	g_assert_nonnull(find(domain_get_next_definition(domain), "net2"));
	fixture_expect(fixture, domain, "defined updated running", NULL);
}

/* Two at once, and neither has an id. */
static void test_ids_made(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) first = { 0 }, second = { 0 };

	attach(fixture, domain, DEVICE_AFFECT_BOTH, "{}", &first);
	attach(fixture, domain, DEVICE_AFFECT_BOTH, "{}", &second);
	answer_wait_ok(fixture, &first);
	answer_wait_ok(fixture, &second);
	g_assert_cmpstr(first.result, !=, second.result);
	g_assert_cmpuint(domain_get_next_definition(domain)->interfaces->len, ==, 2);
	fixture_forget(fixture);
}

/* Nothing has been done by then. */
static void test_refused(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *interface;
		DeviceAffect affect;
		CoreError code;
		const char *text;
	} rows[] = {
		{ "{\"id\":\"here\"}", DEVICE_AFFECT_LIVE, CORE_ERROR_DEVICE_EXISTS, "'here'" },
		{ "{\"id\":\"here\"}", DEVICE_AFFECT_CONFIG, CORE_ERROR_DEVICE_EXISTS, "'here'" },
		{ "{\"id\":\"here\"}", DEVICE_AFFECT_BOTH, CORE_ERROR_DEVICE_EXISTS, "'here'" },
		{ "{\"id\":\"own\"}", DEVICE_AFFECT_CONFIG, CORE_ERROR_INVALID_DEFINITION, "host-own" },
		{ "{\"id\":\"own\"}", DEVICE_AFFECT_BOTH, CORE_ERROR_INVALID_DEFINITION, "host-own" },
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL,
					    "\"devices\":[{\"driver\":\"x\",\"id\":\"here\"}],"
					    "\"netdevs\":[{\"type\":\"user\",\"id\":\"host-own\"}]");

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(Answer) answer = { 0 };

		g_test_message("%u", i);
		attach(fixture, domain, rows[i].affect, rows[i].interface, &answer);
		answer_wait_error(fixture, &answer, rows[i].code, rows[i].text);
	}
	assert_log(fixture, domain, "[\"cont\"]");
	g_assert_cmpuint(domain_get_next_definition(domain)->interfaces->len, ==, 0);
	fixture_expect(fixture, domain, NULL);
}

/* QEMU refuses: neither, and nothing of it stays. */
static void test_refused_by_qemu(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:device_add=no slot", NULL);
	g_auto(Answer) answer = { 0 };

	attach(fixture, domain, DEVICE_AFFECT_BOTH, "{\"id\":\"net1\"}", &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "no slot");
	assert_log(fixture, domain, "[\"cont\"," LOG_IN ",\"netdev_del host-net1\"]");
	g_assert_null(find(domain_get_next_definition(domain), "net1"));
	g_assert_null(find(domain_get_definition(domain), "net1"));
	fixture_expect(fixture, domain, NULL);
}

static void test_needs_both(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "off", NULL, NULL);
	g_autofree char *document = fixture_document("transient", NULL, NULL);
	g_auto(Answer) created = { 0 }, live = { 0 }, both = { 0 }, config = { 0 };

	attach(fixture, domain, DEVICE_AFFECT_LIVE, "{}", &live);
	answer_wait_error(fixture, &live, CORE_ERROR_WRONG_STATE, "shut-off");
	attach(fixture, domain, DEVICE_AFFECT_BOTH, "{}", &both);
	answer_wait_error(fixture, &both, CORE_ERROR_WRONG_STATE, "shut-off");
	g_assert_cmpuint(domain_get_next_definition(domain)->interfaces->len, ==, 0);

	driver_create(fixture->driver, geteuid(), document, false, NULL, on_driver_answer, &created);
	answer_wait_ok(fixture, &created);
	attach(fixture, driver_find_domain(fixture->driver, "transient"), DEVICE_AFFECT_CONFIG, "{}", &config);
	answer_wait_error(fixture, &config, CORE_ERROR_WRONG_STATE, "transient");
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/affect-interface/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("both", test_both);
	ADD("live", test_live);
	ADD("config", test_config);
	ADD("ids-made", test_ids_made);
	ADD("refused", test_refused);
	ADD("refused-by-qemu", test_refused_by_qemu);
	ADD("needs-both", test_needs_both);
	return g_test_run();
}
