/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Device {
	char *id, *driver;
} Device;

static GPtrArray *devices;
static GHashTable *gone;          /* their ids */

const char *get_string(JsonObject *object, const char *member)
{
	return object ? json_object_get_string_member_with_default(object, member, "") : "";
}

void devices_init(void)
{
	devices = g_ptr_array_new();
	gone = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void add_device(JsonObject *object)
{
	Device *device = g_new0(Device, 1);

	device->id = g_strdup(get_string(object, "id"));
	device->driver = g_strdup(get_string(object, "driver"));
	(void)g_hash_table_remove(gone, device->id);
	g_ptr_array_add(devices, device);
}

bool find_device(const char *id, unsigned *ret_index)
{
	for (unsigned i = 0; i < devices->len; i++) {
		if (!g_str_equal(((Device *)g_ptr_array_index(devices, i))->id, id))
			continue;
		if (ret_index)
			*ret_index = i;
		return true;
	}
	return false;
}

bool remove_device(const char *id)
{
	unsigned index;

	if (!find_device(id, &index))
		return false;
	g_hash_table_add(gone, g_strdup(id));
	(void)g_ptr_array_remove_index(devices, index);
	return true;
}

bool has_gone(const char *id)
{
	return g_hash_table_contains(gone, id);
}

char *devices_list(void)
{
	g_autoptr(GString) text = g_string_new("[{\"name\": \"type\", \"type\": \"string\"}");

	for (unsigned i = 0; i < devices->len; i++) {
		const Device *device = g_ptr_array_index(devices, i);

		g_string_append_printf(text, ", {\"name\": \"%s\", \"type\": \"child<%s>\"}",
				       device->id, device->driver);
	}
	g_string_append_c(text, ']');
	return g_string_free(g_steal_pointer(&text), FALSE);
}

int listen_at(const char *value)
{
	g_autofree char *path = g_strndup(value + strlen("unix:"), strcspn(value, ",") - strlen("unix:"));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	g_snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 4) < 0 ||
	    rename(address.sun_path, path) < 0) {
		perror(path);
		_exit(1);
	}
	return listener;
}
