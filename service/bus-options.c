/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-options.h"

#include <errno.h>
#include <glib.h>

#include "bus-error.h"
#include "bus/names.h"
#include "domain/descriptors.h"

#define INVALID_ARGUMENT BUS_ERROR("InvalidArgument")

static const char *const signatures[] = {
	[BUS_OPTION_BOOLEAN] = "b",
	[BUS_OPTION_STRING] = "s",
	[BUS_OPTION_PATH] = "o",
	[BUS_OPTION_NUMBER] = "u",
	[BUS_OPTION_DESCRIPTOR] = "h",
	[BUS_OPTION_SEQUENCE] = "t",
	[BUS_OPTION_DURATION] = "t",
	[BUS_OPTION_LIST] = "aa{sv}",
	[BUS_OPTION_DESCRIPTORS] = "a{uh}",
};

/* With copies: those in the message go with it. */
static int read_descriptors(sd_bus_message *message, Descriptors **ret_descriptors, sd_bus_error *ret_error)
{
	g_autoptr(GError) error = NULL;
	uint32_t number;
	int fd, r = sd_bus_message_enter_container(message, 'v', "a{uh}");

	if (!*ret_descriptors)
		*ret_descriptors = descriptors_new();
	if (r >= 0)
		r = sd_bus_message_enter_container(message, 'a', "{uh}");
	while (r >= 0 && (r = sd_bus_message_read(message, "{uh}", &number, &fd)) > 0)
		if (!descriptors_add(*ret_descriptors, number, fd, &error))
			return bus_error_from_gerror(ret_error, error);
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* What is wrong with one of many is told with its place. */
static int set_at(sd_bus_error *ret_error, const char *name, unsigned index, int r)
{
	sd_bus_error error = *ret_error;

	if (!sd_bus_error_is_set(&error))
		return r;
	*ret_error = SD_BUS_ERROR_NULL;
	r = sd_bus_error_setf(ret_error, error.name, "%s[%u]: %s", name, index, error.message);
	sd_bus_error_free(&error);
	return r;
}

static int read_list(sd_bus_message *message, const BusOption *option, sd_bus_error *ret_error)
{
	const BusOptionList *list = option->ret_value;
	int r = sd_bus_message_enter_container(message, 'v', "aa{sv}");
	unsigned n = 0;

	if (r >= 0)
		r = sd_bus_message_enter_container(message, 'a', "a{sv}");
	while (r >= 0 && (r = sd_bus_message_at_end(message, false)) == 0) {
		r = list->read(message, list->userdata, ret_error);
		if (r < 0)
			return set_at(ret_error, option->name, n, r);
		n++;
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	if (r >= 0)
		r = sd_bus_message_exit_container(message);
	if (r >= 0 && n == 0)
		return sd_bus_error_setf(ret_error, INVALID_ARGUMENT, "options: '%s' is empty", option->name);
	return r;
}

static int read_value(sd_bus_message *message, const BusOption *option, sd_bus_error *ret_error)
{
	const char *signature = signatures[option->type], *contents, *string;
	uint64_t number;
	int r = sd_bus_message_peek_type(message, NULL, &contents), boolean, fd;

	if (r < 0)
		return r;
	if (!g_str_equal(contents, signature))
		return sd_bus_error_setf(ret_error, INVALID_ARGUMENT,
					 "options: '%s' must be of type '%s', not '%s'", option->name,
					 signature, contents);
	switch (option->type) {
	case BUS_OPTION_BOOLEAN:
		r = sd_bus_message_read(message, "v", signature, &boolean);
		if (r >= 0)
			*(bool *)option->ret_value = boolean;
		return r;
	case BUS_OPTION_STRING:
	case BUS_OPTION_PATH:
		r = sd_bus_message_read(message, "v", signature, &string);
		if (r >= 0)
			*(const char **)option->ret_value = string;
		return r;
	case BUS_OPTION_NUMBER:
	case BUS_OPTION_SEQUENCE:
		return sd_bus_message_read(message, "v", signature, option->ret_value);
	case BUS_OPTION_DESCRIPTOR:
		r = sd_bus_message_read(message, "v", signature, &fd);
		if (r >= 0)
			*(int *)option->ret_value = fd;
		return r;
	case BUS_OPTION_DURATION:
		r = sd_bus_message_read(message, "v", signature, &number);
		if (r >= 0)
			*(int *)option->ret_value =
				(int)MIN(number / 1000 + (number % 1000 != 0), (uint64_t)G_MAXINT);
		return r;
	case BUS_OPTION_LIST:
		return read_list(message, option, ret_error);
	case BUS_OPTION_DESCRIPTORS:
		return read_descriptors(message, option->ret_value, ret_error);
	}
	g_assert_not_reached();
}

static const BusOption *find_option(const char *name, const BusOption *options, size_t n_options)
{
	for (size_t i = 0; i < n_options; i++)
		if (g_str_equal(options[i].name, name))
			return &options[i];
	return NULL;
}

static int set_unknown(sd_bus_error *ret_error, const char *name, const BusOption *options,
		       size_t n_options)
{
	g_autoptr(GString) known = g_string_new(n_options == 0 ? "none" : NULL);

	for (size_t i = 0; i < n_options; i++)
		g_string_append_printf(known, "%s%s", i > 0 ? ", " : "", options[i].name);
	return sd_bus_error_setf(ret_error, INVALID_ARGUMENT,
				 "options: '%s' is not known here; known: %s", name, known->str);
}

int bus_read_options(sd_bus_message *message, const BusOption *options, size_t n_options,
		     sd_bus_error *ret_error)
{
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		const BusOption *option;
		const char *name;

		r = sd_bus_message_read(message, "s", &name);
		if (r < 0)
			return r;
		option = find_option(name, options, n_options);
		if (!option)
			return set_unknown(ret_error, name, options, n_options);
		r = read_value(message, option, ret_error);
		if (r < 0)
			return r;
		r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

int bus_read_no_options(sd_bus_message *message, sd_bus_error *ret_error)
{
	return bus_read_options(message, NULL, 0, ret_error);
}
