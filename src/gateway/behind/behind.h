/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What upstream.c, its three kinds, capture.c and catalog.c share; nobody else
 * includes it. A call is made, begins from the loop, and ends once; how it is
 * carried out is its kind's matter.
 *
 *     upstream.c  the calls and surfaces of all servers
 *     behind.c    the parts of MCP that all kinds have in common
 *     capture.c   asks a server what it offers, page by page
 *     isolate.c   worker.c
 *     lines.c     with greeting.c (how a link begins), life.c (when, and how
 *                 long), link.c (its bytes), box.c (what else a box says),
 *                 remote.c, remote_head.c, fetching.c (its lines over HTTP)
 */

#include <event2/event.h>

#include "gateway/gateway.h"
#include "gateway/behind/upstream.h"

#define BEHIND_METHOD_MAX 64 /* with the NUL */
#define BEHIND_NOTES_MAX 10000 /* of one call; more are dropped */
#define BEHIND_ASKS_MAX 16 /* open at once, of one call */
#define BEHIND_TEXT_MAX (64u << 20) /* what is written to a server */

struct capture;
struct link;
struct run;

struct wait {
	struct wait *next;
	upstream_surface_fn *fn;
	void *arg;
};

/* What is known of how a server wants to be spoken to. */
enum verdict {
	VERDICT_NONE,
	VERDICT_LEGACY,
	VERDICT_MODERN,
};

struct upstream {
	struct upstream *next; /* of all in this process */
	struct gateway *gateway;
	struct server *server; /* held */
	struct mcp_surface *surface; /* NULL: not known */
	struct wait *waits;
	struct capture *capture; /* under way */
	uint64_t capture_ms; /* since then */
	struct upstream_call *calls;
	bool gone; /* freed with its last call */
	enum verdict verdict;
	char version[16]; /* agreed on with the last greeting */
	bool is_event_stream; /* remote: HTTP+SSE, as of 2024-11-05 */
	/* lines.c */
	struct link *links;
	unsigned n_links;
	unsigned n_short; /* lives of links, one after the other */
	uint64_t not_before_ms; /* no link is opened before that */
	uint64_t minute_ms; /* it began then: n_starts are of it */
	unsigned n_starts;
	uint32_t spare_can; /* what spares are greeted with */
	struct event *again; /* lists are asked for anew */
	struct link *again_link; /* by way of this one */
};

/* An ask that is open: its number is its place. */
struct ask {
	bool open;
	uint32_t number; /* isolates: the cell's */
	char *id; /* lines: the server's, raw JSON; owned */
};

struct kind;

struct upstream_call {
	struct upstream_call *next; /* of the upstream */
	struct upstream *upstream;
	const struct kind *kind;
	const struct client *client;
	const struct upstream_call_ops *ops;
	void *arg;
	uint64_t request;
	char method[BEHIND_METHOD_MAX];
	char *text; /* owned */
	struct json_span params; /* in text; empty: none */
	struct event *begin;
	bool has_begun; /* the event is then its time limit */
	const char *fate; /* it ends with this from the loop; static, or: */
	char *fate_text; /* owned */
	bool is_capture; /* the host's own: not counted, told nothing */
	bool paused;
	unsigned n_notes;
	struct ask asks[BEHIND_ASKS_MAX];
	/* isolate.c, worker.c */
	struct run *run;
	/* lines.c */
	struct link *link; /* NULL: waits for none */
	struct link *pinned; /* the only link it may use */
	struct upstream_call *next_on_link;
	uint64_t id;
	bool is_written; /* a byte of it is out */
	bool is_retried;
	bool wants_wait; /* it was asked something just now */
	uint64_t sent_ms;
};

struct kind {
	/* From the loop; ends the call if it cannot begin. */
	void (*begin)(struct upstream_call *call);
	/* {"result"} or {"error"} of an ask; -ENOENT is asked before. */
	int (*answer)(struct upstream_call *call, struct ask *ask,
	    bool is_error, const char *json, size_t len);
	/* Lets go of the call: nothing may come of it any more. */
	void (*drop)(struct upstream_call *call, const char *reason);
	void (*pause)(struct upstream_call *call, bool paused);
	/* Its time is over. NULL: it has a clock of its own. */
	void (*expire)(struct upstream_call *call);
	/* What the server says when it is greeted: capture_greeted() or
	 * capture_fail(), now or later. NULL: pool_surface_get() it is. */
	void (*greet)(struct capture *capture);
};

extern const struct kind isolate_kind, worker_kind, lines_kind;

/* upstream.c, behind.c */
struct upstream *upstream_make(struct gateway *gateway, struct server *server);
int behind_call_start(struct upstream *upstream, const struct kind *kind,
    const struct client *client, const struct upstream_request *request,
    const struct upstream_call_ops *ops, void *arg,
    struct upstream_call **callp);
/* Ends it: done(), then it is gone. */
void behind_call_end(
    struct upstream_call *call, const struct upstream_answer *answer);
void behind_call_result(struct upstream_call *call, struct json_span value,
    enum mcp_era era, const struct pool_usage *usage);
void behind_call_error(struct upstream_call *call, unsigned status, int code,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A response's result or error object, as it came (checked JSON): the call ends
 * with it, or with an error that says what is wrong with it. */
void behind_call_response(struct upstream_call *call, struct json_span result,
    struct json_span error, enum mcp_era era, const struct pool_usage *usage);
/* How a cell failed, in mcp's words. */
struct mcp_failure behind_failure(const struct pool_outcome *outcome);
/* Ends a call whose cell failed: a tool's is a tool error. */
void behind_call_fail(
    struct upstream_call *call, const struct pool_outcome *outcome);
/* {"protocolVersion", "capabilities", "clientInfo"}, to initialize with. */
void behind_initialize_write(struct json_out *out, uint32_t can);
/* Whether a discover result offers the modern revision. */
bool behind_speaks_modern(struct json_span result);
/* A notification that is of no call: lists and resources that changed. False:
 * it is none of these. */
bool behind_change_take(struct upstream *upstream, struct json_span method,
    struct json_span params, unsigned *what);
/* A notification of the call, bounded. */
void behind_call_note(struct upstream_call *call, struct json_span method,
    struct json_span params);
/*
 * Whether its client may be asked this. NULL: yes; else the sentence for the
 * server, and the code.
 */
const char *behind_ask_refusal(
    const struct upstream_call *call, struct json_span method, int *code);
/* A place for an ask; NULL: all are taken. */
struct ask *behind_ask_open(struct upstream_call *call, uint32_t *number);
/* Its params, one member in mind; empty. */
struct json_span
behind_param(const struct upstream_call *call, const char *name);
/* Whose call it is, for what egress tells of it. */
void behind_mark(const struct upstream_call *call, struct pool_mark *mark);
/* Params as the server is to get them: _meta in the words of its era, with
 * this progress token (NULL: none). */
int behind_params_write(struct json_out *out, const struct upstream_call *call,
    enum mcp_era era, const char *token);
/* ,["mcp-name","…"] and ,["Mcp-Param-…","…"]: what the head of a modern request
 * over HTTP repeats of its body. */
void
behind_mirror_write(struct json_out *out, const struct upstream_call *call);
void
upstream_surface_set(struct upstream *upstream, struct mcp_surface *surface);
void upstream_surface_failed(
    struct upstream *upstream, const struct upstream_answer *failure);
uint64_t behind_now_ms(void);
/* {"code", "message"} */
void behind_error_write(struct json_out *out, int code, const char *text);

/* capture.c */
int capture_start(
    struct upstream *upstream, const struct client *client, struct link *link);
/* Nobody hears of it any more. */
void capture_drop(struct capture *capture);
/* The link that it goes by is dead. */
void capture_lost(struct capture *capture, const char *why);
struct link *capture_link(const struct capture *capture);
const struct client *capture_client(const struct capture *capture);
struct upstream *capture_upstream(const struct capture *capture);
void capture_greeted(
    struct capture *capture, enum mcp_era era, struct json_span result);
void
capture_fail(struct capture *capture, const struct upstream_answer *failure);
void capture_refuse(struct capture *capture, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A call of the host's own, in the course of a capture. */
typedef void
capture_fn(struct capture *capture, const struct upstream_answer *answer);
void capture_call(struct capture *capture, const char *method,
    struct json_span params, capture_fn *done);

/* lines.c */
/* No capture waits for a link any more. */
void lines_greet_forget(struct upstream *upstream);
void lines_notify(struct upstream *upstream, const struct client *client,
    const char *method, struct json_span params);
void lines_subscribe(struct upstream *upstream, const struct client *client,
    struct json_span uri, bool wanted);
void lines_session_end(struct upstream *upstream, const uint8_t session[16]);
void lines_end(struct upstream *upstream, const char *reason);
