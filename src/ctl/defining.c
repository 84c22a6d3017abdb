/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that hand the service a definition. */
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "ctl/call.h"
#include "ctl/document.h"
#include "ctl/input.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

static struct {
	DocumentOptions document;
	gboolean define;
	gboolean print;
} create;

#define TEXT(name, target, summary, value) \
	{ name, 0, 0, G_OPTION_ARG_FILENAME, &create.document.target, summary, value }
#define LIST(name, target, summary, value) \
	{ name, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &create.document.target, summary, value }

const GOptionEntry create_options[] = {
	TEXT("memory", memory, N_("Memory, with a unit (512M, 2G)"), N_("SIZE")),
	{ "cpus", 0, 0, G_OPTION_ARG_INT, &create.document.cpus, N_("Number of CPUs"), N_("NUMBER") },
	TEXT("cpu", cpu, N_("CPU model"), N_("MODEL")),
	TEXT("machine", machine, N_("Machine type"), N_("TYPE[,KEY=VALUE…]")),
	LIST("accel", accels, N_("Accelerator; several in order of preference"), N_("NAME")),
	TEXT("emulator", emulator, N_("QEMU to run"), N_("PROGRAM")),
	LIST("disk", disks, N_("Add a disk, the first one to boot from"), N_("PATH[,format=FORMAT]")),
	LIST("cdrom", cdroms, N_("Add a CD-ROM"), N_("PATH")),
	LIST("net", nets, N_("Add a network card: user, macvtap, …"), N_("TYPE[,KEY=VALUE…]")),
	LIST("device", devices, N_("Add a device, as QEMU's -device takes it"), N_("JSON")),
	LIST("blockdev", blockdevs, N_("Add a block node"), N_("JSON")),
	LIST("netdev", netdevs, N_("Add a network backend"), N_("JSON")),
	LIST("object", objects, N_("Add an object"), N_("JSON")),
	LIST("argument", arguments, N_("Add an argument to QEMU's command line"), N_("TEXT")),
	TEXT("uuid", uuid, N_("Identity; made up if not given"), N_("UUID")),
	TEXT("title", title, N_("Description for people"), N_("TEXT")),
	{ "autostart", 0, 0, G_OPTION_ARG_NONE, &create.document.autostart,
	  N_("Start with the service; needs --define"), NULL },
	{ "define", 0, 0, G_OPTION_ARG_NONE, &create.define,
	  N_("Keep the domain when it stops"), NULL },
	{ "print", 0, 0, G_OPTION_ARG_NONE, &create.print,
	  N_("Print the definition and do nothing"), NULL },
	{},
};

typedef VmhDomain *SendFunction(VmhConnection *connection, const char *definition, const VmhOptions *options,
				VmhError **error);

/* The domain is in call then; it is told, for its uuid may have been made up just now. */
static CtlExit send_definition(Ctl *ctl, SendFunction *function, const char *definition, Call *call)
{
	CtlExit code = call_begin(ctl, NULL, NULL, call);

	if (code != CTL_OK)
		return code;
	call->domain = function(ctl->connection, definition, NULL, &call->error);
	if (call->domain)
		output_domain(ctl, call->domain);
	return call_end(call, call->domain);
}

CtlExit define_run(Ctl *ctl, char **arguments)
{
	g_autofree char *text = NULL;
	g_auto(Call) call = {};
	CtlExit code;

	code = input_read_file(arguments[0], &text);
	return code == CTL_OK ? send_definition(ctl, vmh_connection_define_domain, text, &call) : code;
}

static void show_problems(const Ctl *ctl, const VmhProblem *problems, size_t length)
{
	const char *const heads[] = { _("PATH"), _("PROBLEM"), NULL };
	g_autoptr(OutputTable) table = output_table_new(heads, -1);
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_ARRAY);
	JsonArray *array = json_array_new();

	json_node_take_array(node, array);
	for (size_t i = 0; i < length; i++) {
		JsonObject *object = json_object_new();

		json_object_set_string_member(object, "path", problems[i].path);
		json_object_set_string_member(object, "problem", problems[i].message);
		json_array_add_object_element(array, object);
		/* A problem of the document as a whole has no path. */
		output_table_add(table, *problems[i].path ? problems[i].path : "-", problems[i].message, NULL);
	}
	if (ctl->json)
		output_json(node);
	else if (length > 0)
		output_table_print(ctl, table);
}

CtlExit validate_run(Ctl *ctl, char **arguments)
{
	g_autofree char *text = NULL;
	VmhProblem *problems = NULL;
	g_auto(Call) call = {};
	size_t length = 0;
	CtlExit code;

	code = input_read_file(arguments[0], &text);
	if (code == CTL_OK)
		code = call_begin(ctl, NULL, NULL, &call);
	if (code == CTL_OK)
		code = call_end(&call, vmh_connection_validate_definition(ctl->connection, text, &problems,
									  &length, &call.error));
	if (code != CTL_OK)
		return code;
	show_problems(ctl, problems, length);
	vmh_problems_free(problems, length);
	return length > 0 ? CTL_FAILED : CTL_OK;
}

static bool is_file(const char *argument)
{
	return g_str_equal(argument, "-") || strchr(argument, '/') ||
	       g_str_has_suffix(argument, ".json");
}

static bool document_options_given(void)
{
	static const DocumentOptions none;

	return memcmp(&create.document, &none, sizeof none) != 0;
}

static CtlExit create_text(const char *argument, char **ret_text)
{
	g_autoptr(JsonNode) document = NULL;
	CtlExit code;

	if (is_file(argument)) {
		if (document_options_given()) {
			ctl_error(_("create: options that make a definition do not go with a FILE"));
			return CTL_USAGE;
		}
		return input_read_file(argument, ret_text);
	}
	if (create.document.cpus < 0) {
		ctl_error(_("--cpus: must be positive"));
		return CTL_USAGE;
	}
	if (create.document.autostart && !create.define && !create.print) {
		ctl_error(_("--autostart: needs --define, for a domain that is gone when it stops\n"
			    "cannot be started again"));
		return CTL_USAGE;
	}
	code = document_new(argument, &create.document, &document);
	if (code == CTL_OK)
		*ret_text = json_to_string(document, true);
	return code;
}

CtlExit create_run(Ctl *ctl, char **arguments)
{
	g_autofree char *text = NULL;
	g_auto(Call) call = {};
	CtlExit code;

	code = create_text(arguments[0], &text);
	if (code != CTL_OK)
		return code;
	if (create.print) {
		output_json_text(text);
		return CTL_OK;
	}
	code = send_definition(ctl, create.define ? vmh_connection_define_domain : vmh_connection_create_domain,
			       text, &call);
	/* If this fails the domain stays defined; its uuid is out already. */
	if (code == CTL_OK && create.define)
		code = call_end(&call, vmh_domain_start(call.domain, NULL, &call.error));
	return code;
}
