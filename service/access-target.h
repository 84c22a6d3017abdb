/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service.h"

/* What a method call wants: which action, and of which domain. Found in the message and in the state of this moment; the sender's word
 * for it counts nowhere else. Event thread only. */

/* What a definition in a message says of itself, if a worker has looked. name: NULL if it is none; uuid: NULL if none is written there. */
typedef struct AccessDefinition {
	bool is_known;
	char *name, *uuid;
} AccessDefinition;

void access_definition_clear(AccessDefinition *definition);

typedef struct AccessTarget {
	Action action;
	char *method;               /* "Domain.Start" */
	char *name, *uuid;          /* of the domain as it is now; NULL: of none, or not known */
	char *new_name;             /* of one that is to be renamed */
	const char *definition;     /* in the message, if it says which domain it is */
} AccessTarget;

AccessTarget *access_target_free(AccessTarget *target);

/* 1; 0 if nothing is needed for it, or it is about a domain that there is not; a negative errno and ret_error if it is no method of
 * ours. definition: NULL or not known yet: only target->definition says what is missing. Reads in the message. */
int access_target_find(Service *service, sd_bus_message *message, const AccessDefinition *definition,
		       AccessTarget **ret_target, sd_bus_error *ret_error);

bool access_target_equal(const AccessTarget *a, const AccessTarget *b);
/* Differs where they do. Free with g_free(). */
char *access_target_to_string(const AccessTarget *target);
/* "Domain.Start of domain 'web1' needs org.vmherald.domains1.control". Free with g_free(). */
char *access_target_describe(const AccessTarget *target);
