/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/input.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE   (64u * 1024)
#define SECONDS_MAX 1e9

/* By read() and not g_file_get_contents(), for pipes and for the bound. */
static CtlExit read_descriptor(int fd, const char *path, GString *content)
{
	g_autofree char *buffer = g_malloc(READ_SIZE);

	for (;;) {
		ssize_t length = read(fd, buffer, READ_SIZE);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0) {
			ctl_error("%s: %s", path, g_strerror(errno));
			return CTL_FAILED;
		}
		if (length == 0)
			break;
		g_string_append_len(content, buffer, length);
		if (content->len > INPUT_LENGTH_MAX) {
			ctl_error(_("%s: longer than %u bytes"), path, INPUT_LENGTH_MAX);
			return CTL_FAILED;
		}
	}
	if (!g_utf8_validate(content->str, (gssize) content->len, NULL)) {
		ctl_error(_("%s: not valid UTF-8"), path);
		return CTL_FAILED;
	}
	return CTL_OK;
}

CtlExit input_read_file(const char *path, char **ret_text)
{
	bool standard_input = g_str_equal(path, "-");
	int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	GString *content;
	CtlExit code;

	if (fd < 0) {
		ctl_error("%s: %s", path, g_strerror(errno));
		return CTL_FAILED;
	}
	content = g_string_new(NULL);
	code = read_descriptor(fd, standard_input ? _("standard input") : path, content);
	if (!standard_input)
		close(fd);
	if (code == CTL_OK)
		*ret_text = g_string_free(content, false);
	else
		g_string_free(content, true);
	return code;
}

CtlExit input_json_or_file(const char *argument, char **ret_text)
{
	const char *start = argument;

	while (g_ascii_isspace(*start))
		start++;
	if (*start != '{')
		return input_read_file(argument, ret_text);
	*ret_text = g_strdup(argument);
	return CTL_OK;
}

CtlExit input_check_object(const char *what, const char *text, JsonNode **ret_node)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(JsonNode) node = json_from_string(text, &error);

	if (error) {
		ctl_error("%s: %s", what, error->message);
		return CTL_USAGE;
	}
	if (!node || !JSON_NODE_HOLDS_OBJECT(node)) {
		ctl_error(_("%s: must be a JSON object"), what);
		return CTL_USAGE;
	}
	if (ret_node)
		*ret_node = g_steal_pointer(&node);
	return CTL_OK;
}

CtlExit input_seconds(const char *what, const char *text, uint64_t *ret_microseconds)
{
	double seconds;
	char *end = NULL;

	if (!text)
		return CTL_OK;
	seconds = g_ascii_strtod(text, &end);
	/* Written so that "nan" fails too. */
	if (end == text || *end || !(seconds >= 0 && seconds <= SECONDS_MAX)) {
		ctl_error(_("%s: '%s' is no number of seconds"), what, text);
		return CTL_USAGE;
	}
	*ret_microseconds = (uint64_t) (seconds * G_USEC_PER_SEC);
	return CTL_OK;
}

CtlExit input_size(const char *what, const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *unit = NULL;
	char *end = NULL;
	uint64_t number;
	unsigned shift;

	if (g_str_equal(text, "0")) {
		*ret_bytes = 0;
		return CTL_OK;
	}
	/* strtoull() takes a sign and spaces, and turns negative numbers into large ones. */
	errno = 0;
	number = g_ascii_strtoull(text, &end, 10);
	if (g_ascii_isdigit(*text) && *end)
		unit = strchr(units, *end);
	if (!unit || (end[1] && !g_str_equal(end + 1, "iB"))) {
		ctl_error(_("%s: '%s' is no size; it needs a unit, such as 512M or 2G"), what, text);
		return CTL_USAGE;
	}
	shift = 10 * (unsigned) (unit - units + 1);
	if (errno == ERANGE || number > UINT64_MAX >> shift) {
		ctl_error(_("%s: '%s' is too large"), what, text);
		return CTL_USAGE;
	}
	*ret_bytes = number << shift;
	return CTL_OK;
}
