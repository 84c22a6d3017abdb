/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver-internal.h"

/* The folder of all tests of this program, made anew for each. */
static char *root;

/* ---- what the observer is told ---- */

static char *describe(Domain *domain, const Event *event)
{
	switch (event->kind) {
	case EVENT_LIFECYCLE:
		g_assert_cmpint(event->lifecycle.state, ==, domain_get_state(domain));
		return g_strdup_printf("%s %s %s", lifecycle_event_to_string(event->lifecycle.event),
				       lifecycle_reason_to_string(event->lifecycle.reason),
				       domain_state_to_string(event->lifecycle.state));
	case EVENT_RESET:
		return g_strdup_printf("Reset %s %s", event->reset.initiator, event->reset.cause);
	case EVENT_POWERDOWN_REQUESTED:
		return g_strdup_printf("PowerdownRequested %s", event->powerdown_requested.source);
	case EVENT_WATCHDOG:
		return g_strdup_printf("Watchdog %s", event->watchdog.action);
	case EVENT_PANICKED:
		return g_strdup_printf("Panicked %s", event->panicked.action);
	case EVENT_DEVICE_ADDED:
		return g_strdup_printf("DeviceAdded %s %s %s", event->device_added.id,
				       event->device_added.driver, event->device_added.qom_path);
	case EVENT_DEVICE_REMOVED:
		return g_strdup_printf("DeviceRemoved %s %s", event->device_removed.id,
				       event->device_removed.qom_path);
	case EVENT_DEVICE_REMOVAL_FAILED:
		return g_strdup_printf("DeviceRemovalFailed %s %s %s",
				       event->device_removal_failed.id,
				       event->device_removal_failed.reason,
				       event->device_removal_failed.qom_path);
	case EVENT_TRAY_CHANGED:
		return g_strdup_printf("TrayChanged %s %s %s", event->tray_changed.id,
				       event->tray_changed.state, event->tray_changed.device);
	case EVENT_IO_ERROR:
		return g_strdup_printf("IOError %s %s %s %d", event->io_error.device,
				       event->io_error.operation, event->io_error.action,
				       event->io_error.no_space);
	case EVENT_WRITE_THRESHOLD:
		return g_strdup_printf("WriteThreshold %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
				       event->write_threshold.node, event->write_threshold.threshold,
				       event->write_threshold.excess);
	case EVENT_JOB_CHANGED:
		return g_strdup_printf("JobChanged %s %s", event->job_changed.id,
				       event->job_changed.status);
	case EVENT_JOB_EVENT:
		return g_strdup_printf("JobEvent %s %s %s", event->job_event.id,
				       event->job_event.event, event->job_event.type);
	case EVENT_FILTER_CHANGED:
		return g_strdup_printf("FilterChanged %s %s", event->filter_changed.nic,
				       event->filter_changed.filter->main_mac);
	case EVENT_MAC_CHANGED:
		return g_strdup_printf("MacChanged %s %s %s", event->mac_changed.nic,
				       event->mac_changed.old_mac, event->mac_changed.new_mac);
	case EVENT_ACPI_DEVICE_STATUS:
		return g_strdup_printf("AcpiDeviceStatus %s %s %s %" PRId64 " %" PRId64,
				       event->acpi_device_status.device,
				       event->acpi_device_status.slot,
				       event->acpi_device_status.slot_type,
				       event->acpi_device_status.source,
				       event->acpi_device_status.status);
	case EVENT_MEMORY_DEVICE_SIZE_CHANGED:
		return g_strdup_printf("MemoryDeviceSizeChanged %s %" PRIu64 " %s",
				       event->memory_device_size_changed.id,
				       event->memory_device_size_changed.size,
				       event->memory_device_size_changed.qom_path);
	case EVENT_CHANNEL_CHANGED:
		return g_strdup_printf("ChannelChanged %s %s", event->channel_changed.id,
				       event->channel_changed.state);
	case EVENT_BALLOON_CHANGED:
		return g_strdup_printf("BalloonChanged %s %" PRIu64, event->balloon_changed.device,
				       event->balloon_changed.bytes);
	case EVENT_BALLOON_REPORT:
		return g_strdup_printf("BalloonReport %s %" PRIu64 " %" PRIu64,
				       event->balloon_report.device,
				       event->balloon_report.committed,
				       event->balloon_report.available);
	case EVENT_DISPLAY_CLIENT:
		return g_strdup_printf("Client %s %s", event->display_client.protocol,
				       event->display_client.phase);
	case EVENT_MIGRATION_CHANGED:
		return g_strdup_printf("MigrationChanged %s %s", event->migration_changed.status,
				       event->migration_changed.old);
	case EVENT_MIGRATION_PASS:
		return g_strdup_printf("MigrationPass %s %" PRId64, event->migration_pass.direction,
				       event->migration_pass.pass);
	case EVENT_DUMP_COMPLETED:
		return g_strdup_printf("DumpCompleted %s '%s'", event->dump_completed.status,
				       event->dump_completed.error);
	case EVENT_MONITOR_EVENT:
		return g_strdup_printf("Event %s %s", event->monitor_event.name,
				       event->monitor_event.data);
	case EVENT_MONITOR_LOST:
		return g_strdup_printf("Lost %s", event->monitor_lost.reason);
	case EVENT_MONITOR_RESYNCHRONIZED:
		g_assert_cmpuint(event->resynchronized.last_before, <, event->stamp.sequence);
		return g_strdup_printf("Resynchronized %s", event->resynchronized.reason);
	case EVENT_EVENTS_LOST:
		return g_strdup_printf("EventsLost %s", event->events_lost.where);
	default:
		g_assert_not_reached();
	}
}

/* With what tells that it was found, and not sent. */
static char *describe_whole(Domain *domain, const Event *event)
{
	g_autofree char *text = describe(domain, event);
	const char *reason = "";

	if (event->details)
		(void)g_variant_lookup(event->details, "reason", "&s", &reason);
	if (g_str_equal(reason, "resync"))
		return g_strconcat(text, " (resync)", NULL);
	return g_steal_pointer(&text);
}

/* Takes key over. The number that was there before, 0 if none. */
static uint64_t replace_last(DomainFixture *fixture, char *key, uint64_t sequence)
{
	const uint64_t *last = g_hash_table_lookup(fixture->last_of, key);
	uint64_t previous = last ? *last : 0;

	g_hash_table_replace(fixture->last_of, key, g_memdup2(&sequence, sizeof(sequence)));
	return previous;
}

static void check_stamp(DomainFixture *fixture, Domain *domain, const Event *event)
{
	const char *uuid = domain_get_uuid(domain);
	const EventStamp *stamp = &event->stamp;
	uint64_t of_domain = stamp->domain_previous != 0 ? stamp->domain_previous : stamp->previous;

	g_assert_cmpuint(stamp->sequence, ==, fixture->last_sequence + 1);
	g_assert_cmpuint(stamp->previous, ==,
			 replace_last(fixture, g_strdup_printf("%s %d", uuid, (int)event->kind),
				      stamp->sequence));
	/* Only where it is another one. */
	g_assert_true(stamp->domain_previous == 0 || stamp->domain_previous != stamp->previous);
	g_assert_cmpuint(of_domain, ==, replace_last(fixture, g_strdup(uuid), stamp->sequence));
	fixture->last_sequence = stamp->sequence;
}

static void on_event(Domain *domain, Event *event, void *userdata)
{
	DomainFixture *fixture = userdata;
	Record *record;

	check_stamp(fixture, domain, event);
	if (fixture->observe) {
		fixture->observe(fixture, domain, event);
		return;
	}
	record = g_new0(Record, 1);
	record->domain = g_strdup(domain_get_name(domain));
	record->text = describe_whole(domain, event);
	record->event = event;
	g_ptr_array_add(fixture->records, record);
	if (domain == fixture->slow)
		fixture->unsent++;
	else
		domain_event_sent(domain);
	if (fixture->recorded)
		fixture->recorded(fixture, domain);
}

static void on_added(Domain *domain, void *userdata)
{
	((DomainFixture *)userdata)->n_added++;
}

static bool is_of(void *key, void *value, void *uuid)
{
	return g_str_has_prefix(key, uuid);
}

static void on_removed(Domain *domain, void *userdata)
{
	DomainFixture *fixture = userdata;

	fixture->n_removed++;
	/* Who is removed and comes again has no previous. */
	g_hash_table_foreach_remove(fixture->last_of, (GHRFunc)is_of,
				    (void *)domain_get_uuid(domain));
}

static void on_changed(Domain *domain, DomainProperty properties, void *userdata)
{
	/* Nobody is told of nothing. */
	g_assert_cmpuint(properties, !=, 0);
	((DomainFixture *)userdata)->changed |= properties;
}

static void on_manager_changed(void *userdata)
{
}

static void on_started(void *userdata)
{
	((DomainFixture *)userdata)->started = true;
}

static void record_free(void *data)
{
	Record *record = data;

	event_unref(record->event);
	g_free(record->domain);
	g_free(record->text);
	g_free(record);
}

/* ---- the store ---- */

static void close_kept(void *fd)
{
	(void)close(GPOINTER_TO_INT(fd));
}

void fixture_set_kept(DomainFixture *fixture, const char *name, int fd)
{
	g_mutex_lock(&fixture->lock);
	g_hash_table_replace(fixture->kept, g_strdup(name), GINT_TO_POINTER(fd));
	g_mutex_unlock(&fixture->lock);
}

static void store_keep(const char *name, int fd, void *userdata)
{
	fixture_set_kept(userdata, name, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static void store_forget(const char *name, void *userdata)
{
	DomainFixture *fixture = userdata;

	g_mutex_lock(&fixture->lock);
	(void)g_hash_table_remove(fixture->kept, name);
	g_mutex_unlock(&fixture->lock);
}

static int get_kept(DomainFixture *fixture, const char *name)
{
	void *fd = GINT_TO_POINTER(-1);

	g_mutex_lock(&fixture->lock);
	(void)g_hash_table_lookup_extended(fixture->kept, name, NULL, &fd);
	g_mutex_unlock(&fixture->lock);
	return GPOINTER_TO_INT(fd);
}

static bool is_taken(void *key, void *value, void *userdata)
{
	return !g_hash_table_contains(userdata, key);
}

static int store_take(const char *name, void *userdata)
{
	DomainFixture *fixture = userdata;
	int fd = get_kept(fixture, name);

	g_hash_table_add(fixture->taken, g_strdup(name));
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void store_drop_others(void *userdata)
{
	DomainFixture *fixture = userdata;

	g_mutex_lock(&fixture->lock);
	(void)g_hash_table_foreach_remove(fixture->kept, (GHRFunc)is_taken, fixture->taken);
	g_mutex_unlock(&fixture->lock);
}

static void use_store(DomainFixture *fixture)
{
	const DescriptorStore store = { store_keep, store_forget, store_take, store_drop_others,
					fixture };

	g_hash_table_remove_all(fixture->taken);
	driver_use_store(fixture->driver, &store);
}

void fixture_use_store(DomainFixture *fixture)
{
	fixture->keeps = true;
}

int fixture_get_kept(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *name = g_strconcat("monitor-", domain_get_uuid(domain), NULL);

	return get_kept(fixture, name);
}

unsigned fixture_count_kept(DomainFixture *fixture)
{
	unsigned n;

	g_mutex_lock(&fixture->lock);
	n = g_hash_table_size(fixture->kept);
	g_mutex_unlock(&fixture->lock);
	return n;
}

/* ---- the driver ---- */

static bool is_started(void *userdata)
{
	return ((DomainFixture *)userdata)->started;
}

void fixture_use_history(DomainFixture *fixture)
{
	fixture->remembers = true;
}

static void encode(const Event *event, GByteArray *out)
{
	g_byte_array_append(out, (const guint8 *)&event->time, sizeof(event->time));
}

void fixture_open_driver(DomainFixture *fixture)
{
	const DriverObserver observer = {
		.encode = fixture->remembers ? encode : NULL,
		.layout = fixture->remembers ? "x" : NULL,
		.domain_added = on_added,
		.domain_removed = on_removed,
		.event = on_event,
		.changed = on_changed,
		.emulators_changed = on_manager_changed,
		.definition_problems_changed = on_manager_changed,
		.changed_files_changed = on_manager_changed,
		.userdata = fixture,
	};
	g_autoptr(GError) error = NULL;

	g_assert_null(fixture->driver);
	fixture->started = false;
	fixture->driver = driver_new(fixture->loop, true, &observer, &error);
	g_assert_no_error(error);
	/* The number never goes back, and has no hole. */
	g_assert_cmpuint(driver_get_last_sequence(fixture->driver), ==, fixture->last_sequence);
	driver_keep_history(fixture->driver, HISTORY_BYTES_MIN, HISTORY_EVENTS_DEFAULT);
	/* That of the session bus: a fake QEMU has no sandbox. */
	driver_use_configuration(fixture->driver, configuration_new(false), NULL);
	if (fixture->placement)
		driver_use_placement(fixture->driver, fixture->placement);
	if (fixture->launcher)
		driver_use_launcher(fixture->driver, fixture->launcher, NULL);
	if (fixture->keeps)
		use_store(fixture);
	driver_start(fixture->driver, on_started, fixture);
	fixture_wait(fixture, is_started, fixture);
}

void fixture_set_deadlines(DomainFixture *fixture, int start_ms, int shutdown_ms)
{
	fixture->driver->host.deadlines = (DomainDeadlines){ start_ms, shutdown_ms };
}

void fixture_close_driver(DomainFixture *fixture)
{
	fixture->driver = driver_free(fixture->driver);
}

static void set_directory(const char *variable, const char *name)
{
	g_autofree char *path = g_build_filename(root, name, NULL);

	g_assert_true(g_setenv(variable, path, TRUE));
}

/* Once: the environment must not be changed when there are threads. */
static void set_environment(void)
{
	root = g_dir_make_tmp("domain-XXXXXX", NULL);
	g_assert_nonnull(root);
	set_directory("CONFIGURATION_DIRECTORY", "config");
	set_directory("STATE_DIRECTORY", "state");
	set_directory("RUNTIME_DIRECTORY", "runtime");
	set_directory("LOGS_DIRECTORY", "logs");
	/* No real QEMU is looked for, so none is asked for its version. */
	set_directory("PATH", "no-programs");
}

void fixture_set_up(DomainFixture *fixture, const void *data)
{
	if (!root)
		set_environment();
	fixture->folder = root;
	fixture->loop = loop_poll_new();
	fixture->records = g_ptr_array_new_with_free_func(record_free);
	fixture->last_of = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_mutex_init(&fixture->lock);
	fixture->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_kept);
	fixture->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	fixture_open_driver(fixture);
}

char *fixture_path(DomainFixture *fixture, Domain *domain, const char *file)
{
	return g_build_filename(fixture->folder, "runtime", "domains", domain_get_uuid(domain), file,
				NULL);
}

static bool is_all_off(void *userdata)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(userdata);

	for (unsigned i = 0; i < domains->len; i++)
		if (domain_state_is_active(domain_get_state(g_ptr_array_index(domains, i))))
			return false;
	return true;
}

static void end_all(DomainFixture *fixture)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(fixture->driver);

	for (unsigned i = 0; i < domains->len; i++) {
		Domain *domain = g_ptr_array_index(domains, i);

		if (domain == fixture->slow)
			for (; fixture->unsent > 0; fixture->unsent--)
				domain_event_sent(domain);
		if (domain_state_is_active(domain_get_state(domain)))
			domain_destroy(domain, 0, NULL, NULL);
	}
	fixture->slow = NULL;
	fixture_wait(fixture, is_all_off, fixture->driver);
}

void fixture_tear_down(DomainFixture *fixture, const void *data)
{
	g_autofree char *domains = g_build_filename(fixture->folder, "runtime", "domains", NULL);
	g_autoptr(GDir) folder = NULL;

	if (fixture->driver)
		end_all(fixture);
	fixture_close_driver(fixture);
	fixture->loop = loop_free(fixture->loop);

	/* No process, no folder. */
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
	folder = g_dir_open(domains, 0, NULL);
	g_assert_nonnull(folder);
	g_assert_cmpstr(g_dir_read_name(folder), ==, NULL);

	g_assert_true(directories_remove(fixture->folder, NULL));
	g_ptr_array_unref(fixture->records);
	event_unref(fixture->last);
	g_hash_table_unref(fixture->last_of);
	/* Whatever was kept went with its run. */
	g_assert_cmpuint(fixture_count_kept(fixture), ==, 0);
	g_hash_table_unref(fixture->kept);
	g_hash_table_unref(fixture->taken);
	g_mutex_clear(&fixture->lock);
}

/* ---- waiting ---- */

void fixture_wait(DomainFixture *fixture, bool (*condition)(void *userdata), void *userdata)
{
	gint64 deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;

	while (!condition(userdata)) {
		if (g_get_monotonic_time() > deadline) {
			for (unsigned i = 0; i < MIN(fixture->records->len, 50); i++) {
				const Record *record = g_ptr_array_index(fixture->records, i);

				g_printerr("  %s: %s\n", record->domain, record->text);
			}
			g_error("the condition was not reached");
		}
		(void)loop_run_once(fixture->loop, 100);
	}
}

void fixture_run(DomainFixture *fixture)
{
	while (loop_run_once(fixture->loop, 0))
		;
}

static void on_time_over(int timeout, void *userdata)
{
	*(bool *)userdata = true;
}

static bool is_true(void *userdata)
{
	return *(bool *)userdata;
}

void fixture_run_for(DomainFixture *fixture, int interval_ms)
{
	bool is_over = false;
	int timeout = loop_add_timeout(fixture->loop, interval_ms, on_time_over, &is_over, NULL);

	fixture_wait(fixture, is_true, &is_over);
	g_assert_true(loop_remove_timeout(fixture->loop, timeout));
}

typedef struct StateWait {
	Domain *domain;
	DomainState state;
} StateWait;

static bool has_state(void *userdata)
{
	const StateWait *wait = userdata;

	return domain_get_state(wait->domain) == wait->state;
}

void fixture_wait_state(DomainFixture *fixture, Domain *domain, DomainState state)
{
	StateWait wait = { domain, state };

	fixture_wait(fixture, has_state, &wait);
}

/* ---- answers ---- */

void on_answer(Domain *domain, const char *result, const GError *error, void *userdata)
{
	Answer *answer = userdata;

	/* Exactly once. */
	g_assert_false(answer->done);
	answer->done = true;
	answer->result = g_strdup(result);
	answer->error = error ? g_error_copy(error) : NULL;
}

void on_driver_answer(Domain *domain, const GError *error, void *userdata)
{
	on_answer(domain, domain ? domain_get_uuid(domain) : NULL, error, userdata);
}

static bool is_done(void *userdata)
{
	return ((Answer *)userdata)->done;
}

void answer_wait(DomainFixture *fixture, Answer *answer)
{
	fixture_wait(fixture, is_done, answer);
}

void answer_wait_ok(DomainFixture *fixture, Answer *answer)
{
	answer_wait(fixture, answer);
	g_assert_no_error(answer->error);
}

void answer_wait_error(DomainFixture *fixture, Answer *answer, CoreError code, const char *text)
{
	answer_wait(fixture, answer);
	g_assert_error(answer->error, CORE_ERROR, (int)code);
	if (!strstr(answer->error->message, text))
		g_error("'%s' is not in: %s", text, answer->error->message);
	g_assert_null(answer->result);
}

void answer_clear(Answer *answer)
{
	g_clear_pointer(&answer->result, g_free);
	g_clear_error(&answer->error);
	answer->done = false;
}

/* ---- domains ---- */

char *fixture_document(const char *name, const char *settings, const char *members)
{
	const char *program = g_getenv("VMHERALD_FAKE_QEMU");
	g_autofree char *escaped = g_strescape(settings ? settings : "", NULL);

	g_assert_nonnull(program);
	return g_strdup_printf("{\"name\":\"%s\",\"emulator\":\"%s\",\"accel\":\"tcg\",\"arguments\":["
			       "\"-fake\",\"device-del=after;%s\"]%s%s}", name, program,
			       escaped, members ? "," : "", members ? members : "");
}

Domain *fixture_define(DomainFixture *fixture, const char *name, const char *settings,
		       const char *members)
{
	g_autofree char *document = fixture_document(name, settings, members);
	g_auto(Answer) answer = { 0 };
	Domain *domain;

	driver_define(fixture->driver, geteuid(), document, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	domain = driver_find_domain_by_uuid(fixture->driver, answer.result);
	fixture_expect(fixture, domain, "defined added shut-off", NULL);
	return domain;
}

void fixture_start(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "starting booted starting", "started booted running", NULL);
}

Domain *fixture_run_domain(DomainFixture *fixture, const char *name, const char *settings,
			   const char *members)
{
	Domain *domain = fixture_define(fixture, name, settings, members);

	fixture_start(fixture, domain);
	return domain;
}

void fixture_destroy(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_destroy(domain, DOMAIN_DESTROY_GRACE_MS, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

JsonNode *fixture_json(const char *text)
{
	g_autoptr(GError) error = NULL;
	JsonNode *node = json_from_string(text, &error);

	g_assert_no_error(error);
	return node;
}

char *fixture_execute(DomainFixture *fixture, Domain *domain, const char *command,
		      const char *arguments)
{
	g_auto(Answer) answer = { 0 };

	domain_execute(domain, command, arguments ? fixture_json(arguments) : NULL, 20000, on_answer,
		       &answer);
	answer_wait_ok(fixture, &answer);
	return g_steal_pointer(&answer.result);
}

void fixture_set(DomainFixture *fixture, Domain *domain, const char *key, const char *value)
{
	g_autoptr(JsonObject) object = json_object_new();
	g_autoptr(JsonNode) node = NULL;
	g_autofree char *text = NULL;

	json_object_set_string_member(object, key, value);
	node = json_node_init_object(json_node_alloc(), object);
	text = json_to_string(node, FALSE);
	g_free(fixture_execute(fixture, domain, "x-set", text));
}

void fixture_emit(DomainFixture *fixture, Domain *domain, const char *events)
{
	g_autofree char *text = g_strdup_printf("{\"events\":[%s]}", events);

	g_free(fixture_execute(fixture, domain, "x-emit", text));
}

void fixture_close_monitor(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_execute(domain, "x-close", NULL, 20000, on_answer, &answer);
	answer_wait(fixture, &answer);
}

/* ---- events ---- */

unsigned fixture_count(DomainFixture *fixture, const char *domain)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fixture->records->len; i++)
		n += g_str_equal(((Record *)g_ptr_array_index(fixture->records, i))->domain, domain);
	return n;
}

typedef struct CountWait {
	DomainFixture *fixture;
	const char *domain;
	unsigned n;
} CountWait;

static bool has_count(void *userdata)
{
	const CountWait *wait = userdata;

	return fixture_count(wait->fixture, wait->domain) >= wait->n;
}

void fixture_expect(DomainFixture *fixture, Domain *domain, ...)
{
	/* A copy: a redefinition that comes to effect meanwhile brings another string. */
	g_autofree char *name = g_strdup(domain_get_name(domain));
	CountWait wait = { fixture, name, 0 };
	g_autoptr(GPtrArray) expected = g_ptr_array_new();
	unsigned n = 0;
	const char *text;
	va_list texts;

	va_start(texts, domain);
	while ((text = va_arg(texts, const char *)))
		g_ptr_array_add(expected, (char *)text);
	va_end(texts);

	wait.n = expected->len;
	fixture_wait(fixture, has_count, &wait);
	/* And not one more that is there already. */
	fixture_run(fixture);
	for (unsigned i = 0; i < fixture->records->len; i++) {
		const Record *record = g_ptr_array_index(fixture->records, i);

		if (!g_str_equal(record->domain, wait.domain))
			continue;
		if (n >= expected->len)
			g_error("one event too many: %s", record->text);
		g_assert_cmpstr(record->text, ==, g_ptr_array_index(expected, n++));
	}
	for (unsigned i = 0; i < fixture->records->len;) {
		const Record *record = g_ptr_array_index(fixture->records, i);

		if (!g_str_equal(record->domain, wait.domain)) {
			i++;
			continue;
		}
		event_unref(fixture->last);
		fixture->last = event_ref(record->event);
		g_ptr_array_remove_index(fixture->records, i);
	}
}

const Event *fixture_last(const DomainFixture *fixture)
{
	g_assert_nonnull(fixture->last);
	return fixture->last;
}

void fixture_forget(DomainFixture *fixture)
{
	g_ptr_array_set_size(fixture->records, 0);
}

char *event_detail(const Event *event, const char *key)
{
	g_autoptr(GVariant) value = NULL;

	if (g_str_equal(key, EVENT_DETAIL_NAME) && event->name)
		value = g_variant_ref_sink(g_variant_new_string(event->name));
	else if (event->details)
		value = g_variant_lookup_value(event->details, key, NULL);
	return value ? g_variant_print(value, FALSE) : g_strdup("");
}
