/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <vmherald/event-loop.h>

/* An event loop as an application may have one, over poll(2), and ill manners that it may have. */

typedef enum AppLoopManners {
	APP_LOOP_FREES_AT_ONCE = 1 << 0,       /* calls the free function from within the remove, also under its callback */
	APP_LOOP_NEVER_FREES   = 1 << 1,
	APP_LOOP_CALLS_REMOVED = 1 << 2,       /* what was ready when it looked is called, whatever has become of it since */
	APP_LOOP_NOT_NESTED    = 1 << 3,       /* an inner turn leaves out those whose callback is on the stack, as GLib does */
} AppLoopManners;

typedef struct AppLoop AppLoop;

extern const VmhEventImpl app_loop_impl;   /* with an AppLoop as its data */

AppLoop *app_loop_new(AppLoopManners manners);
/* Everything has been removed. */
void app_loop_free(AppLoop *self);

/* One turn. It waits for max_wait_ms at most; -1: until something is due. */
void app_loop_turn(AppLoop *self, int max_wait_ms);

/* From now on, adding is refused. */
void app_loop_refuse(AppLoop *self, bool refuse);
unsigned app_loop_get_length(const AppLoop *self);
/* Calls with numbers that are none. */
unsigned app_loop_get_mistakes(const AppLoop *self);
/* Of callbacks, whatever they did. */
unsigned app_loop_get_calls(const AppLoop *self);
