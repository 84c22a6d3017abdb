/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "receipts.h"

#include <err.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 64

typedef struct Record {
	const char *where, *event;  /* interned */
	uint64_t time;
	int64_t received;
} Record;

void receipts_init(Receipts *receipts)
{
	*receipts = (Receipts){
		.records = g_array_new(FALSE, FALSE, sizeof(Record)),
		.due = G_MAXUINT,
		.end = G_MAXINT64,
	};
}

void receipts_clear(Receipts *receipts)
{
	g_clear_pointer(&receipts->records, g_array_unref);
}

void receipts_add(Receipts *receipts, const char *where, const char *event, uint64_t time)
{
	struct timespec now;
	Record record = { .time = time };

	(void)clock_gettime(CLOCK_REALTIME, &now);
	record.received = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	record.where = g_intern_string(where);
	record.event = g_intern_string(event);
	g_array_append_val(receipts->records, record);
}

void receipts_print_ready(void)
{
	puts("ready");
	(void)fflush(stdout);
}

void receipts_read_due(Receipts *receipts)
{
	char text[LINE_BYTES + 1] = "";
	double seconds;

	if (read(STDIN_FILENO, text, LINE_BYTES) <= 0 ||
	    sscanf(text, "%u %lf", &receipts->due, &seconds) != 2)
		errx(1, "how many are due, and for how long?");
	receipts->end = g_get_monotonic_time() + (int64_t)(seconds * G_USEC_PER_SEC);
}

bool receipts_are_told(const Receipts *receipts)
{
	return receipts->end != G_MAXINT64;
}

bool receipts_are_complete(const Receipts *receipts)
{
	return receipts->records->len >= receipts->due || receipts_get_timeout(receipts) == 0;
}

int receipts_get_timeout(const Receipts *receipts)
{
	int64_t left;

	if (!receipts_are_told(receipts))
		return -1;
	left = receipts->end - g_get_monotonic_time();
	return left > 0 ? (int)MIN((left + 999) / 1000, G_MAXINT) : 0;
}

void receipts_print(const Receipts *receipts)
{
	for (unsigned i = 0; i < receipts->records->len; i++) {
		const Record *record = &g_array_index(receipts->records, Record, i);

		printf("%s %s %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT "\n", record->where, record->event,
		       record->time, record->received);
	}
}
