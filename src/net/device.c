/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/device.h"

#include <errno.h>
#include <fcntl.h>

int device_open(const char *path, const char *module, GError **error)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	/* A node that was put there for a module that is not loaded gives ENODEV or ENXIO. */
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "%s is not there: the kernel's module %s is to be loaded", path, module);
	else if (errno == EACCES || errno == EPERM)
		g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
			    "%s may not be opened by the user or the unit that the service runs as", path);
	else
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "cannot open %s: %s", path,
			    g_strerror(errno));
	return -1;
}
