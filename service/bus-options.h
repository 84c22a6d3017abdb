/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/*
 * The a{sv} options at the end of a method. A table says which a method knows; any other, and one of the wrong
 * type, is InvalidArgument: what a caller asks for is done or refused, never passed over.
 */

/* Reads one a{sv} of a list, mostly with a table of its own. */
typedef struct BusOptionList {
	int (*read)(sd_bus_message *message, void *userdata, sd_bus_error *ret_error);
	void *userdata;
} BusOptionList;

typedef enum BusOptionType {
	BUS_OPTION_BOOLEAN,      /* b -> bool */
	BUS_OPTION_STRING,       /* s -> const char *, borrowed from the message */
	BUS_OPTION_PATH,         /* o -> const char *, likewise */
	BUS_OPTION_NUMBER,       /* u -> uint32_t */
	BUS_OPTION_DESCRIPTOR,   /* h -> int, borrowed from the message */
	BUS_OPTION_SEQUENCE,     /* t -> uint64_t */
	BUS_OPTION_DURATION,     /* t, microseconds -> int, milliseconds rounded up, at most INT_MAX */
	BUS_OPTION_LIST,         /* aa{sv}, not empty; -> const BusOptionList *, whose read is called for each */
	BUS_OPTION_DESCRIPTORS,  /* a{uh}, number -> descriptor; -> Descriptors *, new, also after an error */
} BusOptionType;

typedef struct BusOption {
	const char *name;
	BusOptionType type;
	void *ret_value;         /* left alone if the option is not given */
} BusOption;

int bus_read_options(sd_bus_message *message, const BusOption *options, size_t n_options,
		     sd_bus_error *ret_error);
/* For a method that has options in its signature and knows none. */
int bus_read_no_options(sd_bus_message *message, sd_bus_error *ret_error);
