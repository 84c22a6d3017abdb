/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/variant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "bus/packing.h"

/* D-Bus's bound. */
#define BUS_SIGNATURE_MAX 255u

static int append_handle(sd_bus_message *message, int32_t handle, const int *fds)
{
	if (!fds || handle < 0)
		return -EBADF;
	return sd_bus_message_append(message, "h", fds[handle]);
}

static int append_basic(sd_bus_message *message, GVariant *value, const int *fds)
{
	switch (g_variant_classify(value)) {
	case G_VARIANT_CLASS_BOOLEAN:
		return sd_bus_message_append(message, "b", (int)g_variant_get_boolean(value));
	case G_VARIANT_CLASS_BYTE:
		return sd_bus_message_append(message, "y", g_variant_get_byte(value));
	case G_VARIANT_CLASS_INT16:
		return sd_bus_message_append(message, "n", g_variant_get_int16(value));
	case G_VARIANT_CLASS_UINT16:
		return sd_bus_message_append(message, "q", g_variant_get_uint16(value));
	case G_VARIANT_CLASS_INT32:
		return sd_bus_message_append(message, "i", g_variant_get_int32(value));
	case G_VARIANT_CLASS_UINT32:
		return sd_bus_message_append(message, "u", g_variant_get_uint32(value));
	case G_VARIANT_CLASS_INT64:
		return sd_bus_message_append(message, "x", g_variant_get_int64(value));
	case G_VARIANT_CLASS_UINT64:
		return sd_bus_message_append(message, "t", g_variant_get_uint64(value));
	case G_VARIANT_CLASS_DOUBLE:
		return sd_bus_message_append(message, "d", g_variant_get_double(value));
	case G_VARIANT_CLASS_STRING:
	case G_VARIANT_CLASS_OBJECT_PATH:
	case G_VARIANT_CLASS_SIGNATURE:
		return sd_bus_message_append_basic(message, g_variant_get_type_string(value)[0],
						   g_variant_get_string(value, NULL));
	case G_VARIANT_CLASS_HANDLE:
		return append_handle(message, g_variant_get_handle(value), fds);
	default:
		/* D-Bus has no maybes. */
		g_assert_not_reached();
	}
}

static int append_value(sd_bus_message *message, GVariant *value, const int *fds);

static int append_children(sd_bus_message *message, GVariant *value, char type, const char *contents,
			   const int *fds)
{
	int r = sd_bus_message_open_container(message, type, contents);

	for (size_t i = 0; r >= 0 && i < g_variant_n_children(value); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

		r = append_value(message, child, fds);
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_value(sd_bus_message *message, GVariant *value, const int *fds)
{
	const char *type = g_variant_get_type_string(value);
	g_autofree char *inner = NULL;

	if (!g_variant_is_container(value))
		return append_basic(message, value, fds);
	switch (type[0]) {
	case 'v': {
		g_autoptr(GVariant) child = g_variant_get_variant(value);

		return append_children(message, value, 'v', g_variant_get_type_string(child), fds);
	}
	case 'a':
		return append_children(message, value, 'a', type + 1, fds);
	case '(':
	case '{':
		inner = g_strndup(type + 1, strlen(type) - 2);
		return append_children(message, value, type[0] == '(' ? 'r' : 'e', inner, fds);
	default:
		g_assert_not_reached();
	}
}

int bus_append_gvariant(sd_bus_message *message, GVariant *value)
{
	return append_value(message, value, NULL);
}

int bus_append_arguments(sd_bus_message *message, GVariant *tuple, const int *fds)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < g_variant_n_children(tuple); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(tuple, i);

		r = append_value(message, child, fds);
	}
	return r;
}

int bus_append_dict(sd_bus_message *message, GVariant *dict)
{
	return dict ? bus_append_gvariant(message, dict)
		    : sd_bus_message_append(message, "a{sv}", 0);
}

int bus_append_strings(sd_bus_message *message, GHashTable *table)
{
	int r = sd_bus_message_open_container(message, 'a', "{ss}");
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, table);
	while (r >= 0 && g_hash_table_iter_next(&iter, &key, &value))
		r = sd_bus_message_append(message, "{ss}", key, value);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

int bus_append_entries(sd_bus_message *message, GHashTable *table,
		       int (*append)(sd_bus_message *message, const void *value))
{
	int r = sd_bus_message_open_container(message, 'a', "{sa{sv}}");
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, table);
	while (r >= 0 && g_hash_table_iter_next(&iter, &key, &value)) {
		r = sd_bus_message_open_container(message, 'e', "sa{sv}");
		if (r >= 0)
			r = sd_bus_message_append_basic(message, 's', key);
		if (r >= 0)
			r = append(message, value);
		if (r >= 0)
			r = sd_bus_message_close_container(message);
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/* ---- reading ---- */

static void close_fd(void *fd)
{
	if (*(int *)fd >= 0)
		close(*(int *)fd);
}

GArray *bus_fds_new(void)
{
	GArray *fds = g_array_new(false, false, sizeof(int));

	g_array_set_clear_func(fds, close_fd);
	return fds;
}

int bus_fds_steal(GArray *fds, unsigned index)
{
	int fd = -1;

	if (index < fds->len) {
		fd = g_array_index(fds, int, index);
		g_array_index(fds, int, index) = -1;
	}
	return fd;
}

/* The index of the duplicate; *ret_index is as it was if there is none. */
static int read_handle(int borrowed, GArray *fds, int32_t *ret_index)
{
	int fd = fcntl(borrowed, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	g_array_append_val(fds, fd);
	*ret_index = (int32_t)fds->len - 1;
	return 0;
}

static int read_basic(sd_bus_message *message, char type, GArray *fds, Packing *packing)
{
	union {
		uint8_t y;
		int b, h;
		int16_t n;
		int32_t i;
		int64_t x;
		const char *s;
	} value = {};
	int32_t handle = -1;
	int r = sd_bus_message_read_basic(message, type, &value);

	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	switch (type) {
	case 'b':
		value.y = value.b != 0;
		packing_append(packing, &value.y, sizeof(value.y), sizeof(value.y));
		return 0;
	case 'y':
		packing_append(packing, &value.y, sizeof(value.y), sizeof(value.y));
		return 0;
	case 'n':
	case 'q':
		packing_append(packing, &value.n, sizeof(value.n), sizeof(value.n));
		return 0;
	case 'i':
	case 'u':
		packing_append(packing, &value.i, sizeof(value.i), sizeof(value.i));
		return 0;
	case 'x':
	case 't':
	case 'd':
		packing_append(packing, &value.x, sizeof(value.x), sizeof(value.x));
		return 0;
	case 's':
	case 'o':
	case 'g':
		packing_append(packing, value.s, strlen(value.s) + 1, 1);
		return 0;
	case 'h':
		r = fds ? read_handle(value.h, fds, &handle) : 0;
		packing_append(packing, &handle, sizeof(handle), sizeof(handle));
		return r;
	default:
		return -EBADMSG;
	}
}

/* At once: there may be very many. */
static int read_numbers(sd_bus_message *message, char type, Packing *packing)
{
	size_t size = type == 'y' ? 1 : strchr("nq", type) ? 2 : strchr("iu", type) ? 4 : 8;
	const void *numbers = NULL;
	size_t length = 0;
	int r = sd_bus_message_read_array(message, type, &numbers, &length);

	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	packing_append(packing, numbers, length, (unsigned)size);
	return 0;
}

static bool are_numbers(char type, const char *contents)
{
	return type == 'a' && contents[0] && !contents[1] && strchr("ynqiuxtd", contents[0]);
}

static int read_children(sd_bus_message *message, GArray *fds, Packing *packing, PackedContainer *container);

static int read_container(sd_bus_message *message, char type, const char *contents, GArray *fds, Packing *packing)
{
	PackedContainer container;
	int r = sd_bus_message_enter_container(message, type, contents);

	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	container = packing_open(packing, type, contents);
	r = read_children(message, fds, packing, &container);
	if (r < 0)
		return r;
	packing_close(packing, &container);
	return sd_bus_message_exit_container(message);
}

static int read_children(sd_bus_message *message, GArray *fds, Packing *packing, PackedContainer *container)
{
	const char *contents = NULL;
	char type = 0;
	int r;

	while ((r = sd_bus_message_peek_type(message, &type, &contents)) > 0) {
		if (!strchr("avre", type))
			r = read_basic(message, type, fds, packing);
		else if (are_numbers(type, contents))
			r = read_numbers(message, contents[0], packing);
		else
			r = read_container(message, type, contents, fds, packing);
		if (r < 0)
			return r;
		packing_end_part(packing, container, type, contents);
	}
	return r;
}

int bus_read_gvariant(sd_bus_message *message, GVariant **ret_tuple, GArray *fds)
{
	const char *signature = sd_bus_message_get_signature(message, true);
	char type[BUS_SIGNATURE_MAX + sizeof "()"];
	PackedContainer container;
	Packing packing;
	int r = sd_bus_message_rewind(message, true);

	if (r < 0)
		return r;
	if (!signature || g_snprintf(type, sizeof type, "(%s)", signature) >= (int)sizeof type ||
	    !g_variant_type_string_is_valid(type))
		return -EBADMSG;
	/* So is the answer to most calls. */
	if (!*signature) {
		*ret_tuple = g_variant_ref_sink(g_variant_new_tuple(NULL, 0));
		return 0;
	}
	packing_init(&packing);
	container = packing_open(&packing, 'r', signature);
	r = read_children(message, fds, &packing, &container);
	if (r < 0) {
		packing_clear(&packing);
		return r;
	}
	packing_close(&packing, &container);
	*ret_tuple = packing_end(&packing, type);
	return 0;
}
