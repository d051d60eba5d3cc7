/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One request, between fetch.c (its life, and its body), dial.c (a hop: rule,
 * address, connection), answer.c (what comes back), tail.c (the rest of what is
 * large) and redirect.c (the next hop).
 */

#include <curl/curl.h>
#include <event2/buffer.h>

#include "egress/client.h"
#include "egress/egress.h"

struct fetch {
	struct egress *egress;
	struct server *server; /* held */
	struct egress_unit unit;
	const struct fetch_ops *ops;
	void *arg;
	unsigned flags;
	bool is_ask;
	uint32_t *allowance;
	char method[16];
	char *headers; /* of the caller, those that are passed on; owned */
	size_t headers_len;
	struct addr_url url; /* of this hop */
	unsigned hops;
	struct resolve *resolve;
	/* libcurl's */
	CURL *easy; /* NULL: it does not run */
	int socket_fd; /* what libcurl last waited for; -1 */
	struct curl_slist *list;
	struct curl_slist *pin;
	bool in_curl; /* a callback of libcurl's is on the stack */
	bool is_added; /* easy: to its client */
	bool is_again; /* this hop was tried on a connection that was gone */
	bool is_cancelled;
	bool is_late; /* libcurl was on the stack when it was to go on */
	bool is_begun; /* counted in its server's budget */
	bool is_stopped; /* the caller has no room: curl waits */
	bool is_send_stopped; /* the body has not come yet: curl waits */
	struct event *timer;
	uint64_t moved_s; /* when a byte moved */
	struct wire_egress_event event; /* of this hop */
	uint64_t started_ms;
	/* the request's body */
	struct evbuffer *body;
	struct evbuffer *
	    kept; /* what was sent of it, for a redirect; NULL: too much, or none follows */
	bool body_ended;
	uint64_t body_len; /* UINT64_MAX: not known */
	uint64_t written; /* by the caller */
	uint64_t sent;
	/* the answer */
	struct evbuffer *head; /* "name\0value\0…" */
	size_t head_bytes; /* of all heads of this hop, interim ones too */
	unsigned status;
	bool in_head; /* its first line was heard, and not yet its last */
	bool has_head; /* it was told */
	bool follows; /* this answer is a redirect that we follow */
	char *location; /* owned */
	struct scrub *scrub; /* owned */
	const struct wire_egress_secret *credential; /* it was sent; NULL */
	uint64_t received;
	/* what its framing says, for tail.c */
	unsigned n_lengths; /* Content-Length fields */
	uint64_t length; /* the last of them */
	bool is_coded; /* Transfer-Encoding */
	uint64_t tail_from; /* received; before that it is not tried (again) */
	struct tail *tail; /* owned; NULL: libcurl has the connection */
	enum wire_egress_end end; /* why we ended it, when curl did not */
	char text[512];
};

/* ---- fetch.c -------------------------------------------------------------- */

/* Why it is about to end; the first reason stays. */
void fetch_blame(struct fetch *fetch, enum wire_egress_end end,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* RFC 9110, token: what a method and a header's name are made of. */
bool fetch_is_token(const char *text);
/* Bytes of the server's minute; false, and why it ends: they are spent. */
bool fetch_spend(struct fetch *fetch, uint64_t bytes);
/* A byte moved. */
void fetch_moved(struct fetch *fetch);
uint64_t fetch_now_ms(void);
/* Tells the caller, and is no more. Never below a callback of libcurl's. */
void fetch_end(struct fetch *fetch, enum wire_egress_end end);
/* What became of this hop. */
void fetch_tell(struct fetch *fetch, enum wire_egress_end end);
void fetch_easy_drop(struct fetch *fetch);
/* libcurl's READFUNCTION and SEEKFUNCTION. */
size_t fetch_on_read(char *bytes, size_t size, size_t n, void *arg);
int fetch_on_seek(void *arg, curl_off_t offset, int origin);

/* ---- dial.c --------------------------------------------------------------- */

/* Rule and budget. False: fetch->end says why. */
bool hop_begin(struct fetch *fetch);
/* The name, then the request goes out. fetch->end may say why not; else it is
 * ended later. */
void hop_resolve(struct fetch *fetch);

/* ---- answer.c ------------------------------------------------------------- */

/* libcurl's HEADERFUNCTION and WRITEFUNCTION. */
size_t answer_on_header(char *line, size_t size, size_t n, void *arg);
size_t answer_on_write(char *bytes, size_t size, size_t n, void *arg);
void answer_reset(struct fetch *fetch);
/* Bytes of the body that came: fetch->end may say that they were too many. */
void answer_count(struct fetch *fetch, size_t len);
/* What was held back of the body. */
void answer_finish(struct fetch *fetch);

/* ---- tail.c ----------------------------------------------------------------- */

bool tail_is_worth(const struct fetch *fetch);
/* Takes the connection over where that is worth it. Never below libcurl. */
void tail_try(struct fetch *fetch);
/* The caller has room again. */
void tail_resume(struct fetch *fetch);
void tail_fini(struct fetch *fetch);

/* ---- redirect.c ----------------------------------------------------------- */

/* Takes headers away from those that are passed on. */
void headers_strip(struct fetch *fetch, const char *const *names, size_t n);
/* The next hop, checked like the first. False: fetch->end says why. */
bool redirect_follow(struct fetch *fetch);
