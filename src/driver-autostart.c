/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/boot-id.h"
#include "driver-internal.h"

/*
 * Autostart belongs to the boot of the host (or the login of the user), not to the start of this service, which
 * comes and goes with its callers: a mark in the runtime folder tells that it has been done, or a domain
 * that was shut down on purpose would come back with the next call.
 */

static void start_some(Driver *driver);

static void on_started(Domain *domain, const char *result, const GError *error, void *userdata)
{
	Driver *driver = userdata;

	driver->autostarting--;
	/* The others are started nevertheless. */
	if (error)
		g_warning("Autostart: %s", error->message);
	start_some(driver);
}

/* WARNING: a domain that was undefined while it was off is persistent to its end, but nobody has it any more. */
static bool is_still_there(Driver *driver, Domain *domain)
{
	return driver_find_domain_by_uuid(driver, domain_get_uuid(domain)) == domain;
}

/* Also asked again when its turn comes: somebody may have started, undefined or changed it meanwhile. */
static bool is_wanted(Driver *driver, Domain *domain)
{
	return domain_is_autostart(domain) && domain_is_persistent(domain) &&
	       domain_get_state(domain) == DOMAIN_STATE_SHUT_OFF && is_still_there(driver, domain);
}

static void start_some(Driver *driver)
{
	while (driver->autostarting < DRIVER_AUTOSTART_AT_ONCE_MAX &&
	       !g_queue_is_empty(&driver->autostart)) {
		Domain *domain = g_queue_pop_head(&driver->autostart);

		if (is_wanted(driver, domain)) {
			driver->autostarting++;
			domain_autostart(domain, on_started, driver);
		}
		domain_unref(domain);
	}
}

/* Whether it is the first time since the boot. The runtime folder may outlive a boot, so the mark names it. */
static bool mark(Driver *driver)
{
	g_autofree char *path = g_build_filename(driver->directories->runtime, "autostarted", NULL);
	g_autofree char *boot_id = boot_id_read();
	g_autofree char *marked = NULL;
	g_autoptr(GError) error = NULL;

	if (g_file_get_contents(path, &marked, NULL, NULL) && g_str_equal(marked, boot_id))
		return false;
	if (!g_file_set_contents_full(path, boot_id, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
		g_warning("Autostart: %s", error->message);
	return true;
}

void driver_autostart(Driver *driver, bool again)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(driver);

	/* Whoever comes next does it: so it is not marked as done. */
	if (driver_is_shutting_down(driver) || (!again && !mark(driver)))
		return;
	for (unsigned i = 0; i < domains->len; i++) {
		Domain *domain = g_ptr_array_index(domains, i);

		if (is_wanted(driver, domain) && !g_queue_find(&driver->autostart, domain))
			g_queue_push_tail(&driver->autostart, domain_ref(domain));
	}
	start_some(driver);
}
