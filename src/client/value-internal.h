/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <vmherald/glib.h>

/*
 * A VmhValue is a GVariant with another name: no type of GLib's is in the installed headers.
 *
 * It is not floating, no variant (value_unbox()), and in one piece of memory, or a part of what is, or a tuple of parts (the arguments of an event). What
 * bus_read_gvariant() has read is so: then strings that are given out live as long as the value.
 */
static inline VmhValue *value_from_gvariant(GVariant *variant)
{
	return (VmhValue *)variant;
}

static inline GVariant *value_get_gvariant(const VmhValue *value)
{
	return (GVariant *)value;
}

/* What is in it, if it is a variant, and else itself; takes the reference. */
GVariant *value_unbox(GVariant *variant);

