/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

/* Trays that move, come and go without an event of QEMU's. */

#define DEVICES "\"devices\":[{\"driver\":\"ide-cd\",\"id\":\"cd0\"}]"
#define DRIVE(qdev, tray) "{\"device\":\"\",\"qdev\":\"" qdev "\",\"tray_open\":" tray "}"
#define REPLY(drives)     "reply:query-block=[" drives "]"
#define ANONYMOUS         "/machine/peripheral-anon/device[0]"

typedef struct Wanted {
	Domain *domain;
	const char *id, *state;
} Wanted;

static bool is_as_wanted(void *userdata)
{
	const Wanted *wanted = userdata;

	return g_strcmp0(g_hash_table_lookup(domain_get_trays(wanted->domain), wanted->id),
			 wanted->state) == 0;
}

static void wait_tray(DomainFixture *fixture, Domain *domain, const char *id, const char *state)
{
	Wanted wanted = { domain, id, state };

	fixture_wait(fixture, is_as_wanted, &wanted);
}

/* A reset closes every tray, and QEMU does not tell. */
static void test_reset(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", REPLY(DRIVE("cd0", "true")), DEVICES);

	wait_tray(fixture, domain, "cd0", "open");
	fixture_set(fixture, domain, "reply:query-block", "[" DRIVE("cd0", "false") "]");
	fixture->changed = 0;
	g_free(fixture_execute(fixture, domain, "system_reset", NULL));
	fixture_expect(fixture, domain, "Reset host host-qmp-system-reset",
		       "TrayChanged cd0 closed  (resync)", NULL);
	assert_detail(fixture_last(fixture), "reason", "'resync'");
	wait_tray(fixture, domain, "cd0", "closed");
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_TRAYS);

	/* All are closed: nothing is asked, and nothing told. */
	fixture->changed = 0;
	g_free(fixture_execute(fixture, domain, "system_reset", NULL));
	fixture_expect(fixture, domain, "Reset host host-qmp-system-reset", NULL);
	fixture_run(fixture);
	g_assert_false(fixture->changed & DOMAIN_PROPERTY_TRAYS);
}

/* A drive without an id goes by its place; it comes and goes all the same. */
static void test_without_id(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "reply:device_add={};" REPLY(""), NULL);

	fixture_set(fixture, domain, "reply:query-block", "[" DRIVE(ANONYMOUS, "false") "]");
	g_free(fixture_execute(fixture, domain, "device_add", "{\"driver\":\"scsi-cd\"}"));
	wait_tray(fixture, domain, ANONYMOUS, "closed");
	fixture_expect(fixture, domain, NULL);

	fixture_set(fixture, domain, "reply:query-block", "[]");
	fixture_emit(fixture, domain,
		     "{\"event\":\"DEVICE_DELETED\",\"data\":{\"path\":\"" ANONYMOUS "\"}}");
	fixture_expect(fixture, domain, "DeviceRemoved  " ANONYMOUS, NULL);
	wait_tray(fixture, domain, ANONYMOUS, NULL);
}

#define ADD(name, function) FIXTURE_ADD("/domain/trays/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("reset", test_reset);
	ADD("without-id", test_without_id);
	return g_test_run();
}
