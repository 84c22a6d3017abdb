/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/*
 * What a domain is called by systemd and by systemd-machined, each of which allows other characters in a name. Pure;
 * all that is returned is freed with g_free().
 */

/* vmherald-NAME.scope. The name comes whole, so that settings for one guest (vmherald-NAME.scope.d) and for all
 * (vmherald-.scope.d) can be given to the service manager; what it does not allow is escaped as in systemd.unit(5). */
char *unit_name_of_domain(const char *name);
/* Another one, for when that is taken: with the number of the process, which nobody else has meanwhile. ':' is in no
 * name of a domain. */
char *unit_name_of_process(const char *name, long pid);

/* A name that systemd-machined takes, which is a host name: the domain's, with - for what is not allowed. */
char *machine_name_of_domain(const char *name);
/* Another one, for when that is taken. */
char *machine_name_of_uuid(const char *name, const char *uuid);
