/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * egress: the only way out. It resolves and connects under the address policy
 * (addr/), decides by the rules of whose the channel is, and holds secrets in
 * clear. One event loop, one thread.
 *
 *   main.c      settings, the door, the supervisor's messages
 *   servers.c   records: rules, budgets, secrets of each server
 *   caller.c    a stream of fetches (a cell's, the gateway's); cells.c: the
 *               channel that a template hands such streams over
 *   ask.c       what the store asks, who has no network
 *   fetch.c     one request: check, resolve, dial, follow, deadlines (libcurl;
 *               fetch.h says what is where)
 *   pipe.c      large bodies, uncopied
 *   resolve.c   names to addresses that may be dialled (c-ares);
 *               resolved.c: what an answer says
 *   own.c       the addresses of this host's interfaces, as they change
 *   secret.c    put into requests; scrub.c: taken out of what returns
 *   doors/      what comes out of a box (doors/doors.h)
 *   events.c    what is told of it
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "addr/rule.h"
#include "base/err.h"
#include "wire/egress.h"
#include "wire/wire.h"

struct asks;
struct event_base;
struct leaves;

struct egress {
	struct event_base *base;
	struct event *door; /* of the supervisor's messages */
	struct wire_egress_settings settings;
	const char *authority_pem; /* NULL: none */
	size_t authority_len;
	struct own *own;
	struct resolver *resolver;
	struct servers *servers;
	struct events *events;
	struct asks *asks;
	const char *ca_pem; /* the roots, for verifying */
	size_t ca_len;
	unsigned n_guests; /* of all boxes */
	void *trust; /* X509_STORE *: them, parsed when first asked for */
	struct leaves
	    *leaves; /* doors/leaf.c: the authority, parsed likewise */
};

/* What is told of who asks. */
struct egress_unit {
	uint32_t kind; /* enum wire_egress_unit */
	uint32_t number;
	uint32_t principal; /* 0: nobody's */
};

/* ---- own.c ---------------------------------------------------------------- */

/* Opens what it hears of changes by, so before the door. Negative errno. */
int own_new(struct own **ownp, struct event_base *base);
struct own *own_free(struct own *own);
/* Borrowed until the loop turns. */
void own_get(const struct own *own, const struct addr_ip **ips, size_t *n);

/* The row that forbids it, or NULL: the table, the host's own addresses, the
 * operator's. */
const struct addr_range *
egress_refuses(const struct egress *egress, const struct addr_ip *ip);

/* ---- resolve.c ------------------------------------------------------------ */

/* Answers are kept for their TTL, at most a minute; a name that is asked for
 * twice at once is asked once. */
int resolver_new(struct resolver **resolverp, struct egress *egress);
struct resolver *resolver_free(struct resolver *resolver);

/*
 * OK: every address of the answer may be dialled; at most 16, IPv6 and IPv4 in
 * the resolver's order. ADDRESS: one of them may not (text names it and the
 * row), so none is. DNS: there is none, or nobody answered (text).
 * `text` is a sentence's end. Called from the loop, or at once.
 */
typedef void resolve_fn(void *arg, enum wire_egress_end end,
    const struct addr_ip *ips, size_t n, const char *text);
struct resolve;
/* NULL: done() was called already. A host that is an address is only checked.
 * Each deployment may have 64 names asked for at once. */
struct resolve *resolve_start(struct resolver *resolver, uint32_t deployment,
    const struct addr_host_name *host, resolve_fn *done, void *arg);
/* done() is not called any more. */
void resolve_cancel(struct resolve *resolve);

/* ---- servers.c ------------------------------------------------------------ */

struct server {
	uint32_t id;
	unsigned refs;
	bool gone; /* replaced, or taken away: no new requests */
	struct wire_egress_server head; /* budget: defaults filled in */
	const struct addr_rule *rules;
	const struct wire_egress_secret *secrets; /* sodium_malloc'ed */
	struct client *client; /* fetch.c: its connections; NULL */
	/* spent */
	uint64_t minute; /* that requests and bytes are of */
	uint32_t requests;
	uint64_t bytes;
	uint32_t open;
};

int servers_new(struct servers **serversp);
struct servers *servers_free(struct servers *servers);
/* One frame of records; negative: no store says so. */
int servers_hear(struct servers *servers, const struct wire_frame *frame,
    const uint8_t *bytes);
/* A new stream of records begins: see SNAPSHOT. */
void servers_renew(struct servers *servers);
/* Whether this secret of the server, or of the one that it was replaced by, is
 * what would be put in now. */
bool server_has(const struct servers *servers, const struct server *server,
    const struct wire_egress_secret *secret);
/* Held for the caller; NULL: nothing is known of it. */
struct server *server_hold(struct servers *servers, uint32_t id);
struct server *server_release(struct server *server);

/* The budget of one more request or connection: true, and server->open is one
 * more, until server_done(); false and why. */
bool server_begin(struct server *server, struct err *why);
void server_done(struct server *server);
/* Bytes that moved, either way; false: the minute's are spent. */
bool server_spend(struct server *server, uint64_t bytes);

/* ---- fetch.c -------------------------------------------------------------- */

struct pipe;

struct fetch_ops {
	/* n headers, as the origin sent them, without those of one hop
	 * (connection, transfer-encoding …). */
	void (*head)(void *arg, unsigned status, const char *url,
	    const char *headers, size_t len); /* "name\0value\0…" */
	/* False: stop until fetch_resume(); the bytes are taken all the same. */
	bool (*data)(void *arg, const uint8_t *bytes, size_t len);
	/* Where the rest of a large answer may go without being copied: the
	 * caller's, but this fetch's alone until it is over. NULL: nowhere, now.
	 * The member may be NULL. */
	struct pipe *(*pipe)(void *arg);
	/* There is something in it; as data(). */
	bool (*piped)(void *arg);
	/* So many more bytes of the request's body may be written. */
	void (*want)(void *arg, size_t len);
	/* Over. OK: the answer is complete. The fetch is freed after this. */
	void (*over)(void *arg, enum wire_egress_end end, const char *text);
};

struct fetch_request {
	struct server *server; /* held by the fetch, too */
	struct egress_unit unit;
	const char *method;
	const char *url; /* as it was given; parsed here */
	const char *headers; /* "name\0value\0…", hostile */
	size_t headers_len;
	unsigned flags; /* WIRE_FETCH_… */
	uint64_t body_len; /* if known, UINT64_MAX if not (chunked) */
	/* The fetches that the caller may still have begin (redirects); NULL */
	uint32_t *allowance;
	/* The store's (wire/egress.h, ASK): https to wherever may be dialled, with
	 * no rule and no secret; no redirect, a short answer, 20 s. */
	bool is_ask;
};

/* NULL: over() was called already. */
struct fetch *
fetch_start(struct egress *egress, const struct fetch_request *request,
    const struct fetch_ops *ops, void *arg);
/* Bytes of the request's body: WIRE_FETCH_WINDOW at first, then what want()
 * says. False: that was more. */
bool fetch_write(struct fetch *fetch, const uint8_t *bytes, size_t len);
void fetch_write_end(struct fetch *fetch);
void fetch_resume(struct fetch *fetch);
/* over() is not called; an event is told. */
void fetch_cancel(struct fetch *fetch);

struct client *client_free(struct client *client);

/* ---- secret.c, scrub.c ---------------------------------------------------- */

struct secrets_put {
	char *headers; /* malloc'ed; "name\0value\0…", with secrets put in */
	size_t headers_len;
	char *url; /* malloc'ed; with a query member put in; NULL: unchanged */
	struct scrub *scrub; /* NULL: nothing was put in */
	/* Into Authorization, of the server's; NULL: none */
	const struct wire_egress_secret *credential;
};

/*
 * What the caller sent of Authorization, Cookie and Proxy-Authorization goes to
 * a host that has a secret of that header never; secrets are put in only for
 * https, exact host and port, and this principal. SECRET and text: what the
 * caller sent cannot go (a placeholder towards another host). secrets_put_fini()
 * wipes it.
 */
enum wire_egress_end secrets_put(const struct server *server,
    uint32_t principal, const struct addr_url *url, const char *headers,
    size_t headers_len, struct secrets_put *put, struct err *err);
void secrets_put_fini(struct secrets_put *put);

/*
 * Replaces every spelling of the secrets (raw, base64 at each offset, hex,
 * URL-encoded, JSON-escaped) by '*' of the same length, across pieces. What may
 * be the beginning of one is held back: at most the longest spelling - 1.
 */
struct scrub *
scrub_new(const struct wire_egress_secret *const *secrets, size_t n);
struct scrub *scrub_free(struct scrub *scrub);
/* Appends to out what is sure by now; end: all of it. out has room for len +
 * scrub_held_max(). Returns the bytes written. */
size_t scrub_feed(struct scrub *scrub, const uint8_t *bytes, size_t len,
    bool is_end, uint8_t *out);
size_t scrub_held_max(const struct scrub *scrub);
/* A whole text in place (headers, sentences). */
void scrub_text(const struct scrub *scrub, char *text, size_t len);

/* ---- ask.c ---------------------------------------------------------------- */

int asks_new(struct asks **asksp, struct egress *egress);
struct asks *asks_free(struct asks *asks);
/* Answers go to this stream (borrowed), until asks_end(): then nobody hears of
 * what is under way, and it is cancelled. */
int asks_start(struct asks *asks, int stream_fd);
void asks_end(struct asks *asks);
/* One ASK. NULL, or how it breaks the rules of wire/egress.h; what is only a bad
 * request is told to the store. */
const char *asks_take(
    struct asks *asks, const struct wire_frame *frame, const uint8_t *bytes);
/* A server answered 401 to this secret of its. */
void asks_reject(struct asks *asks, const struct server *server,
    const struct wire_egress_secret *secret);

/* ---- caller.c ------------------------------------------------------------- */

/* "METHOD\0URL\0name\0value\0…": whole strings, headers in pairs. */
bool caller_is_request(const uint8_t *bytes, size_t len);

/* Takes the stream. `is_gateway`: PRINCIPAL is believed. `left`: called when it
 * is over; NULL: nobody asks. */
void caller_start(struct egress *egress, int stream_fd, uint32_t deployment,
    const struct egress_unit *unit, bool is_gateway, void (*left)(void *arg),
    void *arg);

/* ---- cells.c -------------------------------------------------------------- */

/* The channel of a template, over which its cells' streams come. */
void cells_start(struct egress *egress, int channel_fd, uint32_t deployment);

/* ---- doors/boxes.c -------------------------------------------------------- */

/* Takes the channel, over which listeners come; its end is the box's. */
void box_serve(struct egress *egress, int channel_fd, uint32_t deployment,
    uint32_t number);

/* ---- events.c ------------------------------------------------------------- */

int events_new(struct events **eventsp, struct egress *egress);
struct events *events_free(struct events *events);
/* Takes the stream; replaces the one before. */
void events_to(struct events *events, int stream_fd);
void events_tell(struct events *events, const struct wire_egress_event *event);
/* The head of an event: whose, and that nothing has happened yet. */
struct wire_egress_event
egress_event(const struct server *server, const struct egress_unit *unit);
