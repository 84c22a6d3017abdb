/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "service.h"

/*
 * A method call that is answered when the work is done. It keeps the message; the core's callbacks end it,
 * exactly once.
 */
typedef struct MethodCall MethodCall;

MethodCall *method_call_new(Service *service, sd_bus_message *message);

/* DomainDone: answers with nothing, or with the result as a string if the method has one. */
void method_call_done(Domain *domain, const char *result, const GError *error, void *userdata);
/* DriverDone: answers with nothing ... */
void method_call_done_empty(Domain *domain, const GError *error, void *userdata);
/* ... or with the path of the domain. */
void method_call_done_path(Domain *domain, const GError *error, void *userdata);
/* Ends it with an answer of the caller's making (takes reply over; r < 0: it could not be made). */
void method_call_reply(MethodCall *call, sd_bus_message *reply, int r);
sd_bus_message *method_call_get_message(MethodCall *call);
