/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-name.h"

#include <stdlib.h>

#include "base/log.h"
#include "bus/names.h"
#include "service.h"

/*
 * With nothing running and nobody calling, the name is given back first, while calls are still served. The bus answers
 * that after everything it had sent us before; a call among it (or a domain that was started by one) means that the name
 * is asked for again. Calls that come later start a new service, which waits for our lock.
 *
 * Started by systemd there is more to it. The bus has it start the unit, and to systemd a unit that runs is started: who
 * calls after the name is free and before systemd knows that we end would wait for a service that nobody starts. So,
 * when the name is free, systemd is told, and the name is taken once more, with what has been called in between. If
 * there was something, it is served. Then the name is given back for good, and who calls from then on has the
 * unit started when we have ended. There is no way back: what those calls have started is left to the next service, which
 * systemd starts for the sake of our exit status.
 */

/* While what was called in the last moment is served, it is looked whether it is done. */
#define SERVES_LAST_INTERVAL_US (UINT64_C(20) * 1000)

static void fail(Service *service, const char *what, int r)
{
	log_text(LOG_ERR, "%s: %s", what, g_strerror(-r));
	(void)sd_event_exit(service->event, EXIT_FAILURE);
}

static void tell_ready(Service *service)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(service->driver);

	notifier_ready(service->notifier, service->driver);
	log_event(LOG_ID_SERVICE_READY, NULL, "Version " PROJECT_VERSION " is ready, with %u domains",
		  domains->len);
}

/* Nobody waits for us. */
static bool is_answered(const Service *service)
{
	return service->calls == 0 && credentials_count_waiting(service->credentials) == 0 &&
	       emitter_is_empty(service->emitter);
}

static bool is_idle(const Service *service)
{
	return is_answered(service) && driver_is_idle(service->driver) &&
	       !driver_is_shutting_down(service->driver);
}

/* ---- given back ---- */

static int on_released(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	bool last = service->name_phase == NAME_LAST;

	service->name_slot = sd_bus_slot_unref(service->name_slot);
	if (service->disturbed || (!last && !is_idle(service))) {
		service->name_phase = last ? NAME_SERVES_LAST : NAME_WANTED;
		bus_name_request(service);
		return 1;
	}
	if (!last && service->notifier) {
		notifier_stopping(service->notifier, 0);
		notifier_settle(service->notifier);
		service->name_phase = NAME_TAKEN_AGAIN;
		bus_name_request(service);
		return 1;
	}
	if (is_idle(service)) {
		log_text(LOG_INFO, "Nothing to do; leaving");
		return sd_event_exit(service->event, EXIT_SUCCESS);
	}
	log_text(LOG_INFO, "Called while leaving; to be started again");
	return sd_event_exit(service->event, SERVICE_EXIT_AGAIN);
}

static void give_back(Service *service, NamePhase phase)
{
	int r;

	service->name_phase = phase;
	service->disturbed = false;
	emitter_close(service->emitter);
	r = sd_bus_release_name_async(service->bus, &service->name_slot, BUS_NAME, on_released, service);
	if (r < 0)
		fail(service, "ReleaseName", r);
}

/* ---- taken ---- */

static void serve(Service *service)
{
	service->disturbed = false;
	emitter_open(service->emitter);
	if (service->name_phase == NAME_WANTED) {
		tell_ready(service);
		driver_autostart(service->driver, false);
	}
	service_arm_idle(service);
}

static int on_name_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	uint32_t result = 0;

	service->name_slot = sd_bus_slot_unref(service->name_slot);
	/* 1: primary owner, 4: already owner (RequestName, D-Bus specification). */
	if (sd_bus_message_is_method_error(reply, NULL) ||
	    sd_bus_message_read(reply, "u", &result) < 0 || (result != 1 && result != 4)) {
		const sd_bus_error *error = sd_bus_message_get_error(reply);

		log_text(LOG_ERR, "The name " BUS_NAME " cannot be had: %s",
			 error ? error->message : "somebody else owns it");
		return sd_event_exit(service->event, EXIT_FAILURE);
	}
	if (service->name_phase == NAME_TAKEN_AGAIN) {
		if (!service->disturbed) {
			give_back(service, NAME_LAST);
			return 1;
		}
		service->name_phase = NAME_SERVES_LAST;
	}
	serve(service);
	return 1;
}

void bus_name_request(Service *service)
{
	int r = sd_bus_request_name_async(service->bus, &service->name_slot, BUS_NAME, 0,
					  on_name_reply, service);

	if (r < 0)
		fail(service, "RequestName", r);
}

/* The bus delivers the calls that have waited for the name before it answers that we have it. What was found must be
 * told before such a call changes it. */
void bus_name_note_call(Service *service, sd_bus_message *call)
{
	if (service->name_slot && service->name_phase != NAME_GIVEN_BACK && service->name_phase != NAME_LAST &&
	    g_strcmp0(sd_bus_message_get_destination(call), BUS_NAME) == 0)
		emitter_open(service->emitter);
	service->disturbed = true;
	service_arm_idle(service);
}

/* ---- idle ---- */

static int on_idle_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	Service *service = userdata;

	if (service->name_slot) {
		service_arm_idle(service);
	} else if (service->name_phase == NAME_SERVES_LAST) {
		if (is_answered(service))
			give_back(service, NAME_LAST);
		else
			service_arm_idle(service);
	} else if (is_idle(service)) {
		give_back(service, NAME_GIVEN_BACK);
	} else {
		/* Its end is told like all that a domain tells, and then somebody looks again. */
		service->sleeps = driver_has_guests(service->driver);
		if (!service->sleeps)
			service_arm_idle(service);
	}
	return 0;
}

void service_arm_idle(Service *service)
{
	bool last = service->name_phase == NAME_SERVES_LAST;

	service->sleeps = false;
	if (service->idle_timeout_us == 0 && !last) {
		(void)sd_event_source_set_enabled(service->idle_timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time_relative(service->idle_timer,
						last ? SERVES_LAST_INTERVAL_US : service->idle_timeout_us);
	(void)sd_event_source_set_enabled(service->idle_timer, SD_EVENT_ONESHOT);
}

void bus_name_look_again(Service *service)
{
	if (service->sleeps)
		service_arm_idle(service);
}

int bus_name_set_up(Service *service)
{
	int r = sd_event_add_time_relative(service->event, &service->idle_timer, CLOCK_MONOTONIC, 0, 0,
					   on_idle_timer, service);

	return r < 0 ? r : sd_event_source_set_enabled(service->idle_timer, SD_EVENT_OFF);
}
