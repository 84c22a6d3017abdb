/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/configuration-values.h"

#include <string.h>

#define NAME_LENGTH_MAX 31u
#define SHOWN_MAX 64
#define BLANKS " \t"

typedef struct Unit {
	const char *name;
	uint64_t factor;
} Unit;

#define SECOND UINT64_C(1000000)

/* The first of a factor is the one that is written. */
static const Unit times[] = {
	{ "us", 1 },
	{ "ms", 1000 },
	{ "s", SECOND }, { "sec", SECOND }, { "second", SECOND }, { "seconds", SECOND },
	{ "min", 60 * SECOND }, { "m", 60 * SECOND }, { "minute", 60 * SECOND }, { "minutes", 60 * SECOND },
	{ "h", 3600 * SECOND }, { "hr", 3600 * SECOND }, { "hour", 3600 * SECOND }, { "hours", 3600 * SECOND },
	{ "d", 86400 * SECOND }, { "day", 86400 * SECOND }, { "days", 86400 * SECOND },
	{ "w", 604800 * SECOND }, { "week", 604800 * SECOND }, { "weeks", 604800 * SECOND },
	{ NULL },
};

static const Unit sizes[] = {
	{ "B", 1 },
	{ "K", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
	{ NULL },
};

/* Digits at *text, which is moved behind them. */
static bool take_digits(const char **text, uint64_t *ret_value)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!g_ascii_isdigit(*p))
		return false;
	for (; g_ascii_isdigit(*p); p++)
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return false;
	*text = p;
	*ret_value = value;
	return true;
}

/* The word at *text, which is moved behind it and the blanks around it. No word: plain. */
static bool take_unit(const char **text, const Unit *units, uint64_t plain, uint64_t *ret_factor)
{
	const char *p = *text + strspn(*text, BLANKS);
	size_t length = 0;

	while (g_ascii_isalpha(p[length]))
		length++;
	*text = p + length + strspn(p + length, BLANKS);
	if (length == 0) {
		*ret_factor = plain;
		return true;
	}
	for (; units->name; units++) {
		if (strlen(units->name) == length && strncmp(units->name, p, length) == 0) {
			*ret_factor = units->factor;
			return true;
		}
	}
	return false;
}

bool configuration_number_parse(const char *text, uint64_t *ret_value)
{
	uint64_t value;

	if (!take_digits(&text, &value) || *text)
		return false;
	*ret_value = value;
	return true;
}

bool configuration_time_parse(const char *text, uint64_t *ret_value)
{
	uint64_t sum = 0, value, factor;

	do {
		if (!take_digits(&text, &value) || !take_unit(&text, times, SECOND, &factor) ||
		    __builtin_mul_overflow(value, factor, &value) || __builtin_add_overflow(sum, value, &sum))
			return false;
	} while (*text);
	*ret_value = sum;
	return true;
}

bool configuration_size_parse(const char *text, uint64_t *ret_value)
{
	uint64_t value, factor;

	if (!take_digits(&text, &value) || !take_unit(&text, sizes, 1, &factor) || *text ||
	    __builtin_mul_overflow(value, factor, &value))
		return false;
	*ret_value = value;
	return true;
}

bool configuration_boolean_parse(const char *text, bool *ret_value)
{
	static const char *const yes[] = { "yes", "true", "on", "1", NULL };
	static const char *const no[] = { "no", "false", "off", "0", NULL };

	if (!g_strv_contains(yes, text) && !g_strv_contains(no, text))
		return false;
	*ret_value = g_strv_contains(yes, text);
	return true;
}

bool configuration_name_is_valid(const char *text)
{
	if (!g_ascii_isalpha(*text) && *text != '_')
		return false;
	for (const char *p = text; *p; p++)
		if (!g_ascii_isalnum(*p) && *p != '_' && *p != '-')
			return false;
	return strlen(text) <= NAME_LENGTH_MAX;
}

/* "/a/./b" and "/a/../b" are not what they seem to be, and a folder that is compared with others must be. */
static bool is_folder(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);

	for (const char *p = path; *p; p = g_utf8_next_char(p))
		if (g_unichar_iscntrl(g_utf8_get_char(p)))
			return false;
	for (char **part = parts; *part; part++)
		if (g_str_equal(*part, ".") || g_str_equal(*part, ".."))
			return false;
	return *path == '/';
}

/* The folder at *text, which is moved behind it; NULL if there is no good one. */
static char *take_folder(const char **text)
{
	const char *p = *text, *end;
	g_autofree char *folder = NULL;

	if (*p == '"') {
		end = strchr(++p, '"');
		if (!end || (end[1] && !strchr(BLANKS, end[1])))
			return NULL;
		*text = end + 1;
	} else {
		end = p + strcspn(p, BLANKS "\"");
		if (*end == '"')
			return NULL;
		*text = end;
	}
	folder = g_strndup(p, (size_t)(end - p));
	return is_folder(folder) ? g_steal_pointer(&folder) : NULL;
}

bool configuration_folders_parse(const char *text, char ***ret_value)
{
	g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(g_free);

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		char *folder = take_folder(&text);

		if (!folder)
			return false;
		g_ptr_array_add(folders, folder);
		if (folders->len > CONFIGURATION_FOLDERS_MAX)
			return false;
	}
	g_ptr_array_add(folders, NULL);
	*ret_value = (char **)g_ptr_array_free(g_steal_pointer(&folders), FALSE);
	return true;
}

/* In the largest unit in which it is whole. */
static char *to_text(uint64_t value, const Unit *units)
{
	const Unit *unit = units;

	for (const Unit *next = units; next->name; next++)
		if (next->factor > unit->factor && value % next->factor == 0)
			unit = next;
	return g_strdup_printf("%" G_GUINT64_FORMAT "%s", value / unit->factor, unit->name);
}

char *configuration_time_to_text(uint64_t value)
{
	return value == 0 ? g_strdup("0") : to_text(value, times);
}

char *configuration_size_to_text(uint64_t value)
{
	return value < 1024 ? g_strdup_printf("%" G_GUINT64_FORMAT, value) : to_text(value, sizes);
}

char *configuration_folders_to_text(char *const *folders)
{
	GString *text = g_string_new(NULL);

	for (; *folders; folders++)
		g_string_append_printf(text, strpbrk(*folders, BLANKS) ? "%s\"%s\"" : "%s%s",
				       text->len > 0 ? " " : "", *folders);
	return g_string_free(text, FALSE);
}

char *configuration_text_show(const char *text)
{
	g_autofree char *start = g_strndup(text, SHOWN_MAX);
	g_autofree char *valid = g_utf8_make_valid(start, -1);
	g_autofree char *escaped = g_strescape(valid, NULL);

	return g_strconcat(escaped, strlen(text) > SHOWN_MAX ? "..." : "", NULL);
}
