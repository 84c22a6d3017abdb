/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/descriptors.h"
#include "domain/launch-files.h"
#include "domain/placement.h"
#include "domain/run-file.h"
#include "qemu/emulators.h"
#include "qemu/process.h"

/*
 * The host's side of a run: the folder, the monitor's socket, the process. All of it blocks: worker
 * thread.
 *
 * The socket is made and listened on by us and handed to QEMU by descriptor, so connecting cannot come too
 * early and nobody else can be first. Its path stays, for the next start of the service.
 */

/* What a start needs besides the definition. */
typedef struct LaunchPlan {
	char *directory;             /* RUNTIME/domains/UUID */
	char *logs;                  /* LOGS/UUID */
	char *nvram;                 /* the folder for the firmware's variables, if the definition names none */
	bool incoming;               /* QEMU waits for a saved state */
	QemuEmulators *emulators;    /* the driver's, which outlives its workers */
	Descriptors *descriptors;    /* or NULL */
	const Placement *placement;  /* the host's; NULL: it stays with us */
	const QemuLauncher *launcher; /* the host's; NULL: none is needed */
	GStrv image_directories;     /* where disks are opened for a QEMU that has another user */
	char *user_problem;          /* why there is no user to start it as; NULL: there is, or none is needed */
	bool require_sandbox;        /* nothing is started that does without */
} LaunchPlan;

void launch_plan_clear(LaunchPlan *plan);

/* The command line of a start by that plan. Asks the emulator what it can do if that is not known yet. */
GStrv launch_make_command_line(const Definition *definition, const LaunchPlan *plan, GError **error);

typedef struct Launched {
	QemuProcess *process;
	RunPicture *picture;         /* NULL: it could not be made */
	int monitor_fd;              /* connected, non-blocking */
	char *emulator;              /* absolute path */
	unsigned disk_sets, n_disk_sets;   /* sets of descriptors of its disks: the first, and how many */
} Launched;

/* Makes the directory (0700), the links of the interfaces and the process, and connects to it. On failure nothing remains,
 * except for the logs and the firmware's variables. run is written twice: with the names of the links, and with their
 * indexes and the pid. Its host_nics, pid, start_time, unit and emulator are filled in. CORE_ERROR_START_FAILED,
 * CORE_ERROR_NOT_PERMITTED, CORE_ERROR_IO. */
bool launch(RunFile *run, const LaunchPlan *plan, Launched *ret_launched, GError **error);

/* Connects to the monitor of a QEMU that runs. CORE_ERROR_MONITOR_LOST if that cannot be. */
int launch_connect(const char *directory, GError **error);

/* The process that was started with its pid file in directory, whoever knows of it; NULL if there is none. What a run
 * file without a pid leaves to be found, and what must not be there when QEMU is started. Reads all of /proc. */
QemuProcess *launch_find_orphan(const char *directory);
