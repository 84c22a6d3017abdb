/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmherald/vmherald.h>

/*
 * A program like any other, without GLib and without a loop, that makes each call of the library once, to the service on its
 * session bus. Arguments: the definition of a domain that does not run, with a USB controller and a display; and one of a
 * transient one. It ends with 1 and a line at what is not as it should be. Its script is tests/integration/test-client-calls.py.
 */

static VmhConnection *connection;
static VmhError *error;

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(bool good, const char *condition, int line)
{
	if (good && !error)
		return;
	fprintf(stderr, "calls.c:%d: %s: %s %s\n", line, condition, error ? error->name : "not so",
		error ? error->message : "");
	exit(1);
}

#define CHECK_FAILS(condition, wanted) check_fails((condition), wanted, #condition, __LINE__)

/* failed: NULL, false or -1 was returned. */
static void check_fails(bool failed, VmhErrorCode wanted, const char *call, int line)
{
	if (!failed || !error || error->code != wanted || !*error->message) {
		fprintf(stderr, "calls.c:%d: %s: wanted %s, got %s: %s\n", line, call, vmh_error_code_to_string(wanted),
			error ? vmh_error_code_to_string(error->code) : "no error", error ? error->message : "");
		exit(1);
	}
	vmh_error_free(error);
	error = NULL;
}

static bool is_property(VmhDomain *domain, const char *property, bool wanted)
{
	VmhValue *value = vmh_domain_get_property(domain, "Domain", property, &error);
	bool flag = !wanted, known = vmh_value_get_bool(value, &flag);

	vmh_value_unref(value);
	return known && flag == wanted;
}

static bool is_text(char *text, const char *part)
{
	bool found = text && strstr(text, part);

	free(text);
	return found;
}

/* ---- the manager ---- */

static void validate(const char *definition)
{
	VmhProblem *problems = NULL;
	size_t length = 7;

	CHECK(vmh_connection_validate_definition(connection, definition, &problems, &length, &error));
	CHECK(!problems && length == 0);
	CHECK(vmh_connection_validate_definition(connection, "{\"name\": 1}", &problems, &length, &error));
	CHECK(length > 0 && strstr(problems[0].path, "name") && *problems[0].message);
	vmh_problems_free(problems, length);
}

static void list(const VmhDomain *domain)
{
	VmhOptions *options = vmh_options_new();
	VmhDomainEntry *entries;
	size_t length = 0;

	entries = vmh_connection_list_domains(connection, NULL, &length, &error);
	CHECK(entries && length == 1);
	CHECK(strcmp(entries[0].uuid, vmh_domain_get_uuid(domain)) == 0);
	CHECK(strcmp(vmh_domain_get_path(entries[0].domain), vmh_domain_get_path(domain)) == 0);
	CHECK(entries[0].state == VMH_STATE_SHUT_OFF && strcmp(entries[0].state_name, "shut-off") == 0);
	vmh_domain_entries_free(entries, length);
	vmh_options_set_string(options, "state", "running");
	entries = vmh_connection_list_domains(connection, options, &length, &error);
	CHECK(entries && length == 0);
	vmh_domain_entries_free(entries, length);
	vmh_options_free(options);
}

static void look_up(const VmhDomain *domain)
{
	VmhDomain *found = vmh_connection_get_domain(connection, vmh_domain_get_uuid(domain), &error);
	VmhValue *properties = vmh_connection_get_properties(connection, &error);
	VmhValue *version = vmh_connection_get_property(connection, "Version", &error);

	CHECK(found && strcmp(vmh_domain_get_uuid(found), vmh_domain_get_uuid(domain)) == 0);
	CHECK(version && strcmp(vmh_value_lookup_string(properties, "Version"), vmh_value_get_string(version)) == 0);
	vmh_domain_unref(found);
	vmh_value_unref(properties);
	vmh_value_unref(version);
	CHECK_FAILS(!vmh_connection_get_domain(connection, "nobody", &error), VMH_ERROR_NO_SUCH_DOMAIN);
	CHECK_FAILS(!vmh_connection_get_property(connection, "OfTomorrow", &error), VMH_ERROR_UNKNOWN_MEMBER);
	CHECK_FAILS(!vmh_connection_adopt_domain(connection, "", "/nonexistent/monitor", NULL, &error), VMH_ERROR_IO);
	CHECK(vmh_connection_reload(connection, &error));
}

static void make_transient(const char *definition)
{
	VmhDomain *domain = vmh_connection_create_domain(connection, definition, NULL, &error);

	CHECK(domain && vmh_domain_get_state(domain, &error) == VMH_STATE_RUNNING);
	CHECK(vmh_domain_destroy(domain, NULL, &error));
	CHECK_FAILS(vmh_domain_get_state(domain, &error) == VMH_STATE_OTHER, VMH_ERROR_NO_SUCH_DOMAIN);
	vmh_domain_unref(domain);
}

/* ---- a domain ---- */

static void set_up(VmhDomain *domain)
{
	VmhOptions *bad = vmh_options_new();
	VmhValue *properties = vmh_domain_get_properties(domain, "Domain", &error);

	CHECK(properties && strcmp(vmh_value_lookup_string(properties, "UUID"), vmh_domain_get_uuid(domain)) == 0);
	vmh_value_unref(properties);
	CHECK(is_text(vmh_domain_get_definition(domain, NULL, &error), "\"name\""));
	CHECK(vmh_domain_set_autostart(domain, true, &error) && is_property(domain, "Autostart", true));
	CHECK(vmh_domain_set_autostart(domain, false, &error) && is_property(domain, "Autostart", false));
	/* An option that the service does not know; and a text that does not even get there. */
	vmh_options_set_bool(bad, "of-tomorrow", true);
	CHECK_FAILS(!vmh_domain_start(domain, bad, &error), VMH_ERROR_INVALID_ARGUMENT);
	vmh_options_free(bad);
	CHECK_FAILS(!vmh_domain_attach_device(domain, "\xff", NULL, &error), VMH_ERROR_INVALID_ARGUMENT);
	CHECK_FAILS(!vmh_domain_attach_device(domain, NULL, NULL, &error), VMH_ERROR_INVALID_ARGUMENT);
	CHECK_FAILS(!vmh_domain_start(NULL, NULL, &error), VMH_ERROR_INVALID_ARGUMENT);
	CHECK_FAILS(!vmh_domain_get_properties(domain, NULL, &error), VMH_ERROR_INVALID_ARGUMENT);
}

static void run(VmhDomain *domain)
{
	VmhOptions *paused = vmh_options_new();

	vmh_options_set_bool(paused, "paused", true);
	CHECK(vmh_options_add_numbered_fd(paused, "descriptors", 20, STDIN_FILENO) == 0);
	CHECK(vmh_domain_start(domain, paused, &error) && vmh_domain_get_state(domain, &error) == VMH_STATE_PAUSED);
	CHECK(vmh_domain_resume(domain, &error) && vmh_domain_get_state(domain, &error) == VMH_STATE_RUNNING);
	CHECK(vmh_domain_suspend(domain, &error) && vmh_domain_get_state(domain, &error) == VMH_STATE_PAUSED);
	CHECK(vmh_domain_resume(domain, &error));
	CHECK_FAILS(!vmh_domain_wakeup(domain, &error), VMH_ERROR_WRONG_STATE);
	vmh_options_free(paused);
}

static void take_picture(VmhDomain *domain)
{
	int fd = vmh_domain_screenshot(domain, NULL, &error);
	char magic[8];

	CHECK(fd > 2);
	CHECK(read(fd, magic, sizeof(magic)) == sizeof(magic) && memcmp(magic, "\x89PNG\r\n\x1a\n", 8) == 0);
	close(fd);
}

static void change_devices(VmhDomain *domain)
{
	VmhValue *interfaces = vmh_domain_get_interfaces(domain, &error);
	VmhOptions *blockdev = vmh_options_new();
	char *id;

	vmh_options_set_string(blockdev, "blockdev", "{\"driver\": \"null-co\", \"node-name\": \"node0\"}");
	id = vmh_domain_attach_device(domain, "{\"driver\": \"usb-storage\", \"id\": \"stick0\", \"drive\": \"node0\"}",
				      blockdev, &error);
	vmh_options_free(blockdev);
	CHECK(interfaces && strcmp(vmh_value_get_type(interfaces), "a{sa{sv}}") == 0);
	vmh_value_unref(interfaces);
	CHECK(id && strcmp(id, "stick0") == 0);
	CHECK(vmh_domain_detach_device(domain, id, NULL, &error));
	CHECK_FAILS(!vmh_domain_detach_device(domain, id, NULL, &error), VMH_ERROR_NO_SUCH_DEVICE);
	free(id);
	CHECK_FAILS(!vmh_domain_change_media(domain, "none", "", NULL, &error), VMH_ERROR_NO_SUCH_DEVICE);
	CHECK_FAILS(!vmh_domain_set_write_threshold(domain, "none", 1, &error), VMH_ERROR_QEMU);
	CHECK_FAILS(!vmh_domain_cancel_job(domain, "none", NULL, &error), VMH_ERROR_NO_SUCH_DEVICE);
	CHECK(is_text(vmh_domain_execute(domain, "query-status", NULL, NULL, &error), "running"));
	CHECK_FAILS(!vmh_domain_execute(domain, "query-nothing", "{}", NULL, &error), VMH_ERROR_QEMU);
	CHECK_FAILS(!vmh_domain_set_balloon(domain, 1 << 24, &error), VMH_ERROR_QEMU);
}

/* Each way to an end; there is no guest that would shut down by itself. */
static void end(VmhDomain *domain)
{
	VmhOptions *soon = vmh_options_new();

	vmh_options_set_uint64(soon, "timeout", 1000);
	CHECK(vmh_domain_inject_nmi(domain, &error));
	CHECK(vmh_domain_reset(domain, &error));
	CHECK(vmh_domain_reboot(domain, soon, &error));
	CHECK(vmh_domain_save(domain, NULL, &error) && is_property(domain, "HasSavedState", true));
	CHECK(vmh_domain_drop_saved_state(domain, &error) && is_property(domain, "HasSavedState", false));
	CHECK(vmh_domain_start(domain, NULL, &error));
	CHECK(vmh_domain_shutdown(domain, soon, &error));
	CHECK(vmh_domain_get_state(domain, &error) == VMH_STATE_SHUT_OFF);
	CHECK(vmh_domain_undefine(domain, NULL, &error));
	CHECK_FAILS(!vmh_domain_undefine(domain, NULL, &error), VMH_ERROR_NO_SUCH_DOMAIN);
	vmh_options_free(soon);
}

int main(int argc, char **argv)
{
	VmhDomain *domain;

	if (argc != 3)
		return 2;
	connection = vmh_connection_open("session", 0, &error);
	CHECK(connection);
	validate(argv[1]);
	domain = vmh_connection_define_domain(connection, argv[1], NULL, &error);
	CHECK(domain);
	list(domain);
	look_up(domain);
	make_transient(argv[2]);
	set_up(domain);
	run(domain);
	take_picture(domain);
	change_devices(domain);
	end(domain);
	vmh_domain_unref(domain);
	vmh_connection_close(connection);
	vmh_connection_unref(connection);
	return 0;
}
