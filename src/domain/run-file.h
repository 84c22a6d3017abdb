/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "domain/adopted.h"
#include "domain/backend.h"
#include "domain/host-nics.h"
#include "domain/run-picture.h"
#include "domain/under-way.h"
#include "model/definition.h"

/*
 * RUNTIME/domains/UUID/run.json: all that is needed to find a running QEMU again when the service was
 * killed. It is written before QEMU is started (then without a pid; QEMU's own qemu.pid fills that gap),
 * once more when it has been started, and whenever what it says changes. It goes with the folder when
 * the run has ended.
 */

typedef struct RunFile {
	Definition *definition;      /* of this run */
	uint64_t incarnation;
	pid_t pid;                   /* 0: not known yet */
	uint64_t start_time;
	bool started;                /* false: killed in the middle of a start */
	bool released;               /* false: killed between that and `cont` */
	int64_t started_at;
	char *emulator;
	uid_t owner;                 /* domain_get_owner() */
	char *unit;                  /* where it was placed (placement.h); NULL: nowhere */
	GHashTable *backends;        /* device id -> Backends */
	GHashTable *under_way;       /* device id -> UnderWay */
	GHashTable *host_nics;       /* device id -> HostNic; NULL: none */
	GHashTable *devices;         /* id -> driver, as they were told; NULL: not known */
	RunPicture *picture;         /* beside it (run-picture.h); NULL: none */
	Adopted *adopted;            /* NULL: started by the service */
} RunFile;

#define RUN_FILE_NAME      "run.json"
#define RUN_PID_FILE_NAME  "qemu.pid"
#define RUN_LOG_FILE_NAME  "qemu.log"
#define RUN_MONITOR_NAME   "monitor"
#define RUN_FILE_MAX       (8u * 1024 * 1024)

/* The text of a run file. Any thread. */
char *run_file_to_json(const RunFile *run);
bool run_file_write(const char *directory, const char *json, GError **error);

/* Reads it back; where it has no pid, QEMU's own file is asked. Blocks on the disk. */
RunFile *run_file_read(const char *directory, GError **error);
RunFile *run_file_free(RunFile *run);
/* The links alone, of NICs and of those that were under way; also from a file that is of no other use. Never NULL. Blocks. */
GHashTable *run_file_read_links(const char *directory);

/* The folders of runs below RUNTIME/domains, as absolute paths. Blocks. */
GPtrArray *run_file_list(const char *domains);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunFile, run_file_free)
