/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-log.h"
#include "driver-internal.h"

/*
 * The end of all guests, before the service ends. All are asked at the same time. What is to be done about a
 * domain follows from its state alone, and each change of a state lets all be looked at again: so one that is
 * still starting is asked when it runs, and one whose guest is down but kept by its policy is ended.
 */

typedef enum Asked {
	ASKED_NOTHING,
	ASKED_TO_SHUT_DOWN,
	ASKED_TO_END,
} Asked;

static void on_ended(Domain *domain, const char *result, const GError *error, void *userdata)
{
	Driver *driver = userdata;

	/* Refused, while it is saved for instance: whenever its state changes it is asked again. */
	if (error)
		domain_log(domain, LOG_INFO, "%s", error->message);
	if (error && driver->asked && g_hash_table_remove(driver->asked, domain))
		domain_unref(domain);
}

/* Whether the guest can do nothing about it, and nothing more will become of it. */
static bool stands_still(const Domain *domain)
{
	DomainState state = domain_get_state(domain);

	if (domain_is_being_written(domain))
		return false;
	return state == DOMAIN_STATE_PAUSED || state == DOMAIN_STATE_CRASHED;
}

static bool can_be_asked(const Domain *domain)
{
	DomainState state = domain_get_state(domain);

	return state == DOMAIN_STATE_RUNNING || state == DOMAIN_STATE_PM_SUSPENDED;
}

static void end(Driver *driver, Domain *domain)
{
	bool force = driver->shutdown_over || stands_still(domain);
	Asked wanted = force ? ASKED_TO_END : can_be_asked(domain) ? ASKED_TO_SHUT_DOWN : ASKED_NOTHING;
	Asked asked = GPOINTER_TO_UINT(g_hash_table_lookup(driver->asked, domain));

	if (wanted <= asked)
		return;
	if (asked == ASKED_NOTHING)
		domain_ref(domain);
	g_hash_table_insert(driver->asked, domain, GUINT_TO_POINTER(wanted));
	domain_end_with_service(domain, force, on_ended, driver);
}

static void look(int timer, void *userdata)
{
	Driver *driver = userdata;
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);
	unsigned n_left = driver->readopting;

	loop_update_timeout(driver->loop, driver->look_timer, LOOP_DISABLED);
	for (unsigned i = 0; i < domains->len; i++) {
		Domain *domain = g_ptr_array_index(domains, i);

		if (!domain_state_is_active(domain_get_state(domain)) || domain_is_adopted(domain))
			continue;
		n_left++;
		end(driver, domain);
	}
	if (n_left == 0 && driver->shut_down) {
		void (*done)(void *) = g_steal_pointer(&driver->shut_down);

		done(driver->shut_down_userdata);
	}
}

void driver_look_at_shutdown(Driver *driver)
{
	/* Not at once: the state is just being entered. */
	if (driver->look_timer)
		loop_update_timeout(driver->loop, driver->look_timer, 0);
}

static void on_over(int timer, void *userdata)
{
	Driver *driver = userdata;

	loop_update_timeout(driver->loop, driver->shutdown_timer, LOOP_DISABLED);
	driver->shutdown_over = true;
	driver_look_at_shutdown(driver);
}

void driver_shut_down(Driver *driver, int timeout_ms, void (*done)(void *userdata), void *userdata)
{
	g_assert(!driver->host.closing);
	driver->host.closing = true;
	driver->shut_down = done;
	driver->shut_down_userdata = userdata;
	driver->asked = g_hash_table_new(NULL, NULL);
	g_queue_clear_full(&driver->autostart, (GDestroyNotify)domain_unref);
	driver->look_timer = loop_add_timeout(driver->loop, 0, look, driver, NULL);
	driver->shutdown_timer = loop_add_timeout(driver->loop, timeout_ms, on_over, driver, NULL);
}

bool driver_is_shutting_down(const Driver *driver)
{
	return driver->host.closing;
}

void driver_end_shutdown(Driver *driver)
{
	GHashTableIter iter;
	void *domain;

	if (!driver->asked)
		return;
	(void)loop_remove_timeout(driver->loop, driver->look_timer);
	(void)loop_remove_timeout(driver->loop, driver->shutdown_timer);
	driver->look_timer = 0;
	g_hash_table_iter_init(&iter, driver->asked);
	while (g_hash_table_iter_next(&iter, &domain, NULL))
		domain_unref(domain);
	g_clear_pointer(&driver->asked, g_hash_table_unref);
}
