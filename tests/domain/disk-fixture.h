/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain-fixture.h"

/* A fixture whose QEMU has a user of its own, which is root, and whose folder is a directory for images: so files are opened for QEMU, and
 * no right is missing. */
void disk_fixture_set_up(DomainFixture *fixture, const void *data);

/* A raw block device "node1" on that file, as JSON. */
char *disk_fixture_make_blockdev(const char *path);
