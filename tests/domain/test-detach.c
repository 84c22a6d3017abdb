/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

/* Guests that refuse to let go of a device, and CPUs that go quietly. */

#define PATH     "/machine/peripheral/dimm1"
#define DEVICES  "\"devices\":[{\"driver\":\"pc-dimm\",\"id\":\"dimm1\"}]"
#define GUEST    "{\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\",\"data\":{\"device\":\"dimm1\",\"path\":\"" PATH "\"}}"
#define MEMORY   "{\"event\":\"MEM_UNPLUG_ERROR\",\"data\":{\"device\":\"dimm1\",\"msg\":\"in use\"}}"
#define DELETED  "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"dimm1\",\"path\":\"" PATH "\"}}"
#define OST(device, type, source, status) \
	"{\"event\":\"ACPI_DEVICE_OST\",\"data\":{\"info\":{" device "\"slot\":\"0\",\"slot-type\":\"" type \
	"\",\"source\":" source ",\"status\":" status "}}}"
#define DIMM     "\"device\":\"dimm1\","

static Domain *run(DomainFixture *fixture)
{
	return fixture_run_domain(fixture, "a", "device-del=never", DEVICES);
}

static void detach(Domain *domain, Answer *answer)
{
	domain_detach_device(domain, "dimm1", 20000, on_answer, answer);
}

static void test_guest(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture);
	g_auto(Answer) answer = { 0 };

	detach(domain, &answer);
	fixture_emit(fixture, domain, GUEST);
	answer_wait_error(fixture, &answer, CORE_ERROR_REMOVAL_REFUSED, "the guest refused");
	fixture_expect(fixture, domain, "DeviceRemovalFailed dimm1 guest " PATH, NULL);
	assert_detail(fixture_last(fixture), "event", "'DEVICE_UNPLUG_GUEST_ERROR'");

	/* Without an id: that is in the path. And of a device that has none. */
	fixture_emit(fixture, domain,
		     "{\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\",\"data\":{\"path\":\"" PATH "\"}},"
		     "{\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\",\"data\":{\"path\":\"/machine/x/dimm1\"}},"
		     "{\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\",\"data\":{\"path\":\"" PATH "/x\"}},"
		     "{\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\",\"data\":{}}");
	fixture_expect(fixture, domain, "DeviceRemovalFailed dimm1 guest " PATH,
		       "DeviceRemovalFailed  guest /machine/x/dimm1",
		       "DeviceRemovalFailed  guest " PATH "/x", "DeviceRemovalFailed  guest ", NULL);
}

/* QEMU 7.2 says it twice: the first answers, both are told. The device may go later. */
static void test_memory(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture);
	g_auto(Answer) answer = { 0 };

	detach(domain, &answer);
	fixture_emit(fixture, domain, MEMORY "," GUEST);
	answer_wait_error(fixture, &answer, CORE_ERROR_REMOVAL_REFUSED, "in use");
	fixture_expect(fixture, domain, "DeviceRemovalFailed dimm1 memory " PATH,
		       "DeviceRemovalFailed dimm1 guest " PATH, NULL);
	fixture_emit(fixture, domain, MEMORY);
	fixture_expect(fixture, domain, "DeviceRemovalFailed dimm1 memory " PATH, NULL);
	assert_detail(fixture_last(fixture), "text", "'in use'");
	assert_detail(fixture_last(fixture), "event", "'MEM_UNPLUG_ERROR'");

	fixture_emit(fixture, domain, DELETED);
	fixture_expect(fixture, domain, "DeviceRemoved dimm1 " PATH, NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);
	fixture_emit(fixture, domain, MEMORY);
	fixture_expect(fixture, domain, "DeviceRemovalFailed dimm1 memory ", NULL);
}

/* Which values of _OST are a refusal. */
static void test_acpi(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *event, *status;
		bool refused;
	} rows[] = {
		{ OST(DIMM, "DIMM", "3", "1"), "dimm1 0 DIMM 3 1", true },
		{ OST(DIMM, "DIMM", "259", "1"), "dimm1 0 DIMM 259 1", true },
		{ OST(DIMM, "DIMM", "3", "128"), "dimm1 0 DIMM 3 128", true },
		{ OST(DIMM, "DIMM", "259", "131"), "dimm1 0 DIMM 259 131", true },
		{ OST(DIMM, "DIMM", "3", "0"), "dimm1 0 DIMM 3 0", false },
		{ OST(DIMM, "DIMM", "3", "2"), "dimm1 0 DIMM 3 2", false },
		{ OST(DIMM, "DIMM", "3", "127"), "dimm1 0 DIMM 3 127", false },
		{ OST(DIMM, "DIMM", "3", "132"), "dimm1 0 DIMM 3 132", false },
		{ OST(DIMM, "DIMM", "1", "1"), "dimm1 0 DIMM 1 1", false },
		{ OST(DIMM, "CPU", "3", "1"), "dimm1 0 CPU 3 1", false },
		{ OST("", "DIMM", "3", "1"), " 0 DIMM 3 1", false },
	};
	Domain *domain = run(fixture);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text = g_strconcat("AcpiDeviceStatus ", rows[i].status, NULL);
		g_auto(Answer) answer = { 0 };

		g_test_message("%s", text);
		if (rows[i].refused)
			detach(domain, &answer);
		fixture_emit(fixture, domain, rows[i].event);
		fixture_expect(fixture, domain, text, rows[i].refused
						? "DeviceRemovalFailed dimm1 acpi " PATH : NULL, NULL);
		if (!rows[i].refused)
			continue;
		answer_wait_error(fixture, &answer, CORE_ERROR_REMOVAL_REFUSED, "ACPI");
		assert_detail(fixture_last(fixture), "event", "'ACPI_DEVICE_OST'");
	}
	fixture_emit(fixture, domain, OST(DIMM, "DIMM", "3", "130"));
	fixture_expect(fixture, domain, "AcpiDeviceStatus dimm1 0 DIMM 3 130",
		       "DeviceRemovalFailed dimm1 acpi " PATH, NULL);
	assert_detail(fixture_last(fixture), "source", "3");
	assert_detail(fixture_last(fixture), "status", "130");
}

/* What is said of one device ends no call for another. */
static void test_other(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "device-del=never",
					    "\"devices\":[{\"driver\":\"x\",\"id\":\"other\"},"
					    "{\"driver\":\"pc-dimm\",\"id\":\"dimm1\"}]");
	g_auto(Answer) answer = { 0 };

	domain_detach_device(domain, "other", 20000, on_answer, &answer);
	fixture_emit(fixture, domain, MEMORY "," GUEST "," OST(DIMM, "DIMM", "3", "1"));
	g_assert_false(answer.done);
	fixture_emit(fixture, domain, "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"other\","
				      "\"path\":\"/machine/peripheral/other\"}}");
	answer_wait_ok(fixture, &answer);
	fixture_forget(fixture);
}

/* Nothing but a part of it is told as deleted; the list no longer has it. */
static void test_cpu(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "device-del=never",
					    "\"devices\":[{\"driver\":\"qemu64-x86_64-cpu\","
					    "\"id\":\"cpu1\"}]");
	const char *lapic = "{\"event\":\"DEVICE_DELETED\",\"data\":"
			    "{\"path\":\"/machine/peripheral/cpu1/lapic\"}}";
	g_auto(Answer) answer = { 0 };

	domain_detach_device(domain, "cpu1", 20000, on_answer, &answer);
	fixture_set(fixture, domain, "reply:qom-list", "[{\"name\":\"type\",\"type\":\"string\"}]");
	fixture_emit(fixture, domain, lapic);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "DeviceRemoved cpu1 /machine/peripheral/cpu1 (resync)", NULL);
	assert_detail(fixture_last(fixture), "reason", "'resync'");
	assert_detail(fixture_last(fixture), "children", "['/machine/peripheral/cpu1/lapic']");

	/* Where it is told after all, it is not told twice. */
	fixture_emit(fixture, domain, "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"cpu1\","
				      "\"path\":\"/machine/peripheral/cpu1\"}}");
	fixture_expect(fixture, domain, NULL);
}

#define ADD(name, function) FIXTURE_ADD("/domain/detach/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("guest", test_guest);
	ADD("memory", test_memory);
	ADD("acpi", test_acpi);
	ADD("other", test_other);
	ADD("cpu", test_cpu);
	return g_test_run();
}
