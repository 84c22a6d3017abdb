/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/*
 * What is done in the guest with its NIC and busybox has no program for. It runs alone, without a libc's files beside
 * it: main() ends in an exit status, and what went wrong is on stderr.
 */

#define MAC_LENGTH 6

/* The commands take what stands behind the name of the link; the return value is the exit status. */
typedef int Command(const char *link, int count, char **arguments);

/* guest-frames.c: never end by themselves, and print a line for each frame or datagram. */
Command command_frames, command_join;

/* Ends the program if text is not a MAC. */
void parse_mac(const char *text, uint8_t mac[MAC_LENGTH]);
/* Prints what failed, with errno's text, and ends the program. */
void fail(const char *what) __attribute__((noreturn));
