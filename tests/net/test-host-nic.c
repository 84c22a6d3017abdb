/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/capability.h>
#include <string.h>

#include "sandbox.h"

#define CYCLES     200u
#define N_THREADS  4u
#define N_EACH     20u    /* links made by each of them */

/* One of each type. */
static const HostNicRequest requests[HOST_NIC_TYPE_MAX] = {
	[HOST_NIC_TAP] = { .type = HOST_NIC_TAP, .mac = SANDBOX_MAC, .queues = 1, .alias = "a" },
	[HOST_NIC_BRIDGE] = { .type = HOST_NIC_BRIDGE, .source = "bridge0", .mac = SANDBOX_MAC, .queues = 2,
			      .alias = "b" },
	[HOST_NIC_MACVTAP] = { .type = HOST_NIC_MACVTAP, .source = "lower0", .mode = "vepa", .mac = SANDBOX_MAC,
			       .queues = 2, .alias = "c" },
};

static void test_types(void)
{
	static const char *const names[HOST_NIC_TYPE_MAX] = { "tap", "bridge", "macvtap" };
	HostNicType found = HOST_NIC_TYPE_MAX;

	for (unsigned type = 0; type < HOST_NIC_TYPE_MAX; type++) {
		g_assert_cmpstr(host_nic_type_to_string((HostNicType) type), ==, names[type]);
		g_assert_true(host_nic_type_from_string(names[type], &found));
		g_assert_cmpuint(found, ==, type);
	}
	g_assert_false(host_nic_type_from_string("user", &found));
	g_assert_false(host_nic_type_from_string("", &found));
	g_assert_cmpuint(found, ==, HOST_NIC_TYPE_MAX - 1);
}

/* Names fit the kernel, differ, and are nobody's; nothing is made yet. */
static void test_plan(void)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	unsigned n_links = sandbox_count_links();

	for (unsigned i = 0; i < 300; i++) {
		const HostNicRequest *request = &requests[i % HOST_NIC_TYPE_MAX];
		g_autoptr(HostNic) nic = host_nic_plan(request);
		g_autoptr(HostNic) copy = host_nic_copy(nic);

		g_assert_cmpuint(strlen(nic->link), <, IFNAMSIZ);
		g_assert_true(g_str_has_prefix(nic->link, request->type == HOST_NIC_MACVTAP ? "vhmt" : "vhtap"));
		g_assert_cmpuint(nic->index, ==, 0);
		g_assert_false(nic->foreign);
		g_assert_cmpuint(nic->type, ==, request->type);
		g_assert_cmpstr(copy->link, ==, nic->link);
		g_assert_cmpuint(copy->type, ==, nic->type);
		g_hash_table_add(seen, g_strdup(nic->link));
	}
	/* Of 300 draws from 2^24 two are the same once in 370 runs, and three pairs of them never. */
	g_assert_cmpuint(g_hash_table_size(seen), >=, 298);
	g_assert_cmpuint(sandbox_count_links(), ==, n_links);
}

static void remove_without_error(const HostNic *nic)
{
	g_autoptr(GError) error = NULL;
	bool removed = host_nic_remove(nic, &error);

	g_assert_no_error(error);
	g_assert_true(removed);
}

static void test_remove(void)
{
	for (unsigned type = 0; type < HOST_NIC_TYPE_MAX; type++) {
		HostNicDescriptors descriptors;
		g_autoptr(HostNic) nic = sandbox_make(&requests[type], &descriptors);

		/* Also while it is open. */
		remove_without_error(nic);
		g_assert_false(sandbox_has_link(nic->link));
		remove_without_error(nic);
		host_nic_descriptors_close(&descriptors);
		remove_without_error(nic);
	}
}

/* The service was killed before it had written the index down: made or not made. */
static void test_remove_without_index(void)
{
	for (unsigned type = 0; type < HOST_NIC_TYPE_MAX; type++) {
		HostNicDescriptors descriptors;
		g_autoptr(HostNic) nic = sandbox_make(&requests[type], &descriptors);
		g_autoptr(HostNic) never = host_nic_plan(&requests[type]);

		nic->index = 0;
		remove_without_error(nic);
		g_assert_false(sandbox_has_link(nic->link));
		remove_without_error(never);
		host_nic_descriptors_close(&descriptors);
	}
}

/* Somebody else's link has the name: of another kind, or of the same kind with another index, or the link
 * that was made has another name now, or ours is the other name of one. */
static void test_remove_stranger(void)
{
	for (unsigned type = 0; type < HOST_NIC_TYPE_MAX; type++) {
		HostNicDescriptors descriptors;
		g_autoptr(HostNic) nic = sandbox_make(&requests[type], &descriptors);
		unsigned index = nic->index;

		nic->index = index + 1;
		remove_without_error(nic);
		g_assert_cmpuint(sandbox_link(nic->link).index, ==, index);

		sandbox_run("ip link set %s down", nic->link);
		sandbox_run("ip link set %s name renamed0", nic->link);
		nic->index = index;
		remove_without_error(nic);
		g_assert_cmpuint(sandbox_link("renamed0").index, ==, index);

		sandbox_run("ip link property add dev renamed0 altname %s", nic->link);
		g_assert_true(sandbox_has_link(nic->link));
		nic->index = 0;
		remove_without_error(nic);
		g_assert_cmpuint(sandbox_link("renamed0").index, ==, index);
		sandbox_run("ip link delete renamed0");
		host_nic_descriptors_close(&descriptors);

		sandbox_run("ip link add %s type veth peer name other0", nic->link);
		remove_without_error(nic);
		g_assert_cmpstr(sandbox_link(nic->link).kind, ==, "veth");
		sandbox_run("ip link delete %s", nic->link);
	}
}

static void test_remove_denied(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&requests[HOST_NIC_MACVTAP], &descriptors);
	g_autoptr(GError) error = NULL;

	sandbox_drop_capability(CAP_NET_ADMIN);
	g_assert_false(host_nic_remove(nic, &error));
	sandbox_restore_capabilities();
	g_assert_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED);
	g_assert_nonnull(strstr(error->message, nic->link));
	g_assert_nonnull(strstr(error->message, "CAP_NET_ADMIN is missing"));
	g_assert_true(sandbox_has_link(nic->link));
	sandbox_unmake(nic, &descriptors);
}

/* A link that the one of ours stands on, and takes along. */
static void test_lower_deleted(void)
{
	HostNicRequest request = requests[HOST_NIC_MACVTAP];
	HostNicDescriptors descriptors;
	HostNic *nic;

	sandbox_run("ip link add lower2 type veth peer name peer2");
	request.source = "lower2";
	nic = sandbox_make(&request, &descriptors);
	sandbox_run("ip link delete lower2");
	g_assert_false(sandbox_has_link(nic->link));
	sandbox_unmake(nic, &descriptors);
}

static void test_cycles(void)
{
	unsigned n_links = sandbox_count_links(), n_descriptors = sandbox_count_descriptors();

	for (unsigned i = 0; i < CYCLES; i++) {
		HostNicDescriptors descriptors;
		HostNic *nic = sandbox_make(&requests[i % HOST_NIC_TYPE_MAX], &descriptors);

		sandbox_unmake(nic, &descriptors);
	}
	g_assert_cmpuint(sandbox_count_links(), ==, n_links);
	g_assert_cmpuint(sandbox_count_descriptors(), ==, n_descriptors);
}

/* Its links have addresses of their own, and stand on one link together with those of the others. */
static void *make_and_remove(void *userdata)
{
	unsigned number = GPOINTER_TO_UINT(userdata);

	for (unsigned i = 0; i < N_EACH; i++) {
		g_autofree char *mac = g_strdup_printf("52:54:00:01:%02x:%02x", number, i);
		HostNicRequest request = requests[(number + i) % HOST_NIC_TYPE_MAX];
		HostNicDescriptors descriptors;
		int flags = 0;
		HostNic *nic;

		request.mac = mac;
		nic = sandbox_make(&request, &descriptors);
		for (unsigned queue = 0; queue < descriptors.n_queues; queue++) {
			g_autofree char *name = sandbox_queue_name(descriptors.queues[queue], &flags);

			g_assert_cmpstr(name, ==, nic->link);
		}
		sandbox_unmake(nic, &descriptors);
	}
	return NULL;
}

static void test_threads(void)
{
	unsigned n_links = sandbox_count_links(), n_descriptors = sandbox_count_descriptors();
	GThread *threads[N_THREADS];

	for (unsigned i = 0; i < N_THREADS; i++)
		threads[i] = g_thread_new("nics", make_and_remove, GUINT_TO_POINTER(i));
	for (unsigned i = 0; i < N_THREADS; i++)
		g_thread_join(threads[i]);
	g_assert_cmpuint(sandbox_count_links(), ==, n_links);
	g_assert_cmpuint(sandbox_count_descriptors(), ==, n_descriptors);
}

static void test_free_nothing(void)
{
	HostNicDescriptors none = { 0 };

	g_assert_null(host_nic_free(NULL));
	host_nic_descriptors_close(&none);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host-nic/types", test_types);
	g_test_add_func("/host-nic/plan", test_plan);
	g_test_add_func("/host-nic/remove", test_remove);
	g_test_add_func("/host-nic/remove-without-index", test_remove_without_index);
	g_test_add_func("/host-nic/remove-stranger", test_remove_stranger);
	g_test_add_func("/host-nic/remove-denied", test_remove_denied);
	g_test_add_func("/host-nic/lower-deleted", test_lower_deleted);
	g_test_add_func("/host-nic/cycles", test_cycles);
	g_test_add_func("/host-nic/threads", test_threads);
	g_test_add_func("/host-nic/free-nothing", test_free_nothing);
	return sandbox_main();
}
