/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vmherald/vmherald.h>

#include "bus/names.h"
#include "client/error-internal.h"
#include "client/member.h"
#include "client/value-internal.h"

/* The methods and properties of a domain's interfaces. */

/* interface: the short name. NULL and *error. */
static GVariant *run_va(VmhDomain *domain, Member member, VmhError **error, const char *arguments, va_list values)
{
	if (!domain) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "%s(): there is no domain (NULL)", member.member);
		return NULL;
	}
	member.path = vmh_domain_get_path(domain);
	return member_run_va(vmh_domain_get_connection(domain), &member, error, arguments, values);
}

/* For methods without an answer. */
static bool run(VmhDomain *domain, const char *interface, const char *method, VmhError **error,
		const char *arguments, ...)
{
	g_autoptr(GVariant) answer = NULL;
	va_list values;

	va_start(values, arguments);
	answer = run_va(domain, (Member){ .interface = interface, .member = method }, error, arguments, values);
	va_end(values);
	return answer;
}

/* For those that answer with a string. Free with g_free(). */
static char *run_for_string(VmhDomain *domain, const char *interface, const char *method, VmhError **error,
			    const char *arguments, ...)
{
	const Member member = { .interface = interface, .member = method, .answer = "(s)" };
	g_autoptr(GVariant) answer = NULL;
	char *string = NULL;
	va_list values;

	va_start(values, arguments);
	answer = run_va(domain, member, error, arguments, values);
	va_end(values);
	if (answer)
		g_variant_get(answer, "(s)", &string);
	return string;
}

/* For all others. */
static GVariant *run_for_answer(VmhDomain *domain, const Member *member, VmhError **error, const char *arguments, ...)
{
	GVariant *answer;
	va_list values;

	va_start(values, arguments);
	answer = run_va(domain, *member, error, arguments, values);
	va_end(values);
	return answer;
}

/* ---- Domain ---- */

#define DOMAIN BUS_INTERFACE("Domain")

bool vmh_domain_start(VmhDomain *domain, const VmhOptions *options, VmhError **error)
{
	return run(domain, DOMAIN, "Start", error, "O", options);
}

bool vmh_domain_shutdown(VmhDomain *domain, const VmhOptions *options, VmhError **error)
{
	return run(domain, DOMAIN, "Shutdown", error, "O", options);
}

bool vmh_domain_reboot(VmhDomain *domain, const VmhOptions *options, VmhError **error)
{
	return run(domain, DOMAIN, "Reboot", error, "O", options);
}

bool vmh_domain_reset(VmhDomain *domain, VmhError **error)
{
	return run(domain, DOMAIN, "Reset", error, "");
}

bool vmh_domain_destroy(VmhDomain *domain, const VmhOptions *options, VmhError **error)
{
	return run(domain, DOMAIN, "Destroy", error, "O", options);
}

bool vmh_domain_suspend(VmhDomain *domain, VmhError **error)
{
	return run(domain, DOMAIN, "Suspend", error, "");
}

bool vmh_domain_resume(VmhDomain *domain, VmhError **error)
{
	return run(domain, DOMAIN, "Resume", error, "");
}

bool vmh_domain_wakeup(VmhDomain *domain, VmhError **error)
{
	return run(domain, DOMAIN, "Wakeup", error, "");
}

bool vmh_domain_inject_nmi(VmhDomain *domain, VmhError **error)
{
	return run(domain, DOMAIN, "InjectNMI", error, "");
}

bool vmh_domain_undefine(VmhDomain *domain, const VmhOptions *options, VmhError **error)
{
	return run(domain, DOMAIN, "Undefine", error, "O", options);
}

char *vmh_domain_get_definition(VmhDomain *domain, const VmhOptions *options, VmhError **error)
{
	return run_for_string(domain, DOMAIN, "GetDefinition", error, "O", options);
}

int vmh_domain_screenshot(VmhDomain *domain, const VmhOptions *options, VmhError **error)
{
	int fd = -1;
	const Member member = { .interface = DOMAIN, .member = "Screenshot", .answer = "(h)", .ret_fd = &fd };
	g_autoptr(GVariant) answer = run_for_answer(domain, &member, error, "O", options);

	if (answer && fd < 0)
		error_set(error, VMH_ERROR_FAILED, "The service's answer to Screenshot() came without its descriptor");
	return fd;
}

bool vmh_domain_save(VmhDomain *domain, const VmhOptions *options, VmhError **error)
{
	return run(domain, DOMAIN, "Save", error, "O", options);
}

bool vmh_domain_drop_saved_state(VmhDomain *domain, VmhError **error)
{
	return run(domain, DOMAIN, "DropSavedState", error, "");
}

bool vmh_domain_set_autostart(VmhDomain *domain, bool autostart, VmhError **error)
{
	return run(domain, DOMAIN, "SetAutostart", error, "b", (int)autostart);
}

/* ---- Devices, Network, Block, Guest, Monitor ---- */

#define DEVICES BUS_INTERFACE("Devices")
#define BLOCK   BUS_INTERFACE("Block")

char *vmh_domain_attach_device(VmhDomain *domain, const char *device, const VmhOptions *options, VmhError **error)
{
	return run_for_string(domain, DEVICES, "AttachDevice", error, "sO", device, options);
}

bool vmh_domain_detach_device(VmhDomain *domain, const char *id, const VmhOptions *options, VmhError **error)
{
	return run(domain, DEVICES, "DetachDevice", error, "sO", id, options);
}

bool vmh_domain_change_media(VmhDomain *domain, const char *id, const char *blockdev, const VmhOptions *options,
			     VmhError **error)
{
	return run(domain, DEVICES, "ChangeMedia", error, "ssO", id, blockdev, options);
}

VmhValue *vmh_domain_get_interfaces(VmhDomain *domain, VmhError **error)
{
	static const Member member = { .interface = BUS_INTERFACE("Network"), .member = "GetInterfaces",
				       .answer = "(a{sa{sv}})" };
	g_autoptr(GVariant) answer = run_for_answer(domain, &member, error, "O", NULL);

	return answer ? value_from_gvariant(g_variant_get_child_value(answer, 0)) : NULL;
}

bool vmh_domain_set_write_threshold(VmhDomain *domain, const char *node, uint64_t bytes, VmhError **error)
{
	return run(domain, BLOCK, "SetWriteThreshold", error, "st", node, bytes);
}

bool vmh_domain_cancel_job(VmhDomain *domain, const char *id, const VmhOptions *options, VmhError **error)
{
	return run(domain, BLOCK, "CancelJob", error, "sO", id, options);
}

bool vmh_domain_set_balloon(VmhDomain *domain, uint64_t bytes, VmhError **error)
{
	return run(domain, BUS_INTERFACE("Guest"), "SetBalloon", error, "t", bytes);
}

char *vmh_domain_execute(VmhDomain *domain, const char *command, const char *arguments, const VmhOptions *options,
			 VmhError **error)
{
	return run_for_string(domain, BUS_INTERFACE("Monitor"), "Execute", error, "ssO", command, arguments ?: "", options);
}

/* ---- properties ---- */

static bool check_domain(VmhDomain *domain, VmhError **error)
{
	if (!domain)
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "The properties of no domain (NULL) are asked for");
	return domain;
}

VmhValue *vmh_domain_get_properties(VmhDomain *domain, const char *interface, VmhError **error)
{
	if (!check_domain(domain, error))
		return NULL;
	return member_get_properties(vmh_domain_get_connection(domain), vmh_domain_get_path(domain), interface, error);
}

VmhValue *vmh_domain_get_property(VmhDomain *domain, const char *interface, const char *property, VmhError **error)
{
	if (!check_domain(domain, error))
		return NULL;
	return member_get_property(vmh_domain_get_connection(domain), vmh_domain_get_path(domain), interface, property,
				   false, error);
}

VmhDomainState vmh_domain_get_state(VmhDomain *domain, VmhError **error)
{
	g_autoptr(VmhValue) value = vmh_domain_get_property(domain, DOMAIN, "State", error);

	if (!value)
		return VMH_STATE_OTHER;
	return vmh_domain_state_from_string(vmh_value_get_string(value));
}
