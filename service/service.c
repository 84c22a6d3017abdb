/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

#include "access.h"
#include "base/log.h"
#include "bus/names.h"
#include "domain-object.h"
#include "domain-signals.h"
#include "log-control.h"
#include "bus/loop-sd-event.h"
#include "managed-objects.h"
#include "manager-object.h"
#include "method-call.h"
#include "settings.h"
#include "signal-body.h"

/*
 * The order of things at the start: workers and driver, then the objects, then the state of every QEMU
 * that runs, and only then the name. So whoever calls finds a service that knows, and whoever listens hears
 * everything from the moment the name is owned, since the emitter is opened then.
 *
 * And at the end: with nothing running and nobody calling, the name is given back first, while calls are still
 * served. The bus answers that after everything it had sent us before; a call among it (or a domain that was started by
 * one) means that the name is asked for again. Calls that come later start a new service, which waits for our
 * lock.
 */

/* ---- the driver's observer ---- */

static void wake_up(Service *service)
{
	if (service->sleeps)
		service_arm_idle(service);
}

static void on_domain_added(Domain *domain, void *userdata)
{
	Service *service = userdata;

	notifier_look_again(service->notifier);
	managed_objects_domain_added(service->managed_objects, domain);
	emitter_domain_added(service->emitter, domain);
}

static void on_domain_removed(Domain *domain, void *userdata)
{
	Service *service = userdata;

	wake_up(service);
	notifier_look_again(service->notifier);
	managed_objects_domain_removed(service->managed_objects, domain);
	emitter_domain_removed(service->emitter, domain);
}

static void on_event(Domain *domain, Event *event, void *userdata)
{
	emitter_event(((Service *)userdata)->emitter, domain, event);
}

static void on_changed(Domain *domain, DomainProperty properties, void *userdata)
{
	Service *service = userdata;

	wake_up(service);
	if (properties & DOMAIN_PROPERTY_STATE)
		notifier_look_again(service->notifier);
	managed_objects_domain_changed(service->managed_objects, domain);
	emitter_domain_changed(service->emitter, domain, properties);
}

static void on_emulators_changed(void *userdata)
{
	emitter_manager_changed(((Service *)userdata)->emitter, "Emulators");
}

static void on_definition_problems_changed(void *userdata)
{
	emitter_manager_changed(((Service *)userdata)->emitter, "DefinitionProblems");
}

static void on_changed_files_changed(void *userdata)
{
	emitter_manager_changed(((Service *)userdata)->emitter, "DefinitionsChanged");
}

/* ---- the name ---- */

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
	service->leaving = false;
	service->disturbed = false;
	emitter_open(service->emitter);
	tell_ready(service);
	service_arm_idle(service);
	driver_autostart(service->driver, false);
	return 1;
}

static void request_name(Service *service)
{
	int r = sd_bus_request_name_async(service->bus, &service->name_slot, BUS_NAME, 0,
					  on_name_reply, service);

	if (r < 0)
		fail(service, "RequestName", r);
}

static void on_driver_started(void *userdata)
{
	request_name(userdata);
}

/* ---- idle ---- */

static bool is_idle(const Service *service)
{
	return service->calls == 0 && credentials_count_waiting(service->credentials) == 0 &&
	       access_count_held(service->access) == 0 && emitter_is_empty(service->emitter) &&
	       driver_is_idle(service->driver) && !driver_is_shutting_down(service->driver);
}

static int on_released(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;

	service->name_slot = sd_bus_slot_unref(service->name_slot);
	if (service->disturbed || !is_idle(service)) {
		request_name(service);
		return 1;
	}
	log_text(LOG_INFO, "Nothing to do; leaving");
	/* So the manager knows that who wants the unit started, for the next call, has to wait for our end. */
	notifier_stopping(service->notifier, 0);
	return sd_event_exit(service->event, EXIT_SUCCESS);
}

static int on_idle_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	Service *service = userdata;
	int r;

	if (service->leaving || !is_idle(service)) {
		/* Its end is told like all that a domain tells, and then somebody looks again. */
		service->sleeps = driver_has_guests(service->driver);
		if (!service->sleeps)
			service_arm_idle(service);
		return 0;
	}
	service->leaving = true;
	emitter_close(service->emitter);
	service->disturbed = false;
	r = sd_bus_release_name_async(service->bus, &service->name_slot, BUS_NAME, on_released,
				      service);
	if (r < 0)
		fail(service, "ReleaseName", r);
	return 0;
}

void service_arm_idle(Service *service)
{
	service->sleeps = false;
	if (service->idle_timeout_us == 0) {
		(void)sd_event_source_set_enabled(service->idle_timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time_relative(service->idle_timer, service->idle_timeout_us);
	(void)sd_event_source_set_enabled(service->idle_timer, SD_EVENT_ONESHOT);
}

/* The bus delivers the calls that have waited for the name before it answers that we have it. What was found must be
 * told before such a call changes it. */
static void note_name(Service *service, sd_bus_message *call)
{
	if (service->name_slot && !service->leaving &&
	    g_strcmp0(sd_bus_message_get_destination(call), BUS_NAME) == 0)
		emitter_open(service->emitter);
}

/* What is answered at once, with the state as it is. */
static bool reads_state(sd_bus_message *call)
{
	return sd_bus_message_is_method_call(call, BUS_PROPERTIES, NULL) ||
	       sd_bus_message_is_method_call(call, BUS_OBJECT_MANAGER, NULL) ||
	       sd_bus_message_is_method_call(call, BUS_INTERFACE("Manager"), "ListDomains");
}

/* The answer is a clean cut in the stream of signals: what came before it is in it, and nothing else. */
static int catch_up(Service *service, sd_bus_message *call, sd_bus_error *ret_error)
{
	if (!reads_state(call) || emitter_catch_up(service->emitter))
		return 0;
	return sd_bus_error_setf(ret_error, BUS_ERROR("LimitExceeded"), EMITTER_BEHIND_FORMAT,
				 EMITTER_CATCH_UP_MAX);
}

/* Sees every message before it is dispatched. */
static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	int r;

	if (sd_bus_message_is_method_call(message, NULL, NULL)) {
		note_name(service, message);
		service->disturbed = true;
		service_arm_idle(service);
		r = credentials_filter(service->credentials, message, ret_error);
		if (r == 0)
			r = callers_check(service->callers, message, ret_error);
		if (r == 0)
			r = access_filter(service->access, message, ret_error);
		/* It catches up by itself, when it is answered. */
		if (r == 0)
			r = managed_objects_filter(service->managed_objects, message, ret_error);
		return r != 0 ? r : catch_up(service, message, ret_error);
	}
	return 0;
}

/* ---- signals of the process ---- */

static int leave(Service *service)
{
	/* An attached bus is closed on the way out of the loop, before the callers that wait are answered. */
	(void)sd_bus_detach_event(service->bus);
	notifier_stopping(service->notifier, 0);
	return sd_event_exit(service->event, EXIT_SUCCESS);
}

static void on_shut_down(void *userdata)
{
	g_message("No guest runs any more; leaving");
	(void)leave(userdata);
}

/* Calls are still served meanwhile, and the signals of the ends go out. */
static void shut_down_guests(Service *service)
{
	/* Beyond the usual time of the service manager: QEMU's own end after TERM takes some time, too. */
	uint64_t end_us = service->shutdown_timeout_us + 2 * DOMAIN_DESTROY_GRACE_MS * UINT64_C(1000);

	g_message("Told to end; the guests have %" PRIu64 " s to shut down",
		  service->shutdown_timeout_us / G_USEC_PER_SEC);
	notifier_stopping(service->notifier, end_us);
	driver_shut_down(service->driver, (int)(service->shutdown_timeout_us / 1000), on_shut_down,
			 service);
}

/* They are left running, except when nothing runs any more. */
static void on_host_end(bool goes_down, void *userdata)
{
	Service *service = userdata;

	if (goes_down)
		shut_down_guests(service);
	else
		(void)leave(service);
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	Service *service = userdata;

	/* Told twice: then at once. */
	if (driver_is_shutting_down(service->driver) || service->host_end)
		return leave(service);
	if (service->shut_down_guests) {
		shut_down_guests(service);
		return 0;
	}
	if (service->notifier && driver_has_guests(service->driver))
		service->host_end = host_end_ask(service->bus, on_host_end, service);
	return service->host_end ? 0 : leave(service);
}

typedef struct ReloadCall {
	Service *service;
	DriverDone done;
	void *userdata;
} ReloadCall;

static void on_reload_done(Domain *domain, const GError *error, void *userdata)
{
	ReloadCall *call = userdata;

	notifier_reload_ends(call->service->notifier);
	call->done(domain, error, call->userdata);
	g_free(call);
}

void service_reload(Service *service, DriverDone done, void *userdata)
{
	ReloadCall *call = g_new0(ReloadCall, 1);

	*call = (ReloadCall){ service, done, userdata };
	notifier_reload_begins(service->notifier);
	driver_reload(service->driver, on_reload_done, call);
}

static void on_reloaded(Domain *domain, const GError *error, void *userdata)
{
	if (error)
		log_text(LOG_WARNING, "Reload: %s", error->message);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	Service *service = userdata;

	service_reload(service, on_reloaded, NULL);
	return 0;
}

static int add_signals(Service *service)
{
	static const struct {
		int signal;
		sd_event_signal_handler_t handler;
	} rows[] = {
		{ SIGTERM, on_terminate },
		{ SIGINT, on_terminate },
		{ SIGHUP, on_hangup },
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(rows); i++)
		r = sd_event_add_signal(service->event, NULL, rows[i].signal, rows[i].handler, service);
	return r;
}

/* ---- run ---- */

static int connect_bus(Service *service, const ServiceOptions *options)
{
	int r = options->system ? sd_bus_open_system(&service->bus) : sd_bus_open_user(&service->bus);

	if (r >= 0)
		r = sd_bus_set_exit_on_disconnect(service->bus, true);
	if (r >= 0)
		r = sd_bus_add_filter(service->bus, NULL, on_message, service);
	if (r >= 0)
		r = sd_bus_attach_event(service->bus, service->event, SD_EVENT_PRIORITY_NORMAL);
	return r;
}

static int setup(Service *service, const ServiceOptions *options)
{
	sd_id128_t id;
	int r = sd_event_default(&service->event);

	if (r >= 0)
		r = add_signals(service);
	if (r >= 0)
		r = connect_bus(service, options);
	if (r >= 0)
		r = sd_event_add_time_relative(service->event, &service->idle_timer, CLOCK_MONOTONIC, 0,
					       0, on_idle_timer, service);
	if (r >= 0)
		r = sd_event_source_set_enabled(service->idle_timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_id128_randomize(&id);
	if (r < 0)
		return r;
	service->instance_id = g_strdup_printf(SD_ID128_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
	service->callers = callers_new();
	service->credentials = options->system ? credentials_new(service->bus) : NULL;
	callers_use_limits(service->callers, service->user_limits, service->credentials);
	service->actions = actions_new();
	service->access = options->system ? access_new(service) : NULL;
	service->loop = loop_sd_event_new(service->event);
	service->notifier = notifier_new(service->event);
	service->emitter = emitter_new(service);
	if (!service->emitter)
		return -ENOMEM;
	service->managed_objects = managed_objects_new(service);
	r = manager_object_register(service);
	if (r >= 0)
		r = domain_object_register(service);
	if (r >= 0)
		r = method_calls_watch(service);
	return r < 0 ? r : log_control_register(service->bus, service->actions, options->log);
}

/* The launcher is installed beside us, wherever that is. On the system bus QEMU is to be another user than we; if there is none,
 * nothing is started, and emulators are asked as nobody. */
static void use_launcher(Service *service, bool system, const Configuration *configuration)
{
	const QemuUser nobody = { "nobody", 65534, 65534, { 0 }, 0 };
	g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *directory = program ? g_path_get_dirname(program) : NULL;
	g_autofree char *path = g_build_filename(directory ? directory : "/", "vmherald-launcher", NULL);
	QemuLauncher launcher = { .path = path };
	g_autoptr(GError) error = NULL;
	QemuUser user = nobody;

	if (system) {
		(void)qemu_user_find(configuration->user, configuration->group, &user, &error);
		launcher.user = &user;
	}
	if (error)
		log_text(LOG_ERR, "No domain can be started: %s", error->message);
	driver_use_launcher(service->driver, &launcher, error ? error->message : NULL);
}

static bool start_driver(Service *service, const ServiceOptions *options)
{
	const DriverObserver observer = {
		.domain_added = on_domain_added,
		.domain_removed = on_domain_removed,
		.event = on_event,
		.changed = on_changed,
		.emulators_changed = on_emulators_changed,
		.definition_problems_changed = on_definition_problems_changed,
		.changed_files_changed = on_changed_files_changed,
		.configuration_changed = settings_changed,
		.userdata = service,
		.encode = signal_body_write,
		.layout = service->layout,
	};
	g_autoptr(GError) error = NULL;
	DescriptorStore store;
	Placement placement;

	service->driver = driver_new(service->loop, options->system, &observer, &error);
	if (!service->driver) {
		configuration_source_free(options->configuration_source);
		configuration_free(options->configuration);
		log_text(LOG_ERR, "%s", error->message);
		return false;
	}
	driver_use_configuration(service->driver, options->configuration, options->configuration_source);
	store = fd_store_get_interface(service->fd_store);
	driver_use_store(service->driver, &store);
	placement = scope_maker_get_placement(service->scopes);
	driver_use_placement(service->driver, &placement);
	use_launcher(service, options->system, driver_get_configuration(service->driver));
	driver_keep_history(service->driver, options->configuration->history_bytes,
			    (unsigned)options->configuration->history_events);
	driver_start(service->driver, on_driver_started, service);
	return true;
}

static void teardown(Service *service)
{
	/* Callers still waiting are told that the service leaves, and what has got a number goes out; so the bus
	 * goes last. */
	if (service->emitter && service->driver)
		emitter_flush(service->emitter);
	service->managed_objects = managed_objects_free(service->managed_objects);
	service->access = access_free(service->access);
	service->driver = driver_free(service->driver);
	service->fd_store = fd_store_free(service->fd_store);
	service->scopes = scope_maker_free(service->scopes);
	service->notifier = notifier_free(service->notifier);
	service->host_end = host_end_free(service->host_end);
	service->emitter = emitter_free(service->emitter);
	service->callers = callers_free(service->callers);
	service->user_limits = user_limits_free(service->user_limits);
	g_queue_clear(&service->queries);
	service->actions = actions_free(service->actions);
	service->credentials = credentials_free(service->credentials);
	service->loop = loop_free(service->loop);
	service->idle_timer = sd_event_source_disable_unref(service->idle_timer);
	service->name_slot = sd_bus_slot_unref(service->name_slot);
	service->bus = sd_bus_flush_close_unref(service->bus);
	service->event = sd_event_unref(service->event);
	g_clear_pointer(&service->instance_id, g_free);
	g_clear_pointer(&service->layout, g_free);
}

int service_run(const ServiceOptions *options)
{
	Service service = {
		.log = options->log,
		.user_limits = user_limits_new(),
		.fd_store = fd_store_new(),
		.scopes = scope_maker_new(options->system, SCOPE_TIMEOUT_MS),
		.layout = domain_signals_get_layout(),
	};
	int status = EXIT_FAILURE, r;

	settings_apply(&service, options->configuration);
	r = setup(&service, options);
	if (r < 0) {
		configuration_source_free(options->configuration_source);
		configuration_free(options->configuration);
		log_text(LOG_ERR, "The %s bus: %s", options->system ? "system" : "session",
			 g_strerror(-r));
	} else if (start_driver(&service, options)) {
		status = sd_event_loop(service.event);
		if (status < 0) {
			log_text(LOG_ERR, "The event loop: %s", g_strerror(-status));
			status = EXIT_FAILURE;
		}
	}
	teardown(&service);
	return status;
}
