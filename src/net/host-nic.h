/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/error.h"
#include "net/filter-plan.h"

/*
 * The host's side of a NIC: a link that the service makes for a guest, opens for its QEMU, and removes again.
 *
 *   host_nic_plan()     gives it its name: written down before anything is made, so that a service that is killed
 *                       in between leaves nothing that the next one does not know of
 *   host_nic_make()     makes the link, opens it once for each queue, brings it up
 *   host_nic_read()     what it lets through
 *   host_nic_apply()    changes that
 *   host_nic_remove()   takes it away, if it still is the one that was made
 *
 * All of it but the plain values blocks on the kernel (rtnetlink): worker thread. Everything happens in the network
 * namespace that the service is in.
 */

typedef enum HostNicType {
	HOST_NIC_TAP,            /* a tap of its own; with a source: that tap, which somebody else has made */
	HOST_NIC_BRIDGE,         /* a tap that is a port of a bridge */
	HOST_NIC_MACVTAP,        /* on top of another link */
	HOST_NIC_TYPE_MAX,
} HostNicType;

const char *host_nic_type_to_string(HostNicType type);
bool host_nic_type_from_string(const char *text, HostNicType *ret_type);

#define HOST_NIC_QUEUES_MAX  16u

/* A plain value, kept in the run file. */
typedef struct HostNic {
	HostNicType type;
	char *link;              /* name of the link, at most 15 bytes */
	unsigned index;          /* interface index; 0: it may have been made or not */
	bool foreign;            /* made by somebody else: it stays */
} HostNic;

/* What a definition wants. Borrowed. */
typedef struct HostNicRequest {
	HostNicType type;
	const char *source;      /* link, bridge or tap; NULL: none */
	const char *mode;        /* of a macvtap: "bridge", "vepa", "private", "passthru" */
	const char *mac;         /* of the guest */
	unsigned queues;
	bool vhost;
	const char *alias;       /* shown by `ip link`, says whose it is */
} HostNicRequest;

/* What QEMU gets; all close-on-exec, owned. */
typedef struct HostNicDescriptors {
	unsigned n_queues;
	int queues[HOST_NIC_QUEUES_MAX];
	unsigned n_vhost;        /* 0, or as many as queues */
	int vhost[HOST_NIC_QUEUES_MAX];
} HostNicDescriptors;

void host_nic_descriptors_close(HostNicDescriptors *descriptors);

/* A name that no link has (or, foreign, the source's). Any thread. */
HostNic *host_nic_plan(const HostNicRequest *request);
HostNic *host_nic_copy(const HostNic *nic);
/* The value alone. NULL-safe, returns NULL. */
HostNic *host_nic_free(HostNic *nic);

/* Sets nic->index. On failure nothing remains. CORE_ERROR_NOT_PERMITTED says which capability is missing
 * and for what; CORE_ERROR_START_FAILED names the link, the bridge or the device that is not there. */
bool host_nic_make(HostNic *nic, const HostNicRequest *request, HostNicDescriptors *ret_descriptors,
		   GError **error);

/* Nothing happens to a link that has the name and is not the one that was made; one that is gone is no
 * error. */
bool host_nic_remove(const HostNic *nic, GError **error);

/* CORE_ERROR_NO_SUCH_LINK if it was deleted, or renamed, which is the same here: a name and an index are
 * looked at together. CORE_ERROR_LIMIT_EXCEEDED: it has more than HOST_FILTER_ENTRIES_MAX groups or
 * entries. */
HostFilter *host_nic_read(const HostNic *nic, GError **error);

/* As far as it goes: after an error the rest is tried too, and the first error is returned.
 * CORE_ERROR_NO_SUCH_LINK, CORE_ERROR_NOT_PERMITTED, CORE_ERROR_IO (the text says what was refused and,
 * where it is known, why: an address that another link on the same lower device uses). */
bool host_nic_apply(const HostNic *nic, const FilterPlan *plan, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostNic, host_nic_free)
