/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

/*
 * The name on the bus: had, given back when there is nothing to do, and taken again if a call came meanwhile. Event thread.
 */

typedef struct Service Service;

/* Where it stands with the name, and with the end. */
typedef enum NamePhase {
	NAME_WANTED,        /* asked for, or owned: the service serves */
	NAME_GIVEN_BACK,    /* being given back, since there is nothing to do */
	NAME_TAKEN_AGAIN,   /* the service manager knows that we end: a last look whether somebody called before it did */
	NAME_SERVES_LAST,   /* somebody did, and is being served */
	NAME_LAST,          /* being given back for good */
} NamePhase;

/* What the unit takes for "start me again": calls of the last moment have started something. EX_TEMPFAIL. */
#define SERVICE_EXIT_AGAIN 75

/* Makes the timer that looks whether there is nothing to do. Returns a negative errno. */
int bus_name_set_up(Service *service);
/* Asks for the name, and goes on when it is owned. */
void bus_name_request(Service *service);
/* A call to us is about to be dispatched. */
void bus_name_note_call(Service *service, sd_bus_message *call);
/* What kept the service may have ended. */
void bus_name_look_again(Service *service);
