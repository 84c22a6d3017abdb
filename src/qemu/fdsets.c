/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/fdsets.h"

#include <unistd.h>

#include "base/error.h"
#include "model/definition.h"
#include "qemu/interface.h"

G_STATIC_ASSERT(QEMU_INTERFACE_FD_FIRST + DEFINITION_NIC_DESCRIPTORS_MAX <= QEMU_FDSETS_FD_FIRST);
G_STATIC_ASSERT(QEMU_FDSETS_FD_FIRST + QEMU_FDSETS_FDS_MAX - 1 <= QEMU_PROGRAM_FD_MAX);

struct QemuFdsets {
	GArray *descriptors;         /* QemuDescriptor */
	GPtrArray *options;          /* of -add-fd, one for each */
	unsigned n_sets;
};

QemuFdsets *qemu_fdsets_new(void)
{
	QemuFdsets *fdsets = g_new0(QemuFdsets, 1);

	fdsets->descriptors = g_array_new(FALSE, FALSE, sizeof(QemuDescriptor));
	fdsets->options = g_ptr_array_new_with_free_func(g_free);
	return fdsets;
}

QemuFdsets *qemu_fdsets_free(QemuFdsets *fdsets)
{
	if (!fdsets)
		return NULL;
	for (unsigned i = 0; i < fdsets->descriptors->len; i++)
		(void)close(g_array_index(fdsets->descriptors, QemuDescriptor, i).fd);
	g_array_unref(fdsets->descriptors);
	g_ptr_array_unref(fdsets->options);
	g_free(fdsets);
	return NULL;
}

static void add(QemuFdsets *fdsets, int fd, const char *opaque)
{
	const QemuDescriptor descriptor = { fd, QEMU_FDSETS_FD_FIRST + (int)fdsets->descriptors->len };
	g_autoptr(GString) option = g_string_new(NULL);

	g_string_printf(option, "fd=%d,set=%u", descriptor.as, QEMU_FDSETS_ID_FIRST + fdsets->n_sets);
	if (opaque) {
		/* A comma in a value is written as two. */
		g_auto(GStrv) parts = g_strsplit(opaque, ",", -1);
		g_autofree char *value = g_strjoinv(",,", parts);

		g_string_append_printf(option, ",opaque=%s", value);
	}
	g_array_append_val(fdsets->descriptors, descriptor);
	g_ptr_array_add(fdsets->options, g_string_free(g_steal_pointer(&option), FALSE));
}

char *qemu_fdsets_add(QemuFdsets *fdsets, int fd, int second, const char *opaque, GError **error)
{
	if (fdsets->descriptors->len + (second < 0 ? 1 : 2) > QEMU_FDSETS_FDS_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "QEMU is given at most %u files of disks, firmware and consoles by descriptor",
			    QEMU_FDSETS_FDS_MAX);
		(void)close(fd);
		if (second >= 0)
			(void)close(second);
		return NULL;
	}
	add(fdsets, fd, opaque);
	if (second >= 0)
		add(fdsets, second, NULL);
	return g_strdup_printf("/dev/fdset/%u", QEMU_FDSETS_ID_FIRST + fdsets->n_sets++);
}

unsigned qemu_fdsets_get_next_id(const QemuFdsets *fdsets)
{
	return QEMU_FDSETS_ID_FIRST + fdsets->n_sets;
}

const QemuDescriptor *qemu_fdsets_get(const QemuFdsets *fdsets, size_t *ret_n)
{
	*ret_n = fdsets ? fdsets->descriptors->len : 0;
	return fdsets ? (const QemuDescriptor *)fdsets->descriptors->data : NULL;
}

void qemu_fdsets_add_options(const QemuFdsets *fdsets, GPtrArray *line)
{
	for (unsigned i = 0; fdsets && i < fdsets->options->len; i++) {
		g_ptr_array_add(line, g_strdup("-add-fd"));
		g_ptr_array_add(line, g_strdup(g_ptr_array_index(fdsets->options, i)));
	}
}
