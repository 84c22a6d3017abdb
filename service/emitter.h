/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "domain/domain.h"

/*
 * What goes out, in order, and never too much at once.
 *
 * Two queues, because events and state are two things (the opposite of each other in what may be left out):
 *  - events, and domains that appear and vanish: a FIFO, nothing folded, nothing dropped;
 *  - changed properties: a set; the newest value wins, and is read when it is sent.
 *
 * The changes of a domain go out before its next event, so that who reacts to the event finds the properties
 * right. What waits is folded into the newest, but for the few of which an event is the transition (the state): each of
 * these is seen in the properties too, with the value that it had at its event, however far that is behind.
 *
 * The threshold bounds memory: while so many messages wait in the bus connection, none is added. The
 * budget bounds time: after so many in one turn, the loop's other work comes first. What waits here is
 * counted by its domain, which stops reading from its QEMU (domain_event_sent()). So a bus that stalls costs
 * a bounded amount of memory, and nothing is lost.
 *
 * The answer to a call goes the same way, so that it comes behind the signals of what it answers, however
 * many wait. It does not wait for those of other domains.
 */

#define EMITTER_BUS_QUEUE_THRESHOLD 1024u
#define EMITTER_TURN_BUDGET         256u

/* Who reads the state must find that of the signals he has been sent, not of those that wait here. So these go first, as
 * far as the connection may hold them; above it such a call cannot be answered now. */
#define EMITTER_CATCH_UP_MAX        16384u
#define EMITTER_BEHIND_FORMAT       "The bus does not keep up, and more than %u signals that belong to this " \
				    "state wait for it; try again later"

typedef struct Emitter Emitter;
typedef struct Service Service;

/* Of a service that has its bus and its event loop already. NULL if the loop takes no more sources. */
Emitter *emitter_new(Service *service);
Emitter *emitter_free(Emitter *emitter);

/* Nothing is sent before: who listens by the service's name would not get it. What has waited until now is sent at
 * once, bounds or not. */
void emitter_open(Emitter *emitter);
/* The name is being given back: what comes now waits for the next emitter_open(). */
void emitter_close(Emitter *emitter);
/* Sends all there is, bounds or not: at the end, when nothing can wait any more. An answer that comes after
 * it goes out at once. */
void emitter_flush(Emitter *emitter);

/* Sends all signals that wait, budget and threshold or not, before the state is read. False if those are too many. */
bool emitter_catch_up(Emitter *emitter);

/* Takes event over. */
void emitter_event(Emitter *emitter, Domain *domain, Event *event);
void emitter_domain_added(Emitter *emitter, Domain *domain);
void emitter_domain_removed(Emitter *emitter, Domain *domain);
void emitter_domain_changed(Emitter *emitter, Domain *domain, DomainProperty properties);
/* The answer to a method call, taken over. domain: what was called, or NULL: the signals of any may come
 * of it. */
void emitter_reply(Emitter *emitter, Domain *domain, sd_bus_message *reply);
void emitter_manager_changed(Emitter *emitter, const char *property);

bool emitter_is_empty(const Emitter *emitter);
/* Messages that have not been written to the bus: those that wait here, and those that the connection holds. */
uint64_t emitter_count_unwritten(const Emitter *emitter);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Emitter, emitter_free)
