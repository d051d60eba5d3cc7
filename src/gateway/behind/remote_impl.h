/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the parts of a remote server share; nobody else includes it.
 *
 *   remote.c           its link's side
 *   remote_post.c      messages on their way
 *   remote_head.c      heads of requests
 *   remote_answer.c    what comes back
 *   remote_status.c    what a refusal of HTTP means to a caller
 */

#include "addr/url.h"
#include "gateway/behind/fetching.h"
#include "gateway/behind/link.h"
#include "gateway/behind/remote.h"
#include "mcp/stream.h"

#define REMOTE_SESSION_MAX 1025 /* with the NUL */

enum post_kind {
	POST_REQUEST, /* has an id: an answer is owed */
	POST_NOTICE, /* a notification, or an answer of the client */
	POST_LISTEN, /* modern: subscriptions/listen, for good */
	POST_STREAM, /* GET: what the server says unasked */
	POST_END, /* DELETE of the session */
};

/* A message on its way (POST, GET, DELETE), and what comes back. */
struct post {
	struct post *next;
	struct remote *remote;
	enum post_kind kind;
	struct fetch_one *one; /* NULL: waits for its turn, or its time */
	bool waits; /* to go out: counted as queued */
	struct upstream_call *call; /* whose it is, while it waits; NULL */
	char *text; /* the message, owned; NULL: none */
	size_t len;
	uint64_t id; /* of the request; 0: none */
	uint64_t cancels; /* the request that it ends; 0 */
	enum mcp_era era;
	char method[BEHIND_METHOD_MAX];
	char *mirror; /* owned: headers, "name\0value\0…" */
	size_t mirror_len;
	/* What the calls after it are to find done: a subscription. Each POST
	 * goes its own way, so they wait until it has arrived. */
	bool is_barrier;
	bool is_replaced; /* LISTEN: goes once the next one has said a word */
	bool is_resumed; /* it goes on as a GET with the last event's id */
	/* A try. */
	unsigned status;
	bool is_events;
	bool is_answered;
	bool has_moved; /* it was redirected once */
	char *moved_url; /* owned; where it is to be asked instead */
	const char *fault; /* why there is no answer; static */
	bool wants_more; /* a sign-in for a larger scope */
	char
	    *scope; /* owned: that one; NULL: not said, or not fit to be told */
	bool was_open; /* the stream, in an earlier try */
	struct json_out body;
	struct mcp_events events;
	struct event *timer;
	unsigned tries; /* in vain, one after the other */
	bool is_busy; /* in a callback: it is freed after that */
	bool is_dropped;
};

struct remote {
	struct link *link; /* NULL: it is over */
	struct event_base *base;
	struct server *server; /* held */
	struct fetching *fetching;
	char *url; /* owned; where the server is, after redirects */
	char *endpoint; /* owned; HTTP+SSE: where messages go; NULL: not yet */
	bool is_old; /* HTTP+SSE */
	bool is_lost; /* the way out is */
	unsigned refused; /* the status that initialize got before that; 0 */
	size_t limit; /* of a message's bytes */
	char session[REMOTE_SESSION_MAX]; /* legacy; "": none */
	char version[16]; /* legacy, agreed on; "": not yet */
	struct post *posts; /* the oldest first */
	unsigned n_open;
	size_t queued; /* bytes of those that wait */
	struct event *patience; /* with barriers */
	struct event *leave;
};

/* Headers of a post: "name\0value\0…". */
void post_head_write(const struct post *post, struct json_out *out);
const char *post_http_method(const struct post *post);
/* What a modern request repeats of its body in its head. -ENOMEM. */
int post_mirror(struct post *post, const struct upstream_call *call);

/* remote_post.c: NULL: out of memory. */
struct post *post_new(struct remote *remote, enum post_kind kind);
/* At once, or as soon as it is not being told of. */
void post_drop(struct post *post);
void post_free(struct post *post);
/* 0: it is out, or waits for its turn. Negative errno: it cannot be sent. */
int post_start(struct post *post);
/* By the request's id; NULL. */
struct post *post_find(const struct remote *remote, uint64_t id);
/* It has arrived, or will not. */
void post_barrier_end(struct post *post);
void post_waits_set(struct post *post, bool waits);
bool post_is_waiting(const struct post *post);
void post_timer_set(struct post *post, uint64_t ms);
/* Whatever waits for its turn, if it has come. */
void remote_waiting_start(struct remote *remote);

/* remote_status.c: what a 401 or 403 asks for. */
void post_challenge_take(struct post *post, const char *headers, size_t len);
/* The sentence of a status that is no success. */
void post_status_text(const struct post *post, char text[512]);
/* What becomes of it depends on who asks, and with what token. */
bool post_is_refused(const struct post *post);

/* remote_answer.c */
extern const struct fetching_ops post_ops;
/* GET. False: out of memory. */
bool remote_stream_open(struct remote *remote);
