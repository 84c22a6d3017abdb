/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <vmherald/glib.h>

#include "client/snapshot-internal.h"

/* Snapshots of what a service has answered (tests/data/client/managed-objects.gvariant, recorded of one with two domains), and of
 * what none should. */

#define ALPHA "1077d980-41aa-4b19-b321-7ce52dcf8264"
#define ZETA  "148a0983-e7db-49b7-a28e-91db5bce80af"
#define PATH  "/org/vmherald/Domains1/domain/_"
#define ZETA_PATH PATH "148a0983_e7db_49b7_a28e_91db5bce80af"

static VmhSnapshot *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) objects = g_variant_parse(G_VARIANT_TYPE("a{oa{sa{sv}}}"), text, NULL, NULL, &error);

	g_assert_no_error(error);
	return snapshot_new(objects, 42);
}

static VmhSnapshot *load(void)
{
	g_autofree char *path =
		g_test_build_filename(G_TEST_DIST, "data", "client", "managed-objects.gvariant", NULL);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	return parse(text);
}

static void test_recorded(void)
{
	g_autoptr(VmhSnapshot) snapshot = load();
	const VmhDomainInfo *info;

	g_assert_cmpuint(vmh_snapshot_get_sequence(snapshot), ==, 42);
	g_assert_cmpuint(vmh_snapshot_get_length(snapshot), ==, 2);
	info = vmh_snapshot_get_info(snapshot, 0);
	g_assert_cmpstr(info->name, ==, "alpha");
	g_assert_cmpstr(info->uuid, ==, ALPHA);
	g_assert_cmpint(info->state, ==, VMH_STATE_RUNNING);
	g_assert_cmpstr(info->state_reason, ==, "booted");
	g_assert_cmpuint(info->incarnation, ==, 1);
	g_assert_true(info->persistent);
	g_assert_false(info->adopted || info->autostart || info->has_saved_state);
	g_assert_cmpuint(info->pid, ==, 20489);
	g_assert_cmpuint(info->started_at, ==, 1795880536209604);
	g_assert_cmpstr(info->emulator, ==, "/usr/bin/qemu-system-x86_64");
	g_assert_cmpstr(info->machine, ==, "none");
	g_assert_cmpuint(info->cpus, ==, 1);
	g_assert_cmpuint(info->memory, ==, 16777216);
	info = vmh_snapshot_get_info(snapshot, 1);
	g_assert_cmpstr(info->name, ==, "zeta");
	g_assert_cmpstr(info->path, ==, ZETA_PATH);
	g_assert_cmpstr(info->title, ==, "Letzte Maschine");
	g_assert_cmpint(info->state, ==, VMH_STATE_SHUT_OFF);
	g_assert_cmpuint(info->pid, ==, 0);
	g_assert_null(vmh_snapshot_get_info(snapshot, 2));
}

static void test_find(void)
{
	g_autoptr(VmhSnapshot) snapshot = load();
	const VmhDomainInfo *zeta = vmh_snapshot_get_info(snapshot, 1);

	g_assert_true(vmh_snapshot_find(snapshot, "zeta") == zeta);
	g_assert_true(vmh_snapshot_find(snapshot, ZETA) == zeta);
	g_assert_true(vmh_snapshot_find(snapshot, "148A0983-E7DB-49B7-A28E-91DB5BCE80AF") == zeta);
	g_assert_true(vmh_snapshot_find(snapshot, ZETA_PATH) == zeta);
	g_assert_null(vmh_snapshot_find(snapshot, "Zeta"));
	g_assert_null(vmh_snapshot_find(snapshot, ""));
	g_assert_null(vmh_snapshot_find(snapshot, NULL));
}

static void test_properties(void)
{
	VmhSnapshot *snapshot = load();
	VmhValue *domain = vmh_snapshot_get_properties(snapshot, 0, "Domain");
	VmhValue *monitor = vmh_snapshot_get_properties(snapshot, 0, "org.vmherald.Domains1.Monitor");

	g_assert_cmpstr(vmh_value_lookup_string(domain, "Accelerator"), ==, "tcg");
	g_assert_cmpstr(vmh_value_lookup_string(monitor, "QemuVersion"), ==, "7.2.22");
	g_assert_null(vmh_snapshot_get_properties(snapshot, 0, "OfTomorrow"));
	g_assert_null(vmh_snapshot_get_properties(snapshot, 0, NULL));
	g_assert_null(vmh_snapshot_get_properties(snapshot, 2, "Domain"));
	/* They outlive it. */
	g_assert_true(vmh_snapshot_ref(snapshot) == snapshot);
	vmh_snapshot_unref(snapshot);
	g_assert_cmpuint(vmh_snapshot_get_length(snapshot), ==, 2);
	vmh_snapshot_unref(snapshot);
	vmh_snapshot_unref(NULL);
	g_assert_cmpstr(vmh_value_lookup_string(domain, "Name"), ==, "alpha");
	vmh_value_unref(domain);
	vmh_value_unref(monitor);
}

/* ---- what no service should answer ---- */

#define DOMAIN(uuid, properties) \
	"'" PATH uuid "': {'org.vmherald.Domains1.Domain': " properties "}"
#define A "aaaaaaaa_0000_4000_8000_000000000001"
#define B "bbbbbbbb_0000_4000_8000_000000000002"

static void test_nothing(void)
{
	g_autoptr(VmhSnapshot) snapshot = parse("{}");

	g_assert_cmpuint(vmh_snapshot_get_length(snapshot), ==, 0);
	g_assert_null(vmh_snapshot_get_info(snapshot, 0));
	g_assert_null(vmh_snapshot_find(snapshot, "a"));
}

/* Objects that are no domains, or have nothing of one. */
static void test_others(void)
{
	g_autoptr(VmhSnapshot) snapshot = parse(
		"{'/': {'org.vmherald.Domains1.Domain': {'Name': <'a'>}}, '/org/vmherald/Domains1': {},"
		" '" PATH "short': {'org.vmherald.Domains1.Domain': {'Name': <'b'>}},"
		" '" PATH B "': {'org.vmherald.Domains1.Block': {'Name': <'c'>}}}");

	g_assert_cmpuint(vmh_snapshot_get_length(snapshot), ==, 0);
}

/* What is missing, or of another type, is empty. */
static void test_empty(void)
{
	static const char *const properties[] = {
		"{}",
		"{'Name': <1>, 'Title': <['a']>, 'State': <true>, 'PID': <-1>, 'CPUs': <uint64 4294967296>,"
		" 'Memory': <'much'>, 'StartedAt': <-1>, 'Persistent': <1>, 'Incarnation': <1.5>}",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(properties); i++) {
		g_autofree char *text = g_strdup_printf("{" DOMAIN(A, "%s") "}", properties[i]);
		g_autoptr(VmhSnapshot) snapshot = parse(text);
		const VmhDomainInfo *info = vmh_snapshot_get_info(snapshot, 0);

		g_assert_cmpstr(info->name, ==, "");
		g_assert_cmpstr(info->title, ==, "");
		g_assert_cmpstr(info->state_reason, ==, "");
		g_assert_cmpstr(info->emulator, ==, "");
		g_assert_cmpstr(info->machine, ==, "");
		g_assert_cmpint(info->state, ==, VMH_STATE_OTHER);
		g_assert_cmpuint(info->incarnation + info->pid + info->cpus + info->memory + info->started_at, ==, 0);
		g_assert_false(info->persistent);
	}
}

/* One domain has another's uuid for a name; two have the same; and one is there twice. */
static void test_ambiguous(void)
{
	g_autoptr(VmhSnapshot) snapshot = parse(
		"{" DOMAIN(A, "{'Name': <'bbbbbbbb-0000-4000-8000-000000000002'>}") ","
		DOMAIN(B, "{'Name': <'same'>, 'PID': <byte 7>}") ","
		DOMAIN(B, "{'Name': <'same'>, 'PID': <uint32 8>}") "}");
	const VmhDomainInfo *info = vmh_snapshot_find(snapshot, "bbbbbbbb-0000-4000-8000-000000000002");

	g_assert_cmpuint(vmh_snapshot_get_length(snapshot), ==, 3);
	/* As the service looks: names first. */
	g_assert_true(g_str_has_suffix(info->path, A));
	info = vmh_snapshot_find(snapshot, "same");
	g_assert_true(g_str_has_suffix(info->path, B));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/snapshot/recorded", test_recorded);
	g_test_add_func("/client/snapshot/find", test_find);
	g_test_add_func("/client/snapshot/properties", test_properties);
	g_test_add_func("/client/snapshot/nothing", test_nothing);
	g_test_add_func("/client/snapshot/others", test_others);
	g_test_add_func("/client/snapshot/empty", test_empty);
	g_test_add_func("/client/snapshot/ambiguous", test_ambiguous);
	return g_test_run();
}
