/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest-nic.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

void fail(const char *what)
{
	perror(what);
	exit(1);
}

void parse_mac(const char *text, uint8_t mac[MAC_LENGTH])
{
	int length = 0;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		   &mac[5], &length) != MAC_LENGTH || text[length]) {
		fprintf(stderr, "%s is not a MAC\n", text);
		exit(2);
	}
}

static void interface_ioctl(unsigned long request, const char *name, const char *link, unsigned short family,
			    const uint8_t mac[MAC_LENGTH])
{
	static int fd = -1;
	struct ifreq change = { 0 };

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strncpy(change.ifr_name, link, IFNAMSIZ - 1);
	change.ifr_hwaddr.sa_family = family;
	memcpy(change.ifr_hwaddr.sa_data, mac, MAC_LENGTH);
	if (fd < 0 || ioctl(fd, request, &change) < 0)
		fail(name);
}

/* ---- the multicast list: what `ip maddress` does ---- */

static int command_join_mac(const char *link, int count, char **arguments)
{
	uint8_t mac[MAC_LENGTH];

	for (int i = 0; i < count; i++) {
		parse_mac(arguments[i], mac);
		interface_ioctl(SIOCADDMULTI, "SIOCADDMULTI", link, AF_UNSPEC, mac);
	}
	return 0;
}

static int command_leave_mac(const char *link, int count, char **arguments)
{
	uint8_t mac[MAC_LENGTH];

	for (int i = 0; i < count; i++) {
		parse_mac(arguments[i], mac);
		interface_ioctl(SIOCDELMULTI, "SIOCDELMULTI", link, AF_UNSPEC, mac);
	}
	return 0;
}

/* ---- further addresses of its own: what `bridge fdb add MAC dev LINK self` does ---- */

typedef struct NeighbourRequest {
	struct nlmsghdr header;
	struct ndmsg neighbour;
	struct rtattr attribute;
	uint8_t mac[MAC_LENGTH];
} NeighbourRequest;

static void change_address(const char *link, const uint8_t mac[MAC_LENGTH], bool add)
{
	NeighbourRequest request = {
		.header = {
			.nlmsg_len = offsetof(NeighbourRequest, mac) + MAC_LENGTH,
			.nlmsg_type = add ? RTM_NEWNEIGH : RTM_DELNEIGH,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0),
		},
		.neighbour = {
			.ndm_family = PF_BRIDGE,
			.ndm_ifindex = (int)if_nametoindex(link),
			.ndm_state = NUD_PERMANENT,
			.ndm_flags = NTF_SELF,
		},
		.attribute = { .rta_len = RTA_LENGTH(MAC_LENGTH), .rta_type = NDA_LLADDR },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[256];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	memcpy(request.mac, mac, MAC_LENGTH);
	if (fd < 0 || send(fd, &request, request.header.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(answer.error)))
		fail("netlink");
	close(fd);
	if (answer.error.error) {
		fprintf(stderr, "the address: %s\n", strerror(-answer.error.error));
		exit(1);
	}
}

static int command_add_address(const char *link, int count, char **arguments)
{
	uint8_t mac[MAC_LENGTH];

	for (int i = 0; i < count; i++) {
		parse_mac(arguments[i], mac);
		change_address(link, mac, true);
	}
	return 0;
}

static int command_remove_address(const char *link, int count, char **arguments)
{
	uint8_t mac[MAC_LENGTH];

	for (int i = 0; i < count; i++) {
		parse_mac(arguments[i], mac);
		change_address(link, mac, false);
	}
	return 0;
}

/* ---- the MAC ---- */

/* Says when: "@mark" has left the guest for the host before the MAC is changed. */
static int command_set_mac(const char *link, int count, char **arguments)
{
	uint8_t mac[MAC_LENGTH];

	if (count != 1)
		return 2;
	parse_mac(arguments[0], mac);
	printf("@mark\n");
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	interface_ioctl(SIOCSIFHWADDR, "SIOCSIFHWADDR", link, ARPHRD_ETHER, mac);
	return 0;
}

static double get_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* SECONDS MAC: another one as fast as it goes, and then that. Prints how many there were. */
static int command_storm(const char *link, int count, char **arguments)
{
	uint8_t last[MAC_LENGTH], mac[MAC_LENGTH];
	unsigned changes = 0;
	double end;

	if (count != 2)
		return 2;
	end = get_seconds() + atof(arguments[0]);
	parse_mac(arguments[1], last);
	memcpy(mac, last, MAC_LENGTH);
	do {
		changes++;
		mac[3] = 0xff;
		mac[4] = (uint8_t)(changes >> 8);
		mac[5] = (uint8_t)changes;
		interface_ioctl(SIOCSIFHWADDR, "SIOCSIFHWADDR", link, ARPHRD_ETHER, mac);
	} while (get_seconds() < end);
	interface_ioctl(SIOCSIFHWADDR, "SIOCSIFHWADDR", link, ARPHRD_ETHER, last);
	printf("%u\n", changes + 1);
	return 0;
}

/* ---- the table ---- */

static const struct {
	const char *name;
	Command *command;
	const char *arguments;
} commands[] = {
	{ "set-mac", command_set_mac, "MAC" },
	{ "storm", command_storm, "SECONDS MAC" },
	{ "join-mac", command_join_mac, "MAC..." },
	{ "leave-mac", command_leave_mac, "MAC..." },
	{ "add-address", command_add_address, "MAC..." },
	{ "remove-address", command_remove_address, "MAC..." },
	{ "join", command_join, "GROUP PORT" },
	{ "frames", command_frames, "" },
};

int main(int argc, char **argv)
{
	if (argc >= 3) {
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			if (strcmp(argv[1], commands[i].name) == 0)
				return commands[i].command(argv[2], argc - 3, argv + 3);
		}
	}
	fprintf(stderr, "usage:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "  guest-nic %s LINK %s\n", commands[i].name, commands[i].arguments);
	return 2;
}
