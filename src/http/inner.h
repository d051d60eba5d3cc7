/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What server.c, request.c and reply.c share. Not for other folders. */

#include <event2/event.h>
#include <microhttpd.h>
#include <sys/queue.h>

#include "http/server.h"

#define STREAM_HIGH (256u << 10) /* more waiting: the writer shall stop */
#define STREAM_LOW (64u << 10) /* less waiting: it may go on */

/* A listening socket, with one certificate: one of libmicrohttpd's daemons. A
 * new certificate makes a new door; the old one stays for who is inside. */
struct http_door {
	TAILQ_ENTRY(http_door) link;
	struct http_server *server;
	struct MHD_Daemon *daemon;
	struct event *run_event; /* its epoll descriptor */
	struct event *more_event; /* a timer: there is more to do */
	int listen_fd; /* -1: connections are adopted */
	unsigned tag;
	unsigned n_peers;
	bool tls;
	bool closed; /* takes nobody any more */
};

/* One connection. */
struct http_peer {
	TAILQ_ENTRY(http_peer) link; /* in server->idle or ->busy */
	struct http_door *door;
	struct http_request *request; /* NULL between requests */
	void *visitor; /* of a connection that was adopted */
	int fd;
	bool busy; /* a request's head is in, its answer not out */
	bool cut; /* was told to go */
	uint64_t deadline; /* ms; 0 while an answer is being made */
};

struct http_extra {
	const char *name;
	char *value; /* owned */
};

struct http_stream {
	char *bytes; /* owned; waiting are [start, start + len) */
	size_t start;
	size_t len;
	size_t capacity;
	uint64_t written_at; /* ms */
	bool open; /* begun, and neither ended nor cut */
	bool cut;
	bool full; /* the writer was told to stop */
};

struct http_request {
	TAILQ_ENTRY(http_request) link; /* in server->waiting, if suspended */
	struct http_server *server;
	struct http_peer *peer;
	struct MHD_Connection *connection;
	void *owner;
	void *note;
	const char *method; /* MHD's, for the request's life */
	char *target; /* owned */
	uint8_t *body; /* owned */
	size_t body_len;
	size_t body_capacity;
	size_t body_max;
	uint64_t claimed_len; /* Content-Length; 0 if there is none */
	struct http_extra extras[HTTP_EXTRAS_MAX];
	unsigned n_extras;
	struct MHD_Response *response; /* owned until it is queued */
	unsigned status;
	bool has_body;
	bool is_streamed; /* its body goes to body() */
	bool body_waits; /* body() has not taken all of a piece */
	bool head_done;
	bool complete;
	bool suspended;
	bool dead; /* to be closed without (the rest of) an answer */
	struct http_stream stream;
};

struct http_server {
	struct http_options options;
	struct event_base *base;
	struct event *tick_event;
	TAILQ_HEAD(, http_door) doors;
	TAILQ_HEAD(http_peers, http_peer) idle; /* the longest idle first */
	struct http_peers busy;
	TAILQ_HEAD(, http_request) waiting;
	unsigned n_peers;
	unsigned n_waiting;
	unsigned n_pending;
	struct http_door *hall; /* of adopted connections; NULL until one is */
	void *adopting; /* the visitor that MHD is just being given */
	bool in_adopt;
	bool draining;
	bool ending; /* is being freed: nothing may be suspended any more */
};

/* Whose bodies may take the request they are at off the list. */
#define EACH_WAITING(server, request, next)                                    \
	for ((request) = TAILQ_FIRST(&(server)->waiting);                      \
	     (request) != NULL && ((next) = TAILQ_NEXT(request, link), true);  \
	     (request) = (next))

uint64_t http_now_ms(void);

/* server.c: a request's head is in; its answer is out. */
void http_peer_busy(struct http_peer *peer, bool busy);

/* request.c: libmicrohttpd's callbacks. */
enum MHD_Result http_request_handle(void *cls,
    struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *data, size_t *data_len, void **requestp);
void *http_request_start(
    void *cls, const char *target, struct MHD_Connection *connection);
void http_request_finish(void *cls, struct MHD_Connection *connection,
    void **requestp, enum MHD_RequestTerminationCode why);

/* Suspends it until something can be sent; resumes it. */
void http_request_suspend(struct http_request *request);
void http_request_resume(struct http_request *request);

/* Tells the owner, and lets libmicrohttpd close the connection. */
void http_request_lose(struct http_request *request);
