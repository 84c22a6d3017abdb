/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"
#include "net/host-nic.h"

/*
 * A NIC from both sides, as it is at one moment: what its guest wants to receive, what its link lets through to it, and
 * in what they differ. What differs is what filter-plan.h would change; whether it may is another question.
 */

typedef struct NicReport {
	char *id;                       /* of the device */
	DefinitionInterface *interface; /* NULL: not one of the definition's interfaces */
	RxFilter *guest;                /* NULL: it has none that can be read */
	HostNic *link;                  /* NULL: it stands on no link that is ours */
	HostFilterOwn *own;             /* what of the link's filter was put there by us; NULL: nothing */
	/* Of nic_report_read(): */
	HostFilter *host;               /* NULL: no link, or host_error */
	char *host_error;
	GStrv differences;              /* keys of HostFilter as they are called on the bus; never NULL afterwards */
	char *refused;                  /* what no host can give the guest, for people; NULL: nothing */
} NicReport;

NicReport *nic_report_new(const char *id);
/* NULL-safe, returns NULL. */
NicReport *nic_report_free(NicReport *report);

/* Reads the link and compares. Worker thread. */
void nic_report_read(NicReport *report);

/* Compares guest and host, if both are there. Pure. */
void nic_report_compare(NicReport *report);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicReport, nic_report_free)
