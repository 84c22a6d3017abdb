/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic-file.h"
#include "base/error.h"
#include "base/log.h"
#include "driver-internal.h"
#include "driver-records.h"
#include "qemu/emulators.h"

/* A service that is just leaving holds the lock a little longer. */
#define LOCK_TIMEOUT_MS 10000

/* ---- what domains tell ---- */

static void on_event(Domain *domain, Event *event, void *userdata)
{
	Driver *driver = userdata;

	driver_stamp(driver, domain, event);
	driver_record_event(domain, event);
	/* Also what is told twice with the same state: that the memory has been written. */
	if (event->kind == EVENT_LIFECYCLE)
		driver_look_at_shutdown(driver);
	driver->observer.event(domain, event, driver->observer.userdata);
}

static void on_changed(Domain *domain, DomainProperty properties, void *userdata)
{
	Driver *driver = userdata;

	if ((properties & DOMAIN_PROPERTY_CONNECTED) && !domain_is_connected(domain))
		driver_stamp_lost(driver, domain);
	if (properties & DOMAIN_PROPERTY_STATE)
		driver_look_at_shutdown(driver);
	if (properties & DOMAIN_PROPERTY_PROCESS)
		driver_logs_update(driver, domain);
	driver->observer.changed(domain, properties, driver->observer.userdata);
}

static void on_gone(Domain *domain, void *userdata)
{
	driver_remove_domain(userdata, domain);
}

void driver_add_domain(Driver *driver, Domain *domain)
{
	registry_add(driver->registry, domain);
	driver->observer.domain_added(domain, driver->observer.userdata);
}

void driver_remove_domain(Driver *driver, Domain *domain)
{
	domain_ref(domain);
	registry_remove(driver->registry, domain);
	driver_stamp_forget(driver, domain);
	driver->observer.domain_removed(domain, driver->observer.userdata);
	domain_unref(domain);
	driver_logs_clean(driver);
}

/* ---- emulators ---- */

typedef struct EmulatorsJob {
	Driver *driver;
	QemuEmulators *known;
	GPtrArray *found;
} EmulatorsJob;

static StrandStep emulators_work(void *data)
{
	EmulatorsJob *job = data;

	job->found = qemu_emulators_find(job->known);
	return STRAND_DONE;
}

/* What is known of one is one value, as long as its file is the same. */
static bool is_same_list(const GPtrArray *a, const GPtrArray *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->pdata, b->pdata, a->len * sizeof(*a->pdata)) == 0);
}

static void emulators_done(void *data)
{
	EmulatorsJob *job = data;
	Driver *driver = job->driver;

	if (is_same_list(driver->emulators, job->found))
		return;
	g_ptr_array_unref(driver->emulators);
	driver->emulators = g_steal_pointer(&job->found);
	driver->observer.emulators_changed(driver->observer.userdata);
}

static void emulators_free(void *data)
{
	EmulatorsJob *job = data;

	g_clear_pointer(&job->found, g_ptr_array_unref);
	g_free(job);
}

static const StrandItemClass emulators_class = { emulators_work, NULL, emulators_done, emulators_free };

void driver_find_emulators(Driver *driver)
{
	EmulatorsJob *job = g_new0(EmulatorsJob, 1);

	job->driver = driver;
	job->known = driver->host.emulators;
	strand_push(driver->background, &emulators_class, job);
}

/* ---- start-up ---- */

Driver *driver_new(Loop *loop, bool system, const DriverObserver *observer, GError **error)
{
	g_autoptr(Driver) driver = g_new0(Driver, 1);

	driver->loop = loop;
	driver->observer = *observer;
	driver->runtime_lock = -1;
	driver->state_lock = -1;
	g_queue_init(&driver->autostart);
	driver_adopt_init(driver);
	driver->registry = registry_new();
	driver->emulators = g_ptr_array_new();
	driver->problems = g_ptr_array_new();
	driver->changed_files = g_ptr_array_new();
	driver->configuration = configuration_new(system);
	driver->directories = directories_new(system, error);
	if (!driver->directories)
		return NULL;
	driver->definitions = definition_store_new(driver->directories->definitions);
	driver->runtime_lock = directories_lock(driver->directories->runtime, LOCK_TIMEOUT_MS, error);
	if (driver->runtime_lock < 0)
		return NULL;
	/* Two sessions of one user share their home, but not what is below XDG_RUNTIME_DIR. */
	driver->state_lock = directories_lock(driver->directories->state, LOCK_TIMEOUT_MS, error);
	if (driver->state_lock < 0)
		return NULL;
	if (!driver_stamp_open(driver, error))
		return NULL;
	/* The workers exist before any QEMU is connected to: events arrive at once. */
	driver->pool = worker_pool_new(loop, 0, error);
	if (!driver->pool)
		return NULL;
	driver->store = strand_new(driver->pool);
	driver->background = strand_new(driver->pool);
	driver->logs = strand_new(driver->pool);
	driver->host = (DomainHost){
		.loop = loop,
		.pool = driver->pool,
		.directories = driver->directories,
		.configuration = driver->configuration,
		.emulators = qemu_emulators_new(driver->directories->state),
		.links = link_watch_new(loop),
		.deadlines = { DOMAIN_START_TIMEOUT_MS, DOMAIN_SHUTDOWN_TIMEOUT_MS },
		.event = on_event,
		.changed = on_changed,
		.gone = on_gone,
		.userdata = driver,
	};
	return g_steal_pointer(&driver);
}

void driver_use_store(Driver *driver, const DescriptorStore *store)
{
	driver->host.monitors = monitor_store_new(driver->pool, store);
}

void driver_use_placement(Driver *driver, const Placement *placement)
{
	driver->host.placement = *placement;
}

void driver_use_launcher(Driver *driver, const QemuLauncher *launcher, const char *user_problem)
{
	QemuLauncher *own = &driver->host.launcher;

	driver->launcher_path = g_strdup(launcher->path);
	driver->user_problem = g_strdup(user_problem);
	driver->host.user_problem = driver->user_problem;
	own->path = driver->launcher_path;
	if (!launcher->user)
		return;
	driver->user = *launcher->user;
	driver->user_name = g_strdup(driver->user.name);
	driver->user.name = driver->user_name;
	own->user = &driver->user;
	qemu_emulators_use_launcher(driver->host.emulators, own);
}

Driver *driver_free(Driver *driver)
{
	g_autoptr(GPtrArray) domains = NULL;

	if (!driver)
		return NULL;
	driver->leaving = true;
	domains = registry_list(driver->registry);
	driver_end_shutdown(driver);
	g_queue_clear_full(&driver->autostart, (GDestroyNotify)domain_unref);
	driver_logs_stop(driver);
	driver_adopt_close(driver);
	if (driver->store)
		strand_close(driver->store);
	for (unsigned i = 0; i < domains->len; i++)
		domain_close(g_ptr_array_index(domains, i));
	/* Waits for what workers are doing, so that nothing is half done on the disk. */
	worker_pool_free(driver->pool);
	monitor_store_free(driver->host.monitors);
	strand_unref(driver->store);
	strand_unref(driver->background);
	strand_unref(driver->logs);
	driver_logs_free(driver);
	g_ptr_array_set_size(domains, 0);
	registry_free(driver->registry);
	g_ptr_array_unref(driver->emulators);
	qemu_emulators_free(driver->host.emulators);
	link_watch_free(driver->host.links);
	g_ptr_array_unref(driver->adoptions);
	driver_stamp_close(driver);
	g_ptr_array_unref(driver->problems);
	g_ptr_array_unref(driver->changed_files);
	definition_watch_free(driver->definition_watch);
	definition_store_free(driver->definitions);
	directories_free(driver->directories);
	g_free(driver->launcher_path);
	g_free(driver->user_name);
	g_free(driver->user_problem);
	configuration_source_free(driver->configuration_source);
	configuration_free(driver->configuration);
	if (driver->state_lock >= 0)
		(void)close(driver->state_lock);
	if (driver->runtime_lock >= 0)
		(void)close(driver->runtime_lock);
	g_free(driver);
	return NULL;
}

static void readopt_ended(Driver *driver)
{
	driver_look_at_shutdown(driver);
	if (--driver->readopting == 0)
		driver->started(driver->started_userdata);
}

static void on_readopted(Domain *domain, const char *result, const GError *error, void *userdata)
{
	readopt_ended(userdata);
}

/* The domain of a run file: the persistent one of that uuid, or a transient one of its own. */
static Domain *get_domain_of_run(Driver *driver, RunFile *run, GError **error)
{
	Domain *domain = registry_find_by_uuid(driver->registry, run->definition->uuid);

	/* A file with the uuid of an adopted one has come meanwhile: then two would be one. */
	if (domain && !run->adopted)
		return domain;
	if (!registry_hold(driver->registry, run->definition, NULL, error))
		return NULL;
	registry_release(driver->registry, run->definition);
	domain = domain_new(&driver->host, definition_ref(run->definition), false);
	domain_set_owner(domain, run->owner);
	if (run->adopted)
		domain_set_adopted(domain, g_steal_pointer(&run->adopted));
	driver_add_domain(driver, domain);
	/* The registry has its own reference. */
	(void)domain_unref(domain);
	return domain;
}

static void readopt(Driver *driver, const char *directory)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *file = g_build_filename(directory, RUN_FILE_NAME, NULL);
	g_autoptr(RunFile) run = NULL;
	Domain *domain;

	/* Killed before the run file was written, which is before there was a QEMU. */
	if (!g_file_test(file, G_FILE_TEST_EXISTS)) {
		(void)directories_remove(directory, NULL);
		return;
	}
	run = run_file_read(directory, &error);
	domain = run ? get_domain_of_run(driver, run, &error) : NULL;
	if (!domain) {
		/* Nothing is guessed and nothing removed: there may be a QEMU that somebody needs. */
		log_event(LOG_ID_RUN_LOST,
			  ((const LogField[]){ { LOG_FIELD_ERROR, error->message },
					       { LOG_FIELD_FILE, directory }, { NULL } }),
			  "A run that cannot be taken up again: %s", error->message);
		return;
	}
	driver->readopting++;
	domain_readopt(domain, run, on_readopted, driver);
}

void driver_start(Driver *driver, void (*started)(void *userdata), void *userdata)
{
	g_autoptr(GPtrArray) runs = NULL;

	driver->started = started;
	driver->started_userdata = userdata;
	/* Of a service that was killed while it wrote. */
	atomic_file_clean(driver->directories->definitions);
	driver_watch_definitions(driver);
	driver_load_definitions(driver);
	driver_load_owners(driver);
	driver_told_init(driver);
	driver->readopting = 1;
	runs = run_file_list(driver->directories->domains);
	for (unsigned i = 0; i < runs->len; i++)
		readopt(driver, g_ptr_array_index(runs, i));
	driver_stamp_clean(driver);
	monitor_store_drop_others(driver->host.monitors);
	driver_find_emulators(driver);
	driver_logs_start(driver);
	readopt_ended(driver);
}

/* ---- configuration ---- */

static void set_configuration(Driver *driver, Configuration *configuration)
{
	configuration_free(driver->configuration);
	driver->configuration = configuration;
	driver->host.configuration = configuration;
}

void driver_use_configuration(Driver *driver, Configuration *configuration, ConfigurationSource *source)
{
	set_configuration(driver, configuration);
	configuration_source_free(driver->configuration_source);
	driver->configuration_source = source;
}

void driver_change_configuration(Driver *driver, Configuration *configuration)
{
	g_autoptr(Configuration) before = configuration_copy(driver->configuration);

	set_configuration(driver, configuration);
	if (driver->observer.configuration_changed)
		driver->observer.configuration_changed(before, configuration, driver->observer.userdata);
}

const Configuration *driver_get_configuration(const Driver *driver)
{
	return driver->configuration;
}

/* ---- look-up ---- */

Domain *driver_find_domain(Driver *driver, const char *name_or_uuid)
{
	return registry_find(driver->registry, name_or_uuid);
}

Domain *driver_find_domain_by_uuid(Driver *driver, const char *uuid)
{
	return registry_find_by_uuid(driver->registry, uuid);
}

GPtrArray *driver_list_domains(Driver *driver)
{
	return registry_list(driver->registry);
}

unsigned driver_count_domains(const Driver *driver)
{
	return registry_count(driver->registry);
}

bool driver_has_guests(const Driver *driver)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);

	for (unsigned i = 0; i < domains->len; i++)
		if (domain_state_is_active(domain_get_state(g_ptr_array_index(domains, i))))
			return true;
	return false;
}

bool driver_is_idle(const Driver *driver)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);

	if (driver_has_guests(driver) || driver->jobs > 0 || driver->adoptions->len > 0 || driver->readopting > 0 || driver->autostarting > 0 ||
	    !g_queue_is_empty((GQueue *)&driver->autostart))
		return false;
	for (unsigned i = 0; i < domains->len; i++)
		if (domain_get_pending(g_ptr_array_index(domains, i)) > 0)
			return false;
	return true;
}

GPtrArray *driver_get_emulators(const Driver *driver)
{
	return driver->emulators;
}
