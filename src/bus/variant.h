/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/*
 * Values of the bus are GVariants on both sides of it, for their types are those of D-Bus; here they go into a message,
 * and out of one. All return a negative errno on failure.
 *
 * A handle (h) is an index, as on the wire: the descriptors themselves are in an array beside the value.
 */

/* Appends value as it is: without a variant around it. No handles: -EBADF. */
int bus_append_gvariant(sd_bus_message *message, GVariant *value);

/* Appends each element of a tuple. fds: at least as many as the handles in there say; borrowed, sd-bus duplicates them.
 * NULL: there are none, and a handle is -EBADF. */
int bus_append_arguments(sd_bus_message *message, GVariant *tuple, const int *fds);

/* Appends an a{sv}; NULL counts as empty. */
int bus_append_dict(sd_bus_message *message, GVariant *dict);

/* Appends an a{ss} from a table of strings. */
int bus_append_strings(sd_bus_message *message, GHashTable *table);

/* Appends an a{sa{sv}} from a table with strings as keys; append adds the a{sv} of a value. */
int bus_append_entries(sd_bus_message *message, GHashTable *table,
		       int (*append)(sd_bus_message *message, const void *value));

/* An array of descriptors (int) that closes them with itself. Free with g_array_unref(). */
GArray *bus_fds_new(void);
/* Takes out the one at index, which the caller has to close then; -1: there is none. */
int bus_fds_steal(GArray *fds, unsigned index);

/*
 * All arguments of a message, from its beginning, as a tuple. It is in one piece: strings and children of it are
 * places in it. How deep it can be is bounded by sd-bus. fds: of bus_fds_new(), the message's descriptors are appended as duplicates;
 * NULL: handles are -1. The tuple is not floating; -EBADMSG: the message is malformed.
 */
int bus_read_gvariant(sd_bus_message *message, GVariant **ret_tuple, GArray *fds);
