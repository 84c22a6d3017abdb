/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include <vmherald/macros.h>

/*
 * The application's event loop, as the library uses it.
 *
 * One of these is registered before the first connection is opened, and cannot be changed afterwards:
 *
 *    vmh_event_register_default_impl()   poll(2), run by vmh_event_run_default_impl()
 *    vmh_event_register_glib()           a GMainContext, so any GTK program (vmherald/glib.h)
 *    vmh_event_register_sd_event()       an sd_event
 *    vmh_event_register_impl()           any other, by the functions of a VmhEventImpl
 *
 * It is in the manner of libvirt's virEventRegisterImpl(). The library calls these functions on the loop's thread only, which is the
 * one that registers it, so an implementation needs no lock; it must not call the library. What it has to promise:
 *
 *  - A callback may add, update and remove any handle or timeout, itself included. After a remove the callback of it is
 *    not called again, and free_func is called once, not from within the remove.
 *  - ERROR and HANGUP are reported, asked for or not.
 *  - A timeout repeats every interval until it is updated or removed; -1 disables it, 0 means on every turn.
 *
 * A connection uses a few handles and timeouts, however many callbacks are registered. Without a loop a connection can make
 * calls, but has no callbacks.
 */

VMH_BEGIN_DECLS

typedef enum VmhHandleEvents {
	VMH_HANDLE_READABLE = 1 << 0,
	VMH_HANDLE_WRITABLE = 1 << 1,
	VMH_HANDLE_ERROR    = 1 << 2,
	VMH_HANDLE_HANGUP   = 1 << 3,
} VmhHandleEvents;

/* Frees userdata. */
typedef void (*VmhFreeFunc)(void *userdata);
typedef void (*VmhHandleCallback)(int watch, int fd, int events, void *userdata);
typedef void (*VmhTimeoutCallback)(int timer, void *userdata);

typedef struct VmhEventImpl {
	/* events: VmhHandleEvents, maybe none. Returns a number that update and remove are called with, or -1. */
	int (*add_handle)(int fd, int events, VmhHandleCallback callback, void *userdata, VmhFreeFunc free_func,
			  void *impl_data);
	void (*update_handle)(int watch, int events, void *impl_data);
	/* 0, or -1: there is no such watch. */
	int (*remove_handle)(int watch, void *impl_data);
	/* In milliseconds. */
	int (*add_timeout)(int interval, VmhTimeoutCallback callback, void *userdata, VmhFreeFunc free_func,
			   void *impl_data);
	void (*update_timeout)(int timer, int interval, void *impl_data);
	int (*remove_timeout)(int timer, void *impl_data);
} VmhEventImpl;

/* All return 0, or -1 if a loop is registered already (then it stays), or if this one cannot be used: its add_timeout() fails, or
 * descriptors are used up. impl is copied; impl_data has to live as long as the process. Since 0.1. */
VMH_PUBLIC int vmh_event_register_impl(const VmhEventImpl *impl, void *impl_data);
VMH_PUBLIC int vmh_event_register_default_impl(void);
struct sd_event;
/* Takes a reference of event. */
VMH_PUBLIC int vmh_event_register_sd_event(struct sd_event *event);

/* One turn of the default loop: waits until something is due, and does it. 0, or -1 if another loop, or none, is registered.
 * Not from a callback. Since 0.1. */
VMH_PUBLIC int vmh_event_run_default_impl(void);

/* For programs that use the default loop for their own descriptors as well; as VmhEventImpl's functions. -1 if another loop is
 * registered. The loop's thread. Since 0.1. */
VMH_PUBLIC int vmh_event_add_handle(int fd, int events, VmhHandleCallback callback, void *userdata, VmhFreeFunc free_func);
VMH_PUBLIC void vmh_event_update_handle(int watch, int events);
VMH_PUBLIC int vmh_event_remove_handle(int watch);
VMH_PUBLIC int vmh_event_add_timeout(int interval, VmhTimeoutCallback callback, void *userdata, VmhFreeFunc free_func);
VMH_PUBLIC void vmh_event_update_timeout(int timer, int interval);
VMH_PUBLIC int vmh_event_remove_timeout(int timer);

VMH_END_DECLS
