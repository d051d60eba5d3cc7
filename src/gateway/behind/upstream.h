/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is behind the gateway: a server, whatever its kind, as calls in and
 * answers out. Three kinds are here.
 *
 *   isolate.c  a declarative bundle: the host speaks MCP for it, cells run it
 *   worker.c   a Workers-style bundle: an HTTP request into a fresh cell
 *   lines.c    JSON-RPC lines over a link (wire/wire.h): MCP's stdio transport,
 *              and HTTP to remote servers (remote.h)
 *
 * All that comes out is hostile, and checked here to be JSON (json_check) of
 * the right shape; what is inside is passed on byte for byte. Names and URIs
 * are the server's own here: prefixes are the catalog's business.
 */

#include "gateway/registry.h"
#include "json/json.h"
#include "mcp/surface.h"
#include "mcp/version.h"

struct upstream_call;

/* Who asks: borrowed for a call's life. */
struct client {
	struct principal *principal;
	const uint8_t *session; /* 16 bytes; NULL: a modern client has none */
	enum mcp_era era;
	struct json_span capabilities; /* what it declared; empty: {} */
	uint32_t can; /* the same as MCP_CAN_… bits (mcp/version.h) */
	struct json_span info; /* clientInfo, or empty */
};

struct upstream_request {
	const char *method; /* "tools/call" … : any request method */
	/* As the client sent them, with names and URIs of the server itself:
	 * _meta, inputResponses and requestState (unsealed) among them. The
	 * upstream makes its own _meta of it: progress token, version and
	 * capabilities in the upstream's era, all else kept. */
	struct json_span params;
	uint64_t id; /* of the HTTP request, for the log */
};

enum upstream_end {
	UPSTREAM_RESULT, /* value: the result object, as it came */
	UPSTREAM_ERROR, /* value: the error object {"code", "message", …} */
};

struct upstream_answer {
	enum upstream_end end;
	struct json_span value; /* checked JSON, an object; borrowed */
	/* The era that a result is written in: modern ones have a resultType,
	 * and "input_required" is one of them. */
	enum mcp_era era;
	unsigned status; /* HTTP status that an ERROR asks for; 0: 200 */
	struct pool_usage usage;
};

struct upstream_call_ops {
	/* A notification that belongs to this call: progress (its
	 * progressToken still the upstream's: the front puts the client's
	 * there, or drops it), a log message, … Checked JSON. */
	void (*note)(
	    void *arg, struct json_span method, struct json_span params);
	/* The server asks the client something, in legacy words
	 * ("elicitation/create", "sampling/createMessage", "roots/list").
	 * Answer with upstream_call_answer(), now or later. */
	void (*ask)(void *arg, uint32_t ask, struct json_span method,
	    struct json_span params);
	/* Nothing more will come until an ask is answered. A link that cannot
	 * know that says so right after the asks it had at hand. */
	void (*wait)(void *arg);
	/* The end, exactly once, never from inside upstream_call_start(); the
	 * call is freed after it returns. */
	void (*done)(void *arg, const struct upstream_answer *answer);
};

/*
 * Starts a request. Everything is copied before it returns, but `client`, which
 * lives as long as the call. -ENOMEM; all other trouble arrives in done().
 */
int upstream_call_start(struct gateway *gateway, struct server *server,
    const struct client *client, const struct upstream_request *request,
    const struct upstream_call_ops *ops, void *arg,
    struct upstream_call **callp);

/* json: the result (any object) or the error object, copied. -ENOENT. */
int upstream_call_answer(struct upstream_call *call, uint32_t ask,
    bool is_error, const char *json, size_t len);

/* Ends it, the upstream's way; the reason is text for the upstream. No
 * callback comes after this: the call is gone. Never waits behind other calls.
 */
void upstream_call_cancel(struct upstream_call *call, const char *reason);

/* A body that is long is read slower than it comes (backpressure). */
void upstream_call_pause(struct upstream_call *call, bool paused);

/*
 * What the server advertises: from memory, or asked of it first (its lists
 * followed page by page, with a guard against cursors that loop). Starts the
 * server if need be; an answer that takes too long is a failure. On failure
 * surface is NULL and `failure` is an error answer. The callback may come from
 * inside. -ENOMEM.
 */
typedef void upstream_surface_fn(void *arg, const struct mcp_surface *surface,
    const struct upstream_answer *failure);
int upstream_surface_get(struct gateway *gateway, struct server *server,
    const struct client *client, upstream_surface_fn *fn, void *arg);
void upstream_surface_forget(
    struct server *server, upstream_surface_fn *fn, void *arg);

/* What it advertised before this process began, as the store has kept it: it is
 * asked again when it is next started for a call. */
void upstream_surface_recall(struct gateway *gateway, struct server *server,
    const char *raw_json, size_t len);

/* What is known of it now, without asking; NULL. */
const struct mcp_surface *upstream_surface_known(const struct server *server);

/* A notification without an answer, to the links of this client only:
 * "notifications/roots/list_changed". */
void upstream_notify(struct gateway *gateway, struct server *server,
    const struct client *client, const char *method, struct json_span params);

/*
 * Whether updates of the resource are wanted (by anybody: the front counts).
 * Told upstream where the server can do it.
 */
void upstream_subscribe(struct gateway *gateway, struct server *server,
    const struct client *client, struct json_span uri, bool wanted);

/* A session is over: links of it alone are closed. */
void upstream_session_end(struct gateway *gateway, const uint8_t session[16]);

/* Ends links and cells; the next call starts anew. */
void upstream_restart(struct gateway *gateway, struct server *server);

/* The server is gone, or its launch changed: the same, and what was known of
 * it is forgotten; server->upstream is NULL after it. */
void upstream_forget(struct gateway *gateway, struct server *server);

/* Whose the link of this number is, and, where one call alone is under way on
 * it, which. False: there is no such link (any more). */
bool upstream_link_mark(
    const struct server *server, uint32_t number, struct pool_mark *mark);

/* Links open now (0 for isolates), for metrics and top. */
unsigned upstream_links(const struct server *server);

/* What a server says on its own; the front implements these (listen.c). */
#define UPSTREAM_TOOLS 1u
#define UPSTREAM_PROMPTS 2u
#define UPSTREAM_RESOURCES 4u
/* Lists that changed, known anew already (upstream_surface_known). */
void
front_changed(struct gateway *gateway, struct server *server, unsigned what);
/* Its links ended for good, and what was subscribed to by them. */
void
front_subscriptions_lost(struct gateway *gateway, const struct server *server);
void front_resource_updated(struct gateway *gateway, struct server *server,
    struct json_span uri, struct json_span params);
/* A log message (params of notifications/message) that belongs to no call; for
 * the sessions of this principal alone, NULL: it cannot be told whose, and is
 * logged here, sent to nobody. */
void front_log(struct gateway *gateway, struct server *server,
    const struct principal *principal, struct json_span params);
