/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain-fixture.h"

/* The transaction that changes a medium: each step that can fail, and what is undone then. */

#define DEVICES "\"devices\":[{\"driver\":\"ide-cd\",\"id\":\"cd0\"}]"
#define DRIVE(tray, inserted)                                                                      \
	"reply:query-block=[{\"device\":\"\",\"qdev\":\"cd0\",\"tray_open\":" tray inserted "}]"
#define INSERTED ",\"inserted\":{\"node-name\":\"first\"}"
#define MEDIUM(node) "{\"driver\":\"null-co\",\"node-name\":\"" node "\"}"

static void change(Domain *domain, const char *medium, bool force, Answer *answer)
{
	domain_change_media(domain, "cd0", medium ? fixture_json(medium) : NULL, force, DOMAIN_CALL_TIMEOUT_MS, on_answer,
			    answer);
}

static void change_ok(DomainFixture *fixture, Domain *domain, const char *medium)
{
	g_auto(Answer) answer = { 0 };

	change(domain, medium, false, &answer);
	answer_wait_ok(fixture, &answer);
}

/* What was commanded, from the first command of the transaction on. */
static void assert_log(DomainFixture *fixture, Domain *domain, const char *expected)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	if (!g_str_has_suffix(log, expected))
		g_error("'%s' is not at the end of: %s", expected, log);
}

static const char *get_tray(Domain *domain)
{
	return g_hash_table_lookup(domain_get_trays(domain), "cd0");
}

/* There, and there again, and out: a node that was put in here goes, one of the definition stays. */
static void test_change(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", DRIVE("false", INSERTED), DEVICES);

	change_ok(fixture, domain, MEDIUM("second"));
	assert_log(fixture, domain, "\"cont\",\"blockdev-add second\",\"blockdev-open-tray cd0\","
				    "\"blockdev-remove-medium cd0\",\"blockdev-insert-medium cd0\","
				    "\"blockdev-close-tray cd0\"]");
	fixture_expect(fixture, domain, "TrayChanged cd0 open ", "TrayChanged cd0 closed ", NULL);
	change_ok(fixture, domain, MEDIUM("third"));
	assert_log(fixture, domain, "\"blockdev-add third\",\"blockdev-open-tray cd0\","
				    "\"blockdev-remove-medium cd0\",\"blockdev-insert-medium cd0\","
				    "\"blockdev-close-tray cd0\",\"blockdev-del second\"]");
	fixture_forget(fixture);
	change_ok(fixture, domain, NULL);
	assert_log(fixture, domain, "\"blockdev-open-tray cd0\",\"blockdev-remove-medium cd0\","
				    "\"blockdev-del third\"]");
	fixture_expect(fixture, domain, "TrayChanged cd0 open ", NULL);
	change_ok(fixture, domain, NULL);
	assert_log(fixture, domain, "\"blockdev-del third\",\"blockdev-open-tray cd0\","
				    "\"blockdev-remove-medium cd0\"]");
}

/* The node goes with the device; also after a restart of the service. */
static void test_goes_with_device(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", DRIVE("false", ""), DEVICES);

	change_ok(fixture, domain, MEDIUM("second"));
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	change_ok(fixture, domain, MEDIUM("third"));
	assert_log(fixture, domain, "\"blockdev-close-tray cd0\",\"blockdev-del second\"]");
	fixture_forget(fixture);
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"cd0\"}"));
	fixture_expect(fixture, domain, "DeviceRemoved cd0 /machine/peripheral/cd0", NULL);
	assert_log(fixture, domain, "\"device_del cd0\",\"blockdev-del third\"]");
}

static void test_undo(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *step, *drive, *log, *tray;
	} rows[] = {
		{ "blockdev-add", DRIVE("false", INSERTED), "\"cont\",\"blockdev-add second\"]", "closed" },
		{ "blockdev-open-tray", DRIVE("false", INSERTED),
		  "\"blockdev-open-tray cd0\",\"blockdev-del second\"]", "closed" },
		{ "blockdev-remove-medium", DRIVE("false", INSERTED),
		  "\"blockdev-remove-medium cd0\",\"blockdev-close-tray cd0\",\"blockdev-del second\"]",
		  "closed" },
		/* Refuses the old one as well; what can be undone, is. */
		{ "blockdev-insert-medium", DRIVE("false", INSERTED),
		  "\"blockdev-remove-medium cd0\",\"blockdev-insert-medium cd0\","
		  "\"blockdev-insert-medium cd0\",\"blockdev-close-tray cd0\",\"blockdev-del second\"]",
		  "closed" },
		{ "blockdev-insert-medium", DRIVE("true", ""),
		  "\"blockdev-remove-medium cd0\",\"blockdev-insert-medium cd0\",\"blockdev-del second\"]",
		  "open" },
		{ "blockdev-close-tray", DRIVE("true", INSERTED),
		  "\"blockdev-insert-medium cd0\",\"blockdev-close-tray cd0\","
		  "\"blockdev-remove-medium cd0\",\"blockdev-insert-medium cd0\",\"blockdev-del second\"]",
		  "open" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *settings = g_strdup_printf("%s;fail:%s=no way", rows[i].drive,
							    rows[i].step);
		Domain *domain = fixture_run_domain(fixture, name, settings, DEVICES);
		g_auto(Answer) answer = { 0 };

		change(domain, MEDIUM("second"), false, &answer);
		answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "no way");
		assert_log(fixture, domain, rows[i].log);
		g_assert_cmpstr(get_tray(domain), ==, rows[i].tray);
	}
	fixture_forget(fixture);
}

/* A node that is in use elsewhere stays; the change is made all the same. */
static void test_old_stays(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", DRIVE("false", ""), DEVICES);

	change_ok(fixture, domain, MEDIUM("second"));
	fixture_set(fixture, domain, "fail:blockdev-del", "in use");
	change_ok(fixture, domain, MEDIUM("third"));
	assert_log(fixture, domain, "\"blockdev-del second\"]");
	fixture_forget(fixture);
}

static void test_locked(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "tray=locked;" DRIVE("false", INSERTED), DEVICES);
	g_auto(Answer) refused = { 0 }, forced = { 0 };

	change(domain, MEDIUM("second"), false, &refused);
	answer_wait_error(fixture, &refused, CORE_ERROR_REMOVAL_REFUSED, "locked the tray");
	assert_log(fixture, domain, "\"blockdev-open-tray cd0\",\"blockdev-del second\"]");
	fixture_expect(fixture, domain, NULL);
	change(domain, MEDIUM("second"), true, &forced);
	answer_wait_ok(fixture, &forced);
	fixture_expect(fixture, domain, "TrayChanged cd0 open ", "TrayChanged cd0 closed ", NULL);
}

static void test_refused(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *id, *medium;
		CoreError code;
		const char *text;
	} rows[] = {
		{ "cd0", "{}", CORE_ERROR_INVALID_ARGUMENT, "node-name" },
		{ "cd0", "[]", CORE_ERROR_INVALID_ARGUMENT, "node-name" },
		{ "cd0", "{\"node-name\":7}", CORE_ERROR_INVALID_ARGUMENT, "node-name" },
		{ "cd9", MEDIUM("second"), CORE_ERROR_NO_SUCH_DEVICE, "'cd9'" },
	};
	Domain *domain = fixture_run_domain(fixture, "a", DRIVE("false", "") ";hang=blockdev-open-tray",
					    DEVICES);
	g_auto(Answer) first = { 0 }, second = { 0 };

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(Answer) answer = { 0 };

		domain_change_media(domain, rows[i].id, fixture_json(rows[i].medium), false, DOMAIN_CALL_TIMEOUT_MS, on_answer,
				    &answer);
		answer_wait_error(fixture, &answer, rows[i].code, rows[i].text);
	}
	assert_log(fixture, domain, "\"cont\"]");
	/* One at a time; and its end is the end of the domain at the latest. */
	change(domain, MEDIUM("second"), false, &first);
	change(domain, MEDIUM("third"), false, &second);
	answer_wait_error(fixture, &second, CORE_ERROR_WRONG_STATE, "'cd0'");
	fixture_destroy(fixture, domain);
	answer_wait_error(fixture, &first, CORE_ERROR_MONITOR_LOST, "");
	fixture_forget(fixture);
}

/* The device goes in the middle: so does the medium. */
static void test_device_goes(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", DRIVE("false", ""), DEVICES);
	g_auto(Answer) answer = { 0 };

	change(domain, MEDIUM("second"), false, &answer);
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"cd0\"}"));
	answer_wait_error(fixture, &answer, CORE_ERROR_NO_SUCH_DEVICE, "'cd0'");
	assert_log(fixture, domain, "\"blockdev-close-tray cd0\",\"blockdev-del second\"]");
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/media/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("change", test_change);
	ADD("goes-with-device", test_goes_with_device);
	ADD("undo", test_undo);
	ADD("old-stays", test_old_stays);
	ADD("locked", test_locked);
	ADD("refused", test_refused);
	ADD("device-goes", test_device_goes);
	return g_test_run();
}
