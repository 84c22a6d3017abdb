/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * What runs the guest's code. QEMU takes the first of the definition's accelerators that works on this host, and
 * tells by QMP only whether that is KVM, and which ones it has built in. Where that leaves one, it is that one; else
 * nothing is said.
 */

/* The raw arguments may have a list of their own. */
static bool is_as_defined(const Domain *domain)
{
	static const char *const options[] = { "accel", "enable-kvm", "machine", "M" };

	if (domain_is_adopted(domain))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		if (definition_has_argument(domain->definition, options[i]))
			return false;
	return true;
}

/* Those of the definition that it could be, by name. */
static GPtrArray *list_candidates(char *const *accel, bool without_kvm)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

	for (size_t i = 0; accel[i]; i++) {
		g_autofree char *name = g_strndup(accel[i], strcspn(accel[i], ","));

		if ((!without_kvm || !g_str_equal(name, "kvm")) &&
		    !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_ptr_array_add(names, g_steal_pointer(&name));
	}
	return names;
}

/* name: NULL if it is not known. */
static void set_accelerator(Domain *domain, const char *name)
{
	g_autofree char *old = g_steal_pointer(&domain->accelerator);

	domain->accelerator = g_strdup(name);
	if (g_strcmp0(old, name) != 0)
		domain_changed(domain, DOMAIN_PROPERTY_HARDWARE);
}

typedef struct Built {
	Domain *domain;
	uint64_t run;
	GPtrArray *candidates;
} Built;

static bool is_built_in(JsonArray *types, const char *name)
{
	g_autofree char *wanted = g_strconcat(name, "-accel", NULL);

	for (unsigned i = 0; i < json_array_get_length(types); i++) {
		JsonObject *type = json_node_as_object(json_array_get_element(types, i));
		const char *type_name;

		if (json_read_string(type, "name", &type_name) && g_str_equal(type_name, wanted))
			return true;
	}
	return false;
}

static void on_types(JsonNode *result, const GError *error, void *userdata)
{
	Built *built = userdata;
	JsonArray *types = json_node_as_array(result);
	const char *only = NULL;
	unsigned n_built_in = 0;

	for (unsigned i = 0; types && i < built->candidates->len; i++) {
		const char *name = g_ptr_array_index(built->candidates, i);

		if (!is_built_in(types, name))
			continue;
		only = name;
		n_built_in++;
	}
	if (built->domain->host && built->domain->run == built->run)
		set_accelerator(built->domain, n_built_in == 1 ? only : NULL);
	g_ptr_array_unref(built->candidates);
	domain_unref(built->domain);
	g_free(built);
}

void accelerator_resync(Domain *domain, JsonNode *info)
{
	g_autoptr(GPtrArray) candidates = NULL;
	bool is_kvm = false;
	bool is_told = json_read_bool(json_node_as_object(info), "enabled", &is_kvm);
	Built *built;

	if (is_kvm || !is_as_defined(domain)) {
		set_accelerator(domain, is_kvm ? "kvm" : NULL);
		return;
	}
	candidates = list_candidates(domain->definition->accel, is_told);
	if (candidates->len < 2) {
		set_accelerator(domain, candidates->len == 1 ? g_ptr_array_index(candidates, 0) : NULL);
		return;
	}
	built = g_new0(Built, 1);
	built->domain = domain_ref(domain);
	built->run = domain->run;
	built->candidates = g_steal_pointer(&candidates);
	resync_query(domain, "qom-list-types", call_arguments("implements", "accel"), on_types, built);
}

const char *domain_get_accelerator(const Domain *domain)
{
	return domain->accelerator ? domain->accelerator : "";
}
