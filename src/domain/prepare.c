/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"

/*
 * The prepare step of an event: QEMU is asked something before the event is committed, and what comes
 * later of this domain waits for that.
 *
 * The strand stands still meanwhile, so the replies must not queue up in it, as those of domain_call() do:
 * they are asked of the monitor itself. Their time-outs are the deadline of the step.
 */

struct Prepare {
	Domain *domain;
	uint64_t run;
	Strand *strand;
	char *id;
	unsigned pending;           /* questions, and one for who asks them */
	uint64_t asked;             /* call of the question that was asked last; 0: it has been answered */
	bool over;                  /* the event goes on, or has: what is answered yet is of no use */
};

typedef struct Question {
	Prepare *prepare;
	PrepareCallback callback;
} Question;

Prepare *prepare_begin(Domain *domain, Strand *strand, const char *id)
{
	Prepare *prepare;

	if (!domain->monitor || handover_asks_nothing(domain))
		return NULL;
	prepare = g_new0(Prepare, 1);
	prepare->domain = domain_ref(domain);
	prepare->run = domain->run;
	prepare->strand = strand_ref(strand);
	prepare->id = g_strdup(id);
	prepare->pending = 1;
	domain->prepares++;
	intake_update_reading(domain);
	return prepare;
}

void prepare_give_up(Prepare *prepare)
{
	if (prepare->over)
		return;
	prepare->over = true;
	if (prepare->domain->run == prepare->run)
		prepare->domain->prepares--;
	/* Still unanswered, it is of the monitor that there is now: another would have ended it. */
	if (prepare->asked != 0 && prepare->domain->monitor)
		qmp_monitor_cancel(prepare->domain->monitor, prepare->asked);
	strand_resume(prepare->strand);
}

void prepare_end(Prepare *prepare)
{
	if (--prepare->pending > 0)
		return;
	prepare_give_up(prepare);
	strand_unref(prepare->strand);
	domain_unref(prepare->domain);
	g_free(prepare->id);
	g_free(prepare);
}

Prepare *prepare_hold(Prepare *prepare)
{
	prepare->pending++;
	return prepare;
}

static void on_reply(JsonNode *result, const GError *error, void *userdata)
{
	Question *question = userdata;
	Prepare *prepare = question->prepare;

	prepare->asked = 0;
	if (!prepare->over && prepare->domain->host && prepare->domain->run == prepare->run)
		question->callback(prepare->domain, prepare, prepare->id, result, error);
	prepare_end(prepare);
	g_free(question);
}

void prepare_ask(Prepare *prepare, const char *command, JsonNode *arguments, PrepareCallback callback)
{
	Question *question = g_new0(Question, 1);

	question->prepare = prepare;
	question->callback = callback;
	prepare->pending++;
	prepare->asked = qmp_monitor_execute(prepare->domain->monitor, command, arguments, PREPARE_TIMEOUT_MS,
					     on_reply, question);
	qmp_monitor_flush(prepare->domain->monitor);
}
