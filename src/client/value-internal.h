/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <vmherald/value.h>

/* A VmhValue is a GVariant that is not floating, with another name: no type of GLib's is in the installed headers. */
static inline VmhValue *value_from_gvariant(GVariant *variant)
{
	return (VmhValue *)variant;
}

static inline GVariant *value_get_gvariant(const VmhValue *value)
{
	return (GVariant *)value;
}
