/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

/*
 * polkit: whether the one behind a connection may do something. Asked over the bus, and never waited for. There is no polkit, it
 * fails, or it says nothing: then the answer is no.
 *
 * The event thread only.
 */

/* So long polkit may take; while it asks a person, as long as one may need to find the password. */
#define AUTHORITY_TIMEOUT_S             25
#define AUTHORITY_INTERACTIVE_TIMEOUT_S 300

typedef struct Authority Authority;
typedef struct AuthorityQuestion AuthorityQuestion;

typedef enum AuthorityVerdict {
	AUTHORITY_YES,
	AUTHORITY_NO,
	AUTHORITY_CHALLENGE,     /* if he shows who he is, and he was not to be asked */
	AUTHORITY_FAILED,        /* polkit could not be asked */
} AuthorityVerdict;

/* All borrowed, and only until authority_ask() returns. A detail that is NULL is left out. */
typedef struct AuthorityDetail {
	const char *key, *value;
} AuthorityDetail;

/* Never from within authority_ask(). The question is over and need not be dropped. text: of AUTHORITY_FAILED, why. */
typedef void (*AuthorityAnswered)(AuthorityVerdict verdict, const char *text, void *userdata);
/* What was answered until now may not be so any more. */
typedef void (*AuthorityChanged)(void *userdata);

/* bus must outlive it. NULL if it takes no more match rules. */
Authority *authority_new(sd_bus *bus, AuthorityChanged changed, void *userdata);
/* Its questions are to be dropped before. NULL-safe, returns NULL. */
Authority *authority_free(Authority *authority);

/* May the connection of that unique name do that? interactive: a person may be asked for a password. A negative errno if it cannot be
 * sent; then nothing is answered. */
int authority_ask(Authority *authority, const char *subject, const char *action, const AuthorityDetail *details,
		  size_t n_details, bool interactive, AuthorityAnswered answered, void *userdata,
		  AuthorityQuestion **ret_question);
/* Nobody wants to know any more: polkit is told too, so that no dialog stays. NULL-safe, returns NULL. */
AuthorityQuestion *authority_drop(AuthorityQuestion *question);
