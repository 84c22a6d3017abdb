/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * A QEMU that somebody else has started: taken in, and let go.
 *
 *   domain_adopt()      state starting; Lifecycle `starting`, reason adopted
 *   prepare (worker)    folder and run file, so that the next service finds it
 *   on_resync()         state as it is; Lifecycle `started`, reason adopted; the caller is answered
 *
 *   domain_release()    monitor closed, process forgotten: QEMU does not notice more than that
 *   release (worker)    the folder goes
 *   release_done()      Lifecycle `undefined`, reason released; the domain goes
 *
 * WARNING: nothing in here, nor what a policy does elsewhere, may end such a QEMU, or change what it does by itself.
 * Only who asks for it may (Destroy, Execute).
 */

/* ---- what it is not ---- */

bool domain_check_not_adopted(const Domain *domain, const char *what, GError **error)
{
	if (!domain->adopted)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_SUPPORTED,
		    "Domain '%s' was adopted: its QEMU was started by somebody else, and there is no "
		    "definition of it. %s", domain_get_name(domain), what);
	return false;
}

bool adopt_check_operation(const Domain *domain, DomainOperation kind, GError **error)
{
	if (kind != DOMAIN_OPERATION_SAVE)
		return true;
	return domain_check_not_adopted(domain, "What is saved could not be restored; to write its state "
					"to a file, Execute() the command migrate", error);
}

bool adopt_can_reconnect(const Domain *domain)
{
	return !domain->adopted || domain->adopted->by == ADOPTED_BY_PATH;
}

/* ---- taking in ---- */

static void publish(Domain *domain, int64_t time, LifecycleEvent lifecycle, LifecycleReason reason,
		    DomainState state)
{
	domain_publish_lifecycle(domain, event_new_lifecycle(time, lifecycle, reason), state);
}

static void begin_release(Domain *domain, GError *error);

static void on_resync(Domain *domain, const char *run_state, const GError *error)
{
	LifecycleReason reason;
	DomainState state;

	if (error || !run_state) {
		begin_release(domain, g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
						  "The state of QEMU could not be read: %s",
						  error ? error->message : "no status"));
		return;
	}
	state = connection_get_found_state(domain, run_state);
	reason = stop_cause_get_found(domain, run_state);
	publish(domain, 0, LIFECYCLE_STARTED, LIFECYCLE_REASON_ADOPTED, state);
	/* As at a start with the option paused: first that it is there, then that it stands still. */
	if (state != DOMAIN_STATE_RUNNING)
		connection_tell_found(domain, state, reason == LIFECYCLE_REASON_RESYNC
							     ? LIFECYCLE_REASON_PAUSED : reason);
	operations_end_kind(domain, DOMAIN_OPERATION_ADOPT, NULL, NULL);
}

static void on_run_file(Domain *domain, const GError *error, void *userdata)
{
	if (!domain->host || domain->adopted->releasing || domain->state == DOMAIN_STATE_SHUT_OFF)
		return;
	if (error)
		begin_release(domain, g_error_copy(error));
	else
		domain_resync(domain, on_resync);
}

typedef struct FolderJob {
	Domain *domain;
	uint64_t run;
	char *directory;
	RunPicture *picture;
	GError *error;
} FolderJob;

static StrandStep prepare_work(void *data)
{
	g_autoptr(GError) picture_error = NULL;
	FolderJob *job = data;

	/* There may be one with a socket in it: of a QEMU that was ours, and is adopted since its run file is lost. */
	if (mkdir(job->directory, 0700) < 0 && errno != EEXIST)
		core_error_set_errno(&job->error, errno, "%s: cannot be made", job->directory);
	else
		job->picture = run_picture_open(job->directory, &picture_error);
	if (picture_error)
		log_problem(LOG_ID_STORE_FAILED, job->directory, picture_error->message);
	return STRAND_DONE;
}

static void prepare_done(void *data)
{
	FolderJob *job = data;
	Domain *domain = job->domain;

	if (!domain->host || domain->run != job->run)
		return;
	if (job->error) {
		begin_release(domain, g_steal_pointer(&job->error));
		return;
	}
	domain->has_directory = true;
	handover_take_picture(domain, g_steal_pointer(&job->picture));
	run_picture_set_state(domain->picture, domain->state, domain->state_reason);
	domain_write_run_file(domain, true, on_run_file, NULL);
}

static void folder_free(void *data)
{
	FolderJob *job = data;

	g_clear_error(&job->error);
	run_picture_free(job->picture);
	g_free(job->directory);
	domain_unref(job->domain);
	g_free(job);
}

static const StrandItemClass prepare_class = { prepare_work, NULL, prepare_done, folder_free };

static FolderJob *folder_new(Domain *domain)
{
	FolderJob *job = g_new0(FolderJob, 1);

	job->domain = domain_ref(domain);
	job->run = domain->run;
	job->directory = g_strdup(domain->directory);
	return job;
}

void domain_set_adopted(Domain *domain, Adopted *adopted)
{
	g_assert(!domain->adopted && !domain->persistent);
	domain->adopted = adopted;
	domain->incarnation = 1;
}

void domain_adopt(Domain *domain, Adoption *adoption, DomainDone done, void *userdata)
{
	QemuPeer *peer = adoption_get_peer(adoption);

	(void)operation_new(domain, DOMAIN_OPERATION_ADOPT, done, userdata);
	domain->released = true;
	domain->emulator = g_strdup(peer->emulator);
	domain->started_at = peer->started_at ? peer->started_at : event_now();
	publish(domain, 0, LIFECYCLE_STARTING, LIFECYCLE_REASON_ADOPTED, DOMAIN_STATE_STARTING);
	domain_changed(domain, DOMAIN_PROPERTY_HARDWARE | DOMAIN_PROPERTY_PROCESS);
	if (peer->process)
		domain_watch_process(domain, g_steal_pointer(&peer->process));
	else
		domain_log(domain, LOG_NOTICE, "which process its QEMU is could not be told; its end will "
			   "be noticed by its monitor alone");
	domain_take_monitor(domain, adoption_take_monitor(adoption), adoption_get_greeting(adoption));
	strand_push(domain->work, &prepare_class, folder_new(domain));
}

/* ---- letting go ---- */

static StrandStep release_work(void *data)
{
	FolderJob *job = data;
	const char *const names[] = { RUN_FILE_NAME, QMP_JOURNAL_NAME };

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *file = g_build_filename(job->directory, names[i], NULL);

		if (unlink(file) < 0 && errno != ENOENT)
			log_problem(LOG_ID_STORE_FAILED, file, g_strerror(errno));
	}
	/* What else is in there is not ours: it may be the socket of the very QEMU that goes on. */
	(void)rmdir(job->directory);
	return STRAND_DONE;
}

static void release_done(void *data)
{
	FolderJob *job = data;
	Domain *domain = job->domain;
	g_autoptr(GError) error = NULL;

	if (!domain->host)
		return;
	domain_emit_undefined(domain, LIFECYCLE_REASON_RELEASED);
	domain->host->gone(domain, domain->host->userdata);
	operations_end_kind(domain, DOMAIN_OPERATION_UNDEFINE, NULL, NULL);
	if (job->error)
		operations_end_kind(domain, DOMAIN_OPERATION_ADOPT, NULL, job->error);
	g_set_error(&error, CORE_ERROR, CORE_ERROR_MONITOR_LOST,
		    "Domain '%s' was let go of; its QEMU goes on", domain_get_name(domain));
	operations_end_all(domain, error);
}

static const StrandItemClass release_class = { release_work, NULL, release_done, folder_free };

/* error: why it could not be adopted after all (taken over), or NULL. */
static void begin_release(Domain *domain, GError *error)
{
	FolderJob *job = folder_new(domain);

	job->error = error;
	domain->adopted->releasing = true;
	domain_drop_monitor(domain);
	/* Frees the process as well, which leaves it running. What is still under way is of the run before. */
	domain_reset_run(domain);
	strand_push(domain->work, &release_class, job);
}

void domain_release(Domain *domain, DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_UNDEFINE, done, userdata);

	/* It is just going, one way or the other: then that is the answer. */
	if (operation && !domain->ending && !domain->adopted->releasing)
		begin_release(domain, NULL);
}

void adopt_release_unreachable(Domain *domain)
{
	begin_release(domain, NULL);
}

/* ---- ending ---- */

void adopt_terminate(Domain *domain)
{
	g_autoptr(GError) error = NULL;

	if (domain->process && qemu_process_signal(domain->process, SIGTERM, &error)) {
		stop_note_signal(domain, SIGTERM);
		return;
	}
	/* Another user's, or a process that we do not know: then it is asked in its own way. */
	if (error)
		domain_log(domain, LOG_INFO, "%s", error->message);
	domain_order(domain, "quit", NULL);
}

bool adopt_kill(Domain *domain, GError **error)
{
	g_autoptr(GError) signal_error = NULL;

	if (domain->process && qemu_process_signal(domain->process, SIGKILL, &signal_error)) {
		stop_note_signal(domain, SIGKILL);
		return true;
	}
	g_set_error(error, CORE_ERROR, CORE_ERROR_TIMEOUT,
		    "Domain '%s' was told to quit and is still there, and it cannot be killed: %s",
		    domain_get_name(domain),
		    signal_error ? signal_error->message : "its process is not known");
	return false;
}

bool adopt_ends_with_monitor(const Domain *domain)
{
	return domain->adopted && !domain->process && !adopt_can_reconnect(domain);
}

/* ---- found again after a restart of the service ---- */

QemuProcess *adopt_find_again(const RunFile *run, bool *ret_gone, GError **error)
{
	QemuProcess *process = NULL;

	*ret_gone = false;
	/* Never known: whether it is still there is seen when it is connected to. */
	if (run->start_time == 0)
		return NULL;
	process = qemu_process_adopt(run->pid, run->start_time, error);
	*ret_gone = !process;
	return process;
}
