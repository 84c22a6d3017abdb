/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/domain.h"

/* Tells the administrator, if event is one for him: a record with the event's arguments and details as fields (base/log.h).
 * event is sealed, and the domain is in the state it tells. Event thread. */
void driver_record_event(const Domain *domain, const Event *event);
