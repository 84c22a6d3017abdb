/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "qemu/program.h"

/*
 * Descriptors that a caller gives to one start: QEMU gets each by the number it was given with, and the
 * definition speaks of that number ("-add-fd", "fd=12"). They are for that start alone.
 */

#define DESCRIPTORS_MAX       64u
#define DESCRIPTOR_NUMBER_MIN 10u    /* those below are for what the service passes itself */
#define DESCRIPTOR_NUMBER_MAX 255u   /* and those above (qemu/interface.h) */

typedef struct Descriptors Descriptors;

Descriptors *descriptors_new(void);
/* Closes them. NULL-safe, returns NULL. */
Descriptors *descriptors_free(Descriptors *descriptors);

/* Takes a copy of fd. CORE_ERROR_INVALID_ARGUMENT: the number is out of range or is there already;
 * CORE_ERROR_LIMIT_EXCEEDED: there are DESCRIPTORS_MAX. */
bool descriptors_add(Descriptors *descriptors, unsigned number, int fd, GError **error);

/* By rising numbers; borrowed. descriptors may be NULL. */
const QemuDescriptor *descriptors_get(const Descriptors *descriptors, size_t *ret_n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Descriptors, descriptors_free)
