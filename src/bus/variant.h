/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/* The core builds details as GVariants, whose types are those of D-Bus; here they go into a message. */

/* Appends value as it is: without a variant around it. */
int bus_append_gvariant(sd_bus_message *message, GVariant *value);

/* Appends an a{sv}; NULL counts as empty. */
int bus_append_dict(sd_bus_message *message, GVariant *dict);

/* Appends an a{ss} from a table of strings. */
int bus_append_strings(sd_bus_message *message, GHashTable *table);

/* Appends an a{sa{sv}} from a table with strings as keys; append adds the a{sv} of a value. */
int bus_append_entries(sd_bus_message *message, GHashTable *table,
		       int (*append)(sd_bus_message *message, const void *value));
