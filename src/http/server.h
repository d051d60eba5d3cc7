/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An HTTP/1.1 server on one event loop: libmicrohttpd's parser, our limits. It
 * takes an inherited listening socket, collects each request to a cap, and
 * hands it over whole; the answer comes now or later, whole or in pieces.
 *
 * What it refuses by itself, before the owner hears of it: malformed HTTP,
 * Content-Length with Transfer-Encoding, a doubled Host or framing header,
 * control characters in headers, a target that is no path (400); a head beyond
 * its limit (431); a body beyond the cap (413, at once); a request that takes
 * too long to arrive (closed).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct http_server;
struct http_request;

struct http_ops {
	/*
	 * The head is in. Answer here to refuse (the body is then not read),
	 * or return and wait for request().
	 */
	void (*head)(void *arg, struct http_request *request);
	/* All of it is in: answer now, or later from the loop. */
	void (*request)(void *arg, struct http_request *request);
	/*
	 * The client left before the answer was complete. The request is
	 * invalid once this returns. Only for requests that request() was
	 * called with and whose owner (http_request_owner) is set.
	 */
	void (*gone)(void *owner, struct http_request *request);
	/* A streamed answer's buffer has room again. */
	void (*drained)(void *owner, struct http_request *request);
	/* Nothing was streamed for silence_ms. */
	void (*silent)(void *owner, struct http_request *request);
};

struct http_options {
	int listen_fd; /* bound, listening, non-blocking; borrowed */
	const struct http_ops *ops;
	void *arg; /* for head() and request() */
	size_t body_max;
	unsigned connections_max;
	unsigned arrival_ms; /* from a request's first line to its last byte */
	unsigned idle_ms; /* between requests, and for the first line */
	unsigned silence_ms;
};

/* The base must outlive the server. -ENOMEM, -EIO (libmicrohttpd would not
 * start). */
int http_server_new(struct http_server **serverp, struct event_base *base,
    const struct http_options *options);

/* Cuts every connection; takes NULL. */
struct http_server *http_server_free(struct http_server *server);

/* Takes no more connections; idle ones are closed, the rest after their
 * answer. */
void http_server_drain(struct http_server *server);

/* Requests with head() done whose answer is not out yet. */
unsigned http_server_pending(const struct http_server *server);

/* What the client sent: borrowed until the answer is complete. */
const char *http_request_method(const struct http_request *request);
/* As on the request line: a path from '/', not decoded, with its query. */
const char *http_request_target(const struct http_request *request);
/* NULL: there is none. Case does not matter. */
const char *
http_request_header(const struct http_request *request, const char *name);
typedef void http_header_fn(void *arg, const char *name, const char *value);
void http_request_headers_each(
    const struct http_request *request, http_header_fn *fn, void *arg);
const uint8_t *
http_request_body(const struct http_request *request, size_t *len);
/* The body is no longer needed: frees it early. */
void http_request_body_drop(struct http_request *request);

/* Who hears of gone(), drained() and silent(); NULL: nobody. */
void http_request_owner_set(struct http_request *request, void *owner);

struct http_header {
	const char *name;
	const char *value;
};

/*
 * The whole answer. Takes body (from malloc; NULL if empty) on failure too.
 * The request is the server's again: its owner hears no more of it.
 */
void http_reply(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers, char *body,
    size_t len);

/* The same with a body that lives for ever. */
void http_reply_static(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers, const char *body);

/*
 * An answer in pieces. Write returns true while the buffer is full (still, the
 * piece was taken): stop until drained(). -ENOMEM of a piece cuts the
 * connection, which gone() tells. End gives the request back to the server;
 * cut does so too, but lets the client see that the answer is not complete.
 */
void http_stream_begin(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers);
bool
http_stream_write(struct http_request *request, const void *bytes, size_t len);
void http_stream_end(struct http_request *request);
void http_stream_cut(struct http_request *request);
