/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "qmp/framer.h"

/*
 * What the service before this one had read from QEMU and not told, where the connection has ended with it: it is told
 * before anything else, from the state that was told last. QEMU is not connected meanwhile, so it is asked nothing;
 * the state is read afresh when it is.
 *
 * Answers among it were meant for somebody who has gone, and a message that had only begun has no end.
 */

typedef struct Replayed {
	Domain *domain;
	uint64_t run;
	void (*done)(Domain *domain);
} Replayed;

static void replayed_done(void *data)
{
	Replayed *replayed = data;
	Domain *domain = replayed->domain;

	if (!domain->host || domain->run != replayed->run)
		return;
	domain->replaying = false;
	replayed->done(domain);
}

static void replayed_free(void *data)
{
	Replayed *replayed = data;

	domain_unref(replayed->domain);
	g_free(replayed);
}

static const StrandItemClass replayed_class = { NULL, NULL, replayed_done, replayed_free };

/* Never too much for one framer, which takes longer messages than a journal does. */
static QmpFramer *make_framer(QmpJournal *journal, uint64_t *ret_first)
{
	QmpFramer *framer = qmp_framer_new();
	size_t length, room;
	const char *bytes = qmp_journal_get_left(journal, &length, ret_first);

	*ret_first -= length;
	while (length > 0) {
		char *at = qmp_framer_reserve(framer, &room);
		size_t n = MIN(room, length);

		memcpy(at, bytes, n);
		(void)qmp_framer_commit(framer, n, NULL);
		bytes += n;
		length -= n;
	}
	return framer;
}

static unsigned push_events(Domain *domain)
{
	uint64_t first;
	g_autoptr(QmpFramer) framer = make_framer(domain->journal, &first);
	const char *line;
	size_t length;
	unsigned n = 0;

	while (qmp_framer_next(framer, &line, &length)) {
		QmpMessage *message = qmp_message_read(line, length, NULL);

		if (message && message->kind == QMP_MESSAGE_EVENT) {
			message->position = first + qmp_framer_get_handed_out(framer);
			intake_event(domain, message);
			n++;
		} else {
			qmp_message_free(message);
		}
	}
	return n;
}

bool replay_begin(Domain *domain, void (*done)(Domain *domain))
{
	Replayed *replayed;
	unsigned n;

	if (!domain->journal || qmp_journal_is_blank(domain->journal))
		return false;
	(void)qmp_journal_resume(domain->journal, -1);
	/* Before the first: it may be committed at once. */
	domain->replaying = true;
	n = push_events(domain);
	if (n == 0) {
		domain->replaying = false;
		return false;
	}
	domain_log(domain, LOG_INFO, "%u events had been read and not told: they are told now", n);
	replayed = g_new0(Replayed, 1);
	replayed->domain = domain_ref(domain);
	replayed->run = domain->run;
	replayed->done = done;
	strand_push(domain->events, &replayed_class, replayed);
	return true;
}
