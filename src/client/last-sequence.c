/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/last-sequence.h"

#include "bus/names.h"

GVariant *last_sequence_get_arguments(void)
{
	static gsize arguments;

	if (g_once_init_enter(&arguments)) {
		GVariant *made = g_variant_ref_sink(g_variant_new("(ss)", BUS_INTERFACE("Manager"), "LastSequence"));

		g_once_init_leave(&arguments, (gsize)made);
	}
	return (GVariant *)arguments;
}

bool last_sequence_read(GVariant *answer, uint64_t *ret_sequence)
{
	g_autoptr(GVariant) boxed = NULL, value = NULL;

	if (!answer || !g_variant_is_of_type(answer, G_VARIANT_TYPE("(v)")))
		return false;
	boxed = g_variant_get_child_value(answer, 0);
	value = g_variant_get_variant(boxed);
	if (!g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
		return false;
	*ret_sequence = g_variant_get_uint64(value);
	return true;
}
