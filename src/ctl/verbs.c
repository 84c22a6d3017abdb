/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/verbs.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

static const Verb verbs[] = {
	{ "list", "", N_("List domains and their states"), NULL,
	  list_options, 0, 0, NULL, list_run },
	{ "show", N_("DOMAIN"), N_("Show all that is known about a domain"), NULL,
	  NULL, 1, 1, NULL, show_run },
	{ "definition", N_("DOMAIN"), N_("Print the definition of a domain"), NULL,
	  definition_options, 1, 1, NULL, definition_run },
	{ "validate", N_("FILE"), N_("Check a definition and list its problems"), NULL,
	  NULL, 1, 1, NULL, validate_run },
	{ "define", N_("FILE"), N_("Make or change a persistent domain"),
	  N_("Where the uuid is known already, the new definition holds from the next start."),
	  NULL, 1, 1, NULL, define_run },
	{ "undefine", N_("DOMAIN"), N_("Forget a persistent domain, or let go of an adopted one"),
	  N_("The QEMU of a domain that was adopted goes on, and can be adopted again."),
	  undefine_options, 1, 1, NULL, undefine_run },
	{ "create", N_("FILE|NAME"), N_("Make a domain and start it at once"),
	  N_("The domain is gone when it stops, unless --define is given. With a FILE (its name has a\n"
	     "slash or ends in .json, or is - for the standard input) the definition is read from it;\n"
	     "with a NAME it is made from the options below."),
	  create_options, 1, 1, NULL, create_run },
	{ "adopt", N_("[NAME] SOCKET"), N_("Make a domain of a QEMU that somebody else has started"),
	  N_("SOCKET is what QEMU listens on for QMP: start it with -qmp unix:SOCKET,server=on,wait=off.\n"
	     "It serves one client at a time there. Without a NAME QEMU is asked for its own. The domain\n"
	     "is gone when QEMU ends; undefine lets go of it before."),
	  adopt_options, 1, 2, NULL, adopt_run },
	{ "start", N_("DOMAIN"), N_("Start a domain"), NULL,
	  start_options, 1, 1, NULL, start_run },
	{ "shutdown", N_("DOMAIN"), N_("Ask the guest to shut down, and wait for it"), NULL,
	  shutdown_options, 1, 1, NULL, shutdown_run },
	{ "reboot", N_("DOMAIN"), N_("Ask the guest to reboot"), NULL,
	  NULL, 1, 1, NULL, reboot_run },
	{ "reset", N_("DOMAIN"), N_("Reset the machine without asking the guest"), NULL,
	  NULL, 1, 1, vmh_domain_reset, plain_run },
	{ "destroy", N_("DOMAIN"), N_("Stop a domain without asking the guest"), NULL,
	  destroy_options, 1, 1, NULL, destroy_run },
	{ "save", N_("DOMAIN"), N_("Save the state of a domain to a file, and stop it"),
	  N_("The next start goes on from there. The disks are not saved: do not change them meanwhile."),
	  save_options, 1, 1, NULL, save_run },
	{ "drop-saved", N_("DOMAIN"), N_("Remove the saved state of a domain"), NULL,
	  NULL, 1, 1, vmh_domain_drop_saved_state, plain_run },
	{ "screenshot", N_("DOMAIN FILE"), N_("Write what a display of the guest shows to a PNG file"),
	  N_("A FILE that is there is overwritten; - is the standard output."),
	  screenshot_options, 2, 2, NULL, screenshot_run },
	{ "suspend", N_("DOMAIN"), N_("Pause a domain"), NULL,
	  NULL, 1, 1, vmh_domain_suspend, plain_run },
	{ "resume", N_("DOMAIN"), N_("Let a paused domain go on"), NULL,
	  NULL, 1, 1, vmh_domain_resume, plain_run },
	{ "wakeup", N_("DOMAIN"), N_("Wake a guest that sleeps"), NULL,
	  NULL, 1, 1, vmh_domain_wakeup, plain_run },
	{ "nmi", N_("DOMAIN"), N_("Send the guest a non-maskable interrupt"), NULL,
	  NULL, 1, 1, vmh_domain_inject_nmi, plain_run },
	{ "autostart", N_("DOMAIN [on|off]"), N_("Show or set whether a domain starts by itself"), NULL,
	  NULL, 1, 2, NULL, autostart_run },
	{ "attach", N_("DOMAIN [JSON|FILE]"), N_("Plug a device into a domain"),
	  N_("The device is a QAPI object as QEMU's -device takes it; so are the objects of the options,\n"
	     "which go in first and are taken back should the device be refused. With --interface it is a\n"
	     "network card as in a definition, and no other object is given. Prints the device's id.\n"
	     "What is plugged in is forgotten when the domain stops, unless --config is given."),
	  attach_options, 1, 2, NULL, attach_run },
	{ "detach", N_("DOMAIN ID"), N_("Unplug a device; answers when the guest has let go of it"), NULL,
	  detach_options, 2, 2, NULL, detach_run },
	{ "nics", N_("DOMAIN"), N_("Show what guest and host let through at each network card"),
	  N_("Side by side: the filter that the guest has set, and that of the link on the host. What the\n"
	     "host would have to change for the guest is marked as differs; without trust it does not follow."),
	  NULL, 1, 1, NULL, nics_run },
	{ "change-media", N_("DOMAIN DEVICE [JSON|FILE]"), N_("Put a medium into a drive, or take it out"),
	  N_("The medium is a QAPI object as QEMU's -blockdev takes it; without one the drive is left\n"
	     "empty. DEVICE is the id of a device with removable media."),
	  change_media_options, 2, 3, NULL, change_media_run },
	{ "balloon", N_("DOMAIN SIZE"), N_("Ask the guest to make do with that much memory"),
	  N_("SIZE has a unit, such as 512M or 2G. Answers when QEMU knows; how far the guest follows is\n"
	     "told by the event BalloonChanged."),
	  NULL, 2, 2, NULL, balloon_run },
	{ "threshold", N_("DOMAIN NODE SIZE"), N_("Ask for an event when a disk is written beyond a size"),
	  N_("SIZE is an offset in the image, with a unit, such as 512M or 2G; 0 takes the threshold off.\n"
	     "The event WriteThreshold comes once; after that the threshold is off. NODE is the name of a\n"
	     "block node."),
	  NULL, 3, 3, NULL, threshold_run },
	{ "cancel-job", N_("DOMAIN ID"), N_("Cancel a block job; answers when it is over"), NULL,
	  cancel_job_options, 2, 2, NULL, cancel_job_run },
	{ "qmp", N_("DOMAIN COMMAND [JSON]"), N_("Run a QMP command and print its result"), NULL,
	  qmp_options, 2, 3, NULL, qmp_run },
	{ "events", N_("[DOMAIN]"), N_("Print events as they come"),
	  N_("One line for each: time, domain, interface and member, what happened. TYPE is a\n"
	     "member (DeviceAdded), an interface and member (Devices.DeviceAdded), an interface with\n"
	     "all its members (Devices.*) or a lifecycle event (started). What was missed is fetched, and\n"
	     "what cannot be fetched any more is told as lost."),
	  events_options, 0, 1, NULL, events_run },
	{ "wait", N_("DOMAIN EVENT"), N_("Wait until something happens to a domain"),
	  N_("EVENT is as TYPE of the verb events. A lifecycle event whose state holds already, such as\n"
	     "stopped for a domain that is shut off, is not waited for."),
	  wait_options, 2, 2, NULL, wait_run },
	{ "reload", "", N_("Let the service read the definitions again"),
	  N_("What is wrong with which file is printed, a line for each problem, and the exit status is 1\n"
	     "then; all other files have been taken in."),
	  NULL, 0, 0, NULL, reload_run },
};

const Verb *verbs_find(const char *name)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++) {
		if (g_str_equal(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

char *verbs_summary(void)
{
	GString *string = g_string_new(_("Verbs:"));

	for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++) {
		/* gettext("") is the catalogue's head, not an empty string. */
		const char *arguments = *verbs[i].arguments ? _(verbs[i].arguments) : "";
		g_autofree char *left = g_strdup_printf("%s %s", verbs[i].name, arguments);
		int pad = MAX(30 - (int) g_utf8_strlen(left, -1), 1);

		g_string_append_printf(string, "\n  %s%*s%s", left, pad, "", _(verbs[i].summary));
	}
	return g_string_free(string, false);
}

static void print_options(const GOptionEntry *options)
{
	for (; options && options->long_name; options++) {
		if (options->flags & G_OPTION_FLAG_HIDDEN)
			continue;
		/* "=" tells the shell's completion that a value follows. */
		printf("--%s%s\n", options->long_name,
		       options->arg == G_OPTION_ARG_NONE ? "" : "=");
	}
}

bool verbs_complete(const char *what, const GOptionEntry *global_options)
{
	const char *colon = strchr(what, ':');
	const Verb *verb = colon ? verbs_find(colon + 1) : NULL;

	if (g_str_equal(what, "verbs")) {
		for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++)
			puts(verbs[i].name);
	} else if (g_str_has_prefix(what, "options:")) {
		if (verb)
			print_options(verb->options);
		print_options(global_options);
	} else if (g_str_has_prefix(what, "arguments:")) {
		if (verb)
			puts(verb->arguments);
	} else {
		return false;
	}
	return true;
}
