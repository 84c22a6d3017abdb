/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "message-weight.h"

#include <stdbool.h>
#include <string.h>

static int add_basic(sd_bus_message *message, char type, uint64_t *weight)
{
	union {
		const char *text;
		uint64_t number;
	} value;
	int r = sd_bus_message_read_basic(message, type, &value);

	if (r > 0)
		*weight += type == 's' || type == 'o' || type == 'g' ? strlen(value.text) + 5 : 8;
	return r;
}

/* WARNING: without recursion, since a message may be nested 64 deep. */
uint64_t message_weight(sd_bus_message *message)
{
	uint64_t weight = 0;
	unsigned depth = 0;
	const char *contents;
	char type;
	int r = sd_bus_message_rewind(message, true);

	while (r >= 0) {
		r = sd_bus_message_peek_type(message, &type, &contents);
		if (r == 0 && depth > 0) {
			r = sd_bus_message_exit_container(message);
			depth--;
		} else if (r <= 0) {
			break;
		} else if (strchr("aver", type)) {
			r = sd_bus_message_enter_container(message, type, contents);
			depth++;
			weight += 4;
		} else if (type == 'h') {
			r = sd_bus_message_skip(message, "h");
			weight += 4;
		} else {
			r = add_basic(message, type, &weight);
		}
	}
	(void)sd_bus_message_rewind(message, true);
	return weight;
}
