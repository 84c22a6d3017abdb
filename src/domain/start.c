/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "domain/disks.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "domain/launch.h"
#include "domain/saved-state.h"

/*
 * From Start() to `started`:
 *
 *   domain_start()      state starting; Lifecycle `starting`
 *   launch (worker)     folder, run file, socket, links, QEMU, run file with the pid
 *   start_connected()   handshake done: read devices and filters
 *   on_resync()         run file: started (worker)
 *   on_run_file()       cont (unless paused)
 *   on_cont()           state running or paused; Lifecycle `started`; run file once more (worker)
 *   on_released()       the caller is answered
 *
 * The run file comes before `cont`, so that nothing lies between its reply and `started`: what QEMU
 * tells after the reply finds the domain running. Killed in between, the service brings the start to
 * its end when it finds QEMU again (connection.c).
 *
 * With a saved state restore.c comes in twice: between start_connected() and the reading, to load the state, and
 * between the run file and `cont`, to use it up.
 *
 * Whatever fails on the way goes through start_fail(): QEMU is killed, run-end.c cleans up, tells
 * `stopped` with reason failed and answers the caller with QEMU's last lines.
 */

typedef struct LaunchJob {
	Domain *domain;
	uint64_t run;
	RunFile file;
	LaunchPlan plan;
	char *saved;                 /* the folder of saved states */
	StateHeader *header;         /* incoming: of the state */
	bool definition_changed;     /* since it was saved */
	Launched launched;
	GError *error;
} LaunchJob;

static StrandStep launch_work(void *data)
{
	LaunchJob *job = data;

	if (job->plan.incoming) {
		job->header = restore_read_header(job->saved, &job->file.definition,
						  &job->definition_changed, &job->error);
		if (!job->header)
			return STRAND_DONE;
	}
	(void)launch(&job->file, &job->plan, &job->launched, &job->error);
	return STRAND_DONE;
}

static void launch_done(void *data)
{
	LaunchJob *job = data;
	Domain *domain = job->domain;

	/* The service is leaving: QEMU stays, the next start of the service finds a start cut off. */
	if (!domain->host)
		return;
	g_assert(domain->run == job->run && domain->start);
	domain->start->spawning = false;
	if (job->error) {
		domain->process_exited = true;
		domain->monitor_gone = true;
		start_fail(domain, g_steal_pointer(&job->error));
		return;
	}
	if (job->header)
		restore_take_header(domain, job->header, job->file.definition, job->definition_changed);
	domain->has_directory = true;
	nic_links_started(domain, g_steal_pointer(&job->file.host_nics));
	domain->emulator = g_steal_pointer(&job->launched.emulator);
	domain->start->disk_sets = job->launched.disk_sets;
	domain->start->n_disk_sets = job->launched.n_disk_sets;
	domain->unit = g_steal_pointer(&job->file.unit);
	domain_changed(domain, domain->unit ? DOMAIN_PROPERTY_HARDWARE | DOMAIN_PROPERTY_UNIT
					    : DOMAIN_PROPERTY_HARDWARE);
	handover_take_picture(domain, g_steal_pointer(&job->launched.picture));
	run_picture_set_state(domain->picture, domain->state, domain->state_reason);
	domain_watch_process(domain, g_steal_pointer(&job->launched.process));
	if (domain->start->error) {
		/* Destroyed meanwhile. */
		domain->monitor_gone = true;
		domain_kill(domain, SIGKILL);
		return;
	}
	domain_use_monitor(domain, job->launched.monitor_fd, domain->host->deadlines.start_ms);
	job->launched.monitor_fd = -1;
}

static void launch_free(void *data)
{
	LaunchJob *job = data;

	if (job->launched.monitor_fd >= 0)
		(void)close(job->launched.monitor_fd);
	qemu_process_free(job->launched.process);
	run_picture_free(job->launched.picture);
	g_free(job->launched.emulator);
	definition_unref(job->file.definition);
	g_clear_pointer(&job->file.host_nics, g_hash_table_unref);
	state_header_free(job->header);
	g_free(job->saved);
	g_free(job->file.emulator);
	g_free(job->file.unit);
	g_clear_error(&job->error);
	launch_plan_clear(&job->plan);
	domain_unref(job->domain);
	g_free(job);
}

static const StrandItemClass launch_class = { launch_work, NULL, launch_done, launch_free };

static void on_deadline(int timer, void *userdata)
{
	Domain *domain = userdata;

	domain_clear_timer(domain, &domain->start->timer);
	start_fail(domain, g_error_new(CORE_ERROR, CORE_ERROR_START_FAILED,
				       "QEMU did not answer within %d ms",
				       domain->host->deadlines.start_ms));
}

void start_set_deadline(Domain *domain)
{
	domain_set_timer(domain, &domain->start->timer, domain->host->deadlines.start_ms,
			 on_deadline);
}

static LifecycleReason get_reason(const Start *start)
{
	if (start->restoring)
		return LIFECYCLE_REASON_RESTORED;
	return start->again ? LIFECYCLE_REASON_RECREATED : LIFECYCLE_REASON_BOOTED;
}

static void publish(Domain *domain, int64_t time, LifecycleEvent lifecycle, LifecycleReason reason,
		    const char *policy, bool definition_changed, DomainState state)
{
	Event *event = event_new_lifecycle(time, lifecycle, reason);

	if (definition_changed)
		event_add_detail(event, "definition-changed", g_variant_new_boolean(TRUE));
	if (policy)
		event_add_detail(event, "policy", g_variant_new_string(policy));
	domain_publish_lifecycle(domain, event, state);
}

/* Only where there is something to do between the first moment of a process and exec. */
static const QemuLauncher *get_launcher(const Domain *domain)
{
	const QemuLauncher *launcher = &domain->host->launcher;

	return launcher->path && (launcher->user || domain->host->placement.place) ? launcher : NULL;
}

LaunchPlan start_make_plan(const Domain *domain, bool incoming)
{
	const Directories *directories = domain->host->directories;

	return (LaunchPlan){
		.directory = g_strdup(domain->directory),
		.logs = g_build_filename(directories->logs, domain->uuid, NULL),
		.nvram = g_strdup(domain->persistent ? directories->nvram : domain->directory),
		.incoming = incoming,
		.emulators = domain->host->emulators,
		.placement = domain->host->placement.place ? &domain->host->placement : NULL,
		.launcher = get_launcher(domain),
		.image_directories = g_strdupv(domain->host->configuration->image_directories),
		.require_sandbox = domain->host->configuration->require_sandbox,
		.user_problem = g_strdup(domain->host->user_problem),
	};
}

/* operation: NULL if nobody waits for it. policy: NULL if somebody wants it. Takes descriptors over. */
static void begin(Domain *domain, Operation *operation, const char *policy, bool paused,
		  Descriptors *descriptors)
{
	LaunchJob *job = g_new0(LaunchJob, 1);

	domain_take_next_definition(domain);
	domain->incarnation++;
	domain_changed(domain, DOMAIN_PROPERTY_INCARNATION);
	domain->start = g_new0(Start, 1);
	domain->start->operation = operation;
	domain->start->policy = policy;
	domain->start->again = !operation;
	domain->start->paused = paused;
	domain->start->spawning = true;
	domain->start->restoring = domain->has_saved_state;
	domain->saved_left = 0;
	start_set_deadline(domain);
	publish(domain, 0, LIFECYCLE_STARTING, get_reason(domain->start), policy, false,
		DOMAIN_STATE_STARTING);

	job->domain = domain_ref(domain);
	job->run = domain->run;
	job->file.definition = definition_ref(domain->definition);
	job->file.incarnation = domain->incarnation;
	job->plan = start_make_plan(domain, domain->start->restoring);
	job->plan.descriptors = descriptors;
	job->saved = g_strdup(domain->host->directories->saved);
	job->launched.monitor_fd = -1;
	strand_push(domain->work, &launch_class, job);
}

void domain_start(Domain *domain, bool paused, DomainDone done, void *userdata)
{
	domain_start_with(domain, paused, NULL, done, userdata);
}

void domain_start_with(Domain *domain, bool paused, Descriptors *descriptors, DomainDone done,
		       void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_START, done, userdata);

	if (operation)
		begin(domain, operation, NULL, paused, descriptors);
	else
		descriptors_free(descriptors);
}

void domain_autostart(Domain *domain, DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_START, done, userdata);

	if (operation)
		begin(domain, operation, "autostart", false, NULL);
}

void start_by_policy(Domain *domain, const char *policy)
{
	begin(domain, NULL, policy, false, NULL);
}

Start *start_free(Start *start, Domain *domain)
{
	if (!start)
		return NULL;
	domain_clear_timer(domain, &start->timer);
	g_clear_error(&start->error);
	g_free(start->saved_version);
	g_free(start);
	return NULL;
}

void start_fail(Domain *domain, GError *error)
{
	if (domain->start->error) {
		g_error_free(error);
	} else {
		domain->start->error = error;
		domain_clear_timer(domain, &domain->start->timer);
	}
	if (domain->start->spawning)
		return;
	domain_kill(domain, SIGKILL);
	run_end_check(domain);
}

/* ---- connected ---- */

static void on_released(Domain *domain, const GError *error, void *userdata)
{
	uint64_t *id = userdata;
	Operation *operation = operation_find(domain, *id);

	/* What is lost without that file is a needless `cont` after a kill of the service. */
	if (error)
		domain_log(domain, LOG_INFO, "%s", error->message);
	if (operation)
		operation_end(operation, NULL, NULL);
	g_free(id);
}

/* Told at once, answered when the run file says so too: who is answered finds nothing under way. */
static void finish(Domain *domain)
{
	uint64_t *id = g_new0(uint64_t, 1);
	bool paused = domain->start->paused, restored = domain->start->restoring;
	bool definition_changed = domain->start->definition_changed;
	LifecycleReason reason = get_reason(domain->start);
	const char *policy = domain->start->policy;

	*id = domain->start->operation ? domain->start->operation->id : 0;
	domain->start = start_free(domain->start, domain);
	domain->released = true;
	domain_changed(domain, DOMAIN_PROPERTY_PROCESS);
	publish(domain, domain->started_at, LIFECYCLE_STARTED, reason, policy, definition_changed,
		paused ? DOMAIN_STATE_PAUSED : DOMAIN_STATE_RUNNING);
	/* As libvirt tells a start with VIR_DOMAIN_START_PAUSED: first that it runs, then that it is
	 * paused. */
	if (paused)
		publish(domain, domain->started_at, LIFECYCLE_SUSPENDED,
			restored ? LIFECYCLE_REASON_RESTORED : LIFECYCLE_REASON_PAUSED, NULL, false,
			DOMAIN_STATE_PAUSED);
	if (restored)
		saved_drop_used(domain);
	domain_write_run_file(domain, true, on_released, id);
}

static bool is_starting(const Domain *domain)
{
	return domain->host && domain->start && !domain->start->error;
}

static void on_cont(JsonNode *result, const GError *error, void *userdata)
{
	Domain *domain = userdata;

	if (is_starting(domain) && error) {
		/* Refused: the guest has not gone on, and what was saved is still true. */
		if (g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
			domain->start->let_go = false;
		start_fail(domain, g_error_copy(error));
	} else if (is_starting(domain))
		finish(domain);
	domain_unref(domain);
}

/* What QEMU has opened of a set stays open, and its locks with it, until its node goes. Without this they would stay until QEMU ends. */
static void forget_disks(Domain *domain)
{
	for (unsigned i = 0; i < domain->start->n_disk_sets; i++)
		disks_forget(domain, domain->start->disk_sets + i);
}

void start_release(Domain *domain)
{
	forget_disks(domain);
	domain->start->let_go = true;
	if (domain->start->paused)
		finish(domain);
	else
		domain_call(domain, "cont", NULL, domain->host->deadlines.start_ms, on_cont,
			    domain_ref(domain));
}

static void on_run_file(Domain *domain, const GError *error, void *userdata)
{
	if (!is_starting(domain))
		return;
	if (error)
		start_fail(domain, g_error_copy(error));
	else if (domain->start->restoring)
		restore_use(domain);
	else
		start_release(domain);
}

static void on_resync(Domain *domain, const char *run_state, const GError *error)
{
	if (!is_starting(domain))
		return;
	if (error) {
		start_fail(domain, g_error_copy(error));
		return;
	}
	domain->started_at = event_now();
	domain->released = domain->start->paused;
	domain_write_run_file(domain, true, on_run_file, NULL);
}

void start_loaded(Domain *domain)
{
	domain_resync(domain, on_resync);
}

void start_connected(Domain *domain)
{
	if (domain->start->restoring)
		restore_begin(domain);
	else
		domain_resync(domain, on_resync);
}

/* ---- the run file ---- */

typedef struct WriteJob {
	Domain *domain;
	uint64_t run;
	char *json;
	char *directory;
	RunFileWritten done;
	void *userdata;
	GError *error;
	bool called;
} WriteJob;

static StrandStep write_work(void *data)
{
	WriteJob *job = data;

	(void)run_file_write(job->directory, job->json, &job->error);
	return STRAND_DONE;
}

static void write_done(void *data)
{
	WriteJob *job = data;

	job->called = true;
	if (!job->error && job->domain->run != job->run)
		g_set_error(&job->error, CORE_ERROR, CORE_ERROR_MONITOR_LOST,
			    "Domain '%s' has stopped", domain_get_name(job->domain));
	job->done(job->domain, job->error, job->userdata);
}

static void write_free(void *data)
{
	WriteJob *job = data;

	if (!job->called) {
		g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
						      "The service is leaving");

		job->done(job->domain, error, job->userdata);
	}
	g_clear_error(&job->error);
	g_free(job->json);
	g_free(job->directory);
	domain_unref(job->domain);
	g_free(job);
}

static const StrandItemClass write_class = { write_work, NULL, write_done, write_free };

void domain_write_run_file(Domain *domain, bool started, RunFileWritten done, void *userdata)
{
	g_autoptr(GHashTable) devices = devices_list_told(domain);
	const RunFile run = {
		.definition = domain->definition,
		.incarnation = domain->incarnation,
		.pid = domain_get_pid(domain),
		.start_time = domain->process ? qemu_process_get_start_time(domain->process) : 0,
		.started = started,
		.released = domain->released,
		.started_at = domain->started_at,
		.emulator = domain->emulator,
		.unit = domain->unit,
		.owner = domain->owner,
		.backends = domain->backends,
		.adopted = domain->adopted,
		.under_way = domain->under_way,
		.host_nics = domain->host_nics,
		.devices = devices,
	};
	WriteJob *job = g_new0(WriteJob, 1);

	job->domain = domain_ref(domain);
	job->run = domain->run;
	job->json = run_file_to_json(&run);
	job->directory = g_strdup(domain->directory);
	job->done = done;
	job->userdata = userdata;
	strand_push(domain->work, &write_class, job);
}
