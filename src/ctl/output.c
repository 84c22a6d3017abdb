/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/output.h"

#include <stdio.h>
#include <string.h>

void output_domain(const Ctl *ctl, const VmhDomain *domain)
{
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
	JsonObject *object = json_object_new();

	json_node_take_object(node, object);
	json_object_set_string_member(object, "path", vmh_domain_get_path(domain));
	json_object_set_string_member(object, "uuid", vmh_domain_get_uuid(domain));
	if (ctl->json)
		output_json(node);
	else
		puts(vmh_domain_get_uuid(domain));
}

struct OutputTable {
	const char *const *heads;
	unsigned columns;
	int state_column;
	GPtrArray *rows;        /* GStrv */
};

static char *make_safe(const char *text, const char *keep)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	GString *string = g_string_new(NULL);

	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if (g_unichar_isprint(c) || (c < 128 && strchr(keep, (int) c)))
			g_string_append_unichar(string, c);
		else if (c < 256)
			g_string_append_printf(string, "\\x%02x", c);
		else
			g_string_append_printf(string, "\\u%04x", c);
	}
	return g_string_free(string, false);
}

char *output_safe(const char *text)
{
	return make_safe(text, "");
}

char *output_safe_lines(const char *text)
{
	return make_safe(text, "\n\t");
}

char *output_time(uint64_t microseconds)
{
	g_autoptr(GDateTime) when = NULL;
	g_autofree char *seconds = NULL;

	/* NULL for a time beyond the calendar: a service may send anything. */
	if (microseconds <= INT64_MAX)
		when = g_date_time_new_from_unix_local((int64_t) (microseconds / G_USEC_PER_SEC));
	if (!when)
		return g_strdup("-");
	seconds = g_date_time_format(when, "%Y-%m-%d %H:%M:%S");
	return g_strdup_printf("%s.%03u", seconds,
			       (unsigned) (microseconds % G_USEC_PER_SEC / 1000));
}

char *output_size(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t value = bytes;
	unsigned unit = 0;

	while (unit + 1 < G_N_ELEMENTS(units) && value >= 1024 && value % 1024 == 0) {
		value /= 1024;
		unit++;
	}
	if (value < 1024 * 1024)
		return g_strdup_printf("%" G_GUINT64_FORMAT " %s", value, units[unit]);
	return g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
}

OutputColor output_state_color(const char *state)
{
	static const struct {
		const char *state;
		OutputColor color;
	} colors[] = {
		{ "running", OUTPUT_GREEN },
		{ "starting", OUTPUT_BLUE },
		{ "paused", OUTPUT_YELLOW },
		{ "pm-suspended", OUTPUT_YELLOW },
		{ "shutting-down", OUTPUT_BLUE },
		{ "shut-off", OUTPUT_FAINT },
		{ "crashed", OUTPUT_RED },
		{ "unknown", OUTPUT_RED },
		{ "differs", OUTPUT_RED },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(colors); i++) {
		if (g_str_equal(state, colors[i].state))
			return colors[i].color;
	}
	return OUTPUT_PLAIN;
}

void output_colored(const Ctl *ctl, OutputColor color, const char *text)
{
	static const char *const codes[] = {
		[OUTPUT_PLAIN] = "0",
		[OUTPUT_GREEN] = "32",
		[OUTPUT_YELLOW] = "33",
		[OUTPUT_RED] = "31",
		[OUTPUT_BLUE] = "34",
		[OUTPUT_BOLD] = "1",
		[OUTPUT_FAINT] = "2",
	};

	if (ctl->color && color != OUTPUT_PLAIN)
		printf("\033[%sm%s\033[0m", codes[color], text);
	else
		fputs(text, stdout);
}

/* What is not printable can only be inside of strings, where JSON has escapes for it. */
static void print_json(const char *text)
{
	GString *string = g_string_new(NULL);

	for (const char *p = text; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if (c == '\n' || g_unichar_isprint(c))
			g_string_append_unichar(string, c);
		else if (c < 0x10000)
			g_string_append_printf(string, "\\u%04x", c);
		else
			g_string_append_printf(string, "\\u%04x\\u%04x",
					       0xd800 + ((c - 0x10000) >> 10),
					       0xdc00 + ((c - 0x10000) & 0x3ff));
	}
	puts(string->str);
	g_string_free(string, true);
}

void output_json(JsonNode *node)
{
	g_autofree char *text = json_to_string(node, true);

	print_json(text);
}

void output_json_line(const char *text)
{
	print_json(text);
}

static void append_line(GString *string, unsigned depth)
{
	g_string_append_c(string, '\n');
	for (unsigned i = 0; i < depth; i++)
		g_string_append(string, "  ");
}

/* Works on the text, not on parsed values: json-glib would turn QEMU's large unsigned numbers into
 * others. text is known to be JSON. */
static char *reindent(const char *text)
{
	GString *string = g_string_new(NULL);
	unsigned depth = 0;
	bool quoted = false;

	for (const char *p = text; *p; p++) {
		if (quoted) {
			g_string_append_c(string, *p);
			if (*p == '\\' && p[1])
				g_string_append_c(string, *++p);
			else if (*p == '"')
				quoted = false;
			continue;
		}
		if (g_ascii_isspace(*p))
			continue;
		if (*p == '}' || *p == ']') {
			depth -= depth > 0;
			/* An empty one stays together. */
			if (string->len && !strchr("{[", string->str[string->len - 1]))
				append_line(string, depth);
			g_string_append_c(string, *p);
			continue;
		}
		if (string->len && strchr("{[", string->str[string->len - 1]))
			append_line(string, depth);
		g_string_append_c(string, *p);
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == ',')
			append_line(string, depth);
		else if (*p == ':')
			g_string_append_c(string, ' ');
		else if (*p == '"')
			quoted = true;
	}
	return g_string_free(string, false);
}

void output_json_text(const char *text)
{
	g_autoptr(JsonNode) node = json_from_string(text, NULL);
	g_autofree char *pretty = node ? reindent(text) : NULL;
	g_autofree char *safe = pretty ? NULL : output_safe_lines(text);

	if (pretty)
		print_json(pretty);
	else
		puts(safe);
}

OutputTable *output_table_new(const char *const *heads, int state_column)
{
	OutputTable *table = g_new0(OutputTable, 1);

	table->heads = heads;
	table->columns = g_strv_length((GStrv) heads);
	table->state_column = state_column;
	table->rows = g_ptr_array_new_with_free_func((GDestroyNotify) g_strfreev);
	return table;
}

OutputTable *output_table_free(OutputTable *table)
{
	if (!table)
		return NULL;
	g_ptr_array_unref(table->rows);
	g_free(table);
	return NULL;
}

void output_table_add(OutputTable *table, const char *first, ...)
{
	GStrv row = g_new0(char *, table->columns + 1);
	const char *cell = first;
	va_list cells;

	va_start(cells, first);
	for (unsigned i = 0; i < table->columns; i++) {
		g_assert(cell);
		row[i] = output_safe(cell);
		cell = va_arg(cells, const char *);
	}
	va_end(cells);
	g_ptr_array_add(table->rows, row);
}

/* Columns of a terminal, not bytes: names may be in any script. */
static unsigned text_width(const char *text)
{
	unsigned width = 0;

	for (const char *p = text; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		if (!g_unichar_iszerowidth(c))
			width += g_unichar_iswide(c) ? 2 : 1;
	}
	return width;
}

static void print_aligned(const Ctl *ctl, const OutputTable *table, char **cells,
			  const unsigned *widths, bool head)
{
	for (unsigned i = 0; i < table->columns; i++) {
		OutputColor color = OUTPUT_PLAIN;

		if (head)
			color = OUTPUT_BOLD;
		else if ((int) i == table->state_column)
			color = output_state_color(cells[i]);
		output_colored(ctl, color, cells[i]);
		if (i + 1 < table->columns)
			printf("%*s", (int) (widths[i] - text_width(cells[i]) + 2), "");
	}
	putchar('\n');
}

void output_table_print(const Ctl *ctl, const OutputTable *table)
{
	g_autofree unsigned *widths = g_new0(unsigned, table->columns);

	if (!ctl->terminal) {
		for (unsigned i = 0; i < table->rows->len; i++) {
			g_autofree char *line = g_strjoinv("\t", table->rows->pdata[i]);

			puts(line);
		}
		return;
	}
	for (unsigned column = 0; column < table->columns; column++) {
		widths[column] = text_width(table->heads[column]);
		for (unsigned i = 0; i < table->rows->len; i++) {
			GStrv row = table->rows->pdata[i];

			widths[column] = MAX(widths[column], text_width(row[column]));
		}
	}
	print_aligned(ctl, table, (char **) table->heads, widths, true);
	for (unsigned i = 0; i < table->rows->len; i++)
		print_aligned(ctl, table, table->rows->pdata[i], widths, false);
}
