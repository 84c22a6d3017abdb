/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scope.h"

#include <errno.h>
#include <systemd/sd-bus.h>

#include "base/error.h"
#include "base/log.h"
#include "machine.h"
#include "unit-name.h"

/*
 * A worker asks, and waits: StartTransientUnit() answers with a job, and the process is in its scope when that job has been
 * done. The connection is of this one start, so that no worker waits for another, and that a manager which hangs has
 * nothing of the service's own connection.
 */

#define SYSTEMD            "org.freedesktop.systemd1"
#define SYSTEMD_PATH       "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER    "org.freedesktop.systemd1.Manager"
#define ERROR_UNIT_EXISTS  "org.freedesktop.systemd1.UnitExists"

#define SLICE "machine.slice"

/* It is told twice if its first name is taken. */
G_STATIC_ASSERT(SCOPE_TIMEOUT_MS + 2 * (MACHINE_TIMEOUT_US / 1000) <= PLACEMENT_TIMEOUT_MS);

struct ScopeMaker {
	bool system;
	unsigned timeout_ms;
	int absence_told;           /* atomic */
};

/* One scope that is being made. */
typedef struct Request {
	sd_bus *bus;
	const Definition *definition;
	pid_t pid;
	bool system;
	uint64_t deadline;          /* CLOCK_MONOTONIC, microseconds */
	char *manager;              /* who answers: nobody else is believed */
	char *unit;
	char *job;                  /* NULL: none yet */
	char *result;               /* of the job; NULL: not done */
	bool removed;               /* the unit has gone, another one of that name */
} Request;

static void request_clear(Request *request)
{
	g_free(request->manager);
	g_free(request->unit);
	g_free(request->job);
	g_free(request->result);
	sd_bus_flush_close_unref(request->bus);
}

static uint64_t get_left(const Request *request)
{
	uint64_t now = (uint64_t)g_get_monotonic_time();

	/* 0 would be the default time-out of sd-bus. */
	return request->deadline > now ? request->deadline - now : 1;
}

/* ---- what the manager tells ---- */

static bool is_from_manager(const Request *request, sd_bus_message *signal)
{
	return g_strcmp0(sd_bus_message_get_sender(signal), request->manager) == 0;
}

static int on_job_removed(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	Request *request = userdata;
	const char *job, *unit, *result;

	if (is_from_manager(request, signal) && !request->result &&
	    sd_bus_message_read(signal, "uoss", NULL, &job, &unit, &result) >= 0 &&
	    g_strcmp0(job, request->job) == 0)
		request->result = g_strdup(result);
	return 0;
}

static int on_unit_removed(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	Request *request = userdata;
	const char *unit;

	if (is_from_manager(request, signal) && sd_bus_message_read(signal, "so", &unit, NULL) >= 0 &&
	    g_str_equal(unit, request->unit))
		request->removed = true;
	return 0;
}

static bool is_done(const Request *request)
{
	return request->result != NULL;
}

static bool is_removed(const Request *request)
{
	return request->removed;
}

/* -ETIMEDOUT at the deadline. */
static int wait_until(Request *request, bool (*condition)(const Request *request), uint64_t deadline)
{
	while (!condition(request)) {
		uint64_t now;
		int r = sd_bus_process(request->bus, NULL);

		if (r < 0)
			return r;
		if (r > 0)
			continue;
		now = (uint64_t)g_get_monotonic_time();
		if (now >= deadline)
			return -ETIMEDOUT;
		r = sd_bus_wait(request->bus, deadline - now);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return 0;
}

/* ---- what it is asked ---- */

/* WARNING: never activates it. A bus without systemd may still have its file, and what that starts fails, slowly. */
static int call_manager(Request *request, sd_bus_message *call, sd_bus_error *ret_error,
			sd_bus_message **ret_reply)
{
	int r = sd_bus_message_set_auto_start(call, false);

	return r < 0 ? r : sd_bus_call(request->bus, call, get_left(request), ret_error, ret_reply);
}

static int subscribe(Request *request, sd_bus_error *ret_error)
{
	sd_bus_message *call = NULL, *reply = NULL;
	int r = sd_bus_message_new_method_call(request->bus, &call, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
					       "Subscribe");

	if (r >= 0)
		r = call_manager(request, call, ret_error, &reply);
	if (r >= 0) {
		request->manager = g_strdup(sd_bus_message_get_sender(reply));
		r = sd_bus_match_signal(request->bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
					"JobRemoved", on_job_removed, request);
	}
	if (r >= 0)
		r = sd_bus_match_signal(request->bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
					"UnitRemoved", on_unit_removed, request);
	sd_bus_message_unref(call);
	sd_bus_message_unref(reply);
	return r;
}

/* 0 is "not set" in a definition, and nothing to be told. */
static int append_limit(sd_bus_message *call, const char *name, uint64_t value)
{
	return value == 0 ? 0 : sd_bus_message_append(call, "(sv)", name, "t", value);
}

static int append_order(sd_bus_message *call, bool system)
{
	int r = sd_bus_message_append(call, "(sv)", "Before", "as", 1, SCOPE_GUESTS_TARGET);

	/* What guests stand on is ended after them. The user's manager has no such units. */
	return r < 0 || !system ? r : sd_bus_message_append(call, "(sv)(sv)", "Slice", "s", SLICE, "After", "as",
							    3, "local-fs.target", "remote-fs.target",
							    "network.target");
}

static int append_properties(sd_bus_message *call, const Request *request)
{
	const Definition *definition = request->definition;
	g_autofree char *description = g_strdup_printf("Virtual machine %s", definition->name);
	int r = sd_bus_message_open_container(call, 'a', "(sv)");

	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)(sv)(sv)", "Description", "s", description,
					  /* A failed one would stay, and have the name. */
					  "CollectMode", "s", "inactive-or-failed",
					  "PIDs", "au", 1, (uint32_t)request->pid);
	if (r >= 0)
		r = append_order(call, request->system);
	if (r >= 0)
		r = append_limit(call, "MemoryMax", definition->resources.memory_max);
	if (r >= 0)
		r = append_limit(call, "CPUWeight", definition->resources.cpu_weight);
	if (r >= 0)
		r = append_limit(call, "TasksMax", definition->resources.tasks_max);
	return r < 0 ? r : sd_bus_message_close_container(call);
}

static int start_unit(Request *request, sd_bus_error *ret_error)
{
	sd_bus_message *call = NULL, *reply = NULL;
	const char *job;
	int r = sd_bus_message_new_method_call(request->bus, &call, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
					       "StartTransientUnit");

	if (r >= 0)
		r = sd_bus_message_append(call, "ss", request->unit, "fail");
	if (r >= 0)
		r = append_properties(call, request);
	if (r >= 0)
		r = sd_bus_message_append(call, "a(sa(sv))", 0);
	if (r >= 0)
		r = call_manager(request, call, ret_error, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &job);
	if (r >= 0)
		request->job = g_strdup(job);
	sd_bus_message_unref(call);
	sd_bus_message_unref(reply);
	return r;
}

/* Which no earlier run has had. */
static void take_own_name(Request *request)
{
	g_free(request->unit);
	request->unit = unit_name_of_process(request->definition->name, request->pid);
}

/* QEMU has ended, and is started again at once: the manager may need a moment to see that its scope is empty. If it
 * is not, or belongs to a domain that had this name before, there is another name. */
static int start_unit_again(Request *request, sd_bus_error *ret_error)
{
	uint64_t linger = (uint64_t)g_get_monotonic_time() + SCOPE_LINGER_MS * UINT64_C(1000);
	int r = wait_until(request, is_removed, MIN(linger, request->deadline));

	if (r < 0 && r != -ETIMEDOUT)
		return r;
	if (r >= 0) {
		r = start_unit(request, ret_error);
		if (r >= 0 || !sd_bus_error_has_name(ret_error, ERROR_UNIT_EXISTS))
			return r;
		sd_bus_error_free(ret_error);
	}
	take_own_name(request);
	return start_unit(request, ret_error);
}

static int make(Request *request, sd_bus_error *ret_error)
{
	int r = start_unit(request, ret_error);

	if (r < 0 && sd_bus_error_has_name(ret_error, ERROR_UNIT_EXISTS)) {
		sd_bus_error_free(ret_error);
		r = start_unit_again(request, ret_error);
	}
	if (r >= 0)
		r = wait_until(request, is_done, request->deadline);
	if (r >= 0 && !g_str_equal(request->result, "done"))
		return sd_bus_error_setf(ret_error, SD_BUS_ERROR_FAILED, "its job ended with the result '%s'",
					 request->result);
	return r;
}

/* ---- what becomes of a start ---- */

static int open_bus(bool system, sd_bus **ret_bus)
{
	return system ? sd_bus_open_system(ret_bus) : sd_bus_open_user(ret_bus);
}

static bool is_absent(const sd_bus_error *error)
{
	return sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN);
}

static void tell_absence(ScopeMaker *maker)
{
	if (g_atomic_int_compare_and_exchange(&maker->absence_told, 0, 1))
		log_text(LOG_INFO, "There is no systemd on the %s bus: QEMUs get no scope of their own, and no "
			 "limits (resources)", maker->system ? "system" : "session");
}

static bool has_limits(const Definition *definition)
{
	return definition->resources.memory_max > 0 || definition->resources.cpu_weight > 0 ||
	       definition->resources.tasks_max > 0;
}

static bool is_forbidden(const sd_bus_error *error)
{
	return sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);
}

static char *describe(const ScopeMaker *maker, const sd_bus_error *error, int r)
{
	if (r == -ETIMEDOUT)
		return g_strdup_printf("no answer within %u ms", maker->timeout_ms);
	return g_strdup(error->message ?: g_strerror(-r));
}

/* what: the trouble. */
static bool refuse(const Request *request, const char *what, bool forbidden, GError **error)
{
	const LogSubject subject = { request->definition->name, request->definition->uuid, 0 };
	const LogField fields[] = { { LOG_FIELD_ERROR, what }, { NULL } };

	if (has_limits(request->definition)) {
		g_set_error(error, CORE_ERROR,
			    forbidden ? CORE_ERROR_NOT_PERMITTED : CORE_ERROR_START_FAILED,
			    "systemd does not make its scope %s, without which its resources have no limits: %s",
			    request->unit, what);
		return false;
	}
	log_write(LOG_PLACE, LOG_ID_SCOPE_FAILED, LOG_WARNING, &subject, fields,
		  "systemd does not make its scope %s, so QEMU stays with the service: %s", request->unit,
		  what);
	return true;
}

static bool place(const Definition *definition, pid_t pid, char **ret_unit, GError **error,
		  void *userdata)
{
	ScopeMaker *maker = userdata;
	Request request = {
		.definition = definition,
		.pid = pid,
		.system = maker->system,
		.deadline = (uint64_t)g_get_monotonic_time() + maker->timeout_ms * UINT64_C(1000),
		.unit = unit_name_of_domain(definition->name),
	};
	sd_bus_error bus_error = SD_BUS_ERROR_NULL;
	bool ok = true;
	int r = open_bus(maker->system, &request.bus);

	/* For what is asked of the bus itself. */
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(request.bus, get_left(&request));
	if (r >= 0)
		r = subscribe(&request, &bus_error);
	if (r < 0 && is_absent(&bus_error)) {
		tell_absence(maker);
	} else {
		/* WARNING: the name of the scope that machined is yet to stop must not be that of the new one. */
		if (r >= 0 && maker->system && machine_is_listed(request.bus, definition))
			take_own_name(&request);
		if (r >= 0)
			r = make(&request, &bus_error);
		if (r < 0) {
			g_autofree char *what = describe(maker, &bus_error, r);

			ok = refuse(&request, what, is_forbidden(&bus_error), error);
		} else {
			if (maker->system)
				machine_register(request.bus, definition, pid);
			*ret_unit = g_steal_pointer(&request.unit);
		}
	}
	sd_bus_error_free(&bus_error);
	request_clear(&request);
	return ok;
}

ScopeMaker *scope_maker_new(bool system, unsigned timeout_ms)
{
	ScopeMaker *maker = g_new0(ScopeMaker, 1);

	maker->system = system;
	maker->timeout_ms = timeout_ms;
	return maker;
}

ScopeMaker *scope_maker_free(ScopeMaker *maker)
{
	g_free(maker);
	return NULL;
}

Placement scope_maker_get_placement(ScopeMaker *maker)
{
	return (Placement){ place, maker };
}
