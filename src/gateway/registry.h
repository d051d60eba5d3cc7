/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The gateway's replica of the registry (wire/registry.h): who may come in, and
 * to which servers. Read on every request, without asking anybody. What goes
 * away while somebody works with it stays until the last of them has let go.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "pool/pool.h"
#include "wire/registry.h"

/* Why a box, or another link to a server, is over. */
enum upstream_over {
	UPSTREAM_OVER_FAILED, /* it could not be started, or reached */
	UPSTREAM_OVER_LEFT, /* it ended by itself */
	UPSTREAM_OVER_LIMIT, /* a limit of its box ended it */
	UPSTREAM_OVER_SILENT, /* it did not answer in time */
	UPSTREAM_OVER_BROKEN, /* it does not keep to the protocol */
	UPSTREAM_OVER_REFUSED, /* it wants another token: this link's owner's */
	UPSTREAM_OVER_IDLE,
	UPSTREAM_OVER_AGE, /* it was replaced by a younger one */
	UPSTREAM_OVER_ROOM, /* its place was needed */
	UPSTREAM_OVER_STOPPED, /* restarted, changed, its session over */
	UPSTREAM_N_ENDS,
};

struct arrival;
struct gateway;
struct upstream;

/* What is spent against a quota (quota.c). */
struct meter {
	uint64_t window; /* when the minute began that the counts are of, ms */
	uint32_t requests;
	uint32_t last_requests; /* of the minute before */
	uint64_t last_cpu_us;
	uint32_t running; /* calls now */
	uint32_t held; /* connections now: requests that are not over */
	uint64_t cpu_us;
	uint64_t n_requests; /* for ever: /metrics, top */
	uint64_t n_calls;
	uint64_t n_refused;
	uint64_t total_cpu_us;
};

struct tenant {
	struct wire_tenant record;
	struct meter meter;
	uint32_t n_sessions; /* session.c's count */
	uint32_t share; /* calls at once, so that others find cells; 0: all */
	/* turn.c's: its requests that wait, its place among those who have
	 * some, and when it was last served. */
	TAILQ_HEAD(, arrival) waiting;
	TAILQ_ENTRY(tenant) in_turn;
	uint64_t turn;
	bool gone;
	unsigned epoch; /* the snapshot that it was last in */
	unsigned users; /* principals, servers, and who holds one */
};

struct principal {
	struct wire_token record;
	struct tenant *tenant; /* held */
	struct meter meter;
	uint32_t n_sessions; /* session.c's count */
	uint32_t n_asking; /* calls of it that wait for a client's answer */
	bool gone;
	unsigned epoch;
	unsigned users;
};

struct server {
	struct wire_server record;
	struct tenant *tenant; /* held */
	const char *name; /* record.launch.name */
	/* upstream.c's, made when the server is first needed; ended when it is
	 * gone or its launch changed. */
	struct upstream *upstream;
	struct server_log *log; /* logs.c's; NULL: nothing was said */
	struct server_egress *egress; /* egress/'s, from malloc; NULL: it never
				       * went out */
	/* behind/box.c's: of all its life here, whatever its launch was */
	uint32_t n_boxes; /* not yet wholly gone */
	uint64_t n_box_starts;
	uint64_t n_box_ends[UPSTREAM_N_ENDS];
	uint64_t n_calls;
	uint64_t n_failures;
	uint64_t cpu_us;
	uint64_t n_calls_before; /* up to the last second */
	uint64_t calls_per_s; /* in it */
	bool gone;
	unsigned epoch;
	unsigned users;
};

#define REGISTRY_TENANTS_MAX 4096u
#define REGISTRY_TOKENS_MAX 65536u
#define REGISTRY_ENDED_MAX 65536u

/* -ENOMEM. Empty, and not ready, until the store has told what there is. */
int registry_start(struct gateway *gateway);
void registry_stop(struct gateway *gateway);

/*
 * Takes in what the store said in one frame (store.c has seen to its length).
 * Its effects are there when this returns: who or what went away is refused
 * from the next request on, its links, streams and sessions are ended.
 * REGISTRY_E_BROKEN: no store in its right mind says that.
 */
#define REGISTRY_E_BROKEN 1
int registry_apply(struct gateway *gateway, enum wire_store_frame type,
    const void *record, struct err *err);

/* What the server of this id advertised, as the store has kept it (KNOWN). Of a
 * server that may not be called, or that has said it itself, nothing is taken.
 */
void registry_known_take(
    struct gateway *gateway, uint32_t id, const char *raw_json, size_t len);

/* To be called about once a second: tokens expire. */
void registry_tick(struct gateway *gateway);
/* The settings have another bound for cells. */
void registry_shares_set(struct gateway *gateway);

/* Ended sessions that the snapshot did not hold, and others that are told by
 * hand: each is handed to the function. */
typedef void registry_ended_fn(void *arg, const struct wire_ended *ended);
void registry_ended_untold(
    struct gateway *gateway, registry_ended_fn *fn, void *arg);

struct registry_counts {
	uint32_t tenants;
	uint32_t tokens;
	uint32_t servers[WIRE_STATE_DENIED + 1]; /* by state */
	uint32_t ended;
};
void registry_counts_get(
    const struct gateway *gateway, struct registry_counts *counts);

/* In the order of their ids, for /metrics and top; NULL after the last. */
struct tenant *registry_tenant_at(struct gateway *gateway, size_t i);
struct principal *registry_principal_at(struct gateway *gateway, size_t i);
/* By tenant and name. */
struct server *registry_server_at(struct gateway *gateway, size_t i);

/* Whoever keeps a pointer beyond the event at hand takes a hold of it. */
struct principal *principal_ref(struct principal *principal);
struct principal *principal_unref(struct principal *principal); /* NULL */
struct server *server_ref(struct server *server);
struct server *server_unref(struct server *server); /* NULL */

/*
 * Who this token is; NULL for one that is not known, gone or expired. The hash
 * is SHA-256 of the token (the replica has the hash of that).
 */
struct principal *
registry_principal_by_hash(struct gateway *gateway, const uint8_t hash[32]);
struct principal *
registry_principal_by_id(struct gateway *gateway, uint32_t id);

/* Whoever comes in where the operator said --no-auth: id 0, tenant "local",
 * may read and call, not administer. */
struct principal *registry_anonymous(struct gateway *gateway);

struct tenant *registry_tenant_find(struct gateway *gateway, const char *name);

/* A server in any state; NULL. */
struct server *registry_server_find(
    struct gateway *gateway, const struct tenant *tenant, const char *name);
struct server *registry_server_by_id(struct gateway *gateway, uint32_t id);

/* Whether this principal may know of the server: approved, of its tenant, on
 * its token's list, with the scope to read. Asked at every list and call. */
bool
registry_sees(const struct principal *principal, const struct server *server);

/* Whether it may also call tools there. */
bool registry_may_call(
    const struct principal *principal, const struct server *server);

/* The servers it sees, by name: the next after `last` (NULL: the first). */
struct server *registry_next(struct gateway *gateway,
    const struct principal *principal, const struct server *last);

/* Whether the snapshot has come: before that nobody is served (503). */
bool registry_is_ready(const struct gateway *gateway);

/* 32 bytes, the key that sealing keys are derived from; NULL before SNAPSHOT.
 */
const uint8_t *registry_key(const struct gateway *gateway);

/* Sessions that were ended by hand: told to the store, known after its next
 * snapshot too. */
bool registry_session_is_ended(
    const struct gateway *gateway, const uint8_t session[16]);
void registry_session_end(
    struct gateway *gateway, const uint8_t session[16], uint64_t until);

/* Appends to the audit, through the store; never waits. json is an object or
 * NULL. Dropped, with a count in /metrics and a log line, while there is no
 * store and the buffer (bounded) is full. */
void registry_audit(struct gateway *gateway, const struct principal *principal,
    uint64_t request, const char *action, const char *json, size_t len);

/* The same of what a server did: `principal` may be nobody. */
void registry_audit_server(struct gateway *gateway, const struct server *server,
    const struct principal *principal, uint64_t request, const char *action,
    const char *json, size_t len);

/* Keeps what a server advertises, for a later review. */
void registry_surface_keep(struct gateway *gateway, const struct server *server,
    const char *json, size_t len);

/*
 * quota.c: what is over is told by name ("requests_per_minute", …) and by the
 * seconds after which to try again. Tenant first, then token.
 */
struct quota_refusal {
	const char *what;
	const char *whose; /* "host", "tenant", "token" */
	unsigned retry_s;
};
#define QUOTA_E_OVER 1
/* Counts an HTTP request in. 0 or QUOTA_E_OVER. */
int quota_request(struct principal *principal, struct quota_refusal *refusal);
/*
 * Counts in the connection that a request holds until it is over; each that got
 * 0 is to be left. Streams end late or never, so none may have them all: of
 * `max` some are nobody's but admins' and probes', of several tenants each has
 * three quarters at most, and of a tenant's each token three quarters.
 */
struct quota_hold {
	uint32_t held; /* by all */
	uint32_t max; /* connections that there can be */
	bool is_shared; /* by several tenants */
};
int quota_hold_enter(struct quota_hold *hold, struct principal *principal,
    struct quota_refusal *refusal);
void quota_hold_leave(struct quota_hold *hold, struct principal *principal);
/* Counts a call in; each that got 0 is to be left, with what it spent. */
int
quota_call_enter(struct principal *principal, struct quota_refusal *refusal);
void
quota_call_leave(struct principal *principal, const struct pool_usage *usage);
/* The least of the limits on one answer; 0: none. */
uint64_t quota_result_bytes(const struct principal *principal);
