/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The pool's inside. A slot is a deployment's place: its template, once there
 * is one, its waiting cells, the calls that wait for one.
 *
 *   pool.c        the API, calls, and which of them goes where
 *   deployment.c  slots come, are renewed, and go
 *   slot.c        a slot's template: open, ready, refused, lost, evicted
 *   cell.c        a cell's stream: the call out, frames in, the end
 *   ask.c         what a call asks in its middle, and the clock meanwhile
 *   mark.c        whose a cell's call is, for those who are told of the cell
 *   link.c        what else the supervisor hands out
 */

#include <event2/event.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "pool/pool.h"
#include "wire/plan.h"
#include "wire/wire.h"

#define ASKS_MAX 16u /* open at once, of one call */

enum slot_state {
	SLOT_NONE, /* no template */
	SLOT_QUEUED, /* its turn to be opened comes */
	SLOT_OPENING, /* asked of the supervisor */
	SLOT_LOADING, /* started; not ready, not refused yet */
	SLOT_READY,
};

struct pool_call {
	TAILQ_ENTRY(pool_call) link; /* in its slot's queue, or pool->ended */
	struct slot *slot;
	struct cell *cell; /* NULL: waits for one, or over */
	enum pool_kind kind;
	const struct pool_call_ops *ops;
	void *arg;
	struct event *wall; /* the call's wall time, or its patience */
	uint64_t wall_due_ms; /* when its wall time is over */
	uint64_t wall_left_ms; /* of it, while the clock stands still */
	uint64_t wait_left_ms; /* how long it may still stand */
	uint32_t asks[ASKS_MAX]; /* the numbers of the open ones */
	uint32_t n_asks;
	uint32_t n_answers; /* that were sent */
	bool waits; /* for answers only: the clock stands still */
	uint8_t *unsent; /* frames that did not go out yet */
	size_t unsent_len;
	size_t unsent_at;
	size_t unsent_capacity;
	uint64_t started_ms;
	uint64_t log_bytes; /* still allowed */
	uint64_t note_bytes; /* still allowed */
	uint64_t body_bytes; /* still allowed */
	bool head_seen;
	bool paused;
	bool queued;
	bool cancelled;
	bool over; /* the outcome stands; done() is to come */
	struct pool_outcome outcome;
	char *text; /* owned, behind outcome.text when that is not borrowed */
	struct pool_mark mark;
};

struct cell {
	TAILQ_ENTRY(cell) link; /* in slot->cells, oldest first */
	struct slot *slot;
	uint32_t id;
	struct wire_limits limits; /* its template's, when it was forked */
	int fd; /* -1: let go of; only its EXIT is missing */
	struct pool_call *call; /* NULL: waits, or is over */
	struct event *readable;
	struct event *writable; /* only while a call goes out in pieces */
	uint8_t *in; /* a frame that is not complete yet */
	size_t in_len;
	size_t in_capacity;
	uint32_t served;
	bool behind; /* its answer is out, work behind that may go on */
	uint64_t linger_until_ms; /* then it must have ended; 0: no hurry */
	bool waiting;
	bool killed; /* by our order */
	bool hung_up; /* end of stream seen, EXIT not yet */
	struct pool_mark mark; /* of its call, or its last one */
};

#define PAST_MAX 256u /* cells that ended lately */

struct past {
	uint32_t deployment;
	uint32_t cell;
	struct pool_mark mark;
};

TAILQ_HEAD(cell_list, cell);
TAILQ_HEAD(call_list, pool_call);

struct surface_waiter {
	STAILQ_ENTRY(surface_waiter) link;
	pool_surface_fn *fn;
	void *arg;
};

struct slot {
	TAILQ_ENTRY(slot) lru; /* in pool->lru while a template is there */
	TAILQ_ENTRY(slot) turn; /* in pool->turns while it is queued */
	struct pool *pool;
	struct pool_deployment deployment;
	char name[WIRE_NAME_MAX]; /* behind deployment.name */
	uint32_t index;
	bool is_there; /* else removed: nothing is opened for it */
	bool is_stale; /* its template is an old one, and on its way out */
	uint64_t stale_until_ms;
	bool is_reopened; /* the template on its way may be the old one */
	enum slot_state state;
	int control_fd;
	struct event *control;
	struct event *deadline; /* of opening and loading */
	char *surface;
	size_t surface_len;
	enum pool_end failure; /* of the last load, POOL_OK: none */
	char *failure_text;
	struct pool_usage failure_usage;
	uint64_t failure_ms;
	struct cell_list cells;
	struct call_list queue;
	uint32_t n_queue;
	uint32_t n_waiting;
	uint32_t n_busy;
	uint32_t n_behind; /* cells that work behind their answers */
	uint32_t n_ordered; /* forks that were ordered and did not arrive */
	uint32_t target; /* cells to keep waiting */
	uint32_t peak; /* calls at once since the last look */
	bool cold; /* its warm-up does harm: do without */
	bool is_deaf; /* the last order did not fit its socket */
	uint64_t bytes; /* what the template takes, by the supervisor */
	STAILQ_HEAD(, surface_waiter) waiters;
};

struct link_waiter {
	TAILQ_ENTRY(link_waiter) link;
	uint32_t number;
	pool_link_fn *fn;
	void *arg;
};

TAILQ_HEAD(link_list, link_waiter);

struct pool {
	struct event_base *base;
	struct pool_options options;
	int supervisor_fd;
	struct event *supervisor;
	struct event *deferred; /* delivers what ended inside a start */
	struct event *tick; /* once a second: linger, decay */
	struct slot *slots[WIRE_DEPLOYMENTS_MAX]; /* NULL: never set */
	uint32_t n_slots; /* no index is as high */
	struct link_list links; /* that were asked for */
	uint32_t n_links;
	uint32_t last_link;
	pool_message_fn *message;
	void *message_arg;
	TAILQ_HEAD(, slot) lru; /* most recently used last */
	TAILQ_HEAD(, slot) turns; /* who wants a template, first come first */
	uint32_t n_opening; /* slots that are opening or loading */
	struct call_list ended;
	uint32_t pending;
	uint32_t n_live; /* cells waiting, busy or ordered */
	struct pool_stats stats;
	struct past past[PAST_MAX]; /* a ring */
	uint32_t n_past; /* ever */
	char text[WIRE_TEXT_MAX + 1]; /* of the message at hand */
	uint8_t scratch[65536]; /* of the read at hand */
};

#define QUEUE_MAX 1024 /* calls that wait in one slot */
/* Templates in the making at once. Each has a message or two under way between
 * blocking sockets: a bound is what keeps a cold start of thousands from
 * filling them all round in a circle. */
#define OPENING_MAX 8
#define LINGER_MS 2000 /* from KILL to the template's own end */

uint64_t pool_now_ms(void);
void pool_notice(struct pool *pool, uint32_t deployment, int level,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The call is over: done() now, with a borrowed text; the call is freed. Only
 * from an event of its own cell. An error's text is checked here. */
void call_finish(struct pool_call *call, enum pool_end end,
    const char *raw_text, size_t len, const struct pool_usage *usage);
/* The same, from the loop; text is copied, NULL makes a sentence of our own. */
void call_end(struct pool_call *call, enum pool_end end, const char *text,
    size_t len, const struct pool_usage *usage);
void call_end_sentence(
    struct pool_call *call, enum pool_end end, const char *sentence);

#define POOL_ERROR_MAX 256 /* an error that we compose ourselves */

/* raw_text where it is an error's JSON object, else our own sentence, which is
 * written to json. */
const char *call_error_admit(
    enum pool_end end, const char *raw_text, char json[POOL_ERROR_MAX]);

/* The call is over at this moment, its cell is ended from outside. */
void call_abandon(struct pool_call *call, enum pool_end end);
/* Its wall time begins. -ENOMEM. */
int call_clock_start(struct pool_call *call);

/* ASK, NOTE, WAIT of a cell, in the midst of its call. */
bool ask_may_come(const struct pool_call *call, const struct wire_frame *frame);
void ask_note(struct pool_call *call, const uint8_t *raw_bytes, size_t len);
void pool_ask_take(struct cell *cell, uint32_t claimed_ask,
    const uint8_t *raw_bytes, size_t len);
void pool_ask_wait(struct pool_call *call, uint32_t claimed_answers);

/* Its cell has the call now; the cell is no more. */
void mark_begin(struct cell *cell, const struct pool_call *call);
void mark_end(const struct cell *cell);

/* The slot of a deployment that is there, else NULL. */
struct slot *pool_slot_find(const struct pool *pool, uint32_t index);
/* A template that is on its way out goes once its calls are over; true: it is
 * gone now. Not from an event of a cell: its cells are freed. */
bool slot_renew(struct slot *slot);

/* LINKED, BOXED or LINK_FAILED: takes the descriptors. False: it is none. */
bool links_hear(struct pool *pool, const struct wire_message *message,
    const int fds[WIRE_FDS_MAX]);
/* Nobody will be linked any more. tell: the callbacks hear of it. */
void links_end(struct pool *pool, bool tell);

/* Gives waiting calls the cells there are, and orders what is missing. */
void slot_serve(struct slot *slot);
/* Ends the template; its calls end with internal, or wait for the next one. */
void slot_lost(struct slot *slot, const char *why);
void slot_evict(struct slot *slot);
void slot_opened(struct slot *slot, int control_fd);
void slot_open_failed(struct slot *slot, const char *why);
void slot_weighed(struct slot *slot, uint64_t bytes);
/* While there are too many, idle ones go, but `kept` (may be NULL). */
void templates_trim(struct pool *pool, const struct slot *kept);
void slot_kill_cell(struct slot *slot, struct cell *cell);
/* Whether its template still does not read its orders. */
bool slot_stays_deaf(struct slot *slot);
void slot_fini(struct slot *slot);
/* Ends the template and all its cells; the calls in them with internal. */
void slot_close(struct slot *slot);
/* Tells everybody who asked for the surface. */
void slot_surface_tell(struct slot *slot);
bool slot_failure_stands(const struct slot *slot);

/* A cell arrived; takes fd. */
void cell_add(struct slot *slot, uint32_t id, int fd);
struct cell *cell_find(struct slot *slot, uint32_t id);
/* Sends the call, or ends it. */
void cell_call(struct cell *cell, struct pool_call *call,
    const struct wire_frame *head, const char *json, const uint8_t *body,
    size_t body_len);
void cell_resend(struct cell *cell, struct pool_call *call);
/* More for the cell, in the midst of its call; behind what is unsent. */
void
cell_send_answer(struct cell *cell, uint32_t ask, const char *json, size_t len);
/* It broke the protocol: nothing it says counts any more. */
void cell_broke(struct cell *cell, const char *sentence);
/* The kernel's word on how it ended. */
void cell_exited(struct cell *cell, int status, const struct wire_usage *usage);
/* Lets go of the stream; the record stays until EXIT. */
void cell_let_go(struct cell *cell);
void cell_free(struct cell *cell);
