/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "domain/domain.h"
#include "event/event.h"

/*
 * How each kind of event looks on the bus: one row. The signatures are those of the interface tables
 * and of introspection/; tests hold all three together.
 */

#define SIGNAL_STAMP_SIGNATURE "(ttt)a{sv}"

#define DOMAIN_SIGNAL_ARGUMENTS_MAX 5

typedef struct DomainSignalArgument {
	size_t place;                               /* where in the event it is */
	const char *(*get_text)(const Event *event); /* for an "s" that is a number there; else NULL */
} DomainSignalArgument;

typedef struct DomainSignal {
	const char *interface;
	const char *member;
	const char *signature;      /* before the stamp */
	/* In the order of the signature, which is of s, b, t and x then. */
	DomainSignalArgument arguments[DOMAIN_SIGNAL_ARGUMENTS_MAX];
	/* For what is not just copied: all arguments as one tuple, floating; else NULL. */
	GVariant *(*encode)(const Event *event);
} DomainSignal;

const DomainSignal *domain_signal_of(EventKind kind);

static inline const void *domain_signal_get_place(const DomainSignalArgument *argument, const Event *event)
{
	return (const char *)event + argument->place;
}

/* Of an "s". */
static inline const char *domain_signal_get_text(const DomainSignalArgument *argument, const Event *event)
{
	return argument->get_text ? argument->get_text(event)
				  : *(const char *const *)domain_signal_get_place(argument, event);
}

/* The signal message of a stamped event, not sent. */
int domain_signal_new(sd_bus *bus, const char *path, const Event *event, sd_bus_message **ret_message);

/* A text that differs when a signal, or its type, does. Free with g_free(). */
char *domain_signals_get_layout(void);

/* a{sv} of a filter, for the signal and for the property; the property has the host's side in it (or NULL), as
 * the details of the signal have. */
int domain_signal_append_filter(sd_bus_message *message, const RxFilter *filter, const DomainNicHost *host);
