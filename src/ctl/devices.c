/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that talk to QEMU through the service: devices, media, the balloon, and plain QMP. */
#include <glib/gi18n.h>
#include <stdio.h>

#include "ctl/call.h"
#include "ctl/document.h"
#include "ctl/input.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

static struct {
	char *interface;
	char *blockdev;
	char *netdev;
	char *object;
} attach;
static char *detach_timeout;
static gboolean affect_live;
static gboolean affect_config;
static gboolean media_force;
static char *qmp_timeout;

#define AFFECT_OPTIONS                                                                             \
	{ "live", 0, 0, G_OPTION_ARG_NONE, &affect_live,                                           \
	  N_("Change what runs (the default)"), NULL },                                            \
	{ "config", 0, 0, G_OPTION_ARG_NONE, &affect_config,                                       \
	  N_("Change the definition, for the next start; with --live: both or neither"), NULL }

const GOptionEntry attach_options[] = {
	{ "interface", 0, 0, G_OPTION_ARG_FILENAME, &attach.interface,
	  N_("Network card: user, macvtap, …"), N_("TYPE[,KEY=VALUE…]|JSON") },
	{ "blockdev", 0, 0, G_OPTION_ARG_FILENAME, &attach.blockdev,
	  N_("Block node to add first"), N_("JSON") },
	{ "netdev", 0, 0, G_OPTION_ARG_FILENAME, &attach.netdev,
	  N_("Network backend to add first"), N_("JSON") },
	{ "object", 0, 0, G_OPTION_ARG_FILENAME, &attach.object,
	  N_("Object to add first"), N_("JSON") },
	AFFECT_OPTIONS,
	{},
};

const GOptionEntry detach_options[] = {
	{ "timeout", 0, 0, G_OPTION_ARG_FILENAME, &detach_timeout,
	  N_("How long the guest may take"), N_("SECONDS") },
	AFFECT_OPTIONS,
	{},
};

const GOptionEntry change_media_options[] = {
	{ "force", 0, 0, G_OPTION_ARG_NONE, &media_force,
	  N_("Open the tray even if the guest has locked it"), NULL },
	{},
};

const GOptionEntry qmp_options[] = {
	{ "timeout", 0, 0, G_OPTION_ARG_FILENAME, &qmp_timeout,
	  N_("How long QEMU may take"), N_("SECONDS") },
	{},
};

/* NULL: the service's default. */
static const char *get_affect(void)
{
	if (affect_live && affect_config)
		return "both";
	return affect_config ? "config" : affect_live ? "live" : NULL;
}

static void print_id(const Ctl *ctl, const char *id)
{
	g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), id);
	g_autofree char *safe = output_safe(id);

	if (ctl->json)
		output_json(node);
	else
		puts(safe);
}

static CtlExit attach_call(Ctl *ctl, const char *domain, const char *device, const char *interface)
{
	const CallOption options[] = {
		{ "affect", .text = get_affect() },
		{ "interface", .text = interface },
		{ "blockdev", .text = attach.blockdev },
		{ "netdev", .text = attach.netdev },
		{ "object", .text = attach.object },
		{},
	};
	/* Those behind the first two are JSON of the user. */
	const CallOption *objects = options + 2;
	g_autofree char *id = NULL;
	g_auto(Call) call = {};
	CtlExit code = CTL_OK;

	for (const CallOption *option = objects; code == CTL_OK && option->key; option++) {
		g_autofree char *what = g_strconcat("--", option->key, NULL);

		if (option->text)
			code = input_check_object(what, option->text, NULL);
	}
	if (code == CTL_OK)
		code = call_begin(ctl, domain, options, &call);
	if (code != CTL_OK)
		return code;
	id = vmh_domain_attach_device(call.domain, device, call.options, &call.error);
	if (id)
		print_id(ctl, id);
	return call_end(&call, id);
}

/* As JSON. NULL: the option is not given. */
static CtlExit read_interface(char **ret_text)
{
	g_autoptr(JsonObject) object = NULL;
	g_autoptr(JsonNode) node = NULL;
	CtlExit code;

	if (!attach.interface)
		return CTL_OK;
	if (*attach.interface == '{') {
		*ret_text = g_strdup(attach.interface);
		return input_check_object("--interface", attach.interface, NULL);
	}
	object = json_object_new();
	code = document_parse_interface("--interface", attach.interface, object);
	if (code != CTL_OK)
		return code;
	node = json_node_init_object(json_node_alloc(), object);
	*ret_text = json_to_string(node, false);
	return CTL_OK;
}

/* An interface is a device by itself: the service takes "" for it. */
static CtlExit read_device(const char *argument, char **ret_text)
{
	CtlExit code;

	if (!argument == !attach.interface) {
		ctl_error("%s", argument ? _("attach: a device and --interface do not go together")
					 : _("attach: a device or --interface is missing"));
		return CTL_USAGE;
	}
	if (attach.interface) {
		*ret_text = g_strdup("");
		return CTL_OK;
	}
	code = input_json_or_file(argument, ret_text);
	return code == CTL_OK ? input_check_object(argument, *ret_text, NULL) : code;
}

CtlExit attach_run(Ctl *ctl, char **arguments)
{
	g_autofree char *interface = NULL;
	g_autofree char *device = NULL;
	CtlExit code = read_device(arguments[1], &device);

	if (code == CTL_OK)
		code = read_interface(&interface);
	return code == CTL_OK ? attach_call(ctl, arguments[0], device, interface) : code;
}

CtlExit detach_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = {
		{ "affect", .text = get_affect() },
		{ "timeout", .seconds = detach_timeout },
		{},
	};
	g_auto(Call) call = {};
	CtlExit code = call_begin(ctl, arguments[0], options, &call);

	if (code != CTL_OK)
		return code;
	return call_end(&call, vmh_domain_detach_device(call.domain, arguments[1], call.options, &call.error));
}

CtlExit change_media_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = { { "force", .flag = media_force }, {} };
	g_autofree char *blockdev = NULL;
	g_auto(Call) call = {};
	CtlExit code = CTL_OK;

	if (arguments[2])
		code = input_json_or_file(arguments[2], &blockdev);
	if (code == CTL_OK && blockdev)
		code = input_check_object(arguments[2], blockdev, NULL);
	if (code == CTL_OK)
		code = call_begin(ctl, arguments[0], options, &call);
	if (code != CTL_OK)
		return code;
	return call_end(&call, vmh_domain_change_media(call.domain, arguments[1], blockdev ? blockdev : "",
						       call.options, &call.error));
}

CtlExit balloon_run(Ctl *ctl, char **arguments)
{
	g_auto(Call) call = {};
	uint64_t bytes = 0;
	CtlExit code;

	code = input_size("balloon", arguments[1], &bytes);
	if (code == CTL_OK)
		code = call_begin(ctl, arguments[0], NULL, &call);
	if (code != CTL_OK)
		return code;
	return call_end(&call, vmh_domain_set_balloon(call.domain, bytes, &call.error));
}

CtlExit qmp_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = { { "timeout", .seconds = qmp_timeout }, {} };
	const char *qmp_arguments = arguments[2] ? arguments[2] : "{}";
	g_autofree char *result = NULL;
	g_auto(Call) call = {};
	CtlExit code;

	code = input_check_object(arguments[1], qmp_arguments, NULL);
	if (code == CTL_OK)
		code = call_begin(ctl, arguments[0], options, &call);
	if (code != CTL_OK)
		return code;
	result = vmh_domain_execute(call.domain, arguments[1], qmp_arguments, call.options, &call.error);
	if (result)
		output_json_text(result);
	return call_end(&call, result);
}
