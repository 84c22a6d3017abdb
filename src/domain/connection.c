/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "domain/launch.h"
#include "domain/saved-state.h"

/*
 * The monitor of a domain: handed over by a start, and connected again after it was lost. Every connect is
 * followed by a reading of the state afresh (resync.c), for QEMU keeps nothing for an absent client.
 *
 * A monitor that cannot be reached does not mean that QEMU has stopped: only its process can tell.
 * Until it does, the state is unknown.
 */

/* How long after the end of file the process may take to be gone, and the other way round. */
#define END_GRACE_MS           1000
#define RECONNECT_FIRST_MS     50
#define RECONNECT_MAX_MS       5000
#define RECONNECT_HANDSHAKE_MS 5000

/* Why the monitor is lost, where there is no other way to it than the one we were given. */
#define LOST_FOR_GOOD "closed-for-good"

static void push_closed(Domain *domain, GError *error);
static void reconnect(Domain *domain);
static void reconnect_later(Domain *domain);

/* ---- the monitor ---- */

static void set_connected(Domain *domain, bool connected)
{
	if (domain->connected == connected)
		return;
	domain->connected = connected;
	domain_changed(domain, DOMAIN_PROPERTY_CONNECTED);
}

static void tell_resynchronized(Domain *domain)
{
	Event *event = event_new(EVENT_MONITOR_RESYNCHRONIZED, 0);

	event->resynchronized.reason = domain->gap_reason ? domain->gap_reason : "monitor-lost";
	domain->gap_reason = NULL;
	domain->lost_told = false;
	domain_publish(domain, event);
}

/* What has led to each state, if nobody has seen it. */
static const LifecycleEvent found_events[DOMAIN_STATE_MAX] = {
	[DOMAIN_STATE_RUNNING] = LIFECYCLE_RESUMED,
	[DOMAIN_STATE_PAUSED] = LIFECYCLE_SUSPENDED,
	[DOMAIN_STATE_PM_SUSPENDED] = LIFECYCLE_PM_SUSPENDED,
	[DOMAIN_STATE_SHUTTING_DOWN] = LIFECYCLE_SHUTDOWN,
	[DOMAIN_STATE_CRASHED] = LIFECYCLE_CRASHED,
};

void connection_tell_found(Domain *domain, DomainState state, LifecycleReason reason)
{
	domain_publish_lifecycle(domain, event_new_lifecycle(0, found_events[state], reason), state);
}

static LifecycleReason get_reason_of_start(const Domain *domain)
{
	if (domain->adopted)
		return LIFECYCLE_REASON_ADOPTED;
	return domain->saved_left & SAVED_LEFT_USED ? LIFECYCLE_REASON_RESTORED : LIFECYCLE_REASON_BOOTED;
}

static void enter_found_state(Domain *domain, DomainState state, LifecycleReason reason)
{
	/* Since it is there again QEMU may have told of a state by itself. */
	DomainState before = domain->state == DOMAIN_STATE_UNKNOWN ? domain->state_before_gap
								   : domain->state;
	Event *event;

	if (domain->state == state)
		return;
	if (before == DOMAIN_STATE_UNKNOWN || before == state) {
		(void)domain_enter_state(domain, state, reason);
		return;
	}
	/* A start whose last word nobody has heard. */
	if (before == DOMAIN_STATE_STARTING)
		event = event_new_lifecycle(domain->started_at, LIFECYCLE_STARTED,
					    get_reason_of_start(domain));
	else
		event = event_new_lifecycle(0, found_events[state], reason);
	event_add_resync(event);
	if (reason == LIFECYCLE_REASON_GUEST_SHUTDOWN)
		policy_tell_shutdown(domain, event);
	domain_publish_lifecycle(domain, event, state);
}

/* A guest that is down in a QEMU that stays is told as paused, as at its STOP (lifecycle.c). */
DomainState connection_get_found_state(const Domain *domain, const char *run_state)
{
	DomainState state = domain_state_from_run_state(run_state);

	/* In a reboot the guest never seems to stop. */
	if (reboot_is_half_way(domain, run_state))
		return DOMAIN_STATE_RUNNING;
	return state == DOMAIN_STATE_SHUTTING_DOWN && policy_keeps_after_shutdown(domain)
		       ? DOMAIN_STATE_PAUSED : state;
}

static void on_reconnect_resync(Domain *domain, const char *run_state, const GError *error)
{
	DomainState state;
	LifecycleReason reason;

	if (!run_state) {
		domain_log(domain, LOG_NOTICE, "the state could not be read: %s; connecting again",
			   error ? error->message : "no status");
		domain_drop_monitor(domain);
		/* WARNING: a monitor that is dropped tells nothing any more, so the end of the run is ours to push. */
		if (domain->process_exited)
			push_closed(domain, g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
							"The process has gone"));
		else
			reconnect_later(domain);
		return;
	}
	state = connection_get_found_state(domain, run_state);
	reason = reboot_is_half_way(domain, run_state) ? LIFECYCLE_REASON_RESYNC
						       : stop_cause_get_found(domain, run_state);
	set_connected(domain, true);
	domain->reconnect_delay_ms = 0;
	/* What was seen before the gap explains nothing any more. */
	if (state == DOMAIN_STATE_RUNNING && domain->state == DOMAIN_STATE_UNKNOWN)
		domain->hints.shutdown_seen = false;
	enter_found_state(domain, state, reason);
	if (!g_str_equal(run_state, "io-error"))
		drives_guest_resumed(domain);
	tell_resynchronized(domain);
	/* The service was killed between the run file and `cont`: that start is brought to its end. */
	if (!domain->released &&
	    (g_str_equal(run_state, "prelaunch") || (domain->saved_left & SAVED_LEFT_USED)))
		domain_order(domain, "cont", NULL);
	domain->released = true;
	reboot_resynced(domain, run_state);
	saved_resynced(domain, run_state);
	leftover_resynced(domain);
	if (state == DOMAIN_STATE_SHUTTING_DOWN && !domain->adopted)
		domain_order(domain, "quit", NULL);
	if (reason == LIFECYCLE_REASON_GUEST_SHUTDOWN)
		stop_guest_is_down(domain);
	if (state == DOMAIN_STATE_CRASHED)
		panic_dump_resynced(domain);
	if (domain->readopt)
		operation_end(domain->readopt, NULL, NULL);
}

static void read_version(Domain *domain, JsonObject *version)
{
	JsonObject *qemu = json_read_object(version, "qemu");
	int64_t major = 0, minor = 0, micro = 0;

	(void)json_read_int(qemu, "major", &major);
	(void)json_read_int(qemu, "minor", &minor);
	(void)json_read_int(qemu, "micro", &micro);
	g_free(domain->qemu_version);
	domain->qemu_version = g_strdup_printf("%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT
					       ".%" G_GINT64_FORMAT, major, minor, micro);
	domain_changed(domain, DOMAIN_PROPERTY_QEMU_VERSION);
}

static void on_ready(QmpMonitor *monitor, JsonNode *greeting, void *userdata)
{
	Domain *domain = userdata;

	handover_keep(domain);
	read_version(domain, json_read_object(json_node_as_object(greeting), "version"));
	if (domain->start) {
		set_connected(domain, true);
		start_connected(domain);
	} else {
		domain_resync(domain, on_reconnect_resync);
	}
}

static void on_event(QmpMonitor *monitor, QmpMessage *event, void *userdata)
{
	intake_event(userdata, event);
}

/* The end of the connection, in its place behind everything QEMU said before it. */
typedef struct Closed {
	Domain *domain;
	uint64_t run;
	GError *error;
} Closed;

static void closed_done(void *data);

static void closed_free(void *data)
{
	Closed *closed = data;

	domain_unref(closed->domain);
	g_clear_error(&closed->error);
	g_free(closed);
}

static const StrandItemClass closed_class = { NULL, NULL, closed_done, closed_free };

static void push_closed(Domain *domain, GError *error)
{
	Closed *closed = g_new0(Closed, 1);

	closed->domain = domain_ref(domain);
	closed->run = domain->run;
	closed->error = error;
	strand_push(domain->events, &closed_class, closed);
}

/* The state is not known any more; told once, since a reconnect that fails half-way comes by here again. */
static void lose_monitor(Domain *domain, const char *reason)
{
	Event *event;

	if (!domain->gap_reason)
		handover_set_gap(domain, "monitor-lost");
	if (domain->state == DOMAIN_STATE_UNKNOWN && domain->lost_told)
		return;
	domain->lost_told = true;
	save_monitor_lost(domain);
	domain->state_before_gap = domain->state;
	domain->hints.pause_reason = LIFECYCLE_REASON_PAUSED;
	(void)domain_enter_state(domain, DOMAIN_STATE_UNKNOWN, LIFECYCLE_REASON_MONITOR_LOST);
	event = event_new(EVENT_MONITOR_LOST, 0);
	event->monitor_lost.reason = reason;
	domain_publish(domain, event);
}

/* It said so, or was told to; to give back a large memory takes its time. */
static bool is_about_to_end(const Domain *domain)
{
	const RunHints *hints = &domain->hints;
	bool stays = hints->shutdown_by_guest &&
		     (domain->reboot || hints->reboot_cut_off || policy_keeps_after_shutdown(domain));

	return hints->stop_requested || (hints->shutdown_seen && !stays);
}

/* Nothing else would ever tell. */
static void end_with_monitor(Domain *domain)
{
	domain->process_exited = true;
	domain->exit = (QemuExit){ .status = -1 };
	run_end_check(domain);
}

static void on_grace(int timer, void *userdata)
{
	Domain *domain = userdata;

	domain_clear_timer(domain, &domain->grace_timer);
	if (domain->process_exited) {
		/* Gone, but something still holds its end of the socket: cut, and ended in its place in the
		 * strand. Without a monitor the end is in the strand already. */
		if (!domain->monitor)
			return;
		domain_drop_monitor(domain);
		push_closed(domain, g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
						"The process has gone"));
		return;
	}
	if (domain->start) {
		start_fail(domain, g_error_new(CORE_ERROR, CORE_ERROR_START_FAILED,
					       "QEMU closed its monitor and goes on running"));
		return;
	}
	if (adopt_ends_with_monitor(domain)) {
		end_with_monitor(domain);
		return;
	}
	if (is_about_to_end(domain)) {
		domain_set_timer(domain, &domain->grace_timer, END_GRACE_MS, on_grace);
		return;
	}
	if (adopt_can_reconnect(domain)) {
		lose_monitor(domain, "closed");
		reconnect_later(domain);
	} else {
		lose_monitor(domain, LOST_FOR_GOOD);
	}
}

static void closed_done(void *data)
{
	Closed *closed = data;
	Domain *domain = closed->domain;
	bool catching_up;

	if (!domain->host || domain->run != closed->run)
		return;
	domain_log(domain, LOG_INFO, "monitor: %s", closed->error->message);
	catching_up = domain->catching_up;
	domain_drop_monitor(domain);
	domain->monitor_gone = true;
	/* What was kept was dead, and nobody has been told yet that it had been kept. */
	if (catching_up && !domain->process_exited && !is_about_to_end(domain) &&
	    adopt_can_reconnect(domain)) {
		handover_set_gap(domain, "service-restarted");
		reconnect(domain);
		return;
	}
	if (domain->start && !domain->process_exited)
		start_fail(domain, g_error_copy(closed->error));
	if (domain->process_exited)
		run_end_check(domain);
	else
		domain_set_timer(domain, &domain->grace_timer, END_GRACE_MS, on_grace);
}

static void on_closed(QmpMonitor *monitor, const GError *error, void *userdata)
{
	push_closed(userdata, g_error_copy(error));
}

static void on_garbage(QmpMonitor *monitor, const char *reason, void *userdata)
{
	Event *event = event_new(EVENT_EVENTS_LOST, 0);

	event->events_lost.where = "monitor";
	event->events_lost.count = 1;
	event_add_detail(event, "reason", g_variant_new_string(reason));
	domain_publish(userdata, event);
}

static void on_taking(QmpMonitor *monitor, void *userdata)
{
	handover_taking(userdata);
}

static void on_taken(QmpMonitor *monitor, void *userdata)
{
	handover_update_settled(userdata);
}

static void on_cut(QmpMonitor *monitor, void *userdata)
{
	handover_cut(userdata);
}

static const QmpMonitorHandler monitor_handler = {
	on_ready, on_event, on_closed, on_garbage, on_taking, on_taken, on_cut,
};

static void prepare_for_monitor(Domain *domain)
{
	g_assert(!domain->monitor);
	domain->connections++;
	domain->monitor_gone = false;
	domain->reading_held = false;
	/* That of the monitor before, if it was lost while the state was read. */
	domain_clear_timer(domain, &domain->grace_timer);
}

bool connection_take_over(Domain *domain, int fd)
{
	bool joined;

	prepare_for_monitor(domain);
	domain->monitor = qmp_monitor_take_over(domain_loop(domain), fd, domain->journal, &joined,
						&monitor_handler, domain);
	return joined;
}

void connection_caught_up(Domain *domain, JsonNode *version)
{
	read_version(domain, json_node_as_object(version));
	domain_resync(domain, on_reconnect_resync);
}

void connection_replace(Domain *domain)
{
	domain_drop_monitor(domain);
	domain->monitor_gone = true;
	/* WARNING: the end of the run may have waited for what the dropped one had to say. */
	if (domain->process_exited)
		run_end_check(domain);
	else
		reconnect(domain);
}

void domain_use_monitor(Domain *domain, int fd, int handshake_ms)
{
	prepare_for_monitor(domain);
	domain->monitor = qmp_monitor_new(domain_loop(domain), fd, handshake_ms, &monitor_handler,
					  domain);
	domain->commit.found = 0;
	if (domain->journal)
		qmp_monitor_set_journal(domain->monitor, domain->journal);
}

void domain_drop_monitor(Domain *domain)
{
	QmpMonitor *monitor = g_steal_pointer(&domain->monitor);

	domain->catching_up = false;
	if (domain->host)
		handover_forget(domain);
	/* Ends the pending calls; their callbacks must not find the monitor any more. */
	qmp_monitor_free(monitor);
	operations_forget_calls(domain);
	screenshot_forget_descriptor(domain);
	if (monitor && domain->host)
		set_connected(domain, false);
}

void domain_take_monitor(Domain *domain, QmpMonitor *monitor, JsonNode *greeting)
{
	g_assert(!domain->monitor);
	domain->monitor = monitor;
	qmp_monitor_set_handler(monitor, &monitor_handler, domain);
	handover_keep(domain);
	read_version(domain, json_read_object(json_node_as_object(greeting), "version"));
	set_connected(domain, true);
}

/* ---- the process ---- */

static void on_exit_of_process(QemuProcess *process, const QemuExit *how, void *userdata)
{
	Domain *domain = userdata;

	domain->process_exited = true;
	domain->exit = *how;
	if (domain->monitor_gone) {
		run_end_check(domain);
		return;
	}
	if (!domain->monitor) {
		push_closed(domain, g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST, "Not connected"));
		return;
	}
	/* What it said last is still in the socket; the end of file comes behind it. */
	intake_update_reading(domain);
	domain_set_timer(domain, &domain->grace_timer, END_GRACE_MS, on_grace);
}

void domain_watch_process(Domain *domain, QemuProcess *process)
{
	g_assert(!domain->process);
	domain->process = process;
	domain_changed(domain, DOMAIN_PROPERTY_PROCESS);
	if (!qemu_process_watch(process, domain_loop(domain), on_exit_of_process, domain))
		domain_log(domain, LOG_WARNING, "process %d cannot be watched; its end will be "
			   "noticed by its monitor alone", (int)qemu_process_get_pid(process));
}

void domain_kill(Domain *domain, int signal)
{
	g_autoptr(GError) error = NULL;

	if (!domain->process)
		return;
	if (qemu_process_signal(domain->process, signal, &error))
		stop_note_signal(domain, signal);
	else
		domain_log(domain, LOG_WARNING, "%s", error->message);
}

/* ---- connecting again ---- */

typedef struct Reconnect {
	Domain *domain;
	uint64_t run;
	char *directory;
	char *adopted_path;          /* instead of directory; NULL if it was not adopted */
	pid_t pid;                   /* whom it was adopted from; 0 if that is not known */
	int fd;
	bool nobody;                 /* listens there */
} Reconnect;

/* Another QEMU may listen at that path by now. */
static void reconnect_adopted(Reconnect *job)
{
	job->fd = adoption_connect(job->adopted_path, &job->nobody, NULL);
	if (job->fd < 0 || job->pid == 0 || qemu_peer_get_pid(job->fd) == job->pid)
		return;
	(void)close(job->fd);
	job->fd = -1;
}

static StrandStep reconnect_work(void *data)
{
	Reconnect *job = data;

	if (job->adopted_path)
		reconnect_adopted(job);
	else
		job->fd = launch_connect(job->directory, NULL);
	return STRAND_DONE;
}

static void reconnect_done(void *data)
{
	Reconnect *job = data;
	Domain *domain = job->domain;

	if (!domain->host || domain->run != job->run)
		return;
	domain->reconnecting = false;
	if (domain->process_exited || domain->ending || domain->monitor)
		return;
	if (job->fd >= 0) {
		domain_use_monitor(domain, job->fd, RECONNECT_HANDSHAKE_MS);
		job->fd = -1;
		return;
	}
	if (job->nobody && !domain->process) {
		domain->monitor_gone = true;
		end_with_monitor(domain);
		return;
	}
	reconnect_later(domain);
}

static void reconnect_free(void *data)
{
	Reconnect *job = data;

	if (job->fd >= 0)
		(void)close(job->fd);
	domain_unref(job->domain);
	g_free(job->directory);
	g_free(job->adopted_path);
	g_free(job);
}

static const StrandItemClass reconnect_class = { reconnect_work, NULL, reconnect_done, reconnect_free };

static void lose_for_good(Domain *domain)
{
	lose_monitor(domain, LOST_FOR_GOOD);
	if (adopt_ends_with_monitor(domain))
		adopt_release_unreachable(domain);
}

static void reconnect(Domain *domain)
{
	Reconnect *job;

	if (domain->reconnecting || domain->process_exited)
		return;
	if (!adopt_can_reconnect(domain)) {
		lose_for_good(domain);
		return;
	}
	domain->reconnecting = true;
	job = g_new0(Reconnect, 1);
	job->domain = domain_ref(domain);
	job->run = domain->run;
	job->directory = g_strdup(domain->directory);
	job->adopted_path = g_strdup(domain_get_adopted_path(domain));
	job->pid = domain_get_pid(domain);
	job->fd = -1;
	strand_push(domain->work, &reconnect_class, job);
}

static void on_reconnect_timer(int timer, void *userdata)
{
	Domain *domain = userdata;

	domain_clear_timer(domain, &domain->reconnect_timer);
	reconnect(domain);
}

/* Each time later, until it has been connected once more. */
static void reconnect_later(Domain *domain)
{
	domain->reconnect_delay_ms = CLAMP(domain->reconnect_delay_ms * 2, RECONNECT_FIRST_MS,
					   RECONNECT_MAX_MS);
	domain_set_timer(domain, &domain->reconnect_timer, domain->reconnect_delay_ms,
			 on_reconnect_timer);
}

/* ---- found again after a restart of the service ---- */

/* A QEMU that does not answer must not keep the service from starting. */
#define READOPT_TIMEOUT_MS 2000

static void on_readopt_timeout(int timer, void *userdata)
{
	Operation *operation = userdata;
	Domain *domain = operation->domain;

	/* There is much to catch up with and to read, but QEMU is there. */
	if (!handover_goes_on(domain) || !domain->monitor || qmp_monitor_get_received(domain->monitor) == 0)
		lose_monitor(domain, "no-answer");
	operation_end(operation, NULL, NULL);
}

/* It cannot be connected to again: what is left to see is its end. */
static void wait_for_adopted(Domain *domain)
{
	Operation *readopt = domain->readopt;

	domain_log(domain, LOG_NOTICE, "it was adopted by a descriptor, which the service has not any more: it "
		   "cannot be connected to again. %s",
		   adopt_ends_with_monitor(domain)
			   ? "Its process is not known either: it is let go of"
			   : "Let go of it (Undefine) and adopt it by the path of a monitor");
	lose_for_good(domain);
	if (domain->readopt == readopt && !domain->adopted->releasing)
		operation_end(readopt, NULL, NULL);
}

/* With a process whose connection has ended with the service before this one. */
static void connect_again(Domain *domain)
{
	if (!adopt_can_reconnect(domain)) {
		wait_for_adopted(domain);
		return;
	}
	operation_set_timer(domain->readopt, READOPT_TIMEOUT_MS, on_readopt_timeout);
	reconnect(domain);
}

/* What was left is told: what QEMU has said since is not known. */
static void on_replayed(Domain *domain)
{
	if (domain->process_exited) {
		domain->monitor_gone = true;
		run_end_check(domain);
		return;
	}
	if (domain->state != DOMAIN_STATE_UNKNOWN)
		domain->state_before_gap = domain->state;
	(void)domain_enter_state(domain, DOMAIN_STATE_UNKNOWN, LIFECYCLE_REASON_MONITOR_LOST);
	connect_again(domain);
}

void domain_readopt(Domain *domain, RunFile *run, DomainDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;
	QemuProcess *process;
	Definition *running;
	bool gone, kept;

	/* The process, not the state, says what is possible: so no operation_begin(). */
	domain->readopt = operation_new(domain, DOMAIN_OPERATION_MAX, done, userdata);

	/* What runs is what it was started with; the file may have been changed since. A domain does not
	 * change its name while it runs, so one that was renamed meanwhile goes by its new one: of what runs the name
	 * alone is another. */
	running = definition_with_name(run->definition, domain_get_name(domain));
	if (domain->persistent)
		domain->next_definition = domain->definition;
	else
		definition_unref(domain->definition);
	domain->definition = running;
	domain->has_directory = true;
	domain->released = run->released;
	domain->incarnation = run->incarnation;
	domain->started_at = run->started_at;
	domain->emulator = g_strdup(run->emulator);
	domain->unit = g_strdup(run->unit);
	g_hash_table_unref(domain->backends);
	domain->backends = g_hash_table_ref(run->backends);
	domain->told_devices = run->devices ? g_hash_table_ref(run->devices) : NULL;
	g_hash_table_unref(domain->under_way);
	domain->under_way = g_hash_table_ref(run->under_way);
	g_hash_table_unref(domain->host_nics);
	domain->host_nics = g_hash_table_ref(run->host_nics);
	domain->while_away = true;
	(void)domain_enter_state(domain, DOMAIN_STATE_UNKNOWN, LIFECYCLE_REASON_MONITOR_LOST);

	if (domain->adopted) {
		process = adopt_find_again(run, &gone, &error);
	} else {
		process = run->start_time > 0 ? qemu_process_adopt(run->pid, run->start_time, &error)
					      : launch_find_orphan(domain->directory);
		gone = !process;
	}
	if (error)
		domain_log(domain, LOG_WARNING, "%s", error->message);
	kept = handover_begin(domain, g_steal_pointer(&run->picture), run->started);
	if (gone) {
		/* What it said last may be in the socket, and the end of file behind it. */
		domain->process_exited = true;
		if (!kept && run->started && replay_begin(domain, on_replayed))
			return;
		domain->monitor_gone = !kept;
		if (kept)
			domain_set_timer(domain, &domain->grace_timer, END_GRACE_MS, on_grace);
		else
			run_end_check(domain);
		return;
	}
	if (process)
		domain_watch_process(domain, process);
	if (!run->started) {
		/* Killed in the middle of a start: what it would have become, nobody asked to the end. */
		domain_log(domain, LOG_NOTICE, "cleaning up after a start that was cut off");
		domain->hints.start_cut_off = true;
		domain_kill(domain, SIGKILL);
		return;
	}
	domain->while_away = false;
	if (kept)
		operation_set_timer(domain->readopt, READOPT_TIMEOUT_MS, on_readopt_timeout);
	else if (!replay_begin(domain, on_replayed))
		connect_again(domain);
}
