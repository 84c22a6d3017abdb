/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The well-known strings of the contract. What is written here is written in introspection/ too. */
#define BUS_NAME          "org.vmherald.Domains1"
#define BUS_PATH          "/org/vmherald/Domains1"
#define BUS_DOMAIN_PATH   BUS_PATH "/domain"
#define BUS_INTERFACE(x)  "org.vmherald.Domains1." x
#define BUS_ERROR(x)      "org.vmherald.Domains1.Error." x

/* Of the D-Bus specification. */
#define BUS_PROPERTIES     "org.freedesktop.DBus.Properties"
#define BUS_OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
