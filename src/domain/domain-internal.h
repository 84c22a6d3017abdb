/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/domain.h"
#include "domain/filter-watch.h"
#include "domain/launch.h"
#include "domain/run-picture.h"
#include "qemu/process.h"

/*
 * What the files of this folder share. Each is one chapter of a domain's life:
 *
 *   domain.c      what it is; getters; entering a state; publishing
 *   operation.c   what somebody waits for
 *   launch.c      host work of a start: folder, socket, process (worker thread)
 *   start.c       from Start() to `started`
 *   restore.c     the part of it that only a domain with a saved state has
 *   save.c        from Save() to `quit`
 *   saved.c       what is saved of it; dropping that; what a cut-off save has left
 *   adopt.c       a QEMU of somebody else: taken in, and let go
 *   connection.c  the monitor: connect, reconnect, losing it
 *   handover.c    the connection of the service before this one, and what it told last
 *   replay.c      what it had read and not told, if the connection is lost
 *   call.c        a command whose reply takes its place among the events
 *   resync.c      reading state afresh
 *   intake.c      from QEMU's event to the commit: the strand
 *   commit.c      once, wherever a kill comes
 *   prepare.c     what QEMU is asked before an event is committed
 *   lifecycle.c   the cleaned stream of lifecycle events
 *   stop-cause.c  why the guest stands still
 *   policy.c      what the definition wants at a shutdown, a reboot, a panic, a crash
 *   panic-dump.c  from a panic to a file with the guest's memory
 *   devices.c     the list; DEVICE_DELETED
 *   live-definition.c   what runs, as a definition, follows them
 *   attach.c      the transaction that plugs a device in
 *   detach.c      asking a device to go, and being refused
 *   leftover.c    what an attach or a change of a medium that was cut off has left
 *   memory.c      sizes of memory devices
 *   nics.c        what guests do with their NICs
 *   nic-sync.c    the host follows them
 *   filter-follow.c   one step of that; filter-ledger.c   what of the host's tables is ours (worker thread)
 *   nic-links.c   the links of the host that NICs stand on
 *   host-nics.c   the table of them; making and removing (worker thread)
 *   nic-query.c   both sides of them, as they are now (nic-report.c)
 *   drives.c      trays, errors of drives, write thresholds
 *   disks.c       the files of a block device that is plugged in
 *   media.c       the transaction that changes a medium
 *   jobs.c        block jobs and others
 *   channels.c    ports between guest and host
 *   balloon.c     the memory that a guest gives back
 *   display.c     clients of VNC and SPICE
 *   migration.c   status of a migration
 *   accelerator.c what runs the guest's code
 *   command-line-query.c  what QEMU was started with
 *   firmware.c    the files of a firmware (worker thread)
 *   descriptors.c what a caller passes on to QEMU
 *   command.c     suspend, resume, ...; any command
 *   stop.c        shutdown, destroy
 *   reboot.c      reboot
 *   screenshot.c  a picture of a display
 *   run-end.c     from the exit of QEMU to `stopped`
 *
 * Everything here: event thread only, except domain/adopted.h, domain/filter-follow.h, domain/filter-ledger.h,
 * domain/host-nics.h, domain/launch.h, domain/run-file.h and domain/saved-state.h.
 */

/* An operation that has been asked for and has not been answered yet. */
typedef struct Operation {
	Domain *domain;               /* a reference */
	uint64_t id;                  /* never used again, unlike its address */
	DomainOperation kind;
	DomainDone done;
	void *userdata;
	int timer;                    /* 0: none */
	int timeout_ms;               /* what it was set to */
	bool abandoned;               /* nobody waits for it any more */
	uint64_t call;                /* not sent, it leaves nothing behind: see operation_send(); 0: none */
	char *device;                 /* attach, detach, change-media: its id; cancel-job: that of the job */
	bool forced;                  /* its timer ends it one way or the other */
	bool resetting;               /* reboot: RESET is what comes next */
	bool resumes;                 /* may let the guest go on: RESUME comes before its answer */
	bool stops;                   /* and the other way round */
	bool answered;                /* by QEMU: what is waited for now is the guest */
	bool guest_is_down;           /* reboot: the guest has shut down, and QEMU stands still */
} Operation;

/* What has been seen in this run that explains what comes next. */
typedef struct RunHints {
	bool stop_requested;          /* domain_destroy() */
	bool powerdown_requested;     /* domain_shutdown(), until POWERDOWN has come */
	bool shutdown_seen;
	bool shutdown_by_guest;
	char *shutdown_cause;
	bool panic_ended;             /* QEMU was told to quit because of a panic */
	bool start_cut_off;           /* by a kill of the service */
	bool watchdog_poweroff;
	bool watchdog_shutdown;       /* until POWERDOWN has come */
	bool saved;                   /* it ended because it was saved */
	bool migrated;                /* it goes on elsewhere */
	const char *service_exit;     /* what it was to be done by because the service ends; static, or NULL */
	bool reboot_cut_off;          /* the guest is down for a reboot that nobody waits for any more */
	bool reboot_overruled;        /* a client wants QEMU to end at a reset */
	LifecycleReason pause_reason; /* of the STOP that follows; PAUSED if nothing explains it */
	char *pause_run_state;        /* what QEMU said of it when it was asked */
	int64_t paused_at;            /* QEMU's time of the last STOP */
	unsigned resumes_ahead;       /* RESUME that have been read and wait for what is before them */
	struct Prepare *asked;        /* of the STOP that is being asked about, or NULL */
} RunHints;

typedef struct StopTimer {
	int timer;                    /* 0: none */
	int64_t at;                   /* when it fires; monotonic */
} StopTimer;

/* What is done to end this run, and what has been done. */
typedef struct StopOrder {
	const char *order;            /* the method, static; NULL: nobody has ordered it */
	bool guest_asked;             /* and not reset since */
	bool escalated;               /* the guest did not go in time, or QEMU did not at TERM */
	bool term_sent, kill_sent;
	StopTimer force, kill;
} StopOrder;

/* A start that has not come to its end. */
typedef struct Start {
	Operation *operation;         /* NULL: started by a policy */
	const char *policy;           /* which; static, or NULL */
	bool again;                   /* a policy wants another run */
	bool paused;
	bool spawning;                /* a worker is on it */
	bool restoring;               /* from the saved state */
	char *saved_version;          /* of the QEMU that saved it */
	bool definition_changed;      /* since it was saved */
	bool loading;                 /* QEMU reads it */
	unsigned disk_sets, n_disk_sets;   /* sets of descriptors that QEMU has got: the first, and how many */
	bool let_go;                  /* the guest may have gone on: it must not be loaded again */
	GError *error;                /* set once it has failed; then only the clean-up is left */
	int timer;
} Start;

/* A save that has not come to its end. */
typedef struct Save {
	uint64_t operation;
	char *path;                   /* NULL: the service's own place */
	char *header;                 /* of the file; NULL once it is written */
	int fd;                       /* of the partial file, -1 before */
	bool stopped;                 /* by us; it goes on if the save fails */
	bool writing;                 /* QEMU writes: its events count */
	bool committed;               /* there may be a whole file */
	bool quitting;                /* QEMU was told to */
	GError *error;                /* set once it has failed; then only the way back is left */
} Save;

typedef struct PanicDump PanicDump;

/* Of the event that is dealt with at present. */
typedef struct Commit {
	bool under_way;
	bool state_behind;            /* one was entered, and the picture does not have it yet */
	unsigned left_out;            /* so many of its events were told by the service before */
	uint64_t found;               /* position of the message which that one was at; 0: none */
	unsigned found_told;
} Commit;

struct Domain {
	int ref_count;
	const DomainHost *host;       /* NULL after domain_close() */
	char *uuid;
	Definition *definition;
	Definition *next_definition;  /* NULL: the same */
	Adopted *adopted;             /* NULL: its QEMU is ours */
	bool persistent;
	uid_t owner;

	DomainState state;
	LifecycleReason state_reason;
	uint64_t incarnation;         /* counts the starts; clients see it */
	uint64_t run;                 /* moves on when a run is over: what is still under way is dropped */
	bool renaming;

	/* ---- of this run; domain_reset_run() clears it ---- */
	QemuProcess *process;
	bool process_exited;
	QemuExit exit;
	int64_t started_at;
	char *emulator;
	char *unit;                   /* where its process was placed; NULL: nowhere */
	char *accelerator;            /* NULL: not known */
	char *directory;
	bool released;                /* cont has been answered, or is not to come */
	bool has_directory;           /* and it is to be removed when the run is over */
	QmpMonitor *monitor;
	bool monitor_gone;            /* everything QEMU wrote has been committed */
	bool connected;
	char *qemu_version;
	int grace_timer;              /* monitor gone but process not, or the other way round */
	int reconnect_timer;
	int reconnect_delay_ms;
	bool reconnecting;            /* a worker is on it */
	bool ending;                  /* run-end.c has begun */
	bool while_away;              /* it ended when nobody looked */
	bool lost_told;
	DomainState state_before_gap; /* unknown if there was none in this run of the service */
	const char *gap_reason;       /* why events may be missing, for Resynchronized */
	RunPicture *picture;          /* what was told last; NULL: that is not known */
	QmpJournal *journal;          /* the picture's; NULL: not in use */
	uint64_t connections;         /* to QEMU, counted in this run: positions are of one of them */
	Commit commit;
	bool filters_due;             /* the service before had been asked for them, and has not told them */
	bool replaying;               /* what was left in the journal is told, without a monitor */
	bool kept;                    /* the monitor is in the host's store */
	bool catching_up;             /* it was taken over, and what it had waiting is being read */
	bool has_picture;             /* state was read in this run: what differs now can be told */
	struct Resync *resync;        /* the one in progress, or NULL */
	unsigned refreshing, refresh_again;   /* bits by StateQuery */
	unsigned queries;             /* of resync.c: with the monitor */
	GQueue queries_waiting;       /* and not yet */
	bool asking;
	unsigned prepares;            /* prepare steps that wait for QEMU */
	Strand *events;               /* events and replies, in QEMU's order */
	unsigned unsent;              /* published, not yet on the bus */
	bool reading_held;
	RunHints hints;
	StopOrder stop;
	Start *start;
	Operation *reboot;            /* the reboot in progress, also in operations */
	Save *save;
	PanicDump *dump;
	int screenshot_fd;            /* QEMU writes to it; -1: none yet */
	uint64_t screenshot_adding;   /* the operation by which QEMU is being given it; 0: none */
	int64_t screenshot_number;    /* which it is in QEMU, since it was connected; -1: not known */
	FilterWatch *filter_watch;
	GHashTable *devices;          /* id -> DomainDevice */
	GHashTable *told_devices;     /* id -> driver: those of the service before, until they are compared; or NULL */
	GHashTable *backends;         /* id -> Backends */
	GHashTable *under_way;        /* device id -> UnderWay */
	GHashTable *host_nics;        /* device id -> HostNic: the links that its NICs stand on */
	GHashTable *nic_syncs;        /* device id -> what nic-sync.c knows of such a NIC */
	unsigned nic_jobs;            /* of nic-sync.c, on workers */
	GPtrArray *removed_children;  /* QOM paths, told with their parent */
	GHashTable *found_removed;    /* ids whose next DEVICE_DELETED tells nothing new */
	GHashTable *jobs;             /* id -> DomainJob */
	bool jobs_left_out;           /* the table has been full, in this run */
	GHashTable *trays;            /* device -> static string */
	GHashTable *io_status;        /* device -> string */
	GHashTable *drive_nodes;      /* node -> the drive it is in */
	bool trays_reset;             /* by a reset: what is found closed is told */
	bool drives_left_out;         /* one of the three has been full, in this run */
	GHashTable *thresholds;       /* node -> uint64_t */
	bool thresholds_left_out;
	GHashTable *channels;         /* id -> DomainChannel */
	GHashTable *gone_channels;    /* ids of those that were removed */
	uint64_t balloon;
	bool balloon_gone;            /* the last device of that kind that came or went has gone */
	GPtrArray *clients;           /* DomainClient */
	bool channels_left_out, clients_left_out;   /* logged once a run */
	char *migration_status;       /* NULL: none */
	MigrationProgress progress;
	bool has_progress;
	bool asking_progress, ask_progress_again;   /* one question at a time */
	int progress_timer;
	uint64_t irregular_events;

	/* ---- */
	Strand *work;                 /* host work of this domain, in order, over all runs */
	GPtrArray *operations;
	uint64_t last_operation_id;
	Operation *readopt;
	bool has_saved_state;
	unsigned saved_left;          /* SavedLeft: what is to be made up for when QEMU answers again */
	int64_t restarts[5];          /* times of the last restarts by a policy */
};

/* domain.c */
Loop *domain_loop(Domain *domain);
void domain_changed(Domain *domain, DomainProperty properties);
/* False: table has max entries. Logged at the first time, which told remembers. what: "jobs". */
bool domain_has_room(Domain *domain, GHashTable *table, unsigned max, const char *what, bool *told);
/* Takes event over. */
void domain_publish(Domain *domain, Event *event);
/* False (and logged) if the table of transitions does not allow it. */
bool domain_enter_state(Domain *domain, DomainState state, LifecycleReason reason);
/* Enters state, then publishes event with it. */
void domain_publish_lifecycle(Domain *domain, Event *event, DomainState state);
void domain_device_free(DomainDevice *device);
void domain_clear_timer(Domain *domain, int *timer);
/* A timeout that keeps the domain alive and is gone when it has fired. */
void domain_set_timer(Domain *domain, int *timer, int interval_ms, LoopTimeoutCallback callback);
void domain_reset_run(Domain *domain);
/* Those that domain_reset_run() would change. */
DomainProperty domain_get_run_properties(const Domain *domain);
void domain_take_next_definition(Domain *domain);

/* operation.c */
/* Without asking whether the state allows it. */
Operation *operation_new(Domain *domain, DomainOperation kind, DomainDone done, void *userdata);
/* NULL (and done called with the error) if there are too many, or the state does not allow it. */
Operation *operation_begin(Domain *domain, DomainOperation kind, DomainDone done, void *userdata);
/* The one of that kind on the device of that id, or NULL. */
Operation *operation_find_by_device(const Domain *domain, DomainOperation kind, const char *device);
/* What was begun as id, or NULL if it has been answered meanwhile: by the end of the run, by its time. */
Operation *operation_find(const Domain *domain, uint64_t id);
void operation_end(Operation *operation, const char *result, const GError *error);
/* What a call's userdata has to know of an operation that may have been answered before it, by the end of the run or by
 * a time-out. */
typedef struct OperationRef {
	Domain *domain;
	uint64_t operation;
	uint64_t run;
} OperationRef;

OperationRef *operation_ref_new(const Operation *operation);
/* Without an operation. */
OperationRef *operation_ref_new_of_run(Domain *domain);
/* NULL if it has been answered meanwhile. */
Operation *operation_ref_get(const OperationRef *ref);
OperationRef *operation_ref_free(OperationRef *ref);
/* As domain_call(), for the first command of operation, or the only one: if it has not been sent when nobody waits
 * for the operation any more, it is not sent at all, and callback gets an error. */
void operation_send(Operation *operation, const char *command, JsonNode *arguments, int timeout_ms,
		    QmpReplyCallback callback, void *userdata);
/* The time of a transaction: then it is answered with CORE_ERROR_MONITOR_TIMEOUT, and its next step finds nobody who
 * waits for it, and takes it back. */
void operation_set_deadline(Operation *operation, int timeout_ms);
/* CORE_ERROR_MONITOR_TIMEOUT: QEMU has not done what operation is for by its timer. */
GError *operation_make_timeout_error(const Operation *operation);
void operation_set_timer(Operation *operation, int interval_ms, LoopTimeoutCallback callback);
/* Ends all of one kind. */
void operations_end_kind(Domain *domain, DomainOperation kind, const char *result,
			 const GError *error);
void operations_end_all(Domain *domain, const GError *error);
/* Their numbers are those of a monitor that has gone. */
void operations_forget_calls(Domain *domain);
bool domain_has_operation(const Domain *domain, DomainOperation kind);

/* Called when QEMU has done a command, with the arguments it was given (NULL if none). */
typedef void (*CommandEffect)(Domain *domain, JsonObject *arguments);

/* call.c */
/* The arguments of a command: an object with one string in it. */
JsonNode *call_arguments(const char *member, const char *value);
/* Like qmp_monitor_execute(), but the reply takes its place among the events that QEMU sent before
 * it. callback is always called, with CORE_ERROR_MONITOR_LOST if there is no monitor.
 * WARNING: then it may be called before this returns, for an idle strand does at once what needs no worker.
 * Returns the number of the call at the monitor, 0 if there is none. */
uint64_t domain_call(Domain *domain, const char *command, JsonNode *arguments, int timeout_ms,
		     QmpReplyCallback callback, void *userdata);
/* QEMU gets a copy of fd, by that name. fd stays the caller's, open until the callback. */
void domain_call_getfd(Domain *domain, const char *name, int fd, QmpReplyCallback callback,
		       void *userdata);
/* The same for a set of descriptors; arguments are those of add-fd. */
void domain_call_add_fd(Domain *domain, JsonNode *arguments, int fd, int timeout_ms,
			QmpReplyCallback callback, void *userdata);
/* A call that nobody waits for; a refusal is logged. */
void domain_order(Domain *domain, const char *command, JsonNode *arguments);

/* adopt.c */
bool adopt_check_operation(const Domain *domain, DomainOperation kind, GError **error);
/* There is a path to connect to, also for a QEMU of ours. */
bool adopt_can_reconnect(const Domain *domain);
/* Nothing but the monitor tells of it, and there is no way to get another one. */
bool adopt_ends_with_monitor(const Domain *domain);
/* Asks QEMU to end, by whatever reaches it. */
void adopt_terminate(Domain *domain);
/* CORE_ERROR_TIMEOUT if that is not possible. */
bool adopt_kill(Domain *domain, GError **error);
/* The process of the run file; NULL if it is not known, or *ret_gone, or with an error if that cannot be told. */
QemuProcess *adopt_find_again(const RunFile *run, bool *ret_gone, GError **error);
/* Nobody will ever hear of it again. */
void adopt_release_unreachable(Domain *domain);

/* connection.c */
/* One that has been used, and has nothing pending. Takes monitor over. */
void domain_take_monitor(Domain *domain, QmpMonitor *monitor, JsonNode *greeting);
/* The state of a guest that was found with QEMU in that run state. */
DomainState connection_get_found_state(const Domain *domain, const char *run_state);
/* Enters state and tells what has led to it. */
void connection_tell_found(Domain *domain, DomainState state, LifecycleReason reason);
/* Takes over fd. */
void domain_use_monitor(Domain *domain, int fd, int handshake_ms);
void domain_drop_monitor(Domain *domain);
void domain_watch_process(Domain *domain, QemuProcess *process);
void domain_kill(Domain *domain, int signal);
/* Takes over fd, with a handshake behind it. True if, with what the journal has, it is the whole of what QEMU said. */
bool connection_take_over(Domain *domain, int fd);
/* Nothing of what was kept is left to be read. version: the answer to query-version. */
void connection_caught_up(Domain *domain, JsonNode *version);
/* Another one instead, at once and without a word. */
void connection_replace(Domain *domain);

/* commit.c */
/* What the service before was at when it ended. */
void commit_find(Domain *domain);
/* domain has a journal. position: that of the event's message. */
void commit_begin(Domain *domain, uint64_t position);
void commit_end(Domain *domain, uint64_t position);
/* An event is about to be published: it has been, by the service before. */
bool commit_was_told(Domain *domain);
/* A state was entered that the next service shall know of. */
void commit_note_state(Domain *domain);

/* replay.c */
/* False: there is nothing. Else done is called when all of it is told, if the run is the same. */
bool replay_begin(Domain *domain, void (*done)(Domain *domain));

/* handover.c */
/* The run has one now. Takes picture over (may be NULL). */
void handover_take_picture(Domain *domain, RunPicture *picture);
/* From here on events are missing, or may be; told when the state has been read. reason: static. */
void handover_set_gap(Domain *domain, const char *reason);
/* Bytes of QEMU's are about to be read; and, wherever something comes to its end: is all of it told? */
void handover_taking(Domain *domain);
void handover_update_settled(Domain *domain);
/* The guest wants a filter to be looked at. */
void handover_note_filters(Domain *domain);
/* The handshake is done: the connection goes to the store; and it is of no use any more. */
void handover_keep(Domain *domain);
void handover_forget(Domain *domain);
/* A run was found. Takes over picture (may be NULL) and what it says of the state, and the connection, if one was kept
 * and is wanted: then true, and connection_caught_up() follows, or the end of the connection. Else, what was left to be told
 * is with replay_begin(). */
bool handover_begin(Domain *domain, RunPicture *picture, bool wanted);
/* The connection was taken over, and until Resynchronized is told its events go on from what was told last. */
/* What was left by the service before is being told: QEMU is asked about none of it, but for its state when all of it is. */
bool handover_asks_nothing(const Domain *domain);
bool handover_goes_on(const Domain *domain);
/* Before an event is committed. */
void handover_note_event(Domain *domain);
/* The first message was not whole. */
void handover_cut(Domain *domain);

/* resync.c */
typedef enum StateQuery {
	STATE_QUERY_DEVICES,          /* first: the others know devices by it */
	STATE_QUERY_MEMORY_DEVICES,
	STATE_QUERY_DRIVES,
	STATE_QUERY_NODES,
	STATE_QUERY_JOBS,
	STATE_QUERY_CHARDEVS,
	STATE_QUERY_BALLOON,
	STATE_QUERY_VNC,
	STATE_QUERY_SPICE,
	STATE_QUERY_MIGRATION,
	STATE_QUERY_ACCELERATOR,
	STATE_QUERY_MAX,
} StateQuery;

/* Reads everything afresh; done is called with the RunState, or NULL and the error. */
typedef void (*ResyncDone)(Domain *domain, const char *run_state, const GError *error);
void domain_resync(Domain *domain, ResyncDone done);
/* Reads one row afresh. At most one is under way for each, and one more behind it. */
void domain_refresh(Domain *domain, StateQuery row);
/* A further question of a chapter: if it comes up during a domain_resync(), that waits for the answer. */
void resync_query(Domain *domain, const char *command, JsonNode *arguments,
		  QmpReplyCallback callback, void *userdata);
/* What a chapter finds changed shall be told by the ordinary signals: there was a gap. A domain_refresh() by
 * itself changes the properties alone. */
bool resync_tells(const Domain *domain);

/* start.c */
LaunchPlan start_make_plan(const Domain *domain, bool incoming);
void start_connected(Domain *domain);
/* policy: its key in the definition, static. */
void start_by_policy(Domain *domain, const char *policy);
/* Takes error over. The first one counts. */
void start_fail(Domain *domain, GError *error);
Start *start_free(Start *start, Domain *domain);
void start_set_deadline(Domain *domain);
/* QEMU has the saved state in it. */
void start_loaded(Domain *domain);
/* Nothing is left but to let the guest go on. */
void start_release(Domain *domain);
/* Writes the run file on a worker, then calls done on the event thread. */
typedef void (*RunFileWritten)(Domain *domain, const GError *error, void *userdata);
void domain_write_run_file(Domain *domain, bool started, RunFileWritten done, void *userdata);

/* save.c */
Save *save_free(Save *save);
/* Of a migration, which may be that of a save or of a restore. */
void save_note_status(Domain *domain, const char *status);
void save_monitor_lost(Domain *domain);
/* There is a whole file: all that is left to do is to end QEMU, (once more) if nobody knows whether it was told. */
void save_quit(Domain *domain);
/* fd stays the caller's, open until the callback. */
void save_call_getfd(Domain *domain, int fd, QmpReplyCallback callback, void *userdata);
/* The arguments of migrate and migrate-incoming for that descriptor. */
JsonNode *save_make_uri(void);

/* saved.c */
/* QEMU was found again, and answers. */
void saved_resynced(Domain *domain, const char *run_state);
/* The guest has gone on from it. */
void saved_drop_used(Domain *domain);
/* screenshot.c */
/* The connection is gone, and QEMU may close what came by it. */
void screenshot_forget_descriptor(Domain *domain);
/* Nothing of the run is left. */
void screenshot_clear(Domain *domain);

/* restore.c */
/* Worker: looks at the state before there is a QEMU. definition: what the next start would use, which becomes what was
 * saved, under the name that the domain has now; changed: whether that is another one. NULL and the error if the
 * state cannot be used. */
struct StateHeader *restore_read_header(const char *directory, Definition **definition,
					bool *ret_changed, GError **error);
/* For the error of a start: "" unless QEMU is of another version than the one that saved the state. */
char *restore_describe_versions(const Domain *domain);
/* QEMU was started with that definition. */
void restore_take_header(Domain *domain, const struct StateHeader *header, Definition *definition,
			 bool changed);
void restore_begin(Domain *domain);
void restore_note_status(Domain *domain, const char *status);
void restore_use(Domain *domain);

/* intake.c */
void intake_event(Domain *domain, QmpMessage *message);
void intake_update_reading(Domain *domain);

/* prepare.c */
/* How long QEMU may take for an answer on which later events wait. */
#define PREPARE_TIMEOUT_MS BACKEND_TIMEOUT_MS
typedef struct Prepare Prepare;
/* Only called while the run is the same. It may ask more. id: that of prepare_begin(). */
typedef void (*PrepareCallback)(Domain *domain, Prepare *prepare, const char *id, JsonNode *result,
				const GError *error);
/* From a prepare step (intake.c), which returns false if this does not return NULL: there is no monitor to ask.
 * id: what the event is about. */
Prepare *prepare_begin(Domain *domain, Strand *strand, const char *id);
/* Takes arguments over. */
void prepare_ask(Prepare *prepare, const char *command, JsonNode *arguments, PrepareCallback callback);
/* For what is not asked of QEMU: held until one more prepare_end(). Returns prepare. */
Prepare *prepare_hold(Prepare *prepare);
/* All has been asked. When it is answered, the strand goes on; prepare is gone then. */
void prepare_end(Prepare *prepare);
/* Nothing of what is still to be answered is wanted: the event goes on now. Whoever holds the step ends it all the same. */
void prepare_give_up(Prepare *prepare);

/* lifecycle.c */
void lifecycle_commit(Domain *domain, Event *event);
void lifecycle_commit_reset(Domain *domain, Event *event);
void lifecycle_commit_watchdog(Domain *domain, Event *event);
void lifecycle_commit_panicked(Domain *domain, Event *event);
void lifecycle_commit_powerdown(Domain *domain, Event *event);
/* How the run ended, as an event that is not published yet. */
Event *lifecycle_make_stopped(Domain *domain);
/* The guest stands still since we could not let it go on. */
void lifecycle_tell_api_error(Domain *domain);

/* stop-cause.c */
/* When it has been read, before it goes to the strand; and when it has been put there. */
void stop_cause_note_read(Domain *domain, const QmpMessage *event);
void stop_cause_note_pushed(Domain *domain);
/* Before the event is committed. time: QEMU's, 0 if it told none. */
void stop_cause_note_event(Domain *domain, const Event *event, int64_t time);
/* The prepare step of STOP. True: ready at once; false: resume is called later. */
bool stop_cause_prepare(Domain *domain, const Event *event, Strand *strand);
/* Why the guest that was found with QEMU is in that run state. */
LifecycleReason stop_cause_get_found(Domain *domain, const char *run_state);
/* Why it goes on, at RESUME. */
LifecycleReason stop_cause_get_resumed(const Domain *domain);

/* policy.c */
/* The definition wants QEMU to stay when the guest has shut down, has panicked. */
bool policy_keeps_after_shutdown(const Domain *domain);
bool policy_keeps_after_panic(const Domain *domain);
/* Add to an event what the definition wants. */
void policy_tell_shutdown(Domain *domain, Event *suspended);
void policy_tell_panic(Domain *domain, Event *crashed, const char *qemu_action);
/* The guest has panicked and stands still; if its memory is wanted, that is over. */
void policy_after_panic(Domain *domain);
/* A client's set-action. */
void policy_note_set_action(Domain *domain, JsonObject *arguments);
/* Adds to an event made by lifecycle_make_stopped() what the definition wants. Returns the key of the
 * policy that wants a start now (static), or NULL. */
const char *policy_decide_end(Domain *domain, Event *stopped);

/* panic-dump.c */
PanicDump *panic_dump_free(PanicDump *dump);
/* False if none is wanted. Else policy_after_panic() is called in the end. */
bool panic_dump_begin(Domain *domain);
void panic_dump_guest_stopped(Domain *domain);
void panic_dump_commit_completed(Domain *domain, Event *event);
/* QEMU was found again, with a guest that has panicked. */
void panic_dump_resynced(Domain *domain);
/* A worker is at the file; run_end_check() is called when it is not any more. */
bool panic_dump_is_working(const Domain *domain);
/* The memory is being written, or is about to be. */
bool panic_dump_is_under_way(const Domain *domain);
/* The run is over: what is not whole is removed. */
void panic_dump_cut_off(Domain *domain);
/* What has become of it, once that is known. */
void panic_dump_add_details(Domain *domain, Event *event);

/* devices.c */
/* What QEMU's paths of devices with an id begin with. */
#define DEVICES_PERIPHERAL "/machine/peripheral/"
/* The id that the path of such a device ends in, borrowed from it; NULL if it is the path of something else. */
const char *devices_id_from_path(const char *qom_path);
/* The path of the device in the list, "" if there is none of that id. */
const char *devices_get_path(const Domain *domain, const char *id);
/* The id of the device in the list whose driver begins with prefix, "" if there is none. */
const char *devices_find_by_driver(const Domain *domain, const char *prefix);
/* Asks QEMU for a property of a device whose value is a string. taken is called with it, if there is one and
 * the run is still the same; the device may have gone. */
typedef void (*DevicePropertyTaken)(Domain *domain, const char *id, const char *value);
void devices_ask_property(Domain *domain, const DomainDevice *device, const char *property,
			  DevicePropertyTaken taken);
void devices_commit_removed(Domain *domain, Event *event);
/* id -> driver, for the run file. */
GHashTable *devices_list_told(const Domain *domain);
/* QEMU has taken a new device of that id. What came with an older one that is still going is kept in mind. */
void devices_keep_old_backends(Domain *domain, const char *id);
/* The prepare step of DEVICE_DELETED. True: ready at once; false: resume is called later. */
bool devices_prepare_removed(Domain *domain, const Event *event, Strand *strand);
/* What the *_resync() functions take is the answer of their row in resync.c; NULL where QEMU has none. */
void devices_resync(Domain *domain, JsonNode *list);
/* It is in the list, and told. */
void devices_tell_added(Domain *domain, const char *id, const char *driver);
void devices_added_by_command(Domain *domain, JsonObject *arguments);

/* live-definition.c */
/* A device and its backends have come. done: when the run file says so, or cannot. */
void live_definition_add(Domain *domain, JsonNode *const entries[DEFINITION_ENTRY_MAX],
			 RunFileWritten done, void *userdata);
/* An interface has come; it is copied. */
void live_definition_add_interface(Domain *domain, const DefinitionInterface *interface,
				   RunFileWritten done, void *userdata);
/* A device has gone, and what stood below it alone. operation: ended when the run file says so, or cannot; 0: none. */
void live_definition_remove(Domain *domain, const char *id, uint64_t operation);

/* detach.c */
/* Who waits for the device of that id to go, or NULL. */
Operation *detach_find(const Domain *domain, const char *id);
/* DEVICE_UNPLUG_GUEST_ERROR and MEM_UNPLUG_ERROR. */
void detach_commit_failed(Domain *domain, Event *event);
void detach_commit_acpi_status(Domain *domain, Event *event);

/* leftover.c */
/* Takes entry over, and calls done when it is in the run file: then device may be touched. */
void leftover_note(Domain *domain, const char *device, UnderWay *entry, RunFileWritten done,
		   void *userdata);
/* It has come to its end, or has been taken back; done is called when the run file says so too. */
void leftover_forget(Domain *domain, const char *device, RunFileWritten done, void *userdata);
/* It is still noted, and not being cleaned up. */
bool leftover_is_noted(const Domain *domain, const char *device);
/* The link that was noted has been made; the run file is the caller's. */
void leftover_set_link_index(Domain *domain, const char *device, unsigned index);
/* QEMU was found again, and its devices and drives are known. */
void leftover_resynced(Domain *domain);

/* memory.c */
void memory_device_added(Domain *domain, const DomainDevice *device);
void memory_commit_size(Domain *domain, Event *event);
void memory_resync(Domain *domain, JsonNode *list);

/* nics.c */
void nics_init(Domain *domain);
/* The event itself is told when the filter has been asked for. */
void nics_commit_filter_changed(Domain *domain, Event *event);
/* The filter of a NIC was before (or NULL) and is now. requested: the guest did something; host_news: so did we, or
 * there is something else to tell of the host's side. */
void nics_tell(Domain *domain, const RxFilter *before, RxFilter *now, bool requested, bool host_news);

/* nic-sync.c */
void nic_sync_init(Domain *domain);
/* False: the NIC stands on no link of the host. Else its link is brought into line, nics_tell() follows, and
 * filter_watch_done(). */
bool nic_sync_begin(Domain *domain, RxFilter *before, RxFilter *now, bool requested);
/* It was plugged out. */
void nic_sync_forget(Domain *domain, const char *nic);
/* run_end_check() is called when that is not so any more. */
bool nic_sync_is_working(const Domain *domain);
/* What the host's side is like, as it was seen last. */
void nic_sync_add_details(const Domain *domain, const char *nic, Event *event);
/* What was put into the tables of its link by us. Borrowed; NULL: nothing that is known. */
const HostFilterOwn *nic_sync_get_own(const Domain *domain, const char *nic);

/* nic-links.c */
/* QEMU was started with these, which are taken over, and with the netdevs of its interfaces. */
void nic_links_started(Domain *domain, GHashTable *nics);
/* Calls done always, perhaps before it returns; domain may have stopped, or be closed, by then. */
typedef void (*NicLinksDone)(Domain *domain, void *userdata);
/* The NIC has gone: removes its link, if it has one, and takes it from the table. The run file is the caller's. */
void nic_links_remove(Domain *domain, const char *id, NicLinksDone done, void *userdata);
/* One that is in no table yet. */
void nic_links_remove_one(Domain *domain, const char *id, const HostNic *link, NicLinksDone done,
			  void *userdata);
/* Makes the link of a NIC that is plugged in. done gets its index and what QEMU is to have (QemuDescriptor; both
 * borrowed), or the error; domain may have stopped, or be closed, by then. */
typedef void (*NicLinksMade)(Domain *domain, const HostNic *link, GArray *descriptors, const GError *error,
			     void *userdata);
void nic_links_make(Domain *domain, const DefinitionInterface *interface, const HostNic *link,
		    NicLinksMade done, void *userdata);
/* By which QEMU knows the descriptors of a NIC that is plugged in, as many as it has. */
GStrv nic_links_make_names(const char *id, unsigned n_names);
/* The link of a NIC that is still going, when its id is another's. */
void nic_links_rename(Domain *domain, const char *id, const char *place);

/* drives.c */
void drives_init(Domain *domain);
void drives_clear(Domain *domain);
void drives_commit_tray(Domain *domain, Event *event);
void drives_commit_io_error(Domain *domain, Event *event);
void drives_commit_threshold(Domain *domain, Event *event);
void drives_resync(Domain *domain, JsonNode *list);
void drives_resync_nodes(Domain *domain, JsonNode *list);
/* The node in a drive, or NULL; borrowed. */
const char *drives_get_node(const Domain *domain, const char *id);
/* Which nodes there are, and in which drives, may have changed without an event. */
void drives_changed(Domain *domain);
void drives_changed_by_command(Domain *domain, JsonObject *arguments);
void drives_device_removed(Domain *domain, const char *id);
/* What had failed is tried again. */
void drives_guest_resumed(Domain *domain);
/* RESET. */
void drives_guest_reset(Domain *domain);
/* A client's own block-set-write-threshold succeeded. */
void drives_threshold_by_command(Domain *domain, JsonObject *arguments);

/* jobs.c */
void jobs_init(Domain *domain);
void jobs_clear(Domain *domain);
/* The prepare step of JOB_STATUS_CHANGE, as that of devices.c. */
bool jobs_prepare_changed(Domain *domain, const Event *event, Strand *strand);
void jobs_commit_changed(Domain *domain, Event *event);
void jobs_commit_event(Domain *domain, Event *event);
void jobs_resync(Domain *domain, JsonNode *list);

/* channels.c */
void channels_init(Domain *domain);
void channels_clear(Domain *domain);
void channels_commit_changed(Domain *domain, Event *event);
/* Devices come and go: some of them are channels. */
void channels_device_added(Domain *domain, const DomainDevice *device);
void channels_device_removed(Domain *domain, const char *id);
void channels_resync(Domain *domain, JsonNode *list);

/* balloon.c */
/* A device of that driver has come or gone. */
void balloon_device_changed(Domain *domain, const char *driver, bool is_gone);
void balloon_commit_changed(Domain *domain, Event *event);
void balloon_commit_report(Domain *domain, Event *event);
void balloon_resync(Domain *domain, JsonNode *info);

/* display.c */
void display_init(Domain *domain);
void display_clear(Domain *domain);
void display_commit_client(Domain *domain, Event *event);
void display_resync_vnc(Domain *domain, JsonNode *list);
void display_resync_spice(Domain *domain, JsonNode *info);

/* accelerator.c */
void accelerator_resync(Domain *domain, JsonNode *info);

/* migration.c */
void migration_call_events_on(Domain *domain, QmpReplyCallback callback, void *userdata);
/* The same, where nobody waits for it. */
void migration_enable_events(Domain *domain);
void migration_clear(Domain *domain);
void migration_commit_changed(Domain *domain, Event *event);
void migration_resync(Domain *domain, JsonNode *info);

/* command.c */
/* The reply to the command is the end of operation. Takes arguments over; effect may be NULL. */
void operation_call(Operation *operation, const char *command, JsonNode *arguments,
		    CommandEffect effect);

/* stop.c */
/* The guest is down and QEMU stays, as the definition wants it. */
void stop_guest_is_down(Domain *domain);
/* The service has sent QEMU that signal. */
void stop_note_signal(Domain *domain, int signal);
/* RESET. */
void stop_note_reset(Domain *domain);
/* Somebody has asked the guest to shut down. */
bool stop_is_wanted(const Domain *domain);
/* Adds to `stopped` what was done. */
void stop_add_details(const Domain *domain, Event *stopped);
void stop_clear(Domain *domain);

/* reboot.c */
void reboot_guest_is_down(Domain *domain);
void reboot_was_reset(Domain *domain);
/* QEMU was found again in that state: the guest is down, or was reset and stands still, for a reboot. */
bool reboot_is_half_way(const Domain *domain, const char *run_state);
/* Then it goes on with it. Else what QEMU shall do at a shutdown is put in order again. */
void reboot_resynced(Domain *domain, const char *run_state);

/* run-end.c */
/* Call when the process has exited or the monitor is gone; acts once both are true. */
void run_end_check(Domain *domain);
