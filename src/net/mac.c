/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/mac.h"

#include <string.h>

struct MacSet {
	GArray *macs;           /* Mac, sorted, each once */
};

bool mac_parse(const char *text, Mac *ret_mac)
{
	Mac mac;

	if (!text || strlen(text) != MAC_TEXT_LENGTH)
		return false;
	for (unsigned i = 0; i < MAC_LENGTH; i++) {
		const char *pair = text + i * 3;
		int high = g_ascii_xdigit_value(pair[0]);
		int low = g_ascii_xdigit_value(pair[1]);

		if (high < 0 || low < 0 || pair[2] != (i + 1 < MAC_LENGTH ? ':' : '\0'))
			return false;
		mac.octets[i] = (uint8_t)(high << 4 | low);
	}
	*ret_mac = mac;
	return true;
}

char *mac_to_string(const Mac *mac)
{
	const uint8_t *o = mac->octets;

	return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(Mac));
}

bool mac_equal(const Mac *a, const Mac *b)
{
	return compare(a, b) == 0;
}

bool mac_is_group(const Mac *mac)
{
	return mac->octets[0] & 1;
}

bool mac_is_zero(const Mac *mac)
{
	static const Mac zero;

	return mac_equal(mac, &zero);
}

bool mac_is_broadcast(const Mac *mac)
{
	static const Mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

	return mac_equal(mac, &broadcast);
}

MacSet *mac_set_new(void)
{
	MacSet *set = g_new0(MacSet, 1);

	set->macs = g_array_new(false, false, sizeof(Mac));
	return set;
}

MacSet *mac_set_free(MacSet *set)
{
	if (!set)
		return NULL;
	g_array_unref(set->macs);
	g_free(set);
	return NULL;
}

unsigned mac_set_get_size(const MacSet *set)
{
	return set ? set->macs->len : 0;
}

const Mac *mac_set_get(const MacSet *set, unsigned index)
{
	g_assert(index < mac_set_get_size(set));
	return &g_array_index(set->macs, Mac, index);
}

MacSet *mac_set_copy(const MacSet *set)
{
	MacSet *copy = mac_set_new();

	if (mac_set_get_size(set) > 0)
		g_array_append_vals(copy->macs, set->macs->data, set->macs->len);
	return copy;
}

/* Sorted once: adding one after the other would move the rest for each. */
MacSet *mac_set_new_from_strings(const char *const *texts)
{
	MacSet *set = mac_set_new();
	unsigned kept = 0;
	Mac mac;

	for (unsigned i = 0; texts && texts[i]; i++)
		if (mac_parse(texts[i], &mac))
			g_array_append_val(set->macs, mac);
	g_array_sort(set->macs, compare);
	for (unsigned i = 0; i < set->macs->len; i++) {
		mac = *mac_set_get(set, i);
		if (kept == 0 || !mac_equal(mac_set_get(set, kept - 1), &mac))
			g_array_index(set->macs, Mac, kept++) = mac;
	}
	g_array_set_size(set->macs, kept);
	return set;
}

GStrv mac_set_to_strings(const MacSet *set)
{
	GStrv texts = g_new0(char *, mac_set_get_size(set) + 1);

	for (unsigned i = 0; i < mac_set_get_size(set); i++)
		texts[i] = mac_to_string(mac_set_get(set, i));
	return texts;
}

/* The index of mac, or where it belongs. */
static bool find(const MacSet *set, const Mac *mac, unsigned *ret_index)
{
	unsigned low = 0, high = mac_set_get_size(set);

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int order = compare(mac_set_get(set, middle), mac);

		if (order == 0) {
			*ret_index = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_index = low;
	return false;
}

void mac_set_add(MacSet *set, const Mac *mac)
{
	Mac value = *mac;
	unsigned index;

	if (!find(set, &value, &index))
		g_array_insert_val(set->macs, index, value);
}

void mac_set_remove(MacSet *set, const Mac *mac)
{
	unsigned index;

	if (find(set, mac, &index))
		g_array_remove_index(set->macs, index);
}

bool mac_set_contains(const MacSet *set, const Mac *mac)
{
	unsigned index;

	return find(set, mac, &index);
}

bool mac_set_equal(const MacSet *a, const MacSet *b)
{
	unsigned size = mac_set_get_size(a);

	return size == mac_set_get_size(b) &&
	       (size == 0 || memcmp(a->macs->data, b->macs->data, size * sizeof(Mac)) == 0);
}

typedef enum Side {
	ONLY_A = 1 << 0,
	ONLY_B = 1 << 1,
	BOTH = 1 << 2,
} Side;

/* Those that are on one of the sides wanted, in one pass over both. */
static MacSet *merge(const MacSet *a, const MacSet *b, unsigned wanted)
{
	MacSet *set = mac_set_new();
	unsigned i = 0, j = 0, n = mac_set_get_size(a), m = mac_set_get_size(b);

	while (i < n || j < m) {
		int order = i == n ? 1 : j == m ? -1 : compare(mac_set_get(a, i), mac_set_get(b, j));
		Side side = order < 0 ? ONLY_A : order > 0 ? ONLY_B : BOTH;
		const Mac *mac = order <= 0 ? mac_set_get(a, i) : mac_set_get(b, j);

		if (wanted & side)
			g_array_append_vals(set->macs, mac, 1);
		i += order <= 0;
		j += order >= 0;
	}
	return set;
}

MacSet *mac_set_union(const MacSet *a, const MacSet *b)
{
	return merge(a, b, ONLY_A | ONLY_B | BOTH);
}

MacSet *mac_set_intersection(const MacSet *a, const MacSet *b)
{
	return merge(a, b, BOTH);
}

MacSet *mac_set_difference(const MacSet *a, const MacSet *b)
{
	return merge(a, b, ONLY_A);
}
