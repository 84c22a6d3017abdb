/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/host-nic.h"

/*
 * One step of a link behind its guest: what it lets through is read, compared with what the guest wants, and changed
 * if that guest is trusted. The plan is made afresh from all that the guest wants each time, so whatever has failed
 * is tried again with the next step. Blocks: workers.
 */

typedef struct FilterFollow {
	/* Filled in by the caller. */
	char *directory;         /* of the ledger (filter-ledger.h) */
	HostNic *link;
	RxFilter *guest;
	bool trusted;            /* else the link is looked at, and never touched */
	/* What is ours, before and after. */
	HostFilterOwn *own;      /* NULL: the ledger knows */
	bool unnoted;            /* and it does not know this */
	/* What has come of it. */
	bool synced;             /* the link lets through what the guest wants */
	bool changed;            /* it had to be changed for that */
	GError *error;           /* the first thing that has failed; its text is UTF-8 */
} FilterFollow;

void filter_follow_run(FilterFollow *follow);
/* What is in it. */
void filter_follow_clear(FilterFollow *follow);

/* The guest has gone: what is ours on a link that stays is taken out, and the ledger with it. domain: its name, for
 * the record if that is refused. */
void filter_follow_end(const char *directory, const HostNic *link, const char *domain);
