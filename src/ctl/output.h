/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "ctl/ctl.h"

/*
 * How things are shown. On a terminal: aligned, with a head and colours. Elsewhere: fields
 * separated by tabs and no head, so that cut and awk need to know nothing. With --json: JSON.
 */

typedef enum OutputColor {
	OUTPUT_PLAIN,
	OUTPUT_GREEN,
	OUTPUT_YELLOW,
	OUTPUT_RED,
	OUTPUT_BLUE,
	OUTPUT_BOLD,
	OUTPUT_FAINT,
} OutputColor;

/* Replaces what is not printable by escapes ("\x1b"), so that text from a guest cannot command the
 * terminal. Invalid UTF-8 too. Free with g_free(). */
char *output_safe(const char *text);

/* The same, but line feeds and tabs stay. */
char *output_safe_lines(const char *text);

/* Local time with milliseconds, from microseconds since 1970. Free with g_free(). */
char *output_time(uint64_t microseconds);

/* "512 MiB", from bytes: exact where it is a multiple, else with one decimal. Free with g_free(). */
char *output_size(uint64_t bytes);

OutputColor output_state_color(const char *state);

/* Prints, coloured if colours are on. */
void output_colored(const Ctl *ctl, OutputColor color, const char *text);

/* Pretty, with a line feed. */
void output_json(JsonNode *node);

/* JSON text on one line. */
void output_json_line(const char *text);

/* JSON text as it is or pretty; what does not parse is printed as it came. */
void output_json_text(const char *text);

/* The uuid of a domain, which every verb takes as DOMAIN. */
void output_domain(const Ctl *ctl, const VmhDomain *domain);

/* A table is filled row by row and printed at once, for the widths. */
typedef struct OutputTable OutputTable;

/* heads: NULL-terminated, must outlive the table. state_column: gets the colour of its value (a state, "differs");
 * -1 for none. */
OutputTable *output_table_new(const char *const *heads, int state_column);
OutputTable *output_table_free(OutputTable *table);
/* As many strings as heads; they are copied and made safe. */
void output_table_add(OutputTable *table, const char *first, ...) G_GNUC_NULL_TERMINATED;
void output_table_print(const Ctl *ctl, const OutputTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(OutputTable, output_table_free)
