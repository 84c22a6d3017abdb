/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/* An event as a line, for people or as JSON. */

/* domain: the name of its domain; NULL: not known. */
void event_line_print(const Ctl *ctl, const VmhEvent *event, const char *domain);

/* "Domain.Lifecycle", of signals that the library does not know as well. Free with g_free(). */
char *event_line_name(const VmhEvent *event);
/* "Domain" for the full name of an interface. Borrowed. */
const char *event_line_interface(const char *interface);
