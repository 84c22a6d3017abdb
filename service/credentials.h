/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/*
 * Who has sent a message: the user and process of a connection to the bus, by its unique name.
 *
 * The bus is asked once for each connection, and what it says is kept until that connection has ended: a unique name is
 * never given to another. The bus stands for it; nothing that a sender says of himself counts. What he has sent meanwhile
 * waits, and is then dispatched as if it had come just now, in its order.
 *
 * On the session bus nobody asks: whoever can connect is the user himself. There is no such object then, and all that
 * is here takes NULL for it.
 *
 * WARNING: not sd_bus_query_sender_creds(), which waits for the bus on the event thread.
 *
 * Event thread only.
 */

/* So many are remembered; above it the one that has been known the longest is asked about again when it calls. */
#define CREDENTIALS_SENDERS_MAX 4096u
/* So many messages wait for an answer, of one sender and of all; further ones are refused with LimitExceeded. */
#define CREDENTIALS_WAITING_MAX     1040u
#define CREDENTIALS_WAITING_ALL_MAX 16384u

typedef struct Credentials Credentials;

/* bus must outlive it. */
Credentials *credentials_new(sd_bus *bus);
/* What waits is answered with an error. NULL-safe, returns NULL. */
Credentials *credentials_free(Credentials *credentials);

/* For a filter of the bus, before a method call is dispatched: 0 if its sender is known; 1: it waits, and comes
 * again when he is; a negative errno and ret_error if it cannot wait. */
int credentials_filter(Credentials *credentials, sd_bus_message *message, sd_bus_error *ret_error);

/* Of a connection that is known, as the sender of whatever has passed the filter is until he leaves. ret_pid may be NULL; 0 if the
 * bus does not know it. Without credentials it is always the service's own user. */
bool credentials_get(const Credentials *credentials, const char *name, uid_t *ret_uid, pid_t *ret_pid);

/* The user who has sent a message that has passed the filter. Nobody's number, (uid_t)-1, if he has left meanwhile. */
uid_t credentials_get_user(const Credentials *credentials, sd_bus_message *message);

/* The connection of that name has ended. */
void credentials_forget(Credentials *credentials, const char *name);

/* Messages that wait. */
unsigned credentials_count_waiting(const Credentials *credentials);
/* Senders that are remembered or asked about. */
unsigned credentials_count_senders(const Credentials *credentials);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Credentials, credentials_free)
