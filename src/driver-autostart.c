/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "driver-internal.h"

/*
 * Autostart belongs to the boot of the host (or the login of the user), not to the start of this service, which
 * comes and goes with its callers: a mark in the runtime folder tells that it has been done, or a domain
 * that was shut down on purpose would come back with the next call.
 */

/* Starting is mostly waiting for QEMU; more at once would only make all of them slow. */
#define AUTOSTART_AT_ONCE_MAX 4u

static void start_some(Driver *driver);

static void on_started(Domain *domain, const char *result, const GError *error, void *userdata)
{
	Driver *driver = userdata;

	driver->autostarting--;
	if (error)
		g_warning("Autostart: %s", error->message);
	start_some(driver);
}

static void start_some(Driver *driver)
{
	while (driver->autostarting < AUTOSTART_AT_ONCE_MAX &&
	       !g_queue_is_empty(&driver->autostart)) {
		Domain *domain = g_queue_pop_head(&driver->autostart);

		/* Somebody may have started or undefined it meanwhile. */
		if (domain_get_state(domain) == DOMAIN_STATE_SHUT_OFF && domain_is_persistent(domain)) {
			driver->autostarting++;
			domain_start(domain, false, on_started, driver);
		}
		domain_unref(domain);
	}
}

static bool mark(Driver *driver)
{
	g_autofree char *path = g_build_filename(driver->directories->runtime, "autostarted", NULL);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

void driver_autostart(Driver *driver, bool again)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(driver);

	if (!mark(driver) && !again)
		return;
	for (unsigned i = 0; i < domains->len; i++) {
		Domain *domain = g_ptr_array_index(domains, i);

		if (domain_is_autostart(domain) && domain_is_persistent(domain) &&
		    domain_get_state(domain) == DOMAIN_STATE_SHUT_OFF &&
		    !g_queue_find(&driver->autostart, domain))
			g_queue_push_tail(&driver->autostart, domain_ref(domain));
	}
	start_some(driver);
}
