/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The service's well-known strings, and the path codec. */

#define NAMES_SERVICE        "org.vmherald.Domains1"
#define NAMES_MANAGER_PATH   "/org/vmherald/Domains1"
#define NAMES_DOMAIN_PREFIX  NAMES_MANAGER_PATH "/domain/_"
#define NAMES_INTERFACE(name) NAMES_SERVICE "." name
#define NAMES_NO_SUCH_DOMAIN NAMES_SERVICE ".Error.NoSuchDomain"

#define NAMES_PROPERTIES     "org.freedesktop.DBus.Properties"
#define NAMES_OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

/* The types of block jobs whose progress is counted in bytes; see names_is_among(). */
#define NAMES_JOBS_IN_BYTES  "commit|stream|mirror|backup"

/* Is it one of the words, which have "|" between them? */
bool names_is_among(const char *words, const char *text);

/* Is it a uuid in its usual form with dashes (any case)? */
bool names_is_uuid(const char *text);

/* The object path of a domain, NULL if uuid is none. Free with g_free(). */
char *names_path_from_uuid(const char *uuid);

/* The reverse: lower case with dashes, NULL if path is no domain's. Free with g_free(). */
char *names_uuid_from_path(const char *path);

/* "Domain" for "org.vmherald.Domains1.Domain", "Properties" for the bus's own. Borrowed. */
const char *names_short_interface(const char *interface);
