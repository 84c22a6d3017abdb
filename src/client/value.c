/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/value-internal.h"

#include <string.h>

VmhValue *vmh_value_ref(const VmhValue *value)
{
	return value_from_gvariant(g_variant_ref(value_get_gvariant(value)));
}

void vmh_value_unref(VmhValue *value)
{
	if (value)
		g_variant_unref(value_get_gvariant(value));
}

GVariant *value_unbox(GVariant *variant)
{
	while (variant && g_variant_is_of_type(variant, G_VARIANT_TYPE_VARIANT)) {
		GVariant *inner = g_variant_get_variant(variant);

		g_variant_unref(variant);
		variant = inner;
	}
	return variant;
}

const char *vmh_value_get_type(const VmhValue *value)
{
	return g_variant_get_type_string(value_get_gvariant(value));
}

/* ---- basic types ---- */

static bool is_string(GVariant *variant)
{
	return strchr("sog", g_variant_get_type_string(variant)[0]) != NULL;
}

const char *vmh_value_get_string(const VmhValue *value)
{
	GVariant *variant = value_get_gvariant(value);

	return variant && is_string(variant) ? g_variant_get_string(variant, NULL) : NULL;
}

bool vmh_value_get_bool(const VmhValue *value, bool *ret_bool)
{
	GVariant *variant = value_get_gvariant(value);

	if (!variant || !g_variant_is_of_type(variant, G_VARIANT_TYPE_BOOLEAN))
		return false;
	*ret_bool = g_variant_get_boolean(variant);
	return true;
}

typedef struct Integer {
	bool negative;               /* then it is in number as a signed one */
	uint64_t number;
} Integer;

static Integer make_integer(int64_t number)
{
	return (Integer){ .negative = number < 0, .number = (uint64_t)number };
}

static bool get_integer(GVariant *variant, Integer *ret_integer)
{
	switch (g_variant_classify(variant)) {
	case G_VARIANT_CLASS_BYTE:
		*ret_integer = make_integer(g_variant_get_byte(variant));
		return true;
	case G_VARIANT_CLASS_INT16:
		*ret_integer = make_integer(g_variant_get_int16(variant));
		return true;
	case G_VARIANT_CLASS_UINT16:
		*ret_integer = make_integer(g_variant_get_uint16(variant));
		return true;
	case G_VARIANT_CLASS_INT32:
		*ret_integer = make_integer(g_variant_get_int32(variant));
		return true;
	case G_VARIANT_CLASS_UINT32:
		*ret_integer = make_integer(g_variant_get_uint32(variant));
		return true;
	case G_VARIANT_CLASS_INT64:
		*ret_integer = make_integer(g_variant_get_int64(variant));
		return true;
	case G_VARIANT_CLASS_UINT64:
		*ret_integer = (Integer){ .number = g_variant_get_uint64(variant) };
		return true;
	default:
		return false;
	}
}

bool vmh_value_get_uint64(const VmhValue *value, uint64_t *ret_number)
{
	Integer integer;

	if (!value || !get_integer(value_get_gvariant(value), &integer) || integer.negative)
		return false;
	*ret_number = integer.number;
	return true;
}

bool vmh_value_get_int64(const VmhValue *value, int64_t *ret_number)
{
	Integer integer;

	if (!value || !get_integer(value_get_gvariant(value), &integer) ||
	    (!integer.negative && integer.number > INT64_MAX))
		return false;
	*ret_number = (int64_t)integer.number;
	return true;
}

/* ---- containers ---- */

static bool is_dictionary(GVariant *variant)
{
	return g_variant_is_of_type(variant, G_VARIANT_TYPE_DICTIONARY);
}

static bool has_string_keys(GVariant *variant)
{
	return is_dictionary(variant) && strchr("so", g_variant_get_type_string(variant)[2]);
}

size_t vmh_value_get_length(const VmhValue *value)
{
	GVariant *variant = value_get_gvariant(value);

	return variant && g_variant_is_container(variant) ? g_variant_n_children(variant) : 0;
}

VmhValue *vmh_value_get_child(const VmhValue *value, size_t index)
{
	GVariant *variant = value_get_gvariant(value);
	GVariant *child;

	if (index >= vmh_value_get_length(value))
		return NULL;
	child = g_variant_get_child_value(variant, index);
	if (is_dictionary(variant)) {
		g_autoptr(GVariant) entry = child;

		child = g_variant_get_child_value(entry, 1);
	}
	return value_from_gvariant(value_unbox(child));
}

static const char *get_key(GVariant *dictionary, size_t index)
{
	g_autoptr(GVariant) entry = g_variant_get_child_value(dictionary, index);
	g_autoptr(GVariant) key = g_variant_get_child_value(entry, 0);

	return g_variant_get_string(key, NULL);
}

const char *vmh_value_get_key(const VmhValue *value, size_t index)
{
	if (index >= vmh_value_get_length(value) || !has_string_keys(value_get_gvariant(value)))
		return NULL;
	return get_key(value_get_gvariant(value), index);
}

VmhValue *vmh_value_lookup(const VmhValue *value, const char *key)
{
	size_t length = vmh_value_get_length(value);

	if (length == 0 || !key || !has_string_keys(value_get_gvariant(value)))
		return NULL;
	for (size_t i = 0; i < length; i++)
		if (strcmp(get_key(value_get_gvariant(value), i), key) == 0)
			return vmh_value_get_child(value, i);
	return NULL;
}

const char *vmh_value_lookup_string(const VmhValue *value, const char *key)
{
	g_autoptr(VmhValue) child = vmh_value_lookup(value, key);

	return vmh_value_get_string(child);
}

bool vmh_value_lookup_bool(const VmhValue *value, const char *key, bool *ret_bool)
{
	g_autoptr(VmhValue) child = vmh_value_lookup(value, key);

	return vmh_value_get_bool(child, ret_bool);
}

bool vmh_value_lookup_uint64(const VmhValue *value, const char *key, uint64_t *ret_number)
{
	g_autoptr(VmhValue) child = vmh_value_lookup(value, key);

	return vmh_value_get_uint64(child, ret_number);
}

bool vmh_value_lookup_int64(const VmhValue *value, const char *key, int64_t *ret_number)
{
	g_autoptr(VmhValue) child = vmh_value_lookup(value, key);

	return vmh_value_get_int64(child, ret_number);
}
