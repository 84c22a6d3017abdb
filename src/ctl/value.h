/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "ctl/ctl.h"

/*
 * Values of the bus as text for people. One form for all signals and properties, so that what a newer service adds is shown
 * too.
 */

/* What one line shows of long texts and lists; --json has them whole. */
#define VALUE_TEXT_STRING_MAX 1024u     /* characters */
#define VALUE_TEXT_LIST_MAX   16u       /* entries */

/* The types of block jobs whose progress is counted in bytes; see value_is_among(). */
#define VALUE_JOBS_IN_BYTES "commit|stream|mirror|backup"

/* Appends the value in readable form, safe for a terminal: strings bare where that is unambiguous,
 * lists in brackets, dictionaries as key=value: bare at the top, in braces below. */
void value_append_text(GString *string, const VmhValue *value);
/* The same of what is inside of something. */
void value_append_inner_text(GString *string, const VmhValue *value);
void value_append_string(GString *string, const char *text);

/* value_append_text() as a new string; free with g_free(). */
char *value_to_text(const VmhValue *value);

/* For --json; free with json_node_unref(). */
JsonNode *value_to_json(const VmhValue *value);

/* A text for one line: cut to VALUE_TEXT_STRING_MAX and safe, without quotes. Free with g_free(). */
char *value_shorten(const char *text);

bool value_is_dictionary(const VmhValue *value);
/* An array that is no dictionary, or a struct. */
bool value_is_list(const VmhValue *value);
/* Of a text, a list or a dictionary. */
bool value_is_empty(const VmhValue *value);

/* Is it one of the words, which have "|" between them? */
bool value_is_among(const char *words, const char *text);
