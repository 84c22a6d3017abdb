/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/log.h"
#include "domain/domain.h"

/* Records about a domain: its name goes before the text; its name, uuid and incarnation are fields of the
 * record. Event thread. */

static inline LogSubject domain_get_log_subject(const Domain *domain)
{
	return (LogSubject){
		.name = domain_get_name(domain),
		.uuid = domain_get_uuid(domain),
		.incarnation = domain_get_incarnation(domain),
	};
}

#define DOMAIN_LOG_SUBJECT(domain) ((const LogSubject[]){ domain_get_log_subject(domain) })

/* Just a text: domain_log(domain, LOG_INFO, "set-action: %s", error->message). */
#define domain_log(domain, priority, ...)                                                          \
	log_write(LOG_PLACE, LOG_ID_NONE, priority, DOMAIN_LOG_SUBJECT(domain), NULL, __VA_ARGS__)

/* Something known, with the priority of id. fields: LogField, ends in one without a name; may be NULL. */
#define domain_log_event(domain, id, fields, ...)                                                  \
	log_write(LOG_PLACE, id, LOG_INFO, DOMAIN_LOG_SUBJECT(domain), fields, __VA_ARGS__)
