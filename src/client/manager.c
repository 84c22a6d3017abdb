/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vmherald/vmherald.h>

#include "bus/names.h"
#include "bus/object-path.h"
#include "client/error-internal.h"
#include "client/member.h"

/* The methods of the interface Manager. */

#define MANAGER "Manager"
#define MEMBER(name, type) { .interface = BUS_INTERFACE(MANAGER), .member = name, .answer = type }

static const Member define = MEMBER("DefineDomain", "(o)");
static const Member create = MEMBER("CreateDomain", "(o)");
static const Member adopt = MEMBER("AdoptDomain", "(o)");
static const Member get = MEMBER("GetDomain", "(o)");
static const Member list = MEMBER("ListDomains", "(a(osss))");
static const Member validate = MEMBER("ValidateDefinition", "(a(ss))");
static const Member reload = MEMBER("Reload", "()");

static VmhDomain *make_domain(VmhConnection *connection, const char *path, VmhError **error)
{
	char uuid[BUS_PATH_UUID_LENGTH + 1];

	if (bus_path_to_uuid(path, uuid))
		return vmh_domain_new(connection, uuid, error);
	error_set(error, VMH_ERROR_FAILED, "The service named an object that is no domain: %s", path);
	return NULL;
}

static VmhDomain *run_for_domain(VmhConnection *connection, const Member *member, VmhError **error,
				 const char *arguments, ...)
{
	g_autoptr(GVariant) answer = NULL;
	const char *path;
	va_list values;

	va_start(values, arguments);
	answer = member_run_va(connection, member, error, arguments, values);
	va_end(values);
	if (!answer)
		return NULL;
	g_variant_get(answer, "(&o)", &path);
	return make_domain(connection, path, error);
}

VmhDomain *vmh_connection_define_domain(VmhConnection *connection, const char *definition, const VmhOptions *options,
					VmhError **error)
{
	return run_for_domain(connection, &define, error, "sO", definition, options);
}

VmhDomain *vmh_connection_create_domain(VmhConnection *connection, const char *definition, const VmhOptions *options,
					VmhError **error)
{
	return run_for_domain(connection, &create, error, "sO", definition, options);
}

VmhDomain *vmh_connection_adopt_domain(VmhConnection *connection, const char *name, const char *monitor,
				       const VmhOptions *options, VmhError **error)
{
	return run_for_domain(connection, &adopt, error, "ssO", name, monitor, options);
}

VmhDomain *vmh_connection_get_domain(VmhConnection *connection, const char *name_or_uuid, VmhError **error)
{
	return run_for_domain(connection, &get, error, "s", name_or_uuid);
}

/* ---- lists ---- */

void vmh_domain_entries_free(VmhDomainEntry *entries, size_t length)
{
	for (size_t i = 0; entries && i < length; i++) {
		vmh_domain_unref(entries[i].domain);
		g_free(entries[i].name);
		g_free(entries[i].uuid);
		g_free(entries[i].state_name);
	}
	g_free(entries);
}

static bool read_entry(VmhConnection *connection, GVariant *domains, size_t index, VmhDomainEntry *entry,
		       VmhError **error)
{
	const char *path;

	g_variant_get_child(domains, index, "(&osss)", &path, &entry->name, &entry->uuid, &entry->state_name);
	entry->state = vmh_domain_state_from_string(entry->state_name);
	entry->domain = make_domain(connection, path, error);
	return entry->domain;
}

VmhDomainEntry *vmh_connection_list_domains(VmhConnection *connection, const VmhOptions *options, size_t *ret_length,
					    VmhError **error)
{
	g_autoptr(GVariant) answer = member_run(connection, &list, error, "O", options);
	g_autoptr(GVariant) domains = answer ? g_variant_get_child_value(answer, 0) : NULL;
	size_t length = domains ? g_variant_n_children(domains) : 0;
	VmhDomainEntry *entries;

	if (!domains)
		return NULL;
	/* One more: no domains are no failure. */
	entries = g_new0(VmhDomainEntry, length + 1);
	for (size_t i = 0; i < length; i++)
		if (!read_entry(connection, domains, i, &entries[i], error)) {
			vmh_domain_entries_free(entries, length);
			return NULL;
		}
	if (ret_length)
		*ret_length = length;
	return entries;
}

void vmh_problems_free(VmhProblem *problems, size_t length)
{
	for (size_t i = 0; problems && i < length; i++) {
		g_free(problems[i].path);
		g_free(problems[i].message);
	}
	g_free(problems);
}

bool vmh_connection_validate_definition(VmhConnection *connection, const char *definition, VmhProblem **ret_problems,
					size_t *ret_length, VmhError **error)
{
	g_autoptr(GVariant) answer = NULL, list_of_problems = NULL;
	VmhProblem *problems = NULL;
	size_t length;

	if (!ret_problems || !ret_length) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "%s(): the problems are not asked for (NULL)",
			  validate.member);
		return false;
	}
	answer = member_run(connection, &validate, error, "s", definition);
	if (!answer)
		return false;
	list_of_problems = g_variant_get_child_value(answer, 0);
	length = g_variant_n_children(list_of_problems);
	if (length > 0)
		problems = g_new0(VmhProblem, length);
	for (size_t i = 0; i < length; i++)
		g_variant_get_child(list_of_problems, i, "(ss)", &problems[i].path, &problems[i].message);
	*ret_problems = problems;
	*ret_length = length;
	return true;
}

/* ---- the others ---- */

bool vmh_connection_reload(VmhConnection *connection, VmhError **error)
{
	g_autoptr(GVariant) answer = member_run(connection, &reload, error, "");

	return answer;
}

VmhValue *vmh_connection_get_properties(VmhConnection *connection, VmhError **error)
{
	return member_get_properties(connection, NULL, MANAGER, error);
}

VmhValue *vmh_connection_get_property(VmhConnection *connection, const char *property, VmhError **error)
{
	return member_get_property(connection, NULL, MANAGER, property, true, error);
}
