/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/agent.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENT          "pkttyagent"
/* The descriptor of which it is told; it is closed there when it is ready. */
#define NOTIFY_FD      3
#define AGENT_START_MS 5000

static GPid agent;

static bool spawn(int notify)
{
	const char *const arguments[] = { AGENT, "--notify-fd=3", "--fallback", NULL };
	const int target = NOTIFY_FD;

	/* It is the child of who is to be authorized, which is how it knows that. */
	return g_spawn_async_with_pipes_and_fds(NULL, arguments, NULL,
						G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
						G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, -1, -1, -1, &notify,
						&target, 1, &agent, NULL, NULL, NULL, NULL);
}

void agent_start(void)
{
	int ends[2];
	struct pollfd ready;

	if (agent || !g_unix_open_pipe(ends, FD_CLOEXEC, NULL))
		return;
	if (spawn(ends[1])) {
		(void)close(ends[1]);
		ready = (struct pollfd){ .fd = ends[0] };
		(void)poll(&ready, 1, AGENT_START_MS);
	} else {
		(void)close(ends[1]);
	}
	(void)close(ends[0]);
}

void agent_stop(void)
{
	if (!agent)
		return;
	(void)kill(agent, SIGTERM);
	(void)kill(agent, SIGCONT);
	(void)waitpid(agent, NULL, 0);
	g_spawn_close_pid(agent);
	agent = 0;
}
