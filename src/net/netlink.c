/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "net/refused.h"

#define WORDS_MAX 255u    /* of an extended acknowledgement; more is cut off */

struct Netlink {
	struct nl_sock *socket;
	/* Of the request that is being answered, or the last one. */
	NetlinkReply reply;
	void *userdata;
	bool done;
	int errno_value;
	char words[WORDS_MAX + 1];
};

static int on_valid(struct nl_msg *message, void *userdata)
{
	Netlink *netlink = userdata;

	if (netlink->reply)
		netlink->reply(nlmsg_hdr(message), netlink->userdata);
	return NL_OK;
}

static int on_end(struct nl_msg *message, void *userdata)
{
	Netlink *netlink = userdata;

	netlink->done = true;
	return NL_STOP;
}

/* A dump that the kernel could not finish says so at its end. */
static int on_finish(struct nl_msg *message, void *userdata)
{
	Netlink *netlink = userdata;
	struct nlmsghdr *header = nlmsg_hdr(message);
	int result = 0;

	if (nlmsg_datalen(header) >= (int) sizeof(result))
		memcpy(&result, nlmsg_data(header), sizeof(result));
	if (result < 0)
		netlink->errno_value = -result;
	return on_end(message, userdata);
}

/* The words come as an attribute behind the error; without NLM_F_CAPPED the whole request is in between. */
static void read_words(Netlink *netlink, struct nlmsgerr *answer)
{
	struct nlmsghdr *header = (struct nlmsghdr *) ((char *) answer - NLMSG_HDRLEN);
	int skip = sizeof(*answer);
	struct nlattr *words;

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += (int) (answer->msg.nlmsg_len - NLMSG_HDRLEN);
	if (nlmsg_datalen(header) < skip)
		return;
	words = nlmsg_find_attr(header, skip, NLMSGERR_ATTR_MSG);
	if (words)
		nla_strlcpy(netlink->words, words, sizeof(netlink->words));
}

static int on_error(struct sockaddr_nl *address, struct nlmsgerr *answer, void *userdata)
{
	Netlink *netlink = userdata;

	netlink->done = true;
	netlink->errno_value = -answer->error;
	read_words(netlink, answer);
	return NL_STOP;
}

Netlink *netlink_open(GError **error)
{
	g_autoptr(Netlink) netlink = g_new0(Netlink, 1);
	int result, on = 1;

	netlink->socket = nl_socket_alloc();
	result = netlink->socket ? nl_connect(netlink->socket, NETLINK_ROUTE) : -NLE_NOMEM;
	if (result < 0) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "no socket to the kernel's network (rtnetlink): %s",
			    nl_geterror(result));
		return NULL;
	}
	nl_socket_modify_cb(netlink->socket, NL_CB_VALID, NL_CB_CUSTOM, on_valid, netlink);
	nl_socket_modify_cb(netlink->socket, NL_CB_ACK, NL_CB_CUSTOM, on_end, netlink);
	nl_socket_modify_cb(netlink->socket, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, netlink);
	nl_socket_modify_err_cb(netlink->socket, NL_CB_CUSTOM, on_error, netlink);
	/* Words are a help and no more: a kernel that has none still has its numbers. */
	(void) setsockopt(nl_socket_get_fd(netlink->socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void) setsockopt(nl_socket_get_fd(netlink->socket), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return g_steal_pointer(&netlink);
}

Netlink *netlink_close(Netlink *netlink)
{
	if (!netlink)
		return NULL;
	g_clear_pointer(&netlink->socket, nl_socket_free);
	g_free(netlink);
	return NULL;
}

int netlink_request(Netlink *netlink, struct nl_msg *message, NetlinkReply reply, void *userdata)
{
	int result;

	netlink->reply = reply;
	netlink->userdata = userdata;
	netlink->done = false;
	netlink->errno_value = 0;
	netlink->words[0] = '\0';

	result = nl_send_auto(netlink->socket, message);
	nlmsg_free(message);
	/* The acknowledgement of a single message comes in a datagram of its own. */
	while (result >= 0 && !netlink->done)
		result = nl_recvmsgs_default(netlink->socket);

	/* libnl's own trouble; after it, what the socket says may be about this request or the next one. */
	if (result < 0 && netlink->errno_value == 0) {
		netlink->errno_value = EIO;
		g_strlcpy(netlink->words, nl_geterror(result), sizeof(netlink->words));
	}
	return -netlink->errno_value;
}

void netlink_set_error(const Netlink *netlink, GError **error, CoreError code, int errno_value,
		       const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list arguments;

	va_start(arguments, format);
	what = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	refused_set_error(error, code, errno_value, netlink->words, "CAP_NET_ADMIN", "%s", what);
}
