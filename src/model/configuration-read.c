/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "model/configuration.h"
#include "model/configuration-values.h"

/* A text of vmherald.conf, line by line. Each line that is wrong is told, so that one look is enough to mend them all. */

typedef struct Reader {
	Configuration *configuration;
	bool system;
	const char *file;
	unsigned line;
	GPtrArray *problems;
	bool good;
	const char *section;         /* one of the table's; NULL: none yet, or one that there is not */
	bool section_is_bad;         /* that has been told, and what is in it is passed over */
	unsigned *lines;             /* in which each key of the table was given; 0: in none */
} Reader;

/* ---- problems ---- */

static void problem_free(void *data)
{
	ConfigurationProblem *problem = data;

	g_free(problem->file);
	g_free(problem->message);
	g_free(problem);
}

GPtrArray *configuration_problems_new(void)
{
	return g_ptr_array_new_with_free_func(problem_free);
}

void configuration_problems_add(GPtrArray *problems, const char *file, unsigned line, const char *message)
{
	ConfigurationProblem *problem;

	if (problems->len > CONFIGURATION_PROBLEMS_MAX)
		return;
	problem = g_new0(ConfigurationProblem, 1);
	problem->file = g_strdup(file);
	problem->line = line;
	problem->message = g_strdup(problems->len < CONFIGURATION_PROBLEMS_MAX ? message : "and more is wrong");
	g_ptr_array_add(problems, problem);
}

char *configuration_problem_to_string(const ConfigurationProblem *problem)
{
	g_autofree char *text = problem->line == 0
					? g_strdup_printf("%s: %s", problem->file, problem->message)
					: g_strdup_printf("%s:%u: %s", problem->file, problem->line, problem->message);
	char *valid = g_utf8_make_valid(text, -1);

	/* The name of a file may be anything. */
	for (char *p = valid; *p; p++)
		if (g_ascii_iscntrl(*p))
			*p = '?';
	return valid;
}

static void tell(Reader *reader, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void tell(Reader *reader, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	configuration_problems_add(reader->problems, reader->file, reader->line, message);
	reader->good = false;
}

/* ---- lines ---- */

static char *list_sections(void)
{
	GString *list = g_string_new(NULL);
	const char *last = "";

	for (size_t i = 0; i < configuration_keys_length; i++) {
		if (!g_str_equal(configuration_keys[i].section, last))
			g_string_append_printf(list, "%s[%s]", i > 0 ? ", " : "", configuration_keys[i].section);
		last = configuration_keys[i].section;
	}
	return g_string_free(list, FALSE);
}

static char *list_keys(const char *section)
{
	GString *list = g_string_new(NULL);

	for (size_t i = 0; i < configuration_keys_length; i++)
		if (g_str_equal(configuration_keys[i].section, section))
			g_string_append_printf(list, "%s%s=", list->len > 0 ? ", " : "", configuration_keys[i].name);
	return g_string_free(list, FALSE);
}

static void read_section(Reader *reader, char *line)
{
	size_t length = strlen(line);
	g_autofree char *shown = NULL, *list = NULL;

	reader->section = NULL;
	reader->section_is_bad = true;
	if (line[length - 1] != ']') {
		tell(reader, "the ] at the end of the section is missing");
		return;
	}
	line[length - 1] = '\0';
	line++;
	for (size_t i = 0; i < configuration_keys_length; i++)
		if (g_str_equal(configuration_keys[i].section, line))
			reader->section = configuration_keys[i].section;
	reader->section_is_bad = !reader->section;
	if (reader->section)
		return;
	shown = configuration_text_show(line);
	list = list_sections();
	tell(reader, "there is no section [%s], but %s", shown, list);
}

/* What is misspelt only by its case, or in the wrong section. */
static const ConfigurationKey *find_meant(const char *name)
{
	for (size_t i = 0; i < configuration_keys_length; i++)
		if (g_ascii_strcasecmp(configuration_keys[i].name, name) == 0)
			return &configuration_keys[i];
	return NULL;
}

static void tell_unknown_key(Reader *reader, const char *name)
{
	g_autofree char *shown = configuration_text_show(name), *list = list_keys(reader->section);
	const ConfigurationKey *meant = find_meant(name);

	if (!meant)
		tell(reader, "there is no %s= in [%s], but %s", shown, reader->section, list);
	else if (g_str_equal(meant->section, reader->section))
		tell(reader, "there is no %s= in [%s]; it is written %s=", shown, reader->section, meant->name);
	else
		tell(reader, "there is no %s= in [%s]; %s= is one of [%s]", shown, reader->section, meant->name,
		     meant->section);
}

static void read_assignment(Reader *reader, const char *name, const char *value)
{
	const ConfigurationKey *key = configuration_find_key(reader->section, name);
	g_autoptr(GError) error = NULL;
	unsigned *line;

	if (!key) {
		tell_unknown_key(reader, name);
		return;
	}
	line = &reader->lines[key - configuration_keys];
	if (*line != 0) {
		tell(reader, "%s= is there twice, in line %u too; one of them has to go", key->name, *line);
		return;
	}
	*line = reader->line;
	if (!configuration_set(reader->configuration, key, reader->system, value, &error))
		tell(reader, "%s= %s", key->name, error->message);
}

static void read_line(Reader *reader, char *line)
{
	g_autofree char *shown = NULL;
	char *equals;

	g_strstrip(line);
	if (*line == '\0' || *line == '#' || *line == ';')
		return;
	if (*line == '[') {
		read_section(reader, line);
		return;
	}
	equals = strchr(line, '=');
	if (!equals) {
		shown = configuration_text_show(line);
		tell(reader, "'%s' is neither a [Section] nor KEY=VALUE nor a comment, which begins with #", shown);
		return;
	}
	if (!reader->section) {
		g_autofree char *list = list_sections();

		if (!reader->section_is_bad)
			tell(reader, "before the first section, which is one of %s", list);
		return;
	}
	*equals = '\0';
	read_assignment(reader, g_strchomp(line), g_strchug(equals + 1));
}

static void read_lines(Reader *reader, const char *text)
{
	while (*text && reader->problems->len <= CONFIGURATION_PROBLEMS_MAX) {
		size_t length = strcspn(text, "\n");
		g_autofree char *line = g_strndup(text, length);

		reader->line++;
		read_line(reader, line);
		text += length + (text[length] == '\n');
	}
}

static unsigned line_at(const char *text, const char *end)
{
	unsigned line = 1;

	for (; text < end; text++)
		line += *text == '\n';
	return line;
}

bool configuration_read(Configuration *configuration, bool system, const char *file, const char *text, size_t length,
			GPtrArray *problems)
{
	g_autofree unsigned *lines = g_new0(unsigned, configuration_keys_length);
	g_autofree char *copy = NULL;
	const char *end;
	Reader reader = {
		.configuration = configuration, .system = system, .file = file, .problems = problems, .good = true,
		.lines = lines,
	};

	if (length == 0)
		return true;
	if (length > CONFIGURATION_FILE_MAX) {
		tell(&reader, "is %zu bytes long, and %u are allowed", length, CONFIGURATION_FILE_MAX);
		return false;
	}
	/* A NUL is none either. */
	if (!g_utf8_validate(text, (gssize)length, &end)) {
		reader.line = line_at(text, end);
		tell(&reader, "is no UTF-8 text");
		return false;
	}
	copy = g_strndup(text, length);
	read_lines(&reader, copy);
	return reader.good;
}
