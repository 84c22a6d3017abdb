/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/multicast-list.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* /proc/net is that of the process's first thread. */
#define LIST_PATH "/proc/thread-self/net/dev_mcast"

/* "INDEX NAME USERS GLOBAL ADDRESS", the address in hexadecimal digits. False: not one of these links, or
 * an address of another length. */
static bool read_line(const char *line, unsigned index, Mac *ret_mac)
{
	unsigned found, global_use, octets[MAC_LENGTH];
	char end = '\0';
	int n_fields = sscanf(line, "%u %*s %*u %u %2x%2x%2x%2x%2x%2x%c", &found, &global_use, &octets[0],
			      &octets[1], &octets[2], &octets[3], &octets[4], &octets[5], &end);

	if (n_fields < 8 || (n_fields == 9 && end != '\n') || found != index || global_use == 0)
		return false;
	for (unsigned i = 0; i < MAC_LENGTH; i++)
		ret_mac->octets[i] = (uint8_t) octets[i];
	return true;
}

int multicast_list_read(unsigned index, unsigned n_max, MacSet *set)
{
	FILE *file = fopen(LIST_PATH, "re");
	unsigned n_entries = 0;
	char *line = NULL;
	size_t size = 0;
	int result = 0;
	Mac mac;

	if (!file)
		return -errno;
	while (result == 0 && getline(&line, &size, file) >= 0) {
		if (!read_line(line, index, &mac))
			continue;
		if (n_entries++ == n_max)
			result = -E2BIG;
		else
			mac_set_add(set, &mac);
	}
	if (result == 0 && ferror(file))
		result = -EIO;
	free(line);
	fclose(file);
	return result;
}

static int change(unsigned long request, const char *link, const Mac *mac)
{
	/* Any socket will do, and this family is always there. */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq argument = { 0 };
	int result;

	if (fd < 0)
		return -errno;
	g_strlcpy(argument.ifr_name, link, sizeof(argument.ifr_name));
	argument.ifr_hwaddr.sa_family = AF_UNSPEC;
	memcpy(argument.ifr_hwaddr.sa_data, mac->octets, MAC_LENGTH);
	result = ioctl(fd, request, &argument) == 0 ? 0 : -errno;
	close(fd);
	return result;
}

int multicast_list_add(const char *link, const Mac *mac)
{
	int result = change(SIOCADDMULTI, link, mac);

	return result == -EEXIST ? 0 : result;
}

int multicast_list_remove(const char *link, const Mac *mac)
{
	int result = change(SIOCDELMULTI, link, mac);

	return result == -ENOENT ? 0 : result;
}
