/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * A GVariant that is written in one pass, as the bytes that it is in the end. A GVariantBuilder makes a value of each part first,
 * and puts them in one piece when all are there: several times the work.
 *
 * The form is that of GVariant's specification, in the machine's byte order: parts have their natural alignment; behind them a container
 * says where those end that are not of a fixed size, in numbers as wide as its own size needs.
 *
 * Types are those of D-Bus as sd_bus_message_peek_type() says them: of a container its letter (a, r, e, v), and as contents what is
 * between its brackets. That parts are of the types that their container promises is the caller's to see to.
 */

typedef struct Packing {
	GByteArray *bytes;
	GArray *ends;               /* size_t, from where their container begins; those of the innermost are the last */
} Packing;

typedef struct PackedContainer {
	char type;
	const char *contents;       /* borrowed */
	size_t begin;
	unsigned n_ends;            /* of those around it */
	unsigned alignment;
	size_t size;                /* 0: it is not fixed */
	bool last_varies;
} PackedContainer;

void packing_init(Packing *self);
void packing_clear(Packing *self);
/* What was written, one container, as a value of that type; not floating. It is cleared then. */
GVariant *packing_end(Packing *self, const char *type_string);

PackedContainer packing_open(Packing *self, char type, const char *contents);
/* After each of its parts, of that type. */
void packing_end_part(Packing *self, PackedContainer *container, char type, const char *contents);
void packing_close(Packing *self, const PackedContainer *container);

/* Bytes that begin at a multiple of alignment, a power of 2. */
void packing_append(Packing *self, const void *bytes, size_t size, unsigned alignment);
