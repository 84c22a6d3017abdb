/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

/* Clients of the display: who is in the list, and in which phase. */

#define VNC_SERVER "{\"host\":\"\",\"service\":\"/run/vnc\",\"family\":\"unix\",\"websocket\":false," \
		   "\"auth\":\"sasl\"}"
#define VNC(what, host, service, family, more) \
	"{\"event\":\"VNC_" what "\",\"data\":{\"server\":" VNC_SERVER ",\"client\":{\"host\":\"" host \
	"\",\"service\":\"" service "\",\"family\":\"" family "\",\"websocket\":false" more "}}}"
#define UNIX(what, more) VNC(what, "", "", "unix", more)
#define TCP(what, port, more) VNC(what, "10.0.0.1", port, "ipv4", more)
#define USER(name) ",\"sasl_username\":\"" name "\",\"x509_dname\":\"CN=" name "\""
#define SPICE_ADDRESS(port) "\"host\":\"10.0.0.2\",\"port\":\"" port "\",\"family\":\"ipv4\""
#define SPICE(what, port, more) \
	"{\"event\":\"SPICE_" what "\",\"data\":{\"server\":{\"host\":\"h\",\"port\":\"5900\",\"family\":" \
	"\"ipv4\"},\"client\":{" SPICE_ADDRESS(port) more "}}}"
#define CHANNEL(id) ",\"connection-id\":7,\"channel-type\":1,\"channel-id\":" id ",\"tls\":true"

/* "PROTOCOL PHASE CLIENT [USER] [CHANNEL]", one a line. */
static char *describe(Domain *domain)
{
	const GPtrArray *clients = domain_get_clients(domain);
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < clients->len; i++) {
		const DisplayClient *client =
			&((DomainClient *)g_ptr_array_index(clients, i))->client;
		g_autofree char *address = display_client_format_address(client->client_host,
									 client->client_service);

		g_string_append_printf(text, "%s %s %s", client->protocol, client->phase, address);
		if (*client->sasl_username)
			g_string_append_printf(text, " %s %s", client->sasl_username,
					       client->x509_dname);
		if (client->has_channel)
			g_string_append_printf(text, " %d", (int)client->channel_id);
		g_string_append_c(text, '\n');
	}
	return g_string_free(text, FALSE);
}

static void assert_clients(Domain *domain, const char *expected)
{
	g_autofree char *text = describe(domain);

	g_assert_cmpstr(text, ==, expected);
}

static void emit(DomainFixture *fixture, Domain *domain, const char *events)
{
	fixture_emit(fixture, domain, events);
	fixture_forget(fixture);
}

/* ---- events ---- */

static void test_vnc(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture->changed = 0;
	fixture_emit(fixture, domain, TCP("CONNECTED", "1", ""));
	fixture_expect(fixture, domain, "Client vnc connected", NULL);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_CLIENTS);
	assert_clients(domain, "vnc connected 10.0.0.1:1\n");
	fixture_emit(fixture, domain, TCP("CONNECTED", "2", "") "," TCP("INITIALIZED", "1", USER("al")));
	fixture_expect(fixture, domain, "Client vnc connected", "Client vnc initialized", NULL);
	/* Who it is, is not told. */
	assert_detail(fixture_last(fixture), "client", "'10.0.0.1:1'");
	assert_detail(fixture_last(fixture), "server", "'/run/vnc'");
	assert_detail(fixture_last(fixture), "sasl-username", "");
	assert_detail(fixture_last(fixture), "x509-dname", "");
	assert_clients(domain, "vnc initialized 10.0.0.1:1 al CN=al\nvnc connected 10.0.0.1:2\n");
	emit(fixture, domain, TCP("DISCONNECTED", "2", ""));
	assert_clients(domain, "vnc initialized 10.0.0.1:1 al CN=al\n");
	emit(fixture, domain, TCP("DISCONNECTED", "1", USER("al")));
	assert_clients(domain, "");

	/* Whose beginning was not seen, and whose end is of nobody. */
	emit(fixture, domain, TCP("INITIALIZED", "3", "") "," TCP("DISCONNECTED", "4", ""));
	assert_clients(domain, "vnc initialized 10.0.0.1:3\n");
	fixture_destroy(fixture, domain);
	assert_clients(domain, "");
	fixture_forget(fixture);
}

/* They all have the same address. */
static void test_vnc_unix(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	emit(fixture, domain, UNIX("CONNECTED", "") "," UNIX("CONNECTED", "") "," UNIX("CONNECTED", "")
			      "," UNIX("INITIALIZED", USER("al")) "," UNIX("INITIALIZED", USER("bo")));
	assert_clients(domain, "vnc initialized  al CN=al\nvnc initialized  bo CN=bo\nvnc connected \n");
	emit(fixture, domain, UNIX("DISCONNECTED", USER("bo")));
	assert_clients(domain, "vnc initialized  al CN=al\nvnc connected \n");
	/* Nobody in particular: not one who is somebody. */
	emit(fixture, domain, UNIX("DISCONNECTED", ""));
	assert_clients(domain, "vnc initialized  al CN=al\n");
	emit(fixture, domain, UNIX("DISCONNECTED", ""));
	assert_clients(domain, "");
}

static bool has_channel_2(void *userdata)
{
	g_autofree char *text = describe(userdata);

	return g_str_equal(text, "spice initialized 10.0.0.2:1 2\n");
}

static void test_spice(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	emit(fixture, domain, SPICE("CONNECTED", "1", "") "," SPICE("CONNECTED", "2", ""));
	fixture_emit(fixture, domain, SPICE("INITIALIZED", "1", CHANNEL("1")));
	fixture_expect(fixture, domain, "Client spice initialized", NULL);
	assert_detail(fixture_last(fixture), "channel-id", "1");
	assert_detail(fixture_last(fixture), "tls", "true");
	assert_clients(domain, "spice initialized 10.0.0.2:1 1\nspice connected 10.0.0.2:2\n");
	emit(fixture, domain, SPICE("DISCONNECTED", "2", ""));
	assert_clients(domain, "spice initialized 10.0.0.2:1 1\n");

	/* Two of one address: which of them has gone, only the list knows. */
	emit(fixture, domain, SPICE("CONNECTED", "1", "") "," SPICE("INITIALIZED", "1", CHANNEL("2")));
	assert_clients(domain, "spice initialized 10.0.0.2:1 1\nspice initialized 10.0.0.2:1 2\n");
	fixture_set(fixture, domain, "reply:query-spice",
		    "{\"channels\":[{" SPICE_ADDRESS("1") CHANNEL("2") "}]}");
	fixture_emit(fixture, domain, SPICE("DISCONNECTED", "1", ""));
	fixture_expect(fixture, domain, "Client spice disconnected", NULL);
	fixture_wait(fixture, has_channel_2, domain);
	fixture_expect(fixture, domain, NULL);
}

/* They have gone with the guest; those of VNC have not. */
static void test_spice_migrated(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	emit(fixture, domain, SPICE("CONNECTED", "1", "") "," TCP("CONNECTED", "1", "") ","
			      SPICE("CONNECTED", "2", ""));
	fixture_emit(fixture, domain, "\"SPICE_MIGRATE_COMPLETED\"," SPICE("DISCONNECTED", "1", ""));
	fixture_expect(fixture, domain, "Client spice migrated", "Client spice disconnected", NULL);
	assert_clients(domain, "vnc connected 10.0.0.1:1\n");
}

/* ---- read afresh ---- */

#define LISTED(port, more) \
	"{\"host\":\"10.0.0.1\",\"service\":\"" port "\",\"family\":\"ipv4\",\"websocket\":false" more "}"
#define LISTED_UNIX(more) \
	"{\"host\":\"\",\"service\":\"\",\"family\":\"unix\",\"websocket\":false" more "}"
#define VNC_LIST(clients) \
	"[{\"id\":\"other\",\"server\":[],\"clients\":[]},{\"id\":\"default\",\"auth\":\"sasl\"," \
	"\"server\":[{\"host\":\"0\",\"service\":\"1\"}," VNC_SERVER "],\"clients\":[" clients "]}]"
#define SPICE_LIST(channels) "{\"enabled\":true,\"host\":\"h\",\"port\":5900,\"channels\":[" channels "]}"
#define LISTED_CHANNEL(port, id) "{" SPICE_ADDRESS(port) CHANNEL(id) "}"

static void lose(DomainFixture *fixture, Domain *domain, const char *vnc, const char *spice)
{
	fixture_set(fixture, domain, "reply:query-vnc-servers", vnc);
	fixture_set(fixture, domain, "reply:query-spice", spice);
	fixture_close_monitor(fixture, domain);
}

static void test_resync_vnc(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	emit(fixture, domain, TCP("CONNECTED", "1", "") "," TCP("CONNECTED", "2", "") ","
			      TCP("CONNECTED", "3", "") "," TCP("CONNECTED", "4", "") ","
			      TCP("INITIALIZED", "1", "") "," TCP("INITIALIZED", "2", USER("al")));
	/* 1 stays, 2 has gone, 3 stays as it was, 4 is somebody now, 5 is new. */
	lose(fixture, domain, VNC_LIST(LISTED("5", USER("cy")) "," LISTED("4", USER("bo")) ","
				       LISTED("3", "") "," LISTED("1", "")), "{\"enabled\":false}");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	for (unsigned i = 1; i + 1 < fixture->records->len; i++) {
		const Record *record = g_ptr_array_index(fixture->records, i);

		assert_detail(record->event, "reason", "'resync'");
		assert_detail(record->event, "sasl-username", "");
		assert_detail(record->event, "x509-dname", "");
		assert_detail(record->event, "websocket", "false");
	}
	fixture_expect(fixture, domain, "Lost closed", "Client vnc disconnected (resync)",
		       "Client vnc initialized (resync)", "Client vnc connected (resync)", "Client vnc initialized (resync)",
		       "Resynchronized monitor-lost", NULL);
	assert_clients(domain, "vnc initialized 10.0.0.1:1\nvnc connected 10.0.0.1:3\n"
			       "vnc initialized 10.0.0.1:4 bo CN=bo\n"
			       "vnc initialized 10.0.0.1:5 cy CN=cy\n");

	/* The same again is nothing. */
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	/* Nobody, not even a server. */
	lose(fixture, domain, "", "");
	fixture_expect(fixture, domain, "Lost closed", "Client vnc disconnected (resync)",
		       "Client vnc disconnected (resync)", "Client vnc disconnected (resync)",
		       "Client vnc disconnected (resync)", "Resynchronized monitor-lost", NULL);
	assert_clients(domain, "");
}

static void test_resync_spice(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	emit(fixture, domain, SPICE("CONNECTED", "1", "") "," SPICE("INITIALIZED", "1", CHANNEL("1"))
			      "," SPICE("CONNECTED", "2", "") "," SPICE("CONNECTED", "3", "") ","
			      SPICE("CONNECTED", "4", "") "," SPICE("INITIALIZED", "4", CHANNEL("4")));
	/* 1 stays, 2 has got further, 3 and 4 have gone, 5 is new. */
	lose(fixture, domain, "[]", SPICE_LIST(LISTED_CHANNEL("5", "5") "," LISTED_CHANNEL("2", "2") ","
					       LISTED_CHANNEL("1", "1")));
	fixture_expect(fixture, domain, "Lost closed", "Client spice initialized (resync)",
		       "Client spice disconnected (resync)", "Client spice disconnected (resync)",
		       "Client spice connected (resync)", "Client spice initialized (resync)",
		       "Resynchronized monitor-lost", NULL);
	assert_clients(domain, "spice initialized 10.0.0.2:1 1\nspice initialized 10.0.0.2:2 2\n"
			       "spice initialized 10.0.0.2:5 5\n");
}

/* Another service is told of no phase by VNC; it takes them for initialized, and is put right by what comes. */
static void test_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "reply:query-vnc-servers",
		    VNC_LIST(LISTED("1", "") "," LISTED_UNIX("") "," LISTED_UNIX("")));
	fixture_set(fixture, domain, "reply:query-spice", SPICE_LIST(LISTED_CHANNEL("1", "1")));
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	assert_clients(domain, "vnc initialized 10.0.0.1:1\nvnc initialized \nvnc initialized \n"
			       "spice initialized 10.0.0.2:1 1\n");
	emit(fixture, domain, SPICE("DISCONNECTED", "1", ""));
	assert_clients(domain, "vnc initialized 10.0.0.1:1\nvnc initialized \nvnc initialized \n");
}

static void test_late_initialized(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "reply:query-vnc-servers",
		    "[{\"server\":[" VNC_SERVER "],\"clients\":[" LISTED_UNIX("") "]}]");
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_forget(fixture);
	assert_clients(domain, "vnc initialized \n");
	emit(fixture, domain, UNIX("INITIALIZED", USER("al")));
	assert_clients(domain, "vnc initialized  al CN=al\n");
	emit(fixture, domain, UNIX("DISCONNECTED", USER("al")));
	assert_clients(domain, "");
}

static void test_malformed(DomainFixture *fixture, const void *data)
{
	static const char *const vnc[] = {
		"{}", "7", "null", "[7,null,[],{}]", "[{\"server\":7,\"clients\":7}]",
		"[{\"clients\":[7,null,[]]}]", "[{\"server\":[7,null],\"clients\":[7]}]",
	};
	static const char *const spice[] = {
		"[]", "7", "null", "{\"channels\":7}", "{\"channels\":[7,null,[],{}]}",
		"{\"channels\":[{\"host\":7,\"connection-id\":\"7\"}]}", "{\"channels\":{}}",
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(vnc); i++) {
		fixture_set(fixture, domain, "reply:query-vnc-servers", vnc[i]);
		fixture_set(fixture, domain, "reply:query-spice", spice[i]);
		fixture_close_driver(fixture);
		fixture_forget(fixture);
		fixture_open_driver(fixture);
		domain = driver_find_domain(fixture->driver, "a");
		fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
		assert_clients(domain, "");
	}
}

/* ---- bounds ---- */

static void test_bound(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autoptr(GString) events = g_string_new(NULL);

	for (unsigned i = 0; i < 258; i++)
		g_string_append_printf(events, "%s{\"event\":\"VNC_CONNECTED\",\"data\":{\"server\":"
				       VNC_SERVER ",\"client\":{\"host\":\"h\",\"service\":\"%u\","
				       "\"family\":\"ipv4\",\"websocket\":false}}}", i > 0 ? "," : "", i);
	g_test_expect_message("vmherald", G_LOG_LEVEL_MESSAGE, "*more than 256 clients*");
	fixture_emit(fixture, domain, events->str);
	g_test_assert_expected_messages();
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 258);
	g_assert_cmpuint(domain_get_clients(domain)->len, ==, 256);
	fixture_forget(fixture);
}

static void test_long_text(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *name = g_strnfill(4097, 'x');
	g_autofree char *event = g_strdup_printf(
		"{\"event\":\"VNC_INITIALIZED\",\"data\":{\"server\":" VNC_SERVER ",\"client\":{\"host\":\"h\","
		"\"service\":\"1\",\"family\":\"ipv4\",\"websocket\":false,\"x509_dname\":\"%s\"}}}", name);

	g_test_expect_message("vmherald", G_LOG_LEVEL_MESSAGE, "*more than 4096 bytes*");
	fixture_emit(fixture, domain, event);
	g_test_assert_expected_messages();
	fixture_expect(fixture, domain, "Client vnc initialized", NULL);
	assert_clients(domain, "");
}

#define ADD(name, function) FIXTURE_ADD("/domain/display/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("vnc", test_vnc);
	ADD("vnc-unix", test_vnc_unix);
	ADD("spice", test_spice);
	ADD("spice-migrated", test_spice_migrated);
	ADD("resync-vnc", test_resync_vnc);
	ADD("resync-spice", test_resync_spice);
	ADD("restart", test_restart);
	ADD("late-initialized", test_late_initialized);
	ADD("malformed", test_malformed);
	ADD("bound", test_bound);
	ADD("long-text", test_long_text);
	return g_test_run();
}
