/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

/* Ports between guest and host. */

#define AGENT    "org.qemu.guest_agent.0"
#define PATH(id) "/machine/peripheral/" id
#define DEVICES  "\"devices\":[{\"driver\":\"virtserialport\",\"id\":\"p0\"}," \
		 "{\"driver\":\"virtserialport\",\"id\":\"p1\"}," \
		 "{\"driver\":\"virtconsole\",\"id\":\"c0\"},{\"driver\":\"x\",\"id\":\"other\"}]"
#define PROPERTIES \
	"qom:" PATH("p0") "/name=\"" AGENT "\";qom:" PATH("p0") "/chardev=\"h0\";" \
	"qom:" PATH("p1") "/name=\"org.example\";qom:" PATH("p1") "/chardev=\"h1\";" \
	"qom:" PATH("c0") "/name=\"\";qom:" PATH("c0") "/chardev=\"h2\";"
#define CHARDEVS(h0, h1, h2) \
	"[{\"label\":\"h0\",\"frontend-open\":" h0 ",\"filename\":\"null\"}," \
	"{\"label\":\"h1\",\"frontend-open\":" h1 "},{\"label\":\"h2\",\"frontend-open\":" h2 "}," \
	"{\"label\":\"qmp\",\"frontend-open\":true}]"
#define REPLY(h0, h1, h2) "reply:query-chardev=" CHARDEVS(h0, h1, h2)
#define CHANGE(id, open) \
	"{\"event\":\"VSERPORT_CHANGE\",\"data\":{\"id\":\"" id "\",\"open\":" open "}}"

/* "NAME open", or "" if there is no such channel. */
static char *get(Domain *domain, const char *id)
{
	const DomainChannel *channel = g_hash_table_lookup(domain_get_channels(domain), id);

	return channel ? g_strdup_printf("%s %s%s", channel->name, channel->open ? "open" : "closed",
					 domain_channel_is_agent(channel) ? " agent" : "")
		       : g_strdup("");
}

static void assert_channel(Domain *domain, const char *id, const char *expected)
{
	g_autofree char *text = get(domain, id);

	g_assert_cmpstr(text, ==, expected);
}

/* Known at the start, and nothing is told of it. A console's front end is open always. */
static void test_start(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", PROPERTIES REPLY("true", "false", "true"),
					    DEVICES);

	g_assert_cmpuint(g_hash_table_size(domain_get_channels(domain)), ==, 3);
	assert_channel(domain, "p0", AGENT " open agent");
	assert_channel(domain, "p1", "org.example closed");
	assert_channel(domain, "c0", " closed");
	fixture_expect(fixture, domain, NULL);
	fixture_destroy(fixture, domain);
	g_assert_cmpuint(g_hash_table_size(domain_get_channels(domain)), ==, 0);
	fixture_forget(fixture);
}

static void test_events(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", PROPERTIES REPLY("false", "false", "true"),
					    DEVICES);

	fixture->changed = 0;
	fixture_emit(fixture, domain, CHANGE("p0", "true"));
	fixture_expect(fixture, domain, "ChannelChanged p0 open", NULL);
	assert_detail(fixture_last(fixture), "name", "'" AGENT "'");
	assert_detail(fixture_last(fixture), "agent", "true");
	assert_detail(fixture_last(fixture), "reason", "");
	assert_channel(domain, "p0", AGENT " open agent");
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_CHANNELS);

	fixture_emit(fixture, domain, CHANGE("p0", "false") "," CHANGE("c0", "true"));
	fixture_expect(fixture, domain, "ChannelChanged p0 closed", "ChannelChanged c0 open", NULL);
	assert_detail(fixture_last(fixture), "name", "''");
	assert_detail(fixture_last(fixture), "agent", "false");
	assert_channel(domain, "p0", AGENT " closed agent");
	assert_channel(domain, "c0", " open");

	/* The same again is told, for QEMU told it; it changes nothing. */
	fixture->changed = 0;
	fixture_emit(fixture, domain, CHANGE("p0", "false"));
	fixture_expect(fixture, domain, "ChannelChanged p0 closed", NULL);
	g_assert_false(fixture->changed & DOMAIN_PROPERTY_CHANNELS);

	/* One that nobody knew. */
	fixture_emit(fixture, domain, CHANGE("new", "true"));
	fixture_expect(fixture, domain, "ChannelChanged new open", NULL);
	assert_channel(domain, "new", " open");
}

typedef struct Wanted {
	Domain *domain;
	const char *id, *text;
} Wanted;

static bool is_as_wanted(void *userdata)
{
	const Wanted *wanted = userdata;
	g_autofree char *text = get(wanted->domain, wanted->id);

	return g_str_equal(text, wanted->text);
}

static void test_device(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", PROPERTIES REPLY("true", "false", "true"),
					    NULL);
	Wanted wanted = { domain, "p0", AGENT " open agent" };

	g_free(fixture_execute(fixture, domain, "device_add",
			       "{\"driver\":\"virtserialport\",\"id\":\"p0\"}"));
	fixture_wait(fixture, is_as_wanted, &wanted);
	fixture_expect(fixture, domain, "DeviceAdded p0 virtserialport " PATH("p0"), NULL);

	/* The event comes first, and then the reply that makes it a device of ours. */
	fixture_emit(fixture, domain, CHANGE("c0", "true"));
	g_free(fixture_execute(fixture, domain, "device_add",
			       "{\"driver\":\"virtconsole\",\"id\":\"c0\"}"));
	fixture_expect(fixture, domain, "ChannelChanged c0 open", "DeviceAdded c0 virtconsole " PATH("c0"),
		       NULL);
	assert_channel(domain, "c0", " open");

	fixture->changed = 0;
	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"p0\"}"));
	fixture_expect(fixture, domain, "DeviceRemoved p0 " PATH("p0"), NULL);
	assert_channel(domain, "p0", "");
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_CHANNELS);
}

/* QEMU tells of a port at most once a second, so the last of it may come when the port has gone: it is told, but
 * there is no such channel. One that comes later with the same id is one again. */
static void test_late(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", PROPERTIES REPLY("false", "false", "true"),
					    DEVICES);
	Wanted wanted = { domain, "p0", AGENT " closed agent" };

	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"p0\"}"));
	fixture_expect(fixture, domain, "DeviceRemoved p0 " PATH("p0"), NULL);
	fixture->changed = 0;
	fixture_emit(fixture, domain, CHANGE("p0", "false"));
	fixture_expect(fixture, domain, "ChannelChanged p0 closed", NULL);
	assert_channel(domain, "p0", "");
	g_assert_false(fixture->changed & DOMAIN_PROPERTY_CHANNELS);

	g_free(fixture_execute(fixture, domain, "device_add",
			       "{\"driver\":\"virtserialport\",\"id\":\"p0\"}"));
	fixture_wait(fixture, is_as_wanted, &wanted);
	fixture_forget(fixture);
	fixture_emit(fixture, domain, CHANGE("p0", "true"));
	fixture_expect(fixture, domain, "ChannelChanged p0 open", NULL);
	assert_channel(domain, "p0", AGENT " open agent");
}

/* What happened while the monitor was lost is told before it is said that it was found again; what was not so is
 * not. A console stays as it was. */
static void test_resync(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", PROPERTIES REPLY("true", "false", "true"),
					    DEVICES);

	fixture_emit(fixture, domain, CHANGE("c0", "true"));
	fixture_expect(fixture, domain, "ChannelChanged c0 open", NULL);
	fixture_set(fixture, domain, "reply:query-chardev", CHARDEVS("false", "false", "true"));
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "ChannelChanged p0 closed (resync)",
		       "Resynchronized monitor-lost", NULL);
	assert_channel(domain, "p0", AGENT " closed agent");
	assert_channel(domain, "c0", " open");

	fixture_set(fixture, domain, "reply:query-chardev", CHARDEVS("false", "true", "true"));
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "ChannelChanged p1 open (resync)",
		       "Resynchronized monitor-lost", NULL);
}

static void test_resync_details(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", PROPERTIES REPLY("true", "false", "true"),
					    DEVICES);
	const Record *record;

	fixture_set(fixture, domain, "reply:query-chardev", CHARDEVS("false", "false", "true"));
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpuint(fixture->records->len, ==, 3);
	record = g_ptr_array_index(fixture->records, 1);
	assert_detail(record->event, "reason", "'resync'");
	assert_detail(record->event, "name", "'" AGENT "'");
	assert_detail(record->event, "agent", "true");
	fixture_forget(fixture);
}

/* Another service has no picture that it could differ from. */
static void test_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", PROPERTIES REPLY("true", "false", "true"),
					    DEVICES);

	fixture_set(fixture, domain, "reply:query-chardev", CHARDEVS("false", "true", "true"));
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	assert_channel(domain, "p0", AGENT " closed agent");
	assert_channel(domain, "p1", "org.example open");
}

static void test_malformed(DomainFixture *fixture, const void *data)
{
	static const char *const answers[] = {
		"{}", "7", "null", "\"x\"", "[]", "[7,null,[],{}]", "[{\"label\":7,\"frontend-open\":true}]",
		"[{\"label\":\"h0\"}]", "[{\"label\":\"h0\",\"frontend-open\":7}]",
		"[{\"frontend-open\":true}]",
	};
	Domain *domain = fixture_run_domain(fixture, "a", PROPERTIES REPLY("true", "false", "true"),
					    DEVICES);

	for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
		fixture_set(fixture, domain, "reply:query-chardev", answers[i]);
		fixture_close_driver(fixture);
		fixture_forget(fixture);
		fixture_open_driver(fixture);
		domain = driver_find_domain(fixture->driver, "a");
		fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
		assert_channel(domain, "p0", AGENT " closed agent");
	}
	fixture_set(fixture, domain, "qom:" PATH("p0") "/name", "7");
	fixture_set(fixture, domain, "qom:" PATH("p0") "/chardev", "[]");
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	assert_channel(domain, "p0", " closed");
	fixture_forget(fixture);
}

/* Events of more ports than are kept are told all the same. */
static void test_bound(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autoptr(GString) events = g_string_new(NULL);

	for (unsigned i = 0; i < 1026; i++)
		g_string_append_printf(events, "%s{\"event\":\"VSERPORT_CHANGE\",\"data\":{\"id\":\"n%u\","
				       "\"open\":true}}", i > 0 ? "," : "", i);
	g_test_expect_message("vmherald", G_LOG_LEVEL_MESSAGE, "*more than 1024 channels; the others are left out*");
	fixture_emit(fixture, domain, events->str);
	g_test_assert_expected_messages();
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 1026);
	g_assert_cmpuint(g_hash_table_size(domain_get_channels(domain)), ==, 1024);
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/channels/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("start", test_start);
	ADD("events", test_events);
	ADD("device", test_device);
	ADD("late", test_late);
	ADD("resync", test_resync);
	ADD("resync-details", test_resync_details);
	ADD("restart", test_restart);
	ADD("malformed", test_malformed);
	ADD("bound", test_bound);
	return g_test_run();
}
