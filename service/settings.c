/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include "base/log.h"

void settings_apply(Service *service, const Configuration *configuration)
{
	service->idle_timeout_us = configuration->idle_timeout_us == CONFIGURATION_INFINITY
					   ? 0 : configuration->idle_timeout_us;
	service->shut_down_guests = configuration->on_exit == CONFIGURATION_ON_EXIT_SHUTDOWN;
	service->shutdown_timeout_us = configuration->shutdown_timeout_us;
	user_limits_set(service->user_limits, &configuration->limits);
}

static void tell_change(const ConfigurationKey *key, const Configuration *now)
{
	g_autofree char *text = configuration_key_get_text(key, now);

	log_text(LOG_NOTICE, "[%s] %s=%s %s", key->section, key->name, text,
		 key->at_restart ? "is what the service begins with when it is started again" : "is in force now");
}

void settings_changed(const Configuration *before, const Configuration *now, void *userdata)
{
	Service *service = userdata;

	for (size_t i = 0; i < configuration_keys_length; i++)
		if (!configuration_key_equal(&configuration_keys[i], before, now))
			tell_change(&configuration_keys[i], now);
	settings_apply(service, now);
	if (before->log_level != now->log_level)
		log_writer_set_level(service->log, now->log_level);
	service_arm_idle(service);
}
