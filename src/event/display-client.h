/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A client of a domain's display, as QEMU tells of it: of VNC a connection, of SPICE one of its
 * channels. Strings are never NULL, and belong to whoever holds the struct.
 *
 * WARNING: x509_dname and sasl_username say who somebody is. They are for those who may look at the
 * domain, not for a broadcast.
 */
typedef struct DisplayClient {
	const char *protocol;          /* vnc, spice */
	const char *phase;             /* connected, initialized, disconnected, migrated */
	const char *server_host, *server_service;
	const char *client_host, *client_service;
	const char *family;            /* of the client; QEMU's NetworkAddressFamily */
	const char *auth;              /* "" if QEMU does not tell */
	const char *x509_dname, *sasl_username;
	bool websocket;
	bool tls;
	bool has_channel;              /* the three below count */
	int64_t connection_id, channel_type, channel_id;
} DisplayClient;

/* A client with nothing in it. */
#define DISPLAY_CLIENT_EMPTY                                                                       \
	((DisplayClient){ "", "", "", "", "", "", "", "", "", "", false, false, false, 0, 0, 0 })

/* What a signal says of the client of an event: everything but who it is. */
struct Event;
void display_client_add_details(struct Event *event);

/* "HOST:SERVICE", "[HOST]:SERVICE" for IPv6, the path of a local socket, or "". Free with g_free(). */
char *display_client_format_address(const char *host, const char *service);
