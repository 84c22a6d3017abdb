/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/directories.h"
#include "base/worker-pool.h"
#include "domain/adoption.h"
#include "domain/backend.h"
#include "domain/descriptors.h"
#include "domain/monitor-store.h"
#include "domain/nic-report.h"
#include "domain/placement.h"
#include "domain/run-file.h"
#include "event/event.h"
#include "loop/loop.h"
#include "net/link-watch.h"
#include "model/configuration.h"
#include "model/definition.h"
#include "model/state.h"
#include "qemu/emulators.h"
#include "qmp/monitor.h"

/*
 * One virtual machine: its identity, its state, and the QEMU that runs it at present.
 *
 * A domain lives longer than its QEMU. Each run of QEMU is an incarnation with its own number; whatever comes
 * back from a worker or from QEMU carries the number it was made for and is dropped when the
 * number has moved on (domain-run.c).
 *
 * The domain does not know how it is shown. It tells its host (the driver) about events and about changed
 * properties; whoever wants to know more asks the getters, which never block.
 *
 * Everything here: event thread only.
 */

typedef struct Domain Domain;

/* What can change and be looked at again. */
typedef enum DomainProperty {
	DOMAIN_PROPERTY_NAME         = 1 << 0,
	DOMAIN_PROPERTY_TITLE        = 1 << 1,
	DOMAIN_PROPERTY_STATE        = 1 << 2,    /* and its reason */
	DOMAIN_PROPERTY_INCARNATION  = 1 << 3,
	DOMAIN_PROPERTY_PERSISTENT   = 1 << 4,
	DOMAIN_PROPERTY_AUTOSTART    = 1 << 5,
	DOMAIN_PROPERTY_PROCESS      = 1 << 6,    /* pid and start time */
	DOMAIN_PROPERTY_HARDWARE     = 1 << 7,    /* emulator, machine, cpus, memory */
	DOMAIN_PROPERTY_DEVICES      = 1 << 8,
	DOMAIN_PROPERTY_FILTERS      = 1 << 9,
	DOMAIN_PROPERTY_QEMU_VERSION = 1 << 10,
	DOMAIN_PROPERTY_CONNECTED    = 1 << 11,
	DOMAIN_PROPERTY_SAVED_STATE  = 1 << 12,
	DOMAIN_PROPERTY_TRAYS        = 1 << 13,
	DOMAIN_PROPERTY_JOBS         = 1 << 14,
	DOMAIN_PROPERTY_IO_STATUS    = 1 << 15,
	DOMAIN_PROPERTY_THRESHOLDS   = 1 << 16,
	DOMAIN_PROPERTY_CHANNELS     = 1 << 17,
	DOMAIN_PROPERTY_BALLOON      = 1 << 18,
	DOMAIN_PROPERTY_CLIENTS      = 1 << 19,
	DOMAIN_PROPERTY_MIGRATION    = 1 << 20,
	DOMAIN_PROPERTY_IRREGULAR    = 1 << 21,
	DOMAIN_PROPERTY_PROGRESS     = 1 << 22,
	DOMAIN_PROPERTY_UNIT         = 1 << 23,
} DomainProperty;

/* How long others may take. */
typedef struct DomainDeadlines {
	int start_ms;       /* QEMU, until it runs: DOMAIN_START_TIMEOUT_MS */
	int shutdown_ms;    /* a guest that was asked: DOMAIN_SHUTDOWN_TIMEOUT_MS */
} DomainDeadlines;

/* What a domain needs from the one who holds it. */
typedef struct DomainHost {
	bool closing;               /* all are being shut down: none is started, by whomever */
	Loop *loop;
	WorkerPool *pool;
	const Directories *directories;
	const Configuration *configuration;  /* in force now; another one after a reload. Event thread */
	QemuEmulators *emulators;
	DomainDeadlines deadlines;
	LinkWatch *links;               /* that guests stand on */
	MonitorStore *monitors;         /* NULL: connections end with the service */
	Placement placement;            /* place is NULL: what is started stays with the service */
	const char *user_problem;       /* why QEMU cannot be started as the user that it is to be; NULL: it can */
	QemuLauncher launcher;          /* path is NULL: QEMU is started at once, as what we are */
	/* The event is complete, the state it speaks of has been entered: stamp and publish it. Takes it over. */
	void (*event)(Domain *domain, Event *event, void *userdata);
	void (*changed)(Domain *domain, DomainProperty properties, void *userdata);
	/* The number of the last event, and how many of domain's the service before this one has told after that number. NULL
	 * if no event is remembered outside of this process before it is told (event/history.h). */
	uint64_t (*get_last)(void *userdata);
	unsigned (*count_told)(const Domain *domain, uint64_t after, void *userdata);
	/* A transient domain has ended (or could not be started): forget it. */
	void (*gone)(Domain *domain, void *userdata);
	void *userdata;
} DomainHost;

/* The end of an operation: called exactly once, possibly before the function that began it returns.
 * result: what the operation gives back, or NULL. */
typedef void (*DomainDone)(Domain *domain, const char *result, const GError *error, void *userdata);

/* host must outlive the domain. */
Domain *domain_new(const DomainHost *host, Definition *definition, bool persistent);
Domain *domain_ref(Domain *domain);
Domain *domain_unref(Domain *domain);
/* Cuts all ties before the host goes away: closes the monitor, forgets the process (it goes on
 * running), ends pending operations with CORE_ERROR_MONITOR_LOST. */
void domain_close(Domain *domain);

/* ---- what it is ---- */

const char *domain_get_name(const Domain *domain);
const char *domain_get_uuid(const Domain *domain);
/* The user who has defined, created or adopted it; the service's own if nobody has said so. It stays while the domain is there. */
uid_t domain_get_owner(const Domain *domain);
/* Before it is told. */
void domain_set_owner(Domain *domain, uid_t owner);
/* What runs, or, when nothing runs, what would. */
const Definition *domain_get_definition(const Domain *domain);
/* What the next start will use. */
const Definition *domain_get_next_definition(const Domain *domain);
DomainState domain_get_state(const Domain *domain);
LifecycleReason domain_get_state_reason(const Domain *domain);
uint64_t domain_get_incarnation(const Domain *domain);
bool domain_is_persistent(const Domain *domain);
/* Its QEMU was started by somebody else. */
bool domain_is_adopted(const Domain *domain);
/* CORE_ERROR_NOT_SUPPORTED if it was adopted. what: a sentence that says what to do. */
bool domain_check_not_adopted(const Domain *domain, const char *what, GError **error);
/* The path it was adopted by; NULL if there is none. */
const char *domain_get_adopted_path(const Domain *domain);
/* CORE_ERROR_WRONG_STATE if it is transient. */
bool domain_check_persistent(const Domain *domain, GError **error);
bool domain_is_autostart(const Domain *domain);
/* The next start restores it. */
bool domain_get_has_saved_state(const Domain *domain);
/* 0 if there is no QEMU. */
pid_t domain_get_pid(const Domain *domain);
/* Microseconds since 1970; 0 if it does not run. */
int64_t domain_get_started_at(const Domain *domain);
/* Absolute path while it runs, else as defined; "" for the default. */
const char *domain_get_emulator(const Domain *domain);
/* The group of processes that it was placed in (placement.h); "" if in none, if it was adopted, or if it does not run. */
const char *domain_get_unit(const Domain *domain);
const char *domain_get_machine_type(const Domain *domain);
/* The one that is in use, such as "kvm"; "" if nothing runs, or if QEMU does not tell and the definition leaves it open. */
const char *domain_get_accelerator(const Domain *domain);
/* The folder of its logs, which may not be there yet. Free with g_free(). */
char *domain_get_log_directory(const Domain *domain);
unsigned domain_get_cpus(const Domain *domain);
/* Bytes. */
uint64_t domain_get_memory(const Domain *domain);
/* "" if never connected in this incarnation. */
const char *domain_get_qemu_version(const Domain *domain);
bool domain_is_connected(const Domain *domain);
/* Its guest is being saved, or the memory of it written after a panic: what it was worth would be lost by an end now. */
bool domain_is_being_written(const Domain *domain);
/* Operations not yet ended. */
unsigned domain_get_pending(const Domain *domain);

typedef struct DomainDevice {
	char *id;
	char *driver;       /* "" if QEMU does not tell */
	char *qom_path;
	char *bus;          /* "" likewise */
	bool is_memory;     /* size counts */
	uint64_t size;      /* bytes that are plugged in */
} DomainDevice;

/* id -> DomainDevice, and NIC -> RxFilter. Borrowed, as all tables below; all are empty while nothing runs. */
GHashTable *domain_get_devices(const Domain *domain);
GHashTable *domain_get_filters(const Domain *domain);

/* The host's side of a NIC, as it was when the filter above was told. */
typedef struct DomainNicHost {
	const char *link;   /* its name */
	bool synced;        /* it lets through what the guest wants */
	char *error;        /* what has failed; NULL: nothing */
} DomainNicHost;

/* Borrowed. NULL: it stands on no link of the host, or was not looked at yet. */
const DomainNicHost *domain_get_nic_host(const Domain *domain, const char *nic);

typedef struct DomainJob {
	char *id;
	char *type;         /* QEMU's JobType; "" if not known */
	char *status;       /* QEMU's JobStatus */
	uint64_t length, offset, speed;
	bool has_progress;  /* length and offset have been told */
	bool has_speed;     /* speed has been told */
	char *error;        /* NULL: none */
	bool dismissed;     /* concluded, and gone already */
} DomainJob;

/* A port between guest and host, as that of a guest agent. */
typedef struct DomainChannel {
	char *id;           /* of the device */
	char *name;         /* as the guest sees it, such as org.qemu.guest_agent.0; "" if it has none */
	char *chardev;      /* its host side; "" if it is not known */
	bool is_console;    /* its host side is open always, whatever the guest does */
	bool open;          /* by the guest */
} DomainChannel;

/* It is that of QEMU's guest agent. */
bool domain_channel_is_agent(const DomainChannel *channel);

typedef struct DomainClient {
	DisplayClient client;
	GPtrArray *strings; /* owns those of client */
	bool assumed;       /* its phase is a guess: QEMU lists clients of VNC without it */
} DomainClient;

/* id -> DomainJob. */
GHashTable *domain_get_jobs(const Domain *domain);
/* Device -> "open" or "closed". */
GHashTable *domain_get_trays(const Domain *domain);
/* Device -> "ok", "failed", "nospace": QEMU's BlockDeviceIoStatus. */
GHashTable *domain_get_io_status(const Domain *domain);
/* Node -> uint64_t, bytes: those that have not been reached yet. */
GHashTable *domain_get_write_thresholds(const Domain *domain);
/* id -> DomainChannel. */
GHashTable *domain_get_channels(const Domain *domain);
/* Bytes; 0 if there is no balloon. */
uint64_t domain_get_balloon(const Domain *domain);
/* DomainClient, the oldest first. */
GPtrArray *domain_get_clients(const Domain *domain);
/* QEMU's MigrationStatus. */
const char *domain_get_migration_status(const Domain *domain);

/* Bytes of the guest's memory. */
typedef struct MigrationProgress {
	uint64_t transferred;   /* written so far, with what was written again */
	uint64_t remaining;     /* to be written yet */
	uint64_t total;         /* that there is */
} MigrationProgress;

/* Of the last migration of this run that went out, saving included; NULL if there was none. */
const MigrationProgress *domain_get_migration_progress(const Domain *domain);
/* While one is under way, QEMU is asked this often. */
#define MIGRATION_POLL_MS 1000
/* Events of this run whose data was not what QEMU promises. */
uint64_t domain_get_irregular_events(const Domain *domain);

/* The host has passed on one event it got by event(). Above DOMAIN_QUEUE_MAX events that wait for their turn, and
 * above DOMAIN_UNSENT_MAX of those that are not passed on yet, the monitor is no longer read. */
void domain_event_sent(Domain *domain);
#define DOMAIN_QUEUE_MAX 4096u
/* Far fewer: answers to clients keep their place behind what is not passed on (service/emitter.h), so in a storm that is what
 * a call waits for. */
#define DOMAIN_UNSENT_MAX 256u
/* While an event waits for a reply of QEMU, which is behind those that came meanwhile. */
#define DOMAIN_QUEUE_WAITING_MAX (8 * DOMAIN_QUEUE_MAX)

/* ---- definition (called by the driver, which keeps the files) ---- */

/* Takes definition over; effective at once if nothing runs, else at the next start. */
void domain_redefine(Domain *domain, Definition *definition, LifecycleReason reason);
void domain_set_autostart(Domain *domain, bool autostart);
/* While the file of its new name is written, or it is on its way out, it cannot be started. */
void domain_set_renaming(Domain *domain, bool renaming);
/* Its definition is gone while it runs. */
void domain_set_transient(Domain *domain);
/* What was found on the disk (domain/saved-state.h): a saved state; SavedLeft of a service that was killed. */
void domain_set_has_saved_state(Domain *domain, bool has_saved_state);
void domain_set_saved_left(Domain *domain, unsigned left);
void domain_emit_defined(Domain *domain, LifecycleReason reason);
void domain_emit_undefined(Domain *domain, LifecycleReason reason);

/* ---- operations; each answers when it is done ---- */

#define DOMAIN_START_TIMEOUT_MS     30000
#define DOMAIN_CALL_TIMEOUT_MS      30000
#define DOMAIN_SHUTDOWN_TIMEOUT_MS  120000
#define DOMAIN_DESTROY_GRACE_MS     10000
#define DOMAIN_DETACH_TIMEOUT_MS    30000
/* Operations and commands not yet ended, of one domain: above it CORE_ERROR_LIMIT_EXCEEDED. Those that nobody
 * waits for any more (domain_abandon()) count as long as QEMU is at them. */
#define DOMAIN_PENDING_MAX          2048u
/* So many calls of domain_destroy() are taken above it. */
#define DOMAIN_PENDING_RESERVE      64u

/* Nobody waits any more for the operations with that done and a userdata that is gone: what has not been begun is
 * not begun, what has been comes to its end. Each ends as ever, by done. */
void domain_abandon(Domain *domain, DomainDone done, bool (*is_gone)(void *userdata));

void domain_start(Domain *domain, bool paused, DomainDone done, void *userdata);
/* The same, since its definition wants it when the host has booted; told so. */
void domain_autostart(Domain *domain, DomainDone done, void *userdata);
/* The same; descriptors (or NULL) are taken over. */
void domain_start_with(Domain *domain, bool paused, Descriptors *descriptors, DomainDone done,
		       void *userdata);
/* TERM, then KILL after grace_ms. */
void domain_destroy(Domain *domain, int grace_ms, DomainDone done, void *userdata);
/* Asks the guest. force_after_ms: then domain_destroy(); -1: never, and CORE_ERROR_TIMEOUT after
 * DOMAIN_SHUTDOWN_TIMEOUT_MS. */
void domain_shutdown(Domain *domain, int force_after_ms, DomainDone done, void *userdata);
/* domain_shutdown() or, with force, domain_destroy(), since the service ends and its guests with it; told so. */
void domain_end_with_service(Domain *domain, bool force, DomainDone done, void *userdata);
/* Asks the guest to shut down and starts it again in the same QEMU. force_after_ms: then a reset;
 * -1: never, and CORE_ERROR_TIMEOUT after DOMAIN_SHUTDOWN_TIMEOUT_MS. */
void domain_reboot(Domain *domain, int force_after_ms, DomainDone done, void *userdata);
/* Writes the state of the guest to a file and ends QEMU; the next start goes on there. path: absolute, of a file
 * that does not exist; NULL: a file of the service's own. Persistent domains only. While it goes on, all
 * operations but domain_destroy() and domain_execute() are CORE_ERROR_WRONG_STATE. timeout_ms: then it is given up,
 * CORE_ERROR_TIMEOUT; -1: it takes as long as the disk does. */
void domain_save(Domain *domain, const char *path, int timeout_ms, DomainDone done, void *userdata);
/* CORE_ERROR_WRONG_STATE if there is none. */
void domain_drop_saved_state(Domain *domain, DomainDone done, void *userdata);
/* A picture of a display, as PNG. device: id of the device, or QOM path; NULL: the first. head: of that device; -1: the
 * first. done gets a sealed file in memory, which it may keep a copy of, or -1 and the error. */
#define DOMAIN_SCREENSHOT_SIZE_MAX  (64u * 1024 * 1024)
/* One at a time: CORE_ERROR_LIMIT_EXCEEDED. */
typedef void (*DomainScreenshotDone)(Domain *domain, int fd, const GError *error, void *userdata);
void domain_screenshot(Domain *domain, const char *device, int64_t head, int timeout_ms,
		       DomainScreenshotDone done, void *userdata);
/* Operations that are one QMP command: reset, suspend, resume, wakeup, inject-nmi. */
void domain_command(Domain *domain, DomainOperation operation, DomainDone done, void *userdata);
/* A bus cuts off who sends more than it takes. */
#define DOMAIN_RESULT_MAX (16u * 1024 * 1024)
/* Any QMP command. arguments: JSON object or NULL, taken over; the result is JSON. */
void domain_execute(Domain *domain, const char *command, JsonNode *arguments, int timeout_ms,
		    DomainDone done, void *userdata);

/* CORE_ERROR_INVALID_ARGUMENT if these are not QAPI objects as the next function takes them. */
bool domain_check_device(JsonNode *device, JsonNode *const backends[BACKEND_MAX], GError **error);
/* timeout_ms, of those that wait for QEMU: then CORE_ERROR_MONITOR_TIMEOUT, or CORE_ERROR_TIMEOUT where QEMU has
 * answered and the guest has not. What a transaction has done by then is taken back when QEMU goes on. */
/* device: QAPI device object (id made if missing); backends go in first and are taken out again if a later
 * step fails, and when the device has gone. All nodes are taken over. The result is the id. */
void domain_attach_device(Domain *domain, JsonNode *device, JsonNode *backends[BACKEND_MAX],
			  int timeout_ms, DomainDone done, void *userdata);
/* The same for a NIC whose host's side is ours: its link is made for it, and goes with it. Without an id it gets one. The
 * result is the id. CORE_ERROR_LIMIT_EXCEEDED if its queues are too many, CORE_ERROR_NOT_PERMITTED, CORE_ERROR_IO if the
 * link cannot be made. */
void domain_attach_interface(Domain *domain, const DefinitionInterface *interface, int timeout_ms,
			     DomainDone done, void *userdata);
void domain_detach_device(Domain *domain, const char *id, int timeout_ms, DomainDone done,
			  void *userdata);

/* Puts another medium into a removable drive: blockdev is a QAPI blockdev-add object, taken over; NULL takes the
 * medium out. force: also if the guest has locked the tray. */
void domain_change_media(Domain *domain, const char *id, JsonNode *blockdev, bool force, int timeout_ms,
			 DomainDone done, void *userdata);
/* 0 takes it off. */
void domain_set_write_threshold(Domain *domain, const char *node, uint64_t bytes, DomainDone done,
				void *userdata);
/* Answers when the job is over. force: a mirror that is ready is not completed. */
void domain_cancel_job(Domain *domain, const char *id, bool force, int timeout_ms, DomainDone done,
		       void *userdata);
#define DOMAIN_CANCEL_TIMEOUT_MS    30000
/* Answers when QEMU has asked the guest; what the guest does is told by its events. */
void domain_set_balloon(Domain *domain, uint64_t bytes, DomainDone done, void *userdata);

/* All NICs that are known: those of the definition's interfaces in their order, then others that have a filter. reports:
 * NicReport, borrowed; read just now, or where QEMU does not answer as seen last. */
typedef void (*DomainNicsDone)(Domain *domain, const GPtrArray *reports, const GError *error, void *userdata);
void domain_get_nics(Domain *domain, DomainNicsDone done, void *userdata);

/* The result is the command line as a shell would read it, an option a line: that of the process which runs, or
 * that of the next start. */
void domain_get_command_line(Domain *domain, DomainDone done, void *userdata);

/* Finds the QEMU of a run file again (domain/run-file.h). done when its state is known, or it is known to be
 * gone, or its monitor cannot be reached (state unknown; it goes on trying). */
void domain_readopt(Domain *domain, RunFile *run, DomainDone done, void *userdata);

/* ---- a QEMU of somebody else (domain/adopt.c) ---- */

/* Before anybody sees the domain, which is a transient one. Takes adopted over. */
void domain_set_adopted(Domain *domain, Adopted *adopted);
/* Takes what adoption has found; the caller frees it. done when the state is known and the run file is written. If that
 * cannot be, the domain goes again, and QEMU is left alone. */
void domain_adopt(Domain *domain, Adoption *adoption, DomainDone done, void *userdata);
/* Lets go of QEMU, which goes on: the domain is gone when done is called. Adopted domains only. */
void domain_release(Domain *domain, DomainDone done, void *userdata);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Domain, domain_unref)
