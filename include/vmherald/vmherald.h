/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * libvmherald: what happens to the QEMU machines of a host, for programs in C.
 *
 *    vmh_event_register_default_impl();                        or your own loop: vmherald/event-loop.h
 *    connection = vmh_connection_open("session", 0, &error);
 *    vmh_connection_register_any(connection, NULL, VMH_EVENT_LIFECYCLE, on_lifecycle, NULL, NULL, &error);
 *    for (;;)
 *            vmh_event_run_default_impl();
 *
 * The library is on top of the bus (the reference page has the contract) and adds what a plain match rule cannot: each
 * event is delivered exactly once, also if the bus dropped some, if the service was killed, or if this program was too slow. A
 * callback for all events, or for all of a domain, gets them in the order of their sequence; one for a kind or an interface, those of
 * one kind and domain. With the value of an argument there is no order: what the bus had lost is found a second later. What even the history of the service does not have any more is
 * told by one call of the gap callback.
 *
 * Threads. Registering a loop, opening and closing a connection, and running the loop belong to one thread, the
 * loop's. All other functions may be called from any thread at any time, callbacks included. Callbacks are only ever called by
 * the loop, on its thread, one at a time, and never from within a function that the program calls: what arrives while such a
 * function waits for its answer is delivered by a later turn of the loop.
 *
 * Objects (connections, domains, events, values, snapshots) are reference-counted; the count is atomic. What a callback gets
 * is borrowed: who wants it for longer takes a reference.
 *
 * Errors. A function that can fail has a VmhError ** as its last argument, which may be NULL. It returns NULL, false or -1, sets
 * *error, and leaves its other outputs as they were.
 *
 * Strings are UTF-8. Times are microseconds since 1970, durations microseconds, sizes bytes.
 */

#include <vmherald/connection.h>
#include <vmherald/domain.h>
#include <vmherald/error.h>
#include <vmherald/event-loop.h>
#include <vmherald/event.h>
#include <vmherald/manager.h>
#include <vmherald/options.h>
#include <vmherald/snapshot.h>
#include <vmherald/value.h>
