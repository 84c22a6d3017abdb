/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "loop/loop.h"

/*
 * QEMU's side of a QMP connection, for tests: it runs in the same loop as what is tested.
 *
 * It plays a script, a list of steps that each begin when the one before is done; steps may be added
 * at any time, and one added to an empty script is played at once:
 *
 *     scripted_qmp_handshake(server);
 *     scripted_qmp_expect(server, "stop", NULL, "{\"return\": {}}");
 *     scripted_qmp_event(server, "STOP", NULL);
 *     scripted_qmp_hang_up(server);
 *
 * A command that the script does not expect next is answered from a table, so the server may also
 * be a QEMU without a script (scripted_qmp_serve()). A command that is in neither, and one with
 * other arguments than expected, ends the test with an error.
 *
 * JSON comes as text. Replies are given without "id", which is filled in.
 */

typedef struct ScriptedQmp ScriptedQmp;

/* Computes a reply; arguments is NULL if there were none. Returns the text of the reply, or NULL to
 * leave the command unanswered. May add steps: what they send goes before the reply, as QEMU's own
 * events do, and a hang-up comes after it. */
typedef char *(*ScriptedQmpResponder)(ScriptedQmp *server, const char *command,
				      const char *arguments, void *userdata);

/* At one end of a socket pair; the other end becomes the caller's. */
ScriptedQmp *scripted_qmp_new(Loop *loop, int *ret_client_fd);
/* Listening on a socket path, which must not exist; one client at a time, the next is accepted when
 * the one before has gone. Steps wait for a client. */
ScriptedQmp *scripted_qmp_new_listening(Loop *loop, const char *path);
/* Hangs up. A script that is not done is no error. NULL-safe, returns NULL. Not from a responder. */
ScriptedQmp *scripted_qmp_free(ScriptedQmp *server);

/* Steps */
void scripted_qmp_send(ScriptedQmp *server, const char *text);
void scripted_qmp_send_bytes(ScriptedQmp *server, const char *bytes, size_t length);
void scripted_qmp_greet(ScriptedQmp *server);
/* Greets and answers qmp_capabilities. */
void scripted_qmp_handshake(ScriptedQmp *server);
/* data may be NULL. */
void scripted_qmp_event(ScriptedQmp *server, const char *name, const char *data);
/* Waits for command; arguments NULL: any; reply NULL: leaves it unanswered. */
void scripted_qmp_expect(ScriptedQmp *server, const char *command, const char *arguments,
			 const char *reply);
/* Answers the oldest command of this name that is unanswered; waits until there is one. */
void scripted_qmp_reply(ScriptedQmp *server, const char *command, const char *reply);
/* Hangs up when all is sent. */
void scripted_qmp_hang_up(ScriptedQmp *server);
/* The steps of a recording: one JSON object a line, {"dir": "<", "msg": ...} for what QEMU sent and
 * {"dir": ">", "msg": ...} for what it was sent; others are skipped. */
void scripted_qmp_replay(ScriptedQmp *server, const char *path);

/* The table. command NULL: what is not in the table. reply NULL: never answered. */
void scripted_qmp_set_reply(ScriptedQmp *server, const char *command, const char *reply);
void scripted_qmp_set_responder(ScriptedQmp *server, const char *command,
				ScriptedQmpResponder responder, void *userdata);
/* Greets each client before any other step and knows qmp_capabilities. Before the first client. */
void scripted_qmp_serve(ScriptedQmp *server);

/* Stops and restarts reading. */
void scripted_qmp_set_reading(ScriptedQmp *server, bool reading);

/* All steps are done and all bytes are with the kernel. */
bool scripted_qmp_is_done(const ScriptedQmp *server);
bool scripted_qmp_is_connected(const ScriptedQmp *server);
/* How often command has come; NULL: all together. */
unsigned scripted_qmp_get_count(const ScriptedQmp *server, const char *command);
/* Commands not answered, now and at most ever. */
unsigned scripted_qmp_get_unanswered(const ScriptedQmp *server);
unsigned scripted_qmp_get_unanswered_max(const ScriptedQmp *server);

/* Runs loop until condition holds. A test that hangs fails. */
#define SCRIPTED_QMP_DEADLINE_S 20
#define SCRIPTED_QMP_WAIT(loop, condition)                                                         \
	do {                                                                                       \
		gint64 wait_until_ = g_get_monotonic_time() +                                      \
				     SCRIPTED_QMP_DEADLINE_S * G_USEC_PER_SEC;                     \
		while (!(condition)) {                                                             \
			if (g_get_monotonic_time() > wait_until_)                                  \
				g_error("%s:%d: waited in vain: %s", __FILE__, __LINE__,           \
					#condition);                                               \
			loop_run_once((loop), 100);                                                \
		}                                                                                  \
	} while (0)

/* Runs loop until nothing is due. */
void scripted_qmp_settle(Loop *loop);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ScriptedQmp, scripted_qmp_free)
