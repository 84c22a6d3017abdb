/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/*
 * Two ends of a bus connection without a bus: a socketpair with the service's end as the server. What is
 * sent at one end arrives at the other, in order.
 */

#define BUS_DEADLINE_US (30 * G_TIME_SPAN_SECOND)

typedef struct BusFixture {
	sd_event *event;         /* of the service's end alone */
	sd_bus *service;
	sd_bus *client;
	GQueue received;         /* sd_bus_message, of the client */
} BusFixture;

void bus_set_up(BusFixture *fixture, const void *data);
void bus_tear_down(BusFixture *fixture, const void *data);

/* Of the program, and all folders of a driver are in it. To be called first before there are threads. */
const char *bus_get_folder(void);

/* Runs the service's loop until condition, which a callback sets. */
void bus_wait_for(BusFixture *fixture, const bool *condition);
/* One turn of the service's loop, without waiting. False if there was nothing to do. */
bool bus_run_service(BusFixture *fixture);
/* Takes in what is there for the client. */
void bus_run_client(BusFixture *fixture);

/* A message that is built and read again without a bus: sealed and at its beginning. */
sd_bus_message *bus_new_message(BusFixture *fixture);
void bus_seal(sd_bus_message *message);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)

/* What a message holds, as text: strings in quotes, containers in brackets. */
char *bus_describe(sd_bus_message *message);
