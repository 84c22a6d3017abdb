/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest-nic.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* IEEE's "local experimental": nobody else speaks it. */
#define ETHERTYPE_EXPERIMENTAL 0x88b5

/* Every frame of that type which the NIC lets through, whomever it is for: "DESTINATION TEXT". The text of a frame
 * ends at its first zero byte: short frames are padded. */
int command_frames(const char *link, int count, char **arguments)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_EXPERIMENTAL),
		.sll_ifindex = (int)if_nametoindex(link),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE_EXPERIMENTAL));

	if (count != 0)
		return 2;
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(link);
	setlinebuf(stdout);
	printf("listening\n");
	for (;;) {
		uint8_t frame[ETH_FRAME_LEN + 1];
		ssize_t length = recv(fd, frame, sizeof(frame) - 1, 0);

		if (length < 0)
			fail("recv");
		if (length < ETH_HLEN)
			continue;
		frame[length] = '\0';
		printf("%02x:%02x:%02x:%02x:%02x:%02x %s\n", frame[0], frame[1], frame[2], frame[3], frame[4], frame[5],
		       (char *)frame + ETH_HLEN);
	}
}

/* GROUP PORT: is a member of it, and prints the datagrams that come there. */
int command_join(const char *link, int count, char **arguments)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct ip_mreqn group = { .imr_ifindex = (int)if_nametoindex(link) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (count != 2 || inet_pton(AF_INET, arguments[0], &group.imr_multiaddr) != 1)
		return 2;
	address.sin_addr = group.imr_multiaddr;
	address.sin_port = htons((uint16_t)atoi(arguments[1]));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		fail(arguments[0]);
	setlinebuf(stdout);
	printf("listening\n");
	for (;;) {
		char text[ETH_FRAME_LEN + 1];
		ssize_t length = recv(fd, text, sizeof(text) - 1, 0);

		if (length < 0)
			fail("recv");
		text[length] = '\0';
		printf("%s\n", text);
	}
}
