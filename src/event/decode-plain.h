/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/table.h"
#include "qmp/plain-event.h"

/* As event_decode() of the same line, if everything in it is as the row wants it: each member is named by a field and of its type,
 * each word is known, none is missing. NULL if not, or if the row has to look at the data itself: who decodes the tree tells
 * what is irregular. time: as of QmpMessage. Any thread. */
Event *event_decode_plain(const EventRow *row, const QmpPlainEvent *plain, int64_t time);
