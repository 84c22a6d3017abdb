/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/stat.h>

#include "base/log.h"
#include "driver-internal.h"
#include "qemu/log-file.h"
#include "qemu/log-watch.h"

/*
 * Logs of QEMUs and of their consoles are written by QEMU alone (qemu/log-file.h). Here somebody looks at
 * their size, some time after they have been written to, and at the number of folders that no domain owns any more: a
 * log is what tells why a domain died, and a transient domain is gone by then.
 *
 * Whose logs are due is told by the watch (qemu/log-watch.h), once until they have been looked at. A folder that cannot be
 * watched stays due as long as its domain runs.
 *
 * One look is one item of one strand, and none is begun before the last has ended, so a slow disk
 * makes them rarer and nothing worse.
 */

typedef struct LogsJob {
	Driver *driver;
	char *logs;
	GPtrArray *active;        /* uuids whose logs are looked at */
	GArray *numbers;          /* of their watches */
	GHashTable *known;        /* uuids whose folders stay; NULL: nothing is to be removed */
} LogsJob;

typedef struct OldFolder {
	char *path;
	gint64 time;
} OldFolder;

static void old_folder_free(void *data)
{
	OldFolder *folder = data;

	g_free(folder->path);
	g_free(folder);
}

static int compare_age(const void *a, const void *b)
{
	const OldFolder *const *first = a, *const *second = b;

	return (*first)->time < (*second)->time ? -1 : (*first)->time > (*second)->time;
}

static GPtrArray *list_old(const char *logs, GHashTable *known)
{
	GPtrArray *folders = g_ptr_array_new_with_free_func(old_folder_free);
	g_autoptr(GDir) dir = g_dir_open(logs, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(logs, name, NULL);
		OldFolder *folder;
		struct stat info;

		/* What is not ours is left alone. */
		if (!definition_uuid_is_valid(name) || g_hash_table_contains(known, name) ||
		    lstat(path, &info) < 0 || !S_ISDIR(info.st_mode))
			continue;
		folder = g_new0(OldFolder, 1);
		folder->path = g_steal_pointer(&path);
		folder->time = (gint64)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
		g_ptr_array_add(folders, folder);
	}
	g_ptr_array_sort(folders, compare_age);
	return folders;
}

static void remove_old(const char *logs, GHashTable *known)
{
	g_autoptr(GPtrArray) folders = list_old(logs, known);

	for (unsigned i = 0; i + DRIVER_OLD_LOGS_MAX < folders->len; i++) {
		const OldFolder *folder = g_ptr_array_index(folders, i);
		g_autoptr(GError) error = NULL;

		if (!directories_remove(folder->path, &error))
			log_problem(LOG_ID_STORE_FAILED, folder->path, error->message);
	}
}

static StrandStep logs_work(void *data)
{
	LogsJob *job = data;

	for (unsigned i = 0; i < job->active->len; i++) {
		g_autofree char *folder = g_build_filename(job->logs,
							   g_ptr_array_index(job->active, i), NULL);
		int number = qemu_log_watch_arm(job->driver->log_watch, folder);

		g_array_append_val(job->numbers, number);
		qemu_log_limit_all(folder);
	}
	if (job->known)
		remove_old(job->logs, job->known);
	return STRAND_DONE;
}

static bool is_running(Driver *driver, const char *uuid)
{
	const Domain *domain = registry_find_by_uuid(driver->registry, uuid);

	return domain && domain_get_pid(domain) != 0;
}

static void set_due(Driver *driver, const char *uuid)
{
	if (g_hash_table_size(driver->logs_due) == 0)
		loop_update_timeout(driver->loop, driver->logs_timer, DRIVER_LOGS_INTERVAL_MS);
	g_hash_table_add(driver->logs_due, g_strdup(uuid));
}

static void set_all_due(Driver *driver)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);

	for (unsigned i = 0; i < domains->len; i++)
		if (domain_get_pid(g_ptr_array_index(domains, i)) != 0)
			set_due(driver, domain_get_uuid(g_ptr_array_index(domains, i)));
}

static void note_watches(const LogsJob *job)
{
	Driver *driver = job->driver;

	for (unsigned i = 0; i < job->active->len; i++) {
		const char *uuid = g_ptr_array_index(job->active, i);
		int number = g_array_index(job->numbers, int, i);

		if (number >= 0)
			qemu_log_watch_note(driver->log_watch, number, uuid);
		else if (is_running(driver, uuid))
			set_due(driver, uuid);
		if (!is_running(driver, uuid))
			qemu_log_watch_forget(driver->log_watch, uuid);
	}
	if (driver->log_watch)
		qemu_log_watch_noted(driver->log_watch);
}

static void logs_done(void *data)
{
	LogsJob *job = data;
	Driver *driver = job->driver;

	note_watches(job);
	driver->logs_busy = false;
	if (driver->logs_dirty)
		driver_logs_clean(driver);
}

static void logs_free(void *data)
{
	LogsJob *job = data;

	g_ptr_array_unref(job->active);
	g_array_unref(job->numbers);
	g_clear_pointer(&job->known, g_hash_table_unref);
	g_free(job->logs);
	g_free(job);
}

static const StrandItemClass logs_class = { logs_work, NULL, logs_done, logs_free };

static GHashTable *list_known(Driver *driver)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);
	GHashTable *known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (unsigned i = 0; i < domains->len; i++)
		g_hash_table_add(known, g_strdup(domain_get_uuid(g_ptr_array_index(domains, i))));
	return known;
}

static void look(Driver *driver, bool clean)
{
	LogsJob *job = g_new0(LogsJob, 1);
	GHashTableIter iter;
	void *uuid;

	job->driver = driver;
	job->logs = g_strdup(driver->directories->logs);
	job->active = g_ptr_array_new_with_free_func(g_free);
	job->numbers = g_array_new(FALSE, FALSE, sizeof(int));
	job->known = clean ? list_known(driver) : NULL;
	g_hash_table_iter_init(&iter, driver->logs_due);
	while (g_hash_table_iter_next(&iter, &uuid, NULL)) {
		if (is_running(driver, uuid))
			g_ptr_array_add(job->active, g_strdup(uuid));
	}
	g_hash_table_remove_all(driver->logs_due);
	loop_update_timeout(driver->loop, driver->logs_timer, LOOP_DISABLED);
	driver->logs_busy = true;
	strand_push(driver->logs, &logs_class, job);
}

/* Until the look before it has ended, it comes again. */
static void on_timer(int timer, void *userdata)
{
	Driver *driver = userdata;

	if (!driver->logs_busy)
		look(driver, false);
}

static void on_written(const char *uuid, void *userdata)
{
	Driver *driver = userdata;

	if (!uuid)
		set_all_due(driver);
	else if (is_running(driver, uuid))
		set_due(driver, uuid);
}

void driver_logs_update(Driver *driver, const Domain *domain)
{
	if (!driver->logs_timer)
		return;
	if (domain_get_pid(domain) != 0)
		set_due(driver, domain_get_uuid(domain));
	else
		qemu_log_watch_forget(driver->log_watch, domain_get_uuid(domain));
}

void driver_logs_clean(Driver *driver)
{
	driver->logs_dirty = driver->logs_busy;
	if (driver->logs_timer && !driver->logs_busy)
		look(driver, true);
}

void driver_logs_start(Driver *driver)
{
	driver->logs_timer = loop_add_timeout(driver->loop, LOOP_DISABLED, on_timer, driver, NULL);
	driver->logs_due = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	driver->log_watch = qemu_log_watch_new(driver->loop, on_written, driver);
	set_all_due(driver);
	driver_logs_clean(driver);
}

void driver_logs_stop(Driver *driver)
{
	if (driver->logs_timer)
		loop_remove_timeout(driver->loop, driver->logs_timer);
	driver->logs_timer = 0;
	if (driver->logs)
		strand_close(driver->logs);
}

void driver_logs_free(Driver *driver)
{
	driver->log_watch = qemu_log_watch_free(driver->log_watch);
	g_clear_pointer(&driver->logs_due, g_hash_table_unref);
}
