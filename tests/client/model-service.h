/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <vmherald/event.h>

/*
 * A service for the model test of the stream: it numbers events, keeps the last of them, and answers as Manager.CountEvents() and
 * GetEvents() do, from the very filter that would be sent.
 */

#define MODEL_DOMAINS 3u
#define MODEL_KINDS   4u

/* An event, and what has become of it at the subscriber. */
typedef struct ModelEvent {
	VmhEvent *event;
	bool too_long;              /* the history has no arguments of it */
	unsigned delivered;
	bool in_gap;                /* was told to be lost, and not delivered before */
} ModelEvent;

typedef struct ModelService {
	GRand *rand;
	GPtrArray *events;          /* ModelEvent of the present numbers, from base + 1 on */
	GHashTable *by_event;       /* VmhEvent -> ModelEvent, of all numbers; borrowed */
	GPtrArray *old;             /* ModelEvent of older numbers */
	uint64_t base;
	unsigned history_max;       /* events */
	uint64_t evicted;           /* all up to there have gone from the history */
	bool knows_evicted;         /* so that complete is only about what is asked for; else about all */
	unsigned page_max, look_max;        /* what a call gives, what it looks at; of CountEvents() ten times */
	uint64_t previous[MODEL_DOMAINS][MODEL_KINDS], domain_previous[MODEL_DOMAINS];
} ModelService;

typedef struct ModelAnswer {
	bool refused;               /* after has not been given out yet */
	bool complete;
	uint64_t last, count;
	GPtrArray *events;          /* VmhEvent; NULL: they were counted */
} ModelAnswer;

ModelService *model_service_new(GRand *rand, uint64_t base, unsigned history_max, unsigned page_max, unsigned look_max);
ModelService *model_service_free(ModelService *service);

/* The next event. Borrowed. */
ModelEvent *model_service_emit(ModelService *service);
/* It has lost its state, and begins behind base. */
void model_service_renumber(ModelService *service, uint64_t base);

uint64_t model_service_get_last(const ModelService *service);
/* Of the present numbers. */
ModelEvent *model_service_get(const ModelService *service, uint64_t sequence);
/* Is there one between them, both included, that the history does not have, or not whole? */
bool model_service_has_lost(const ModelService *service, uint64_t from, uint64_t to);

/* filter: of rules_get_filter(). */
ModelAnswer model_service_ask(const ModelService *service, uint64_t after, GVariant *filter, bool counted);
