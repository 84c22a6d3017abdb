/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/*
 * Domains are known on the bus by their uuid; their names are learned on the way, by listening, and, if wanted, from the
 * service's list.
 */

/* Names of removed domains that are kept for their last events. */
#define DOMAIN_NAMES_GONE_MAX 256u

typedef struct DomainNames DomainNames;

DomainNames *domain_names_new(void);
DomainNames *domain_names_free(DomainNames *names);

/* NULL: not known. uuid is "" for what is of no domain. Borrowed. */
const char *domain_names_get(const DomainNames *names, const char *uuid);

/* From what tells of domains that come, go, or have another name. */
void domain_names_heed(DomainNames *names, const VmhEvent *event);
void domain_names_take(DomainNames *names, const VmhSnapshot *snapshot);
/* By one call. False: the service is not there. That it does not answer in time is told. */
bool domain_names_ask(DomainNames *names, VmhConnection *connection);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DomainNames, domain_names_free)
