/* SPDX-License-Identifier: Apache-2.0
 *
 * A closed-loop HTTP/1.1 load: each connection sends the same request bytes,
 * waits for the whole answer, checks it, and sends again. Small, so that the
 * server under test has the machine. The eight digits 10000000 in the request
 * are counted up: two calls of one session must not share an id.
 *
 *     http-load PORT CONNECTIONS CALLS SECONDS REQUEST-FILE EXPECT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "load.h"

#define LOAD_CONNECTIONS_MAX 256

struct connection {
	uint64_t started_ns;
	size_t len;
	char answer[LOAD_ANSWER_MAX + 1];
};

static struct load {
	struct sockaddr_in address;
	uint8_t *request;
	size_t request_len;
	uint8_t *id; /* the digits within it, or NULL */
	const char *expect;
	uint32_t n_connections, n_wanted, n_started;
	uint64_t end_ns;
	struct pollfd polls[LOAD_CONNECTIONS_MAX];
	struct connection connections[LOAD_CONNECTIONS_MAX];
	struct load_samples samples;
} load;

static int
connection_open(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&load.address,
		sizeof(load.address)) < 0)
		load_die("connect to port %u: %s", ntohs(load.address.sin_port),
		    strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static const char *
header_find(const char *head, const char *end, const char *name)
{
	const size_t len = strlen(name);

	for (const char *line = head; line < end;) {
		if (strncasecmp(line, name, len) == 0)
			return line + len;
		line = strstr(line, "\r\n");
		if (line == NULL)
			break;
		line += 2;
	}
	return NULL;
}

/* Whether what has arrived is the whole answer. One request is under way, so
 * a chunked body is over where the last chunk stands at the end. */
static int
answer_is_whole(const struct connection *connection)
{
	const char *blank = strstr(connection->answer, "\r\n\r\n");

	if (blank == NULL)
		return 0;
	const size_t head_len = (size_t)(blank - connection->answer) + 4;
	const char *length =
	    header_find(connection->answer, blank, "content-length:");
	if (length != NULL)
		return connection->len >= head_len + strtoul(length, NULL, 10);
	const char last[] = "0\r\n\r\n";
	const size_t tail = sizeof(last) - 1;
	return connection->len >= head_len + tail &&
	    memcmp(connection->answer + connection->len - tail, last, tail) ==
	    0;
}

static void
request_send(uint32_t i)
{
	struct connection *connection = &load.connections[i];

	if (load.n_started >= load.n_wanted || load_now_ns() >= load.end_ns) {
		close(load.polls[i].fd);
		load.polls[i].fd = -1;
		return;
	}
	if (load.id != NULL) {
		char digits[16];

		snprintf(digits, sizeof(digits), "%08u",
		    LOAD_ID_FIRST + load.n_started);
		memcpy(load.id, digits, 8);
	}
	load.n_started++;
	connection->len = 0;
	connection->started_ns = load_now_ns();
	const int code =
	    fd_write_all(load.polls[i].fd, load.request, load.request_len);
	if (code != 0)
		load_die("send: %s", strerror(-code));
}

static void
answer_check(const struct connection *connection)
{
	const int is_200 = strncmp(connection->answer, "HTTP/1.1 200", 12) == 0;

	if (is_200 && strstr(connection->answer, load.expect) != NULL)
		return;
	load_fail(&load.samples, connection->answer);
}

static void
connection_read(uint32_t i)
{
	struct connection *connection = &load.connections[i];
	const ssize_t n =
	    read(load.polls[i].fd, connection->answer + connection->len,
		LOAD_ANSWER_MAX - connection->len);

	if (n <= 0)
		load_die("the server closed a connection in call %u: %s",
		    load.n_started, n < 0 ? strerror(errno) : "end of file");
	connection->len += (size_t)n;
	connection->answer[connection->len] = '\0';
	if (!answer_is_whole(connection))
		return;
	load_sample(&load.samples, connection->started_ns);
	answer_check(connection);
	request_send(i);
}

static void
load_run(void)
{
	for (uint32_t i = 0; i < load.n_connections; i++) {
		load.polls[i] = (struct pollfd){ .fd = connection_open(),
			.events = POLLIN };
		request_send(i);
	}
	for (;;) {
		uint32_t n_open = 0;
		for (uint32_t i = 0; i < load.n_connections; i++)
			n_open += load.polls[i].fd >= 0;
		if (n_open == 0)
			return;
		if (poll(load.polls, load.n_connections, LOAD_STALL_MS) <= 0)
			load_die("no answer for %d s", LOAD_STALL_MS / 1000);
		for (uint32_t i = 0; i < load.n_connections; i++)
			if (load.polls[i].fd >= 0 && load.polls[i].revents != 0)
				connection_read(i);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 7)
		load_die("PORT CONNECTIONS CALLS SECONDS REQUEST-FILE EXPECT");
	load.address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	load.n_connections = (uint32_t)strtoul(argv[2], NULL, 10);
	load.n_wanted = (uint32_t)strtoul(argv[3], NULL, 10);
	load.expect = argv[6];
	if (load.n_connections == 0 ||
	    load.n_connections > LOAD_CONNECTIONS_MAX)
		load_die("1 to %d connections", LOAD_CONNECTIONS_MAX);
	auto_close int fd = open(argv[5], O_RDONLY | O_CLOEXEC);
	if (fd < 0 ||
	    fd_read_all(
		fd, LOAD_ANSWER_MAX, &load.request, &load.request_len) != 0)
		load_die("%s: cannot be read", argv[5]);
	load.id = memmem(load.request, load.request_len, "10000000", 8);

	const uint64_t began_ns = load_now_ns();
	load.end_ns = began_ns + (uint64_t)(strtod(argv[4], NULL) * 1e9);
	load_run();
	load_report(&load.samples, (double)(load_now_ns() - began_ns) / 1e9);
	return 0;
}
