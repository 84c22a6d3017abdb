/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/configuration-files.h"
#include "domain/domain.h"
#include "domain/stored-definition.h"
#include "event/history.h"
#include "loop/loop.h"

/*
 * The driver: wires the parts, holds the domains, keeps their definitions, stamps their events. It is all
 * that a face (the service on the bus, a test, another host) needs to know.
 *
 *   driver.c              start-up, look-up
 *   driver-stamp.c        the number of an event, and remembering it
 *   driver-definitions.c  define, create, undefine, autostart flag
 *   driver-owners.c       whose domains they are
 *   driver-devices.c      devices that come and go, while it runs and in its definition
 *   driver-reload.c       taking in the files, at the start and again
 *   driver-watch.c        files that somebody else has changed
 *   driver-job.c          a change of definitions in its steps
 *   driver-records.c      what of it the administrator is told
 *   driver-adopt.c        taking in QEMUs that somebody else has started
 *   driver-autostart.c    starting what is to be started, a few at a time
 *   driver-logs.c         logs of QEMUs that have grown too long, or too many
 *   driver-shutdown.c     ending all of them before the service ends
 *
 * Event thread only.
 */

typedef struct Driver Driver;

typedef struct DriverObserver {
	void (*domain_added)(Domain *domain, void *userdata);
	/* The domain can no longer be found; the pointer is good until the call returns. */
	void (*domain_removed)(Domain *domain, void *userdata);
	/* A stamped event, in the order of its sequence. Call domain_event_sent() when it has been passed on. */
	void (*event)(Domain *domain, Event *event, void *userdata);
	void (*changed)(Domain *domain, DomainProperty properties, void *userdata);
	void (*emulators_changed)(void *userdata);
	void (*definition_problems_changed)(void *userdata);
	void (*changed_files_changed)(void *userdata);
	void *userdata;
	/* Puts the arguments of a sealed event as clients see them into out, which is empty, for the history; and a text that
	 * says how they look for each kind: a history of another one is not used. NULL: none is kept. */
	void (*encode)(const Event *event, GByteArray *out);
	const char *layout;
	/* Another one is in force, since driver_reload(). NULL: nobody needs to know. */
	void (*configuration_changed)(const Configuration *before, const Configuration *now, void *userdata);
} DriverObserver;

/* The end of a call that gives back a domain (NULL if it failed). Called exactly once. */
typedef void (*DriverDone)(Domain *domain, const GError *error, void *userdata);

/* Opens the directories and the sequence, takes the lock. Blocks: start-up. loop must outlive the driver;
 * observer is copied. */
Driver *driver_new(Loop *loop, bool system, const DriverObserver *observer, GError **error);
/* Leaves all QEMUs running. */
Driver *driver_free(Driver *driver);

/* Monitors shall outlive this driver there. store is copied. Before driver_start(). */
void driver_use_store(Driver *driver, const DescriptorStore *store);

/* Each QEMU that is started is placed there. placement is copied. Before driver_start(). */
void driver_use_placement(Driver *driver, const Placement *placement);

/* QEMU is started by that launcher where it is to be placed, or is to have a user of its own; and what is asked of emulators
 * is asked as that user. user_problem: why there is no such user, though there is to be one: then nothing is started; NULL: there
 * is. All is copied, with what it points at. Before driver_start(). */
void driver_use_launcher(Driver *driver, const QemuLauncher *launcher, const char *user_problem);

/* What is in force from now on, and where it is read again by driver_reload(); both are taken over. Otherwise it is the
 * defaults, and they stay. Before driver_start(). */
void driver_use_configuration(Driver *driver, Configuration *configuration, ConfigurationSource *source);
/* Borrowed, until the next turn of the loop. */
const Configuration *driver_get_configuration(const Driver *driver);

/* Keeps the last events (event/history.h), those of the service before this one too; otherwise, and if that cannot be
 * (logged), there is no history. bytes, events: its bounds. Blocks: start-up, before driver_start(). */
void driver_keep_history(Driver *driver, size_t bytes, unsigned events);
/* NULL: none is kept. Borrowed. */
const History *driver_get_history(const Driver *driver);

/* Loads the definitions (blocks: start-up) and finds the QEMUs that run. started is called when the state of each is
 * known, or it is known that it cannot be read now. Before that, call nothing else. */
void driver_start(Driver *driver, void (*started)(void *userdata), void *userdata);

/* Starting is mostly waiting for QEMU; more at once would only make all of them slow. */
#define DRIVER_AUTOSTART_AT_ONCE_MAX 4u

/* Starts what is to be autostarted, in the order of the names, a few at a time; once for each boot, unless again. */
void driver_autostart(Driver *driver, bool again);

/* Asks all guests to shut down, and destroys what is left after timeout_ms; those that cannot hear it, as they stand
 * still, at once. Adopted ones are left alone. Nothing is started any more. done is called when none runs. Once. */
void driver_shut_down(Driver *driver, int timeout_ms, void (*done)(void *userdata), void *userdata);
bool driver_is_shutting_down(const Driver *driver);

Domain *driver_find_domain(Driver *driver, const char *name_or_uuid);
Domain *driver_find_domain_by_uuid(Driver *driver, const char *uuid);
/* With references, by name. */
GPtrArray *driver_list_domains(Driver *driver);
unsigned driver_count_domains(const Driver *driver);

/* Something runs. */
bool driver_has_guests(const Driver *driver);
/* Nothing runs and nothing is under way: the service may leave. */
bool driver_is_idle(const Driver *driver);
uint64_t driver_get_last_sequence(const Driver *driver);
/* QemuEmulator; empty until the worker has found them. Borrowed. */
GPtrArray *driver_get_emulators(const Driver *driver);

/* ---- definitions ---- */

#define DRIVER_JOBS_MAX 1024u
/* Folders of logs whose domains are no more; the oldest go. */
#define DRIVER_OLD_LOGS_MAX 64u
/* How often the logs of what runs are looked at, when they are written to. */
#define DRIVER_LOGS_INTERVAL_MS 1000

/* owner: the user on whose behalf it is; if it is new, it counts against his limit (CORE_ERROR_LIMIT_EXCEEDED). text is copied. */
void driver_define(Driver *driver, uid_t owner, const char *text, DriverDone done, void *userdata);
/* Transient: started at once, gone when it stops. descriptors (or NULL) are taken over. */
void driver_create(Driver *driver, uid_t owner, const char *text, bool paused, Descriptors *descriptors,
		   DriverDone done, void *userdata);
/* An adopted domain is let go of, its QEMU goes on. destroy: what runs is ended first, TERM, then KILL. */
void driver_undefine(Driver *driver, Domain *domain, bool destroy, DriverDone done, void *userdata);
void driver_set_autostart(Driver *driver, Domain *domain, bool autostart, DriverDone done,
			  void *userdata);
/* Reads the files again: takes in new and changed ones, undefines what has no file any more (what runs becomes
 * transient), starts what is to be autostarted. No error for files that are bad: what they defined before stays, and
 * they are among the problems. Before them the configuration is read again: if that is bad,
 * CORE_ERROR_INVALID_CONFIGURATION (logged, too), and nothing is changed. */
void driver_reload(Driver *driver, DriverDone done, void *userdata);

/* StoredProblem: what was wrong when the files were last read. Borrowed, until the next reading. */
GPtrArray *driver_get_definition_problems(const Driver *driver);

/* Names of files that somebody else has changed, made or removed since they were read: char *, sorted, at most
 * DEFINITION_STORE_CHANGED_MAX. Borrowed, until the next turn of the loop. */
GPtrArray *driver_get_changed_files(const Driver *driver);

/* problems: DefinitionProblem, borrowed; NULL with the error if it could not be looked at. */
typedef void (*DriverValidated)(GPtrArray *problems, const GError *error, void *userdata);
void driver_validate(Driver *driver, const char *text, DriverValidated done, void *userdata);

/* Which domain a definition is of, as driver_define() of the same text would find it. uuid: NULL if it has none. Both NULL with the error
 * if it is none. */
typedef void (*DriverIdentified)(const char *name, const char *uuid, const GError *error, void *userdata);
void driver_identify(Driver *driver, const char *text, DriverIdentified done, void *userdata);

/* ---- devices ---- */

/* Which of the two a change is for: libvirt's VIR_DOMAIN_AFFECT_*. */
typedef enum DeviceAffect {
	DEVICE_AFFECT_LIVE,      /* what runs; forgotten when it stops */
	DEVICE_AFFECT_CONFIG,    /* the definition; effective at the next start */
	DEVICE_AFFECT_BOTH,      /* both or neither */
	DEVICE_AFFECT_MAX,
} DeviceAffect;

const char *device_affect_to_string(DeviceAffect affect);
bool device_affect_from_string(const char *string, DeviceAffect *ret_affect);

/* As domain_attach_device(), which it is for LIVE. The result is the id. CONFIG and BOTH: CORE_ERROR_WRONG_STATE if
 * the domain is transient, otherwise the errors of definition_add_entries(); if the definition cannot be written, BOTH
 * takes the device out again, and the error says whether it has gone. */
void driver_attach_device(Driver *driver, Domain *domain, JsonNode *device,
			  JsonNode *backends[BACKEND_MAX], int timeout_ms, DeviceAffect affect,
			  DomainDone done, void *userdata);
/* The same with an interface of a definition, which is copied: domain_attach_interface(), and
 * definition_add_interface(). Its MAC is the same in both. */
void driver_attach_interface(Driver *driver, Domain *domain, const DefinitionInterface *interface,
			     int timeout_ms, DeviceAffect affect, DomainDone done, void *userdata);
/* As domain_detach_device(), and definition_remove_device(). BOTH: CORE_ERROR_NO_SUCH_DEVICE if it is not in both;
 * the definition is left alone unless the device has gone. */
void driver_detach_device(Driver *driver, Domain *domain, const char *id, int timeout_ms,
			  DeviceAffect affect, DomainDone done, void *userdata);

/* ---- a QEMU of somebody else ---- */

/* Calls that wait for the handshake of a QEMU. */
#define DRIVER_ADOPTIONS_MAX 64u

/* name: "" to ask QEMU. path: absolute, of its monitor's socket, or "" and fd (taken over) a connection to it, else -1.
 * timeout_ms: for the handshake (ADOPTION_TIMEOUT_MS). Errors: those of adoption.h, CORE_ERROR_DOMAIN_EXISTS (that QEMU, that
 * uuid or that name), CORE_ERROR_LIMIT_EXCEEDED. */
void driver_adopt(Driver *driver, uid_t owner, const char *name, const char *path, int fd, int timeout_ms,
		  DriverDone done, void *userdata);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Driver, driver_free)
