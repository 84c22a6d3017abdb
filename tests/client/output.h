/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What both listeners write: a line for each event, in a buffer that is large, as a storm shall not wait for it.
 */

/* Or the program ends. */
void output_open(const char *path);
/* SEQUENCE TIME PATH INTERFACE.MEMBER ARGUMENTS */
void output_event(uint64_t sequence, uint64_t time, const char *path, const char *interface, const char *member,
		  const char *arguments);
/* A line that is no event: WORD and the rest. */
void output_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool output_is_empty(void);
/* What is in the buffer is in the file afterwards, in one write. */
void output_flush(void);
