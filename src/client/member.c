/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/member.h"

#include <unistd.h>

#include "bus/names.h"
#include "client/call.h"
#include "client/error-internal.h"
#include "client/interface-name.h"
#include "client/options-internal.h"
#include "client/value-internal.h"

static bool check_text(const Member *member, unsigned number, const char *text, VmhError **error)
{
	if (text && g_utf8_validate(text, -1, NULL))
		return true;
	error_set(error, VMH_ERROR_INVALID_ARGUMENT, "%s(): argument %u is %s", member->member, number,
		  text ? "not UTF-8" : "missing (NULL)");
	return false;
}

/* A floating tuple; NULL and *error. */
static GVariant *make_arguments(const Member *member, const char *letters, va_list *values,
				const VmhOptions **ret_options, VmhError **error)
{
	const VmhOptions *options = NULL;
	GVariantBuilder builder;
	const char *text;
	bool good = true;

	g_variant_builder_init(&builder, G_VARIANT_TYPE_TUPLE);
	for (unsigned i = 0; good && letters[i]; i++) {
		switch (letters[i]) {
		case 's':
			text = va_arg(*values, const char *);
			good = check_text(member, i + 1, text, error);
			if (good)
				g_variant_builder_add(&builder, "s", text);
			break;
		case 't':
			g_variant_builder_add(&builder, "t", va_arg(*values, uint64_t));
			break;
		case 'b':
			g_variant_builder_add(&builder, "b", va_arg(*values, int));
			break;
		case 'O':
			options = va_arg(*values, const VmhOptions *);
			good = options_check(options, error);
			if (good)
				g_variant_builder_add_value(&builder, options_to_gvariant(options));
			break;
		default:
			g_assert_not_reached();
		}
	}
	if (!good) {
		g_variant_builder_clear(&builder);
		return NULL;
	}
	*ret_options = options;
	return g_variant_builder_end(&builder);
}

static GVariant *check_answer(const Member *member, GVariant *answer, VmhError **error)
{
	const char *type = member->answer ?: "()";

	if (!answer || g_variant_is_of_type(answer, G_VARIANT_TYPE(type)))
		return answer;
	error_set(error, VMH_ERROR_FAILED, "The service's answer to %s() is of the type %s, and not %s", member->member,
		  g_variant_get_type_string(answer), type);
	g_variant_unref(answer);
	return NULL;
}

GVariant *member_run_va(VmhConnection *connection, const Member *member, VmhError **error, const char *arguments,
			va_list values)
{
	const VmhOptions *options = NULL;
	Call call = {
		.path = member->path,
		.interface = member->interface,
		.member = member->member,
		.no_start = member->no_start,
	};
	GVariant *answer;
	va_list rest;
	int fd = -1;

	if (!connection) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "%s(): there is no connection (NULL)", member->member);
		return NULL;
	}
	va_copy(rest, values);
	call.arguments = make_arguments(member, arguments, &rest, &options, error);
	va_end(rest);
	if (!call.arguments)
		return NULL;
	call.fds = options_get_fds(options);
	call.ret_fd = member->ret_fd ? &fd : NULL;
	answer = check_answer(member, call_run(connection, &call, error), error);
	if (answer && member->ret_fd)
		*member->ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return answer;
}

GVariant *member_run(VmhConnection *connection, const Member *member, VmhError **error, const char *arguments, ...)
{
	GVariant *answer;
	va_list values;

	va_start(values, arguments);
	answer = member_run_va(connection, member, error, arguments, values);
	va_end(values);
	return answer;
}

VmhValue *member_get_properties(VmhConnection *connection, const char *path, const char *interface, VmhError **error)
{
	const Member member = { .path = path, .interface = BUS_PROPERTIES, .member = "GetAll", .answer = "(a{sv})" };
	g_autofree char *name = interface_get_full_name(interface);
	g_autoptr(GVariant) answer = member_run(connection, &member, error, "s", name);

	return answer ? value_from_gvariant(g_variant_get_child_value(answer, 0)) : NULL;
}

VmhValue *member_get_property(VmhConnection *connection, const char *path, const char *interface,
			      const char *property, bool no_start, VmhError **error)
{
	const Member member = { .path = path, .interface = BUS_PROPERTIES, .member = "Get", .answer = "(v)",
				.no_start = no_start };
	g_autofree char *name = interface_get_full_name(interface);
	g_autoptr(GVariant) answer = member_run(connection, &member, error, "ss", name, property);

	return answer ? value_from_gvariant(value_unbox(g_variant_get_child_value(answer, 0))) : NULL;
}
