/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A fuzzer is a program that is given any bytes whatever and asserts what must hold for all of them.
 * The names are libFuzzer's, which finds the bytes (scripts/fuzz); run-corpus.c calls the same
 * functions with the inputs that are kept, in every build.
 */

/* Quiet, except for what is a fault: a critical ends the program. Always 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* One input. Ends the program if something does not hold; always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* There, and UTF-8: everything that goes to a client or into a log has to be. */
void fuzz_assert_text(const char *text);

/* The same, and fit for a log and a terminal: on one line, without control characters. */
void fuzz_assert_line(const char *text);

/* An error of the core, with a text. */
void fuzz_assert_error(const GError *error);

/* The same, of this code, and on one line. What QEMU says is passed on as it is, so this is for what
 * we say ourselves. */
void fuzz_assert_refusal(const GError *error, int code);
