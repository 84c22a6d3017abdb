/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <linux/capability.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "domain-fixture.h"
#include "domain/domain-internal.h"
#include "sandbox.h"

/*
 * The host follows its guests: the guest's part is played by fake-qemu, the links are real, in a namespace of the
 * program's own. With a real QEMU it is in tests/integration/test-nic-sync.py.
 */

#define FIRST   "52:54:00:f1:00:01"
#define SECOND  "52:54:00:f1:00:02"
#define THIRD   "52:54:00:f1:00:03"
#define GROUP   "01:00:5e:00:00:fb"
#define OTHER_GROUP "01:00:5e:00:00:fc"

#define MACVTAP(id, trust)                                                                         \
	"{\"id\":\"" id "\",\"type\":\"macvtap\",\"source\":\"lower0\",\"mac\":\"" FIRST           \
	"\",\"trust-guest-rx-filters\":" trust "}"
#define TRUSTED    "\"interfaces\":[" MACVTAP("net0", "true") "]"
#define UNTRUSTED  "\"interfaces\":[" MACVTAP("net0", "false") "]"

/* Found before the fixture leaves nothing in PATH. */
static char *ip_program;

static unsigned n_links_before;
/* Of LOG_ID_FILTER_FAILED. */
static GPtrArray *failures;
static GMutex failures_lock;

/* ---- records ---- */

static GLogWriterOutput capture(GLogLevelFlags level, const GLogField *fields, size_t n_fields, void *userdata)
{
	const char *id = NULL, *error = NULL;

	for (size_t i = 0; i < n_fields; i++) {
		if (g_str_equal(fields[i].key, LOG_FIELD_MESSAGE_ID))
			id = fields[i].value;
		if (g_str_equal(fields[i].key, LOG_FIELD_ERROR))
			error = fields[i].value;
	}
	g_mutex_lock(&failures_lock);
	if (g_strcmp0(id, log_id_to_string(LOG_ID_FILTER_FAILED)) == 0)
		g_ptr_array_add(failures, g_strdup(error));
	g_mutex_unlock(&failures_lock);
	return G_LOG_WRITER_HANDLED;
}

static void set_up(DomainFixture *fixture, const void *data)
{
	failures = g_ptr_array_new_with_free_func(g_free);
	log_set_writer(capture, NULL);
	fixture_set_up(fixture, data);
}

static void tear_down(DomainFixture *fixture, const void *data)
{
	sandbox_restore_capabilities();
	fixture_tear_down(fixture, data);
	log_set_writer(NULL, NULL);
	g_ptr_array_unref(failures);
	g_assert_cmpuint(sandbox_count_links(), ==, n_links_before);
}

static void assert_failures(unsigned n)
{
	for (unsigned i = 0; i < failures->len; i++)
		g_test_message("recorded: %s", (const char *)g_ptr_array_index(failures, i));
	g_assert_cmpuint(failures->len, ==, n);
}

/* ---- the guest ---- */

/* groups and rest: JSON; rest begins with a comma, or is empty. */
static char *make_filter(const char *nic, const char *mac, const char *groups, const char *rest)
{
	return g_strdup_printf("{\"name\":\"%s\",\"main-mac\":\"%s\",\"promiscuous\":false,\"unicast\":\"normal\","
			       "\"multicast\":\"normal\",\"multicast-table\":[%s]%s}", nic, mac, groups, rest);
}

/* Without a word of QEMU's. */
static void set_filter(DomainFixture *fixture, Domain *domain, const char *mac, const char *groups, const char *rest)
{
	g_autofree char *filter = make_filter("net0", mac, groups, rest);
	g_autofree char *filters = g_strdup_printf("[%s]", filter);

	fixture_set(fixture, domain, "filters", filters);
}

static void emit_changed(DomainFixture *fixture, Domain *domain, const char *nic)
{
	g_autofree char *event = g_strdup_printf("{\"event\":\"NIC_RX_FILTER_CHANGED\",\"data\":{\"name\":\"%s\","
						 "\"path\":\"/machine/peripheral/%s\"}}", nic, nic);

	fixture_emit(fixture, domain, event);
}

static void change(DomainFixture *fixture, Domain *domain, const char *mac, const char *groups, const char *rest)
{
	set_filter(fixture, domain, mac, groups, rest);
	emit_changed(fixture, domain, "net0");
}

static void reset(DomainFixture *fixture, Domain *domain)
{
	fixture_emit(fixture, domain, "{\"event\":\"RESET\",\"data\":{\"guest\":true,\"reason\":\"guest-reset\"}}");
}

/* ---- the host ---- */

static const HostNic *get_nic(Domain *domain, const char *id)
{
	const HostNic *nic = g_hash_table_lookup(domain->host_nics, id);

	g_assert_nonnull(nic);
	return nic;
}

static HostFilter *read_host(Domain *domain, const char *id)
{
	g_autoptr(GError) error = NULL;
	HostFilter *filter = host_nic_read(get_nic(domain, id), &error);

	g_assert_no_error(error);
	return filter;
}

static void assert_mac(Domain *domain, const char *id, const char *expected)
{
	g_autoptr(HostFilter) host = read_host(domain, id);
	g_autofree char *mac = mac_to_string(&host->mac);

	g_assert_cmpstr(mac, ==, expected);
}

/* The groups that somebody has put there, separated by spaces. */
static void assert_groups(Domain *domain, const char *expected)
{
	g_autoptr(HostFilter) host = read_host(domain, "net0");
	g_auto(GStrv) groups = mac_set_to_strings(host->multicast_table);
	g_autofree char *text = g_strjoinv(" ", groups);

	g_assert_cmpstr(text, ==, expected);
}

static void assert_flags(Domain *domain, bool promiscuous, bool all_multicast)
{
	g_autoptr(HostFilter) host = read_host(domain, "net0");

	g_assert_cmpint(host->promiscuous, ==, promiscuous);
	g_assert_cmpint(host->all_multicast, ==, all_multicast);
}

#define run_ip(format, ...) sandbox_run("%s " format, ip_program, ##__VA_ARGS__)

/* Of the last event, and the same in what is known of the NIC. error: a part of it, or NULL for none. */
static void assert_host(DomainFixture *fixture, Domain *domain, const char *synced, const char *error)
{
	const Event *event = fixture_last(fixture);
	const DomainNicHost *host = domain_get_nic_host(domain, "net0");
	g_autofree char *link = g_strdup_printf("'%s'", get_nic(domain, "net0")->link);
	g_autofree char *found = event_detail(event, "host-error");

	assert_detail(event, "host-interface", link);
	assert_detail(event, "host-synced", synced);
	g_assert_nonnull(host);
	g_assert_cmpstr(host->link, ==, get_nic(domain, "net0")->link);
	g_assert_cmpint(host->synced, ==, g_str_equal(synced, "true"));
	if (error && !strstr(found, error))
		g_error("'%s' is not in: %s", error, found);
	if (!error)
		g_assert_cmpstr(found, ==, "");
	g_assert_cmpint(host->error != NULL, ==, error != NULL);
}

static Domain *reopen(DomainFixture *fixture)
{
	Domain *domain;

	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	return domain;
}

typedef struct Wait {
	Domain *domain;
	const char *nic;
} Wait;

static bool is_idle(void *userdata)
{
	const Wait *wait = userdata;

	return !filter_watch_is_busy(wait->domain->filter_watch) && !nic_sync_is_working(wait->domain);
}

/* All that was asked for has been looked at. A query for all of them asks for nothing, so a request follows it here. */
static void wait_idle(DomainFixture *fixture, Domain *domain)
{
	Wait wait = { domain, NULL };

	filter_watch_request(domain->filter_watch, "net0");
	fixture_wait(fixture, is_idle, &wait);
}

/* ---- the way of a change ---- */

static void test_follows(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	assert_mac(domain, "net0", FIRST);
	change(fixture, domain, FIRST, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	assert_host(fixture, domain, "true", NULL);

	change(fixture, domain, SECOND, "\"" GROUP "\"", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, "MacChanged net0 " FIRST " " SECOND, NULL);
	assert_detail(fixture_last(fixture), "host-synced", "");
	assert_mac(domain, "net0", SECOND);
	assert_groups(domain, GROUP);
	assert_flags(domain, false, false);

	change(fixture, domain, SECOND, "\"" OTHER_GROUP "\"", ",\"promiscuous\":true,\"multicast\":\"all\"");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_host(fixture, domain, "true", NULL);
	assert_detail(fixture_last(fixture), "reason", "");
	assert_groups(domain, OTHER_GROUP);
	assert_flags(domain, true, true);

	change(fixture, domain, SECOND, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_groups(domain, "");
	assert_flags(domain, false, false);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_FILTERS);
	fixture_destroy(fixture, domain);
	assert_failures(0);
}

/* The guest's change is told all the same, and whether the host happens to be as it should. */
static void test_untrusted(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, UNTRUSTED);

	change(fixture, domain, FIRST, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	assert_host(fixture, domain, "true", NULL);
	change(fixture, domain, SECOND, "\"" GROUP "\"", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, "MacChanged net0 " FIRST " " SECOND, NULL);
	g_assert_false(domain_get_nic_host(domain, "net0")->synced);
	assert_mac(domain, "net0", FIRST);
	assert_groups(domain, "");
	/* What is found without the guest's word is not put right either. */
	reset(fixture, domain);
	wait_idle(fixture, domain);
	assert_mac(domain, "net0", FIRST);
	fixture_forget(fixture);
	assert_failures(0);
}

static void test_no_link(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[{\"id\":\"net0\",\"type\":\"user\","
					    "\"trust-guest-rx-filters\":true}]");

	change(fixture, domain, FIRST, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	assert_detail(fixture_last(fixture), "host-interface", "");
	assert_detail(fixture_last(fixture), "host-synced", "");
	g_assert_null(domain_get_nic_host(domain, "net0"));
}

/* A tap without a bridge lets everything through. */
static void test_tap(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[{\"id\":\"net0\",\"type\":\"tap\"}]");

	change(fixture, domain, SECOND, "\"" GROUP "\"", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_host(fixture, domain, "true", NULL);
}

/* What the guest wants and cannot get. */
static void test_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	change(fixture, domain, SECOND, "", ",\"unicast-table\":[\"" THIRD "\"]");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_host(fixture, domain, "false", "passthru");
	/* The rest is done. */
	assert_mac(domain, "net0", SECOND);
	change(fixture, domain, SECOND, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_host(fixture, domain, "true", NULL);
	assert_failures(1);
}

/* ---- what nobody tells ---- */

/* QEMU says nothing of a reset's taking the guest's filter back; and the host may have been changed by somebody. */
static void test_reset(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	change(fixture, domain, SECOND, "\"" GROUP "\"", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	set_filter(fixture, domain, FIRST, "", "");
	reset(fixture, domain);
	fixture_expect(fixture, domain, "Reset guest guest-reset", "FilterChanged net0 " FIRST " (resync)",
		       "MacChanged net0 " SECOND " " FIRST " (resync)", NULL);
	assert_mac(domain, "net0", FIRST);
	assert_groups(domain, "");

	run_ip("link set %s promisc on", get_nic(domain, "net0")->link);
	reset(fixture, domain);
	fixture_expect(fixture, domain, "Reset guest guest-reset", "FilterChanged net0 " FIRST " (resync)", NULL);
	assert_host(fixture, domain, "true", NULL);
	assert_flags(domain, false, false);

	/* All as it was: no news. The request of wait_idle() is the one event. */
	reset(fixture, domain);
	wait_idle(fixture, domain);
	fixture_expect(fixture, domain, "Reset guest guest-reset", "FilterChanged net0 " FIRST, NULL);
	assert_detail(fixture_last(fixture), "reason", "");
	assert_failures(0);
}

static void test_monitor_back(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	change(fixture, domain, FIRST, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	set_filter(fixture, domain, SECOND, "\"" GROUP "\"", "");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	wait_idle(fixture, domain);
	assert_mac(domain, "net0", SECOND);
	assert_groups(domain, GROUP);
	fixture_forget(fixture);
}

/* ---- over a restart of the service ---- */

static char *ledger_path(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *name = g_strdup_printf("filter-%s.json", get_nic(domain, "net0")->link);

	return fixture_path(fixture, domain, name);
}

/* What is ours is taken out by the next service too, and what is an administrator's is not. */
static void test_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);
	const HostFilterOwn *own;
	Mac group;

	run_ip("maddress add 01:00:5e:00:00:01 dev %s", get_nic(domain, "net0")->link);
	change(fixture, domain, FIRST, "\"" GROUP "\"", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	assert_groups(domain, "01:00:5e:00:00:01 " GROUP);
	set_filter(fixture, domain, SECOND, "\"" OTHER_GROUP "\"", "");
	domain = reopen(fixture);
	wait_idle(fixture, domain);
	assert_groups(domain, "01:00:5e:00:00:01 " OTHER_GROUP);
	assert_mac(domain, "net0", SECOND);
	own = nic_sync_get_own(domain, "net0");
	g_assert_nonnull(own);
	g_assert_cmpuint(mac_set_get_size(own->multicast_table), ==, 1);
	g_assert_true(mac_parse(OTHER_GROUP, &group) && mac_set_contains(own->multicast_table, &group));
	fixture_forget(fixture);
	/* And with nothing changed by the guest: only the host is put right, and that is told. */
	run_ip("link set %s promisc on", get_nic(domain, "net0")->link);
	domain = reopen(fixture);
	wait_idle(fixture, domain);
	assert_flags(domain, false, false);
	assert_groups(domain, "01:00:5e:00:00:01 " OTHER_GROUP);
	fixture_forget(fixture);
}

/* A service that was killed between writing and adding: what is in the file and not on the link is nobody's. */
static void test_ledger(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *contents, *groups;
	} rows[] = {
		{ NULL, "" },                                   /* as we wrote it */
		{ "", GROUP }, { "{", GROUP },                  /* damaged: it stays */
		{ "{\"index\":%u,\"multicast\":[\"" GROUP "\",\"" OTHER_GROUP "\"],\"forwarding\":[]}", "" },
		{ "{\"index\":1,\"multicast\":[\"" GROUP "\"],\"forwarding\":[]}", GROUP },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);
		g_autofree char *path = ledger_path(fixture, domain), *text = NULL;
		g_auto(Answer) answer = { 0 };

		change(fixture, domain, FIRST, "\"" GROUP "\"", "");
		fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
		g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
		set_filter(fixture, domain, FIRST, "", "");
		if (rows[i].contents) {
			g_auto(GStrv) parts = g_strsplit(rows[i].contents, "%u", 2);
			g_autofree char *index = g_strdup_printf("%u", get_nic(domain, "net0")->index);

			text = g_strjoinv(index, parts);
		}
		fixture_close_driver(fixture);
		fixture_forget(fixture);
		if (text)
			g_assert_true(g_file_set_contents(path, text, -1, NULL));
		fixture_open_driver(fixture);
		domain = driver_find_domain(fixture->driver, "a");
		fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
		wait_idle(fixture, domain);
		assert_groups(domain, rows[i].groups);
		fixture_forget(fixture);
		fixture_destroy(fixture, domain);
		fixture_forget(fixture);
		driver_undefine(fixture->driver, domain, false, on_driver_answer, &answer);
		answer_wait_ok(fixture, &answer);
		fixture_forget(fixture);
	}
}

/* ---- failures ---- */

/* Two macvtaps on one link cannot have one address while they are up. It is tried again with the next change. */
static void test_address_in_use(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	run_ip("link add taken0 link lower0 address " SECOND " type macvtap mode bridge");
	run_ip("link set taken0 up");
	change(fixture, domain, FIRST, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	for (unsigned i = 0; i < 3; i++) {
		change(fixture, domain, SECOND, "\"" GROUP "\"", "");
		if (i == 0) {
			fixture_expect(fixture, domain, "FilterChanged net0 " SECOND,
				       "MacChanged net0 " FIRST " " SECOND, NULL);
			continue;
		}
		fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
		assert_host(fixture, domain, "false", "taken0");
		assert_mac(domain, "net0", FIRST);
		/* The rest is done. */
		assert_groups(domain, GROUP);
	}
	/* It has not gone by itself, but that is no news. */
	reset(fixture, domain);
	wait_idle(fixture, domain);
	fixture_expect(fixture, domain, "Reset guest guest-reset", "FilterChanged net0 " SECOND, NULL);
	assert_failures(1);

	run_ip("link del taken0");
	change(fixture, domain, SECOND, "\"" GROUP "\"", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_host(fixture, domain, "true", NULL);
	assert_mac(domain, "net0", SECOND);
	assert_failures(1);
}

static void test_deleted(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	change(fixture, domain, FIRST, "\"" GROUP "\"", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	/* At once, whatever the guest does. */
	run_ip("link del %s", get_nic(domain, "net0")->link);
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST " (resync)", NULL);
	assert_host(fixture, domain, "false", "gone");
	for (unsigned i = 0; i < 2; i++) {
		change(fixture, domain, FIRST, "", "");
		fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
		assert_host(fixture, domain, "false", "gone");
	}
	assert_failures(1);
}

/* Not trusted, so nobody wanted to touch it: but it is gone, and that is told. */
static void test_deleted_untrusted(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, UNTRUSTED);

	change(fixture, domain, FIRST, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	run_ip("link del %s", get_nic(domain, "net0")->link);
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST " (resync)", NULL);
	assert_host(fixture, domain, "false", "gone");
	assert_failures(1);
}

static void test_down(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	run_ip("link set %s down", get_nic(domain, "net0")->link);
	change(fixture, domain, SECOND, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_host(fixture, domain, "false", "down");
	run_ip("link set %s up", get_nic(domain, "net0")->link);
	change(fixture, domain, SECOND, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_host(fixture, domain, "true", NULL);
}

/* A service that was started again without CAP_NET_ADMIN; the next one has it, and puts right what this one could
 * not. */
static void test_not_permitted(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	change(fixture, domain, FIRST, "", "");
	fixture_expect(fixture, domain, "FilterChanged net0 " FIRST, NULL);
	fixture_close_driver(fixture);
	/* Its threads inherit that. */
	sandbox_drop_capability(CAP_NET_ADMIN);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	wait_idle(fixture, domain);
	fixture_forget(fixture);
	for (unsigned i = 0; i < 3; i++)
		change(fixture, domain, SECOND, "\"" GROUP "\"", "");
	wait_idle(fixture, domain);
	g_assert_false(domain_get_nic_host(domain, "net0")->synced);
	g_assert_nonnull(strstr(domain_get_nic_host(domain, "net0")->error, "CAP_NET_ADMIN"));
	assert_mac(domain, "net0", FIRST);
	assert_groups(domain, "");
	assert_failures(1);

	fixture_close_driver(fixture);
	sandbox_restore_capabilities();
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	wait_idle(fixture, domain);
	assert_mac(domain, "net0", SECOND);
	assert_groups(domain, GROUP);
	assert_failures(1);
	fixture_forget(fixture);
}

static bool are_both_told(void *userdata)
{
	return fixture_count(userdata, "a") >= 2;
}

/* One NIC's trouble is not the other's. */
static void test_two(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("net0", "true") ","
					    "{\"id\":\"net1\",\"type\":\"macvtap\",\"source\":\"lower1\",\"mac\":\""
					    FIRST "\",\"trust-guest-rx-filters\":true}]");
	g_autofree char *first = make_filter("net0", SECOND, "", ""), *second = make_filter("net1", THIRD, "", "");
	g_autofree char *filters = g_strdup_printf("[%s,%s]", first, second);

	run_ip("link del %s", get_nic(domain, "net0")->link);
	fixture_set(fixture, domain, "filters", filters);
	emit_changed(fixture, domain, "net0");
	emit_changed(fixture, domain, "net1");
	/* In which order is the load's business: the link that is gone is looked for twice. */
	fixture_wait(fixture, are_both_told, fixture);
	fixture_forget(fixture);
	g_assert_nonnull(strstr(domain_get_nic_host(domain, "net0")->error, "gone"));
	g_assert_true(domain_get_nic_host(domain, "net1")->synced);
	assert_mac(domain, "net1", THIRD);
}

/* ---- a guest that does nothing else ---- */

static void test_storm(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);
	gint64 begin = g_get_monotonic_time(), end = begin + G_TIME_SPAN_SECOND;
	unsigned n_changes = 0, n_told, bound;

	while (g_get_monotonic_time() < end || n_changes < 100) {
		change(fixture, domain, n_changes % 2 ? SECOND : THIRD, n_changes % 3 ? "" : "\"" GROUP "\"", "");
		g_assert_cmpuint(domain->nic_jobs, <=, 1);
		n_changes++;
	}
	change(fixture, domain, SECOND, "\"" OTHER_GROUP "\"", "");
	wait_idle(fixture, domain);
	/* One of wait_idle(), and one that had begun before. */
	bound = (unsigned)((g_get_monotonic_time() - begin) * FILTER_WATCH_QUERIES_PER_SECOND / G_TIME_SPAN_SECOND) + 2;
	n_told = 0;
	for (unsigned i = 0; i < fixture->records->len; i++) {
		const Record *record = g_ptr_array_index(fixture->records, i);

		n_told += g_str_has_prefix(record->text, "FilterChanged");
	}
	g_test_message("%u changes, told %u times", n_changes, n_told);
	g_assert_cmpuint(n_told, >=, 2);
	g_assert_cmpuint(n_told, <=, bound);
	assert_mac(domain, "net0", SECOND);
	assert_groups(domain, OTHER_GROUP);
	g_assert_true(domain_get_nic_host(domain, "net0")->synced);
	assert_failures(0);
	fixture_forget(fixture);
}

/* ---- NICs that come and go ---- */

static void attach(DomainFixture *fixture, Domain *domain, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DefinitionInterface) interface = definition_parse_interface(text, strlen(text), &error);
	g_auto(Answer) answer = { 0 };

	g_assert_no_error(error);
	domain_attach_interface(domain, interface, 20000, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

static void test_hotplug(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < 2; i++) {
		g_auto(Answer) answer = { 0 };
		g_autofree char *path = NULL;

		set_filter(fixture, domain, SECOND, "\"" GROUP "\"", "");
		attach(fixture, domain, MACVTAP("net0", "true"));
		/* Nobody has said that it changed: it is the first look. */
		wait_idle(fixture, domain);
		assert_mac(domain, "net0", SECOND);
		path = ledger_path(fixture, domain);
		g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
		fixture_forget(fixture);

		emit_changed(fixture, domain, "net0");
		domain_detach_device(domain, "net0", 20000, on_answer, &answer);
		answer_wait_ok(fixture, &answer);
		wait_idle(fixture, domain);
		fixture_set(fixture, domain, "filters", "[]");
		g_assert_null(domain_get_nic_host(domain, "net0"));
		g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
		fixture_forget(fixture);
	}
	/* Nobody says that a link was deleted that went with its NIC. */
	assert_failures(0);
}

/* QEMU ends while a worker is at the link, or just before, or just after: nothing is left, and nothing is told of
 * links that have gone with it. */
static void test_end(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("net0", "true") ","
					"{\"id\":\"t\",\"type\":\"tap\"}]");

	for (unsigned i = 0; i < 20; i++) {
		g_autofree char *first = make_filter("net0", i % 2 ? SECOND : THIRD, "\"" GROUP "\"", "");
		g_autofree char *second = make_filter("t", i % 2 ? SECOND : THIRD, "", "");
		g_autofree char *filters = g_strdup_printf("[%s,%s]", first, second);

		fixture_start(fixture, domain);
		fixture_set(fixture, domain, "filters", filters);
		filter_watch_request(domain->filter_watch, "net0");
		filter_watch_request(domain->filter_watch, "t");
		for (unsigned turn = 0; turn < i / 2; turn++)
			(void)loop_run_once(fixture->loop, 1);
		g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
		fixture_wait_state(fixture, domain, DOMAIN_STATE_SHUT_OFF);
		g_assert_false(nic_sync_is_working(domain));
		g_assert_cmpuint(sandbox_count_links(), ==, n_links_before);
		fixture_forget(fixture);
	}
	assert_failures(0);
}

/* The service goes in the midst of it. */
static void test_service_ends(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, TRUSTED);

	for (unsigned i = 0; i < 20; i++) {
		set_filter(fixture, domain, i % 2 ? SECOND : THIRD, i % 3 ? "\"" GROUP "\"" : "", "");
		filter_watch_request(domain->filter_watch, "net0");
		for (unsigned turn = 0; turn < i / 2; turn++)
			(void)loop_run_once(fixture->loop, 1);
		domain = reopen(fixture);
	}
	wait_idle(fixture, domain);
	assert_mac(domain, "net0", SECOND);
	assert_groups(domain, GROUP);
	assert_failures(0);
	fixture_forget(fixture);
}

/* A tap of somebody else's, at a bridge that learns nothing from it: it gets entries, and none of them stays. */
static void test_foreign(DomainFixture *fixture, const void *data)
{
	Domain *domain;
	g_autoptr(HostFilter) before = NULL, between = NULL, after = NULL;
	HostNic given = { .type = HOST_NIC_TAP, .link = (char *)"given0", .foreign = true };
	unsigned n_before;

	run_ip("link set bridge0 up");
	run_ip("tuntap add given0 mode tap");
	run_ip("link set given0 master bridge0 up");
	run_ip("link set given0 type bridge_slave learning off");
	given.index = if_nametoindex("given0");
	before = host_nic_read(&given, NULL);
	n_before = mac_set_get_size(before->forwarding);
	domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[{\"id\":\"net0\",\"type\":\"tap\","
				    "\"source\":\"given0\",\"trust-guest-rx-filters\":true}]");
	change(fixture, domain, SECOND, "", ",\"unicast-table\":[\"" THIRD "\"]");
	fixture_expect(fixture, domain, "FilterChanged net0 " SECOND, NULL);
	assert_host(fixture, domain, "true", NULL);
	between = host_nic_read(&given, NULL);
	g_assert_cmpuint(mac_set_get_size(between->forwarding), ==, n_before + 2);
	fixture_destroy(fixture, domain);
	after = host_nic_read(&given, NULL);
	g_assert_cmpuint(mac_set_get_size(after->forwarding), ==, n_before);
	run_ip("link del given0");
	assert_failures(0);
}

#define ADD(name, function) \
	g_test_add("/domain/nic-sync/" name, DomainFixture, NULL, set_up, function, tear_down)

static void count_links(void)
{
	n_links_before = sandbox_count_links();
}

int main(int argc, char **argv)
{
	ip_program = g_find_program_in_path("ip");
	g_assert_nonnull(ip_program);
	/* Each service has threads of its own, which have the capabilities that it was started with. */
	g_thread_pool_set_max_unused_threads(0);
	g_test_init(&argc, &argv, NULL);
	/* The first, before which there is nothing but the sandbox. */
	g_test_add_func("/domain/nic-sync/sandbox", count_links);
	ADD("follows", test_follows);
	ADD("untrusted", test_untrusted);
	ADD("no-link", test_no_link);
	ADD("tap", test_tap);
	ADD("refused", test_refused);
	ADD("reset", test_reset);
	ADD("monitor-back", test_monitor_back);
	ADD("restart", test_restart);
	ADD("ledger", test_ledger);
	ADD("address-in-use", test_address_in_use);
	ADD("deleted", test_deleted);
	ADD("deleted-untrusted", test_deleted_untrusted);
	ADD("down", test_down);
	ADD("not-permitted", test_not_permitted);
	ADD("two", test_two);
	ADD("storm", test_storm);
	ADD("hotplug", test_hotplug);
	ADD("end", test_end);
	ADD("service-ends", test_service_ends);
	ADD("foreign", test_foreign);
	return sandbox_main();
}
