/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmherald/macros.h>

/*
 * A value of the bus of any type: details, properties, and the arguments of signals that the library does not know yet.
 *
 * Immutable. Variants are seen through: what is in one is what is got. Strings that are given out live as long as the value
 * they were got from, children need no more than themselves.
 */

VMH_BEGIN_DECLS

typedef struct VmhValue VmhValue;

VMH_PUBLIC VmhValue *vmh_value_ref(const VmhValue *value);
/* NULL-safe. */
VMH_PUBLIC void vmh_value_unref(VmhValue *value);

/* The type as D-Bus writes it ("s", "a{sv}"). Borrowed. */
VMH_PUBLIC const char *vmh_value_get_type(const VmhValue *value);

/* s, o or g; else NULL. NULL-safe. Borrowed. */
VMH_PUBLIC const char *vmh_value_get_string(const VmhValue *value);
/* False, and *ret_... as it was, if the value is of another kind, or does not fit. Integers of any size. NULL-safe. */
VMH_PUBLIC bool vmh_value_get_bool(const VmhValue *value, bool *ret_bool);
VMH_PUBLIC bool vmh_value_get_uint64(const VmhValue *value, uint64_t *ret_number);
VMH_PUBLIC bool vmh_value_get_int64(const VmhValue *value, int64_t *ret_number);

/* Elements of an array or a struct, entries of a dictionary; 0 for all others. NULL-safe. */
VMH_PUBLIC size_t vmh_value_get_length(const VmhValue *value);
/* The element at index, in a dictionary the value of an entry. NULL if there is none. A new reference. */
VMH_PUBLIC VmhValue *vmh_value_get_child(const VmhValue *value, size_t index);
/* The key of an entry of a dictionary with strings (s, o) as keys; NULL if there is none. Borrowed. */
VMH_PUBLIC const char *vmh_value_get_key(const VmhValue *value, size_t index);
/* The value at key in such a dictionary; NULL if there is none. A new reference. NULL-safe. */
VMH_PUBLIC VmhValue *vmh_value_lookup(const VmhValue *value, const char *key);
/* The same for what is in there: NULL or false if it is not there, or of another kind. */
VMH_PUBLIC const char *vmh_value_lookup_string(const VmhValue *value, const char *key);
VMH_PUBLIC bool vmh_value_lookup_bool(const VmhValue *value, const char *key, bool *ret_bool);
VMH_PUBLIC bool vmh_value_lookup_uint64(const VmhValue *value, const char *key, uint64_t *ret_number);
VMH_PUBLIC bool vmh_value_lookup_int64(const VmhValue *value, const char *key, int64_t *ret_number);

/* As JSON on one line, without spaces: structs are arrays, descriptors are null, unsigned integers beyond the signed 64 bits, which few
 * readers of JSON can have, are strings. Free with free(). */
VMH_PUBLIC char *vmh_value_to_json(const VmhValue *value);

VMH_END_DECLS
