/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The gateway: HTTP and JSON from anyone, answered by calls into cells. Runs
 * as cordon-gateway, boxed before the first client byte. Never opens a file or
 * a socket: everything it uses was inherited.
 *
 *     main.c     descriptors in, door shut, loop, drain
 *     route.c    who may come in, and to which server; turn.c whose turn it is
 *     store.c    the stream to the store; registry.c what it told, records.c
 *                and reader.c how it is taken in; quota.c what is spent
 *     front/     the client-facing half of MCP (front.h)
 *     behind/    the servers (upstream.h), what they offer (catalog.h)
 *     egress/    what egress tells of what went out
 *     admin.c    /admin; runtime.c, logs.c, metrics.c what is told of it all
 */

#include "gateway/behind/catalog.h"
#include "http/server.h"
#include "mcp/result.h"
#include "pool/pool.h"
#include "wire/plan.h"

struct egress_watch;
struct front;
struct registry;
struct store;
struct turns;

struct gateway {
	const struct wire_plan *plan; /* mapped, read-only: as it started */
	struct event_base *base;
	struct pool *pool;
	struct http_server *http;
	struct registry *registry; /* registry.c's */
	struct store *store; /* store.c's */
	struct metrics *metrics; /* metrics.c's */
	struct turns *turns; /* turn.c's */
	struct egress_watch *egress; /* egress/watch.c's */
	struct front *front; /* front.c's: sessions, streams, asks */
	struct quota_hold hold; /* of the connections */
	struct wire_plan settings; /* as configured now: hosts, origins … */
	struct wire_sessions sessions; /* the same */
	uint64_t next_request; /* starts at random: ids tell runs apart */
	uint64_t n_requests;
	uint64_t n_refused; /* by Host, Origin or token */
	bool draining;
};

struct visit;

/* What may befall a request while somebody works on it. */
struct visit_ops {
	void (*gone)(struct visit *visit);
	void (*drained)(struct visit *visit);
	void (*silent)(struct visit *visit);
};

/*
 * A request that is being worked on: the first member of whatever does. The
 * principal and what the endpoint names are borrowed for the event at hand:
 * who keeps a visit takes holds of them (gateway/registry.h).
 */
struct visit {
	const struct visit_ops *ops;
	struct gateway *gateway;
	struct principal *principal; /* anonymous with --no-auth; never NULL */
	struct endpoint endpoint; /* which server, or the aggregate */
	const char *rest; /* of the target, behind the endpoint: "/mcp?…" */
	struct http_request *request; /* NULL: the client has left */
	uint64_t id; /* in the log, and X-Request-Id */
};

/* route.c */
extern const struct http_ops route_ops;

/* A short JSON answer {"error": …}. */
void route_refuse(struct gateway *gateway, struct http_request *request,
    unsigned status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * front.c: MCP at an endpoint, any HTTP method; takes the request from here on.
 * Whether the principal may see the endpoint's server was asked before. One
 * that is over a quota of requests was refused before; calls are counted there.
 */
void rpc_start(const struct visit *visit);

/*
 * front.c: what is kept across requests; made after the base and the pool, before
 * the first request; freed after the http server. gateway->sessions is read
 * whenever it is needed, so that it may change.
 */
int front_start(struct gateway *gateway);
void front_stop(struct gateway *gateway);
/* Ends streams that would never end by themselves (GET, listen). */
void front_drain(struct gateway *gateway);

/* This principal may see or do more or less than before, or is gone: then its
 * streams, calls and sessions end. */
void
front_principal_changed(struct gateway *gateway, struct principal *principal);

struct front_counts {
	uint32_t sessions; /* with a record here */
	uint32_t streams; /* GET and subscriptions/listen, open */
	uint32_t calls; /* begun and not ended, whoever still listens */
	uint32_t asking; /* calls that wait for a client's answer */
	size_t kept_bytes; /* of streams, for those who come back */
};
void
front_counts_get(const struct gateway *gateway, struct front_counts *counts);

/* fetch.c: the same for what a Workers-style bundle serves besides MCP. */
void fetch_start(const struct visit *visit);

/*
 * logs.c: a console line of a tool, or what the host has to say of a server:
 * into the log, and kept (SERVER_LOG_MAX) for /admin/servers/NAME/logs.
 */
#define SERVER_LOG_MAX 65536
void server_log(struct server *server, int level, uint64_t request,
    const char *raw_text, size_t len);
void server_log_free(struct server *server);
/* Ends the streams of those who follow. */
void server_log_drain(struct server *server);
/* Answers with what is kept, and (follow) with what comes, as NDJSON. */
void server_log_answer(
    const struct visit *visit, struct server *server, bool follow);

/* metrics.c */
struct metrics;
int metrics_start(struct gateway *gateway);
void metrics_stop(struct gateway *gateway);
/* A call of the server ended; "ok", "input_required" and "cancelled" are no
 * failures of it. */
void metrics_call(
    struct server *server, const char *outcome, const struct pool_usage *usage);
/* An HTTP request got this answer (0: the connection was cut). */
void metrics_answered(struct gateway *gateway, unsigned status, uint64_t us);
void metrics_answer(struct gateway *gateway, const struct principal *principal,
    struct http_request *request);

/* How ends of calls are said: "cpu" or "wall" for the time-outs, else NULL; the
 * HTTP status, where one is called for. */
const char *gateway_limit_name(enum pool_end end);
unsigned gateway_end_status(enum pool_end end);
