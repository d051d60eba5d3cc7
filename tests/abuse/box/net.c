/* SPDX-License-Identifier: Apache-2.0
 *
 * Ways out. The host's listeners answer with the secret; beyond the host nothing
 * is sent: to connect a datagram socket only asks for a route.
 */
#include "attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in
address(const char *host, long port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, host, &at.sin_addr);
	return at;
}

static struct sockaddr_in6
address6(const char *host, long port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port) };

	inet_pton(AF_INET6, host, &at.sin6_addr);
	return at;
}

static long
secret_from(int fd)
{
	char text[sizeof(ATTACK_SECRET)] = "";
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	if (poll(&wait, 1, 1000) <= 0)
		return -ETIMEDOUT;
	if (recv(fd, text, sizeof(text) - 1, 0) < 0)
		return -(long)errno;
	return strcmp(text, ATTACK_SECRET) == 0 ? 0 : -ENODATA;
}

static long
stream(const void *at, socklen_t len)
{
	const struct sockaddr *to = at;
	const int fd = socket(to->sa_family, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, to, len) < 0)
		return -(long)errno;
	return secret_from(fd);
}

static long
tcp(const struct attack_place *place)
{
	const struct sockaddr_in at = address("127.0.0.1", place->tcp);

	return stream(&at, sizeof(at));
}

static long
tcp_any(const struct attack_place *place)
{
	const struct sockaddr_in at = address("0.0.0.0", place->tcp);

	return stream(&at, sizeof(at));
}

static long
tcp_other_loopback(const struct attack_place *place)
{
	const struct sockaddr_in at = address("127.9.8.7", place->tcp);

	return stream(&at, sizeof(at));
}

static long
tcp6(const struct attack_place *place)
{
	const struct sockaddr_in6 at = address6("::1", place->tcp6);

	return stream(&at, sizeof(at));
}

static long
tcp_mapped(const struct attack_place *place)
{
	const struct sockaddr_in6 at = address6("::ffff:127.0.0.1", place->tcp);

	return stream(&at, sizeof(at));
}

/* Connects without connect(). */
static long
tcp_fast_open(const struct attack_place *place)
{
	const struct sockaddr_in at = address("127.0.0.1", place->tcp);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 ||
	    sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
		(const struct sockaddr *)&at, sizeof(at)) < 0)
		return -(long)errno;
	return secret_from(fd);
}

/* Datagrams, which need no connect() either. */
static long
udp(const struct attack_place *place)
{
	const struct sockaddr_in at = address("127.0.0.1", place->udp);
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 ||
	    sendto(fd, "x", 1, 0, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -(long)errno;
	return secret_from(fd);
}

static long
udp_message(const struct attack_place *place)
{
	struct sockaddr_in at = address("127.0.0.1", place->udp);
	struct iovec piece = { (char[]){ 'x' }, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_name = &at,
				       .msg_namelen = sizeof(at),
				       .msg_iov = &piece,
				       .msg_iovlen = 1 } };
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || sendmmsg(fd, &message, 1, 0) < 0)
		return -(long)errno;
	return secret_from(fd);
}

static long
udp_mapped(const struct attack_place *place)
{
	const struct sockaddr_in6 at = address6("::ffff:127.0.0.1", place->udp);
	const int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	if (fd < 0 ||
	    sendto(fd, "x", 1, 0, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -(long)errno;
	return secret_from(fd);
}

static long
route(const void *at, socklen_t len)
{
	const struct sockaddr *to = at;
	const int fd = socket(to->sa_family, SOCK_DGRAM, 0);
	const int on = 1;

	if (fd < 0)
		return -(long)errno;
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	return attack_said(connect(fd, to, len));
}

#define ROUTE(name, host, port)                                                \
	static long name(const struct attack_place *place)                     \
	{                                                                      \
		const struct sockaddr_in at = address(host, port);             \
		(void)place;                                                   \
		return route(&at, sizeof(at));                                 \
	}
#define ROUTE6(name, host, port)                                               \
	static long name(const struct attack_place *place)                     \
	{                                                                      \
		struct sockaddr_in6 at = address6(host, port);                 \
		at.sin6_scope_id = 2;                                          \
		(void)place;                                                   \
		return route(&at, sizeof(at));                                 \
	}

ROUTE(route_world, "203.0.113.1", 443)
ROUTE(route_names, "198.51.100.53", 53)
ROUTE(route_metadata, "169.254.169.254", 80)
ROUTE(route_metadata_azure, "168.63.129.16", 80)
ROUTE(route_private, "10.0.0.1", 22)
ROUTE(route_private_other, "192.168.0.1", 80)
ROUTE(route_docker, "172.17.0.1", 2375)
ROUTE(route_multicast, "224.0.0.251", 5353)
ROUTE(route_broadcast, "255.255.255.255", 67)
ROUTE6(route_world6, "2001:db8::1", 443)
ROUTE6(route_link_local6, "fe80::1", 80)
ROUTE6(route_multicast6, "ff02::1", 80)
ROUTE6(route_metadata6, "fd00:ec2::254", 80)

static const struct attack attacks[] = {
	ATTACK(USER, tcp),
	ATTACK(USER, tcp_any),
	ATTACK(USER, tcp_other_loopback),
	ATTACK(USER, tcp6),
	ATTACK(USER, tcp_mapped),
	ATTACK(USER, tcp_fast_open),
	ATTACK(USER, udp),
	ATTACK(USER, udp_message),
	ATTACK(USER, udp_mapped),
	ATTACK(USER, route_world),
	ATTACK(USER, route_names),
	ATTACK(USER, route_metadata),
	ATTACK(USER, route_metadata_azure),
	ATTACK(USER, route_private),
	ATTACK(USER, route_private_other),
	ATTACK(USER, route_docker),
	ATTACK(USER, route_multicast),
	ATTACK(USER, route_broadcast),
	ATTACK(USER, route_world6),
	ATTACK(USER, route_link_local6),
	ATTACK(USER, route_multicast6),
	ATTACK(USER, route_metadata6),
};

const struct attack_table attack_net = { "network", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
