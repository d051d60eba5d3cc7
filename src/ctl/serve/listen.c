/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"

#define BACKLOG 1024

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int
where_fail(const char *where, struct err *err)
{
	return err_set(err, -EINVAL,
	    "\"%s\" is no place to listen: write ADDRESS:PORT, such as "
	    "127.0.0.1:7330 or [::1]:7330",
	    where);
}

/* Cuts "[::1]:7330" into "::1" and "7330". */
static bool
where_split(const char *where, char host[64], const char **port)
{
	const char *colon = strrchr(where, ':');
	const char *begin = where, *end = colon;

	if (colon == NULL || strlen(where) >= 64)
		return false;
	if (*begin == '[') {
		if (end[-1] != ']')
			return false;
		begin++;
		end--;
	} else if (memchr(begin, ':', (size_t)(end - begin)) != NULL) {
		return false;
	}
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	*port = colon + 1;
	return host[0] != '\0' && **port != '\0' &&
	    strspn(*port, "0123456789") == strlen(*port);
}

static int
where_parse(
    const char *where, union address *address, socklen_t *len, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found;
	const char *port;
	char host[64];

	if (!where_split(where, host, &port) || strtoul(port, NULL, 10) > 65535)
		return where_fail(where, err);
	if (getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
		port, &hints, &found) != 0)
		return where_fail(where, err);

	memcpy(address, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static bool
is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
	return address->any.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static int
bind_fail(const char *where, struct err *err)
{
	const int r = errno;

	if (r == EADDRINUSE)
		return err_set(err, -r,
		    "%s is taken: another program listens there; choose "
		    "another port with --listen, 0 takes any free one",
		    where);
	if (r == EACCES)
		return err_set(err, -r,
		    "%s: ports below 1024 need root; choose another with "
		    "--listen",
		    where);
	return err_set(err, -r, "%s: %s", where, strerror(r));
}

static void
address_show(int fd, char text[CTL_ADDRESS_MAX])
{
	union address address = { 0 };
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "?";

	getsockname(fd, &address.any, &len);
	if (address.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host));
		snprintf(text, CTL_ADDRESS_MAX, "[%s]:%u", host,
		    ntohs(address.v6.sin6_port));
	} else {
		inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host));
		snprintf(text, CTL_ADDRESS_MAX, "%s:%u", host,
		    ntohs(address.v4.sin_port));
	}
}

int
ctl_listen(const char *where, bool loopback_only, struct ctl_listener *listener,
    struct err *err)
{
	union address address = { 0 };
	const int on = 1;
	socklen_t len = 0;

	const int r = where_parse(where, &address, &len, err);
	if (r < 0)
		return r;
	if (loopback_only && !is_loopback(&address))
		return err_set(err, -EPERM,
		    "%s can be reached from other machines: --no-auth is for "
		    "loopback addresses only",
		    where);

	auto_close int fd = socket(address.any.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", where, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &address.any, len) < 0 || listen(fd, BACKLOG) < 0)
		return bind_fail(where, err);

	listener->is_loopback = is_loopback(&address);
	address_show(fd, listener->address);
	listener->fd = fd_steal(&fd);
	return 0;
}
