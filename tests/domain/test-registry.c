/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/registry.h"

#include <string.h>

#include "base/error.h"
#include "loop/loop-poll.h"

#define UUID_A "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define UUID_B "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"

typedef struct Fixture {
	Loop *loop;
	WorkerPool *pool;
	Directories directories;
	DomainHost host;
	Registry *registry;
} Fixture;

static void on_event(Domain *domain, Event *event, void *userdata)
{
	event_unref(event);
	domain_event_sent(domain);
}

static void on_changed(Domain *domain, DomainProperty properties, void *userdata)
{
}

static void on_gone(Domain *domain, void *userdata)
{
	g_assert_not_reached();
}

static void set_up(Fixture *fixture, const void *data)
{
	fixture->loop = loop_poll_new();
	fixture->pool = worker_pool_new(fixture->loop, 1, NULL);
	fixture->directories.domains = (char *)"/nowhere";
	fixture->host = (DomainHost){
		.loop = fixture->loop,
		.pool = fixture->pool,
		.directories = &fixture->directories,
		.event = on_event,
		.changed = on_changed,
		.gone = on_gone,
	};
	fixture->registry = registry_new();
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_autoptr(GPtrArray) domains = registry_list(fixture->registry);

	for (unsigned i = 0; i < domains->len; i++)
		domain_close(g_ptr_array_index(domains, i));
	g_ptr_array_set_size(domains, 0);
	fixture->registry = registry_free(fixture->registry);
	fixture->pool = worker_pool_free(fixture->pool);
	fixture->loop = loop_free(fixture->loop);
}

static Definition *make(const char *name, const char *uuid)
{
	g_autofree char *text = g_strdup_printf("{\"name\":\"%s\",\"uuid\":\"%s\"}", name, uuid);
	Definition *definition = definition_parse(text, strlen(text), NULL);

	g_assert_nonnull(definition);
	return definition;
}

/* Borrowed: the registry has the reference. */
static Domain *add(Fixture *fixture, const char *name, const char *uuid)
{
	Domain *domain = domain_new(&fixture->host, make(name, uuid), true);

	registry_add(fixture->registry, domain);
	domain_unref(domain);
	return domain;
}

static bool hold(Fixture *fixture, const char *name, const char *uuid, const Domain *allowed,
		 CoreError expected)
{
	g_autoptr(Definition) definition = make(name, uuid);
	g_autoptr(GError) error = NULL;

	if (registry_hold(fixture->registry, definition, allowed, &error)) {
		g_assert_no_error(error);
		return true;
	}
	g_assert_error(error, CORE_ERROR, (int)expected);
	if (expected == CORE_ERROR_DOMAIN_EXISTS)
		g_assert_true(strstr(error->message, name) || strstr(error->message, uuid));
	return false;
}

static void release(Fixture *fixture, const char *name, const char *uuid)
{
	g_autoptr(Definition) definition = make(name, uuid);

	registry_release(fixture->registry, definition);
}

/* ---- look-up ---- */

static void test_find(Fixture *fixture, const void *data)
{
	Domain *a = add(fixture, "a", UUID_A), *b = add(fixture, "b", UUID_B);

	g_assert_cmpuint(registry_count(fixture->registry), ==, 2);
	g_assert_true(registry_find_by_name(fixture->registry, "a") == a);
	g_assert_true(registry_find_by_uuid(fixture->registry, UUID_B) == b);
	g_assert_true(registry_find(fixture->registry, "b") == b);
	g_assert_true(registry_find(fixture->registry, UUID_A) == a);
	/* A uuid in any case; a name in its own. */
	g_assert_true(registry_find(fixture->registry, "AAAAAAAA-aaaa-4AAA-8aaa-AAAAAAAAAAAA") == a);
	g_assert_null(registry_find(fixture->registry, "A"));
	g_assert_null(registry_find(fixture->registry, ""));
	g_assert_null(registry_find_by_name(fixture->registry, UUID_A));
	g_assert_null(registry_find_by_uuid(fixture->registry, "a"));
}

static void test_remove(Fixture *fixture, const void *data)
{
	g_autoptr(Domain) a = domain_ref(add(fixture, "a", UUID_A));

	registry_remove(fixture->registry, a);
	g_assert_cmpuint(registry_count(fixture->registry), ==, 0);
	g_assert_null(registry_find(fixture->registry, "a"));
	g_assert_null(registry_find(fixture->registry, UUID_A));
	g_assert_cmpstr(domain_get_name(a), ==, "a");
	/* Free again. */
	g_assert_true(add(fixture, "a", UUID_A) != a);
}

static void test_list(Fixture *fixture, const void *data)
{
	static const char *const names[] = { "zeta", "alpha", "Beta", "alpha-2", "10", "9" };
	static const char *const sorted[] = { "10", "9", "Beta", "alpha", "alpha-2", "zeta" };
	g_autoptr(GPtrArray) list = NULL;

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *uuid = g_strdup_printf("aaaaaaaa-aaaa-4aaa-8aaa-%012u", i);

		(void)add(fixture, names[i], uuid);
	}
	list = registry_list(fixture->registry);
	g_assert_cmpuint(list->len, ==, G_N_ELEMENTS(sorted));
	for (unsigned i = 0; i < list->len; i++)
		g_assert_cmpstr(domain_get_name(g_ptr_array_index(list, i)), ==, sorted[i]);
	/* With references: who has the list may go on using it. */
	registry_remove(fixture->registry, g_ptr_array_index(list, 0));
	g_assert_cmpstr(domain_get_name(g_ptr_array_index(list, 0)), ==, "10");
}

static void test_rename(Fixture *fixture, const void *data)
{
	Domain *a = add(fixture, "a", UUID_A);

	domain_redefine(a, make("renamed", UUID_A), LIFECYCLE_REASON_RENAMED);
	registry_rename(fixture->registry, a, "a");
	g_assert_null(registry_find(fixture->registry, "a"));
	g_assert_true(registry_find(fixture->registry, "renamed") == a);
	g_assert_true(registry_find(fixture->registry, UUID_A) == a);
	/* The old name is free, the new one is not. */
	g_assert_true(hold(fixture, "a", UUID_B, NULL, CORE_ERROR_MAX));
	g_assert_false(hold(fixture, "renamed", "cccccccc-cccc-4ccc-8ccc-cccccccccccc", NULL,
			    CORE_ERROR_DOMAIN_EXISTS));
	registry_remove(fixture->registry, a);
	g_assert_null(registry_find(fixture->registry, "renamed"));
}

/* ---- holding ---- */

static void test_hold(Fixture *fixture, const void *data)
{
	g_assert_true(hold(fixture, "a", UUID_A, NULL, CORE_ERROR_MAX));
	/* Two calls cannot both succeed: neither with the name nor with the uuid nor with both. */
	g_assert_false(hold(fixture, "a", UUID_B, NULL, CORE_ERROR_DOMAIN_EXISTS));
	g_assert_false(hold(fixture, "b", UUID_A, NULL, CORE_ERROR_DOMAIN_EXISTS));
	g_assert_false(hold(fixture, "a", UUID_A, NULL, CORE_ERROR_DOMAIN_EXISTS));
	/* What was refused has held nothing. */
	g_assert_true(hold(fixture, "b", UUID_B, NULL, CORE_ERROR_MAX));
	release(fixture, "b", UUID_B);
	release(fixture, "a", UUID_A);
	g_assert_true(hold(fixture, "a", UUID_B, NULL, CORE_ERROR_MAX));
	release(fixture, "a", UUID_B);
	/* Held is not there. */
	g_assert_null(registry_find(fixture->registry, "a"));
	g_assert_cmpuint(registry_count(fixture->registry), ==, 0);
}

static void test_hold_existing(Fixture *fixture, const void *data)
{
	Domain *a = add(fixture, "a", UUID_A), *b = add(fixture, "b", UUID_B);

	g_assert_false(hold(fixture, "a", UUID_B, NULL, CORE_ERROR_DOMAIN_EXISTS));
	g_assert_false(hold(fixture, "new", UUID_B, NULL, CORE_ERROR_DOMAIN_EXISTS));
	/* Its own name and uuid, and another name. */
	g_assert_true(hold(fixture, "a", UUID_A, a, CORE_ERROR_MAX));
	release(fixture, "a", UUID_A);
	g_assert_true(hold(fixture, "new", UUID_A, a, CORE_ERROR_MAX));
	/* But not that of another, and not twice at the same time. */
	g_assert_false(hold(fixture, "b", UUID_A, a, CORE_ERROR_DOMAIN_EXISTS));
	g_assert_false(hold(fixture, "a", UUID_A, a, CORE_ERROR_DOMAIN_EXISTS));
	g_assert_false(hold(fixture, "new", UUID_B, b, CORE_ERROR_DOMAIN_EXISTS));
	release(fixture, "new", UUID_A);
	g_assert_true(hold(fixture, "new", UUID_B, b, CORE_ERROR_MAX));
}

/* A name that looks like the uuid of another: refused or not, nothing is mixed up. */
static void test_name_like_uuid(Fixture *fixture, const void *data)
{
	Domain *odd = add(fixture, UUID_B, UUID_A);

	g_assert_true(registry_find_by_name(fixture->registry, UUID_B) == odd);
	g_assert_null(registry_find_by_uuid(fixture->registry, UUID_B));
	g_assert_true(registry_find_by_uuid(fixture->registry, UUID_A) == odd);
	g_assert_true(hold(fixture, "b", UUID_B, NULL, CORE_ERROR_MAX));
	release(fixture, "b", UUID_B);
	g_assert_true(registry_find_by_name(fixture->registry, UUID_B) == odd);
}

static void test_limit(Fixture *fixture, const void *data)
{
	Domain *last = NULL;

	for (unsigned i = 0; i < REGISTRY_DOMAINS_MAX; i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *uuid = g_strdup_printf("aaaaaaaa-aaaa-4aaa-8aaa-%012u", i);

		g_assert_true(hold(fixture, name, uuid, NULL, CORE_ERROR_MAX));
		last = add(fixture, name, uuid);
		release(fixture, name, uuid);
	}
	g_assert_cmpuint(registry_count(fixture->registry), ==, REGISTRY_DOMAINS_MAX);
	g_assert_false(hold(fixture, "one-more", UUID_B, NULL, CORE_ERROR_LIMIT_EXCEEDED));
	/* What is there can still be changed. */
	g_assert_true(hold(fixture, "renamed", domain_get_uuid(last), last, CORE_ERROR_MAX));
	release(fixture, "renamed", domain_get_uuid(last));
	registry_remove(fixture->registry, last);
	g_assert_true(hold(fixture, "one-more", UUID_B, NULL, CORE_ERROR_MAX));
}

#define ADD(name, function)                                                                        \
	g_test_add("/domain/registry/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("find", test_find);
	ADD("remove", test_remove);
	ADD("list", test_list);
	ADD("rename", test_rename);
	ADD("hold", test_hold);
	ADD("hold-existing", test_hold_existing);
	ADD("name-like-uuid", test_name_like_uuid);
	ADD("limit", test_limit);
	return g_test_run();
}
