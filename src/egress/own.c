/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The addresses of this host's interfaces, which nothing may dial: a service
 * that listens there was not meant for a stranger's code. One rtnetlink socket
 * (rtnetlink(7)), opened before the door, tells of every change. An address
 * that is new counts from its message on; what is gone is known by listing all
 * of them again, since two interfaces may share one.
 */

#include "egress/egress.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"

#define MESSAGES_MAX 32768u /* what the kernel sends at once */
#define START_MS 5000 /* until the first list must be there */
#define RETRY_S 1

struct ips {
	struct addr_ip *ips;
	size_t n;
	size_t capacity;
};

struct own {
	int netlink_fd;
	struct event *heard;
	struct event *retry;
	struct ips now;
	struct ips next; /* a list that is not complete yet */
	uint32_t sequence;
	bool is_listing;
	bool is_stale; /* something changed since the list was asked for */
};

static int
ips_add(struct ips *list, const struct addr_ip *ip)
{
	for (size_t i = 0; i < list->n; i++)
		if (addr_ip_equal(&list->ips[i], ip))
			return 0;
	if (list->n == list->capacity) {
		const size_t capacity = list->capacity * 2 + 16;
		struct addr_ip *ips =
		    reallocarray(list->ips, capacity, sizeof(*ips));
		if (ips == NULL)
			return -ENOMEM;
		list->ips = ips;
		list->capacity = capacity;
	}
	list->ips[list->n++] = *ip;
	return 0;
}

/* Asks for all of them; what is heard until then does not count. */
static int
list_ask(struct own *own)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg body;
	} ask = {
		.head = { .nlmsg_len = sizeof(ask),
		    .nlmsg_type = RTM_GETADDR,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		    .nlmsg_seq = ++own->sequence },
		.body = { .ifa_family = AF_UNSPEC },
	};

	own->next.n = 0;
	own->is_stale = false;
	own->is_listing =
	    send(own->netlink_fd, &ask, sizeof(ask), 0) == sizeof(ask);
	return own->is_listing ? 0 : -errno;
}

/* Messages and attributes lie behind one another, each rounded up to four
 * bytes. */
static size_t
aligned(size_t len, size_t left)
{
	const size_t whole = (len + 3) & ~(size_t)3;

	return whole < left ? whole : left;
}

/* False: the message holds no address. Of a point-to-point link LOCAL is
 * ours, ADDRESS the other end's. */
static bool
message_ip(const struct nlmsghdr *head, struct addr_ip *ip)
{
	const size_t start = NLMSG_LENGTH(sizeof(struct ifaddrmsg));
	const uint8_t *bytes = (const uint8_t *)head, *found = NULL;
	const struct ifaddrmsg *body = NLMSG_DATA(head);
	struct rtattr attribute;

	if (head->nlmsg_len < start ||
	    (body->ifa_family != AF_INET && body->ifa_family != AF_INET6))
		return false;
	const size_t size = body->ifa_family == AF_INET ? 4 : 16;
	for (size_t at = start, left = head->nlmsg_len - start;
	     left >= sizeof(attribute);) {
		memcpy(&attribute, bytes + at, sizeof(attribute));
		const size_t len = attribute.rta_len;
		if (len < sizeof(attribute) || len > left)
			break;
		if (len == RTA_LENGTH(size) &&
		    (attribute.rta_type == IFA_LOCAL ||
			(attribute.rta_type == IFA_ADDRESS && found == NULL)))
			found = bytes + at + RTA_LENGTH(0);
		at += aligned(len, left);
		left -= aligned(len, left);
	}
	if (found == NULL)
		return false;
	*ip = (struct addr_ip){ .version = size == 4 ? 4 : 6 };
	memcpy(ip->bytes, found, size);
	return true;
}

static int
list_done(struct own *own, const struct nlmsghdr *head)
{
	const struct ips before = own->now;

	own->is_listing = false;
	if (own->is_stale || (head->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
		return list_ask(own);
	own->now = own->next;
	own->next = before;
	return 0;
}

static int
message_take(struct own *own, const struct nlmsghdr *head)
{
	struct addr_ip ip;
	const bool is_listed =
	    own->is_listing && head->nlmsg_seq == own->sequence;
	int r = 0;

	if (is_listed && head->nlmsg_type == NLMSG_DONE)
		return list_done(own, head);
	if (is_listed && head->nlmsg_type == NLMSG_ERROR) {
		own->is_listing = false;
		return -EIO;
	}
	if (head->nlmsg_type != RTM_NEWADDR && head->nlmsg_type != RTM_DELADDR)
		return 0;
	if (is_listed && (head->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
		own->is_stale = true;
	if (head->nlmsg_type == RTM_NEWADDR && message_ip(head, &ip))
		r = ips_add(is_listed ? &own->next : &own->now, &ip);
	if (!is_listed)
		own->is_stale = true;
	return r;
}

static int
messages_take(struct own *own, const uint8_t *bytes, size_t len)
{
	int r = 0;

	while (r == 0 && len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *head = (const struct nlmsghdr *)bytes;
		if (head->nlmsg_len < sizeof(*head) || head->nlmsg_len > len)
			return -EPROTO;
		r = message_take(own, head);
		const size_t whole = aligned(head->nlmsg_len, len);
		bytes += whole;
		len -= whole;
	}
	return r;
}

/* What is there to read, until there is nothing. ENOBUFS: messages were lost,
 * so all of it is asked for again. */
static int
netlink_drain(struct own *own)
{
	_Alignas(struct nlmsghdr) static uint8_t bytes[MESSAGES_MAX];
	int r = 0;

	while (r == 0) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);
		const ssize_t n =
		    recvfrom(own->netlink_fd, bytes, sizeof(bytes), MSG_TRUNC,
			(struct sockaddr *)&from, &from_len);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS)
			return -errno;
		if (n < 0 || (size_t)n > sizeof(bytes)) {
			own->is_listing = false;
			own->is_stale = true;
			continue;
		}
		if (from.nl_pid == 0) /* the kernel's */
			r = messages_take(own, bytes, (size_t)n);
	}
	if (r == 0 && own->is_stale && !own->is_listing)
		r = list_ask(own);
	return r;
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct own *own = arg;
	const struct timeval soon = { .tv_sec = RETRY_S };
	(void)fd;
	(void)what;

	if (!own->is_listing && list_ask(own) != 0)
		event_add(own->retry, &soon);
}

static void
on_heard(evutil_socket_t fd, short what, void *arg)
{
	struct own *own = arg;
	const struct timeval soon = { .tv_sec = RETRY_S };
	(void)fd;
	(void)what;

	if (netlink_drain(own) != 0) {
		own->is_listing = false;
		event_add(own->retry, &soon);
	}
}

static int
netlink_open(int *netlink_fd)
{
	const struct sockaddr_nl name = { .nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	auto_close int fd = socket(
	    AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof(name)))
		return -errno;
	*netlink_fd = fd_steal(&fd);
	return 0;
}

/* The first list is waited for: nothing is dialled before it is there. */
static int
first_list(struct own *own)
{
	int r = list_ask(own);

	while (r == 0 && own->is_listing) {
		struct pollfd wait = { .fd = own->netlink_fd,
			.events = POLLIN };
		const int n = poll(&wait, 1, START_MS);
		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
		r = netlink_drain(own);
	}
	return r;
}

int
own_new(struct own **ownp, struct event_base *base)
{
	struct own *own = calloc(1, sizeof(*own));

	if (own == NULL)
		return -ENOMEM;
	own->netlink_fd = -1;
	int r = netlink_open(&own->netlink_fd);
	if (r == 0)
		r = first_list(own);
	if (r == 0) {
		own->heard = event_new(
		    base, own->netlink_fd, EV_READ | EV_PERSIST, on_heard, own);
		own->retry = evtimer_new(base, on_retry, own);
		if (own->heard == NULL || own->retry == NULL ||
		    event_add(own->heard, NULL) != 0)
			r = -ENOMEM;
	}
	if (r != 0)
		own = own_free(own);
	else
		*ownp = own;
	return r;
}

struct own *
own_free(struct own *own)
{
	if (own == NULL)
		return NULL;
	if (own->heard != NULL)
		event_free(own->heard);
	if (own->retry != NULL)
		event_free(own->retry);
	if (own->netlink_fd >= 0)
		close(own->netlink_fd);
	free(own->now.ips);
	free(own->next.ips);
	free(own);
	return NULL;
}

void
own_get(const struct own *own, const struct addr_ip **ips, size_t *n)
{
	*ips = own->now.ips;
	*n = own->now.n;
}

const struct addr_range *
egress_refuses(const struct egress *egress, const struct addr_ip *ip)
{
	const struct wire_egress_settings *settings = &egress->settings;
	struct addr_host host = {
		.nat64 = settings->nat64,
		.n_nat64 = settings->n_nat64,
		.denied = settings->denied,
		.n_denied = settings->n_denied,
	};

	if (egress->own != NULL)
		own_get(egress->own, &host.own, &host.n_own);
	return addr_refused(ip, &host);
}
