/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <vmherald/connection.h>
#include <vmherald/error.h>
#include <vmherald/macros.h>
#include <vmherald/options.h>
#include <vmherald/value.h>

/*
 * A domain, as an address: a connection and a uuid. It says nothing of whether there is (still) such a domain.
 *
 * The calls below wait for their answer, which comes when the thing is done; see vmherald/manager.h. true, or false and *error.
 */

VMH_BEGIN_DECLS

/* Makes no call. VMH_ERROR_INVALID_ARGUMENT: that is no uuid. */
VMH_PUBLIC VmhDomain *vmh_domain_new(VmhConnection *connection, const char *uuid, VmhError **error);
VMH_PUBLIC VmhDomain *vmh_domain_ref(VmhDomain *domain);
/* NULL-safe. */
VMH_PUBLIC void vmh_domain_unref(VmhDomain *domain);
/* Borrowed. */
VMH_PUBLIC const char *vmh_domain_get_uuid(const VmhDomain *domain);
VMH_PUBLIC const char *vmh_domain_get_path(const VmhDomain *domain);
VMH_PUBLIC VmhConnection *vmh_domain_get_connection(const VmhDomain *domain);

/* ---- Domain ---- */

VMH_PUBLIC bool vmh_domain_start(VmhDomain *domain, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_shutdown(VmhDomain *domain, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_reboot(VmhDomain *domain, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_reset(VmhDomain *domain, VmhError **error);
VMH_PUBLIC bool vmh_domain_destroy(VmhDomain *domain, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_suspend(VmhDomain *domain, VmhError **error);
VMH_PUBLIC bool vmh_domain_resume(VmhDomain *domain, VmhError **error);
VMH_PUBLIC bool vmh_domain_wakeup(VmhDomain *domain, VmhError **error);
VMH_PUBLIC bool vmh_domain_inject_nmi(VmhDomain *domain, VmhError **error);
VMH_PUBLIC bool vmh_domain_undefine(VmhDomain *domain, const VmhOptions *options, VmhError **error);
/* JSON. Free with free(). */
VMH_PUBLIC char *vmh_domain_get_definition(VmhDomain *domain, const VmhOptions *options, VmhError **error);
/* A descriptor to read a PNG from, or -1. Close it. */
VMH_PUBLIC int vmh_domain_screenshot(VmhDomain *domain, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_save(VmhDomain *domain, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_drop_saved_state(VmhDomain *domain, VmhError **error);
VMH_PUBLIC bool vmh_domain_set_autostart(VmhDomain *domain, bool autostart, VmhError **error);

/* ---- Devices, Network, Block, Guest, Monitor ---- */

/* The id of the device. Free with free(). */
VMH_PUBLIC char *vmh_domain_attach_device(VmhDomain *domain, const char *device, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_detach_device(VmhDomain *domain, const char *id, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_change_media(VmhDomain *domain, const char *id, const char *blockdev,
					const VmhOptions *options, VmhError **error);
/* As the reference page has them. Unref. */
VMH_PUBLIC VmhValue *vmh_domain_get_interfaces(VmhDomain *domain, VmhError **error);
VMH_PUBLIC bool vmh_domain_set_write_threshold(VmhDomain *domain, const char *node, uint64_t bytes, VmhError **error);
VMH_PUBLIC bool vmh_domain_cancel_job(VmhDomain *domain, const char *id, const VmhOptions *options, VmhError **error);
VMH_PUBLIC bool vmh_domain_set_balloon(VmhDomain *domain, uint64_t bytes, VmhError **error);
/* Any command of QMP; arguments ("" or NULL: none) and answer are JSON. Free with free(). */
VMH_PUBLIC char *vmh_domain_execute(VmhDomain *domain, const char *command, const char *arguments, const VmhOptions *options,
				    VmhError **error);

/* ---- properties ---- */

/* All (a{sv}) of one interface ("Domain", "Network"). Unref. */
VMH_PUBLIC VmhValue *vmh_domain_get_properties(VmhDomain *domain, const char *interface, VmhError **error);
VMH_PUBLIC VmhValue *vmh_domain_get_property(VmhDomain *domain, const char *interface, const char *property, VmhError **error);
/* VMH_STATE_OTHER: it could not be had, see *error. */
VMH_PUBLIC VmhDomainState vmh_domain_get_state(VmhDomain *domain, VmhError **error);

VMH_END_DECLS
