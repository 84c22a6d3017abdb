/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/configuration.h"

/*
 * Where the configuration is: DIRECTORY/vmherald.conf, and over it DIRECTORY/vmherald.conf.d/NAME.conf, in the order of their names,
 * and over those what was said on the command line. What is not there says nothing.
 *
 * Symbolic links are followed, since that is how administrators keep such files; what is found must be a regular file. On the
 * system bus files and folders must belong to root (or to the user that the service is), and nobody else may write to them: who
 * can write there says what runs as root.
 */

#define CONFIGURATION_FILE_NAME      "vmherald.conf"
#define CONFIGURATION_DROP_INS_NAME  "vmherald.conf.d"
#define CONFIGURATION_DROP_INS_MAX   64u

typedef struct ConfigurationSource ConfigurationSource;

ConfigurationSource *configuration_source_new(bool system, const char *directory);
/* option: as it was given, for messages ("--idle-timeout"). section and key must be in the table. */
void configuration_source_override(ConfigurationSource *source, const char *option, const char *section, const char *key,
				   const char *value);
ConfigurationSource *configuration_source_free(ConfigurationSource *source);

/* NULL if anything was wrong: then it is in problems, and nowhere else. Blocks on the disk; worker, or start-up. */
Configuration *configuration_load(const ConfigurationSource *source, GPtrArray *problems);

/* A record for each of them. Any thread. */
void configuration_problems_log(const GPtrArray *problems);
/* CORE_ERROR_INVALID_CONFIGURATION with all of them, which are some. */
void configuration_problems_to_error(const GPtrArray *problems, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ConfigurationSource, configuration_source_free)
