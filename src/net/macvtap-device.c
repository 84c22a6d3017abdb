/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/macvtap-device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NODE_NAME  "tap"
#define TEXT_MAX   64u    /* bytes of a number in sysfs */

static bool read_text(int root, const char *path, char *text)
{
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, TEXT_MAX - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

static bool read_device(int root, const Link *link, dev_t *ret_device)
{
	g_autofree char *index_path = g_strdup_printf("class/net/%s/ifindex", link->name);
	g_autofree char *device_path = g_strdup_printf("class/net/%s/macvtap/tap%u/dev", link->name, link->index);
	char text[TEXT_MAX];
	unsigned index, major_number, minor_number;

	if (!read_text(root, index_path, text) || sscanf(text, "%u", &index) != 1 || index != link->index)
		return false;
	if (!read_text(root, device_path, text) || sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
		return false;
	*ret_device = makedev(major_number, minor_number);
	return true;
}

/* A mount that is in no folder: nobody else sees it, and it goes with its descriptor. A new one of sysfs
 * shows the network namespace that this thread is in. -1 and errno on failure. */
static int mount_detached(const char *type)
{
	int context = fsopen(type, FSOPEN_CLOEXEC);
	int mount = -1, errno_value;

	if (context < 0)
		return -1;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(context, FSMOUNT_CLOEXEC, 0);
	errno_value = errno;
	close(context);
	errno = errno_value;
	return mount;
}

static bool find_numbers(const Link *link, dev_t *ret_device, GError **error)
{
	int root = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool found = root >= 0 && read_device(root, link, ret_device);

	if (root >= 0)
		close(root);
	if (found)
		return true;

	/* /sys was mounted in another network namespace than this one. */
	root = mount_detached("sysfs");
	if (root < 0) {
		g_set_error(error, CORE_ERROR,
			    errno == EPERM ? CORE_ERROR_NOT_PERMITTED : CORE_ERROR_START_FAILED,
			    "the device of %s cannot be found: /sys is that of another network namespace, and a "
			    "new one cannot be mounted: %s", link->name,
			    errno == EPERM ? "CAP_SYS_ADMIN is missing" : g_strerror(errno));
		return false;
	}
	found = read_device(root, link, ret_device);
	close(root);
	if (!found)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "the device of %s is not in sysfs",
			    link->name);
	return found;
}

/* The usual file, if it is the right one. It is looked at by O_PATH: opening somebody else's takes frames
 * from him. */
static int find_file(const Link *link, dev_t device)
{
	g_autofree char *path = g_strdup_printf("/dev/tap%u", link->index);
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == device)
		return fd;
	close(fd);
	return -1;
}

/* One of our own, on a file system in memory that nobody else sees. */
static int make_file(dev_t device)
{
	int mount = mount_detached("tmpfs");
	int fd = -1, errno_value;

	if (mount < 0)
		return -1;
	if (mknodat(mount, NODE_NAME, S_IFCHR | 0600, device) == 0)
		fd = openat(mount, NODE_NAME, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	errno_value = errno;
	close(mount);
	errno = errno_value;
	return fd;
}

int macvtap_device_find(const Link *link, GError **error)
{
	dev_t device;
	int fd;

	if (!find_numbers(link, &device, error))
		return -1;
	fd = find_file(link, device);
	if (fd < 0)
		fd = make_file(device);
	if (fd >= 0)
		return fd;
	g_set_error(error, CORE_ERROR, errno == EPERM ? CORE_ERROR_NOT_PERMITTED : CORE_ERROR_START_FAILED,
		    "the device of %s (%u:%u) has no file /dev/tap%u, and one cannot be made: %s", link->name,
		    major(device), minor(device), link->index,
		    errno == EPERM ? "CAP_SYS_ADMIN or CAP_MKNOD is missing" : g_strerror(errno));
	return -1;
}
