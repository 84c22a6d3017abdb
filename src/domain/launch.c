/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/launch.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directories.h"
#include "base/error.h"
#include "base/log.h"
#include "base/unix-socket.h"
#include "domain/firmware.h"
#include "qemu/command-line.h"
#include "qemu/interface.h"
#include "qemu/log-file.h"
#include "qemu/sandbox.h"

/* The descriptor QEMU finds the listening socket at. */
#define MONITOR_FD_IN_QEMU 3
#define MONITOR_BACKLOG    4

static int make_listening_socket(const char *directory, GError **error)
{
	g_autofree char *path = g_build_filename(directory, RUN_MONITOR_NAME, NULL);
	/* WARNING: non-blocking. QEMU moves a monitor's chardev to a thread of its own while it starts, and
	 * may be told of one connection in both; the second accept() would never return (seen with 7.2). */
	int fd = unix_socket_listen(path, MONITOR_BACKLOG);

	if (fd < 0)
		core_error_set_errno(error, -fd, "%s: the monitor's socket cannot be made", path);
	return MAX(fd, -1);
}

int launch_connect(const char *directory, GError **error)
{
	g_autofree char *path = g_build_filename(directory, RUN_MONITOR_NAME, NULL);
	int fd = unix_socket_connect(path);

	if (fd < 0)
		g_set_error(error, CORE_ERROR, CORE_ERROR_MONITOR_LOST, "%s: cannot be connected to: %s",
			    path, g_strerror(-fd));
	return MAX(fd, -1);
}

static bool write_run_file(const RunFile *run, const char *directory, GError **error)
{
	g_autofree char *json = run_file_to_json(run);

	return run_file_write(directory, json, error);
}

void launch_plan_clear(LaunchPlan *plan)
{
	g_clear_pointer(&plan->directory, g_free);
	g_clear_pointer(&plan->logs, g_free);
	g_clear_pointer(&plan->nvram, g_free);
	g_clear_pointer(&plan->user_problem, g_free);
	g_clear_pointer(&plan->image_directories, g_strfreev);
	plan->descriptors = descriptors_free(plan->descriptors);
}

/* files: opened, or only named for a command line that is shown. */
static GStrv make_command_line(const Definition *definition, const LaunchPlan *plan,
			       const char *emulator, const LaunchFiles *files)
{
	g_autofree char *pid_file = g_build_filename(plan->directory, RUN_PID_FILE_NAME, NULL);
	g_autoptr(QemuEmulator) known = qemu_emulators_get(plan->emulators, emulator);
	QemuCommandLineContext context = {
		.emulator = emulator,
		.monitor_fd = MONITOR_FD_IN_QEMU,
		.pid_file = files->fdsets ? NULL : pid_file,
		.incoming = plan->incoming,
		.knows_sandbox = known && known->knows_sandbox,
	};

	launch_files_set_context(files, &context);
	return qemu_command_line_build(definition, &context);
}

GStrv launch_make_command_line(const Definition *definition, const LaunchPlan *plan, GError **error)
{
	g_autofree char *emulator = qemu_emulator_find(definition->emulator, error);
	g_auto(LaunchFiles) files = { 0 };

	if (!emulator)
		return NULL;
	launch_files_name(definition, plan->nvram, plan->logs, &files);
	return make_command_line(definition, plan, emulator, &files);
}

static bool open_files(const RunFile *run, const LaunchPlan *plan, LaunchFiles *ret_files, GError **error)
{
	g_autofree char *mark = g_build_filename(plan->directory, RUN_PID_FILE_NAME, NULL);
	const QemuImageAccess access = {
		.user = plan->launcher ? plan->launcher->user : NULL,
		.directories = (const char *const *)plan->image_directories,
	};

	if (access.user)
		return launch_files_open(run->definition, &access, plan->nvram, plan->logs, mark, ret_files, error);
	launch_files_name(run->definition, plan->nvram, plan->logs, ret_files);
	return firmware_prepare(run->definition, plan->nvram, error);
}

/* A link in its place would lead what is written there elsewhere. */
static bool make_log_directory(const char *logs, GError **error)
{
	struct stat status;
	int result = g_mkdir_with_parents(logs, 0700);

	if (result == 0 && lstat(logs, &status) == 0 && !S_ISDIR(status.st_mode)) {
		errno = ENOTDIR;
		result = -1;
	}
	if (result == 0)
		return true;
	core_error_set_errno(error, errno, "%s: cannot be made", logs);
	return false;
}

static bool place(RunFile *run, const LaunchPlan *plan, const Launched *launched, GError **error)
{
	const Placement *placement = plan->placement;

	return !placement || placement->place(run->definition, qemu_process_get_pid(launched->process),
					      &run->unit, error, placement->userdata);
}

/* nics: what it gets of its interfaces. */
static bool spawn(RunFile *run, const LaunchPlan *plan, int listening_fd, const LaunchFiles *files,
		  const GArray *nics, Launched *launched, GError **error)
{
	g_autofree char *log_file = g_build_filename(plan->logs, RUN_LOG_FILE_NAME, NULL);
	g_auto(GStrv) arguments = make_command_line(run->definition, plan, launched->emulator, files);
	g_autoptr(GArray) inherit = g_array_new(FALSE, FALSE, sizeof(QemuDescriptor));
	const QemuDescriptor monitor = { listening_fd, MONITOR_FD_IN_QEMU };
	const QemuDescriptor *given;
	size_t n_given;

	G_STATIC_ASSERT(1 + DESCRIPTORS_MAX + DEFINITION_NIC_DESCRIPTORS_MAX + QEMU_FDSETS_FDS_MAX <=
			QEMU_PROGRAM_INHERIT_MAX);
	G_STATIC_ASSERT(DESCRIPTOR_NUMBER_MAX < QEMU_INTERFACE_FD_FIRST);
	g_array_append_val(inherit, monitor);
	given = descriptors_get(plan->descriptors, &n_given);
	if (n_given > 0)
		g_array_append_vals(inherit, given, n_given);
	g_array_append_vals(inherit, nics->data, nics->len);
	given = qemu_fdsets_get(files->fdsets, &n_given);
	if (n_given > 0)
		g_array_append_vals(inherit, given, n_given);
	if (!qemu_log_begin(log_file, error))
		return false;
	launched->process = qemu_process_spawn(arguments, log_file, (const QemuDescriptor *)inherit->data,
					       inherit->len, plan->launcher, error);
	if (!launched->process)
		return false;
	run->pid = qemu_process_get_pid(launched->process);
	run->start_time = qemu_process_get_start_time(launched->process);
	/* Let go when it is where it belongs, and can be found there. */
	return place(run, plan, launched, error) && write_run_file(run, plan->directory, error) &&
	       qemu_process_release(launched->process, launched->emulator, error);
}

static bool is_in_command_line(const char *pid, const char *needle)
{
	g_autofree char *path = g_build_filename("/proc", pid, "cmdline", NULL);
	g_autofree char *arguments = NULL;
	size_t length;

	return g_file_get_contents(path, &arguments, &length, NULL) &&
	       memmem(arguments, length, needle, strlen(needle)) != NULL;
}

QemuProcess *launch_find_orphan(const char *directory)
{
	g_autofree char *pid_file = g_build_filename(directory, RUN_PID_FILE_NAME, NULL);
	g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
	const char *name;

	while (proc && (name = g_dir_read_name(proc))) {
		g_autoptr(QemuProcess) process = NULL;

		if (!g_ascii_isdigit(*name) || !is_in_command_line(name, pid_file))
			continue;
		/* Looked at once more with the process in hand: its number may be another's by now. */
		process = qemu_process_adopt((pid_t)g_ascii_strtoll(name, NULL, 10), 0, NULL);
		if (process && is_in_command_line(name, pid_file))
			return g_steal_pointer(&process);
	}
	return NULL;
}

static bool check_no_orphan(const char *directory, GError **error)
{
	g_autoptr(QemuProcess) orphan = NULL;

	if (access(directory, F_OK) != 0)
		return true;
	orphan = launch_find_orphan(directory);
	if (!orphan)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
		    "A QEMU of an earlier run is still there (pid %d) and cannot be taken up again; "
		    "end it first", (int)qemu_process_get_pid(orphan));
	return false;
}

/* The links are made last, when nothing else can fail any more but QEMU itself. */
static bool spawn_with_links(RunFile *run, const LaunchPlan *plan, int listening_fd, const LaunchFiles *files,
			     Launched *launched, GError **error)
{
	g_autoptr(GArray) descriptors = host_nics_descriptors_new();

	return host_nics_make(run->host_nics, run->definition, descriptors, error) &&
	       spawn(run, plan, listening_fd, files, descriptors, launched, error);
}

/* What an earlier run may have left, for example when the disk was full. */
static bool remove_left(const RunFile *run, const char *directory, GError **error)
{
	g_autoptr(GHashTable) links = run_file_read_links(directory);

	host_nics_remove(links, run->definition->name);
	return directories_remove(directory, error);
}

/* Whether it may be started at all, as what it would be. */
static bool check_confined(const RunFile *run, const LaunchPlan *plan, const char *emulator, GError **error)
{
	g_autoptr(QemuEmulator) known = NULL;

	if (plan->user_problem) {
		g_set_error_literal(error, CORE_ERROR, CORE_ERROR_START_FAILED, plan->user_problem);
		return false;
	}
	if (!plan->require_sandbox)
		return true;
	known = qemu_emulators_get(plan->emulators, emulator);
	return qemu_sandbox_check(run->definition, known && known->knows_sandbox, error);
}

static bool launch_in(RunFile *run, const LaunchPlan *plan, Launched *launched, GError **error)
{
	g_autoptr(GError) picture_error = NULL;
	g_auto(LaunchFiles) files = { 0 };
	const char *directory = plan->directory;
	int listening_fd;
	bool ok;

	launched->emulator = qemu_emulator_find(run->definition->emulator, error);
	if (!launched->emulator || !check_confined(run, plan, launched->emulator, error))
		return false;
	run->emulator = g_strdup(launched->emulator);
	if (!remove_left(run, directory, error))
		return false;
	if (mkdir(directory, 0700) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be made", directory);
		return false;
	}
	run->host_nics = host_nics_plan(run->definition);
	if (!write_run_file(run, directory, error) || !make_log_directory(plan->logs, error) ||
	    !open_files(run, plan, &files, error))
		return false;
	listening_fd = make_listening_socket(directory, error);
	if (listening_fd < 0)
		return false;
	launched->picture = run_picture_open(directory, &picture_error);
	if (!launched->picture)
		log_problem(LOG_ID_STORE_FAILED, directory, picture_error->message);
	launched->monitor_fd = launch_connect(directory, error);
	launched->disk_sets = files.disk_sets;
	launched->n_disk_sets = files.n_disk_sets;
	ok = launched->monitor_fd >= 0 && spawn_with_links(run, plan, listening_fd, &files, launched, error);
	(void)close(listening_fd);
	return ok;
}

bool launch(RunFile *run, const LaunchPlan *plan, Launched *ret_launched, GError **error)
{
	Launched launched = { .monitor_fd = -1 };

	/* WARNING: nothing is touched if a QEMU lives there. Its socket is in this folder and in no other
	 * place, and its disks are those of this domain. */
	if (!check_no_orphan(plan->directory, error))
		return false;
	if (launch_in(run, plan, &launched, error)) {
		*ret_launched = launched;
		return true;
	}
	if (launched.monitor_fd >= 0)
		(void)close(launched.monitor_fd);
	if (launched.process)
		qemu_process_kill(launched.process);
	qemu_process_free(launched.process);
	run_picture_free(launched.picture);
	g_free(launched.emulator);
	/* WARNING: while the folder is there, for it is what knows of them. */
	if (run->host_nics)
		host_nics_remove(run->host_nics, run->definition->name);
	(void)directories_remove(plan->directory, NULL);
	return false;
}
