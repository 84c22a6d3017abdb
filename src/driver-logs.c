/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/stat.h>

#include "base/log.h"
#include "driver-internal.h"
#include "qemu/log-file.h"

/*
 * Logs of QEMUs and of their consoles are written by QEMU alone (qemu/log-file.h). Here somebody looks at
 * their size, as long as something runs, and at the number of folders that no domain owns any more: a
 * log is what tells why a domain died, and a transient domain is gone by then.
 *
 * One look is one item of one strand, and none is begun before the last has ended, so a slow disk
 * makes them rarer and nothing worse.
 */

typedef struct LogsJob {
	Driver *driver;
	char *logs;
	GPtrArray *active;        /* uuids whose logs grow */
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

		qemu_log_limit_all(folder);
	}
	if (job->known)
		remove_old(job->logs, job->known);
	return STRAND_DONE;
}

static void logs_done(void *data)
{
	LogsJob *job = data;
	Driver *driver = job->driver;

	driver->logs_busy = false;
	if (driver->logs_dirty)
		driver_logs_clean(driver);
}

static void logs_free(void *data)
{
	LogsJob *job = data;

	g_ptr_array_unref(job->active);
	g_clear_pointer(&job->known, g_hash_table_unref);
	g_free(job->logs);
	g_free(job);
}

static const StrandItemClass logs_class = { logs_work, NULL, logs_done, logs_free };

static void look(Driver *driver, bool clean)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);
	LogsJob *job = g_new0(LogsJob, 1);

	job->driver = driver;
	job->logs = g_strdup(driver->directories->logs);
	job->active = g_ptr_array_new_with_free_func(g_free);
	if (clean)
		job->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; i < domains->len; i++) {
		const Domain *domain = g_ptr_array_index(domains, i);

		if (domain_get_pid(domain) != 0)
			g_ptr_array_add(job->active, g_strdup(domain_get_uuid(domain)));
		if (clean)
			g_hash_table_add(job->known, g_strdup(domain_get_uuid(domain)));
	}
	driver->logs_busy = true;
	strand_push(driver->logs, &logs_class, job);
}

static bool is_anything_running(Driver *driver)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);

	for (unsigned i = 0; i < domains->len; i++)
		if (domain_get_pid(g_ptr_array_index(domains, i)) != 0)
			return true;
	return false;
}

static void on_timer(int timer, void *userdata)
{
	Driver *driver = userdata;

	/* The last one has ended: a look at what it left is done with the next start. */
	if (!is_anything_running(driver)) {
		driver->logs_watched = false;
		loop_update_timeout(driver->loop, driver->logs_timer, LOOP_DISABLED);
	} else if (!driver->logs_busy) {
		look(driver, false);
	}
}

void driver_logs_update(Driver *driver)
{
	if (!driver->logs_timer || driver->logs_watched)
		return;
	driver->logs_watched = true;
	loop_update_timeout(driver->loop, driver->logs_timer, DRIVER_LOGS_INTERVAL_MS);
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
	driver_logs_clean(driver);
	driver_logs_update(driver);
}

void driver_logs_stop(Driver *driver)
{
	if (driver->logs_timer)
		loop_remove_timeout(driver->loop, driver->logs_timer);
	driver->logs_timer = 0;
	if (driver->logs)
		strand_close(driver->logs);
}
