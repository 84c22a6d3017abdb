/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <string.h>

#include "base/json-text.h"

/*
 * From a text to nodes that say what the text says.
 *
 * A node keeps an integer with a sign in 64 bits, so one above INT64_MAX has become negative in it and can
 * no longer be told from one that was meant so. Passed on, it would be another number than the one that was
 * written; therefore the text is looked at for such integers. It is known to be JSON.
 */

/* Only of unsigned digits: with a sign, or a fraction, json_text_parse() has seen that it fits. */
static bool integer_fits(const char *token, size_t length)
{
	g_autofree char *number = NULL;

	if (length < strlen("9223372036854775807") || strspn(token, "0123456789") < length)
		return true;

	number = g_strndup(token, length);
	return g_ascii_string_to_unsigned(number, 10, 0, G_MAXINT64, NULL, NULL);
}

static bool check_integers(DefinitionReader *reader, const char *text)
{
	const char *p = text;
	const char *line_start = text;
	unsigned line = 1;

	while (*p) {
		size_t length = strspn(p, "+-.0123456789Ee");

		if (!integer_fits(p, length)) {
			definition_reader_problem(reader, "has an integer in line %u that does not fit "
						  "into 64 bits with a sign", line);
			definition_reader_set_place(reader, line, (unsigned)(p - line_start) + 1);
			return false;
		}
		if (*p == '"') {
			/* To the closing quotation mark; strings contain no line feeds. */
			for (p++; *p && *p != '"'; p++)
				if (*p == '\\' && p[1])
					p++;
		}
		if (*p == '\n') {
			line++;
			line_start = p + 1;
		}
		p += length > 0 ? length : *p != '\0';
	}
	return true;
}

JsonNode *definition_read_text(DefinitionReader *reader, const char *text, size_t length)
{
	g_autoptr(JsonNode) root = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *copy = NULL;
	JsonTextPlace bad = { 0 };

	root = json_text_parse_located(text, length, DEFINITION_LENGTH_MAX, DEFINITION_NESTING_MAX, &bad,
				       &error);
	if (!root) {
		definition_reader_problem(reader, "is not valid JSON: %s", error->message);
		definition_reader_set_place(reader, bad.line, bad.column);
		return NULL;
	}

	/* The text need not end in a NUL; there is none in it. */
	copy = g_strndup(text, length);
	return check_integers(reader, copy) ? g_steal_pointer(&root) : NULL;
}
