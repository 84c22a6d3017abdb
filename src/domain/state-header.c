/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/state-header.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json-read.h"
#include "base/json-text.h"

#define MAGIC       "vmherald-state "
/* Bumped when a reader of the old form would misunderstand the new one. */
#define VERSION     1u
#define LINE_FORMAT MAGIC "%04u %010u %020" PRIu64 " %s\n"
#define LINE_LENGTH (sizeof(MAGIC) - 1 + 4 + 1 + 10 + 1 + 20 + 1 + 64 + 1)
/* So that QEMU's data begin at a whole page. */
#define ALIGNMENT   4096u

typedef struct Line {
	unsigned version, header_length;
	uint64_t state_length;
	char sum[65];
} Line;

static char *line_to_text(const Line *line)
{
	char *text = g_strdup_printf(LINE_FORMAT, line->version, line->header_length,
				     line->state_length, line->sum);

	g_assert(strlen(text) == LINE_LENGTH);
	return text;
}

/* ---- reading and writing at a place ---- */

static bool read_at(int fd, char *bytes, size_t length, off_t offset, GError **error)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pread(fd, bytes + done, length - done, offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			core_error_set_errno(error, errno, "cannot be read");
		else if (n == 0)
			g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "ends in the middle of its header");
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool write_at(int fd, const char *bytes, size_t length, off_t offset, GError **error)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pwrite(fd, bytes + done, length - done, offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			core_error_set_errno(error, errno, "cannot be written");
			return false;
		}
		done += (size_t)n;
	}
	return true;
}

static bool seek(int fd, off_t offset, GError **error)
{
	if (lseek(fd, offset, SEEK_SET) == offset)
		return true;
	core_error_set_errno(error, errno, "cannot be read from its place");
	return false;
}

/* ---- writing ---- */

static void add_string(JsonBuilder *builder, const char *member, const char *value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_string_value(builder, value);
}

static void add_int(JsonBuilder *builder, const char *member, int64_t value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_int_value(builder, value);
}

static char *body_to_text(const StateHeader *header)
{
	g_autoptr(JsonBuilder) builder = json_builder_new_immutable();
	g_autofree char *definition = definition_to_json(header->definition);
	g_autoptr(JsonNode) node = NULL;

	json_builder_begin_object(builder);
	add_string(builder, "uuid", header->definition->uuid);
	add_string(builder, "name", header->definition->name);
	add_int(builder, "incarnation", (int64_t)header->incarnation);
	add_string(builder, "qemu-version", header->qemu_version ? header->qemu_version : "");
	json_builder_set_member_name(builder, "was-running");
	json_builder_add_boolean_value(builder, header->was_running);
	add_int(builder, "saved-at", header->saved_at);
	/* As text: the definition is read by its own parser and by nobody else. */
	add_string(builder, "definition", definition);
	json_builder_end_object(builder);
	node = json_builder_get_root(builder);
	return json_text_from_node(node);
}

char *state_header_to_text(const StateHeader *header)
{
	g_autofree char *body = body_to_text(header);
	size_t length = LINE_LENGTH + strlen(body) + 1;
	size_t padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	Line line = { .version = VERSION, .header_length = (unsigned)padded };
	g_autoptr(GString) text = g_string_sized_new(padded);
	g_autofree char *first = NULL, *sum = NULL;

	g_string_append(text, body);
	while (text->len < padded - LINE_LENGTH)
		g_string_append_c(text, text->len + 1 < padded - LINE_LENGTH ? ' ' : '\n');
	sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str, (gssize)text->len);
	g_strlcpy(line.sum, sum, sizeof(line.sum));
	first = line_to_text(&line);
	g_string_prepend(text, first);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

bool state_header_write(int fd, const char *text, GError **error)
{
	if (strlen(text) > STATE_HEADER_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "would have a header of %zu bytes, for the definition; at most %u can be read",
			    strlen(text), STATE_HEADER_MAX);
		return false;
	}
	return write_at(fd, text, strlen(text), 0, error) && seek(fd, (off_t)strlen(text), error);
}

/* ---- reading ---- */

static bool read_line(int fd, Line *ret_line, GError **error)
{
	char text[LINE_LENGTH + 1] = { 0 };
	Line line = { 0 };
	g_autofree char *again = NULL;

	/* A file that is too short for it is not one of ours either. */
	if (!read_at(fd, text, LINE_LENGTH, 0, NULL) || !g_str_has_prefix(text, MAGIC)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "is not a state that vmherald has saved");
		return false;
	}
	if (sscanf(text, MAGIC "%4u %10u %20" SCNu64 " %64s", &line.version, &line.header_length,
		   &line.state_length, line.sum) == 4)
		again = line_to_text(&line);
	if (g_strcmp0(text, again) != 0 || line.header_length < LINE_LENGTH ||
	    line.header_length > STATE_HEADER_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "has a damaged first line");
		return false;
	}
	if (line.version != VERSION) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "is a state of version %u, and this service reads version %u", line.version,
			    VERSION);
		return false;
	}
	*ret_line = line;
	return true;
}

bool state_header_complete(int fd, GError **error)
{
	struct stat status;
	Line line;
	g_autofree char *text = NULL;

	if (!read_line(fd, &line, error))
		return false;
	if (fstat(fd, &status) < 0 || status.st_size <= (off_t)line.header_length) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "is empty: QEMU has written nothing");
		return false;
	}
	line.state_length = (uint64_t)status.st_size - line.header_length;
	text = line_to_text(&line);
	return write_at(fd, text, LINE_LENGTH, 0, error);
}

static JsonNode *read_body(int fd, const Line *line, GError **error)
{
	size_t length = line->header_length - LINE_LENGTH;
	g_autofree char *text = g_malloc(length + 1);
	g_autofree char *sum = NULL;

	if (!read_at(fd, text, length, LINE_LENGTH, error))
		return NULL;
	text[length] = '\0';
	sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, (gssize)length);
	if (!g_str_equal(sum, line->sum)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "has a damaged header");
		return NULL;
	}
	return json_text_parse(text, length, STATE_HEADER_MAX, 64, error);
}

static bool check_length(int fd, const Line *line, GError **error)
{
	struct stat status;
	uint64_t length;

	if (line->state_length == 0) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "is not whole: its save did not come to its end");
		return false;
	}
	if (fstat(fd, &status) < 0) {
		core_error_set_errno(error, errno, "cannot be read");
		return false;
	}
	length = (uint64_t)MAX(status.st_size - (off_t)line->header_length, 0);
	if (length == line->state_length)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
		    "is damaged: it has %" PRIu64 " bytes of state, and %" PRIu64 " were saved", length,
		    line->state_length);
	return false;
}

static StateHeader *read_members(JsonObject *object, GError **error)
{
	g_autoptr(StateHeader) header = g_new0(StateHeader, 1);
	const char *definition = "", *version = "";
	int64_t incarnation = 0;

	(void)json_read_string(object, "definition", &definition);
	header->definition = definition_parse(definition, strlen(definition), error);
	if (!header->definition) {
		g_prefix_error(error, "has a definition that is not understood: ");
		return NULL;
	}
	(void)json_read_string(object, "qemu-version", &version);
	(void)json_read_int(object, "incarnation", &incarnation);
	(void)json_read_int(object, "saved-at", &header->saved_at);
	(void)json_read_bool(object, "was-running", &header->was_running);
	header->incarnation = (uint64_t)incarnation;
	header->qemu_version = g_strdup(version);
	return g_steal_pointer(&header);
}

StateHeader *state_header_read(int fd, const char *uuid, GError **error)
{
	g_autoptr(JsonNode) body = NULL;
	g_autoptr(StateHeader) header = NULL;
	Line line;

	if (!read_line(fd, &line, error))
		return NULL;
	body = read_body(fd, &line, error);
	header = body ? read_members(json_node_as_object(body), error) : NULL;
	if (!header)
		return NULL;
	if (!g_str_equal(header->definition->uuid, uuid)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "is the state of another domain, '%s' (%s)", header->definition->name,
			    header->definition->uuid);
		return NULL;
	}
	if (!check_length(fd, &line, error) || !seek(fd, (off_t)line.header_length, error))
		return NULL;
	return g_steal_pointer(&header);
}

bool state_header_was_running(int fd)
{
	g_autoptr(JsonNode) body = NULL;
	bool was_running = false;
	Line line;

	if (read_line(fd, &line, NULL))
		body = read_body(fd, &line, NULL);
	(void)json_read_bool(json_node_as_object(body), "was-running", &was_running);
	return was_running;
}

StateHeader *state_header_free(StateHeader *header)
{
	if (!header)
		return NULL;
	definition_unref(header->definition);
	g_free(header->qemu_version);
	g_free(header);
	return NULL;
}
