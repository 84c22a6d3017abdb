/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stranger.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the other side ---- */

static bool path_exists(void *path)
{
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

char *stranger_path(DomainFixture *fixture, const char *name)
{
	return g_build_filename(fixture->folder, name, NULL);
}

Stranger *stranger_new(DomainFixture *fixture, const char *name, const char *settings, ...)
{
	g_autoptr(GPtrArray) line = g_ptr_array_new();
	Stranger *stranger = g_new0(Stranger, 1);
	g_autofree char *qmp = NULL;
	g_autoptr(GError) error = NULL;
	const char *option;
	va_list options;

	stranger->path = stranger_path(fixture, name);
	qmp = g_strdup_printf("unix:%s,server=on,wait=off", stranger->path);
	g_ptr_array_add(line, (char *)g_getenv("VMHERALD_FAKE_QEMU"));
	g_ptr_array_add(line, (char *)"-fake");
	g_ptr_array_add(line, (char *)settings);
	g_ptr_array_add(line, (char *)"-qmp");
	g_ptr_array_add(line, qmp);
	va_start(options, settings);
	while ((option = va_arg(options, const char *)))
		g_ptr_array_add(line, (char *)option);
	va_end(options);
	g_ptr_array_add(line, NULL);
	g_spawn_async(NULL, (char **)line->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
		      &stranger->pid, &error);
	g_assert_no_error(error);
	fixture_wait(fixture, path_exists, stranger->path);
	return stranger;
}

bool stranger_lives(const Stranger *stranger)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)stranger->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

/* WARNING: it is a child of this process, so the service has perhaps waited for it already, and then its number
 * may be another's. */
void stranger_free(Stranger *stranger)
{
	if (stranger_lives(stranger))
		g_assert_cmpint(kill(stranger->pid, SIGKILL), ==, 0);
	(void)waitpid(stranger->pid, NULL, 0);
	g_free(stranger->path);
	g_free(stranger);
}

int stranger_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

int stranger_listen(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
	if (type == SOCK_STREAM)
		g_assert_cmpint(listen(fd, 0), ==, 0);
	return fd;
}

void stranger_serve(ScriptedQmp *server)
{
	scripted_qmp_serve(server);
	scripted_qmp_set_reply(server, NULL,
			       "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"unknown\"}}");
	scripted_qmp_set_reply(server, "query-status", "{\"return\": {\"status\": \"running\"}}");
	scripted_qmp_set_reply(server, "query-name", "{\"return\": {\"name\": \"played\"}}");
	scripted_qmp_set_reply(server, "query-uuid", "{\"return\": {\"UUID\": \"" STRANGER_UUID "\"}}");
}

/* ---- adopting ---- */

void adopt_begin(DomainFixture *fixture, const char *name, const char *path, Answer *answer)
{
	driver_adopt(fixture->driver, geteuid(), name, path, -1, ADOPTION_TIMEOUT_MS, on_driver_answer, answer);
}

Domain *adopt_ok(DomainFixture *fixture, const char *name, const Stranger *stranger)
{
	g_auto(Answer) answer = { 0 };
	Domain *domain;

	adopt_begin(fixture, name, stranger->path, &answer);
	answer_wait_ok(fixture, &answer);
	domain = driver_find_domain_by_uuid(fixture->driver, answer.result);
	g_assert_nonnull(domain);
	return domain;
}

Domain *adopt_running(DomainFixture *fixture, const char *name, const Stranger *stranger)
{
	Domain *domain = adopt_ok(fixture, name, stranger);

	fixture_expect(fixture, domain, "starting adopted starting", "started adopted running", NULL);
	return domain;
}

Domain *adopt_descriptor(DomainFixture *fixture, int fd)
{
	g_auto(Answer) answer = { 0 };
	Domain *domain;

	driver_adopt(fixture->driver, geteuid(), "", "", fd, ADOPTION_TIMEOUT_MS, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	domain = driver_find_domain_by_uuid(fixture->driver, answer.result);
	fixture_expect(fixture, domain, "starting adopted starting", "started adopted running", NULL);
	return domain;
}

void adopt_release(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	driver_undefine(fixture->driver, domain, false, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

void adopt_assert_unknown(DomainFixture *fixture, const char *uuid)
{
	g_assert_null(driver_find_domain_by_uuid(fixture->driver, uuid));
}
