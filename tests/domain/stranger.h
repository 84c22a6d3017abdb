/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain-fixture.h"
#include "tests/qmp/scripted-qmp.h"

/*
 * QEMUs that somebody else has started: here the test. Where its process cannot be told, a scripted server in the test's
 * own process takes the part of QEMU: what the kernel names then is no QEMU.
 */

#define STRANGER_UUID "0b8f4d3e-6a52-4c1b-9d7e-2f1a5c3e7d90"

#define WITH_UUID "-uuid", STRANGER_UUID

typedef struct Stranger {
	GPid pid;
	char *path;                  /* of its monitor */
} Stranger;

/* A path in the folder of the fixture. */
char *stranger_path(DomainFixture *fixture, const char *name);
/* fake-qemu with these settings and further options, which end in NULL; it listens at stranger_path(name). */
Stranger *stranger_new(DomainFixture *fixture, const char *name, const char *settings, ...)
	G_GNUC_NULL_TERMINATED;
bool stranger_lives(const Stranger *stranger);
/* Ends it. */
void stranger_free(Stranger *stranger);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stranger, stranger_free)

/* Sockets of the test itself; -1 if nobody can be connected to. */
int stranger_connect(const char *path);
int stranger_listen(const char *path, int type);
/* A QEMU of the name "played" and STRANGER_UUID, that answers what an adoption asks. */
void stranger_serve(ScriptedQmp *server);

void adopt_begin(DomainFixture *fixture, const char *name, const char *path, Answer *answer);
/* It succeeds, and what it tells is left to be expected. */
Domain *adopt_ok(DomainFixture *fixture, const char *name, const Stranger *stranger);
/* It succeeds, and tells what it should of a guest that runs. */
Domain *adopt_running(DomainFixture *fixture, const char *name, const Stranger *stranger);
Domain *adopt_descriptor(DomainFixture *fixture, int fd);
void adopt_release(DomainFixture *fixture, Domain *domain);
/* There is no such domain. */
void adopt_assert_unknown(DomainFixture *fixture, const char *uuid);
