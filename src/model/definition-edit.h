/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"

/*
 * Definitions that differ in one device from another: with one more and what it stands on, or without it.
 *
 * Pure, and a Definition is immutable: what comes back is a new one, validated as a whole, that shares nothing
 * with the old one. To write and to read a long document takes its time: worker thread.
 */

/* The lists of QAPI objects, in the order in which QEMU needs them. */
typedef enum DefinitionEntryKind {
	DEFINITION_ENTRY_OBJECT,
	DEFINITION_ENTRY_BLOCKDEV,
	DEFINITION_ENTRY_NETDEV,
	DEFINITION_ENTRY_DEVICE,
	DEFINITION_ENTRY_MAX,
} DefinitionEntryKind;

/* There is a device or an interface with that id. Any thread; cheap. */
bool definition_has_device(const Definition *definition, const char *id);

/* With one more entry in each list for which there is one; NULL: none. CORE_ERROR_DEVICE_EXISTS if one of
 * their ids is there already, CORE_ERROR_INVALID_DEFINITION or CORE_ERROR_LIMIT_EXCEEDED as
 * definition_parse(). */
Definition *definition_add_entries(const Definition *definition,
				   JsonNode *const entries[DEFINITION_ENTRY_MAX], GError **error);

/* With one more interface, the last. Without an id it gets one ("net0", ...); where the definition has it, its netdev
 * or its id already, CORE_ERROR_DEVICE_EXISTS or CORE_ERROR_INVALID_DEFINITION as above. */
Definition *definition_add_interface(const Definition *definition, const DefinitionInterface *interface,
				     GError **error);

/* Without that device (or interface), and without the blockdevs, netdevs and objects that it refers to, by a
 * property or by way of each other, and that nothing else refers to. CORE_ERROR_NO_SUCH_DEVICE;
 * CORE_ERROR_REMOVAL_REFUSED if another device sits on its bus. */
Definition *definition_remove_device(const Definition *definition, const char *id, GError **error);

/* A copy of an entry that has that id. */
JsonNode *definition_entry_with_id(JsonNode *entry, const char *id);
