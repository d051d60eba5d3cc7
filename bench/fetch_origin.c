/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An origin that costs next to nothing: GET /N answers with N bytes.
 *
 *     fetch-origin ADDRESS PORT [CERTIFICATE KEY]
 *
 * HTTP/1.1 with connections that are kept, over TLS where there is a
 * certificate; one thread. Says "ready".
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define EVENTS_MAX 256
#define HEAD_MAX 8192

struct connection {
	int fd;
	SSL *ssl; /* NULL: none */
	size_t in_len;
	char in[HEAD_MAX];
	size_t head_len, head_at;
	char head[128];
	uint64_t left; /* of the body */
};

static char block[256u << 10];
static int loop_fd;
static SSL_CTX *tls; /* NULL: none */

/* As send() and recv(): errno is EAGAIN where it must wait. */
static ssize_t
tls_result(SSL *ssl, int n)
{
	if (n > 0)
		return n;
	const int why = SSL_get_error(ssl, n);
	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE
	    ? EAGAIN
	    : EIO;
	return -1;
}

static ssize_t
bytes_put(
    struct connection *connection, const void *bytes, size_t len, int flags)
{
	SSL *ssl = connection->ssl;

	ERR_clear_error();
	return ssl != NULL
	    ? tls_result(ssl, SSL_write(ssl, bytes, (int)len))
	    : send(connection->fd, bytes, len, MSG_NOSIGNAL | flags);
}

static ssize_t
bytes_take(struct connection *connection, void *bytes, size_t len)
{
	SSL *ssl = connection->ssl;

	ERR_clear_error();
	return ssl != NULL ? tls_result(ssl, SSL_read(ssl, bytes, (int)len))
			   : recv(connection->fd, bytes, len, 0);
}

/* As much as fits. False: it is gone. */
static bool
connection_write(struct connection *connection)
{
	while (connection->head_at < connection->head_len ||
	    connection->left > 0) {
		const size_t head = connection->head_len - connection->head_at;
		const size_t body = connection->left < sizeof(block)
		    ? (size_t)connection->left
		    : sizeof(block);
		const ssize_t n = head > 0
		    ? bytes_put(connection,
			  connection->head + connection->head_at, head,
			  body > 0 ? MSG_MORE : 0)
		    : bytes_put(connection, block, body, 0);
		if (n < 0)
			return errno == EAGAIN;
		if (head > 0)
			connection->head_at += (size_t)n;
		else
			connection->left -= (uint64_t)n;
	}
	return true;
}

static void
request_take(struct connection *connection)
{
	connection->left = strtoull(connection->in + strlen("GET /"), NULL, 10);
	connection->head_at = 0;
	connection->head_len =
	    (size_t)snprintf(connection->head, sizeof(connection->head),
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		"Content-Length: %llu\r\n\r\n",
		(unsigned long long)connection->left);
}

/* One request at a time: nobody pipelines. */
static bool
connection_read(struct connection *connection)
{
	const ssize_t n =
	    bytes_take(connection, connection->in + connection->in_len,
		sizeof(connection->in) - 1 - connection->in_len);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	connection->in_len += (size_t)n;
	connection->in[connection->in_len] = '\0';
	if (strstr(connection->in, "\r\n\r\n") == NULL)
		return connection->in_len < sizeof(connection->in) - 1;
	connection->in_len = 0;
	request_take(connection);
	return true;
}

static void
connection_new(int listener_fd)
{
	const int one = 1;
	const int fd =
	    accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *connection = calloc(1, sizeof(*connection));
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
		.data.ptr = connection };

	if (fd < 0 || connection == NULL)
		return;
	connection->fd = fd;
	if (tls != NULL) {
		connection->ssl = SSL_new(tls);
		SSL_set_fd(connection->ssl, fd);
		SSL_set_accept_state(connection->ssl);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(loop_fd, EPOLL_CTL_ADD, fd, &event);
}

static int
listener_open(const char *address, const char *port)
{
	const int one = 1;
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)) };

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
	    bind(fd, (const void *)&at, sizeof(at)) != 0 ||
	    listen(fd, 4096) != 0)
		load_die("%s:%s: %s", address, port, strerror(errno));
	return fd;
}

static void
tls_open(const char *certificate, const char *key)
{
	tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_mode(tls,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		load_die(
		    "%s, %s: no certificate and its key", certificate, key);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS_MAX],
	    listening = { .events = EPOLLIN };

	if (argc != 3 && argc != 5)
		load_die("usage: fetch-origin ADDRESS PORT [CERTIFICATE KEY]");
	if (argc == 5)
		tls_open(argv[3], argv[4]);
	const int listener_fd = listener_open(argv[1], argv[2]);
	memset(block, 'x', sizeof(block));
	signal(SIGPIPE, SIG_IGN);
	loop_fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(loop_fd, EPOLL_CTL_ADD, listener_fd, &listening);
	puts("ready");
	fflush(stdout);
	for (;;) {
		const int n = epoll_wait(loop_fd, events, EVENTS_MAX, -1);
		for (int i = 0; i < n; i++) {
			struct connection *connection = events[i].data.ptr;
			if (connection == NULL) {
				connection_new(listener_fd);
				continue;
			}
			if (connection_read(connection) &&
			    connection_write(connection))
				continue;
			SSL_free(connection->ssl);
			close(connection->fd);
			free(connection);
		}
	}
}
