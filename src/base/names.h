/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Enumerations travel as strings. One table per enumeration, indexed by its value; a hole or a
 * missing row is found at compile time (the size is checked) or by the tables' test (no NULL, no
 * string twice).
 */
#define NAME_TABLE(prefix, Type, max)                                                              \
	G_STATIC_ASSERT(G_N_ELEMENTS(prefix##_names) == (max));                                    \
	const char *prefix##_to_string(Type value)                                                 \
	{                                                                                          \
		g_assert((unsigned)value < (unsigned)(max));                                       \
		return prefix##_names[value];                                                      \
	}                                                                                          \
	bool prefix##_from_string(const char *string, Type *ret_value)                             \
	{                                                                                          \
		for (unsigned i = 0; i < (unsigned)(max); i++)                                     \
			if (g_strcmp0(prefix##_names[i], string) == 0) {                           \
				*ret_value = (Type)i;                                              \
				return true;                                                       \
			}                                                                          \
		return false;                                                                      \
	}
