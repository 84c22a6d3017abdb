/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/fdsets.h"

#include <unistd.h>

#include "base/error.h"
#include "model/definition.h"
#include "qemu/interface.h"

G_STATIC_ASSERT(QEMU_INTERFACE_FD_FIRST + DEFINITION_NIC_DESCRIPTORS_MAX <= QEMU_FDSETS_FD_FIRST);
G_STATIC_ASSERT(QEMU_FDSETS_FD_FIRST + QEMU_FDSETS_FDS_MAX - 1 <= QEMU_PROGRAM_FD_MAX);

struct QemuFdsets {
	GArray *descriptors;         /* QemuDescriptor, one for each set */
	GPtrArray *options;          /* of -add-fd, one for each */
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

static char *make_option(int number, unsigned set, const char *opaque)
{
	g_auto(GStrv) parts = NULL;
	g_autofree char *value = NULL;

	if (!opaque)
		return g_strdup_printf("fd=%d,set=%u", number, set);
	/* A comma in a value is written as two. */
	parts = g_strsplit(opaque, ",", -1);
	value = g_strjoinv(",,", parts);
	return g_strdup_printf("fd=%d,set=%u,opaque=%s", number, set, value);
}

char *qemu_fdsets_add(QemuFdsets *fdsets, int fd, const char *opaque, GError **error)
{
	const QemuDescriptor descriptor = { fd, QEMU_FDSETS_FD_FIRST + (int)fdsets->descriptors->len };
	unsigned set = qemu_fdsets_get_next_id(fdsets);

	if (fdsets->descriptors->len == QEMU_FDSETS_FDS_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "QEMU is given at most %u files of disks, firmware and consoles by descriptor",
			    QEMU_FDSETS_FDS_MAX);
		(void)close(fd);
		return NULL;
	}
	g_array_append_val(fdsets->descriptors, descriptor);
	g_ptr_array_add(fdsets->options, make_option(descriptor.as, set, opaque));
	return g_strdup_printf("/dev/fdset/%u", set);
}

unsigned qemu_fdsets_get_next_id(const QemuFdsets *fdsets)
{
	return QEMU_FDSETS_ID_FIRST + fdsets->descriptors->len;
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
