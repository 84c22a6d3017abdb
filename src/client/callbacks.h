/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <vmherald/connection.h>

#include "client/rules.h"

/*
 * What is registered on a connection. A callback that is taken out is not called again; its free function is called by the
 * loop, at the end of a turn of delivering, when it is not on the stack any more.
 */

typedef struct Callback {
	int id;                     /* 0: not one of events */
	Rule *rule;                 /* NULL: it is none of events, or has been taken out */
	uint64_t since;             /* it wants events with a greater sequence */
	void (*function)(void);     /* a VmhEventCallback, VmhGapCallback or VmhStatusCallback */
	void *userdata;
	VmhFreeFunc free_func;
	bool tentative;             /* its registering may still fail: then free_func is not called */
} Callback;

typedef struct Callbacks {
	GPtrArray *events;          /* Callback, by id */
	GHashTable *of_rules;       /* Rule -> GPtrArray of its Callbacks, by id */
	Callback *gap, *status;     /* NULL: none */
	Callback *running;          /* on the stack of the loop's thread; NULL: none */
	pthread_cond_t returned;    /* running is another one */
	GQueue dead;                /* Callback, to be freed by the loop */
	int last_id;
} Callbacks;

void callbacks_init(Callbacks *self);
/* No callback may be left, nor any dead one. */
void callbacks_clear(Callbacks *self);

/* Free with g_free(). */
Callback *callback_new(void (*function)(void), void *userdata, VmhFreeFunc free_func);

/* Takes the callback and gives it its id, which is returned; 0: there are no more numbers. */
int callbacks_add(Callbacks *self, Callback *callback, Rule *rule, uint64_t since);
/* NULL: there is no such id. Borrowed. */
Callback *callbacks_find(const Callbacks *self, int id);
/* The first with an id > id that wants the event. Borrowed. rules: those of the callbacks. */
Callback *callbacks_find_next(const Callbacks *self, const Rules *rules, int id, const VmhEvent *event);
/* Takes it out of the table, to the dead. Its rule, which is returned, is the caller's to release. */
Rule *callbacks_remove(Callbacks *self, Callback *callback);
/* The service has begun to number anew: each wants all of the new numbers. */
void callbacks_renumber(Callbacks *self);
/* *slot (gap, status) is this now; the one before is dead. callback: NULL: none. */
void callbacks_replace(Callbacks *self, Callback **slot, Callback *callback);
/* All are dead. */
void callbacks_remove_all(Callbacks *self);

/* Around a call, which is made without the lock. One at a time. */
void callbacks_begin(Callbacks *self, Callback *callback);
void callbacks_end(Callbacks *self);

/* A dead one that is not on the stack; NULL: there is none. The caller calls its free_func without the lock, and g_free(). */
Callback *callbacks_pop_dead(Callbacks *self);
