/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

struct Descriptors {
	GArray *entries;     /* QemuDescriptor, sorted */
};

static void close_entry(void *data)
{
	(void)close(((QemuDescriptor *)data)->fd);
}

Descriptors *descriptors_new(void)
{
	Descriptors *descriptors = g_new0(Descriptors, 1);

	descriptors->entries = g_array_new(FALSE, FALSE, sizeof(QemuDescriptor));
	g_array_set_clear_func(descriptors->entries, close_entry);
	return descriptors;
}

Descriptors *descriptors_free(Descriptors *descriptors)
{
	if (!descriptors)
		return NULL;
	g_array_unref(descriptors->entries);
	g_free(descriptors);
	return NULL;
}

bool descriptors_add(Descriptors *descriptors, unsigned number, int fd, GError **error)
{
	QemuDescriptor entry = { -1, (int)number };
	unsigned i;

	if (number < DESCRIPTOR_NUMBER_MIN || number > DESCRIPTOR_NUMBER_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "descriptors: the number %u is not from %u to %u", number,
			    DESCRIPTOR_NUMBER_MIN, DESCRIPTOR_NUMBER_MAX);
		return false;
	}
	if (descriptors->entries->len >= DESCRIPTORS_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "descriptors: more than %u", DESCRIPTORS_MAX);
		return false;
	}
	for (i = 0; i < descriptors->entries->len; i++)
		if (g_array_index(descriptors->entries, QemuDescriptor, i).as >= entry.as)
			break;
	if (i < descriptors->entries->len &&
	    g_array_index(descriptors->entries, QemuDescriptor, i).as == entry.as) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "descriptors: the number %u is there twice", number);
		return false;
	}
	entry.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (entry.fd < 0) {
		core_error_set_errno(error, errno, "descriptors: %u cannot be copied", number);
		return false;
	}
	g_array_insert_val(descriptors->entries, i, entry);
	return true;
}

const QemuDescriptor *descriptors_get(const Descriptors *descriptors, size_t *ret_n)
{
	*ret_n = descriptors ? descriptors->entries->len : 0;
	return descriptors ? (const QemuDescriptor *)descriptors->entries->data : NULL;
}
