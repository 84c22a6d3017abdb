/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "driver-internal.h"

/*
 * A change of definitions is a job of four steps on one strand, so that the changes follow each other and the
 * event thread never waits for the disk or for the parsing of a long document:
 *
 *   compute   worker        parse, or read the files
 *   check     event thread  may it be? hold the name and uuid; take the snapshot to write
 *   store     worker        write or remove the file
 *   commit    event thread  the file is as it should be: now the domain, the signals, the answer
 *
 * A job that fails in one step goes straight to its answer, and nothing has changed.
 */

typedef struct Job Job;

typedef struct JobClass {
	bool (*compute)(Job *job, GError **error);
	bool (*check)(Job *job, GError **error);
	bool (*store)(Job *job, GError **error);
	/* Answers, then or later. */
	void (*commit)(Job *job);
} JobClass;

struct Job {
	const JobClass *job_class;
	Driver *driver;
	DriverDone done;
	DriverValidated validated;  /* instead of done */
	DriverIdentified identified; /* likewise */
	void *userdata;
	DefinitionStore *definitions;  /* the driver's, which outlives its workers */
	const char *saved;          /* likewise */
	const char *nvram;          /* likewise */
	const char *owners;         /* likewise */
	uid_t owner;                /* who asks for it */
	bool is_new;                /* define: there is no such domain yet */
	bool stored_step;           /* compute and check are behind us */
	GError *error;

	char *text;
	Definition *definition;
	bool holding, renaming;
	Domain *domain;             /* a reference */
	char *old_name;
	bool paused, autostart;
	Descriptors *descriptors;   /* create: for its start */
	DefinitionEdit edit;
	void *edit_data;            /* the caller's, until it is answered */
	bool only_check;
	GPtrArray *problems;
	GHashTable *saved_states;   /* uuids, as the worker found them */
	const ConfigurationSource *configuration_source;  /* reload; the driver's, or NULL */
	Configuration *configuration;  /* likewise: what is read there */
	StoredDefinitions *stored;  /* reload */
	ReloadPlan *plan;           /* likewise */
};

Job *job_new(Driver *driver, const JobClass *job_class, DriverDone done, void *userdata);
/* Takes job over. Answered at once if there are too many. */
void job_push(Job *job);
/* Once; job_push()ed jobs that are not answered by their commit are so when they are freed. */
void job_answer(Job *job, Domain *domain, const GError *error);

/* driver-definitions.c; what is told is told at once */
void driver_redefine(Driver *driver, Domain *domain, Definition *definition);
/* Returns a reference. */
Domain *driver_add_defined(Driver *driver, Definition *definition, GHashTable *saved_states, uid_t owner);
void driver_forget(Driver *driver, Domain *domain);
