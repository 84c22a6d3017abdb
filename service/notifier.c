/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notifier.h"

#include <inttypes.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"

struct Notifier {
	sd_event_source *timer;     /* enabled: the line was told just now */
	Driver *driver;             /* NULL: not ready */
	bool dirty;
	char *status;               /* that was told last */
	unsigned reloads;
	bool stopping;
};

static void tell(const char *state)
{
	int r = sd_notify(false, state);

	if (r < 0)
		log_text(LOG_NOTICE, "The service manager could not be told: %s", g_strerror(-r));
}

/* ---- the line ---- */

static char *make_status(const Notifier *notifier)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(notifier->driver);
	unsigned n_active = 0;

	for (unsigned i = 0; i < domains->len; i++)
		if (domain_state_is_active(domain_get_state(g_ptr_array_index(domains, i))))
			n_active++;
	return g_strdup_printf("%u domain%s, %u running", domains->len, domains->len == 1 ? "" : "s", n_active);
}

static void rest(Notifier *notifier)
{
	(void)sd_event_source_set_time_relative(notifier->timer, NOTIFIER_STATUS_INTERVAL_US);
	(void)sd_event_source_set_enabled(notifier->timer, SD_EVENT_ONESHOT);
}

static void tell_status(Notifier *notifier)
{
	g_autofree char *status = make_status(notifier), *state = NULL;

	notifier->dirty = false;
	if (g_strcmp0(status, notifier->status) == 0)
		return;
	state = g_strconcat("STATUS=", status, NULL);
	tell(state);
	g_free(notifier->status);
	notifier->status = g_steal_pointer(&status);
	rest(notifier);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	Notifier *notifier = userdata;

	if (notifier->dirty && !notifier->stopping)
		tell_status(notifier);
	return 0;
}

static bool is_resting(const Notifier *notifier)
{
	int enabled = SD_EVENT_OFF;

	(void)sd_event_source_get_enabled(notifier->timer, &enabled);
	return enabled != SD_EVENT_OFF;
}

void notifier_look_again(Notifier *notifier)
{
	if (!notifier || !notifier->driver || notifier->dirty || notifier->stopping)
		return;
	notifier->dirty = true;
	/* Not at once: the domain may be just about to be added, or gone. */
	if (!is_resting(notifier)) {
		(void)sd_event_source_set_time_relative(notifier->timer, 0);
		(void)sd_event_source_set_enabled(notifier->timer, SD_EVENT_ONESHOT);
	}
}

/* ---- states ---- */

void notifier_ready(Notifier *notifier, Driver *driver)
{
	g_autofree char *state = NULL;

	if (!notifier)
		return;
	notifier->driver = driver;
	notifier->dirty = false;
	g_free(notifier->status);
	notifier->status = make_status(notifier);
	state = g_strdup_printf("READY=1\nSTATUS=%s", notifier->status);
	tell(state);
	rest(notifier);
}

void notifier_reload_begins(Notifier *notifier)
{
	g_autofree char *state = NULL;

	if (!notifier || notifier->reloads++ > 0)
		return;
	/* The time lets the manager tell this one from an answer to an earlier wish (Type=notify-reload). */
	state = g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" PRIi64, g_get_monotonic_time());
	tell(state);
}

void notifier_reload_ends(Notifier *notifier)
{
	if (notifier && --notifier->reloads == 0)
		tell("READY=1");
}

void notifier_stopping(Notifier *notifier, uint64_t extend_us)
{
	g_autofree char *state = NULL;

	if (!notifier)
		return;
	notifier->stopping = true;
	state = extend_us > 0 ? g_strdup_printf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, extend_us)
			      : g_strdup("STOPPING=1");
	tell(state);
}

Notifier *notifier_new(sd_event *event)
{
	Notifier *notifier;
	int r;

	if (!g_getenv("NOTIFY_SOCKET"))
		return NULL;
	notifier = g_new0(Notifier, 1);
	r = sd_event_add_time_relative(event, &notifier->timer, CLOCK_MONOTONIC, 0, 0, on_timer, notifier);
	if (r >= 0)
		r = sd_event_source_set_enabled(notifier->timer, SD_EVENT_OFF);
	/* It is the loop that has to turn, so it is the loop that tells. */
	if (r >= 0)
		r = sd_event_set_watchdog(event, true);
	if (r < 0)
		log_text(LOG_WARNING, "The watchdog of the service manager: %s", g_strerror(-r));
	return notifier;
}

Notifier *notifier_free(Notifier *notifier)
{
	if (!notifier)
		return NULL;
	(void)sd_event_source_disable_unref(notifier->timer);
	g_free(notifier->status);
	g_free(notifier);
	return NULL;
}
