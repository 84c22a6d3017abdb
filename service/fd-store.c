/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fd-store.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"

typedef struct GivenFd {
	char *name;
	int fd;                     /* -1: taken */
} GivenFd;

struct FdStore {
	GArray *given;              /* GivenFd, the oldest first */
};

static void given_clear(void *data)
{
	GivenFd *given = data;

	if (given->fd >= 0)
		(void)close(given->fd);
	g_free(given->name);
}

FdStore *fd_store_new(void)
{
	FdStore *store = g_new0(FdStore, 1);
	char **names = NULL;
	int n;

	store->given = g_array_new(FALSE, FALSE, sizeof(GivenFd));
	g_array_set_clear_func(store->given, given_clear);
	/* What is given to us is not given to those that we start. */
	n = sd_listen_fds_with_names(true, &names);
	for (int i = 0; i < n; i++) {
		GivenFd given = { g_strdup(names[i]), SD_LISTEN_FDS_START + i };

		g_array_append_val(store->given, given);
		free(names[i]);
	}
	free(names);
	return store;
}

FdStore *fd_store_free(FdStore *store)
{
	if (!store)
		return NULL;
	g_array_unref(store->given);
	g_free(store);
	return NULL;
}

static void keep(const char *name, int fd, void *userdata)
{
	/* FDPOLL=0: the store shall not let go of a socket whose other end was closed. What QEMU said last is
	 * still in it. */
	g_autofree char *state = g_strdup_printf("FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	int r = sd_pid_notify_with_fds(0, false, state, &fd, 1);

	if (r < 0)
		log_text(LOG_NOTICE, "The service manager does not keep %s: %s", name, g_strerror(-r));
}

static void forget(const char *name, void *userdata)
{
	g_autofree char *state = g_strdup_printf("FDSTOREREMOVE=1\nFDNAME=%s", name);
	int r = sd_notify(false, state);

	if (r < 0)
		log_text(LOG_NOTICE, "The service manager goes on keeping %s: %s", name, g_strerror(-r));
}

static int take(const char *name, void *userdata)
{
	FdStore *store = userdata;
	unsigned n = 0;
	int fd = -1;

	/* The newest counts. There is more than one if the service was killed when it exchanged them. */
	for (unsigned i = store->given->len; i-- > 0;) {
		GivenFd *given = &g_array_index(store->given, GivenFd, i);

		if (!g_str_equal(given->name, name) || given->fd < 0)
			continue;
		if (n++ == 0)
			fd = given->fd;
		else
			(void)close(given->fd);
		given->fd = -1;
	}
	if (n > 1) {
		forget(name, store);
		keep(name, fd, store);
	}
	return fd;
}

static void drop_others(void *userdata)
{
	FdStore *store = userdata;

	for (unsigned i = 0; i < store->given->len; i++) {
		GivenFd *given = &g_array_index(store->given, GivenFd, i);

		if (given->fd < 0)
			continue;
		log_text(LOG_INFO, "The service manager has kept %s, which belongs to nothing", given->name);
		forget(given->name, store);
		(void)close(given->fd);
		given->fd = -1;
	}
}

DescriptorStore fd_store_get_interface(FdStore *store)
{
	return (DescriptorStore){ keep, forget, take, drop_others, store };
}
