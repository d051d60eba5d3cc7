/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The client-facing half of MCP, inside.
 *
 *     front.c    HTTP methods, the body, which session
 *     exchange.c one POST: its messages, its answer
 *     call.c     one JSON-RPC request, from its message to its reply
 *     serve.c    what each method does
 *     relay.c    a call that a server answers: notes, results, errors
 *     ask.c      what a server asks of a client
 *     park.c     the same of a modern one, which comes back with answers
 *     session.c  who was here before, and how long ago
 *     stream.c   SSE, and what of it can be read again
 *     listen.c   what servers say on their own
 *     seal.c     what clients keep for us
 *
 * One request holds an exchange; each of its messages an item; an item that is
 * a request a call. A call leaves its item when it is answered, and may live
 * on without one: parked, until the client comes back with answers. A session
 * has a small record; more (struct live) only while something goes on in it.
 */

#include <sys/queue.h>

#include "gateway/gateway.h"
#include "gateway/front/seal.h"
#include "mcp/client.h"
#include "mcp/method.h"

#define FRONT_MESSAGE_MAX (64u << 20) /* far beyond any limit; a bug's end */
#define FRONT_BATCH_MAX 64
#define FRONT_CALLS_MAX 128 /* of one session at once */
#define FRONT_ASKS_MAX 16 /* of one call at once */
#define FRONT_ROUNDS_MAX 16 /* of one request, answered with input_required */
#define FRONT_WATCHES_MAX 256 /* resources that one listener watches */
#define FRONT_UNREAD_MAX (1u << 20) /* sent to who does not read: then cut */
#define FRONT_KEPT_MAX                                                         \
	(128u << 20) /* of all streams, for those who come back */
#define FRONT_STREAMS_MAX 64 /* of one session, those that ended counted */
#define FRONT_SILENCE_MS 15000 /* then a POST's answer becomes a stream */
#define FRONT_KEEP_S 60 /* what a stream said, after its end */

struct call;
struct listener;
struct session;

/* session.c */

/* Sessions of one principal, or of one tenant, the longest idle first. */
TAILQ_HEAD(session_list, session);
struct session_group {
	struct session_group *next; /* in its bucket */
	struct principal *principal; /* held; NULL: a tenant's */
	struct tenant *tenant; /* of the principal, or alone; not held */
	struct session_list sessions;
	uint32_t n;
};

struct session {
	uint8_t id[SEAL_ID_BYTES];
	struct session *next; /* in its bucket */
	TAILQ_ENTRY(session) of_principal, of_tenant;
	struct session_group *principal_group, *tenant_group;
	struct live *live; /* NULL: nothing goes on */
	uint64_t ends; /* seconds since 1970 */
	uint32_t used_s; /* monotonic */
	uint32_t can; /* MCP_CAN_… */
	uint8_t version; /* mcp_version_number() */
	uint8_t level; /* mcp_level_read() */
};

TAILQ_HEAD(stream_list, stream);
TAILQ_HEAD(call_list, call);
TAILQ_HEAD(kept_list, kept);

struct live {
	TAILQ_ENTRY(live) link; /* front->lives */
	struct front *front;
	struct session *session;
	struct stream *get; /* in streams too; NULL: never opened */
	struct stream_list streams;
	struct kept_list kept; /* events, the oldest first */
	size_t kept_bytes;
	struct call_list calls;
	unsigned n_calls;
	unsigned n_streams;
	struct listener *listener; /* NULL: hears nothing */
	uint32_t next_stream; /* starts at random: ids tell times apart */
	uint32_t next_ask;
};

TAILQ_HEAD(exchange_list, exchange);
TAILQ_HEAD(live_list, live);
TAILQ_HEAD(listener_list, listener);
TAILQ_HEAD(subject_list, subject);

#define FRONT_BUCKETS 4096
#define FRONT_GROUPS 256

struct front {
	struct gateway *gateway;
	struct event *tick; /* once a second */
	struct event *flush; /* tells of changed lists */
	uint64_t started; /* milliseconds since 1970 */
	struct session *sessions[FRONT_BUCKETS];
	struct session_group *groups[FRONT_GROUPS];
	uint32_t n_sessions;
	struct live_list lives;
	struct exchange_list exchanges;
	struct call_list calls; /* all */
	uint32_t n_calls;
	uint32_t n_asking;
	uint32_t n_streams; /* GET and listen */
	size_t kept_bytes;
	struct listener_list listeners;
	struct subject *subjects[FRONT_GROUPS];
	struct subject_list orphans; /* no server was told of these */
};

uint64_t front_now_ms(void); /* monotonic */
uint64_t front_unix_ms(void);
const uint8_t *front_key(const struct front *front); /* NULL: not yet */
void front_binding(const struct principal *principal,
    const struct endpoint *endpoint, struct seal_binding *binding);

/* Makes one; text is the header's value. -EAGAIN: there is no key yet. */
int session_new(const struct visit *visit, uint32_t can, int version,
    struct session **sessionp, char text[SEAL_SESSION_TEXT]);
/* Finds the session of this header, and marks it used. SESSION_E_UNKNOWN: it
 * is forged, somebody else's, over, or for another endpoint. -ENOMEM. */
#define SESSION_E_UNKNOWN 1
int session_admit(
    const struct visit *visit, const char *raw_text, struct session **sessionp);
/* What goes on in it. NULL: no memory. */
struct live *session_live(struct front *front, struct session *session);
/* Gives up what nobody needs any more. */
void session_settle(struct front *front, struct session *session);
/* Ends it for good: calls, streams, the record. */
void session_end(struct front *front, struct session *session);
void session_end_all(struct front *front, const struct principal *principal);
/* Once a second: those that were idle too long. */
void session_sweep(struct front *front);
void session_stop(struct front *front);

/* stream.c */

struct stream {
	TAILQ_ENTRY(stream) link; /* live->streams */
	struct front *front;
	struct live *live; /* NULL: of no session, cannot be resumed */
	struct visit *visit; /* who reads it; NULL: nobody now */
	struct exchange *exchange; /* whose answer it is; NULL: a GET */
	uint32_t number;
	uint32_t sequence; /* of the last event */
	uint32_t lost; /* the last that was not kept */
	size_t unread; /* written while the reader was slow */
	uint64_t ended_ms;
	bool is_reader; /* visit is a struct reader of ours */
	bool ended;
	bool full; /* the reader is slow */
};

/* Begins an answer in events; session_text is the id of a session that it
 * opens, or "". NULL: no memory; nothing was sent. */
struct stream *stream_new(struct front *front, struct visit *visit,
    struct session *session, const char *session_text);
/* One event, JSON in one line or not. */
void stream_send(struct stream *stream, const char *json, size_t len);
/* Nothing more will come; what was kept can be read for a while. Frees it if
 * it is nobody's. */
void stream_end(struct stream *stream);
/* The reader has left. */
void stream_leave(struct stream *stream);
void stream_drained(struct stream *stream);
void stream_silent(struct stream *stream);
void stream_free(struct stream *stream);
/* GET: a stream of the session's own, or the rest of one. */
void stream_get(const struct visit *visit, struct session *session);
/* Events of streams that ended a while ago. */
void stream_sweep(struct live *live, uint64_t now_ms);

/* exchange.c */

struct item {
	struct exchange *exchange;
	struct call *call; /* NULL: none, or it is answered */
	struct json_out out; /* the reply; empty: none is due */
	unsigned status;
	unsigned retry_s; /* 0: no Retry-After */
	bool is_open; /* an answer will come */
};

struct exchange {
	struct visit visit;
	TAILQ_ENTRY(exchange) link;
	struct stream *stream; /* NULL: one answer, if soon */
	uint64_t since_ms;
	bool can_stream; /* the client accepts events */
	bool is_batch;
	bool starting; /* items are still being looked at */
	bool is_modern;
	char session_text[SEAL_SESSION_TEXT]; /* a new one's */
	size_t n_items;
	size_t n_open;
	struct item items[];
};

/* Takes the request; NULL: no memory. Its items are started by the caller, who
 * then says so. */
struct exchange *exchange_new(const struct visit *visit, size_t n_items);
void exchange_begun(struct exchange *exchange);
/* The item's reply is complete in out, or none is due. */
void item_done(struct item *item);
/* Sends a message before the answer. False: it cannot be (the client takes no
 * events, or has left for good). */
bool item_send(struct item *item, const char *json, size_t len);
void exchange_sweep(struct front *front, uint64_t now_ms);
void exchange_pause(struct exchange *exchange, bool paused);

/* call.c */

TAILQ_HEAD(ask_list, ask);

struct call {
	TAILQ_ENTRY(call) link; /* front->calls */
	TAILQ_ENTRY(call) of_session; /* live->calls */
	struct front *front;
	struct item *item; /* NULL: answered, parked, or left */
	struct session *session; /* NULL: none */
	struct client client;
	char *declared; /* owned; client.capabilities may lie in it */
	struct endpoint endpoint; /* the server held */
	uint64_t request; /* of the HTTP request */
	uint64_t since_ms;
	char *text; /* owned: the message */
	struct mcp_message message;
	enum mcp_method method;
	struct json_span token; /* the client's progress token; empty: none */
	struct catalog_entry entry; /* the server held */
	struct upstream_call *upstream; /* NULL: none runs */
	int level; /* of log messages wanted; -1: none */
	unsigned rounds;
	bool waits_for_catalog;
	bool has_entered; /* counted by quota.c */
	bool is_asking; /* counted with principal->n_asking */
	/* ask.c */
	struct ask_list asks;
	unsigned n_asks;
	unsigned next_key;
	bool is_parked;
	uint8_t park[SEAL_ID_BYTES];
	uint32_t round;
	uint64_t deadline_ms; /* of being parked */
	struct json_out answer; /* the result or error that came meanwhile */
	bool answer_is_error;
	struct json_out state; /* the server's requestState, for this round */
	struct json_out responses; /* inputResponses, made of asks */
	uint32_t missing; /* MCP_CAN_… that a server wanted to use */
	char *retry_text; /* owned: the last retry's message */
	struct listener *listener; /* of subscriptions/listen */
	bool is_looping; /* asks are of an input_required result */
};

/* Starts a request; the item is done now or later. */
void call_start(struct item *item, const struct mcp_message *message,
    struct session *session, enum mcp_era era);
/* Replies. Each leaves the item; the call is freed unless it is parked. */
void call_refuse(struct call *call, const struct mcp_error *error);
void call_refuse_memory(struct call *call);
/* An error object as it came. */
void call_fail(struct call *call, struct json_span error, unsigned status);
/* Ends it without an answer; the upstream is told why. */
void call_cancel(struct call *call, const char *reason);
void call_free(struct call *call);
/* A session's client says that its roots are others now. */
void call_roots_changed(const struct visit *visit,
    const struct session *session, struct json_span params);
struct call *call_find(const struct session *session, struct json_span id);
struct json_span call_param(const struct call *call, const char *name);
/* The reply, between: the result object is to be written. */
struct json_out *call_reply_open(struct call *call);
void call_reply_close(struct call *call);

/* serve.c */

/* Whether the surfaces of the endpoint must be known for it. */
bool serve_needs_catalog(const struct call *call);
void serve_call(struct call *call);

/* relay.c */

/* Sends the call to entry.server. */
void relay_start(struct call *call);
void relay_result(struct call *call, struct json_span result, enum mcp_era era);
/* The result object alone, as this client gets it. */
void relay_result_write(const struct call *call, struct json_span result,
    enum mcp_era era, struct json_out *out);
/* A failure of ours; plain words, which need no escape. */
void relay_refuse(struct call *call, const char *code, const char *sentence);
/* Counts it out, and tells the audit; once. */
void relay_leave(
    struct call *call, const struct pool_usage *usage, const char *outcome);
/* An error object, its code as the era has it. */
void relay_error(struct call *call, struct json_span error, unsigned status);

/* ask.c */

struct ask {
	TAILQ_ENTRY(ask) link;
	struct call *call;
	uint32_t number; /* the upstream's; of loops: unused */
	uint32_t id; /* of our request to a legacy client */
	char *key; /* owned: as in inputRequests, a JSON string; or NULL */
	char *text; /* owned, len bytes: {"method":…,"params":…} */
	size_t len;
	char *response; /* owned: of loops, what the client said */
	size_t response_len;
	uint64_t deadline_ms;
	bool is_sent;
	bool is_elicitation;
};

void ask_take(struct call *call, uint32_t number, struct json_span method,
    struct json_span params);
void ask_wait(struct call *call);
/* A client's response; what nobody asked for is dropped. */
void ask_respond(struct session *session, const struct mcp_message *message,
    struct json_span whole);
/* A result that is input_required. */
void ask_result(struct call *call, struct json_span result);
/* Keeps the counts of calls that wait for a client. */
void ask_count(struct call *call);
void ask_free(struct ask *ask);
/* A server's input_required, for a modern client: its state inside ours. */
void ask_pass_on(struct call *call, struct json_span result);
/* The item of a new request that says it goes on with a parked call takes its
 * place; true: nothing more is to be done with the new one. */
bool ask_resume(struct call *call);
/* No more of them: the client is told where it was asked. */
void ask_drop_all(struct call *call, const char *reason);
void ask_sweep(struct front *front, uint64_t now_ms);
/* -32021 where the era has it. */
void ask_refuse_missing(struct call *call, uint32_t missing);

/* listen.c */

/* Of a modern client: its stream is begun and acknowledged. */
void listen_start(struct call *call);
/* Of a session, for its GET stream. NULL: no memory. */
struct listener *listen_session(
    struct front *front, struct live *live, const struct visit *visit);
/* -ENOMEM; LISTEN_E_FULL. */
#define LISTEN_E_FULL 1
int listen_watch(
    struct listener *listener, struct server *server, const char *inner);
void listen_unwatch(
    struct listener *listener, struct server *server, const char *inner);
struct listener *listen_free(struct listener *listener);
/* Watches nothing. */
bool listen_is_idle(const struct listener *listener);
/* All lists may be others for this principal. */
void listen_changed(struct front *front, const struct principal *principal);
/* What changed is told; subscriptions without a link find one. */
void listen_flush(struct front *front);
void listen_stop(struct front *front);
