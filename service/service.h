/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "action.h"
#include "caller.h"
#include "credentials.h"
#include "driver.h"
#include "emitter.h"
#include "log-writer.h"
#include "user-limits.h"
#include "fd-store.h"
#include "host-end.h"
#include "notifier.h"
#include "scope.h"

/*
 * The process on the bus: one sd-event loop, one connection, the driver behind the loop interface, and the
 * objects in front of it.
 *
 *   main.c               options, run
 *   service.c            start, name, idle, leave
 *   manager-object.c     /org/vmherald/Domains1
 *   domain-object.c      /org/vmherald/Domains1/domain/_UUID: find, enumerate, appear, change
 *   *-interface.c        the methods and properties of one interface each
 *   domain-signals.c     event kind -> signal
 *   managed-objects.c    GetManagedObjects(): the state of all, in slices
 *   event-query.c        GetEvents(): what went out, once more
 *   emitter.c            what goes out, in order
 *   fd-store.c           what the service manager keeps for the next start
 *   notifier.c           what it is told of us; host-end.c: whether the host goes down
 *   scope.c              a cgroup of its own for each QEMU; machine.c: its entry at systemd-machined
 *   unit-name.c          and what it is called by them
 *   method-call.c        a call that is answered later
 *   caller.c             who has how many of them
 *   action.c             what is needed for each method
 *   access.c             whether a caller may: asked, held, run again
 *   access-target.c      what his call wants: action, domain
 *   authority.c          polkit
 *   credentials.c        which user each of them is
 *   user-limits.c        what each user has of what others need too
 *   settings.c           what of vmherald.conf is in force
 *   bus-*.c              errors, paths, options, variants
 *   log-writer.c         where records go; journal.c speaks the journal's language
 *   log-control.c        /org/freedesktop/LogControl1
 *   loop-sd-event.c      the core's loop interface on sd-event
 */

typedef struct Access Access;
typedef struct ManagedObjects ManagedObjects;

typedef struct Service {
	sd_event *event;
	sd_bus *bus;
	Loop *loop;
	FdStore *fd_store;
	ScopeMaker *scopes;
	Notifier *notifier;         /* NULL: there is no service manager */
	HostEnd *host_end;          /* NULL: it is not asked */
	Driver *driver;
	Emitter *emitter;
	ManagedObjects *managed_objects;
	char *instance_id;
	char *layout;               /* of the history's arguments */

	unsigned calls;             /* kept method calls, dropped ones among them */
	Callers *callers;
	UserLimits *user_limits;
	GQueue queries;             /* uids (event-query.c) */
	Credentials *credentials;   /* NULL on the session bus: all are us */
	Actions *actions;
	Access *access;             /* NULL on the session bus: nobody is asked */
	LogWriter *log;             /* outlives the service */
	uint64_t idle_timeout_us;   /* 0: never leave */
	sd_event_source *idle_timer;
	bool sleeps;                /* beside a guest: nothing looks whether there is something to do */
	sd_bus_slot *name_slot;
	bool shut_down_guests;
	uint64_t shutdown_timeout_us;
	bool leaving;               /* the name has been given back, or is being */
	bool disturbed;             /* a call came while leaving */
} Service;

typedef struct ServiceOptions {
	bool system;
	Configuration *configuration;  /* taken over, and where it is read again, too */
	ConfigurationSource *configuration_source;
	LogWriter *log;             /* outlives the service */
} ServiceOptions;

/* Reads the files again, and tells the service manager so. */
void service_reload(Service *service, DriverDone done, void *userdata);

/* Runs until it is told to end or there is nothing to do. Returns an exit status. */
int service_run(const ServiceOptions *options);

/* The time until it leaves begins anew. */
void service_arm_idle(Service *service);
