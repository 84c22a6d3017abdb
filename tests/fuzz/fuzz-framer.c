/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "qmp/framer.h"

/*
 * Bytes from QEMU, cut into reads in any way: the lines must be those of the whole, wherever the
 * cuts are. An input is
 *
 *    text ... | cuts ... | one byte: how many cuts (CUTS_MASK), and whether lines pile up (PILE_UP)
 *
 * Each cut is the length of a read; after the last they begin again. In the text, the byte FILLER
 * (which is in no UTF-8) and a byte n after it stand for n KiB of one letter, so that small inputs
 * reach what the framer does with large lines.
 */

#define CUTS_MASK     0x1fu
#define PILE_UP       0x20u
#define CUT_LARGE     0xf0u              /* from here on, cuts count in CUT_UNIT */
#define CUT_UNIT      4096u
#define FILLER        0xffu
#define FILLER_UNIT   1024u
#define READS_MAX     1024u              /* after these, each takes as much as there is room for */
#define LENGTH_MAX    (512u * 1024)      /* of the text with its fillers; above, none is put in */

static const char last_line[] = "\n{\"event\": \"STOP\"}\r\n";

typedef struct Input {
	GByteArray *text;
	const uint8_t *cuts;
	size_t n_cuts;
	bool pile_up;
} Input;

static void append_filler(GByteArray *text, size_t length)
{
	if (length == 0 || text->len + length > LENGTH_MAX)
		return;
	g_byte_array_set_size(text, text->len + (guint)length);
	memset(text->data + text->len - length, 'x', length);
}

static void read_input(const uint8_t *data, size_t size, Input *input)
{
	input->text = g_byte_array_new();
	if (size > 0) {
		uint8_t last = data[--size];

		input->pile_up = last & PILE_UP;
		input->n_cuts = MIN(last & CUTS_MASK, size);
		size -= input->n_cuts;
		input->cuts = data + size;
	}
	for (size_t i = 0; i < size; i++) {
		if (data[i] == FILLER)
			append_filler(input->text, ++i < size ? data[i] * FILLER_UNIT : 0);
		else
			g_byte_array_append(input->text, data + i, 1);
	}
	/* Whatever was before it, a line that begins after a line end comes out whole. */
	g_byte_array_append(input->text, (const uint8_t *)last_line, sizeof(last_line) - 1);
}

static size_t cut_length(const Input *input, size_t index)
{
	unsigned cut;

	if (input->n_cuts == 0 || index >= READS_MAX)
		return SIZE_MAX;
	cut = input->cuts[index % input->n_cuts];
	return cut < CUT_LARGE ? cut : (cut - CUT_LARGE + 1) * CUT_UNIT;
}

/* The rule itself, on the text as a whole: the next line after position. */
static bool next_expected(const GByteArray *text, size_t *position, const uint8_t **ret_line,
			  size_t *ret_length)
{
	const uint8_t *line_end;

	while ((line_end = memchr(text->data + *position, '\n', text->len - *position))) {
		const uint8_t *line = text->data + *position;
		size_t length = (size_t)(line_end - line);

		*position += length + 1;
		if (length > 0 && line[length - 1] == '\r')
			length--;
		if (length == 0)
			continue;
		*ret_line = line;
		*ret_length = length;
		return true;
	}
	return false;
}

/* Takes out at most limit lines, each of which must be the next of the text. */
static void take_lines(QmpFramer *framer, const GByteArray *text, size_t *position, size_t limit)
{
	const char *line;
	size_t length;

	while (limit-- > 0 && qmp_framer_next(framer, &line, &length)) {
		const uint8_t *expected;
		size_t expected_length;

		g_assert_true(next_expected(text, position, &expected, &expected_length));
		g_assert_cmpmem(line, length, expected, expected_length);
	}
}

static void commit(QmpFramer *framer, size_t length)
{
	g_autoptr(GError) error = NULL;
	bool good = qmp_framer_commit(framer, length, &error);

	g_assert_no_error(error);
	g_assert_true(good);
}

/* One read of length bytes, or of as many as there is room for; how many there were. */
static size_t feed(QmpFramer *framer, const uint8_t *bytes, size_t length)
{
	size_t room, n;
	char *at = qmp_framer_reserve(framer, &room);

	g_assert_cmpuint(room, >=, 1);
	n = MIN(length, room);
	memcpy(at, bytes, n);
	commit(framer, n);
	return n;
}

static void check(const Input *input)
{
	g_autoptr(QmpFramer) framer = qmp_framer_new();
	const GByteArray *text = input->text;
	const uint8_t *line;
	size_t fed = 0, position = 0, length;

	for (size_t i = 0; fed < text->len; i++) {
		size_t cut = cut_length(input, i);

		/* A read of nothing changes nothing; it is followed by one that gets further. */
		if (cut == 0)
			(void)feed(framer, text->data + fed, 0);
		fed += feed(framer, text->data + fed, CLAMP(cut, 1, text->len - fed));
		take_lines(framer, text, &position, input->pile_up ? 1 : SIZE_MAX);
		if (!input->pile_up)
			g_assert_cmpint(qmp_framer_has_partial(framer), ==,
					text->data[fed - 1] != '\n');
	}
	take_lines(framer, text, &position, SIZE_MAX);
	g_assert_false(next_expected(text, &position, &line, &length));
	g_assert_cmpuint(position, ==, text->len);
	g_assert_false(qmp_framer_has_partial(framer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input input = { 0 };

	read_input(data, size, &input);
	check(&input);
	g_byte_array_unref(input.text);
	return 0;
}
