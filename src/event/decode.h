/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/event.h"
#include "qmp/message.h"

/* A bus cuts off who sends more than it takes (32 MiB by default on the system bus). Above this, the data of an
 * event without a row is left out, and the details say how much it was. */
#define EVENT_DATA_MAX (4u * 1024 * 1024)

/* A QMP event as an Event, by its row in event/table.h; without a row as EVENT_MONITOR_EVENT. Never
 * NULL. Any thread. */
Event *event_decode(const QmpMessage *message);
