/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver-internal.h"

/*
 * What the service before this one has told of a domain: a kill may have come between its events and what it would have noted
 * of them (domain/commit.c).
 */

static uint64_t get_last(void *userdata)
{
	const Driver *driver = userdata;

	return sequence_last(driver->sequence);
}

/* Since after there are few: it was the last thing that the other did. */
static unsigned count_told(const Domain *domain, uint64_t after, void *userdata)
{
	const Driver *driver = userdata;
	const char *uuid = domain_get_uuid(domain);
	HistoryEntry entry;
	unsigned n = 0;

	for (uint64_t i = driver->sequence_at_start; i > after; i--) {
		if (!history_get(driver->history, i, &entry))
			break;
		/* A service that came between may have told that QEMU did not answer; that is no event of QEMU's. */
		n += entry.kind != EVENT_MONITOR_LOST && g_str_equal(entry.uuid, uuid);
	}
	return n;
}

void driver_told_init(Driver *driver)
{
	if (!driver->history)
		return;
	driver->host.get_last = get_last;
	driver->host.count_told = count_told;
}
