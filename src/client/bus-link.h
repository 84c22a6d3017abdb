/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <vmherald/connection.h>

/*
 * The connection's sd_bus: brought up, lost, and brought up again.
 *
 *    DOWN      there is none; tried again when that is due, or when somebody wants to make a call
 *    STARTING  connecting; then all match rules, and a question for the owner of the service's name, are under way. What is sent
 *              now goes out behind them
 *    UP        answered: all rules are in force, and it is known who the service is
 *
 * The address is looked up anew at each try: the session's bus may have moved.
 */

/* Between tries to get a bus back. */
#define LINK_RETRY_MIN  (100 * G_TIME_SPAN_MILLISECOND)
#define LINK_RETRY_MAX  (5 * G_TIME_SPAN_SECOND)
/* A bus that takes longer to let us in counts as none. */
#define LINK_START_TIMEOUT (10 * G_TIME_SPAN_SECOND)
/* The bus itself answers at once. */
#define LINK_ANSWER_TIMEOUT (10 * G_TIME_SPAN_SECOND)

typedef enum LinkState {
	LINK_DOWN,
	LINK_STARTING,
	LINK_UP,
} LinkState;

/* A descriptor of the bus, of which each that watches it has a reference: sd-bus may close its own at any time, and then the number is
 * another's. */
typedef struct LinkFd {
	int refs;                   /* atomic */
	int fd;
	ino_t inode;                /* of the socket */
} LinkFd;

/* Both NULL-safe. Without the lock, too. */
LinkFd *link_fd_ref(LinkFd *fd);
void link_fd_unref(LinkFd *fd);

typedef struct BusLink {
	LinkState state;
	sd_bus *bus;                /* NULL: DOWN */
	unsigned tries;             /* how often it was begun */
	LinkFd *fd;
	sd_bus_slot *filter;
	char *owner;                /* unique name of the service; NULL: it is not there */
	bool told;                  /* that it is lost; so it will be told that it is back */
	gint64 retry;               /* the next pause */
	gint64 due;                 /* DOWN: when to try again. STARTING: when to give up. -1: never */
	int failure;                /* why it is DOWN: errno */
} BusLink;

void link_init(VmhConnection *connection);

/* Begins, if it is DOWN. False: that failed at once, link.failure says why. */
bool link_start(VmhConnection *connection);

/* Begins, if it is DOWN, and waits until it is UP; leaves the lock meanwhile. False, and *error with that code, or DISCONNECTED. */
bool link_wait(VmhConnection *connection, VmhErrorCode code, VmhError **error);

/* The bus is of no use any more: calls under way end with VMH_ERROR_DISCONNECTED, and it is DOWN. */
void link_lose(VmhConnection *connection, int failure);

/* For good. */
void link_close(VmhConnection *connection);

/* Takes what has come and sends what waits to be sent, without waiting: at most max messages. */
void link_process(VmhConnection *connection, unsigned max);

/* What to poll link.fd for: POLLIN and so on. */
int link_get_events(const VmhConnection *connection);
/* When there is something to do though nothing comes: a time of g_get_monotonic_time(), 0 for at once, -1 for never. */
gint64 link_get_due(const VmhConnection *connection);
/* Does what is due. */
void link_come_due(VmhConnection *connection);

/* A call of the bus itself (org.freedesktop.DBus) with one string as its argument. Negative: errno. */
int link_new_bus_call(VmhConnection *connection, const char *member, const char *argument, sd_bus_message **ret_message);
/* Takes a rule from the bus, if there is one; nobody waits for the answer. */
void link_remove_rule(VmhConnection *connection, const char *rule);
