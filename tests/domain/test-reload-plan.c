/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/reload-plan.h"

#include <string.h>

#include "loop/loop-poll.h"

/* Which domains may have what their files say, with domains that are there and files that are only said to be. */

#define UUID_A "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define UUID_B "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
#define UUID_C "cccccccc-cccc-4ccc-8ccc-cccccccccccc"

typedef struct Fixture {
	Loop *loop;
	WorkerPool *pool;
	Directories directories;
	DomainHost host;
	Registry *registry;
	StoredDefinitions *stored;
	ReloadPlan *plan;
} Fixture;

static void on_event(Domain *domain, Event *event, void *userdata)
{
	event_unref(event);
	domain_event_sent(domain);
}

static void on_changed(Domain *domain, DomainProperty properties, void *userdata)
{
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
	};
	fixture->registry = registry_new();
	fixture->stored = stored_definitions_new("/folder");
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_autoptr(GPtrArray) domains = registry_list(fixture->registry);

	fixture->plan = reload_plan_free(fixture->plan);
	fixture->stored = stored_definitions_free(fixture->stored);
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
static Domain *add(Fixture *fixture, const char *name, const char *uuid, bool persistent)
{
	Domain *domain = domain_new(&fixture->host, make(name, uuid), persistent);

	registry_add(fixture->registry, domain);
	domain_unref(domain);
	return domain;
}

static void put(Fixture *fixture, const char *file, const char *name, const char *uuid)
{
	stored_definitions_add(fixture->stored, file, make(name, uuid));
}

static void put_bad(Fixture *fixture, const char *name, const char *uuid)
{
	g_hash_table_add(fixture->stored->doubtful, g_strdup(name));
	if (uuid)
		g_hash_table_add(fixture->stored->doubtful, g_strdup(uuid));
}

/* What is accepted ("FILE" of an update, "FILE=NAME" of a rename, "+FILE" of a new one) and removed ("-NAME"). */
static void plan(Fixture *fixture, const char *expected)
{
	g_autoptr(GString) found = g_string_new(NULL);

	fixture->plan = reload_plan_new(fixture->registry, fixture->stored);
	for (unsigned i = 0; i < fixture->plan->entries->len; i++) {
		const ReloadEntry *entry = g_ptr_array_index(fixture->plan->entries, i);
		const char *name = entry->stored->definition->name;

		g_string_append_printf(found, "%s%s%s", found->len > 0 ? " " : "",
				       entry->domain ? "" : "+", entry->stored->file);
		if (entry->domain && !g_str_equal(name, domain_get_name(entry->domain)))
			g_string_append_printf(found, "=%s", name);
		g_assert_true(registry_is_held(fixture->registry, name));
		g_assert_true(registry_is_held(fixture->registry, entry->stored->definition->uuid));
	}
	for (unsigned i = 0; i < fixture->plan->removed->len; i++)
		g_string_append_printf(found, "%s-%s", found->len > 0 ? " " : "",
				       domain_get_name(g_ptr_array_index(fixture->plan->removed, i)));
	g_assert_cmpstr(found->str, ==, expected);
}

/* Files, and a word of each message. */
static void assert_problems(const Fixture *fixture, ...)
{
	unsigned n = 0;
	const char *file;
	va_list args;

	va_start(args, fixture);
	while ((file = va_arg(args, const char *))) {
		const StoredProblem *problem;
		g_autofree char *path = g_build_filename("/folder", file, NULL);

		g_assert_cmpuint(n, <, fixture->stored->problems->len);
		problem = g_ptr_array_index(fixture->stored->problems, n++);
		g_assert_cmpstr(problem->file, ==, path);
		if (!strstr(problem->message, va_arg(args, const char *)))
			g_error("%s: %s", file, problem->message);
	}
	va_end(args);
	g_assert_cmpuint(fixture->stored->problems->len, ==, n);
}

static void test_new_changed_removed(Fixture *fixture, const void *data)
{
	Domain *gone = add(fixture, "gone", UUID_B, true);
	g_autoptr(GError) error = NULL;
	g_autoptr(Definition) other = make("gone", UUID_C);

	(void)add(fixture, "kept", UUID_A, true);
	put(fixture, "kept.json", "kept", UUID_A);
	put(fixture, "new.json", "new", UUID_C);
	plan(fixture, "kept.json +new.json -gone");
	assert_problems(fixture, NULL);
	/* What is on its way out is not started; then all is let go of. */
	domain_start(gone, false, NULL, NULL);
	g_assert_cmpint(domain_get_state(gone), ==, DOMAIN_STATE_SHUT_OFF);
	reload_plan_compare(fixture->plan);
	g_assert_true(((ReloadEntry *)g_ptr_array_index(fixture->plan->entries, 0))->is_same);
	g_assert_false(((ReloadEntry *)g_ptr_array_index(fixture->plan->entries, 1))->is_same);
	reload_plan_release(fixture->plan);
	g_assert_false(registry_is_held(fixture->registry, "new"));
	g_assert_false(registry_is_held(fixture->registry, UUID_A));
}

/* What has no file, and never had one, stays. */
static void test_transient(Fixture *fixture, const void *data)
{
	(void)add(fixture, "passing", UUID_A, false);
	put(fixture, "passing.json", "passing", UUID_B);
	plan(fixture, "");
	assert_problems(fixture, "passing.json", "there is a domain 'passing' already", NULL);
}

static void test_bad_file_by_name(Fixture *fixture, const void *data)
{
	(void)add(fixture, "web", UUID_A, true);
	(void)add(fixture, "gone", UUID_B, true);
	put_bad(fixture, "web", NULL);
	plan(fixture, "-gone");
}

static void test_bad_file_by_uuid(Fixture *fixture, const void *data)
{
	(void)add(fixture, "web", UUID_A, true);
	(void)add(fixture, "gone", UUID_B, true);
	put_bad(fixture, "web-2", UUID_A);
	plan(fixture, "-gone");
}

static void test_incomplete(Fixture *fixture, const void *data)
{
	(void)add(fixture, "web", UUID_A, true);
	fixture->stored->complete = false;
	plan(fixture, "");
}

static void test_renamed(Fixture *fixture, const void *data)
{
	Domain *domain = add(fixture, "old", UUID_A, true);

	put(fixture, "old.json", "new", UUID_A);
	put(fixture, "other.json", "old", UUID_B);
	plan(fixture, "old.json=new +other.json");
	domain_start(domain, false, NULL, NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
}

static void test_exchanged(Fixture *fixture, const void *data)
{
	(void)add(fixture, "a", UUID_A, true);
	(void)add(fixture, "b", UUID_B, true);
	put(fixture, "a.json", "b", UUID_A);
	put(fixture, "b.json", "a", UUID_B);
	plan(fixture, "a.json=b b.json=a");
	assert_problems(fixture, NULL);
}

static void test_replaced(Fixture *fixture, const void *data)
{
	(void)add(fixture, "web", UUID_A, true);
	put(fixture, "web.json", "web", UUID_B);
	plan(fixture, "+web.json -web");
}

static void test_name_taken(Fixture *fixture, const void *data)
{
	(void)add(fixture, "a", UUID_A, true);
	(void)add(fixture, "b", UUID_B, true);
	put(fixture, "a.json", "b", UUID_A);
	put(fixture, "b.json", "b", UUID_B);
	put(fixture, "c.json", "a", UUID_C);
	/* a keeps its name, so the new one cannot have that. */
	plan(fixture, "b.json");
	assert_problems(fixture, "a.json", "there is a domain 'b' already, with the uuid " UUID_B,
			"c.json", "there is a domain 'a' already", NULL);
}

/* One that is refused keeps its name, which refuses who has been promised it. */
static void test_chain(Fixture *fixture, const void *data)
{
	(void)add(fixture, "a", UUID_A, true);
	(void)add(fixture, "b", UUID_B, true);
	(void)add(fixture, "c", UUID_C, true);
	put(fixture, "a.json", "b", UUID_A);
	put(fixture, "b.json", "c", UUID_B);
	put(fixture, "c.json", "d", UUID_C);
	put_bad(fixture, "d", NULL);
	plan(fixture, "");
	assert_problems(fixture, "c.json", "another file", "b.json", "there is a domain 'c' already",
			"a.json", "there is a domain 'b' already", NULL);
}

static void test_same_name_twice(Fixture *fixture, const void *data)
{
	put(fixture, "a.json", "web", UUID_A);
	put(fixture, "b.json", "web", UUID_B);
	plan(fixture, "+a.json");
	assert_problems(fixture, "b.json", "another file has the name 'web'", NULL);
}

static void test_same_uuid_twice(Fixture *fixture, const void *data)
{
	(void)add(fixture, "web", UUID_A, true);
	/* A copy whose uuid was forgotten does not take the place of what it was made from. */
	put(fixture, "a.json", "a", UUID_A);
	put(fixture, "web.json", "web", UUID_A);
	put(fixture, "x.json", "new", UUID_B);
	put(fixture, "y.json", "newer", UUID_B);
	plan(fixture, "web.json +x.json");
	assert_problems(fixture, "a.json", UUID_A, "y.json", UUID_B, NULL);
}

/* The name of the file is the way to it: where something else is in the way, a later write would be lost. */
static void test_file_in_the_way(Fixture *fixture, const void *data)
{
	put(fixture, "a.json", "web", UUID_A);
	put_bad(fixture, "web", NULL);
	plan(fixture, "");
	assert_problems(fixture, "a.json", "is called so", NULL);
}

static void test_held(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) held = make("web", UUID_B);

	registry_reserve(fixture->registry, held);
	put(fixture, "web.json", "web", UUID_A);
	put(fixture, "x.json", "x", UUID_B);
	fixture->plan = reload_plan_new(fixture->registry, fixture->stored);
	g_assert_cmpuint(fixture->plan->entries->len, ==, 0);
	assert_problems(fixture, "web.json", "at this moment", "x.json", "at this moment", NULL);
	registry_release(fixture->registry, held);
}

/* Names that look like the uuids of others: nothing is mixed up. */
static void test_name_like_uuid(Fixture *fixture, const void *data)
{
	put(fixture, UUID_B ".json", UUID_B, UUID_A);
	put(fixture, "b.json", "b", UUID_B);
	plan(fixture, "+" UUID_B ".json +b.json");
	reload_plan_release(fixture->plan);
	g_assert_false(registry_is_held(fixture->registry, UUID_B));
}

static void test_limit(Fixture *fixture, const void *data)
{
	for (unsigned i = 0; i < REGISTRY_DOMAINS_MAX; i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *file = g_strdup_printf("d%u.json", i);
		g_autofree char *uuid = g_strdup_printf("aaaaaaaa-aaaa-4aaa-8aaa-%012u", i);

		(void)add(fixture, name, uuid, true);
		/* One goes, so one may come. */
		if (i > 0)
			put(fixture, file, name, uuid);
	}
	put(fixture, "new-1.json", "new-1", UUID_A);
	put(fixture, "new-2.json", "new-2", UUID_B);
	fixture->plan = reload_plan_new(fixture->registry, fixture->stored);
	g_assert_cmpuint(fixture->plan->removed->len, ==, 1);
	g_assert_cmpuint(fixture->plan->entries->len, ==, REGISTRY_DOMAINS_MAX);
	assert_problems(fixture, "new-1.json", "more than 4096 domains", NULL);
}

#define ADD(name, function)                                                                        \
	g_test_add("/domain/reload-plan/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("new-changed-removed", test_new_changed_removed);
	ADD("transient", test_transient);
	ADD("bad-file-by-name", test_bad_file_by_name);
	ADD("bad-file-by-uuid", test_bad_file_by_uuid);
	ADD("incomplete", test_incomplete);
	ADD("renamed", test_renamed);
	ADD("exchanged", test_exchanged);
	ADD("replaced", test_replaced);
	ADD("name-taken", test_name_taken);
	ADD("chain", test_chain);
	ADD("same-name-twice", test_same_name_twice);
	ADD("same-uuid-twice", test_same_uuid_twice);
	ADD("file-in-the-way", test_file_in_the_way);
	ADD("held", test_held);
	ADD("name-like-uuid", test_name_like_uuid);
	ADD("limit", test_limit);
	return g_test_run();
}
