/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/disks.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json-read.h"

#define FDSET_PREFIX "/dev/fdset/"

typedef struct DiskFile {
	JsonObject *object;      /* the disk's */
	char *place, *path;
	bool writable;
} DiskFile;

struct QemuDisk {
	JsonNode *entry;         /* nobody else's */
	GPtrArray *files;        /* DiskFile */
};

static void disk_file_free(void *data)
{
	DiskFile *file = data;

	g_free(file->place);
	g_free(file->path);
	g_free(file);
}

/* ---- a copy, in which files are found ---- */

static JsonNode *copy_node(QemuDisk *disk, JsonNode *node, GString *place, bool read_only);

static JsonNode *copy_value(JsonNode *node)
{
	JsonNode *copy = json_node_alloc();

	if (json_node_get_value_type(node) == G_TYPE_STRING)
		return json_node_init_string(copy, json_node_get_string(node));
	if (json_node_get_value_type(node) == G_TYPE_BOOLEAN)
		return json_node_init_boolean(copy, json_node_get_boolean(node));
	if (json_node_get_value_type(node) == G_TYPE_INT64)
		return json_node_init_int(copy, json_node_get_int(node));
	return json_node_init_double(copy, json_node_get_double(node));
}

static bool is_of_file(JsonObject *object, const char **ret_path)
{
	static const char *const drivers[] = { "file", "host_device", "host_cdrom", NULL };
	const char *driver;

	return json_read_string(object, "driver", &driver) && g_strv_contains(drivers, driver) &&
	       json_read_string(object, "filename", ret_path) && !g_str_has_prefix(*ret_path, FDSET_PREFIX);
}

static void note_file(QemuDisk *disk, JsonObject *object, const char *path, const GString *place, bool read_only)
{
	DiskFile *file = g_new0(DiskFile, 1);

	file->object = object;
	file->place = g_strconcat(place->str, ".filename", NULL);
	file->path = g_strdup(path);
	file->writable = !read_only;
	g_ptr_array_add(disk->files, file);
	/* As it is opened, whatever it would have from what it belongs to. */
	json_object_set_boolean_member(object, "read-only", read_only);
	json_object_set_boolean_member(object, "auto-read-only", FALSE);
}

static JsonNode *copy_object(QemuDisk *disk, JsonObject *object, GString *place, bool read_only)
{
	JsonObject *copy = json_object_new();
	JsonNode *node = json_node_init_object(json_node_alloc(), copy);
	size_t outer = place->len;
	JsonObjectIter iter;
	JsonNode *value;
	const char *name;

	json_object_unref(copy);
	(void)json_read_bool(object, "read-only", &read_only);
	json_object_iter_init_ordered(&iter, object);
	while (json_object_iter_next_ordered(&iter, &name, &value)) {
		g_string_append_printf(place, ".%s", name);
		json_object_set_member(copy, name, copy_node(disk, value, place, read_only ||
							     strcmp(name, "backing") == 0));
		g_string_truncate(place, outer);
	}
	if (is_of_file(copy, &name))
		note_file(disk, copy, name, place, read_only);
	return node;
}

static JsonNode *copy_array(QemuDisk *disk, JsonArray *array, GString *place, bool read_only)
{
	g_autoptr(JsonArray) copy = json_array_new();
	size_t outer = place->len;

	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		g_string_append_printf(place, "[%u]", i);
		json_array_add_element(copy, copy_node(disk, json_array_get_element(array, i), place, read_only));
		g_string_truncate(place, outer);
	}
	return json_node_init_array(json_node_alloc(), copy);
}

/* As deep as what comes from outside may be. read_only: what it belongs to is. */
static JsonNode *copy_node(QemuDisk *disk, JsonNode *node, GString *place, bool read_only)
{
	switch (JSON_NODE_TYPE(node)) {
	case JSON_NODE_OBJECT:
		return copy_object(disk, json_node_get_object(node), place, read_only);
	case JSON_NODE_ARRAY:
		return copy_array(disk, json_node_get_array(node), place, read_only);
	case JSON_NODE_VALUE:
		return copy_value(node);
	default:
		return json_node_init_null(json_node_alloc());
	}
}

QemuDisk *qemu_disk_new(JsonNode *entry, const char *place)
{
	QemuDisk *disk = g_new0(QemuDisk, 1);
	g_autoptr(GString) at = g_string_new(place);

	disk->files = g_ptr_array_new_with_free_func(disk_file_free);
	disk->entry = copy_node(disk, entry, at, false);
	return disk;
}

QemuDisk *qemu_disk_free(QemuDisk *disk)
{
	if (!disk)
		return NULL;
	g_ptr_array_unref(disk->files);
	json_node_unref(disk->entry);
	g_free(disk);
	return NULL;
}

unsigned qemu_disk_count(const QemuDisk *disk)
{
	return disk->files->len;
}

int qemu_disk_open(const QemuDisk *disk, unsigned index, const QemuImageAccess *access, GError **error)
{
	const DiskFile *file = g_ptr_array_index(disk->files, index);
	int fd = qemu_image_open(access, file->path, file->writable, error);

	if (fd < 0)
		g_prefix_error(error, "%s: ", file->place);
	return fd;
}

void qemu_disk_set_name(QemuDisk *disk, unsigned index, const char *name)
{
	DiskFile *file = g_ptr_array_index(disk->files, index);

	json_object_set_string_member(file->object, "filename", name);
}

JsonNode *qemu_disk_get_entry(const QemuDisk *disk)
{
	return disk->entry;
}

/* ---- all of a definition ---- */

static void free_disk(void *disk)
{
	qemu_disk_free(disk);
}

GPtrArray *qemu_disks_new(const Definition *definition)
{
	GPtrArray *disks = g_ptr_array_new_with_free_func(free_disk);

	for (unsigned i = 0; i < definition->blockdevs->len; i++) {
		g_autofree char *place = g_strdup_printf("blockdevs[%u]", i);

		g_ptr_array_add(disks, qemu_disk_new(g_ptr_array_index(definition->blockdevs, i), place));
	}
	return disks;
}

bool qemu_disks_check_number(unsigned n_files, const char *what, GError **error)
{
	if (n_files <= QEMU_DISKS_MAX)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED, "%s: has %u files, more than %u", what, n_files,
		    QEMU_DISKS_MAX);
	return false;
}

static bool open_files(QemuDisk *disk, const QemuImageAccess *access, QemuFdsets *fdsets, GError **error)
{
	for (unsigned i = 0; i < disk->files->len; i++) {
		int fd = qemu_disk_open(disk, i, access, error);
		g_autofree char *name = fd < 0 ? NULL : qemu_fdsets_add(fdsets, fd, NULL, error);

		if (!name)
			return false;
		qemu_disk_set_name(disk, i, name);
	}
	return true;
}

bool qemu_disks_open(const GPtrArray *disks, const QemuImageAccess *access, QemuFdsets *fdsets, GError **error)
{
	unsigned n_files = 0, i;

	for (i = 0; i < disks->len; i++)
		n_files += qemu_disk_count(g_ptr_array_index(disks, i));
	if (!qemu_disks_check_number(n_files, "blockdevs", error))
		return false;
	for (i = 0; i < disks->len; i++)
		if (!open_files(g_ptr_array_index(disks, i), access, fdsets, error))
			return false;
	return true;
}
