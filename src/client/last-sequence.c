/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/last-sequence.h"

#include "bus/names.h"

GVariant *last_sequence_get_arguments(void)
{
	return g_variant_new("(ss)", BUS_INTERFACE("Manager"), "LastSequence");
}

bool last_sequence_read(GVariant *answer, uint64_t *ret_sequence)
{
	g_autoptr(GVariant) value = NULL;

	if (!answer || !g_variant_is_of_type(answer, G_VARIANT_TYPE("(v)")))
		return false;
	g_variant_get(answer, "(v)", &value);
	if (!g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
		return false;
	*ret_sequence = g_variant_get_uint64(value);
	return true;
}
