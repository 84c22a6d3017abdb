/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service.h"

/*
 * Manager.GetEvents(): what was told, once more (event/history.h), for who has missed some. Manager.CountEvents(): how much
 * that would be, for who only wants to know whether he has missed some.
 *
 * One call looks at a bounded number of events and answers with a bounded number of bytes, so that nobody waits for
 * somebody's long history. `last` says how far it got: whoever asks again from there gets the rest.
 */

#define EVENT_QUERY_LIMIT_DEFAULT  1000u
#define EVENT_QUERY_LIMIT_MAX      10000u
#define EVENT_QUERY_EXAMINED_MAX   20000u
#define EVENT_QUERY_BYTES_MAX      (4u * 1024 * 1024)
/* One for each event, more with a filter that has many parts: a few milliseconds. */
#define EVENT_COUNT_EFFORT_MAX     131072u

/* Of the vtable; userdata is the Service. */
int event_query_method(sd_bus_message *message, void *userdata, sd_bus_error *ret_error);
int event_query_count_method(sd_bus_message *message, void *userdata, sd_bus_error *ret_error);
