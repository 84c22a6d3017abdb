/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The receive filter that a guest has set on a NIC, as query-rx-filter tells it (QEMU's
 * RxFilterInfo, qapi/net.json; only virtio-net implements it). Immutable, atomic count.
 */

#define RX_FILTER_ENTRIES_MAX 4096u     /* of each table: QEMU's VLAN table has that many bits */

typedef struct RxFilter {
	int ref_count;
	char *nic;                    /* QEMU's net client name: the device id */
	char *main_mac;
	bool promiscuous;
	char *unicast;                /* RxState: normal, none, all */
	char *multicast;
	char *vlan;
	/* QEMU (seen in 7.2, unchanged in the source of 10.2) fills "broadcast-allowed" from its flag that means
	 * broadcasts are *dropped*. Here it is what its name says. */
	bool broadcast_allowed;
	bool unicast_overflow;
	bool multicast_overflow;
	GStrv unicast_table;
	GStrv multicast_table;
	uint32_t *vlan_table;         /* empty if vlan is "all" */
	size_t n_vlans;
} RxFilter;

/* From one element of the array that query-rx-filter returns. A member that is missing or of the
 * wrong type counts as empty, "normal" or false, except name and main-mac: without them it is a
 * CORE_ERROR_QEMU_ERROR. Any thread. */
RxFilter *rx_filter_parse(JsonNode *node, GError **error);

RxFilter *rx_filter_ref(RxFilter *filter);
RxFilter *rx_filter_unref(RxFilter *filter);
bool rx_filter_equal(const RxFilter *a, const RxFilter *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RxFilter, rx_filter_unref)
