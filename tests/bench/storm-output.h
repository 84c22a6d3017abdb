/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What storm-qemu says: answers, and events, of which those with a number come by themselves. All of it waits in one buffer
 * until the client reads. Events have the time at which they are put into it.
 */

/* ---- to be sent ---- */

/* Ends the program if there is no room: an event or an answer is shorter than what is asked for it. */
void output_put_text(const char *text);
void output_put_number(int64_t number);

/* event: its name, and what else there is to it, as JSON. */
void output_say(const char *event);

/* result: JSON. */
void output_answer(int64_t id, const char *result);

/* As much as the client takes; false if he has gone. */
bool output_send(int connection);

/* Whether something waits to be sent, or would at once. */
bool output_is_waiting(void);

/* Whether there is room for the answers to a whole input. */
bool output_has_room(void);

/* The client is one who may have events. */
void output_negotiate(void);

/* He has gone, and with him what he has not read; numbered events wait for the next one. */
void output_clear(void);

/* ---- numbered events ---- */

/* From now on. mixed: of several kinds. interval: nanoseconds; 0: as fast as they are read. */
void output_begin(int64_t first, int64_t count, bool mixed, int64_t interval);

int64_t output_get_left(void);

/* Nanoseconds until the next one is due; -1 if none is, or if none waits for its time. */
int64_t output_get_wait(void);

/* Puts those that are due into the output. */
void output_go_on(void);
