/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/host-nic.h"
#include "net/link.h"

/*
 * A network and a mount namespace for one test program, with two pairs of veths (lower0 - peer0, lower1 -
 * peer1) that are up, and a bridge (bridge0) that is down. All of it goes with the program. /sys still shows
 * the network of before; /dev is one of its own, with nothing but null and net/tun, which everybody may open.
 */

#define SANDBOX_MAC "52:54:00:12:34:56"

/* Runs what was registered by g_test_add_func(); where namespaces cannot be made it says so (TAP) and
 * runs nothing. Returns main()'s result. */
int sandbox_main(void);

/* A command line that has to succeed, and what it printed. */
void sandbox_run(const char *format, ...) G_GNUC_PRINTF(1, 2);
char *sandbox_output(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* One that the kernel may be unable to do. */
bool sandbox_try(const char *format, ...) G_GNUC_PRINTF(1, 2);

Link sandbox_link(const char *name);
bool sandbox_has_link(const char *name);
unsigned sandbox_count_links(void);
unsigned sandbox_count_descriptors(void);

/* Of this thread, from now on or no more. */
void sandbox_drop_capability(unsigned capability);
void sandbox_restore_capabilities(void);

/* Plans and makes, which has to succeed. */
HostNic *sandbox_make(const HostNicRequest *request, HostNicDescriptors *ret_descriptors);
/* Makes, which has to fail with that code and a text that has part in it, and to leave nothing. */
void sandbox_refuse(const HostNicRequest *request, CoreError code, const char *part);
/* Removes it, closes them, and checks that it is gone. */
void sandbox_unmake(HostNic *nic, HostNicDescriptors *descriptors);

/* Name and flags of the link behind a queue (TUNGETIFF). */
char *sandbox_queue_name(int queue, int *ret_flags);
/* A frame is sent to an address from a link, and comes out of one of the queues, or does not. */
bool sandbox_frame_arrives(const char *from, const char *destination, const HostNicDescriptors *descriptors);
