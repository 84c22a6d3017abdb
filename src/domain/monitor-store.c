/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/monitor-store.h"

#include <fcntl.h>
#include <unistd.h>

/* The store is another process, which may be slow: so it is spoken to by a worker, in order. */
struct MonitorStore {
	DescriptorStore store;
	Strand *strand;
};

MonitorStore *monitor_store_new(WorkerPool *pool, const DescriptorStore *store)
{
	MonitorStore *monitors = g_new0(MonitorStore, 1);

	monitors->store = *store;
	monitors->strand = strand_new(pool);
	return monitors;
}

MonitorStore *monitor_store_free(MonitorStore *monitors)
{
	if (!monitors)
		return NULL;
	strand_unref(monitors->strand);
	g_free(monitors);
	return NULL;
}

static char *make_name(const char *uuid)
{
	return g_strconcat("monitor-", uuid, NULL);
}

/* Forgets what was kept by that name and, if there is a descriptor, keeps that instead. */
typedef struct StoreJob {
	const DescriptorStore *store;
	char *name;
	int fd;
} StoreJob;

static StrandStep store_work(void *data)
{
	StoreJob *job = data;

	job->store->forget(job->name, job->store->userdata);
	if (job->fd >= 0)
		job->store->keep(job->name, job->fd, job->store->userdata);
	return STRAND_DONE;
}

static void store_free(void *data)
{
	StoreJob *job = data;

	if (job->fd >= 0)
		(void)close(job->fd);
	g_free(job->name);
	g_free(job);
}

static const StrandItemClass store_class = { store_work, NULL, NULL, store_free };

static void push(MonitorStore *monitors, const char *uuid, int fd)
{
	StoreJob *job = g_new0(StoreJob, 1);

	job->store = &monitors->store;
	job->name = make_name(uuid);
	job->fd = fd;
	strand_push(monitors->strand, &store_class, job);
}

void monitor_store_keep(MonitorStore *monitors, const char *uuid, int fd)
{
	/* A copy, for the connection may be over before the worker gets to it. Without one it is not kept. */
	if (monitors)
		push(monitors, uuid, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

void monitor_store_forget(MonitorStore *monitors, const char *uuid)
{
	if (monitors)
		push(monitors, uuid, -1);
}

int monitor_store_take(MonitorStore *monitors, const char *uuid)
{
	g_autofree char *name = make_name(uuid);

	return monitors ? monitors->store.take(name, monitors->store.userdata) : -1;
}

void monitor_store_drop_others(MonitorStore *monitors)
{
	if (monitors)
		monitors->store.drop_others(monitors->store.userdata);
}
