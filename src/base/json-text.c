/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json-text.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

/*
 * The check is a lexer, not a parser: it goes over the tokens once, counts brackets and judges each
 * token by the letter of RFC 8259. Whether the tokens stand in a sensible order is left to
 * json-glib, which is good at that. What json-glib takes or does in silence, and we refuse:
 *
 *   comments, 'x', var x = , NaN, 0x10     not JSON, although its scanner reads them
 *   {} {}                                  the first value would be lost
 *   99999999999999999999, 1e400            would become -1 and infinity
 *   "a\u0000b"                             would become "a"
 *   "\ud800"                               half a character; a result that is no UTF-8
 */

/* Long enough for any number that a double or an integer is printed as, short for the stack. */
#define NUMBER_MAX 127

typedef struct Lexer {
	const char *text;
	const char *at;
	const char *end;
	unsigned depth;
	unsigned values;
	bool has_root;
	JsonTextPlace bad;
} Lexer;

G_GNUC_PRINTF(4, 5)
static bool fail(Lexer *lexer, const char *at, GError **error, const char *format, ...)
{
	g_autofree char *what = NULL;
	const char *line_start = lexer->text;
	unsigned line = 1;
	va_list args;

	va_start(args, format);
	what = g_strdup_vprintf(format, args);
	va_end(args);

	/* Counted here and not on the way, so that good text does not pay for it. */
	for (const char *p = lexer->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			line_start = p + 1;
		}
	}
	lexer->bad = (JsonTextPlace){ line, (unsigned)(at - line_start) + 1 };
	g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
		    "line %u, column %u: %s", lexer->bad.line, lexer->bad.column, what);
	return false;
}

static bool hex4(const char *at, const char *end, unsigned *ret_value)
{
	unsigned value = 0;

	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		if (!g_ascii_isxdigit(at[i]))
			return false;
		value = value << 4 | (unsigned)g_ascii_xdigit_value(at[i]);
	}
	*ret_value = value;
	return true;
}

/* at is behind the backslash and the u. Moves behind the escape, both halves of it. */
static bool skip_unicode_escape(Lexer *lexer, GError **error)
{
	unsigned high, low;

	if (!hex4(lexer->at, lexer->end, &high))
		return fail(lexer, lexer->at, error, "\\u is not followed by four hex digits");
	if (high == 0)
		return fail(lexer, lexer->at, error, "a NUL character is not allowed");
	if (high < 0xd800 || high > 0xdfff) {
		lexer->at += 4;
		return true;
	}

	if (high > 0xdbff || lexer->end - lexer->at < 10 || lexer->at[4] != '\\' ||
	    lexer->at[5] != 'u' || !hex4(lexer->at + 6, lexer->end, &low) || low < 0xdc00 ||
	    low > 0xdfff)
		return fail(lexer, lexer->at, error, "half a surrogate pair");
	lexer->at += 10;
	return true;
}

static bool skip_string(Lexer *lexer, GError **error)
{
	const char *start = lexer->at++;

	while (lexer->at < lexer->end) {
		unsigned char c = (unsigned char)*lexer->at++;

		if (c == '"')
			return true;
		if (c < 0x20)
			return fail(lexer, lexer->at - 1, error,
				    "control character 0x%02x in a string", c);
		if (c != '\\' || lexer->at == lexer->end)
			continue;

		c = (unsigned char)*lexer->at++;
		if (c == 'u') {
			if (!skip_unicode_escape(lexer, error))
				return false;
		} else if (!c || !strchr("\"\\/bfnrt", c)) {
			return fail(lexer, lexer->at - 1, error, "unknown escape in a string");
		}
	}
	return fail(lexer, start, error, "a string that does not end");
}

static size_t count_digits(const char *p)
{
	size_t n = 0;

	while (g_ascii_isdigit(p[n]))
		n++;
	return n;
}

/* The grammar of RFC 8259, on a NUL-terminated copy of the token. */
static bool number_is_valid(const char *number, bool *ret_integer)
{
	bool integer = true;
	const char *p = number;
	size_t digits;

	if (*p == '-')
		p++;
	digits = count_digits(p);
	if (digits == 0 || (digits > 1 && *p == '0'))
		return false;
	p += digits;
	if (*p == '.') {
		integer = false;
		digits = count_digits(++p);
		if (digits == 0)
			return false;
		p += digits;
	}
	if (*p == 'e' || *p == 'E') {
		integer = false;
		p++;
		if (*p == '+' || *p == '-')
			p++;
		digits = count_digits(p);
		if (digits == 0)
			return false;
		p += digits;
	}
	if (*p)
		return false;
	*ret_integer = integer;
	return true;
}

static bool check_number(Lexer *lexer, const char *token, size_t length, GError **error)
{
	char number[NUMBER_MAX + 1];
	bool integer, fits;

	if (length > NUMBER_MAX)
		return fail(lexer, token, error, "a number of more than %d digits", NUMBER_MAX);
	memcpy(number, token, length);
	number[length] = '\0';
	if (!number_is_valid(number, &integer))
		return fail(lexer, token, error, "'%s' is no number", number);

	if (!integer)
		fits = isfinite(g_ascii_strtod(number, NULL));
	else if (*number == '-')
		fits = g_ascii_string_to_signed(number, 10, G_MININT64, G_MAXINT64, NULL, NULL);
	else
		fits = g_ascii_string_to_unsigned(number, 10, 0, G_MAXUINT64, NULL, NULL);
	if (!fits)
		return fail(lexer, token, error, "the number %s is out of range", number);
	return true;
}

static bool skip_word(Lexer *lexer, GError **error)
{
	const char *token = lexer->at;
	size_t length;

	while (lexer->at < lexer->end &&
	       (g_ascii_isalnum(*lexer->at) || strchr("+-.", *lexer->at)))
		lexer->at++;
	length = (size_t)(lexer->at - token);
	if (length == 0)
		return fail(lexer, token, error, "a character that is not JSON");

	if (*token == '-' || g_ascii_isdigit(*token))
		return check_number(lexer, token, length, error);
	if ((length == 4 && (memcmp(token, "true", 4) == 0 || memcmp(token, "null", 4) == 0)) ||
	    (length == 5 && memcmp(token, "false", 5) == 0))
		return true;
	return fail(lexer, token, error, "a word that is not JSON");
}

/* The start of an object, array, string, number or word, at any depth. Keys count too, which is
 * right: each costs memory. */
static bool begin_value(Lexer *lexer, GError **error)
{
	if (lexer->depth == 0 && lexer->has_root)
		return fail(lexer, lexer->at, error, "text after the value");
	if (lexer->values == JSON_TEXT_VALUES_MAX)
		return fail(lexer, lexer->at, error, "more than %u values",
			    JSON_TEXT_VALUES_MAX);
	lexer->has_root = true;
	lexer->values++;
	return true;
}

static bool check_token(Lexer *lexer, unsigned nesting_max, GError **error)
{
	switch (*lexer->at) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		lexer->at++;
		return true;
	case ',':
	case ':':
		if (lexer->depth == 0)
			return fail(lexer, lexer->at, error, "unexpected '%c'", *lexer->at);
		lexer->at++;
		return true;
	case '{':
	case '[':
		if (!begin_value(lexer, error))
			return false;
		if (lexer->depth == nesting_max)
			return fail(lexer, lexer->at, error, "nested deeper than %u",
				    nesting_max);
		lexer->depth++;
		lexer->at++;
		return true;
	case '}':
	case ']':
		if (lexer->depth == 0)
			return fail(lexer, lexer->at, error, "unexpected '%c'", *lexer->at);
		lexer->depth--;
		lexer->at++;
		return true;
	case '"':
		return begin_value(lexer, error) && skip_string(lexer, error);
	default:
		return begin_value(lexer, error) && skip_word(lexer, error);
	}
}

static bool check(Lexer *lexer, size_t length_max, unsigned nesting_max, GError **error)
{
	size_t length = (size_t)(lexer->end - lexer->text);
	const char *bad;

	if (length > length_max) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "%zu bytes long, and %zu are allowed", length, length_max);
		return false;
	}
	/* Also finds NUL bytes: with a length given, glib does not take them as part of the text. */
	if (length > 0 && !g_utf8_validate_len(lexer->text, length, &bad))
		return fail(lexer, bad, error, *bad ? "invalid UTF-8" : "a NUL byte");

	while (lexer->at < lexer->end) {
		if (!check_token(lexer, nesting_max, error))
			return false;
	}
	if (!lexer->has_root)
		return fail(lexer, lexer->end, error, "empty");
	if (lexer->depth > 0)
		return fail(lexer, lexer->end, error, "ends inside an object or array");
	return true;
}

bool json_text_check(const char *text, size_t length, size_t length_max, unsigned nesting_max,
		     GError **error)
{
	Lexer lexer = { .text = text, .at = text, .end = text + length };

	return check(&lexer, length_max, nesting_max, error);
}

/* json-glib quotes in its error what it did not expect, decoded and cut off after so many bytes: there may
 * be half a character in it, a line feed, or what a terminal takes as an order. */
static void set_parse_error(GError **error, const char *message)
{
	g_autofree char *valid = g_utf8_make_valid(message, -1);
	g_autoptr(GString) line = g_string_new(NULL);

	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		g_string_append_unichar(line, g_unichar_iscntrl(c) ? '?' : c);
	}
	g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT, "%s", line->str);
}

JsonNode *json_text_parse_located(const char *text, size_t length, size_t length_max,
				  unsigned nesting_max, JsonTextPlace *ret_bad, GError **error)
{
	Lexer lexer = { .text = text, .at = text, .end = text + length };
	g_autoptr(JsonParser) parser = NULL;
	g_autoptr(GError) json_error = NULL;

	if (!check(&lexer, length_max, nesting_max, error)) {
		*ret_bad = lexer.bad;
		return NULL;
	}

	/* Immutable: sealed nodes may be read by several threads. */
	parser = json_parser_new_immutable();
	if (!json_parser_load_from_data(parser, text, (gssize)length, &json_error)) {
		set_parse_error(error, json_error->message);
		*ret_bad = (JsonTextPlace){ json_parser_get_current_line(parser),
					    json_parser_get_current_pos(parser) + 1 };
		return NULL;
	}
	return json_parser_steal_root(parser);
}

JsonNode *json_text_parse(const char *text, size_t length, size_t length_max, unsigned nesting_max,
			  GError **error)
{
	JsonTextPlace bad;

	return json_text_parse_located(text, length, length_max, nesting_max, &bad, error);
}

static void write_string(GString *out, const char *string)
{
	static const char escapes[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";

	g_string_append_c(out, '"');
	for (const char *p = string; *p; p++) {
		const char *escape = strchr(escapes, *p);

		if (escape)
			g_string_append_printf(out, "\\%c", letters[escape - escapes]);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			g_string_append_printf(out, "\\u%04x", (unsigned)*p);
		else
			g_string_append_c(out, *p);
	}
	g_string_append_c(out, '"');
}

static void write_double(GString *out, double number)
{
	char buffer[G_ASCII_DTOSTR_BUF_SIZE];

	/* What is no number cannot be said in JSON. */
	if (!isfinite(number)) {
		g_string_append(out, "null");
		return;
	}
	g_ascii_dtostr(buffer, sizeof(buffer), number);
	g_string_append(out, buffer);
	/* It came in as no integer and must go out as none. */
	if (!strpbrk(buffer, ".e"))
		g_string_append(out, ".0");
}

static void write_value(GString *out, JsonNode *node)
{
	switch (json_node_get_value_type(node)) {
	case G_TYPE_INT64:
		g_string_append_printf(out, "%" G_GINT64_FORMAT, json_node_get_int(node));
		return;
	case G_TYPE_DOUBLE:
		write_double(out, json_node_get_double(node));
		return;
	case G_TYPE_BOOLEAN:
		g_string_append(out, json_node_get_boolean(node) ? "true" : "false");
		return;
	case G_TYPE_STRING:
		/* An empty GValue: json-glib lets one make such a node. */
		if (!json_node_get_string(node))
			g_string_append(out, "null");
		else
			write_string(out, json_node_get_string(node));
		return;
	default:
		/* json-glib stores no other types. */
		g_assert_not_reached();
	}
}

static void write_node(GString *out, JsonNode *node);

static void write_array(GString *out, JsonArray *array)
{
	unsigned length = json_array_get_length(array);

	g_string_append_c(out, '[');
	for (unsigned i = 0; i < length; i++) {
		if (i > 0)
			g_string_append_c(out, ',');
		write_node(out, json_array_get_element(array, i));
	}
	g_string_append_c(out, ']');
}

static void write_object(GString *out, JsonObject *object)
{
	bool first = true;
	JsonObjectIter iter;
	JsonNode *member;
	const char *key;

	g_string_append_c(out, '{');
	json_object_iter_init_ordered(&iter, object);
	while (json_object_iter_next_ordered(&iter, &key, &member)) {
		if (!first)
			g_string_append_c(out, ',');
		first = false;
		write_string(out, key);
		g_string_append_c(out, ':');
		write_node(out, member);
	}
	g_string_append_c(out, '}');
}

/* As deep as the node is nested, which json_text_parse() has bounded. */
static void write_node(GString *out, JsonNode *node)
{
	switch (json_node_get_node_type(node)) {
	case JSON_NODE_OBJECT:
		write_object(out, json_node_get_object(node));
		return;
	case JSON_NODE_ARRAY:
		write_array(out, json_node_get_array(node));
		return;
	case JSON_NODE_VALUE:
		write_value(out, node);
		return;
	case JSON_NODE_NULL:
		g_string_append(out, "null");
		return;
	}
}

/* Not json-glib's generator: 1.6 writes 1e57 as 1e+57.0, which is no JSON. */
char *json_text_from_node(JsonNode *node)
{
	GString *out = g_string_new(NULL);

	write_node(out, node);
	return g_string_free(out, FALSE);
}
