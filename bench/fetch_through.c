/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The least that a process between a client and an origin can cost: it knows
 * nothing of what it moves.
 *
 *     fetch-through SOCKET ADDRESS PORT copy|splice
 *
 * One client at a time, at the unix socket SOCKET. Says "ready".
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "load.h"

#define PIECE (256u << 10)

static uint8_t piece[PIECE];
static int pipe_fds[2];

/* False: the end. */
static bool
all_send(int fd, size_t len)
{
	for (size_t at = 0; at < len;) {
		const ssize_t n = send(fd, piece + at, len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool
copy(int from_fd, int to_fd)
{
	const ssize_t n = recv(from_fd, piece, PIECE, 0);

	return n > 0 && all_send(to_fd, (size_t)n);
}

static bool
move(int from_fd, int to_fd)
{
	const ssize_t n = splice(from_fd, NULL, pipe_fds[1], NULL, PIECE, 0);

	for (ssize_t at = 0; at < n;) {
		const ssize_t put =
		    splice(pipe_fds[0], NULL, to_fd, NULL, (size_t)(n - at), 0);
		if (put <= 0)
			return false;
		at += put;
	}
	return n > 0;
}

static int
origin_open(const char *address, const char *port)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
	    connect(fd, (const void *)&at, sizeof(at)) != 0)
		load_die("%s:%s: %s", address, port, strerror(errno));
	return fd;
}

static int
listener_open(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (bind(fd, (const void *)&at, sizeof(at)) != 0 || listen(fd, 16) != 0)
		load_die("%s: %s", path, strerror(errno));
	return fd;
}

int
main(int argc, char **argv)
{
	if (argc != 5 || pipe2(pipe_fds, O_CLOEXEC) != 0)
		load_die("usage: fetch-through SOCKET ADDRESS PORT "
			 "copy|splice");
	const bool splices = strcmp(argv[4], "splice") == 0;
	const int listener_fd = listener_open(argv[1]);
	signal(SIGPIPE, SIG_IGN);
	puts("ready");
	fflush(stdout);
	for (;;) {
		const int fds[2] = { accept(listener_fd, NULL, NULL),
			origin_open(argv[2], argv[3]) };
		bool is_good = true;
		while (is_good) {
			struct pollfd ready[2] = { { fds[0], POLLIN, 0 },
				{ fds[1], POLLIN, 0 } };
			poll(ready, 2, -1);
			if (ready[0].revents != 0)
				is_good = copy(fds[0], fds[1]);
			if (is_good && ready[1].revents != 0)
				is_good = splices ? move(fds[1], fds[0])
						  : copy(fds[1], fds[0]);
		}
		close(fds[0]);
		close(fds[1]);
	}
}
