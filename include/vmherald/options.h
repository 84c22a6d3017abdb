/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <vmherald/macros.h>

/*
 * The options of a call, by the names that the reference page gives them. NULL is as good as none. The service refuses an
 * option that it does not know. A call with a string that is NULL or not UTF-8 is VMH_ERROR_INVALID_ARGUMENT.
 */

VMH_BEGIN_DECLS

typedef struct VmhOptions VmhOptions;

VMH_PUBLIC VmhOptions *vmh_options_new(void);
/* NULL-safe. */
VMH_PUBLIC void vmh_options_free(VmhOptions *options);

/* Set, or set anew. Keys and strings are copied. One thread at a time. Since 0.1. */
VMH_PUBLIC void vmh_options_set_string(VmhOptions *options, const char *key, const char *string);
VMH_PUBLIC void vmh_options_set_bool(VmhOptions *options, const char *key, bool value);
/* Durations in microseconds are such: t. */
VMH_PUBLIC void vmh_options_set_uint64(VmhOptions *options, const char *key, uint64_t number);
VMH_PUBLIC void vmh_options_set_uint32(VmhOptions *options, const char *key, uint32_t number);
/* The descriptor is duplicated; -1 if that failed (errno). */
VMH_PUBLIC int vmh_options_set_fd(VmhOptions *options, const char *key, int fd);
/* One of several descriptors that have numbers (a{uh}: descriptors of Domain.Start()), in addition to those with other numbers.
 * As vmh_options_set_fd(). */
VMH_PUBLIC int vmh_options_add_numbered_fd(VmhOptions *options, const char *key, uint32_t number, int fd);

VMH_END_DECLS
