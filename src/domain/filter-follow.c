/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/filter-follow.h"

#include "base/log.h"
#include "domain/filter-ledger.h"

static bool own_equal(const HostFilterOwn *a, const HostFilterOwn *b)
{
	return mac_set_equal(a->multicast_table, b->multicast_table) &&
	       mac_set_equal(a->forwarding, b->forwarding);
}

typedef MacSet *(*MacSetFunction)(const MacSet *a, const MacSet *b);

static HostFilterOwn *combine(const HostFilterOwn *own, MacSetFunction function, const MacSet *groups,
			      const MacSet *forwarding)
{
	HostFilterOwn *combined = g_new0(HostFilterOwn, 1);

	combined->multicast_table = function(own->multicast_table, groups);
	combined->forwarding = function(own->forwarding, forwarding);
	return combined;
}

/* The text may have a name in it that is another's. */
static void take_error(FilterFollow *follow, GError *error)
{
	if (follow->error || !error) {
		g_clear_error(&error);
		return;
	}
	if (!g_utf8_validate(error->message, -1, NULL)) {
		char *text = g_utf8_make_valid(error->message, -1);

		g_free(error->message);
		error->message = text;
	}
	follow->error = error;
}

/* Takes own over. */
static void note(FilterFollow *follow, HostFilterOwn *own)
{
	GError *error = NULL;

	if (follow->unnoted || !own_equal(follow->own, own)) {
		follow->unnoted = !filter_ledger_write(follow->directory, follow->link, own, &error);
		/* Told, and no reason to let the guest wait: it is a matter of the next service, if at all. */
		take_error(follow, error);
	}
	host_filter_own_free(follow->own);
	follow->own = own;
}

/* What of it has come about: entries that could not be added may be somebody else's tomorrow. */
static void note_part(FilterFollow *follow)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HostFilter) host = host_nic_read(follow->link, &error);

	if (host)
		note(follow, combine(follow->own, mac_set_intersection, host->multicast_table, host->forwarding));
	else if (g_error_matches(error, CORE_ERROR, CORE_ERROR_NO_SUCH_LINK))
		note(follow, host_filter_own_new());
}

static bool apply(FilterFollow *follow, const FilterPlan *plan)
{
	GError *error = NULL;

	/* WARNING: before anything is added. Who is killed in between has written down too much, never too little. */
	note(follow, combine(follow->own, mac_set_union, plan->own->multicast_table, plan->own->forwarding));
	if (host_nic_apply(follow->link, plan, &error)) {
		note(follow, host_filter_own_copy(plan->own));
		return true;
	}
	take_error(follow, error);
	note_part(follow);
	return false;
}

static void follow_trusted(FilterFollow *follow, const HostFilter *host, const FilterPlan *plan)
{
	if (filter_plan_is_empty(plan))
		note(follow, host_filter_own_copy(plan->own));
	else if (apply(follow, plan))
		follow->changed = true;
	else
		return;
	follow->synced = host->up && !plan->refused;
	if (plan->refused)
		take_error(follow, g_error_new(CORE_ERROR, CORE_ERROR_NOT_SUPPORTED, "%s: %s", follow->link->link,
					       plan->refused));
	else if (!host->up)
		take_error(follow, g_error_new(CORE_ERROR, CORE_ERROR_IO, "the link %s is down: nothing gets to "
					       "the guest", follow->link->link));
}

void filter_follow_run(FilterFollow *follow)
{
	g_autoptr(HostFilter) host = NULL;
	g_autoptr(FilterPlan) plan = NULL;
	GError *error = NULL;

	if (!follow->own)
		follow->own = filter_ledger_read(follow->directory, follow->link);
	host = host_nic_read(follow->link, &error);
	if (!host) {
		take_error(follow, error);
		return;
	}
	plan = filter_plan_new(follow->guest, host, follow->own);
	if (follow->trusted)
		follow_trusted(follow, host, plan);
	else
		follow->synced = host->up && !plan->refused && filter_plan_is_empty(plan);
}

void filter_follow_clear(FilterFollow *follow)
{
	g_clear_pointer(&follow->directory, g_free);
	g_clear_pointer(&follow->link, host_nic_free);
	g_clear_pointer(&follow->guest, rx_filter_unref);
	g_clear_pointer(&follow->own, host_filter_own_free);
	g_clear_error(&follow->error);
}

/* ---- the end ---- */

static bool take_out(const HostNic *link, const HostFilterOwn *own, GError **error)
{
	g_autoptr(HostFilter) host = NULL;
	g_autoptr(FilterPlan) plan = NULL;

	if (mac_set_get_size(own->multicast_table) == 0 && mac_set_get_size(own->forwarding) == 0)
		return true;
	host = host_nic_read(link, error);
	if (!host)
		return false;
	/* That of a guest that wants nothing, and as little changed as that takes. */
	plan = g_new0(FilterPlan, 1);
	plan->own = host_filter_own_new();
	plan->multicast_add = mac_set_new();
	plan->forwarding_add = mac_set_new();
	plan->multicast_remove = mac_set_intersection(own->multicast_table, host->multicast_table);
	plan->forwarding_remove = mac_set_intersection(own->forwarding, host->forwarding);
	return filter_plan_is_empty(plan) || host_nic_apply(link, plan, error);
}

void filter_follow_end(const char *directory, const HostNic *link, const char *domain)
{
	g_autoptr(HostFilterOwn) own = NULL;
	g_autoptr(GError) error = NULL;

	/* The others go, with all that is in their tables. */
	if (link->foreign) {
		own = filter_ledger_read(directory, link);
		if (!take_out(link, own, &error) &&
		    !g_error_matches(error, CORE_ERROR, CORE_ERROR_NO_SUCH_LINK))
			log_text(LOG_WARNING, "%s: what was added to %s for the guest stays: %s", domain, link->link,
				 error->message);
	}
	filter_ledger_remove(directory, link);
}
