/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain-fixture.h"

/* Pictures of a display: what comes is whole and cannot be changed, and what does not come leaves nothing
 * behind, on either side. */

#define PNG "\x89PNG\r\n\x1a\n and more"

typedef struct Picture {
	bool done;
	int fd;                      /* a copy; -1: none */
	GError *error;
} Picture;

static void picture_clear(Picture *picture)
{
	if (picture->done && picture->fd >= 0)
		(void)close(picture->fd);
	g_clear_error(&picture->error);
	*picture = (Picture){ 0 };
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Picture, picture_clear)

static void on_picture(Domain *domain, int fd, const GError *error, void *userdata)
{
	Picture *picture = userdata;

	g_assert_false(picture->done);
	g_assert_cmpint(fd < 0, ==, error != NULL);
	picture->done = true;
	picture->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	picture->error = error ? g_error_copy(error) : NULL;
}

static bool is_done(void *userdata)
{
	return ((Picture *)userdata)->done;
}

static void take(DomainFixture *fixture, Domain *domain, Picture *picture)
{
	domain_screenshot(domain, NULL, -1, 20000, on_picture, picture);
	fixture_wait(fixture, is_done, picture);
}

static void assert_fails(DomainFixture *fixture, Domain *domain, CoreError code, const char *text)
{
	g_auto(Picture) picture = { 0 };

	take(fixture, domain, &picture);
	g_assert_error(picture.error, CORE_ERROR, (int)code);
	g_assert_nonnull(strstr(picture.error->message, text));
	g_assert_cmpuint(domain_get_pending(domain), ==, 0);
}

static unsigned count_descriptors(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

static void test_taken(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	unsigned before = count_descriptors();

	for (unsigned i = 0; i < 3; i++) {
		/* One of ours stays, as QEMU has one: for the next. */
		g_auto(Picture) picture = { 0 };
		char content[sizeof(PNG)] = { 0 };

		take(fixture, domain, &picture);
		g_assert_no_error(picture.error);
		/* From its beginning. */
		g_assert_cmpint(read(picture.fd, content, sizeof(content)), ==, strlen(PNG));
		g_assert_cmpstr(content, ==, PNG);
		g_assert_cmpint(fcntl(picture.fd, F_GET_SEALS), ==,
				F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
		g_assert_cmpint(write(picture.fd, "x", 1), <, 0);
		g_assert_cmpint(ftruncate(picture.fd, 0), <, 0);
	}
	g_assert_cmpuint(count_descriptors(), ==, before + 1);
	fixture_destroy(fixture, domain);
}

static void test_commands(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *before = fixture_execute(fixture, domain, "x-log", NULL);
	g_auto(Picture) picture = { 0 };
	g_autofree char *after = NULL;
	size_t length;

	domain_screenshot(domain, "video0", 1, 20000, on_picture, &picture);
	fixture_wait(fixture, is_done, &picture);
	after = fixture_execute(fixture, domain, "x-log", NULL);
	/* The log is a JSON array. */
	length = strlen(before) - 1;
	g_assert_true(strncmp(before, after, length) == 0);
	g_assert_nonnull(strstr(after + length, "\"add-fd\""));
	g_assert_nonnull(strstr(after + length, "\"screendump video0\""));
	picture_clear(&picture);
	take(fixture, domain, &picture);
	g_assert_no_error(picture.error);
	g_free(after);
	after = fixture_execute(fixture, domain, "x-log", NULL);
	/* QEMU would keep every one. */
	g_assert_null(strstr(strstr(after, "\"add-fd\"") + 1, "\"add-fd\""));
	/* After a connection that was lost nobody knows what it has kept. */
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	picture_clear(&picture);
	take(fixture, domain, &picture);
	g_assert_no_error(picture.error);
	fixture_destroy(fixture, domain);
}

static void test_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "picture", "P6 640 480");
	assert_fails(fixture, domain, CORE_ERROR_QEMU_ERROR, "10 bytes that are no PNG");
	fixture_set(fixture, domain, "picture", "");
	assert_fails(fixture, domain, CORE_ERROR_QEMU_ERROR, "0 bytes that are no PNG");
	fixture_set(fixture, domain, "picture-size", "large");
	assert_fails(fixture, domain, CORE_ERROR_LIMIT_EXCEEDED, "67108865 bytes");
	fixture_set(fixture, domain, "fail:screendump", "no console");
	assert_fails(fixture, domain, CORE_ERROR_QEMU_ERROR, "no console");
	fixture_destroy(fixture, domain);
}

static void test_no_descriptor(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "fail:add-fd", "no room");
	assert_fails(fixture, domain, CORE_ERROR_QEMU_ERROR, "no room");
	fixture_destroy(fixture, domain);
	domain = fixture_run_domain(fixture, "b", NULL, NULL);
	fixture_set(fixture, domain, "reply:add-fd", "{\"fd\": \"three\"}");
	assert_fails(fixture, domain, CORE_ERROR_QEMU_ERROR, "does not say which descriptor");
	fixture_destroy(fixture, domain);
}

static void test_wrong_state(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);

	assert_fails(fixture, domain, CORE_ERROR_WRONG_STATE, "shut-off; screenshot needs");
}

/* QEMU takes the command and never answers. */
static void test_hung(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	unsigned before = count_descriptors();
	g_auto(Picture) first = { 0 }, second = { 0 }, third = { 0 };

	fixture_set(fixture, domain, "hang", "screendump");
	domain_screenshot(domain, NULL, -1, 100, on_picture, &first);
	take(fixture, domain, &third);
	g_assert_error(third.error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	fixture_wait(fixture, is_done, &first);
	g_assert_error(first.error, CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT);
	domain_screenshot(domain, NULL, -1, -1, on_picture, &second);
	g_assert_false(second.done);
	/* The end of the run ends the other. */
	fixture_destroy(fixture, domain);
	g_assert_true(second.done);
	g_assert_error(second.error, CORE_ERROR, CORE_ERROR_MONITOR_LOST);
	/* But for the socket of the monitor, the process and what belongs to it. */
	g_assert_cmpuint(count_descriptors(), <, before);
}

/* QEMU gets it once, however often it is asked for meanwhile. */
static void test_hung_descriptor(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *log = NULL;

	fixture_set(fixture, domain, "hang", "add-fd");
	for (unsigned i = 0; i < 3; i++) {
		g_auto(Picture) picture = { 0 };

		domain_screenshot(domain, NULL, -1, 50, on_picture, &picture);
		fixture_wait(fixture, is_done, &picture);
		g_assert_error(picture.error, CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT);
	}
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_nonnull(strstr(log, "\"add-fd\""));
	g_assert_null(strstr(strstr(log, "\"add-fd\"") + 1, "\"add-fd\""));
	fixture_destroy(fixture, domain);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	FIXTURE_ADD("/domain/screenshot/taken", test_taken);
	FIXTURE_ADD("/domain/screenshot/commands", test_commands);
	FIXTURE_ADD("/domain/screenshot/refused", test_refused);
	FIXTURE_ADD("/domain/screenshot/no-descriptor", test_no_descriptor);
	FIXTURE_ADD("/domain/screenshot/wrong-state", test_wrong_state);
	FIXTURE_ADD("/domain/screenshot/hung", test_hung);
	FIXTURE_ADD("/domain/screenshot/hung-descriptor", test_hung_descriptor);
	return g_test_run();
}
