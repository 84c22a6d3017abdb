/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

Domain *domain_new(const DomainHost *host, Definition *definition, bool persistent)
{
	Domain *domain = g_new0(Domain, 1);

	domain->ref_count = 1;
	domain->screenshot_fd = -1;
	domain->host = host;
	domain->uuid = g_strdup(definition->uuid);
	domain->definition = definition;
	domain->persistent = persistent;
	domain->state_reason = LIFECYCLE_REASON_UNKNOWN;
	domain->work = strand_new(host->pool);
	domain->operations = g_ptr_array_new();
	g_queue_init(&domain->queries_waiting);
	domain->owner = geteuid();
	domain_reset_run(domain);
	return domain;
}

Domain *domain_ref(Domain *domain)
{
	domain->ref_count++;
	return domain;
}

void domain_device_free(DomainDevice *device)
{
	g_free(device->id);
	g_free(device->driver);
	g_free(device->qom_path);
	g_free(device->bus);
	g_free(device);
}

static void clear_run(Domain *domain)
{
	domain_clear_timer(domain, &domain->grace_timer);
	domain_clear_timer(domain, &domain->reconnect_timer);
	stop_clear(domain);
	g_clear_pointer(&domain->events, strand_unref);
	g_clear_pointer(&domain->process, qemu_process_free);
	g_clear_pointer(&domain->filter_watch, filter_watch_free);
	domain->journal = NULL;
	g_clear_pointer(&domain->picture, run_picture_free);
	g_clear_pointer(&domain->devices, g_hash_table_unref);
	g_clear_pointer(&domain->told_devices, g_hash_table_unref);
	g_clear_pointer(&domain->backends, g_hash_table_unref);
	g_clear_pointer(&domain->under_way, g_hash_table_unref);
	g_clear_pointer(&domain->host_nics, g_hash_table_unref);
	g_clear_pointer(&domain->nic_syncs, g_hash_table_unref);
	g_clear_pointer(&domain->removed_children, g_ptr_array_unref);
	g_clear_pointer(&domain->found_removed, g_hash_table_unref);
	jobs_clear(domain);
	drives_clear(domain);
	channels_clear(domain);
	display_clear(domain);
	migration_clear(domain);
	screenshot_clear(domain);
	g_clear_pointer(&domain->emulator, g_free);
	g_clear_pointer(&domain->unit, g_free);
	g_clear_pointer(&domain->accelerator, g_free);
	g_clear_pointer(&domain->directory, g_free);
	g_clear_pointer(&domain->qemu_version, g_free);
	g_clear_pointer(&domain->hints.shutdown_cause, g_free);
	g_clear_pointer(&domain->hints.pause_run_state, g_free);
	domain->save = save_free(domain->save);
	domain->dump = panic_dump_free(domain->dump);
	domain->hints = (RunHints){ .pause_reason = LIFECYCLE_REASON_PAUSED };
}

/* Everything of one run, as it is before the first event of the next. What is still under way from the
 * last one, on workers or in the strand, has its number and is dropped. */
void domain_reset_run(Domain *domain)
{
	clear_run(domain);
	domain->run++;
	domain->released = false;
	domain->has_directory = false;
	domain->process_exited = false;
	domain->exit = (QemuExit){ 0 };
	domain->started_at = 0;
	domain->monitor_gone = false;
	domain->connected = false;
	domain->reconnect_delay_ms = 0;
	domain->reconnecting = false;
	domain->ending = false;
	domain->while_away = false;
	domain->gap_reason = NULL;
	domain->lost_told = false;
	domain->state_before_gap = DOMAIN_STATE_UNKNOWN;
	domain->has_picture = false;
	domain->connections = 0;
	domain->commit = (Commit){ 0 };
	domain->filters_due = false;
	domain->replaying = false;
	domain->kept = false;
	domain->catching_up = false;
	domain->resync = NULL;
	domain->refreshing = 0;
	domain->refresh_again = 0;
	domain->prepares = 0;
	domain->reading_held = false;
	domain->balloon = 0;
	domain->balloon_gone = false;
	domain->irregular_events = 0;
	domain->saved_left = 0;
	domain->events = strand_new(domain->host->pool);
	nics_init(domain);
	domain->devices = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
						(GDestroyNotify)domain_device_free);
	domain->backends = backends_table_new();
	domain->under_way = under_way_table_new();
	domain->host_nics = host_nics_new();
	nic_sync_init(domain);
	domain->removed_children = g_ptr_array_new_with_free_func(g_free);
	domain->found_removed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	jobs_init(domain);
	drives_init(domain);
	channels_init(domain);
	display_init(domain);
	domain->directory = g_build_filename(domain->host->directories->domains, domain->uuid,
					     NULL);
}

DomainProperty domain_get_run_properties(const Domain *domain)
{
	const struct {
		DomainProperty property;
		bool set;
	} rows[] = {
		{ DOMAIN_PROPERTY_PROCESS, domain->process || domain->started_at != 0 },
		{ DOMAIN_PROPERTY_HARDWARE, domain->emulator != NULL },
		{ DOMAIN_PROPERTY_UNIT, domain->unit != NULL },
		{ DOMAIN_PROPERTY_DEVICES, g_hash_table_size(domain->devices) > 0 },
		{ DOMAIN_PROPERTY_FILTERS, g_hash_table_size(domain_get_filters(domain)) > 0 },
		{ DOMAIN_PROPERTY_QEMU_VERSION, domain->qemu_version != NULL },
		{ DOMAIN_PROPERTY_CONNECTED, domain->connected },
		{ DOMAIN_PROPERTY_TRAYS, g_hash_table_size(domain->trays) > 0 },
		{ DOMAIN_PROPERTY_JOBS, g_hash_table_size(domain->jobs) > 0 },
		{ DOMAIN_PROPERTY_IO_STATUS, g_hash_table_size(domain->io_status) > 0 },
		{ DOMAIN_PROPERTY_THRESHOLDS, g_hash_table_size(domain->thresholds) > 0 },
		{ DOMAIN_PROPERTY_CHANNELS, g_hash_table_size(domain->channels) > 0 },
		{ DOMAIN_PROPERTY_BALLOON, domain->balloon != 0 },
		{ DOMAIN_PROPERTY_CLIENTS, domain->clients->len > 0 },
		{ DOMAIN_PROPERTY_MIGRATION, domain->migration_status != NULL },
		{ DOMAIN_PROPERTY_PROGRESS, domain->has_progress },
		{ DOMAIN_PROPERTY_IRREGULAR, domain->irregular_events != 0 },
	};
	unsigned properties = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
		properties |= rows[i].set ? rows[i].property : 0;
	return (DomainProperty)properties;
}

void domain_close(Domain *domain)
{
	g_autoptr(GError) error = NULL;

	if (!domain->host)
		return;
	domain_ref(domain);
	g_set_error_literal(&error, CORE_ERROR, CORE_ERROR_MONITOR_LOST, "The service is leaving");
	/* The next service shall have it. */
	domain->kept = false;
	/* Before the monitor is dropped, which would end them with an error of its own; a start whose calls end then has
	 * not failed, its QEMU stays. */
	if (domain->start)
		domain->start = start_free(domain->start, domain);
	operations_end_all(domain, error);
	domain_drop_monitor(domain);
	clear_run(domain);
	strand_close(domain->work);
	domain->host = NULL;
	domain_unref(domain);
}

Domain *domain_unref(Domain *domain)
{
	if (!domain || --domain->ref_count > 0)
		return NULL;
	/* The host keeps a reference until it has closed the domain, so nothing runs any more. */
	g_assert(!domain->monitor && !domain->start && domain->operations->len == 0);
	if (domain->host)
		clear_run(domain);
	g_ptr_array_unref(domain->operations);
	strand_unref(domain->work);
	definition_unref(domain->definition);
	definition_unref(domain->next_definition);
	adopted_free(domain->adopted);
	g_free(domain->uuid);
	g_free(domain);
	return NULL;
}

/* ---- getters ---- */

const char *domain_get_name(const Domain *domain)
{
	return domain->definition->name;
}

uid_t domain_get_owner(const Domain *domain)
{
	return domain->owner;
}

void domain_set_owner(Domain *domain, uid_t owner)
{
	domain->owner = owner;
}

const char *domain_get_uuid(const Domain *domain)
{
	return domain->uuid;
}

const Definition *domain_get_definition(const Domain *domain)
{
	return domain->definition;
}

const Definition *domain_get_next_definition(const Domain *domain)
{
	return domain->next_definition ? domain->next_definition : domain->definition;
}

DomainState domain_get_state(const Domain *domain)
{
	return domain->state;
}

LifecycleReason domain_get_state_reason(const Domain *domain)
{
	return domain->state_reason;
}

uint64_t domain_get_incarnation(const Domain *domain)
{
	return domain->incarnation;
}

bool domain_is_persistent(const Domain *domain)
{
	return domain->persistent;
}

bool domain_is_adopted(const Domain *domain)
{
	return domain->adopted != NULL;
}

const char *domain_get_adopted_path(const Domain *domain)
{
	return domain->adopted ? domain->adopted->monitor : NULL;
}

bool domain_check_persistent(const Domain *domain, GError **error)
{
	if (domain->persistent)
		return true;
	if (!domain_check_not_adopted(domain, "It cannot be started again", error))
		return false;
	g_set_error(error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
		    "Domain '%s' is transient: it has no definition to start from; define it first",
		    domain_get_name(domain));
	return false;
}

bool domain_is_autostart(const Domain *domain)
{
	return domain_get_next_definition(domain)->autostart;
}

pid_t domain_get_pid(const Domain *domain)
{
	return domain->process ? qemu_process_get_pid(domain->process) : 0;
}

int64_t domain_get_started_at(const Domain *domain)
{
	return domain->started_at;
}

const char *domain_get_unit(const Domain *domain)
{
	return domain->unit ? domain->unit : "";
}

const char *domain_get_emulator(const Domain *domain)
{
	if (domain->emulator)
		return domain->emulator;
	return domain->definition->emulator ? domain->definition->emulator : "";
}

const char *domain_get_machine_type(const Domain *domain)
{
	JsonObject *machine = domain->definition->machine;

	return machine ? json_object_get_string_member(machine, "type") : "";
}

char *domain_get_log_directory(const Domain *domain)
{
	return g_build_filename(domain->host->directories->logs, domain->uuid, NULL);
}

unsigned domain_get_cpus(const Domain *domain)
{
	return domain->adopted ? domain->adopted->cpus : domain->definition->cpus;
}

uint64_t domain_get_memory(const Domain *domain)
{
	return domain->adopted ? domain->adopted->memory : domain->definition->memory;
}

const char *domain_get_qemu_version(const Domain *domain)
{
	return domain->qemu_version ? domain->qemu_version : "";
}

bool domain_is_connected(const Domain *domain)
{
	return domain->connected;
}

bool domain_is_being_written(const Domain *domain)
{
	return domain->save || panic_dump_is_under_way(domain);
}

unsigned domain_get_pending(const Domain *domain)
{
	return domain->operations->len;
}

GHashTable *domain_get_devices(const Domain *domain)
{
	return domain->devices;
}

GHashTable *domain_get_filters(const Domain *domain)
{
	return filter_watch_get_filters(domain->filter_watch);
}

GHashTable *domain_get_jobs(const Domain *domain)
{
	return domain->jobs;
}

GHashTable *domain_get_trays(const Domain *domain)
{
	return domain->trays;
}

GHashTable *domain_get_io_status(const Domain *domain)
{
	return domain->io_status;
}

GHashTable *domain_get_write_thresholds(const Domain *domain)
{
	return domain->thresholds;
}

GHashTable *domain_get_channels(const Domain *domain)
{
	return domain->channels;
}

uint64_t domain_get_balloon(const Domain *domain)
{
	return domain->balloon;
}

GPtrArray *domain_get_clients(const Domain *domain)
{
	return domain->clients;
}

const char *domain_get_migration_status(const Domain *domain)
{
	return domain->migration_status ? domain->migration_status : "none";
}

const MigrationProgress *domain_get_migration_progress(const Domain *domain)
{
	return domain->has_progress ? &domain->progress : NULL;
}

uint64_t domain_get_irregular_events(const Domain *domain)
{
	return domain->irregular_events;
}

/* ---- state and events ---- */

Loop *domain_loop(Domain *domain)
{
	return domain->host->loop;
}

void domain_changed(Domain *domain, DomainProperty properties)
{
	if (properties != 0)
		domain->host->changed(domain, properties, domain->host->userdata);
}

bool domain_has_room(Domain *domain, GHashTable *table, unsigned max, const char *what, bool *told)
{
	if (g_hash_table_size(table) < max)
		return true;
	if (!*told)
		domain_log(domain, LOG_NOTICE, "more than %u %s; the others are left out", max,
			   what);
	*told = true;
	return false;
}

void domain_publish(Domain *domain, Event *event)
{
	if (commit_was_told(domain)) {
		event_unref(event);
		return;
	}
	domain->unsent++;
	domain->host->event(domain, event, domain->host->userdata);
	intake_update_reading(domain);
}

void domain_event_sent(Domain *domain)
{
	g_assert(domain->unsent > 0);
	domain->unsent--;
	if (domain->host) {
		intake_update_reading(domain);
		handover_update_settled(domain);
	}
}

bool domain_enter_state(Domain *domain, DomainState state, LifecycleReason reason)
{
	if (!domain_state_may_follow(domain->state, state)) {
		domain_log_event(domain, LOG_ID_STATE_REFUSED, NULL,
				 "QEMU's events would lead from %s to %s, which cannot be; ignoring",
				 domain_state_to_string(domain->state),
				 domain_state_to_string(state));
		return false;
	}
	if (domain->state == state && domain->state_reason == reason)
		return true;
	domain->state = state;
	domain->state_reason = reason;
	/* Unknown says nothing of the guest: the next service goes by what was known before. */
	if (state != DOMAIN_STATE_UNKNOWN)
		commit_note_state(domain);
	domain_changed(domain, DOMAIN_PROPERTY_STATE);
	return true;
}

void domain_publish_lifecycle(Domain *domain, Event *event, DomainState state)
{
	if (!domain_enter_state(domain, state, event->lifecycle.reason)) {
		event_unref(event);
		return;
	}
	event->lifecycle.state = state;
	/* A listener that has made no call knows the object path alone. */
	event_set_name(event, domain_get_name(domain));
	domain_publish(domain, event);
}

void domain_clear_timer(Domain *domain, int *timer)
{
	if (*timer)
		loop_remove_timeout(domain_loop(domain), *timer);
	*timer = 0;
}

void domain_set_timer(Domain *domain, int *timer, int interval_ms, LoopTimeoutCallback callback)
{
	domain_clear_timer(domain, timer);
	*timer = loop_add_timeout(domain_loop(domain), interval_ms, callback, domain_ref(domain),
				  (GDestroyNotify)domain_unref);
}

/* ---- definition ---- */

/* The state stays what it is, and so does its reason: this is about the document. old_name: NULL if it has not
 * changed. */
static void emit_definition_event(Domain *domain, LifecycleEvent lifecycle, LifecycleReason reason,
				  const char *old_name)
{
	Event *event = event_new_lifecycle(0, lifecycle, reason);

	event->lifecycle.state = domain->state;
	event_set_name(event, domain_get_name(domain));
	if (old_name)
		event_add_detail(event, "old-name", g_variant_new_string(old_name));
	domain_publish(domain, event);
}

void domain_redefine(Domain *domain, Definition *definition, LifecycleReason reason)
{
	g_autofree char *old_name = g_strdup(domain_get_name(domain));

	g_assert(g_str_equal(definition->uuid, domain->uuid));
	g_clear_pointer(&domain->next_definition, definition_unref);
	if (domain_state_is_active(domain->state)) {
		domain->next_definition = definition;
	} else {
		definition_unref(domain->definition);
		domain->definition = definition;
		domain_changed(domain, DOMAIN_PROPERTY_NAME | DOMAIN_PROPERTY_TITLE |
				       DOMAIN_PROPERTY_HARDWARE);
	}
	if (!domain->persistent) {
		domain->persistent = true;
		domain_changed(domain, DOMAIN_PROPERTY_PERSISTENT);
	}
	domain_changed(domain, DOMAIN_PROPERTY_AUTOSTART);
	emit_definition_event(domain, LIFECYCLE_DEFINED, reason,
			      reason == LIFECYCLE_REASON_RENAMED ? old_name : NULL);
}

void domain_set_autostart(Domain *domain, bool autostart)
{
	Definition **definition = domain->next_definition ? &domain->next_definition
							  : &domain->definition;
	Definition *old = *definition;

	*definition = definition_with_autostart(old, autostart);
	definition_unref(old);
	domain_changed(domain, DOMAIN_PROPERTY_AUTOSTART);
}

/* At a start or after a stop. The name stays what it is: a rename is refused while something runs. */
void domain_take_next_definition(Domain *domain)
{
	if (!domain->next_definition)
		return;
	g_assert(g_str_equal(domain->next_definition->name, domain_get_name(domain)));
	definition_unref(domain->definition);
	domain->definition = g_steal_pointer(&domain->next_definition);
	domain_changed(domain, DOMAIN_PROPERTY_TITLE | DOMAIN_PROPERTY_HARDWARE);
}

void domain_set_renaming(Domain *domain, bool renaming)
{
	domain->renaming = renaming;
}

void domain_set_transient(Domain *domain)
{
	domain->persistent = false;
	domain_changed(domain, DOMAIN_PROPERTY_PERSISTENT);
}

void domain_emit_defined(Domain *domain, LifecycleReason reason)
{
	emit_definition_event(domain, LIFECYCLE_DEFINED, reason, NULL);
}

void domain_emit_undefined(Domain *domain, LifecycleReason reason)
{
	emit_definition_event(domain, LIFECYCLE_UNDEFINED, reason, NULL);
}
