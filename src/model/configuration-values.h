/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/configuration.h"

/* The words of a configuration as values, and back. Each reads a whole string, and leaves ret_value alone if that is none. */

bool configuration_number_parse(const char *text, uint64_t *ret_value);
/* In microseconds. */
bool configuration_time_parse(const char *text, uint64_t *ret_value);
bool configuration_size_parse(const char *text, uint64_t *ret_value);
bool configuration_boolean_parse(const char *text, bool *ret_value);
/* *ret_value: to be freed by g_strfreev(). text is UTF-8. Paths are absolute, and have no
 * ".", ".." or control characters in them. */
bool configuration_folders_parse(const char *text, char ***ret_value);
/* Of a user or a group, as useradd(8) makes them. */
bool configuration_name_is_valid(const char *text);

/* A word of a file as it can be shown in a message: not too long, valid UTF-8, nothing but printable. */
char *configuration_text_show(const char *text);

char *configuration_time_to_text(uint64_t value);
char *configuration_size_to_text(uint64_t value);
char *configuration_folders_to_text(char *const *folders);
