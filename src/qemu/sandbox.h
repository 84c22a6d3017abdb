/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"

/*
 * QEMU's own sandbox: what QEMU forbids itself before there is a guest (-sandbox, seccomp(2)).
 */

/* As little as it can do with: no system calls that nobody needs any more, no way to more rights, no other programs, no changes of
 * scheduling or limits. */
#define QEMU_SANDBOX_SAFE "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

/* Whether a QEMU of that definition is at least so confined. emulator_knows: -sandbox with all its options is built in. Pure.
 * CORE_ERROR_NOT_PERMITTED: the message begins with the key of the definition, and says what allows it. */
bool qemu_sandbox_check(const Definition *definition, bool emulator_knows, GError **error);
