/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"
#include "qemu/image-file.h"

/*
 * Firmware in flash: the code, which nobody writes, and the variables, a file for each domain that is made of a
 * template at its first start.
 *
 *   STATE/nvram/UUID.vars             of a persistent domain; goes when it is undefined
 *   RUNTIME/domains/UUID/UUID.vars    of a transient one; goes with the run
 *
 * unless the definition says where.
 */

#define FIRMWARE_VARS_MAX (64u * 1024 * 1024)

/* The path of the variables, in the folder nvram if the definition names none; NULL if the firmware has none. Pure;
 * any thread. */
char *firmware_vars_path(const Definition *definition, const char *nvram);

/* Looks whether the files can be read, and copies the template if the variables are not there. CORE_ERROR_START_FAILED,
 * CORE_ERROR_LIMIT_EXCEEDED or CORE_ERROR_IO name key, path and reason. Blocks: worker thread. */
bool firmware_prepare(const Definition *definition, const char *nvram, GError **error);

/* For a QEMU that has another user: makes the service's own file of variables, if it is not there, of a template that this user could
 * read. What the definition names beside it is left to whoever opens it. Errors as above, and CORE_ERROR_NOT_PERMITTED. */
bool firmware_prepare_for(const QemuImageAccess *access, const Definition *definition, const char *nvram, GError **error);

/* The variables that a persistent domain had. What is not there is no error. Blocks: worker thread. */
bool firmware_remove_vars(const char *nvram, const char *uuid, GError **error);
