/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/journal.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "qmp/framer.h"

/*
 * The service is a child, which is killed; QEMU is a socket with numbered lines in it, and the history is memory that
 * outlives the child. Each line has one to three events, and each of them must be told once, in order, whatever the child was
 * doing when it was killed.
 */

#define BOOT_1   "11111111-1111-4111-8111-111111111111"
#define BOOT_2   "22222222-2222-4222-8222-222222222222"
#define LINES    15u           /* for a kill at each step */
#define STEPS    40u
#define KILLS    60u           /* at any moment */
#define TOLD_MAX 2000000u
#define HEAD     4096u         /* of the file */

typedef struct Told {
	unsigned n;                /* as the number of an event is taken when its entry is there */
	struct {
		unsigned line, event;
	} events[TOLD_MAX];
} Told;

typedef struct Fixture {
	char *folder, *path;
	int qemu, ours;            /* the two ends */
	Told *told;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	int pair[2];

	fixture->folder = g_dir_make_tmp("journal-XXXXXX", NULL);
	g_assert_nonnull(fixture->folder);
	fixture->path = g_build_filename(fixture->folder, QMP_JOURNAL_NAME, NULL);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), ==, 0);
	fixture->qemu = pair[0];
	fixture->ours = pair[1];
	fixture->told = mmap(NULL, sizeof(Told), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	g_assert_true(fixture->told != MAP_FAILED);
}

static void tear_down(Fixture *fixture, const void *data)
{
	(void)g_unlink(fixture->path);
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->path);
	g_free(fixture->folder);
	(void)close(fixture->qemu);
	(void)close(fixture->ours);
	g_assert_cmpint(munmap(fixture->told, sizeof(Told)), ==, 0);
}

static QmpJournal *open_of_boot(const Fixture *fixture, const char *boot_id)
{
	g_autoptr(GError) error = NULL;
	QmpJournal *journal = qmp_journal_open(fixture->folder, boot_id, &error);

	g_assert_no_error(error);
	g_assert_nonnull(journal);
	return journal;
}

static QmpJournal *open_journal(const Fixture *fixture)
{
	return open_of_boot(fixture, BOOT_1);
}

/* ---- QEMU ---- */

static char *make_line(unsigned line)
{
	g_autofree char *filling = g_strnfill(line * 37 % 90, 'x');

	return g_strdup_printf("{\"line\": %u, \"filling\": \"%s\"}\r\n", line, filling);
}

static bool say(const Fixture *fixture, const char *bytes, size_t n)
{
	return send(fixture->qemu, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static unsigned events_of(unsigned line)
{
	return 1 + line % 3;
}

/* ---- the service ---- */

typedef struct Service {
	const Fixture *fixture;
	QmpJournal *journal;
	QmpFramer *framer;
	uint64_t first;            /* position of the framer's beginning */
	uint64_t found;            /* the message that another was at; 0: none */
	unsigned left_out;
	unsigned steps;            /* it is killed after so many; 0: not by itself */
} Service;

static void step(Service *service)
{
	if (service->steps > 0 && --service->steps == 0)
		(void)kill(getpid(), SIGKILL);
}

static void feed(Service *service, const char *bytes, size_t length)
{
	while (length > 0) {
		size_t room;
		char *at = qmp_framer_reserve(service->framer, &room);
		size_t n = MIN(room, length);

		memcpy(at, bytes, n);
		g_assert_true(qmp_framer_commit(service->framer, n, NULL));
		bytes += n;
		length -= n;
	}
}

static void begin(Service *service)
{
	const char *left;
	size_t length;
	uint64_t last;
	unsigned told;

	service->journal = open_journal(service->fixture);
	service->framer = qmp_framer_new();
	if (qmp_journal_is_blank(service->journal)) {
		qmp_journal_begin(service->journal, service->fixture->ours, 0);
		return;
	}
	if (qmp_journal_get_intent(service->journal, &service->found, &last, &told))
		service->left_out = told + service->fixture->told->n - (unsigned)last;
	step(service);
	g_assert_true(qmp_journal_resume(service->journal, service->fixture->ours));
	step(service);
	left = qmp_journal_get_left(service->journal, &length, &service->first);
	service->first -= length;
	feed(service, left, length);
}

/* As qmp_journal_receive(), but that it may end at each step of it. */
static void read_in_steps(Service *service)
{
	int fd = service->fixture->ours;
	char bytes[300], taken[300];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK);

	step(service);
	if (n <= 0)
		return;
	g_assert_true(qmp_journal_note(service->journal, bytes, (size_t)n));
	step(service);
	g_assert_cmpint(recv(fd, taken, (size_t)n, 0), ==, n);
	step(service);
	qmp_journal_take(service->journal, (size_t)n);
	step(service);
	feed(service, taken, (size_t)n);
}

static void read_at_once(Service *service)
{
	size_t room;
	char *at = qmp_framer_reserve(service->framer, &room);
	ssize_t n = qmp_journal_receive(service->journal, service->fixture->ours, at, MIN(room, 5000));

	if (n > 0)
		g_assert_true(qmp_framer_commit(service->framer, (size_t)n, NULL));
	else
		(void)sched_yield();
}

static void tell(Service *service, unsigned line, unsigned event)
{
	Told *told = service->fixture->told;

	if (service->left_out > 0) {
		service->left_out--;
		return;
	}
	g_assert_cmpuint(told->n, <, TOLD_MAX);
	told->events[told->n].line = line;
	told->events[told->n].event = event;
	step(service);
	__atomic_store_n(&told->n, told->n + 1, __ATOMIC_SEQ_CST);
	step(service);
}

static void deal_with_lines(Service *service)
{
	const char *text;
	size_t length;

	while (qmp_framer_next(service->framer, &text, &length)) {
		uint64_t position = service->first + qmp_framer_get_handed_out(service->framer);
		unsigned line;

		g_assert_cmpint(sscanf(text, "{\"line\": %u,", &line), ==, 1);
		if (position != service->found)
			service->left_out = 0;
		qmp_journal_intend(service->journal, position, service->fixture->told->n, service->left_out);
		step(service);
		for (unsigned i = 0; i < events_of(line); i++)
			tell(service, line, i);
		service->left_out = 0;
		qmp_journal_commit(service->journal, position);
		step(service);
	}
}

static G_GNUC_NORETURN void serve(const Fixture *fixture, unsigned steps, void (*read_some)(Service *service))
{
	Service service = { .fixture = fixture, .steps = steps };

	begin(&service);
	for (;;) {
		deal_with_lines(&service);
		read_some(&service);
	}
}

static pid_t start(const Fixture *fixture, unsigned steps, void (*read_some)(Service *service))
{
	pid_t child = fork();

	g_assert_cmpint(child, >=, 0);
	if (child == 0)
		serve(fixture, steps, read_some);
	return child;
}

static void wait_killed(pid_t child)
{
	int status;

	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_true(WIFSIGNALED(status));
	g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
}

/* Returns the number of lines that were told. */
static unsigned check_told(const Fixture *fixture)
{
	const Told *told = fixture->told;
	unsigned line = 0, event = 0;

	for (unsigned i = 0; i < told->n; i++) {
		g_assert_cmpuint(told->events[i].line, ==, line);
		g_assert_cmpuint(told->events[i].event, ==, event);
		if (++event == events_of(line)) {
			event = 0;
			line++;
		}
	}
	return line;
}

/* ---- kills ---- */

static void say_lines(const Fixture *fixture, unsigned first, unsigned n)
{
	for (unsigned line = first; line < first + n; line++) {
		g_autofree char *text = make_line(line);

		g_assert_true(say(fixture, text, strlen(text)));
	}
}

/* Each service does so many steps, whatever they are, and the next one goes on. */
static void test_each_step(Fixture *fixture, const void *data)
{
	for (unsigned steps = 2; steps < STEPS; steps++) {
		unsigned before = 0, services = 0;

		(void)g_unlink(fixture->path);
		fixture->told->n = 0;
		say_lines(fixture, 0, LINES);
		while (check_told(fixture) < LINES) {
			wait_killed(start(fixture, steps, read_in_steps));
			/* It may be killed again and again before the next event, but not for ever: from one to the next are no
			 * more steps than a service has in its first lines. */
			services = fixture->told->n > before ? 0 : services + 1;
			if (services > 3)
				wait_killed(start(fixture, steps + services, read_in_steps));
			before = fixture->told->n;
		}
		g_assert_cmpint(recv(fixture->ours, &before, 1, MSG_PEEK), <, 0);
	}
}

/* The whole of it, at full speed, killed from outside at any moment. */
static void test_any_moment(Fixture *fixture, const void *data)
{
	g_autofree char *text = make_line(0);
	unsigned line = 0, kills = 0;
	g_autoptr(GRand) rand = g_rand_new_with_seed(11);
	pid_t child = start(fixture, 0, read_at_once);
	unsigned wanted = 500;

	while (kills < KILLS) {
		if (say(fixture, text, strlen(text))) {
			g_free(text);
			text = make_line(++line);
		} else {
			(void)sched_yield();
		}
		if (__atomic_load_n(&fixture->told->n, __ATOMIC_SEQ_CST) < wanted)
			continue;
		g_assert_cmpint(kill(child, SIGKILL), ==, 0);
		wait_killed(child);
		kills++;
		(void)check_told(fixture);
		wanted = fixture->told->n + (unsigned)g_rand_int_range(rand, 1, 3000);
		child = start(fixture, 0, read_at_once);
	}
	while (__atomic_load_n(&fixture->told->n, __ATOMIC_SEQ_CST) < line)
		(void)sched_yield();
	for (unsigned before = 0; before != fixture->told->n || check_told(fixture) < line;) {
		before = __atomic_load_n(&fixture->told->n, __ATOMIC_SEQ_CST);
		(void)sched_yield();
	}
	g_assert_cmpint(kill(child, SIGKILL), ==, 0);
	wait_killed(child);
	g_assert_cmpuint(check_told(fixture), ==, line);
	g_test_message("%u events of %u lines, over %u kills", fixture->told->n, line, KILLS);
}

/* ---- what is in it ---- */

static void assert_left(const QmpJournal *journal, const char *expected)
{
	size_t length;
	uint64_t position;
	const char *left = qmp_journal_get_left(journal, &length, &position);

	g_assert_cmpmem(left, length, expected, strlen(expected));
}

static void receive(const Fixture *fixture, QmpJournal *journal, const char *bytes)
{
	char taken[300];

	g_assert_true(say(fixture, bytes, strlen(bytes)));
	g_assert_cmpint(qmp_journal_receive(journal, fixture->ours, taken, sizeof(taken)), ==,
			(ssize_t)strlen(bytes));
	g_assert_cmpmem(taken, strlen(bytes), bytes, strlen(bytes));
}

static void test_new(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = open_journal(fixture);
	struct stat status;
	uint64_t position, last;
	unsigned told;
	char byte;

	g_assert_true(qmp_journal_is_blank(journal));
	g_assert_false(qmp_journal_is_whole(journal));
	assert_left(journal, "");
	g_assert_false(qmp_journal_get_intent(journal, &position, &last, &told));
	g_assert_cmpint(g_stat(fixture->path, &status), ==, 0);
	g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
	g_assert_cmpuint(status.st_blocks * 512, <=, HEAD);
	qmp_journal_begin(journal, fixture->ours, 0);
	g_assert_true(qmp_journal_is_whole(journal));
	/* Nothing there, and the end. */
	g_assert_cmpint(qmp_journal_receive(journal, fixture->ours, &byte, 1), ==, -1);
	g_assert_cmpint(errno, ==, EAGAIN);
	g_assert_cmpint(shutdown(fixture->qemu, SHUT_RDWR), ==, 0);
	g_assert_cmpint(qmp_journal_receive(journal, fixture->ours, &byte, 1), ==, 0);
}

static void test_commit(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = open_journal(fixture);
	uint64_t position, last;
	unsigned told;

	qmp_journal_begin(journal, fixture->ours, 0);
	receive(fixture, journal, "one\ntwo\nthr");
	qmp_journal_commit(journal, 4);
	assert_left(journal, "two\nthr");
	/* Not backwards. */
	qmp_journal_commit(journal, 2);
	assert_left(journal, "two\nthr");
	qmp_journal_intend(journal, 8, 77, 5);
	g_assert_true(qmp_journal_get_intent(journal, &position, &last, &told));
	g_assert_cmpuint(position, ==, 8);
	g_assert_cmpuint(last, ==, 77);
	g_assert_cmpuint(told, ==, 5);
	/* Something before it has come to its end. */
	qmp_journal_commit(journal, 4);
	g_assert_true(qmp_journal_get_intent(journal, &position, &last, &told));
	qmp_journal_commit(journal, 8);
	g_assert_false(qmp_journal_get_intent(journal, &position, &last, &told));
	receive(fixture, journal, "ee\n");
	assert_left(journal, "three\n");
	journal = qmp_journal_free(journal);

	journal = open_journal(fixture);
	g_assert_true(qmp_journal_resume(journal, fixture->ours));
	assert_left(journal, "three\n");
	(void)qmp_journal_get_left(journal, &(size_t){ 0 }, &position);
	qmp_journal_commit(journal, position);
	assert_left(journal, "");
}

/* Another connection, or none: what is whole is what is left. */
static void test_other_connection(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = NULL;
	int other[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other), ==, 0);
	for (unsigned i = 0; i < 2; i++) {
		journal = open_journal(fixture);
		qmp_journal_begin(journal, fixture->ours, 0);
		receive(fixture, journal, "one\ntwo\nthr");
		journal = qmp_journal_free(journal);
		journal = open_journal(fixture);
		g_assert_false(qmp_journal_resume(journal, i == 0 ? other[0] : -1));
		g_assert_false(qmp_journal_is_whole(journal));
		g_assert_false(qmp_journal_is_blank(journal));
		assert_left(journal, "one\ntwo\n");
		/* With that dealt with, nothing is missing any more. */
		qmp_journal_commit(journal, 8);
		g_assert_true(qmp_journal_is_whole(journal));
		journal = qmp_journal_free(journal);
	}
	(void)close(other[0]);
	(void)close(other[1]);
}

/* Begun in the midst of a connection: what came before is not in it, until that is dealt with. */
static void test_begun_later(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = open_journal(fixture);

	qmp_journal_begin(journal, fixture->ours, 100);
	g_assert_false(qmp_journal_is_whole(journal));
	receive(fixture, journal, "rest\ntwo\n");
	qmp_journal_commit(journal, 99);
	g_assert_false(qmp_journal_is_whole(journal));
	qmp_journal_commit(journal, 105);
	g_assert_true(qmp_journal_is_whole(journal));
	assert_left(journal, "two\n");
}

/* ---- its bounds ---- */

static uint64_t get_blocks(const Fixture *fixture)
{
	struct stat status;

	g_assert_cmpint(g_stat(fixture->path, &status), ==, 0);
	return (uint64_t)status.st_blocks * 512;
}

static void receive_long(const Fixture *fixture, QmpJournal *journal, size_t length)
{
	static char bytes[4096], taken[4096];

	memset(bytes, 'x', sizeof(bytes));
	for (size_t done = 0; done < length; done += sizeof(bytes)) {
		g_assert_true(say(fixture, bytes, sizeof(bytes)));
		g_assert_cmpint(qmp_journal_receive(journal, fixture->ours, taken, sizeof(taken)), ==,
				sizeof(taken));
	}
}

static void test_bound(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = open_journal(fixture);
	uint64_t position = 0, last;
	unsigned told;

	qmp_journal_begin(journal, fixture->ours, 0);
	receive_long(fixture, journal, QMP_JOURNAL_MAX);
	g_assert_true(qmp_journal_is_whole(journal));
	g_assert_cmpuint(get_blocks(fixture), <=, QMP_JOURNAL_MAX + QMP_JOURNAL_CHUNK);
	receive_long(fixture, journal, 4096);
	g_assert_false(qmp_journal_is_whole(journal));
	g_assert_cmpuint(get_blocks(fixture), <=, QMP_JOURNAL_MAX + QMP_JOURNAL_CHUNK);
	/* What is not here cannot be noted. */
	qmp_journal_intend(journal, QMP_JOURNAL_MAX + 4096, 5, 0);
	g_assert_false(qmp_journal_get_intent(journal, &position, &last, &told));
	/* A part of it is dealt with: what comes now would come behind a hole. */
	qmp_journal_commit(journal, QMP_JOURNAL_MAX / 2);
	receive(fixture, journal, "behind\n");
	g_assert_false(qmp_journal_is_whole(journal));
	/* Nothing is left before the hole: it goes on behind it, and is whole when that is dealt with. */
	qmp_journal_commit(journal, QMP_JOURNAL_MAX);
	receive(fixture, journal, "again\n");
	g_assert_false(qmp_journal_is_whole(journal));
	assert_left(journal, "again\n");
	qmp_journal_commit(journal, QMP_JOURNAL_MAX + 4096 + strlen("behind\n"));
	g_assert_true(qmp_journal_is_whole(journal));
	assert_left(journal, "again\n");
	qmp_journal_commit(journal, QMP_JOURNAL_MAX + 4096 + strlen("behind\nagain\n"));
	/* And its place is given back. */
	g_assert_cmpuint(get_blocks(fixture), <=, HEAD + 4 * QMP_JOURNAL_CHUNK);
}

/* The next service is told of it, and has what came before. */
static void test_bound_left(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = open_journal(fixture);

	qmp_journal_begin(journal, fixture->ours, 0);
	receive(fixture, journal, "one\n");
	receive_long(fixture, journal, QMP_JOURNAL_MAX);
	journal = qmp_journal_free(journal);
	journal = open_journal(fixture);
	g_assert_false(qmp_journal_is_whole(journal));
	g_assert_false(qmp_journal_resume(journal, fixture->ours));
	assert_left(journal, "one\n");
}

/* While it is never empty, it stays small. */
static void test_never_empty(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = open_journal(fixture);
	uint64_t position = 0;

	qmp_journal_begin(journal, fixture->ours, 0);
	receive_long(fixture, journal, 4096);
	for (unsigned i = 0; i < 4000; i++) {
		receive_long(fixture, journal, 4096);
		position += 4096;
		qmp_journal_commit(journal, position);
	}
	g_assert_true(qmp_journal_is_whole(journal));
	g_assert_cmpuint(get_blocks(fixture), <=, HEAD + 2 * QMP_JOURNAL_CHUNK);
}

/* After a burst it goes back to one page, when what comes is small again. */
static void test_calm(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = open_journal(fixture);
	uint64_t position = 0;

	qmp_journal_begin(journal, fixture->ours, 0);
	for (unsigned i = 0; i < 3; i++) {
		receive_long(fixture, journal, 20480);
		position += 20480;
		qmp_journal_commit(journal, position);
		g_assert_cmpuint(get_blocks(fixture), >, HEAD);
	}
	for (unsigned i = 0; i < 20; i++) {
		receive(fixture, journal, "small\n");
		position += strlen("small\n");
		qmp_journal_commit(journal, position);
	}
	g_assert_cmpuint(get_blocks(fixture), <=, HEAD);
	receive_long(fixture, journal, 20480);
	g_assert_true(qmp_journal_is_whole(journal));
}

/* Notes stay what they are, whatever the journal does, also over its end and a boot. */
static void test_notes(Fixture *fixture, const void *data)
{
	QmpJournal *journal = open_journal(fixture);
	char expected[QMP_JOURNAL_NOTES] = { 0 };

	g_assert_cmpmem(qmp_journal_get_notes(journal), QMP_JOURNAL_NOTES, expected, sizeof(expected));
	memset(expected, 0x5a, sizeof(expected));
	memcpy(qmp_journal_get_notes(journal), expected, sizeof(expected));
	qmp_journal_begin(journal, fixture->ours, 0);
	receive_long(fixture, journal, 98304);
	qmp_journal_intend(journal, 50000, 7, 1);
	qmp_journal_commit(journal, 98304);
	g_assert_cmpmem(qmp_journal_get_notes(journal), QMP_JOURNAL_NOTES, expected, sizeof(expected));
	qmp_journal_free(journal);
	journal = open_of_boot(fixture, BOOT_2);
	g_assert_cmpmem(qmp_journal_get_notes(journal), QMP_JOURNAL_NOTES, expected, sizeof(expected));
	qmp_journal_free(journal);
}

static void test_other_boot(Fixture *fixture, const void *data)
{
	g_autoptr(QmpJournal) journal = open_journal(fixture);

	qmp_journal_begin(journal, fixture->ours, 0);
	receive(fixture, journal, "one\n");
	journal = qmp_journal_free(journal);
	journal = open_of_boot(fixture, BOOT_2);
	g_assert_true(qmp_journal_is_blank(journal));
	g_assert_false(qmp_journal_is_whole(journal));
}

/* Whatever is in the file, it can be used. */
static void test_damaged(Fixture *fixture, const void *data)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);

	for (unsigned i = 0; i < 200; i++) {
		g_autoptr(QmpJournal) journal = open_journal(fixture);
		unsigned char head[128];
		uint64_t position;
		size_t length;
		int fd;

		qmp_journal_begin(journal, fixture->ours, 0);
		receive(fixture, journal, "one\ntwo\n");
		qmp_journal_intend(journal, 4, 1, 0);
		journal = qmp_journal_free(journal);
		fd = open(fixture->path, O_RDWR | O_CLOEXEC);
		g_assert_cmpint(pread(fd, head, sizeof(head), 0), ==, sizeof(head));
		for (unsigned k = 0; k < 6; k++)
			head[g_rand_int_range(rand, i % 2 ? 64 : 0, sizeof(head))] = (unsigned char)g_rand_int(rand);
		g_assert_cmpint(pwrite(fd, head, sizeof(head), 0), ==, sizeof(head));
		if (i % 5 == 0)
			g_assert_cmpint(ftruncate(fd, g_rand_int_range(rand, 0, HEAD + 100)), ==, 0);
		g_assert_cmpint(close(fd), ==, 0);
		journal = open_journal(fixture);
		(void)qmp_journal_resume(journal, fixture->ours);
		(void)qmp_journal_get_left(journal, &length, &position);
		g_assert_cmpuint(length, <=, QMP_JOURNAL_MAX);
		qmp_journal_commit(journal, position);
		receive(fixture, journal, "three\n");
		assert_left(journal, "three\n");
	}
}

static void test_no_place(Fixture *fixture, const void *data)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(qmp_journal_open("/nonexistent", BOOT_1, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(error->message, "/nonexistent/journal"));
}

int main(int argc, char **argv)
{
#define ADD(name, function)                                                                        \
	g_test_add("/qmp/journal/" name, Fixture, NULL, set_up, function, tear_down)

	g_test_init(&argc, &argv, NULL);
	ADD("new", test_new);
	ADD("commit", test_commit);
	ADD("other-connection", test_other_connection);
	ADD("begun-later", test_begun_later);
	ADD("bound", test_bound);
	ADD("bound-left", test_bound_left);
	ADD("never-empty", test_never_empty);
	ADD("calm", test_calm);
	ADD("notes", test_notes);
	ADD("other-boot", test_other_boot);
	ADD("damaged", test_damaged);
	ADD("no-place", test_no_place);
	ADD("each-step", test_each_step);
	ADD("any-moment", test_any_moment);
	return g_test_run();
}
