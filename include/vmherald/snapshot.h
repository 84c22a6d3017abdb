/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmherald/event.h>
#include <vmherald/macros.h>
#include <vmherald/value.h>

/*
 * All domains with all their properties, at one place in the stream of events.
 */

VMH_BEGIN_DECLS

/* The properties of the interface Domain. */
typedef struct VmhDomainInfo {
	const char *path, *uuid, *name, *title;
	VmhDomainState state;
	const char *state_reason;
	uint64_t incarnation;
	bool persistent, adopted, autostart, has_saved_state;
	uint32_t pid;                  /* 0: there is none, or it is not known */
	uint64_t started_at;           /* 0: it does not run */
	const char *emulator, *machine;
	uint32_t cpus;
	uint64_t memory;               /* bytes */
} VmhDomainInfo;

typedef struct VmhSnapshot VmhSnapshot;

VMH_PUBLIC VmhSnapshot *vmh_snapshot_ref(VmhSnapshot *snapshot);
/* NULL-safe. */
VMH_PUBLIC void vmh_snapshot_unref(VmhSnapshot *snapshot);

/* What the events up to this sequence made of things is in the snapshot; what those after it did is not. */
VMH_PUBLIC uint64_t vmh_snapshot_get_sequence(const VmhSnapshot *snapshot);
/* Sorted by name. Borrowed. */
VMH_PUBLIC size_t vmh_snapshot_get_length(const VmhSnapshot *snapshot);
VMH_PUBLIC const VmhDomainInfo *vmh_snapshot_get_info(const VmhSnapshot *snapshot, size_t index);
/* The one with this name, uuid or path; NULL: there is none. Borrowed. */
VMH_PUBLIC const VmhDomainInfo *vmh_snapshot_find(const VmhSnapshot *snapshot, const char *name_uuid_or_path);
/* All properties (a{sv}) of one interface ("Network") of the domain at index; NULL: it has no such interface. A new reference. */
VMH_PUBLIC VmhValue *vmh_snapshot_get_properties(const VmhSnapshot *snapshot, size_t index, const char *interface);

VMH_END_DECLS
