/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"
#include "qemu/fdsets.h"
#include "qemu/image-file.h"

/*
 * The files of block devices, for a QEMU that has another user than we: it opens none of them, but is given descriptors, in sets
 * (qemu/fdsets.h), and told /dev/fdset/N where the definition has the name of a file. The definition stays as it is.
 *
 * What is looked for is an object with the driver "file", "host_device" or "host_cdrom" and a "filename", however deep; names of nodes are
 * left alone, and so is what names a set already. Whether it is written to follows from "read-only", as QEMU has it: what
 * says nothing is as what it belongs to, and "backing" is not written to.
 *
 * WARNING: one descriptor in each set, never one to read and one to write. QEMU keeps its locks on the open file, which the set holds open:
 * what it has locked by the one it would find locked by somebody else when it comes to the other (seen with 7.2, at a commit). For that
 * reason "auto-read-only", which changes from one to the other, is off.
 */

#define QEMU_DISKS_MAX 128u    /* files of one start, or of one block device that is plugged in */

/* One block device, with the files in it. */
typedef struct QemuDisk QemuDisk;

/* Pure. place: where it stands, for errors ("blockdevs[0]"). Takes no reference to entry; any thread. */
QemuDisk *qemu_disk_new(JsonNode *entry, const char *place);
/* NULL-safe, returns NULL. */
QemuDisk *qemu_disk_free(QemuDisk *disk);
unsigned qemu_disk_count(const QemuDisk *disk);
/* Opens one. CORE_ERROR_NOT_PERMITTED: the message begins with its place ("blockdevs[0].file.filename: ..."). The descriptor is the
 * caller's. Blocks: worker thread. */
int qemu_disk_open(const QemuDisk *disk, unsigned index, const QemuImageAccess *access, GError **error);
/* QEMU finds it by that name, of a set. */
void qemu_disk_set_name(QemuDisk *disk, unsigned index, const char *name);
/* The block device as it is now; borrowed. */
JsonNode *qemu_disk_get_entry(const QemuDisk *disk);

/* All block devices of a definition; QemuDisk. Pure; any thread. */
GPtrArray *qemu_disks_new(const Definition *definition);
/* Opens all into fdsets, and has them named so. CORE_ERROR_LIMIT_EXCEEDED: they are more than QEMU_DISKS_MAX, or than have room there;
 * else as qemu_disk_open(). Blocks: worker thread. */
bool qemu_disks_open(const GPtrArray *disks, const QemuImageAccess *access, QemuFdsets *fdsets, GError **error);
/* No more than QEMU_DISKS_MAX. what: "blockdevs". CORE_ERROR_LIMIT_EXCEEDED. */
bool qemu_disks_check_number(unsigned n_files, const char *what, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuDisk, qemu_disk_free)
