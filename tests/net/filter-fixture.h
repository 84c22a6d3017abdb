/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sandbox.h"

/*
 * Plans, and what is done with them to a link in the sandbox.
 */

#define OTHER_MAC "52:54:00:ab:cd:ef"

/* Nothing, to begin with. */
FilterPlan *fixture_plan_new(void);

/* Addresses as texts, which have to be some. */
Mac fixture_parse(const char *text);
void fixture_put(MacSet *set, const char *text);
bool fixture_contains(const MacSet *set, const char *text);

/* Have to succeed. */
HostFilter *fixture_read_filter(const HostNic *nic);
void fixture_apply(const HostNic *nic, const FilterPlan *plan);
/* Has to fail with that code, and a text that has part in it. */
void fixture_refuse(const HostNic *nic, const FilterPlan *plan, CoreError code, const char *part);

/* multicast: "normal", "all" or "none"; groups: JSON strings. */
RxFilter *fixture_guest_filter(const char *mac, const char *multicast, bool promiscuous, const char *groups);
/* Reads, plans and applies; after it the host is in line: there is nothing more to do. What is ours then. */
HostFilterOwn *fixture_follow(const HostNic *nic, const RxFilter *guest, const HostFilterOwn *own);
