/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * MAC addresses, and sets of them. Pure.
 *
 * A set is sorted and has no doubles, so that two of them are compared and subtracted in one pass: what a guest
 * wants, what the host has, and what of it is ours.
 */

#define MAC_LENGTH       6u
#define MAC_TEXT_LENGTH  17u     /* "52:54:00:12:34:56" */

typedef struct Mac {
	uint8_t octets[MAC_LENGTH];
} Mac;

/* Six pairs of hexadecimal digits with colons between them, any case; nothing else. */
bool mac_parse(const char *text, Mac *ret_mac);
/* Lower case; free with g_free(). */
char *mac_to_string(const Mac *mac);
bool mac_equal(const Mac *a, const Mac *b);
/* To a group: multicast or broadcast. */
bool mac_is_group(const Mac *mac);
bool mac_is_broadcast(const Mac *mac);
/* 00:00:00:00:00:00, which is nobody's. */
bool mac_is_zero(const Mac *mac);

/* Not shared between threads. All functions take NULL for an empty set where they only read. */
typedef struct MacSet MacSet;

MacSet *mac_set_new(void);
MacSet *mac_set_copy(const MacSet *set);
/* NULL-safe, returns NULL. */
MacSet *mac_set_free(MacSet *set);
/* What cannot be parsed is left out. */
MacSet *mac_set_new_from_strings(const char *const *texts);
/* In order; free with g_strfreev(). */
GStrv mac_set_to_strings(const MacSet *set);

void mac_set_add(MacSet *set, const Mac *mac);
void mac_set_remove(MacSet *set, const Mac *mac);
bool mac_set_contains(const MacSet *set, const Mac *mac);
bool mac_set_equal(const MacSet *a, const MacSet *b);
unsigned mac_set_get_size(const MacSet *set);
const Mac *mac_set_get(const MacSet *set, unsigned index);

/* New sets. */
MacSet *mac_set_union(const MacSet *a, const MacSet *b);
MacSet *mac_set_intersection(const MacSet *a, const MacSet *b);
MacSet *mac_set_difference(const MacSet *a, const MacSet *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MacSet, mac_set_free)
