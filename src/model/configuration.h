/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * vmherald.conf: what an administrator decides once for all domains. Sections in brackets, lines KEY=VALUE, comments
 * that begin with # or ;, as systemd has them. Reading them is pure: texts with the names of their files in, a value
 * out; where the files are is known to domain/configuration-files.h.
 *
 * One table (configuration_keys) has all there is: section, key, type, range, default, and where it goes. The man page
 * vmherald.conf(5) and the example file are held to it by a test.
 *
 *   number   in decimal digits; infinity where the table says so
 *   time     90s, 10min, 1h 30min; without a unit, seconds
 *   size     bytes, or with K, M, G: times 1024
 *   boolean  yes, no, true, false, on, off, 1, 0
 *   name     of a user or a group
 *   folders  absolute paths, separated by spaces; in double quotes if one has a space in it
 *   choice   one of the words of the table
 *
 * Nothing of a file is taken in if anything in it is wrong: what confines guests or limits users must not be another
 * than what is written there because of a misspelt word.
 */

#define CONFIGURATION_FILE_MAX      (64u * 1024)  /* bytes */
#define CONFIGURATION_PROBLEMS_MAX  32u           /* that are told of all files together */
#define CONFIGURATION_FOLDERS_MAX   64u

#define CONFIGURATION_INFINITY      UINT64_MAX

typedef enum ConfigurationOnExit {
	CONFIGURATION_ON_EXIT_LEAVE,
	CONFIGURATION_ON_EXIT_SHUTDOWN,
} ConfigurationOnExit;

/* What one user may have at a time; CONFIGURATION_INFINITY: as much as the service as a whole. */
typedef struct ConfigurationLimits {
	uint64_t domains;             /* that he has defined or created */
	uint64_t adopted;             /* domains whose QEMU he had adopted */
	uint64_t calls;               /* that are not answered yet, over all his connections */
	uint64_t call_bytes;          /* of the arguments of those */
	uint64_t authorizations;      /* calls that wait for polkit's word */
	uint64_t queries;             /* GetEvents() and CountEvents() whose answer waits to be sent */
} ConfigurationLimits;

typedef struct Configuration {
	/* [Service] */
	uint64_t idle_timeout_us;     /* 0, or infinity: never */
	int on_exit;                  /* ConfigurationOnExit */
	uint64_t shutdown_timeout_us;
	uint64_t history_bytes, history_events;
	int log_level;                /* syslog's */
	/* [QEMU] */
	char *user;
	char *group;                  /* "": that of the user */
	char **image_directories;
	bool require_sandbox;
	/* [Limits] */
	ConfigurationLimits limits;
} Configuration;

typedef enum ConfigurationType {
	CONFIGURATION_NUMBER,         /* uint64_t */
	CONFIGURATION_TIME,           /* uint64_t, microseconds */
	CONFIGURATION_SIZE,           /* uint64_t, bytes */
	CONFIGURATION_BOOLEAN,        /* bool */
	CONFIGURATION_NAME,           /* char * */
	CONFIGURATION_FOLDERS,        /* char ** */
	CONFIGURATION_CHOICE,         /* int, the place in the words */
} ConfigurationType;

typedef struct ConfigurationKey {
	const char *section, *name;
	ConfigurationType type;
	const char *default_value;    /* as in a file */
	const char *session_value;    /* the default on the session bus; NULL: the same */
	uint64_t min, max;            /* of numbers, in the unit of the field */
	bool infinity;                /* may be infinity besides; a name may be empty */
	const char *const *words;     /* of a choice */
	bool at_restart;              /* a change is effective when the service starts again */
	size_t offset;                /* in Configuration */
} ConfigurationKey;

extern const ConfigurationKey configuration_keys[];
extern const size_t configuration_keys_length;

/* All defaults. system: of the service on the system bus. */
Configuration *configuration_new(bool system);
Configuration *configuration_copy(const Configuration *configuration);
Configuration *configuration_free(Configuration *configuration);

/* Borrowed; NULL if there is no such key. */
const ConfigurationKey *configuration_find_key(const char *section, const char *name);
bool configuration_key_equal(const ConfigurationKey *key, const Configuration *a, const Configuration *b);
/* The value as a file could have it, such that reading it gives the same again. */
char *configuration_key_get_text(const ConfigurationKey *key, const Configuration *configuration);
/* What is expected: "a time from 0 to 1d". */
char *configuration_key_describe(const ConfigurationKey *key);

/* Sets what is given, from a text that is no file, such as an option of the command line. CORE_ERROR_INVALID_CONFIGURATION:
 * the value alone is told. An empty value is the default of the system bus or the session bus. */
bool configuration_set(Configuration *configuration, const ConfigurationKey *key, bool system, const char *value,
		       GError **error);

typedef struct ConfigurationProblem {
	char *file;
	unsigned line;                /* 0: it is about the file */
	char *message;
} ConfigurationProblem;

/* For arrays of them: ConfigurationProblem, which are freed with the array. */
GPtrArray *configuration_problems_new(void);
/* At most CONFIGURATION_PROBLEMS_MAX, and one more that says that there are more. */
void configuration_problems_add(GPtrArray *problems, const char *file, unsigned line, const char *message);
/* "FILE:LINE: MESSAGE", on one line, valid UTF-8. */
char *configuration_problem_to_string(const ConfigurationProblem *problem);

/* Takes in text over what configuration has. What is wrong goes to problems, and configuration may then have a part of the
 * text: it is for nothing any more. text may be NULL if length is 0. False if anything was wrong. Any thread. */
bool configuration_read(Configuration *configuration, bool system, const char *file, const char *text, size_t length,
			GPtrArray *problems);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Configuration, configuration_free)
