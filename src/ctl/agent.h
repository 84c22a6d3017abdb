/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who asks for a password on a terminal: polkit's own agent, for as long as vmheraldctl runs. A desktop has one of its own, which
 * comes first. Without an agent polkit refuses what would need a password, and that is told.
 */

/* Returns when it can ask, or will not. Once; it ends with agent_stop(), or with us. */
void agent_start(void);
/* Does nothing if none was started. */
void agent_stop(void);
