/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/adoption.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json-read.h"
#include "base/unix-socket.h"

#define NO_UUID "00000000-0000-0000-0000-000000000000"

typedef struct ConnectJob ConnectJob;

struct Adoption {
	Loop *loop;
	AdoptedBy by;
	char *path;
	int timeout_ms;
	AdoptionDone done;          /* NULL: called */
	void *userdata;

	Strand *strand;
	ConnectJob *job;            /* NULL: the worker is done */
	QmpMonitor *monitor;
	JsonNode *greeting;
	QemuPeer *peer;
	unsigned pending;           /* questions */

	char *name, *uuid, *machine;
	unsigned cpus;
	uint64_t memory;
	bool keeps_shut_down;
};

static const char *get_what(const Adoption *adoption)
{
	return adoption->path ? adoption->path : "monitor-fd";
}

static void finish(Adoption *adoption, const GError *error)
{
	AdoptionDone done = g_steal_pointer(&adoption->done);

	if (done)
		done(adoption, error, adoption->userdata);
}

G_GNUC_PRINTF(3, 4)
static void fail(Adoption *adoption, CoreError code, const char *format, ...)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	error = g_error_new(CORE_ERROR, (int)code, "%s: %s", get_what(adoption), text);
	finish(adoption, error);
}

/* ---- questions ---- */

static void take_status(Adoption *adoption, JsonNode *result)
{
	const char *status;

	if (json_read_string(json_node_as_object(result), "status", &status))
		adoption->keeps_shut_down = g_str_equal(status, "shutdown");
}

static void take_name(Adoption *adoption, JsonNode *result)
{
	const char *name;

	if (json_read_string(json_node_as_object(result), "name", &name))
		adoption->name = g_strdup(name);
}

static void take_uuid(Adoption *adoption, JsonNode *result)
{
	const char *uuid;

	if (json_read_string(json_node_as_object(result), "UUID", &uuid) &&
	    definition_uuid_is_valid(uuid) && !g_str_equal(uuid, NO_UUID))
		adoption->uuid = g_ascii_strdown(uuid, -1);
}

/* "pc-q35-7.2-machine", the name of a type in QOM, where -machine takes "pc-q35-7.2". */
static void take_machine(Adoption *adoption, JsonNode *result)
{
	if (!JSON_NODE_HOLDS_VALUE(result) || json_node_get_value_type(result) != G_TYPE_STRING)
		return;
	adoption->machine = g_strdup(json_node_get_string(result));
	if (g_str_has_suffix(adoption->machine, "-machine"))
		adoption->machine[strlen(adoption->machine) - strlen("-machine")] = '\0';
}

static void take_cpus(Adoption *adoption, JsonNode *result)
{
	JsonArray *cpus = json_node_as_array(result);

	adoption->cpus = cpus ? json_array_get_length(cpus) : 0;
}

static void take_memory(Adoption *adoption, JsonNode *result)
{
	int64_t bytes = 0;

	(void)json_read_int(json_node_as_object(result), "base-memory", &bytes);
	adoption->memory = (uint64_t)MAX(bytes, 0);
}

/* What is not needed may be refused: with --preconfig there is no machine yet. */
static const struct Question {
	const char *command, *arguments;
	void (*take)(Adoption *adoption, JsonNode *result);
	bool needed;
} questions[] = {
	{ "query-status", NULL, take_status, true },
	{ "query-uuid", NULL, take_uuid, true },
	{ "query-name", NULL, take_name },
	{ "qom-get", "{\"path\": \"/machine\", \"property\": \"type\"}", take_machine },
	{ "query-cpus-fast", NULL, take_cpus },
	{ "query-memory-size-summary", NULL, take_memory },
};

typedef struct Asked {
	Adoption *adoption;
	const struct Question *question;
} Asked;

static void judge(Adoption *adoption, const struct Question *question, const GError *error)
{
	bool refused = g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR);

	if (refused && question->needed)
		fail(adoption, CORE_ERROR_NOT_SUPPORTED, "speaks QMP, but is no virtual machine (%s: %s); "
		     "give the monitor of a qemu-system-*", question->command, error->message);
	else if (error && !refused)
		fail(adoption, (CoreError)error->code, "%s: no answer (%s); try again when this QEMU "
		     "is well", question->command, error->message);
	else if (adoption->pending == 0)
		finish(adoption, NULL);
}

static void on_answer(JsonNode *result, const GError *error, void *userdata)
{
	Asked *asked = userdata;
	Adoption *adoption = asked->adoption;
	const struct Question *question = asked->question;

	g_free(asked);
	adoption->pending--;
	/* The others are answered too when it has failed, or is being freed. */
	if (!adoption->done)
		return;
	if (result)
		question->take(adoption, result);
	judge(adoption, question, error);
}

static void ask(Adoption *adoption, const struct Question *question)
{
	Asked *asked = g_new0(Asked, 1);
	JsonNode *arguments = question->arguments ? json_from_string(question->arguments, NULL) : NULL;

	asked->adoption = adoption;
	asked->question = question;
	adoption->pending++;
	qmp_monitor_execute(adoption->monitor, question->command, arguments, adoption->timeout_ms,
			    on_answer, asked);
}

/* ---- handshake ---- */

static void on_ready(QmpMonitor *monitor, JsonNode *greeting, void *userdata)
{
	Adoption *adoption = userdata;

	adoption->greeting = json_node_ref(greeting);
	for (unsigned i = 0; i < G_N_ELEMENTS(questions); i++)
		ask(adoption, &questions[i]);
}

/* What happens before there is a domain is in the state that it is given then. */
static void on_event(QmpMonitor *monitor, QmpMessage *event, void *userdata)
{
	qmp_message_free(event);
}

#define HOW_TO "(-qmp unix:PATH,server=on,wait=off)"

static void on_closed(QmpMonitor *monitor, const GError *error, void *userdata)
{
	Adoption *adoption = userdata;

	if (qmp_monitor_get_garbage(monitor) > 0 && !adoption->greeting)
		fail(adoption, CORE_ERROR_INVALID_ARGUMENT, "what is there does not speak QMP (%s); give "
		     "a socket of QEMU's in mode control " HOW_TO, error->message);
	else if (g_error_matches(error, CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT))
		fail(adoption, CORE_ERROR_MONITOR_TIMEOUT, "%s. QEMU serves one client of a monitor at a "
		     "time, so another one is probably connected: close that, or give QEMU one more "
		     "monitor " HOW_TO, error->message);
	else if (!adoption->greeting)
		fail(adoption, CORE_ERROR_MONITOR_LOST, "the connection was closed before the handshake "
		     "was done (%s): it is no QMP monitor, or QEMU has ended", error->message);
	else
		fail(adoption, CORE_ERROR_MONITOR_LOST, "the connection was closed while QEMU was asked "
		     "what it is (%s)", error->message);
}

static const QmpMonitorHandler handler = { on_ready, on_event, on_closed, NULL };

/* ---- connect ---- */

struct ConnectJob {
	Adoption *adoption;         /* NULL: nobody waits for it any more */
	char *path;
	int fd;
	QemuPeer *peer;
	GError *error;
};

static bool check_socket(const char *path, GError **error)
{
	struct stat info;

	if (!g_path_is_absolute(path)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "monitor: '%s' is not an absolute path", path);
		return false;
	}
	if (stat(path, &info) < 0) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s: %s; start QEMU with -qmp "
			    "unix:%s,server=on,wait=off, and let the service reach it", path,
			    g_strerror(errno), path);
		return false;
	}
	if (!S_ISSOCK(info.st_mode)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "%s: is not a socket; give the path that QEMU listens on " HOW_TO, path);
		return false;
	}
	return true;
}

int adoption_connect(const char *path, bool *ret_nobody, GError **error)
{
	bool nobody;
	int fd;

	if (!check_socket(path, error)) {
		if (ret_nobody)
			*ret_nobody = access(path, F_OK) < 0 && errno == ENOENT;
		return -1;
	}
	fd = unix_socket_connect(path);
	nobody = fd == -ECONNREFUSED || fd == -ENOENT;
	if (nobody)
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "%s: nobody listens there; the QEMU that did has ended", path);
	else if (fd == -EAGAIN)
		g_set_error(error, CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT,
			    "%s: is taken, and others wait for it already. QEMU serves one client of a "
			    "monitor at a time: close that, or give QEMU one more monitor " HOW_TO, path);
	else if (fd < 0)
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s: cannot be connected to: %s%s", path,
			    g_strerror(-fd), fd == -EPROTOTYPE ? " (a monitor is a stream socket)" : "");
	if (ret_nobody)
		*ret_nobody = nobody;
	return MAX(fd, -1);
}

static StrandStep connect_work(void *data)
{
	ConnectJob *job = data;

	if (job->fd < 0)
		job->fd = adoption_connect(job->path, NULL, &job->error);
	if (job->fd >= 0)
		job->peer = qemu_peer_find(job->fd);
	return STRAND_DONE;
}

static void connect_done(void *data)
{
	ConnectJob *job = data;
	Adoption *adoption = job->adoption;

	if (!adoption)
		return;
	adoption->job = NULL;
	job->adoption = NULL;
	if (job->error) {
		finish(adoption, job->error);
		return;
	}
	adoption->peer = g_steal_pointer(&job->peer);
	adoption->monitor = qmp_monitor_new(adoption->loop, job->fd, adoption->timeout_ms, &handler,
					    adoption);
	job->fd = -1;
}

static void connect_free(void *data)
{
	ConnectJob *job = data;

	if (job->fd >= 0)
		(void)close(job->fd);
	/* The pool is going, and who waits is told by adoption_free()'s caller. */
	if (job->adoption)
		job->adoption->job = NULL;
	qemu_peer_free(job->peer);
	g_clear_error(&job->error);
	g_free(job->path);
	g_free(job);
}

static const StrandItemClass connect_class = { connect_work, NULL, connect_done, connect_free };

/* ---- */

Adoption *adoption_new(Loop *loop, WorkerPool *pool, AdoptedBy by, const char *path, int fd,
		       int timeout_ms, AdoptionDone done, void *userdata)
{
	Adoption *adoption = g_new0(Adoption, 1);

	g_assert((path != NULL) != (fd >= 0));
	adoption->loop = loop;
	adoption->by = by;
	adoption->path = g_strdup(path);
	adoption->timeout_ms = timeout_ms;
	adoption->done = done;
	adoption->userdata = userdata;
	/* One of its own: a folder that does not answer holds up nobody else. */
	adoption->strand = strand_new(pool);
	adoption->job = g_new0(ConnectJob, 1);
	adoption->job->adoption = adoption;
	adoption->job->path = g_strdup(path);
	adoption->job->fd = fd;
	strand_push(adoption->strand, &connect_class, adoption->job);
	return adoption;
}

Adoption *adoption_free(Adoption *adoption)
{
	if (!adoption)
		return NULL;
	/* WARNING: the questions that are pending end in here, and must not tell anybody. */
	adoption->done = NULL;
	adoption->monitor = qmp_monitor_free(adoption->monitor);
	if (adoption->job)
		adoption->job->adoption = NULL;
	strand_unref(adoption->strand);
	g_clear_pointer(&adoption->greeting, json_node_unref);
	qemu_peer_free(adoption->peer);
	g_free(adoption->path);
	g_free(adoption->name);
	g_free(adoption->uuid);
	g_free(adoption->machine);
	g_free(adoption);
	return NULL;
}

AdoptedBy adoption_get_by(const Adoption *adoption)
{
	return adoption->by;
}

const char *adoption_get_path(const Adoption *adoption)
{
	return adoption->path;
}

const char *adoption_get_name(const Adoption *adoption)
{
	return adoption->name;
}

const char *adoption_get_uuid(const Adoption *adoption)
{
	return adoption->uuid;
}

const char *adoption_get_machine(const Adoption *adoption)
{
	return adoption->machine;
}

unsigned adoption_get_cpus(const Adoption *adoption)
{
	return adoption->cpus;
}

uint64_t adoption_get_memory(const Adoption *adoption)
{
	return adoption->memory;
}

bool adoption_keeps_shut_down(const Adoption *adoption)
{
	return adoption->keeps_shut_down;
}

QemuPeer *adoption_get_peer(const Adoption *adoption)
{
	return adoption->peer;
}

JsonNode *adoption_get_greeting(const Adoption *adoption)
{
	return adoption->greeting;
}

QmpMonitor *adoption_take_monitor(Adoption *adoption)
{
	return g_steal_pointer(&adoption->monitor);
}
