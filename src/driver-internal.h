/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/definition-store.h"
#include "domain/definition-watch.h"
#include "domain/reload-plan.h"
#include "driver.h"
#include "event/chains.h"
#include "event/history.h"
#include "event/sequence.h"
#include "qemu/log-watch.h"

typedef struct DriverAdoption DriverAdoption;

struct Driver {
	Loop *loop;
	DriverObserver observer;
	DomainHost host;
	char *launcher_path;
	QemuUser user;                  /* that QEMU is started as, if launcher has one */
	char *user_name, *user_problem;
	Directories *directories;
	Configuration *configuration;
	ConfigurationSource *configuration_source;  /* NULL: it is not read again */
	int runtime_lock, state_lock;
	WorkerPool *pool;
	Strand *store;              /* reads and writes of definitions, one after the other */
	Strand *background;         /* what nobody waits for: emulators, the sequence's reservation */
	Sequence *sequence;
	History *history;           /* NULL: none is kept */
	Chains *chains;
	Strand *logs;               /* looks after the logs of QEMUs */
	int logs_timer;
	bool logs_busy, logs_dirty;
	GHashTable *logs_due;       /* uuids of domains whose logs are to be looked at */
	QemuLogWatch *log_watch;    /* NULL: the system has no more of them */
	bool reserving;
	uint64_t sequence_at_start; /* the last one of the service before this one */
	GByteArray *arguments;      /* of the event that is being remembered */
	GHashTable *connected_until; /* uuid -> uint64_t (driver-stamp.c) */
	Registry *registry;
	DefinitionStore *definitions;
	GPtrArray *problems;        /* StoredProblem, of the last reading */
	DefinitionWatch *definition_watch;  /* NULL: the system has no more of them */
	GPtrArray *changed_files;   /* names, changed by somebody else since */
	GPtrArray *emulators;
	unsigned jobs;              /* on the store strand */
	bool leaving;               /* driver_free() has begun */

	GQueue autostart;           /* Domain, with references */
	unsigned autostarting;

	int shutdown_timer, look_timer;  /* driver-shutdown.c; 0: none */
	bool shutdown_over;         /* the time is up */
	GHashTable *asked;          /* Domain, with a reference -> Asked (driver-shutdown.c) */
	void (*shut_down)(void *userdata);
	void *shut_down_userdata;
	GPtrArray *adoptions;       /* DriverAdoption (driver-adopt.c): those whose domain there is not yet */

	unsigned readopting;
	void (*started)(void *userdata);
	void *started_userdata;
};

/* driver-stamp.c */
/* Blocks: start-up. CORE_ERROR_IO: without the sequence no event can be told. */
bool driver_stamp_open(Driver *driver, GError **error);
void driver_stamp_close(Driver *driver);
/* Gives event its number, seals and remembers it. */
void driver_stamp(Driver *driver, Domain *domain, Event *event);
/* The monitor of domain was lost just now: from here on events may be missing. */
void driver_stamp_lost(Driver *driver, Domain *domain);
/* All domains that there are have been found: numbers of others are of no use. */
void driver_stamp_clean(Driver *driver);
/* The domain is no more. */
void driver_stamp_forget(Driver *driver, Domain *domain);

/* driver-told.c */
/* Before the runs are found again. */
void driver_told_init(Driver *driver);

/* driver-reload.c; blocks: start-up */
void driver_load_definitions(Driver *driver);

/* driver-watch.c */
/* Blocks: start-up, before the definitions are loaded. */
void driver_watch_definitions(Driver *driver);
/* Takes changed over. */
void driver_set_changed_files(Driver *driver, GPtrArray *changed);

/* driver-shutdown.c */
/* A state may have changed. */
void driver_look_at_shutdown(Driver *driver);
void driver_end_shutdown(Driver *driver);

/* driver-owners.c */
/* Whether he may have one more domain, or one more that is adopted. CORE_ERROR_LIMIT_EXCEEDED. */
bool driver_check_owner(const Driver *driver, uid_t owner, bool adopted, GError **error);
/* Of the definitions that have been loaded. Blocks: start-up. */
void driver_load_owners(Driver *driver);

/* Takes configuration over, and tells. */
void driver_change_configuration(Driver *driver, Configuration *configuration);

void driver_add_domain(Driver *driver, Domain *domain);
void driver_remove_domain(Driver *driver, Domain *domain);

/* Worker: makes the definition that follows, or returns NULL and the error. data is that of
 * driver_edit_definition(), which nobody else touches until that is answered. */
typedef Definition *(*DefinitionEdit)(const Definition *definition, void *data, GError **error);
/* Edits the definition that the next start will use, in its turn among the other changes: what is edited is what
 * they have left. The file is written before the domain has the new one. only_check: nothing is written or
 * changed. CORE_ERROR_WRONG_STATE if the domain is transient. */
void driver_edit_definition(Driver *driver, Domain *domain, bool only_check, DefinitionEdit edit,
			    void *edit_data, DriverDone done, void *userdata);

/* Looks for emulators, and asks those that are new or have changed. */
void driver_find_emulators(Driver *driver);

/* driver-logs.c */
void driver_logs_start(Driver *driver);
void driver_logs_stop(Driver *driver);
/* When no worker is on it any more. */
void driver_logs_free(Driver *driver);
/* Its QEMU has come or gone. */
void driver_logs_update(Driver *driver, const Domain *domain);
/* Removes logs of domains that are no more, if there are many. */
void driver_logs_clean(Driver *driver);

/* driver-adopt.c */
void driver_adopt_init(Driver *driver);
/* Those who wait are told that the service leaves. */
void driver_adopt_close(Driver *driver);
