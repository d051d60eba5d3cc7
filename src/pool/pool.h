/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Calls into isolates. A pool belongs to the process that has calls to make
 * (the gateway, `cordon run`, the bench); it keeps cells waiting for each
 * deployment, hands a call to one, and tells how it ended. Everything happens
 * on the caller's event loop, in callbacks; nothing here blocks.
 *
 *     caller -> pool -> (supervisor: a template, once) -> cell: the call
 *
 * All bytes that come out of a cell are hostile: the pool checks frames and
 * caps sizes, the caller checks what is in them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/limits.h"

struct event_base;
struct pool;
struct pool_call;

/* How a call ended. The names (pool_end_name) are stable and documented. */
enum pool_end {
	POOL_OK,
	POOL_EXCEPTION, /* the tool threw */
	POOL_TIMEOUT_CPU,
	POOL_TIMEOUT_WALL,
	POOL_MEMORY,
	POOL_STACK,
	POOL_RESULT_TOO_LARGE,
	POOL_INVALID_RESULT, /* not JSON: cyclic, BigInt, a function … */
	POOL_LOAD_ERROR, /* the bundle could not be loaded */
	POOL_INTERNAL, /* ours: a process was lost, an invariant broken */
	POOL_OVERLOADED, /* no cell was free and the queue is full */
	POOL_CANCELLED, /* pool_call_cancel() */
};

/* "exception", "timeout", "memory", "stack", "result_too_large",
 * "invalid_result", "load_error", "internal", "overloaded", "cancelled";
 * "ok" for POOL_OK. Both time-outs are "timeout". Static. */
const char *pool_end_name(enum pool_end end);

struct pool_usage {
	uint64_t cpu_us;
	uint64_t wall_us;
	uint64_t peak_kib;
};

/*
 * What is said when a call is over. `text` is borrowed for the duration of the
 * callback: for POOL_OK of a tool call its result, a JSON text in UTF-8 within
 * result_bytes (unchecked: claimed by the cell); for an error, a JSON object
 * {"message": string, "stack"?: string, "name"?: string, "file"?, "line"?,
 * "column"?} which the pool itself has checked or composed. `end` of an error
 * goes beside it. For POOL_OK of a request, text is NULL (see head, chunk).
 */
struct pool_outcome {
	enum pool_end end;
	const char *text;
	size_t text_len;
	struct pool_usage usage;
};

struct pool_call_ops {
	/* The response's head: raw JSON [status, [[name, value], …]]. Request
	 * calls only; before any chunk. Unchecked bytes. */
	void (*head)(void *arg, const char *raw_json, size_t len);
	/* A piece of the response's body. Unchecked bytes. */
	void (*chunk)(void *arg, const uint8_t *raw_bytes, size_t len);
	/* One console line; level 0 debug, 1 info/log, 2 warn, 3 error. Raw
	 * UTF-8 claimed by the cell, may hold anything. May be NULL. */
	void (*log)(void *arg, int level, const char *raw_text, size_t len);
	/* In the middle of a call: {"method", "params"} as the cell claims it,
	 * unchecked. An ask wants pool_call_answer(); while the cell says that
	 * it waits for nothing else, the call's wall clock stands still (the
	 * caller's patience is the limit, and an hour in all). NULL: asks are
	 * answered with an error, notes dropped. At most 16 asks are open;
	 * an ask is at most result_bytes long, the notes of one call are at
	 * most log_bytes in all. */
	void (*note)(void *arg, const char *raw_json, size_t len);
	void (*ask)(void *arg, uint32_t ask, const char *raw_json, size_t len);
	void (*wait)(void *arg);
	/* The end, exactly once, also for a cancelled call. The call is freed
	 * after it returns. Never called from inside pool_call_start(). */
	void (*done)(void *arg, const struct pool_outcome *outcome);
};

enum pool_kind {
	POOL_TOOL, /* json: what js/README.md says of call(0, …) */
	POOL_REQUEST, /* json: {"method", "url", "headers": [[n, v], …]} */
};

struct pool_deployment {
	const char *name; /* copied */
	uint32_t pool_max; /* waiting cells at most */
	struct wire_limits limits;
};

#define POOL_ALL UINT32_MAX

struct pool_options {
	const struct pool_deployment *deployments; /* of the start; copied */
	uint32_t n_deployments;
	uint32_t cells_max; /* live cells, all together */
	uint64_t memory_budget; /* bytes for resident templates; 0: none */
	/* Told of the pool's events worth a log line (a template was refused,
	 * lost, evicted …), and of which deployment, POOL_ALL: of none. May be
	 * NULL. */
	void (*notice)(
	    void *arg, uint32_t deployment, int level, const char *text);
	void *notice_arg;
};

/*
 * Takes supervisor_fd (SOCK_SEQPACKET, wire/wire.h) on failure too. The base
 * must outlive the pool.
 */
int pool_new(struct pool **poolp, struct event_base *base, int supervisor_fd,
    const struct pool_options *options);

/* Ends every call with POOL_CANCELLED, without callbacks; takes NULL. */
struct pool *pool_free(struct pool *pool);

/*
 * Starts a call. json and body are copied or sent before it returns. Limits
 * are the deployment's. -ENOMEM; every other trouble arrives in done().
 */
int pool_call_start(struct pool *pool, uint32_t deployment, enum pool_kind kind,
    const char *json, size_t json_len, const uint8_t *body, size_t body_len,
    const struct pool_call_ops *ops, void *arg, struct pool_call **callp);

/*
 * Whose a call is: for what others tell of its cell. Set right after
 * pool_call_start(); the cell keeps it until its next call, and the pool for a
 * while beyond the cell's end.
 */
#define POOL_WHAT_MAX 128
struct pool_mark {
	uint64_t request; /* of the HTTP request; 0: nobody's */
	uint32_t principal; /* 0: nobody's */
	char what[POOL_WHAT_MAX]; /* the tool, or the method; cut */
};
void pool_call_mark(struct pool_call *call, const struct pool_mark *mark);
/* False: this cell had no call lately. */
bool pool_mark_find(const struct pool *pool, uint32_t deployment, uint32_t cell,
    struct pool_mark *mark);

/* Ends the call's cell. done(POOL_CANCELLED) follows from the loop. */
void pool_call_cancel(struct pool_call *call);

/*
 * Answers an ask of this call: json is {"result": any} or {"error": {"code",
 * "message"}}, copied. -ENOENT: no such ask is open; -EINVAL: longer than
 * WIRE_FRAME_MAX. A cell that does not read its answers is ended.
 */
int pool_call_answer(
    struct pool_call *call, uint32_t ask, const char *json, size_t len);

/*
 * Deployments come and go. `index` is the supervisor's id of it, below
 * WIRE_DEPLOYMENTS_MAX; `name` is copied. Setting one that is there ends its
 * template if its limits changed, or its bundle (fresh: the caller says so);
 * calls in flight have 10 s to run out, later ones wait for the new template.
 * Removing ends its calls with POOL_CANCELLED, done() from the loop. Neither
 * from inside one of the pool's callbacks. -EINVAL, -ENOMEM.
 */
int pool_deployment_set(struct pool *pool, uint32_t index,
    const struct pool_deployment *deployment, bool fresh);
void pool_deployment_remove(struct pool *pool, uint32_t index);

/* Other bounds than those of the start. Cells that are there stay; templates
 * that are too many go once they are idle. Not from inside a callback. */
void
pool_bounds_set(struct pool *pool, uint32_t cells_max, uint64_t memory_budget);

/* What a link is made of, non-blocking: a connected stream socket, or the other
 * ends of a box's stdio and of its notes (box/note.h). */
struct pool_link {
	int read_fd;
	int write_fd; /* of a socket: the same number */
	int stderr_fd; /* of a box; else -1 */
	int notes_fd; /* of a box; else -1 */
	uint32_t number; /* that egress knows it by */
};

/*
 * A link to a deployment of another kind (wire/wire.h, LINK). The callback owns
 * the descriptors; NULL: there are none, and why. It comes from the loop.
 * -ENOMEM, -EAGAIN (4,096 are on their way), -EIO.
 */
typedef void
pool_link_fn(void *arg, const struct pool_link *link, const char *failure);
/* Closes all of it. */
void pool_link_close(const struct pool_link *link);
int pool_link_open(
    struct pool *pool, uint32_t deployment, pool_link_fn *fn, void *arg);
/* The callback will not come; whatever does is closed. */
void pool_link_forget(struct pool *pool, pool_link_fn *fn, void *arg);

/* Other messages of the supervisor (STORE, SETTINGS, TLS, EGRESS_EVENTS): the
 * callback owns the descriptor. */
typedef void pool_message_fn(void *arg, uint32_t type, int fd);
void pool_message_set(struct pool *pool, pool_message_fn *fn, void *arg);

/*
 * Flow control of a response body: while paused, nothing more is read from the
 * cell, which then blocks (its wall clock goes on).
 */
void pool_call_pause(struct pool_call *call, bool paused);

/*
 * What the deployment advertises. `json` is what its bundle declared, raw JSON
 * of at most POOL_SURFACE_MAX bytes, borrowed during the callback:
 *   {"kind": "tools", "name", "version", "title"?, "instructions"?,
 *    "tools": [{"name", "description", "inputSchema", …}, …],
 *    "prompts": […], "resources": […]}   or   {"kind": "fetch"}
 * On failure json is NULL and the outcome says why (POOL_LOAD_ERROR …). Makes
 * the template if there is none; answers at once from memory if it is known.
 * The callback may come from inside this call. -ENOMEM.
 */
typedef void pool_surface_fn(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure);
int pool_surface_get(
    struct pool *pool, uint32_t deployment, pool_surface_fn *fn, void *arg);

#define POOL_SURFACE_MAX (1u << 20)

struct pool_stats {
	uint32_t templates; /* resident */
	uint32_t cells_waiting;
	uint32_t cells_busy;
	uint64_t calls_started;
	uint64_t calls_failed; /* ended otherwise than POOL_OK */
	uint64_t cells_forked;
	uint64_t cells_cpu_us; /* of those that ended, by the kernel */
	uint64_t templates_made;
	uint64_t templates_evicted;
	uint64_t template_bytes; /* private bytes of resident templates */
};

void pool_stats_get(const struct pool *pool, struct pool_stats *stats);

struct pool_deployment_stats {
	uint32_t templates; /* 0 or 1 */
	uint32_t cells_waiting;
	uint32_t cells_busy;
};

/* Zeros for one that is not there. */
void pool_deployment_stats_get(const struct pool *pool, uint32_t deployment,
    struct pool_deployment_stats *stats);

/* Calls not yet done(), for draining. */
uint32_t pool_calls_pending(const struct pool *pool);
