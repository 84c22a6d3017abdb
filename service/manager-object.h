/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service.h"

/* /org/vmherald/Domains1: the Manager interface and the ObjectManager of all domains. */
int manager_object_register(Service *service);
