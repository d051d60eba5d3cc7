/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/login/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"

#define LINE_MAX_TERMINAL 4096 /* what a terminal gives at once, n_tty(4) */

struct connection {
	int fd; /* -1: none */
	uint64_t number; /* in the order that they came in */
	size_t len;
	char head[REDIRECT_HEAD_MAX];
};

struct waiting {
	const struct listener *listener;
	const struct listener_wait *wait;
	struct connection connections[LISTENER_CONNECTIONS];
	uint64_t n_accepted;
	bool has_terminal;
	struct redirect *redirect;
	int answer_fd; /* the redirect's; -1: it was pasted */
};

/* ---- the socket ------------------------------------------------------------ */

int
listener_open(struct listener *listener, uint16_t port, struct err *err)
{
	struct sockaddr_in place = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(place);
	const int on = 1;

	auto_close int fd =
	    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A port that was just used by the sign-in before is free. */
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&place, len) < 0 ||
	    listen(fd, LISTENER_CONNECTIONS) < 0 ||
	    getsockname(fd, (struct sockaddr *)&place, &len) < 0)
		return err_set(err, -errno,
		    "127.0.0.1:%u cannot be listened on: %s%s", port,
		    strerror(errno),
		    errno == EADDRINUSE ? " (--port takes another)" : "");
	listener->fd = fd_steal(&fd);
	listener->port = ntohs(place.sin_port);
	snprintf(listener->host, sizeof(listener->host), "127.0.0.1:%u",
	    listener->port);
	snprintf(listener->redirect_uri, sizeof(listener->redirect_uri),
	    "http://%s" REDIRECT_PATH, listener->host);
	return 0;
}

void
listener_close(struct listener *listener)
{
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
}

/* ---- answers --------------------------------------------------------------- */

static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = { { 200, "OK" }, { 400, "Bad Request" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 431, "Request Header Fields Too Large" } };

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Error";
}

void
listener_answer(int connection_fd, int status, const char *line)
{
	auto_close int fd = connection_fd;
	char text[1024];

	if (fd < 0)
		return;
	const int n = snprintf(text, sizeof(text),
	    "HTTP/1.1 %d %s\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: %zu\r\n"
	    "Content-Security-Policy: default-src 'none'\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Referrer-Policy: no-referrer\r\n"
	    "Cache-Control: no-store\r\n"
	    "%s"
	    "Connection: close\r\n\r\n%s\n",
	    status, reason(status), strlen(line) + 1,
	    status == 405 ? "Allow: GET\r\n" : "", line);
	/* It fits into an empty socket; whoever does not take it has none. */
	(void)send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	/* Bytes that nobody read would turn the end into a reset, and the page
	 * into none. */
	for (int i = 0; i < 64; i++)
		if (recv(fd, text, sizeof(text), MSG_DONTWAIT) <= 0)
			return;
}

static void
connection_answer(struct connection *connection, int status, const char *line)
{
	listener_answer(fd_steal(&connection->fd), status, line);
	connection->len = 0;
}

/* ---- what comes ------------------------------------------------------------ */

/* True: this is it. */
static bool
head_take(struct waiting *waiting, struct connection *connection, size_t len)
{
	const char *query = NULL;
	size_t query_len = 0;
	struct err err = { "" };

	const int status = redirect_request_read(
	    connection->head, len, waiting->listener->host, &query, &query_len);
	if (status != 200) {
		connection_answer(connection, status, reason(status));
		return false;
	}
	if (redirect_query_read(query, query_len, waiting->wait->state,
		waiting->redirect, &err) != 0) {
		connection_answer(connection, 400, err.text);
		return false;
	}
	waiting->answer_fd = fd_steal(&connection->fd);
	return true;
}

static bool
connection_read(struct waiting *waiting, struct connection *connection)
{
	const ssize_t n =
	    recv(connection->fd, connection->head + connection->len,
		sizeof(connection->head) - connection->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		close(fd_steal(&connection->fd));
		connection->len = 0;
		return false;
	}
	connection->len += (size_t)n;
	const char *end =
	    memmem(connection->head, connection->len, "\r\n\r\n", 4);
	if (end != NULL)
		return head_take(
		    waiting, connection, (size_t)(end - connection->head) + 4);
	if (connection->len == sizeof(connection->head))
		connection_answer(connection, 431, reason(431));
	return false;
}

/* In the place of the oldest where there is no room: who connects and says
 * nothing keeps nobody out. */
static void
connection_accept(struct waiting *waiting)
{
	struct connection *place = &waiting->connections[0];

	const int fd = accept4(
	    waiting->listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	for (size_t i = 0; i < LISTENER_CONNECTIONS && place->fd >= 0; i++) {
		struct connection *other = &waiting->connections[i];
		if (other->fd < 0 || other->number < place->number)
			place = other;
	}
	if (place->fd >= 0)
		close(place->fd);
	place->fd = fd;
	place->len = 0;
	place->number = waiting->n_accepted++;
}

static bool
line_take(struct waiting *waiting, char *line)
{
	struct err err = {
		"this is not the address that the browser ended at"
	};

	line += strspn(line, " \t");
	size_t len = strlen(line);
	while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
		line[--len] = '\0';
	if (len == 0)
		return false;
	const char *query =
	    redirect_address_query(line, waiting->listener->host);
	if (query != NULL &&
	    redirect_query_read(query, strlen(query), waiting->wait->state,
		waiting->redirect, &err) == 0)
		return true;
	waiting->wait->complain(waiting->wait->arg, err.text);
	return false;
}

static bool
terminal_read(struct waiting *waiting)
{
	char line[LINE_MAX_TERMINAL + 1];

	/* In the background, reading would stop us: let who types be. */
	if (tcgetpgrp(STDIN_FILENO) != getpgrp()) {
		waiting->has_terminal = false;
		return false;
	}
	const ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);
	if (n <= 0) {
		waiting->has_terminal = n < 0 && errno == EINTR;
		return false;
	}
	line[n] = '\0';
	if ((size_t)n >= LINE_MAX_TERMINAL - 1) {
		waiting->wait->complain(waiting->wait->arg,
		    "this is longer than a line of a terminal can be: open "
		    "the address in a browser of this machine");
		return false;
	}
	return line_take(waiting, line);
}

/* ---- the waiting ----------------------------------------------------------- */

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* One turn: 0, 1: it came; negative errno. */
static int
turn(struct waiting *waiting, uint64_t ms)
{
	struct pollfd fds[2 + LISTENER_CONNECTIONS] = {
		{ .fd = waiting->listener->fd, .events = POLLIN },
		{ .fd = waiting->has_terminal ? STDIN_FILENO : -1,
		    .events = POLLIN },
	};

	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++)
		fds[2 + i] = (struct pollfd){ .fd = waiting->connections[i].fd,
			.events = POLLIN };
	if (poll(fds, ARRAY_LEN(fds), ms > 60000 ? 60000 : (int)ms) < 0)
		return errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++)
		if (fds[2 + i].revents != 0 &&
		    connection_read(waiting, &waiting->connections[i]))
			return 1;
	if (fds[1].revents != 0 && terminal_read(waiting))
		return 1;
	if (fds[0].revents != 0)
		connection_accept(waiting);
	return 0;
}

int
listener_wait(const struct listener *listener, const struct listener_wait *wait,
    struct redirect *redirect, int *connection_fd)
{
	auto_free struct waiting *waiting = calloc(1, sizeof(*waiting));
	const uint64_t until = now_ms() + wait->seconds * 1000;
	int r = 0;

	if (waiting == NULL)
		return -ENOMEM;
	waiting->listener = listener;
	waiting->wait = wait;
	waiting->redirect = redirect;
	waiting->answer_fd = -1;
	waiting->has_terminal = isatty(STDIN_FILENO) == 1;
	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++)
		waiting->connections[i].fd = -1;
	for (uint64_t now = now_ms(); r == 0 && now < until; now = now_ms())
		r = turn(waiting, until - now);
	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++)
		if (waiting->connections[i].fd >= 0)
			close(waiting->connections[i].fd);
	*connection_fd = waiting->answer_fd;
	return r == 0 ? LISTENER_E_LATE : r < 0 ? r : 0;
}
