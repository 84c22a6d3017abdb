/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/packing.h"

#include <stdint.h>
#include <string.h>

/* So much is there from the beginning; most signals fit. */
#define BYTES_FIRST 256u
#define ENDS_FIRST  16u

/* ---- types ---- */

typedef struct Layout {
	unsigned alignment;
	size_t size;                /* 0: not fixed */
} Layout;

static size_t round_up(size_t size, unsigned alignment)
{
	return (size + alignment - 1) & ~(size_t)(alignment - 1);
}

static Layout get_basic_layout(char type)
{
	switch (type) {
	case 'y':
	case 'b':
		return (Layout){ 1, 1 };
	case 'n':
	case 'q':
		return (Layout){ 2, 2 };
	case 'i':
	case 'u':
	case 'h':
		return (Layout){ 4, 4 };
	case 'x':
	case 't':
	case 'd':
		return (Layout){ 8, 8 };
	case 'v':
		return (Layout){ 8, 0 };
	default:
		return (Layout){ 1, 0 };
	}
}

static Layout take_layout(const char **signature);

/* Of all that comes up to the bracket, behind which *signature is then, or to the end. */
static Layout take_members(const char **signature)
{
	Layout layout = { 1, 0 };
	bool varies = false;

	while (**signature && !strchr(")}", **signature)) {
		Layout member = take_layout(signature);

		layout.alignment = MAX(layout.alignment, member.alignment);
		layout.size = round_up(layout.size, member.alignment) + member.size;
		varies |= member.size == 0;
	}
	if (**signature)
		(*signature)++;
	/* Even what has no parts takes up a byte. */
	layout.size = varies ? 0 : MAX(round_up(layout.size, layout.alignment), 1);
	return layout;
}

/* Of the first complete type, behind which *signature is then. */
static Layout take_layout(const char **signature)
{
	char type = *(*signature)++;

	if (type == '(' || type == '{')
		return take_members(signature);
	if (type == 'a')
		return (Layout){ take_layout(signature).alignment, 0 };
	return get_basic_layout(type);
}

static Layout get_layout(char type, const char *contents)
{
	switch (type) {
	case 'a':
		return (Layout){ take_layout(&contents).alignment, 0 };
	case 'r':
	case 'e':
		return take_members(&contents);
	default:
		return get_basic_layout(type);
	}
}

/* ---- bytes ---- */

static void align(Packing *self, unsigned alignment)
{
	size_t before = self->bytes->len, padding = round_up(before, alignment) - before;

	if (padding == 0)
		return;
	g_byte_array_set_size(self->bytes, (guint)(before + padding));
	memset(self->bytes->data + before, 0, padding);
}

void packing_append(Packing *self, const void *bytes, size_t size, unsigned alignment)
{
	align(self, alignment);
	if (size > 0)
		g_byte_array_append(self->bytes, bytes, (guint)size);
}

/* How wide the numbers are that say where n parts end, if the parts take so many bytes. */
static size_t get_width(size_t size, size_t n)
{
	if (size + n <= UINT8_MAX)
		return sizeof(uint8_t);
	if (size + 2 * n <= UINT16_MAX)
		return sizeof(uint16_t);
	return size + 4 * n <= UINT32_MAX ? sizeof(uint32_t) : sizeof(uint64_t);
}

/* In little-endian, as GVariant has these whatever the machine is. */
static void append_end(Packing *self, size_t end, size_t width)
{
	uint64_t number = GUINT64_TO_LE((uint64_t)end);

	g_byte_array_append(self->bytes, (const void *)&number, (guint)width);
}

/* ---- containers ---- */

PackedContainer packing_open(Packing *self, char type, const char *contents)
{
	Layout layout = get_layout(type, contents);

	align(self, layout.alignment);
	return (PackedContainer){
		.type = type,
		.contents = contents,
		.begin = self->bytes->len,
		.n_ends = self->ends->len,
		.alignment = layout.alignment,
		.size = layout.size,
	};
}

void packing_end_part(Packing *self, PackedContainer *container, char type, const char *contents)
{
	size_t end = self->bytes->len - container->begin;

	if (container->type == 'v' || container->size > 0)
		return;
	container->last_varies = get_layout(type, contents).size == 0;
	if (container->last_varies)
		g_array_append_val(self->ends, end);
}

static void append_ends(Packing *self, const PackedContainer *container)
{
	unsigned n = self->ends->len - container->n_ends;
	const size_t *ends = &g_array_index(self->ends, size_t, container->n_ends);
	size_t width;

	/* Of a struct, the last part ends where these numbers begin, and they come in reverse. */
	if (container->type != 'a' && container->last_varies)
		n--;
	width = get_width(self->bytes->len - container->begin, n);
	for (unsigned i = 0; i < n; i++)
		append_end(self, ends[container->type == 'a' ? i : n - 1 - i], width);
	g_array_set_size(self->ends, container->n_ends);
}

void packing_close(Packing *self, const PackedContainer *container)
{
	if (container->type == 'v') {
		g_byte_array_append(self->bytes, (const void *)"", 1);
		g_byte_array_append(self->bytes, (const void *)container->contents, (guint)strlen(container->contents));
	} else if (container->size > 0) {
		align(self, container->alignment);
		if (self->bytes->len == container->begin)
			g_byte_array_append(self->bytes, (const void *)"", 1);
	} else {
		append_ends(self, container);
	}
}

/* ---- the whole ---- */

void packing_init(Packing *self)
{
	self->bytes = g_byte_array_sized_new(BYTES_FIRST);
	self->ends = g_array_sized_new(FALSE, FALSE, sizeof(size_t), ENDS_FIRST);
}

void packing_clear(Packing *self)
{
	g_clear_pointer(&self->bytes, g_byte_array_unref);
	g_clear_pointer(&self->ends, g_array_unref);
}

GVariant *packing_end(Packing *self, const char *type_string)
{
	size_t size = self->bytes->len;
	/* Not as much as was there to be written to: it may be kept for long. */
	void *bytes = g_realloc(g_byte_array_free(g_steal_pointer(&self->bytes), FALSE), size);
	GVariant *value = g_variant_new_from_data(G_VARIANT_TYPE(type_string), bytes, size, TRUE, g_free, bytes);

	packing_clear(self);
	return g_variant_ref_sink(value);
}
