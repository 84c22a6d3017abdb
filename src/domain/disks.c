/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/disks.h"

#include <unistd.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "qemu/disks.h"

/*
 * The files of a block device that comes while QEMU runs (qemu/disks.h says why it does not open them itself):
 *
 *   a worker      opens all of them
 *   add-fd        for each; QEMU says which set it is in
 *   blockdev-add  the caller's part, with the names of the sets
 *   remove-fd     for each. What the node has opened stays open until it goes, and nothing has to be kept in mind for then
 *
 * A set that nobody has used is closed by QEMU when the connection ends, so a kill in between leaves nothing.
 */

struct GivenDisk {
	Domain *domain;
	uint64_t run;
	JsonNode *entry;         /* if QEMU opens them itself */
	QemuDisk *disk;          /* else */
	GArray *fdsets;          /* int64_t, of those that QEMU has got */
};

typedef struct Giving {
	GivenDisk *given;
	const QemuUser *user;    /* the driver's, which outlives its workers */
	GStrv directories;
	const char *place;       /* static */
	GArray *fds;             /* int */
	GError *error;
	DiskGiven done;
	void *userdata;
} Giving;

void disks_forget(Domain *domain, int64_t fdset)
{
	JsonObject *object = json_object_new();
	JsonNode *arguments = json_node_init_object(json_node_alloc(), object);

	json_object_set_int_member(object, "fdset-id", fdset);
	json_object_unref(object);
	domain_order(domain, "remove-fd", arguments);
}

JsonNode *given_disk_get_arguments(const GivenDisk *given)
{
	return json_node_ref(given->entry ? given->entry : qemu_disk_get_entry(given->disk));
}

void given_disk_free(GivenDisk *given)
{
	Domain *domain = given->domain;

	if (domain->host && domain->monitor && domain->run == given->run)
		for (unsigned i = 0; i < given->fdsets->len; i++)
			disks_forget(domain, g_array_index(given->fdsets, int64_t, i));
	g_clear_pointer(&given->entry, json_node_unref);
	qemu_disk_free(given->disk);
	g_array_unref(given->fdsets);
	domain_unref(domain);
	g_free(given);
}

static GivenDisk *given_disk_new(Domain *domain)
{
	GivenDisk *given = g_new0(GivenDisk, 1);

	given->domain = domain_ref(domain);
	given->run = domain->run;
	given->fdsets = g_array_new(FALSE, FALSE, sizeof(int64_t));
	return given;
}

static void close_fd(void *fd)
{
	(void)close(*(int *)fd);
}

/* Takes giving over. */
static void end(Giving *giving)
{
	g_autoptr(Domain) domain = domain_ref(giving->given->domain);

	if (giving->error)
		g_clear_pointer(&giving->given, given_disk_free);
	giving->done(domain, giving->given, giving->error, giving->userdata);
	g_array_unref(giving->fds);
	g_strfreev(giving->directories);
	g_clear_error(&giving->error);
	g_free(giving);
}

static void give_next(Giving *giving);

static void on_added(JsonNode *result, const GError *error, void *userdata)
{
	Giving *giving = userdata;
	GivenDisk *given = giving->given;
	int64_t fdset;

	if (error) {
		giving->error = g_error_copy(error);
	} else if (!json_read_int(json_node_as_object(result), "fdset-id", &fdset)) {
		giving->error = g_error_new(CORE_ERROR, CORE_ERROR_QEMU_ERROR,
					    "add-fd: QEMU does not say which set the descriptor is in");
	} else {
		g_autofree char *name = g_strdup_printf("/dev/fdset/%" G_GINT64_FORMAT, fdset);

		qemu_disk_set_name(given->disk, given->fdsets->len, name);
		g_array_append_val(given->fdsets, fdset);
	}
	give_next(giving);
}

static void give_next(Giving *giving)
{
	GivenDisk *given = giving->given;
	unsigned next = given->fdsets->len;

	if (giving->error || next == giving->fds->len)
		end(giving);
	else
		domain_call_add_fd(given->domain, NULL, g_array_index(giving->fds, int, next),
				   BACKEND_TIMEOUT_MS, on_added, giving);
}

static StrandStep open_work(void *data)
{
	Giving *giving = data;
	const QemuDisk *disk = giving->given->disk;
	const QemuImageAccess access = { giving->user, (const char *const *)giving->directories };

	if (!qemu_disks_check_number(qemu_disk_count(disk), giving->place, &giving->error))
		return STRAND_DONE;
	for (unsigned i = 0; i < qemu_disk_count(disk); i++) {
		int fd = qemu_disk_open(disk, i, &access, &giving->error);

		if (fd < 0)
			return STRAND_DONE;
		g_array_append_val(giving->fds, fd);
	}
	return STRAND_DONE;
}

/* Also when the service leaves, and perhaps nothing was opened. */
static void open_free(void *data)
{
	Giving *giving = data;
	const GivenDisk *given = giving->given;

	if (!giving->error && (!given->domain->host || given->domain->run != given->run))
		giving->error = g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST, "Domain '%s' has stopped",
					    domain_get_name(given->domain));
	give_next(giving);
}

static const StrandItemClass open_class = { open_work, NULL, NULL, open_free };

void disks_give(Domain *domain, JsonNode *entry, const char *place, DiskGiven done, void *userdata)
{
	const QemuUser *user = domain->host ? domain->host->launcher.user : NULL;
	GivenDisk *given = given_disk_new(domain);
	Giving *giving;

	if (!user || domain->adopted) {
		given->entry = json_node_ref(entry);
		done(domain, given, NULL, userdata);
		return;
	}
	given->disk = qemu_disk_new(entry, place);
	giving = g_new0(Giving, 1);
	giving->given = given;
	giving->user = user;
	giving->directories = g_strdupv(domain->host->configuration->image_directories);
	giving->place = place;
	giving->fds = g_array_new(FALSE, FALSE, sizeof(int));
	g_array_set_clear_func(giving->fds, close_fd);
	giving->done = done;
	giving->userdata = userdata;
	strand_push(domain->work, &open_class, giving);
}
