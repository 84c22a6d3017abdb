/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb "events": shows signals as they come. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "ctl/bus.h"
#include "ctl/names.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"

static struct {
	char **types;
	gboolean passive;
	gboolean properties;
	int count;
	int ready_fd;
} options = { .ready_fd = -1 };

const GOptionEntry events_options[] = {
	{ "type", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.types,
	  N_("Only these types"), N_("TYPE[,TYPE…]") },
	{ "properties", 0, 0, G_OPTION_ARG_NONE, &options.properties,
	  N_("Also changes of properties, and domains that come and go"), NULL },
	{ "passive", 0, 0, G_OPTION_ARG_NONE, &options.passive,
	  N_("Make no call to the service; names are learned by listening"), NULL },
	{ "count", 0, 0, G_OPTION_ARG_INT, &options.count, N_("End after that many"), N_("NUMBER") },
	{ "ready-fd", 0, 0, G_OPTION_ARG_INT, &options.ready_fd,
	  N_("Write a line to this descriptor when nothing can be missed any more"), N_("NUMBER") },
	{},
};

typedef struct Events {
	Ctl *ctl;
	GPtrArray *types;       /* SignalType */
	const char *name;       /* the only domain wanted, one of them or none */
	char *path;
	int shown;
} Events;

static bool is_wanted(const Events *events, const Signal *signal)
{
	bool own = g_str_has_prefix(signal->interface, NAMES_INTERFACE(""));

	if (events->path && g_strcmp0(events->path, signal->domain_path) != 0)
		return false;
	if (events->name && g_strcmp0(events->name, signal->name) != 0)
		return false;
	if (!own)
		return options.properties;
	for (unsigned i = 0; i < events->types->len; i++) {
		if (signal_type_matches(events->types->pdata[i], signal))
			return true;
	}
	return events->types->len == 0;
}

static bool is_done(const Events *events)
{
	return options.count > 0 && events->shown >= options.count;
}

static void on_signal(const Signal *signal, void *userdata)
{
	Events *events = userdata;

	/* Several may come at once, when what was held back is released. */
	if (is_done(events) || !is_wanted(events, signal))
		return;
	signal_print(events->ctl, signal);
	events->shown++;
}

static CtlExit parse_types(GPtrArray *types)
{
	for (char **text = options.types; text && *text; text++) {
		g_auto(GStrv) parts = g_strsplit(*text, ",", -1);

		for (unsigned i = 0; parts[i]; i++) {
			SignalType *type = NULL;
			CtlExit code = signal_type_parse(parts[i], &type);

			if (code != CTL_OK)
				return code;
			g_ptr_array_add(types, type);
		}
	}
	return CTL_OK;
}

static CtlExit check_options(void)
{
	if (options.count < 0) {
		ctl_error(_("--count: must not be negative"));
		return CTL_USAGE;
	}
	if (options.ready_fd < -1 ||
	    (options.ready_fd >= 0 && fcntl(options.ready_fd, F_GETFD) < 0)) {
		ctl_error(_("--ready-fd: %d is no open descriptor"), options.ready_fd);
		return CTL_USAGE;
	}
	return CTL_OK;
}

static CtlExit tell_ready(void)
{
	static const char line[] = "ready\n";

	if (options.ready_fd < 0)
		return CTL_OK;
	if (write(options.ready_fd, line, strlen(line)) != (ssize_t) strlen(line)) {
		ctl_error("--ready-fd: %s", g_strerror(errno));
		return CTL_FAILED;
	}
	return CTL_OK;
}

CtlExit events_run(Ctl *ctl, char **arguments)
{
	g_autoptr(GPtrArray) types = signal_type_list_new();
	g_autofree char *path = arguments[0] ? names_path_from_uuid(arguments[0]) : NULL;
	Events events = {
		.ctl = ctl,
		.types = types,
		.name = path ? NULL : arguments[0],
		.path = path,
	};
	const WatchHandler handler = { .signal = on_signal, .userdata = &events };
	const WatchRules rules = {
		.path = path,
		.types = types,
		.properties = options.properties,
		.learn_names = !options.passive,
	};
	g_autoptr(Watch) watch = NULL;
	CtlExit code;

	code = check_options();
	if (code == CTL_OK)
		code = parse_types(types);
	if (code == CTL_OK)
		code = watch_new(ctl, &rules, &handler, &watch);
	if (code == CTL_OK)
		code = tell_ready();
	while (code == CTL_OK && !is_done(&events))
		code = watch_process(watch, UINT64_MAX);
	return code;
}
