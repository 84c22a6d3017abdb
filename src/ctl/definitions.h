/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/* What the service says of its files of definitions. */

/* Tells, on a terminal alone and on stderr, which of them have been changed by hand and not been taken in. domain: only if
 * that of this name is among them; NULL: all. Whatever fails is left out: it is not what was asked for. */
void definitions_note_changed(Ctl *ctl, const char *domain);
