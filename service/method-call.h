/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "service.h"

/*
 * A method call that is answered when the work is done. It keeps the message; the core's callbacks end it,
 * exactly once. The answer goes out by the emitter, behind the signals of what it answers.
 *
 * A caller that leaves the bus has his calls dropped: the messages are given back at once and count for no bound
 * any more (caller.h), and what no domain has begun for them is not begun. What was begun comes to its end in the
 * core, which ends the call then.
 */
typedef struct MethodCall MethodCall;

MethodCall *method_call_new(Service *service, sd_bus_message *message);

/* DomainDone: answers with nothing, or with the result as a string if the method has one. */
void method_call_done(Domain *domain, const char *result, const GError *error, void *userdata);
/* DriverDone: answers with nothing ... */
void method_call_done_empty(Domain *domain, const GError *error, void *userdata);
/* ... or with the path of the domain. */
void method_call_done_path(Domain *domain, const GError *error, void *userdata);

/* An answer of the caller's making: a new message, and the end of the call with it (takes reply over;
 * r < 0: it could not be made). Of a call that was dropped none is made, which is an error as well.
 * domain: what was called, NULL for the manager. */
int method_call_new_reply(MethodCall *call, sd_bus_message **ret_reply);
void method_call_reply(MethodCall *call, Domain *domain, sd_bus_message *reply, int r);

/* The same, past the emitter: for an answer that says what is so at this moment, when no signal waits there. */
void method_call_reply_now(MethodCall *call, sd_bus_message *reply, int r);
/* Nobody waits for the answer any more. */
bool method_call_is_dropped(const MethodCall *call);

/* From now on calls of who leaves the bus are dropped. */
int method_calls_watch(Service *service);
