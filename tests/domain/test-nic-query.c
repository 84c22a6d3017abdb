/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain-fixture.h"
#include "domain/nic-report.h"

/* What is told of NICs when somebody asks, with a scripted QEMU and no link of the host. */

#define MAC_1 "52:54:00:00:00:01"
#define MAC_2 "52:54:00:00:00:02"
#define FILTER(nic, mac) "{\"name\":\"" nic "\",\"main-mac\":\"" mac "\"}"
#define INTERFACES "\"interfaces\":[{\"id\":\"n1\",\"type\":\"none\",\"mac\":\"" MAC_1 "\"}," \
		   "{\"id\":\"n0\",\"mac\":\"" MAC_2 "\",\"model\":\"e1000\"}]"

typedef struct Nics {
	bool done;
	char *text;              /* "ID:MAC-OF-THE-GUEST[*] ..."; with an asterisk: of the definition */
	GError *error;
} Nics;

static void nics_clear(Nics *nics)
{
	g_clear_pointer(&nics->text, g_free);
	g_clear_error(&nics->error);
	nics->done = false;
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Nics, nics_clear)

static void on_nics(Domain *domain, const GPtrArray *reports, const GError *error, void *userdata)
{
	g_autoptr(GString) text = g_string_new(NULL);
	Nics *nics = userdata;

	g_assert_false(nics->done);
	g_assert_true((reports == NULL) != (error == NULL));
	nics->done = true;
	nics->error = error ? g_error_copy(error) : NULL;
	for (unsigned i = 0; reports && i < reports->len; i++) {
		const NicReport *report = g_ptr_array_index(reports, i);

		g_assert_nonnull(report->differences);
		g_assert_null(report->host);
		g_string_append_printf(text, "%s%s:%s%s", i > 0 ? " " : "", report->id,
				       report->guest ? report->guest->main_mac : "-",
				       report->interface ? "*" : "");
	}
	nics->text = g_strdup(text->str);
}

static bool is_done(void *userdata)
{
	return ((Nics *)userdata)->done;
}

static void assert_nics(DomainFixture *fixture, Domain *domain, const char *expected)
{
	g_auto(Nics) nics = { 0 };

	domain_get_nics(domain, on_nics, &nics);
	fixture_wait(fixture, is_done, &nics);
	g_assert_no_error(nics.error);
	g_assert_cmpstr(nics.text, ==, expected);
}

static bool has_filters(void *userdata)
{
	return g_hash_table_size(domain_get_filters(userdata)) > 0;
}

/* Interfaces in their order, then what else has a filter; as QEMU has it now, not as it was told last. */
static void test_fresh(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "filters=[" FILTER("n1", MAC_1) "]", INTERFACES);

	fixture_wait(fixture, has_filters, domain);
	assert_nics(fixture, domain, "n1:" MAC_1 "* n0:-*");
	fixture_set(fixture, domain, "filters", "[" FILTER("x", MAC_1) "," FILTER("n1", MAC_2) ",7,{}]");
	assert_nics(fixture, domain, "n1:" MAC_2 "* n0:-* x:" MAC_1);
	/* Nobody has asked for anything to be told. */
	fixture_expect(fixture, domain, NULL);
}

static void test_as_seen_last(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "filters=[" FILTER("n1", MAC_1) "]", INTERFACES);

	fixture_wait(fixture, has_filters, domain);
	fixture_set(fixture, domain, "filters", "[" FILTER("n1", MAC_2) "]");
	fixture_set(fixture, domain, "fail:query-rx-filter", "no");
	assert_nics(fixture, domain, "n1:" MAC_1 "* n0:-*");
	fixture_set(fixture, domain, "fail:query-rx-filter", "");
	fixture_set(fixture, domain, "reply:query-rx-filter", "{}");
	assert_nics(fixture, domain, "n1:" MAC_1 "* n0:-*");
	/* Neither an answer nor a refusal: not for ever. */
	fixture_set(fixture, domain, "hang", "query-rx-filter");
	assert_nics(fixture, domain, "n1:" MAC_1 "* n0:-*");
}

static void test_not_running(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, INTERFACES);
	g_auto(Nics) nics = { 0 };

	domain_get_nics(domain, on_nics, &nics);
	g_assert_true(nics.done);
	g_assert_error(nics.error, CORE_ERROR, CORE_ERROR_WRONG_STATE);
}

/* Who waits is answered when there is nothing to wait for any more: with what was seen last, if QEMU was lost before the
 * run was over. */
static void test_end_meanwhile(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=query-rx-filter", INTERFACES);
	g_auto(Nics) nics = { 0 };

	domain_get_nics(domain, on_nics, &nics);
	fixture_run_for(fixture, 20);
	g_assert_false(nics.done);
	fixture_destroy(fixture, domain);
	fixture_wait(fixture, is_done, &nics);
	if (nics.error)
		g_assert_error(nics.error, CORE_ERROR, CORE_ERROR_MONITOR_LOST);
	else
		g_assert_cmpstr(nics.text, ==, "n1:-* n0:-*");
	fixture_forget(fixture);
}

/* As many as may wait, and no more. */
static void test_bound(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=query-rx-filter", INTERFACES);
	g_autofree Nics *nics = g_new0(Nics, DOMAIN_PENDING_MAX + 1);

	for (unsigned i = 0; i <= DOMAIN_PENDING_MAX; i++)
		domain_get_nics(domain, on_nics, &nics[i]);
	g_assert_false(nics[DOMAIN_PENDING_MAX - 1].done);
	g_assert_error(nics[DOMAIN_PENDING_MAX].error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	fixture_destroy(fixture, domain);
	for (unsigned i = 0; i <= DOMAIN_PENDING_MAX; i++) {
		fixture_wait(fixture, is_done, &nics[i]);
		nics_clear(&nics[i]);
	}
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/nic-query/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("fresh", test_fresh);
	ADD("as-seen-last", test_as_seen_last);
	ADD("not-running", test_not_running);
	ADD("end-meanwhile", test_end_meanwhile);
	ADD("bound", test_bound);
	return g_test_run();
}
