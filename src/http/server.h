/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An HTTP/1.1 server on one event loop: libmicrohttpd's parser, our limits. It
 * takes inherited listening sockets, collects each request to a cap, and hands
 * it over whole, or its body in pieces; the answer comes now or later, whole or
 * in pieces.
 *
 * What it refuses by itself, before the owner hears of it: malformed HTTP,
 * Content-Length with Transfer-Encoding, a doubled Host or framing header,
 * control characters in headers, a target that is no path (400); a head beyond
 * its limit (431); a body beyond the cap (413, at once); a request that takes
 * too long to arrive (closed). When it has as many connections as it may, the
 * one that has been without a request the longest makes room for the next.
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
	 * A piece of the body of a request that http_request_body_stream() was
	 * said of. Returns how much of it was taken: less, and the rest comes
	 * again after http_request_body_resume(). Not called once the owner is
	 * no more: the rest is thrown away. May be NULL.
	 */
	size_t (*body)(void *owner, struct http_request *request,
	    const uint8_t *bytes, size_t len);
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
	/* The answer's head is made; 0: the connection is cut instead. May be
	 * NULL. */
	void (*answered)(
	    void *arg, struct http_request *request, unsigned status);
	/* The request is over, answered or not: its note can be freed. May be
	 * NULL. */
	void (*over)(void *arg, struct http_request *request);
	/* A connection that http_server_adopt() took is closed. May be NULL. */
	void (*left)(void *arg, void *visitor);
};

struct http_options {
	const struct http_ops *ops;
	void *arg; /* for head(), request(), answered() and over() */
	size_t body_max; /* where http_request_body_allow() says no other */
	unsigned connections_max;
	unsigned arrival_ms; /* from a request's first line to its last byte */
	unsigned idle_ms; /* between requests, and for the first line */
	unsigned silence_ms;
	bool any_target; /* "http://host/path" and the like are handed on, too:
			  * what a proxy is asked */
};

/* The base must outlive the server. -ENOMEM, -EIO (libmicrohttpd would not
 * start). */
int http_server_new(struct http_server **serverp, struct event_base *base,
    const struct http_options *options);

/*
 * Serves a socket (bound, listening, non-blocking; borrowed for its life);
 * `tag` is what http_request_listener() tells of its requests. `pem`, if there
 * is one, holds certificate chain and private key: TLS 1.2 or later. -EIO:
 * libmicrohttpd would not, which is a bad PEM if there is one; -ENOMEM.
 */
int http_server_listen(
    struct http_server *server, int listen_fd, unsigned tag, const char *pem);

/*
 * New connections to the sockets with this tag get this certificate; those that
 * are there go on with theirs. -EIO, -ENOMEM: nothing has changed.
 */
int
http_server_tls_set(struct http_server *server, unsigned tag, const char *pem);

/*
 * Serves a connected stream socket; takes it on failure too. `visitor` is what
 * http_request_visitor() says of its requests, until left() is called, which it
 * is once, and not on failure. -EIO: there are too many; -ENOMEM.
 */
int http_server_adopt(struct http_server *server, int fd, void *visitor);

/* Cuts every connection; takes NULL. */
struct http_server *http_server_free(struct http_server *server);

/* Takes no more connections; idle ones are closed, the rest after their
 * answer. */
void http_server_drain(struct http_server *server);

/* Requests with head() done whose answer is not out yet. */
unsigned http_server_pending(const struct http_server *server);

/* Connections that are open now. */
unsigned http_server_connections(const struct http_server *server);

unsigned http_request_listener(const struct http_request *request);
bool http_request_is_tls(const struct http_request *request);

/* In head(): the body may be this long, instead of body_max. */
void http_request_body_allow(struct http_request *request, size_t max);

/*
 * In head(): the body goes to body() in pieces, however long it is, and
 * arrival_ms counts from each. Its owner must be set. At its end request() is
 * called, as always. An answer that begins earlier is sent after that end.
 */
void http_request_body_stream(struct http_request *request);
void http_request_body_resume(struct http_request *request);
/* What its Content-Length says; UINT64_MAX: there is a body, its length is not
 * known; 0: there is none. */
uint64_t http_request_body_len(const struct http_request *request);

/* Whose connection it came over; NULL: not an adopted one. */
void *http_request_visitor(const struct http_request *request);

/* A pointer that goes with the request until over(). */
void http_request_note_set(struct http_request *request, void *note);
void *http_request_note(const struct http_request *request);

/*
 * A header for whatever answer it gets, unless that answer has one of this name
 * itself. The name lives for ever, the value is copied. At most
 * HTTP_EXTRAS_MAX; more are left out.
 */
#define HTTP_EXTRAS_MAX 6
void http_request_answer_with(
    struct http_request *request, const char *name, const char *value);

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
/* The same with a Content-Length, which the pieces must come to. */
void http_stream_begin_sized(struct http_request *request, unsigned status,
    const struct http_header *headers, size_t n_headers, uint64_t len);
bool
http_stream_write(struct http_request *request, const void *bytes, size_t len);
void http_stream_end(struct http_request *request);
void http_stream_cut(struct http_request *request);
