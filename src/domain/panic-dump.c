/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * From the panic of a guest to a file with its memory, where the definition names one:
 *
 *   GUEST_PANICKED         `crashed` is told; panic_dump_begin()
 *   open (worker)          PATH.partial, for its owner alone
 *   STOP                   the vCPUs stand still: panic_dump_guest_stopped()
 *   getfd, dump-guest-memory
 *   DUMP_COMPLETED         panic_dump_note_event()
 *   commit (worker)        rename: only now the last dump is replaced
 *   policy_after_panic()   what on-panic wants, told with `dump` or `dump-error`
 *
 * QEMU writes by itself, on a thread of its own; here nobody waits for it, so other domains do not
 * notice. There is no bound on its time but Destroy(). Whatever fails ends in policy_after_panic() too:
 * no dump is a reason to keep a guest that is not to be kept.
 *
 * QEMU goes on when its monitor is lost or the service killed. Found again (panic_dump_resynced()), the
 * file and query-dump tell how far it got.
 *
 * The file is not brought to the disk by fsync(): that would hold a worker for as long as the disk
 * needs, and other domains have need of workers.
 */

/* The name by which QEMU knows our descriptor between the two commands. */
#define DESCRIPTOR_NAME "vmherald-dump"
#define PARTIAL         ".partial"

struct PanicDump {
	int ref_count;               /* of the domain and of the steps under way */
	char *path;
	int fd;                      /* of the partial file, -1 before */
	bool stopped;                /* the vCPUs stand still */
	bool exists;                 /* found again: there is a file at path, and no partial one */
	bool working;                /* a worker is on the file: the run must not be ended now */
	bool ordered;                /* QEMU was given the command */
	bool writing;                /* and has taken it: its events count */
	bool over;
	char *told;                  /* why, as an event said that came before the command was answered */
	char *error;                 /* over, and there is no dump */
};

static PanicDump *dump_unref(PanicDump *dump)
{
	if (!dump || --dump->ref_count > 0)
		return NULL;
	if (dump->fd >= 0)
		(void)close(dump->fd);
	g_free(dump->path);
	g_free(dump->told);
	g_free(dump->error);
	g_free(dump);
	return NULL;
}

PanicDump *panic_dump_free(PanicDump *dump)
{
	return dump_unref(dump);
}

static PanicDump *dump_new(Domain *domain)
{
	PanicDump *dump = g_new0(PanicDump, 1);

	dump->ref_count = 1;
	dump->path = g_strdup(domain->definition->panic_dump);
	dump->fd = -1;
	return dump;
}

/* ---- steps ---- */

/* On a worker or in QEMU. On a worker the dump's path and fd are its own, since nobody else touches
 * them while working is set. */
typedef struct DumpStep {
	Domain *domain;
	PanicDump *dump;
	const QemuUser *user;        /* NULL: us */
	int fd;
	bool exists;
	GError *error;
} DumpStep;

static DumpStep *step_new(Domain *domain)
{
	DumpStep *step = g_new0(DumpStep, 1);

	step->domain = domain_ref(domain);
	step->dump = domain->dump;
	step->dump->ref_count++;
	step->user = domain->host->launcher.user;
	step->fd = -1;
	return step;
}

static void step_free(void *data)
{
	DumpStep *step = data;

	if (step->fd >= 0)
		(void)close(step->fd);
	g_clear_error(&step->error);
	dump_unref(step->dump);
	domain_unref(step->domain);
	g_free(step);
}

/* The service is leaving, or this was given up. */
static bool step_is_stale(const DumpStep *step)
{
	return !step->domain->host || step->domain->dump != step->dump;
}

static void push_work(Domain *domain, const StrandItemClass *item_class)
{
	domain->dump->working = true;
	strand_push(domain->work, item_class, step_new(domain));
}

/* WARNING: with the rights of QEMU's user. The path is of whoever has written the definition; with ours, the guest's memory would
 * become any file of the host's. */
static StrandStep work_as_user(DumpStep *step, void (*work)(DumpStep *step))
{
	if (qemu_user_enter(step->user)) {
		work(step);
		qemu_user_leave(step->user);
	} else {
		core_error_set_errno(&step->error, errno, "%s: cannot be reached as user %s", step->dump->path,
				     step->user->name);
	}
	return STRAND_DONE;
}

/* ---- the end ---- */

static void finish(Domain *domain)
{
	PanicDump *dump = domain->dump;

	dump->over = true;
	if (dump->error)
		domain_log(domain, LOG_NOTICE, "its memory could not be written to %s: %s",
			   dump->path, dump->error);
	if (domain->ending)
		return;
	/* Resumed or reset meanwhile: then there is nothing left to be decided. */
	if (domain->state == DOMAIN_STATE_CRASHED)
		policy_after_panic(domain);
	run_end_check(domain);
}

static char *get_partial(const PanicDump *dump)
{
	return g_strconcat(dump->path, PARTIAL, NULL);
}

/* Somebody may have put another file there. */
static bool is_ours(const char *partial, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && lstat(partial, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

static void discard(DumpStep *step)
{
	g_autofree char *partial = get_partial(step->dump);

	if (step->dump->fd >= 0 && is_ours(partial, step->dump->fd))
		(void)unlink(partial);
}

static StrandStep discard_work(void *data)
{
	return work_as_user(data, discard);
}

static void worked_done(void *data)
{
	DumpStep *step = data;

	if (step_is_stale(step))
		return;
	step->dump->working = false;
	if (step->error)
		step->dump->error = g_strdup(step->error->message);
	finish(step->domain);
}

static const StrandItemClass discard_class = { discard_work, NULL, worked_done, step_free };

static void commit(DumpStep *step)
{
	g_autofree char *partial = get_partial(step->dump);

	if (!is_ours(partial, step->dump->fd))
		g_set_error(&step->error, CORE_ERROR, CORE_ERROR_IO, "%s was replaced by somebody else",
			    partial);
	else if (rename(partial, step->dump->path) < 0) {
		core_error_set_errno(&step->error, errno, "%s: cannot be made", step->dump->path);
		(void)unlink(partial);
	}
}

static StrandStep commit_work(void *data)
{
	return work_as_user(data, commit);
}

static const StrandItemClass commit_class = { commit_work, NULL, worked_done, step_free };

static void fail(Domain *domain, const char *text)
{
	domain->dump->writing = false;
	domain->dump->error = g_strdup(text);
	push_work(domain, &discard_class);
}

/* What QEMU says of it; active is nothing new. */
static void take_status(Domain *domain, const char *status, const char *error)
{
	if (g_str_equal(status, "completed")) {
		domain->dump->writing = false;
		push_work(domain, &commit_class);
	} else if (g_str_equal(status, "failed")) {
		fail(domain, error);
	}
}

/* ---- QEMU writes ---- */

/* Success or failure of a command; on failure the dump has failed. What is lost with the monitor is taken
 * up again when QEMU is found. */
static bool check_step(const DumpStep *step, const GError *error)
{
	if (step_is_stale(step) || step->dump->error)
		return false;
	if (error && !g_error_matches(error, CORE_ERROR, CORE_ERROR_MONITOR_LOST))
		fail(step->domain, error->message);
	return !error;
}

static const char *read_status(JsonNode *result)
{
	const char *status = "";

	(void)json_read_string(json_node_as_object(result), "status", &status);
	return status;
}

#define UNKNOWN_ERROR "QEMU does not say why"
#define ENDED_ERROR "QEMU ended before it was whole"

static void on_status(JsonNode *result, const GError *error, void *userdata)
{
	DumpStep *step = userdata;

	if (check_step(step, error) && step->dump->writing)
		take_status(step->domain, read_status(result),
			    step->dump->told ? step->dump->told : UNKNOWN_ERROR);
	step_free(step);
}

/* WARNING: the event may have come before this reply, and one that came then may have been that of a
 * dump of somebody else; so QEMU is asked once. */
static void on_dumping(JsonNode *result, const GError *error, void *userdata)
{
	DumpStep *step = userdata;

	if (check_step(step, error)) {
		step->dump->writing = true;
		domain_call(step->domain, "query-dump", NULL, DOMAIN_CALL_TIMEOUT_MS, on_status,
			    step_new(step->domain));
	}
	step_free(step);
}

static void on_descriptor(JsonNode *result, const GError *error, void *userdata)
{
	DumpStep *step = userdata;
	g_autoptr(JsonNode) arguments = json_from_string(
		"{\"paging\": false, \"protocol\": \"fd:" DESCRIPTOR_NAME "\", \"detach\": true}",
		NULL);

	if (check_step(step, error))
		domain_call(step->domain, "dump-guest-memory", g_steal_pointer(&arguments),
			    DOMAIN_CALL_TIMEOUT_MS, on_dumping, step_new(step->domain));
	step_free(step);
}

/* WARNING: not before the guest stands still. QEMU would stop it for the dump, and let it go on after. */
static void order_if_ready(Domain *domain)
{
	PanicDump *dump = domain->dump;

	if (dump->working || dump->ordered || dump->over || dump->fd < 0 || !dump->stopped)
		return;
	dump->ordered = true;
	if (domain->state == DOMAIN_STATE_SHUTTING_DOWN)
		fail(domain, ENDED_ERROR);
	else if (domain->state != DOMAIN_STATE_CRASHED)
		fail(domain, "The guest went on before it could be written");
	else
		domain_call_getfd(domain, DESCRIPTOR_NAME, dump->fd, on_descriptor,
				  step_new(domain));
}

static void note_completed(Domain *domain, const Event *event)
{
	const char *error = event->dump_completed.error;

	if (!*error)
		error = UNKNOWN_ERROR;
	if (domain->dump->writing) {
		take_status(domain, event->dump_completed.status, error);
		return;
	}
	g_free(domain->dump->told);
	domain->dump->told = g_strdup(error);
}

void panic_dump_commit_completed(Domain *domain, Event *event)
{
	if (domain->dump && domain->dump->ordered && *event->dump_completed.status)
		note_completed(domain, event);
	domain_publish(domain, event);
}

void panic_dump_guest_stopped(Domain *domain)
{
	if (!domain->dump)
		return;
	domain->dump->stopped = true;
	order_if_ready(domain);
}

/* ---- the file ---- */

/* What is left of one that was cut off is in the way. */
static void open_partial(DumpStep *step)
{
	g_autofree char *partial = get_partial(step->dump);

	if (unlink(partial) < 0 && errno != ENOENT) {
		core_error_set_errno(&step->error, errno, "%s: cannot be removed", partial);
		return;
	}
	step->fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (step->fd < 0)
		core_error_set_errno(&step->error, errno, "%s: cannot be made", partial);
}

static StrandStep open_work(void *data)
{
	return work_as_user(data, open_partial);
}

static void open_done(void *data)
{
	DumpStep *step = data;
	Domain *domain = step->domain;

	if (step_is_stale(step))
		return;
	step->dump->fd = step->fd;
	step->fd = -1;
	if (step->error) {
		worked_done(data);
		return;
	}
	step->dump->working = false;
	order_if_ready(domain);
	run_end_check(domain);
}

static const StrandItemClass open_class = { open_work, NULL, open_done, step_free };

bool panic_dump_begin(Domain *domain)
{
	if (!domain->definition->panic_dump)
		return false;
	/* Reset while it was written, and panicked anew: that one first. */
	if (domain->dump && !domain->dump->over)
		return true;
	dump_unref(domain->dump);
	domain->dump = dump_new(domain);
	push_work(domain, &open_class);
	return true;
}

/* ---- the end of the run ---- */

bool panic_dump_is_working(const Domain *domain)
{
	return domain->dump && domain->dump->working;
}

bool panic_dump_is_under_way(const Domain *domain)
{
	return domain->dump && !domain->dump->over;
}

void panic_dump_cut_off(Domain *domain)
{
	if (domain->dump && !domain->dump->over)
		fail(domain, ENDED_ERROR);
}

void panic_dump_add_details(Domain *domain, Event *event)
{
	const PanicDump *dump = domain->dump;

	if (!dump || !dump->over)
		return;
	if (dump->error)
		event_add_detail(event, "dump-error", g_variant_new_string(dump->error));
	else
		event_add_detail(event, "dump", g_variant_new_string(dump->path));
}

/* ---- found again ---- */

static void find(DumpStep *step)
{
	g_autofree char *partial = get_partial(step->dump);
	struct stat status;

	step->fd = open(partial, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	step->exists = step->fd < 0 && lstat(step->dump->path, &status) == 0;
}

static StrandStep find_work(void *data)
{
	return work_as_user(data, find);
}

/* It was whole, and nothing was left but what on-panic wants. Who is to be kept is kept. */
static void finish_found(Domain *domain)
{
	domain->dump->over = true;
	if (!policy_keeps_after_panic(domain))
		policy_after_panic(domain);
}

static void on_found_status(JsonNode *result, const GError *error, void *userdata)
{
	DumpStep *step = userdata;
	Domain *domain = step->domain;
	const char *status = read_status(result);
	bool begun = g_str_equal(status, "active") || g_str_equal(status, "completed") ||
		     g_str_equal(status, "failed");

	if (!check_step(step, error)) {
		step_free(step);
		return;
	}
	if (begun && step->dump->fd >= 0) {
		step->dump->ordered = true;
		step->dump->writing = true;
		take_status(domain, status, UNKNOWN_ERROR);
	} else if (g_str_equal(status, "completed") && step->dump->exists) {
		finish_found(domain);
	} else {
		/* Never begun, or its file has gone. */
		if (step->dump->fd >= 0)
			(void)close(step->dump->fd);
		step->dump->fd = -1;
		push_work(domain, &open_class);
	}
	step_free(step);
}

static void find_done(void *data)
{
	DumpStep *step = data;
	Domain *domain = step->domain;

	if (step_is_stale(step))
		return;
	step->dump->working = false;
	step->dump->fd = step->fd;
	step->fd = -1;
	step->dump->exists = step->exists;
	domain_call(domain, "query-dump", NULL, DOMAIN_CALL_TIMEOUT_MS, on_found_status,
		    step_new(domain));
	run_end_check(domain);
}

static const StrandItemClass find_class = { find_work, NULL, find_done, step_free };

void panic_dump_resynced(Domain *domain)
{
	/* What is at the file goes on from there. */
	if (panic_dump_is_working(domain))
		return;
	domain->dump = dump_unref(domain->dump);
	if (!domain->definition->panic_dump) {
		policy_after_panic(domain);
		return;
	}
	domain->dump = dump_new(domain);
	domain->dump->stopped = true;
	push_work(domain, &find_class);
}
