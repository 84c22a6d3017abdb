/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain-fixture.h"
#include "domain/domain-internal.h"

/*
 * Links of the host that are made for a domain: they come with QEMU or with a NIC, go with it, and are found again
 * by the next service, wherever the one before was cut off. In a network namespace of the program's own, with
 * lower0, a link to stand on, br0, a bridge, and given0, a tap of somebody else. With real QEMUs it is in
 * tests/integration/test-interfaces.py.
 */

#define MACVTAP(id) "{\"id\":\"" id "\",\"type\":\"macvtap\",\"source\":\"lower0\"}"
#define BRIDGE(id) "{\"id\":\"" id "\",\"type\":\"bridge\",\"source\":\"br0\"}"
#define TAP(id) "{\"id\":\"" id "\",\"type\":\"tap\"}"
#define GIVEN(id) "{\"id\":\"" id "\",\"type\":\"tap\",\"source\":\"given0\"}"

/* Found before the fixture leaves nothing in PATH. */
static char *ip_program;

static void run_ip(const char *arguments)
{
	g_autofree char *line = g_strconcat(ip_program, " ", arguments, NULL);
	g_autofree char *errors = NULL;
	g_autoptr(GError) error = NULL;
	int status = 0;

	g_spawn_command_line_sync(line, NULL, &errors, &status, &error);
	g_assert_no_error(error);
	if (status != 0)
		g_error("%s: %s", line, errors);
}

static unsigned count_links(void)
{
	struct if_nameindex *links = if_nameindex();
	unsigned n_links = 0;

	while (links[n_links].if_index != 0)
		n_links++;
	if_freenameindex(links);
	return n_links;
}

static unsigned n_links_before;

static void assert_no_link_left(void)
{
	g_assert_cmpuint(count_links(), ==, n_links_before);
}

static bool is_down_to_before(void *userdata)
{
	return count_links() == n_links_before;
}

/* The name of a NIC's link, which is there. */
static char *get_link(Domain *domain, const char *nic)
{
	const HostNic *link = g_hash_table_lookup(domain->host_nics, nic);

	g_assert_nonnull(link);
	g_assert_cmpuint(if_nametoindex(link->link), ==, link->index);
	return g_strdup(link->link);
}

static char *read_run_file(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *path = fixture_path(fixture, domain, "run.json");
	char *text;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

static void assert_in_run_file(DomainFixture *fixture, Domain *domain, const char *text, bool expected)
{
	g_autofree char *contents = read_run_file(fixture, domain);

	if ((strstr(contents, text) != NULL) != expected)
		g_error("'%s' is %sin: %s", text, expected ? "not " : "", contents);
}

static void assert_log(DomainFixture *fixture, Domain *domain, const char *expected)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	g_assert_cmpstr(log, ==, expected);
}

static void wait_command(DomainFixture *fixture, Domain *domain, const char *command)
{
	gint64 deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;
	bool seen = false;

	while (!seen) {
		g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		seen = strstr(log, command) != NULL;
	}
}

static Domain *reopen(DomainFixture *fixture, const char *name)
{
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	return driver_find_domain(fixture->driver, name);
}

static unsigned count_descriptors(Domain *domain)
{
	unsigned n = 0;

	for (unsigned number = 256; number < 384; number++) {
		g_autofree char *path = g_strdup_printf("/proc/%d/fd/%u", (int)domain_get_pid(domain), number);

		n += g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? 1 : 0;
	}
	return n;
}

/* While the service is away: nobody else reaps it. */
static void end_process(pid_t pid)
{
	int status;

	g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
}

/* ---- start and end ---- */

static void test_start(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "," BRIDGE("b") ","
					    TAP("t") ",{\"id\":\"u\",\"type\":\"user\"}]");
	g_autofree char *macvtap = get_link(domain, "m"), *bridge = get_link(domain, "b");
	g_autofree char *tap = get_link(domain, "t");

	g_assert_cmpuint(g_hash_table_size(domain->host_nics), ==, 3);
	g_assert_cmpuint(count_links(), ==, n_links_before + 3);
	g_assert_cmpuint(count_descriptors(domain), ==, 3);
	assert_in_run_file(fixture, domain, macvtap, true);
	assert_in_run_file(fixture, domain, "\"index\":0", false);
	fixture_destroy(fixture, domain);
	assert_no_link_left();
	/* And each start makes others. */
	fixture_forget(fixture);
	fixture_start(fixture, domain);
	g_assert_cmpuint(count_links(), ==, n_links_before + 3);
	g_assert_cmpuint(if_nametoindex(macvtap), ==, 0);
	fixture_destroy(fixture, domain);
	assert_no_link_left();
}

static void test_queues(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL,
					    "\"interfaces\":[{\"id\":\"m\",\"type\":\"macvtap\",\"source\":\"lower0\","
					    "\"queues\":3}," "{\"id\":\"t\",\"type\":\"tap\",\"queues\":2}]");

	g_assert_cmpuint(count_descriptors(domain), ==, 5);
	fixture_destroy(fixture, domain);
	assert_no_link_left();
}

static void test_foreign(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" GIVEN("t") "]");
	g_autofree char *link = get_link(domain, "t");

	g_assert_cmpstr(link, ==, "given0");
	g_assert_cmpuint(count_descriptors(domain), ==, 1);
	fixture_destroy(fixture, domain);
	g_assert_cmpuint(if_nametoindex("given0"), !=, 0);
	assert_no_link_left();
}

/* What was made before it is gone, and so is all else. */
static void test_fails(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "," TAP("t")
					",{\"id\":\"x\",\"type\":\"bridge\",\"source\":\"nowhere\"}]");
	g_autofree char *folder = fixture_path(fixture, domain, NULL);
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, "interface 'x': ");
	g_assert_nonnull(strstr(answer.error->message, "nowhere"));
	fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off", NULL);
	assert_no_link_left();
	g_assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
}

/* QEMU does not come up: links are made before it, and go after it. */
static void test_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "start=fail", "\"interfaces\":[" MACVTAP("m") "]");
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, "no such thing");
	fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off", NULL);
	assert_no_link_left();
}

static void test_killed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "," BRIDGE("b") "]");

	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	assert_no_link_left();
}

/* A policy that wants another run gets another link. */
static void test_policy(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-crash\":\"restart\",\"interfaces\":["
					    MACVTAP("m") "]");
	g_autofree char *before = get_link(domain, "m"), *after = NULL;

	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", "starting recreated starting",
		       "started recreated running", NULL);
	after = get_link(domain, "m");
	g_assert_cmpstr(after, !=, before);
	g_assert_cmpuint(count_links(), ==, n_links_before + 1);
}

/* One that somebody has deleted under us is no error at the end. */
static void test_deleted(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "]");
	g_autofree char *link = get_link(domain, "m");
	g_autofree char *line = g_strconcat("link del ", link, NULL);

	run_ip(line);
	fixture_destroy(fixture, domain);
	assert_no_link_left();
}

static void set_network_administrator(bool is_one)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	g_assert_cmpint(syscall(SYS_capget, &header, data), ==, 0);
	if (is_one)
		data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective |= CAP_TO_MASK(CAP_NET_ADMIN);
	else
		data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective &= ~CAP_TO_MASK(CAP_NET_ADMIN);
	g_assert_cmpint(syscall(SYS_capset, &header, data), ==, 0);
}

/* One that cannot be removed is a record of its own. */
static void test_not_removed(DomainFixture *fixture, const void *data)
{
	g_autoptr(GHashTable) nics = host_nics_new();
	HostNic *nic = g_new0(HostNic, 1);

	run_ip("link add link lower0 name left0 type macvtap");
	nic->type = HOST_NIC_MACVTAP;
	nic->link = g_strdup("left0");
	nic->index = if_nametoindex("left0");
	g_hash_table_insert(nics, g_strdup("m"), nic);
	set_network_administrator(false);
	g_test_expect_message("vmherald", G_LOG_LEVEL_WARNING, "a: interface 'm': *left0*");
	host_nics_remove(nics, "a");
	g_test_assert_expected_messages();
	set_network_administrator(true);
	g_assert_cmpuint(if_nametoindex("left0"), !=, 0);
	host_nics_remove(nics, "a");
	assert_no_link_left();
}

/* ---- over a restart of the service ---- */

static void test_found_again(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "]");
	g_autofree char *before = get_link(domain, "m"), *after = NULL;

	domain = reopen(fixture, "a");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	after = get_link(domain, "m");
	g_assert_cmpstr(after, ==, before);
	fixture_destroy(fixture, domain);
	assert_no_link_left();
}

static void test_gone_meanwhile(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "," TAP("t") "]");
	pid_t pid = domain_get_pid(domain);

	fixture_close_driver(fixture);
	g_assert_cmpuint(count_links(), ==, n_links_before + 2);
	end_process(pid);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	fixture_wait_state(fixture, driver_find_domain(fixture->driver, "a"), DOMAIN_STATE_SHUT_OFF);
	assert_no_link_left();
	fixture_forget(fixture);
}

/* A start of which only a part was done: the run file has the names of the links, and perhaps their indexes. */
static void test_cut_off(DomainFixture *fixture, const void *data)
{
	static const struct {
		bool has_index, has_qemu;
	} rows[] = { { false, false }, { false, true }, { true, true } };

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		Domain *domain = fixture_run_domain(fixture, name, NULL, "\"interfaces\":[" MACVTAP("m") "]");
		g_autofree char *path = fixture_path(fixture, domain, "run.json");
		g_autofree char *text = read_run_file(fixture, domain);
		g_autofree char *index = g_strdup_printf("\"index\":%u", if_nametoindex(
			((HostNic *)g_hash_table_lookup(domain->host_nics, "m"))->link));
		g_autoptr(GString) changed = g_string_new(text);
		pid_t pid = domain_get_pid(domain);

		fixture_close_driver(fixture);
		fixture_forget(fixture);
		g_assert_cmpuint(g_string_replace(changed, "\"started\":true", "\"started\":false", 0), ==, 1);
		if (!rows[i].has_index)
			g_assert_cmpuint(g_string_replace(changed, index, "\"index\":0", 0), ==, 1);
		g_assert_true(g_file_set_contents(path, changed->str, -1, NULL));
		if (!rows[i].has_qemu)
			end_process(pid);
		g_assert_cmpuint(count_links(), ==, n_links_before + 1);
		fixture_open_driver(fixture);
		fixture_wait_state(fixture, driver_find_domain(fixture->driver, name), DOMAIN_STATE_SHUT_OFF);
		assert_no_link_left();
		fixture_forget(fixture);
	}
}

/* A folder that nobody knows of any more is removed by the next start, and what it speaks of. */
static void test_left_folder(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	g_autofree char *folder = fixture_path(fixture, domain, NULL);
	g_autofree char *path = fixture_path(fixture, domain, "run.json");

	run_ip("link add link lower0 name left0 type macvtap");
	g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
	g_assert_true(g_file_set_contents(path, "{\"host-nics\":{\"m\":{\"type\":\"macvtap\",\"link\":\"left0\","
					  "\"index\":0}}}", -1, NULL));
	fixture_start(fixture, domain);
	assert_no_link_left();
}

/* ---- plugged in and out ---- */

static void attach(Domain *domain, const char *json, Answer *answer)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(DefinitionInterface) interface = definition_parse_interface(json, strlen(json), &error);

	g_assert_no_error(error);
	domain_attach_interface(domain, interface, 20000, on_answer, answer);
}

static bool has_interface(const Domain *domain, const char *id)
{
	const GPtrArray *interfaces = domain_get_definition(domain)->interfaces;

	for (unsigned i = 0; i < interfaces->len; i++)
		if (g_str_equal(((DefinitionInterface *)g_ptr_array_index(interfaces, i))->id, id))
			return true;
	return false;
}

static void test_attach(DomainFixture *fixture, const void *data)
{
	static const char *const interfaces[] = { MACVTAP("n"), BRIDGE("n"), TAP("n"), GIVEN("n"),
						  "{\"id\":\"n\",\"type\":\"macvtap\",\"source\":\"lower0\","
						  "\"queues\":2}" };

	for (unsigned i = 0; i < G_N_ELEMENTS(interfaces); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		Domain *domain = fixture_run_domain(fixture, name, NULL, NULL);
		g_auto(Answer) answer = { 0 }, detach = { 0 };
		bool has_two = i == 4, is_given = i == 3;
		g_autofree char *link = NULL;

		attach(domain, interfaces[i], &answer);
		answer_wait_ok(fixture, &answer);
		g_assert_cmpstr(answer.result, ==, "n");
		link = get_link(domain, "n");
		g_assert_cmpuint(count_links(), ==, n_links_before + (is_given ? 0 : 1));
		g_assert_true(has_interface(domain, "n"));
		assert_in_run_file(fixture, domain, "under-way", false);
		assert_in_run_file(fixture, domain, link, true);
		fixture_expect(fixture, domain, "DeviceAdded n virtio-net-pci /machine/peripheral/n", NULL);

		domain_detach_device(domain, "n", 20000, on_answer, &detach);
		answer_wait_ok(fixture, &detach);
		fixture_expect(fixture, domain, "DeviceRemoved n /machine/peripheral/n", NULL);
		assert_log(fixture, domain, has_two
			   ? "[\"cont\",\"getfd\",\"getfd\",\"netdev_add host-n\",\"device_add n\","
			     "\"device_del n\",\"netdev_del host-n\"]"
			   : "[\"cont\",\"getfd\",\"netdev_add host-n\",\"device_add n\",\"device_del n\","
			     "\"netdev_del host-n\"]");
		g_assert_false(has_interface(domain, "n"));
		g_assert_cmpuint(g_hash_table_size(domain->host_nics), ==, 0);
		assert_in_run_file(fixture, domain, link, false);
		/* The scripted QEMU does not close what getfd gave it; the link goes all the same. */
		assert_no_link_left();
		fixture_destroy(fixture, domain);
		fixture_forget(fixture);
	}
}

/* One that QEMU was started with goes as one that was plugged in. */
static void test_detach_of_start(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") ",{\"id\":\"u\"}]");
	g_auto(Answer) answer = { 0 };

	domain_detach_device(domain, "m", 20000, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	assert_no_link_left();
	assert_log(fixture, domain, "[\"cont\",\"device_del m\",\"netdev_del host-m\"]");
	answer_clear(&answer);
	domain_detach_device(domain, "u", 20000, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	assert_log(fixture, domain, "[\"cont\",\"device_del m\",\"netdev_del host-m\",\"device_del u\","
		   "\"netdev_del host-u\"]");
	fixture_forget(fixture);
	/* The definition of the next start still has both. */
	fixture_destroy(fixture, domain);
	g_assert_true(has_interface(domain, "m"));
	fixture_forget(fixture);
}

/* By the guest, while nobody asks for it; and while the service is away. */
static void test_gone_by_itself(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "," MACVTAP("n") "]");

	fixture_emit(fixture, domain, "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"m\",\"path\":"
				      "\"/machine/peripheral/m\"}}");
	g_free(fixture_execute(fixture, domain, "x-forget", "{\"device\":\"n\"}"));
	fixture_forget(fixture);
	domain = reopen(fixture, "a");
	fixture_wait(fixture, is_down_to_before, NULL);
	fixture_forget(fixture);
}

static bool knows_no_link(void *domain)
{
	return g_hash_table_size(((Domain *)domain)->host_nics) == 0;
}

/* The service was killed when the netdev was out and the link was not. */
static void test_half_gone(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "]");

	g_free(fixture_execute(fixture, domain, "x-forget", "{\"device\":\"m\"}"));
	fixture_set(fixture, domain, "fail:netdev_del", "not found");
	domain = reopen(fixture, "a");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_wait(fixture, knows_no_link, domain);
	assert_no_link_left();
	fixture_expect(fixture, domain, "DeviceRemoved m /machine/peripheral/m (resync)",
		       "Resynchronized service-restarted", NULL);
}

static bool has_no_interface(void *domain)
{
	return domain_get_definition(domain)->interfaces->len == 0;
}

/* It was killed when all was out, but the definition of what runs had not followed: it does now. And one of the
 * same id that is plugged in is not taken for that. */
static void test_definition_late(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "]");
	g_autofree char *path = fixture_path(fixture, domain, "run.json");
	g_autofree char *text = NULL, *with_definition = NULL;
	g_auto(Answer) detach = { 0 }, answer = { 0 };
	g_autoptr(GString) changed = NULL;
	const char *definition, *end;

	text = read_run_file(fixture, domain);
	definition = strstr(text, "\"definition\":");
	end = strstr(definition, "\"backends\"");
	with_definition = g_strndup(definition, (gsize)(end - definition));
	domain_detach_device(domain, "m", 20000, on_answer, &detach);
	answer_wait_ok(fixture, &detach);
	fixture_close_driver(fixture);
	g_free(text);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	changed = g_string_new(text);
	definition = strstr(text, "\"definition\":");
	end = strstr(definition, "\"backends\"");
	g_string_erase(changed, definition - text, end - definition);
	g_string_insert(changed, definition - text, with_definition);
	g_assert_true(g_file_set_contents(path, changed->str, -1, NULL));
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_wait(fixture, has_no_interface, domain);
	fixture_set(fixture, domain, "hang", "netdev_add");
	attach(domain, MACVTAP("m"), &answer);
	wait_command(fixture, domain, "netdev_add");
	assert_in_run_file(fixture, domain, "\"netdev\":\"host-m\"", true);
	domain = reopen(fixture, "a");
	fixture_wait(fixture, is_down_to_before, NULL);
	fixture_forget(fixture);
}

/* Whatever fails, what was done before it is taken back, in reverse. */
static void test_attach_fails(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *setting, *log;
	} rows[] = {
		{ "fail:getfd", "[\"cont\",\"getfd\"]" },
		{ "fail:netdev_add", "[\"cont\",\"getfd\",\"getfd\",\"netdev_add host-n\",\"closefd\",\"closefd\"]" },
		{ "fail:device_add", "[\"cont\",\"getfd\",\"getfd\",\"netdev_add host-n\",\"device_add n\","
				     "\"netdev_del host-n\",\"closefd\",\"closefd\"]" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		Domain *domain = fixture_run_domain(fixture, name, NULL, NULL);
		g_auto(Answer) answer = { 0 };

		fixture_set(fixture, domain, rows[i].setting, "not now");
		attach(domain, "{\"id\":\"n\",\"type\":\"macvtap\",\"source\":\"lower0\",\"queues\":2}", &answer);
		answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "not now");
		assert_log(fixture, domain, rows[i].log);
		assert_no_link_left();
		g_assert_cmpuint(g_hash_table_size(domain->host_nics), ==, 0);
		g_assert_false(has_interface(domain, "n"));
		assert_in_run_file(fixture, domain, "under-way", false);
		fixture_destroy(fixture, domain);
		fixture_forget(fixture);
	}
}

static void test_attach_no_link(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" MACVTAP("m") "]");
	g_auto(Answer) answer = { 0 };

	attach(domain, "{\"id\":\"n\",\"type\":\"bridge\",\"source\":\"nowhere\"}", &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_IO, "interface 'n': ");
	assert_log(fixture, domain, "[\"cont\"]");
	assert_in_run_file(fixture, domain, "under-way", false);
	g_assert_cmpuint(count_links(), ==, n_links_before + 1);
	answer_clear(&answer);
	attach(domain, TAP("m"), &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_DEVICE_EXISTS, "'m'");
}

/* Without an id it gets one that neither what runs nor the definition has. */
static void test_attach_without_id(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"interfaces\":[" TAP("net0") "]");
	g_auto(Answer) answer = { 0 };

	attach(domain, "{\"type\":\"tap\"}", &answer);
	answer_wait_ok(fixture, &answer);
	g_assert_cmpstr(answer.result, ==, "net1");
	fixture_forget(fixture);
}

/* The service goes in the middle of it: the next one takes back what is not whole. */
static void test_attach_cut_off(DomainFixture *fixture, const void *data)
{
	static const char *const commands[] = { "getfd", "netdev_add", "device_add" };

	for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		Domain *domain = fixture_run_domain(fixture, name, NULL, NULL);
		g_auto(Answer) answer = { 0 };

		fixture_set(fixture, domain, "hang", commands[i]);
		attach(domain, MACVTAP("n"), &answer);
		wait_command(fixture, domain, commands[i]);
		g_assert_cmpuint(count_links(), ==, n_links_before + 1);
		assert_in_run_file(fixture, domain, "\"index\":0", false);
		domain = reopen(fixture, name);
		fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
		fixture_wait(fixture, is_down_to_before, NULL);
		wait_command(fixture, domain, "\"netdev_del host-n\",\"closefd\"]");
		fixture_forget(fixture);
		fixture_destroy(fixture, domain);
		fixture_forget(fixture);
	}
}

/* It is in after all, and nobody had written that down: the link is that of the device. */
static void test_attach_whole(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *path = fixture_path(fixture, domain, "run.json");
	g_auto(Answer) answer = { 0 }, detach = { 0 };
	g_autofree char *text = NULL;
	g_autoptr(GString) changed = NULL;

	attach(domain, MACVTAP("n"), &answer);
	answer_wait_ok(fixture, &answer);
	text = read_run_file(fixture, domain);
	changed = g_string_new(text);
	g_assert_cmpuint(g_string_replace(changed, "\"backends\":{\"n\":{\"netdev\":\"host-n\"}},\"host-nics\":{\"n\":",
					  "\"backends\":{},\"under-way\":{\"n\":{\"netdev\":\"host-n\",\"link\":",
					  0), ==, 1);
	g_assert_cmpuint(g_string_replace(changed, "\"foreign\":false}}", "\"foreign\":false}}}", 0), ==, 1);
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	g_assert_true(g_file_set_contents(path, changed->str, -1, NULL));
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpuint(count_links(), ==, n_links_before + 1);
	domain_detach_device(domain, "n", 20000, on_answer, &detach);
	answer_wait_ok(fixture, &detach);
	assert_no_link_left();
	fixture_forget(fixture);
}

/* QEMU ends in the middle of it. */
static void test_attach_and_end(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=netdev_add", NULL);
	g_auto(Answer) answer = { 0 };

	attach(domain, MACVTAP("n"), &answer);
	wait_command(fixture, domain, "netdev_add");
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_SHUT_OFF);
	assert_no_link_left();
	fixture_forget(fixture);
}

/* The monitor is lost, and comes again. */
static void test_attach_monitor_lost(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "close=netdev_add", NULL);
	g_auto(Answer) answer = { 0 };

	attach(domain, MACVTAP("n"), &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_wait(fixture, is_down_to_before, NULL);
	fixture_forget(fixture);
}

/* Its time is over: what is done of it is taken back when QEMU goes on. */
static void test_attach_too_late(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=netdev_add", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(DefinitionInterface) interface = definition_parse_interface(MACVTAP("n"), strlen(MACVTAP("n")),
									      &error);
	g_auto(Answer) answer = { 0 };

	g_assert_no_error(error);
	domain_attach_interface(domain, interface, 100, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_TIMEOUT, "");
	fixture_wait(fixture, is_down_to_before, NULL);
	wait_command(fixture, domain, "\"netdev_add host-n\",\"netdev_del host-n\",\"closefd\"]");
	fixture_forget(fixture);
}

/* In a container, the namespace may be one's own and its links not. */
static bool may_change_links(void)
{
	char *const line[] = { ip_program, (char *)"link", (char *)"set", (char *)"lo", (char *)"up", NULL };
	int status = -1;

	return g_spawn_sync(NULL, (char **)line, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL, NULL, &status,
			    NULL) && status == 0;
}

static void set_up_network(void)
{
	run_ip("link add lower0 type veth peer name peer0");
	run_ip("link set lower0 up");
	run_ip("link set peer0 up");
	run_ip("link add br0 type bridge");
	run_ip("link set br0 up");
	run_ip("tuntap add given0 mode tap");
	n_links_before = count_links();
}

#define ADD(name, function) FIXTURE_ADD("/domain/interfaces/" name, function)

int main(int argc, char **argv)
{
	/* Before there is any thread. */
	if (unshare(CLONE_NEWNET) < 0) {
		g_print("1..0 # SKIP no network namespace can be made here: %s\n", g_strerror(errno));
		return 0;
	}
	ip_program = g_find_program_in_path("ip");
	g_assert_nonnull(ip_program);
	if (!may_change_links()) {
		g_print("1..0 # SKIP no links can be made here: CAP_NET_ADMIN is missing\n");
		return 0;
	}
	set_up_network();
	g_test_init(&argc, &argv, NULL);
	ADD("start", test_start);
	ADD("queues", test_queues);
	ADD("foreign", test_foreign);
	ADD("fails", test_fails);
	ADD("refused", test_refused);
	ADD("killed", test_killed);
	ADD("policy", test_policy);
	ADD("deleted", test_deleted);
	ADD("not-removed", test_not_removed);
	ADD("found-again", test_found_again);
	ADD("gone-meanwhile", test_gone_meanwhile);
	ADD("cut-off", test_cut_off);
	ADD("left-folder", test_left_folder);
	ADD("attach", test_attach);
	ADD("detach-of-start", test_detach_of_start);
	ADD("gone-by-itself", test_gone_by_itself);
	ADD("half-gone", test_half_gone);
	ADD("definition-late", test_definition_late);
	ADD("attach-fails", test_attach_fails);
	ADD("attach-no-link", test_attach_no_link);
	ADD("attach-without-id", test_attach_without_id);
	ADD("attach-cut-off", test_attach_cut_off);
	ADD("attach-whole", test_attach_whole);
	ADD("attach-and-end", test_attach_and_end);
	ADD("attach-monitor-lost", test_attach_monitor_lost);
	ADD("attach-too-late", test_attach_too_late);
	return g_test_run();
}
