/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "ctl/ctl.h"

/*
 * A definition made from the options of "create". It only spells out what the options say: what is
 * left out stays out, so that the service's defaults hold and not a second set of them here.
 */

typedef struct DocumentOptions {
	char *uuid;
	char *title;
	char *emulator;
	char *machine;          /* "q35" or "q35,smm=off" */
	char **accels;          /* in order of preference */
	char *cpu;
	int cpus;               /* 0: not given */
	char *memory;
	char **disks;           /* "PATH[,format=FORMAT]" */
	char **cdroms;
	char **nets;            /* "TYPE[,KEY=VALUE…]" */
	char **blockdevs;       /* JSON, like the next three */
	char **netdevs;
	char **objects;
	char **devices;
	char **arguments;
	gboolean autostart;
} DocumentOptions;

/* "TYPE[,KEY=VALUE…]" into an interface, which is empty before. Bad values are reported; what names it there. */
CtlExit document_parse_interface(const char *what, const char *text, JsonObject *interface);

/* Bad values are reported. Free with json_node_unref(). */
CtlExit document_new(const char *name, const DocumentOptions *options, JsonNode **ret_document);
