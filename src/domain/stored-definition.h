/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"

/*
 * What was found in the folder of definitions: those that are good, and what is wrong with the others.
 * Values without a life of their own; definition-store.[ch] makes them, reload-plan.[ch] judges them.
 */

/* Of one reading, and of one file in it; one more says how many others there are. */
#define STORED_PROBLEMS_MAX 256u
#define STORED_PROBLEMS_OF_FILE_MAX 8u

typedef struct StoredDefinition {
	Definition *definition;
	char *file;              /* name within the folder */
} StoredDefinition;

typedef struct StoredProblem {
	char *file;              /* whole path; of the folder, if it is one of the folder */
	DefinitionPlace place;
	char *path;              /* in the document, such as interfaces[0].mac; "" as a whole */
	char *message;
} StoredProblem;

typedef struct StoredDefinitions {
	char *directory;
	GPtrArray *definitions;  /* StoredDefinition, in the order of the file names */
	GPtrArray *problems;     /* StoredProblem */
	unsigned n_problems;     /* also counts those that are not kept */
	GHashTable *doubtful;    /* names and uuids of which a file speaks that cannot be read */
	bool complete;           /* whoever is neither in definitions nor in doubtful has no file */
} StoredDefinitions;

StoredDefinitions *stored_definitions_new(const char *directory);
StoredDefinitions *stored_definitions_free(StoredDefinitions *stored);

/* Takes definition over. */
void stored_definitions_add(StoredDefinitions *stored, const char *file, Definition *definition);
/* file: within the folder, or NULL; path and message are copied, and made valid UTF-8. */
void stored_definitions_add_problem(StoredDefinitions *stored, const char *file,
				    DefinitionPlace place, const char *path, const char *message);
/* What all problems of a document are, at their places. False if there is none. */
bool stored_definitions_add_problems_of(StoredDefinitions *stored, const char *file, const char *text,
					size_t length);
/* No more are added: says how many are not kept. */
void stored_definitions_end_problems(StoredDefinitions *stored);

/* "FILE:LINE:COLUMN: PATH: MESSAGE", without what it does not have. Free with g_free(). */
char *stored_problem_to_string(const StoredProblem *problem);
bool stored_problem_equal(const StoredProblem *a, const StoredProblem *b);

/* NAME.json; and NAME of such a file, NULL if it is none. Free with g_free(). */
char *stored_file_of(const char *name);
char *stored_name_of(const char *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoredDefinitions, stored_definitions_free)
