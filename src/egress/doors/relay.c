/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "egress/doors/relay.h"
#include "egress/pipe.h"

#define PIECE (64u << 10)
#define ROUNDS_MAX 8 /* pieces, before others have their turn */
/* What goes on beyond this is not copied any more: for less, a pipe is not worth
 * its making. */
#define PIPE_FROM (1u << 20)
#define PIPE_PIECE (256u << 10)

struct end {
	struct relay *relay;
	int fd;
	SSL *ssl;
	bool reads_head; /* TLS: what was read already is still to be parsed */
	bool is_blocked; /* TLS: reading waits for room to write */
	bool is_starved; /* TLS: writing waits for something to read */
	struct event *event;
	short wants; /* what the event waits for now */
};

/* From ends[i] to the other. */
struct way {
	uint8_t *rest; /* owned; what could not be written yet; NULL */
	size_t start;
	size_t len;
	bool ended; /* nothing more comes, and the other end knows */
	size_t copied; /* since a pipe was last thought of */
	struct pipe pipe;
};

struct relay {
	struct relay_setup setup;
	struct end ends[2];
	struct way ways[2];
};

/* ---- one end -------------------------------------------------------------- */

/* More than 0: bytes; 0: nothing now. */
enum { READ_END = PIPE_END, READ_RESET = PIPE_BROKEN, READ_TLS = -3 };

/* What was read before TLS began is done: from now on from the socket. */
static bool
head_is_over(struct end *end)
{
	BIO *socket = BIO_new_socket(end->fd, BIO_NOCLOSE);

	if (socket == NULL)
		return false;
	SSL_set0_rbio(end->ssl, socket);
	end->reads_head = false;
	return true;
}

static ssize_t
tls_read(struct end *end, uint8_t *bytes, size_t len)
{
	ERR_clear_error();
	int n = SSL_read(end->ssl, bytes, (int)len);
	int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(end->ssl, n);

	end->is_blocked = why == SSL_ERROR_WANT_WRITE;
	if (n > 0)
		return n;
	if (why == SSL_ERROR_WANT_READ && end->reads_head)
		return head_is_over(end) ? tls_read(end, bytes, len)
					 : READ_RESET;
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return 0;
	if (why == SSL_ERROR_ZERO_RETURN)
		return READ_END;
	return why == SSL_ERROR_SSL ? READ_TLS : READ_RESET;
}

static ssize_t
end_read(struct end *end, uint8_t *bytes, size_t len)
{
	if (end->ssl != NULL)
		return tls_read(end, bytes, len);
	const ssize_t n = recv(end->fd, bytes, len, 0);
	if (n > 0)
		return n;
	if (n == 0)
		return READ_END;
	return errno == EAGAIN || errno == EINTR ? 0 : READ_RESET;
}

static ssize_t
tls_write(struct end *end, const uint8_t *bytes, size_t len)
{
	ERR_clear_error();
	const int n = SSL_write(end->ssl, bytes, (int)len);
	const int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(end->ssl, n);

	end->is_starved = why == SSL_ERROR_WANT_READ;
	if (n > 0)
		return n;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE
	    ? 0
	    : READ_RESET;
}

static ssize_t
end_write(struct end *end, const uint8_t *bytes, size_t len)
{
	if (end->ssl != NULL)
		return tls_write(end, bytes, len);
	const ssize_t n = send(end->fd, bytes, len, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : READ_RESET;
}

static void
end_shut(struct end *end)
{
	if (end->ssl != NULL && SSL_is_init_finished(end->ssl)) {
		ERR_clear_error();
		SSL_shutdown(end->ssl);
	}
	shutdown(end->fd, SHUT_WR);
}

static void
end_fini(struct end *end)
{
	if (end->event != NULL)
		event_free(end->event);
	SSL_free(end->ssl);
	if (end->fd >= 0)
		close(end->fd);
}

/* ---- one way -------------------------------------------------------------- */

static bool
way_keep(struct way *way, const uint8_t *bytes, size_t len)
{
	way->rest = malloc(len);
	if (way->rest == NULL)
		return false;
	memcpy(way->rest, bytes, len);
	way->start = 0;
	way->len = len;
	return true;
}

static void
way_drop(struct way *way)
{
	free(way->rest);
	way->rest = NULL;
	way->start = way->len = 0;
}

/* What is left of the last piece. 0; negative: the end is gone. */
static ssize_t
way_flush(struct way *way, struct end *to)
{
	while (way->len > 0) {
		const ssize_t n =
		    end_write(to, way->rest + way->start, way->len);
		if (n <= 0)
			return n;
		way->start += (size_t)n;
		way->len -= (size_t)n;
	}
	way_drop(way);
	return pipe_drain(&way->pipe, to->fd, way->pipe.len) < 0 ? READ_RESET
								 : 0;
}

static bool
way_is_empty(const struct way *way)
{
	return way->len == 0 && way->pipe.len == 0;
}

static int
broken(unsigned end)
{
	return -1 - (end == 0 ? RELAY_LEFT : RELAY_RESET);
}

static bool
way_has_pipe(const struct relay *relay, struct way *way)
{
	if (way->copied > PIPE_FROM && relay->ends[0].ssl == NULL) {
		way->copied = 0;
		pipe_open(&way->pipe);
	}
	return way->pipe.is_open;
}

/* Moves a piece. 1: there may be more; 0: it must wait, or has ended;
 * negative: -1 - why the relay is over. */
static int
way_step(struct relay *relay, unsigned i)
{
	struct way *way = &relay->ways[i];
	struct end *from = &relay->ends[i], *to = &relay->ends[1 - i];
	uint8_t piece[PIECE];

	if (way_flush(way, to) < 0)
		return broken(1 - i);
	if (!way_is_empty(way) || way->ended)
		return 0;
	const bool is_piped = way_has_pipe(relay, way);
	const ssize_t n = is_piped ? pipe_fill(&way->pipe, from->fd, PIPE_PIECE)
				   : end_read(from, piece, PIECE);
	if (n == READ_END) {
		pipe_close(&way->pipe);
		way->ended = true;
		end_shut(to);
		return 0;
	}
	if (n <= 0)
		return n == 0 ? 0 : n == READ_TLS ? -1 - RELAY_TLS : broken(i);
	if (!relay->setup.moved(relay->setup.arg, i, (size_t)n))
		return -1 - RELAY_STOPPED;
	if (is_piped)
		return 1; /* and out of it in the next step */
	way->copied += (size_t)n;
	const ssize_t sent = end_write(to, piece, (size_t)n);
	if (sent < 0)
		return broken(1 - i);
	if (sent < n && !way_keep(way, piece + sent, (size_t)(n - sent)))
		return -1 - RELAY_MEMORY;
	return 1;
}

/* 1: it has had its turn, and there may be more. */
static int
way_move(struct relay *relay, unsigned i)
{
	int r = 1;

	for (int round = 0; round < ROUNDS_MAX && r == 1; round++)
		r = way_step(relay, i);
	return r;
}

/* ---- both ----------------------------------------------------------------- */

static short
end_wants(const struct relay *relay, unsigned i)
{
	const struct end *end = &relay->ends[i];
	const struct way *from = &relay->ways[i], *to = &relay->ways[1 - i];
	short wants = 0;

	if ((!from->ended && way_is_empty(from) && !end->is_blocked) ||
	    end->is_starved)
		wants |= EV_READ;
	if ((!way_is_empty(to) && !end->is_starved) || end->is_blocked)
		wants |= EV_WRITE;
	return wants;
}

static void on_end(evutil_socket_t fd, short what, void *arg);

static int
end_wait(struct relay *relay, unsigned i)
{
	struct end *end = &relay->ends[i];
	const short wants = end_wants(relay, i);

	if (wants == end->wants)
		return 0;
	event_del(end->event);
	end->wants = wants;
	if (wants == 0)
		return 0;
	event_assign(end->event, relay->setup.base, end->fd,
	    (short)(wants | EV_PERSIST), on_end, end);
	return event_add(end->event, NULL);
}

static void
relay_run(struct relay *relay)
{
	bool has_more = false;

	for (unsigned i = 0; i < 2; i++) {
		const int r = way_move(relay, i);
		if (r < 0) {
			relay->setup.over(
			    relay->setup.arg, (enum relay_over)(-1 - r));
			return;
		}
		has_more = has_more || r > 0;
	}
	if (relay->ways[0].ended && relay->ways[1].ended) {
		relay->setup.over(relay->setup.arg, RELAY_DONE);
		return;
	}
	if (end_wait(relay, 0) != 0 || end_wait(relay, 1) != 0) {
		relay->setup.over(relay->setup.arg, RELAY_MEMORY);
		return;
	}
	/* TLS may hold more than the socket shows. */
	if (has_more)
		event_active(relay->ends[0].event, EV_READ, 0);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	const struct end *end = arg;

	(void)fd;
	(void)what;
	relay_run(end->relay);
}

/* TLS reads what was read already first, then from the socket. */
static bool
tls_begin(struct end *end, const struct relay_setup *setup)
{
	BIO *socket = BIO_new_socket(end->fd, BIO_NOCLOSE);
	BIO *head = BIO_new(BIO_s_mem());

	if (socket == NULL || head == NULL ||
	    BIO_write(head, setup->head, (int)setup->head_len) !=
		(int)setup->head_len) {
		BIO_free(socket);
		BIO_free(head);
		return false;
	}
	BIO_set_mem_eof_return(head, -1);
	SSL_set0_rbio(end->ssl, head);
	SSL_set0_wbio(end->ssl, socket);
	end->reads_head = true;
	return true;
}

static bool
relay_begin(struct relay *relay)
{
	const struct relay_setup *setup = &relay->setup;
	struct way *way = &relay->ways[0];
	bool is_good;

	if (relay->ends[0].ssl != NULL)
		is_good = tls_begin(&relay->ends[0], setup);
	else
		is_good = setup->head_len == 0 ||
		    way_keep(way, setup->head, setup->head_len);
	for (unsigned i = 0; is_good && i < 2; i++) {
		struct end *end = &relay->ends[i];
		end->wants = EV_READ;
		end->event = event_new(
		    setup->base, end->fd, EV_READ | EV_PERSIST, on_end, end);
		is_good =
		    end->event != NULL && event_add(end->event, NULL) == 0;
	}
	return is_good;
}

int
relay_new(struct relay **relayp, const struct relay_setup *setup)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL) {
		close(setup->fds[0]);
		close(setup->fds[1]);
		SSL_free(setup->ssl);
		return -ENOMEM;
	}
	relay->setup = *setup;
	for (unsigned i = 0; i < 2; i++)
		relay->ends[i] = (struct end){ .relay = relay,
			.fd = setup->fds[i],
			.ssl = i == 0 ? setup->ssl : NULL };
	if (!relay_begin(relay)) {
		relay_free(relay);
		return -ENOMEM;
	}
	relay->setup.head = NULL;
	event_active(relay->ends[0].event, EV_READ, 0);
	*relayp = relay;
	return 0;
}

struct relay *
relay_free(struct relay *relay)
{
	if (relay == NULL)
		return NULL;
	for (unsigned i = 0; i < 2; i++) {
		end_fini(&relay->ends[i]);
		way_drop(&relay->ways[i]);
		pipe_close(&relay->ways[i].pipe);
	}
	free(relay);
	return NULL;
}

bool
relay_is_half(const struct relay *relay)
{
	return relay->ways[0].ended != relay->ways[1].ended;
}
