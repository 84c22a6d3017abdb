/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/options-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bus/variant.h"
#include "client/error-internal.h"

typedef struct Option {
	char *key;
	GVariant *value;             /* NULL: it was no text that the bus takes */
} Option;

struct VmhOptions {
	GArray *list;                /* of Option, in the order of their first setting */
	GArray *fds;                 /* -1: free again */
};

static void clear_option(void *data)
{
	Option *option = data;

	g_free(option->key);
	g_clear_pointer(&option->value, g_variant_unref);
}

VmhOptions *vmh_options_new(void)
{
	VmhOptions *options = g_new0(VmhOptions, 1);

	options->list = g_array_new(false, true, sizeof(Option));
	g_array_set_clear_func(options->list, clear_option);
	options->fds = bus_fds_new();
	return options;
}

void vmh_options_free(VmhOptions *options)
{
	if (!options)
		return;
	g_array_unref(options->list);
	g_array_unref(options->fds);
	g_free(options);
}

/* ---- descriptors ---- */

static void close_slot(VmhOptions *options, int32_t handle)
{
	int fd = bus_fds_steal(options->fds, (unsigned)handle);

	if (fd >= 0)
		close(fd);
}

/* The handle, or -1. */
static int32_t take_duplicate(VmhOptions *options, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -1;
	for (unsigned i = 0; i < options->fds->len; i++)
		if (g_array_index(options->fds, int, i) < 0) {
			g_array_index(options->fds, int, i) = copy;
			return (int32_t)i;
		}
	g_array_append_val(options->fds, copy);
	return (int32_t)options->fds->len - 1;
}

/* Those that a value which goes stands for. */
static void close_handles(VmhOptions *options, GVariant *value)
{
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_HANDLE)) {
		close_slot(options, g_variant_get_handle(value));
	} else if (g_variant_is_of_type(value, G_VARIANT_TYPE("a{uh}"))) {
		for (size_t i = 0; i < g_variant_n_children(value); i++) {
			int32_t handle;

			g_variant_get_child(value, i, "{uh}", NULL, &handle);
			close_slot(options, handle);
		}
	}
}

/* ---- setting ---- */

static Option *find_option(const VmhOptions *options, const char *key)
{
	for (unsigned i = 0; i < options->list->len; i++) {
		Option *option = &g_array_index(options->list, Option, i);

		if (g_str_equal(option->key, key))
			return option;
	}
	return NULL;
}

/* value: floating, or NULL. */
static void set_value(VmhOptions *options, const char *key, GVariant *value)
{
	Option *option = find_option(options, key);
	Option new = { .key = g_strdup(key), .value = value ? g_variant_ref_sink(value) : NULL };

	if (!option) {
		g_array_append_val(options->list, new);
		return;
	}
	if (option->value)
		close_handles(options, option->value);
	clear_option(option);
	*option = new;
}

void vmh_options_set_string(VmhOptions *options, const char *key, const char *string)
{
	g_return_if_fail(options && key);
	set_value(options, key,
		  string && g_utf8_validate(string, -1, NULL) ? g_variant_new_string(string) : NULL);
}

void vmh_options_set_bool(VmhOptions *options, const char *key, bool value)
{
	g_return_if_fail(options && key);
	set_value(options, key, g_variant_new_boolean(value));
}

void vmh_options_set_uint64(VmhOptions *options, const char *key, uint64_t number)
{
	g_return_if_fail(options && key);
	set_value(options, key, g_variant_new_uint64(number));
}

void vmh_options_set_uint32(VmhOptions *options, const char *key, uint32_t number)
{
	g_return_if_fail(options && key);
	set_value(options, key, g_variant_new_uint32(number));
}

int vmh_options_set_fd(VmhOptions *options, const char *key, int fd)
{
	int32_t handle;

	g_return_val_if_fail(options && key, -1);
	handle = take_duplicate(options, fd);
	if (handle < 0)
		return -1;
	set_value(options, key, g_variant_new_handle(handle));
	return 0;
}

int vmh_options_add_numbered_fd(VmhOptions *options, const char *key, uint32_t number, int fd)
{
	GVariantBuilder builder;
	Option *option;
	int32_t handle;

	g_return_val_if_fail(options && key, -1);
	handle = take_duplicate(options, fd);
	if (handle < 0)
		return -1;
	option = find_option(options, key);
	g_variant_builder_init(&builder, G_VARIANT_TYPE("a{uh}"));
	if (option && option->value && g_variant_is_of_type(option->value, G_VARIANT_TYPE("a{uh}"))) {
		g_autoptr(GVariant) old = g_steal_pointer(&option->value);

		for (size_t i = 0; i < g_variant_n_children(old); i++) {
			uint32_t old_number;
			int32_t old_handle;

			g_variant_get_child(old, i, "{uh}", &old_number, &old_handle);
			if (old_number == number)
				close_slot(options, old_handle);
			else
				g_variant_builder_add(&builder, "{uh}", old_number, old_handle);
		}
	}
	g_variant_builder_add(&builder, "{uh}", number, handle);
	set_value(options, key, g_variant_builder_end(&builder));
	return 0;
}

/* ---- for a call ---- */

bool options_check(const VmhOptions *options, VmhError **error)
{
	for (unsigned i = 0; options && i < options->list->len; i++) {
		const Option *option = &g_array_index(options->list, Option, i);
		g_autofree char *key = g_utf8_make_valid(option->key, -1);

		if (!option->value || !g_utf8_validate(option->key, -1, NULL)) {
			error_set(error, VMH_ERROR_INVALID_ARGUMENT,
				  "The option \"%s\" was not set to a text in UTF-8", key);
			return false;
		}
	}
	return true;
}

GVariant *options_to_gvariant(const VmhOptions *options)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
	for (unsigned i = 0; options && i < options->list->len; i++) {
		const Option *option = &g_array_index(options->list, Option, i);

		g_variant_builder_add(&builder, "{sv}", option->key, option->value);
	}
	return g_variant_builder_end(&builder);
}

const int *options_get_fds(const VmhOptions *options)
{
	return options && options->fds->len > 0 ? (const int *)(void *)options->fds->data : NULL;
}
