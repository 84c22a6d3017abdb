/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <string.h>

#include "base/json-text.h"

/*
 * Where in a text the problems of it are. The nodes of a parsed document do not know where they came from, so the
 * text is walked once more, with a path that is made as the reader made it; that is only done when there
 * is something to complain of. A member is found at its key, an element at its value. What is missing is
 * missing in what is around it.
 */

typedef struct Walk {
	const char *at, *end;
	const char *line_start;
	unsigned line;
	unsigned depth;
	DefinitionReader reader;    /* for its path */
	GHashTable *places;         /* wanted path -> DefinitionPlace; all 0: not found */
} Walk;

static void skip_space(Walk *walk)
{
	for (; walk->at < walk->end && strchr(" \t\r\n", *walk->at) && *walk->at; walk->at++) {
		if (*walk->at == '\n') {
			walk->line++;
			walk->line_start = walk->at + 1;
		}
	}
}

static bool take(Walk *walk, char c)
{
	skip_space(walk);
	if (walk->at >= walk->end || *walk->at != c)
		return false;
	walk->at++;
	return true;
}

/* Of a key that comes twice the last counts, here as in the document. */
static void note_place(Walk *walk, DefinitionPlace here)
{
	DefinitionPlace *place = g_hash_table_lookup(walk->places, walk->reader.path->str);

	if (place)
		*place = here;
}

static DefinitionPlace get_place(Walk *walk)
{
	skip_space(walk);
	return (DefinitionPlace){ walk->line, (unsigned)(walk->at - walk->line_start) + 1 };
}

/* Moves behind it. The token with its quotation marks, NULL if there is none. */
static char *take_string(Walk *walk)
{
	const char *start;

	skip_space(walk);
	start = walk->at;
	if (!take(walk, '"'))
		return NULL;
	for (; walk->at < walk->end && *walk->at != '"'; walk->at++)
		if (*walk->at == '\\' && walk->at + 1 < walk->end)
			walk->at++;
	if (walk->at == walk->end)
		return NULL;
	walk->at++;
	return g_strndup(start, (size_t)(walk->at - start));
}

static char *take_key(Walk *walk)
{
	g_autofree char *token = take_string(walk);
	g_autoptr(JsonNode) node = NULL;

	if (!token)
		return NULL;
	if (!strchr(token, '\\'))
		return g_strndup(token + 1, strlen(token) - 2);
	node = json_text_parse(token, strlen(token), DEFINITION_LENGTH_MAX, 1, NULL);
	return node ? json_node_dup_string(node) : NULL;
}

static bool walk_value(Walk *walk);

static bool walk_object(Walk *walk)
{
	if (take(walk, '}'))
		return true;
	do {
		DefinitionPlace place = get_place(walk);
		g_autofree char *key = take_key(walk);
		size_t outer;
		bool good;

		if (!key || !take(walk, ':'))
			return false;
		outer = definition_reader_enter(&walk->reader, key);
		note_place(walk, place);
		good = walk_value(walk);
		definition_reader_leave(&walk->reader, outer);
		if (!good)
			return false;
	} while (take(walk, ','));
	return take(walk, '}');
}

static bool walk_array(Walk *walk)
{
	unsigned index = 0;

	if (take(walk, ']'))
		return true;
	do {
		DefinitionPlace place = get_place(walk);
		size_t outer = definition_reader_enter_index(&walk->reader, index++);
		bool good;

		note_place(walk, place);
		good = walk_value(walk);
		definition_reader_leave(&walk->reader, outer);
		if (!good)
			return false;
	} while (take(walk, ','));
	return take(walk, ']');
}

/* As deep as the text is nested, which has been looked at before; but not deeper than that. */
static bool walk_value(Walk *walk)
{
	bool good;

	if (walk->depth == DEFINITION_NESTING_MAX + 1)
		return false;
	walk->depth++;
	skip_space(walk);
	if (take(walk, '{')) {
		good = walk_object(walk);
	} else if (take(walk, '[')) {
		good = walk_array(walk);
	} else if (walk->at < walk->end && *walk->at == '"') {
		g_autofree char *token = take_string(walk);

		good = token != NULL;
	} else {
		while (walk->at < walk->end && !strchr(" \t\r\n,]}", *walk->at))
			walk->at++;
		good = true;
	}
	walk->depth--;
	return good;
}

/* "a[0].b" in "a[0]" in "a" in ""; false if it is the whole document already. */
static bool cut_last(char *path)
{
	char *dot = strrchr(path, '.'), *bracket = strrchr(path, '[');

	if (!*path)
		return false;
	if (dot || bracket)
		*MAX(dot, bracket) = '\0';
	else
		*path = '\0';
	return true;
}

static void want(GHashTable *places, const char *path)
{
	g_autofree char *shorter = g_strdup(path);

	do {
		if (!g_hash_table_contains(places, shorter))
			g_hash_table_insert(places, g_strdup(shorter), g_new0(DefinitionPlace, 1));
	} while (cut_last(shorter));
}

static DefinitionPlace find(GHashTable *places, const char *path)
{
	g_autofree char *shorter = g_strdup(path);
	const DefinitionPlace *place;

	do {
		place = g_hash_table_lookup(places, shorter);
	} while (place->line == 0 && cut_last(shorter));
	return *place;
}

void definition_locate_problems(GPtrArray *problems, const char *text, size_t length)
{
	Walk walk = { .at = text, .end = text + length, .line_start = text, .line = 1 };
	unsigned n_missing = 0;

	for (unsigned i = 0; i < problems->len; i++)
		n_missing += ((DefinitionProblem *)g_ptr_array_index(problems, i))->place.line == 0;
	if (n_missing == 0)
		return;
	definition_reader_init(&walk.reader);
	walk.places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (unsigned i = 0; i < problems->len; i++)
		want(walk.places, ((DefinitionProblem *)g_ptr_array_index(problems, i))->path);
	want(walk.places, "");
	note_place(&walk, get_place(&walk));
	(void)walk_value(&walk);
	for (unsigned i = 0; i < problems->len; i++) {
		DefinitionProblem *problem = g_ptr_array_index(problems, i);

		if (problem->place.line == 0)
			problem->place = find(walk.places, problem->path);
	}
	g_hash_table_unref(walk.places);
	definition_reader_clear(&walk.reader);
}
