/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/pool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "json/json.h"
#include "pool/slot.h"

static const struct {
	const char *name;
	const char *sentence; /* where the cell itself could say nothing */
} ends[] = {
	[POOL_OK] = { "ok", "" },
	[POOL_EXCEPTION] = { "exception", "the tool threw" },
	[POOL_TIMEOUT_CPU] = { "timeout",
	    "the CPU time of this call is used up" },
	[POOL_TIMEOUT_WALL] = { "timeout", "the time of this call is used up" },
	[POOL_MEMORY] = { "memory", "the memory of this call is used up" },
	[POOL_STACK] = { "stack", "the stack of this call is used up" },
	[POOL_RESULT_TOO_LARGE] = { "result_too_large",
	    "the result is larger than its limit" },
	[POOL_INVALID_RESULT] = { "invalid_result", "the result is not JSON" },
	[POOL_LOAD_ERROR] = { "load_error", "the bundle does not load" },
	[POOL_INTERNAL] = { "internal",
	    "the process of this call was lost; the call may or may not have "
	    "run" },
	[POOL_OVERLOADED] = { "overloaded",
	    "too many calls of this server are waiting" },
	[POOL_CANCELLED] = { "cancelled", "the call was cancelled" },
};

const char *
pool_end_name(enum pool_end end)
{
	return (size_t)end < ARRAY_LEN(ends) ? ends[end].name : "internal";
}

uint64_t
pool_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void
pool_notice(
    struct pool *pool, uint32_t deployment, int level, const char *format, ...)
{
	char text[512];
	va_list args;

	if (pool->options.notice == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pool->options.notice(pool->options.notice_arg, deployment, level, text);
}

/* ---- the end of a call -------------------------------------------------- */

static void
call_free(struct pool_call *call)
{
	if (call->wall != NULL)
		event_free(call->wall);
	free(call->unsent);
	free(call->text);
	free(call);
}

/* {"message": string, …}, or it is replaced by what we know ourselves. */
static bool
error_is_good(const char *raw_text, size_t len)
{
	struct json_want want = { .name = "message" };
	struct json_span value;

	return raw_text != NULL &&
	    json_check(raw_text, len, &value, NULL) == 0 &&
	    json_members_find(value, &want, 1) == 0 &&
	    json_kind_of(want.value) == JSON_KIND_STRING;
}

static const char *
error_compose(enum pool_end end, char json[POOL_ERROR_MAX])
{
	snprintf(
	    json, POOL_ERROR_MAX, "{\"message\":\"%s\"}", ends[end].sentence);
	return json;
}

const char *
call_error_admit(
    enum pool_end end, const char *raw_text, char json[POOL_ERROR_MAX])
{
	return error_is_good(raw_text, strlen(raw_text))
	    ? raw_text
	    : error_compose(end, json);
}

static void
call_deliver(struct pool_call *call, const struct pool_outcome *outcome)
{
	struct pool *pool = call->slot->pool;

	pool->pending--;
	if (outcome->end != POOL_OK)
		pool->stats.calls_failed++;
	call->ops->done(call->arg, outcome);
	call_free(call);
}

void
call_finish(struct pool_call *call, enum pool_end end, const char *raw_text,
    size_t len, const struct pool_usage *usage)
{
	struct pool_outcome outcome = {
		.end = end, .text = raw_text, .text_len = len, .usage = *usage
	};
	char json[POOL_ERROR_MAX];

	call->over = true; /* who cancels it in done() does nothing */
	if (call->cancelled)
		outcome.end = POOL_CANCELLED;
	/* What was killed could not say how long it took: we know. A refused
	 * load says how long that took. */
	if (outcome.usage.wall_us == 0)
		outcome.usage.wall_us =
		    (pool_now_ms() - call->started_ms) * 1000u;
	if (outcome.end != POOL_OK && !error_is_good(raw_text, len)) {
		outcome.text = error_compose(outcome.end, json);
		outcome.text_len = strlen(json);
	}
	if (outcome.end == POOL_OK && call->kind == POOL_REQUEST)
		outcome.text = NULL;
	call_deliver(call, &outcome);
}

void
call_end(struct pool_call *call, enum pool_end end, const char *text,
    size_t len, const struct pool_usage *usage)
{
	struct pool *pool = call->slot->pool;

	if (call->over)
		return;
	if (call->queued) {
		TAILQ_REMOVE(&call->slot->queue, call, link);
		call->slot->n_queue--;
		call->queued = false;
	}
	call->over = true;
	call->cell = NULL;
	call->outcome.end = end;
	if (usage != NULL)
		call->outcome.usage = *usage;
	if (text != NULL && (call->text = malloc(len + 1)) != NULL) {
		memcpy(call->text, text, len);
		call->text[len] = '\0';
		call->outcome.text_len = len;
	}
	TAILQ_INSERT_TAIL(&pool->ended, call, link);
	event_active(pool->deferred, EV_TIMEOUT, 0);
}

void
call_end_sentence(
    struct pool_call *call, enum pool_end end, const char *sentence)
{
	char json[512];
	const int len =
	    snprintf(json, sizeof(json), "{\"message\":\"%s\"}", sentence);

	call_end(call, end, json, (size_t)len, NULL);
}

static void
on_deferred(evutil_socket_t fd, short what, void *arg)
{
	struct pool *pool = arg;
	struct pool_call *call;

	(void)fd;
	(void)what;
	while ((call = TAILQ_FIRST(&pool->ended)) != NULL) {
		TAILQ_REMOVE(&pool->ended, call, link);
		call_finish(call, call->outcome.end, call->text,
		    call->outcome.text_len, &call->outcome.usage);
	}
}

/* Its cell is ended from outside; the caller need not wait for that. */
void
call_abandon(struct pool_call *call, enum pool_end end)
{
	struct cell *cell = call->cell;

	if (cell != NULL) {
		cell->call = NULL;
		slot_kill_cell(call->slot, cell);
		cell_let_go(cell);
	}
	call_end(call, end, NULL, 0, NULL);
}

void
pool_call_cancel(struct pool_call *call)
{
	call->cancelled = true;
	call_abandon(call, POOL_CANCELLED);
}

void
pool_call_pause(struct pool_call *call, bool paused)
{
	struct cell *cell = call->cell;

	call->paused = paused;
	if (cell == NULL || cell->readable == NULL)
		return;
	if (paused)
		event_del(cell->readable);
	else
		event_add(cell->readable, NULL);
}

/* ---- the start of a call ------------------------------------------------ */

static int
call_queue(struct pool_call *call, const struct wire_frame *head,
    const char *json, const uint8_t *body, size_t body_len)
{
	const struct wire_frame body_frame = { .type = WIRE_FRAME_BODY,
		.len = (uint32_t)body_len };
	const bool with_body = call->kind == POOL_REQUEST;
	const size_t len = sizeof(*head) + head->len +
	    (with_body ? sizeof(body_frame) + body_len : 0);

	uint8_t *at = call->unsent = malloc(len);
	if (call->unsent == NULL)
		return -ENOMEM;
	call->unsent_len = call->unsent_capacity = len;
	memcpy(at, head, sizeof(*head));
	memcpy(at + sizeof(*head), json, head->len);
	at += sizeof(*head) + head->len;
	if (with_body) {
		memcpy(at, &body_frame, sizeof(body_frame));
		if (body_len > 0)
			memcpy(at + sizeof(body_frame), body, body_len);
	}
	TAILQ_INSERT_TAIL(&call->slot->queue, call, link);
	call->slot->n_queue++;
	call->queued = true;
	return 0;
}

/* More demand than cells: keep more of them waiting. */
static void
demand_note(struct slot *slot)
{
	const uint32_t max = slot->deployment.pool_max;

	slot->target = slot->target * 2 < max ? slot->target * 2 : max;
}

static int
call_place(struct pool_call *call, const struct wire_frame *head,
    const char *json, const uint8_t *body, size_t body_len)
{
	struct slot *slot = call->slot;
	struct cell *cell = NULL;

	if (slot->state == SLOT_READY) {
		TAILQ_REMOVE(&slot->pool->lru, slot, lru);
		TAILQ_INSERT_TAIL(&slot->pool->lru, slot, lru);
	}
	if (slot->n_waiting > 0 && slot->n_queue == 0 && !slot->is_stale)
		TAILQ_FOREACH (cell, &slot->cells, link)
			if (cell->waiting)
				break;
	if (cell != NULL) {
		cell_call(cell, call, head, json, body, body_len);
		slot_serve(slot);
		return 0;
	}
	if (slot->state == SLOT_READY)
		demand_note(slot);
	const int code = call_queue(call, head, json, body, body_len);
	if (code != 0)
		return code;
	if (slot_failure_stands(slot) && slot->state == SLOT_NONE)
		call_end(call, slot->failure, slot->failure_text,
		    strlen(slot->failure_text), &slot->failure_usage);
	else if (slot->n_queue > QUEUE_MAX)
		call_end(call, POOL_OVERLOADED, NULL, 0, NULL);
	else
		slot_serve(slot);
	return 0;
}

int
pool_call_start(struct pool *pool, uint32_t deployment, enum pool_kind kind,
    const char *json, size_t json_len, const uint8_t *body, size_t body_len,
    const struct pool_call_ops *ops, void *arg, struct pool_call **callp)
{
	const struct wire_frame head = { .type = kind == POOL_TOOL
		    ? WIRE_FRAME_CALL_TOOL
		    : WIRE_FRAME_CALL_REQUEST,
		.len = (uint32_t)json_len };
	struct slot *slot = pool_slot_find(pool, deployment);
	if (slot == NULL || json_len > WIRE_FRAME_MAX ||
	    body_len > WIRE_FRAME_MAX)
		return -EINVAL;

	struct pool_call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return -ENOMEM;
	*call = (struct pool_call){ .slot = slot,
		.kind = kind,
		.ops = ops,
		.arg = arg,
		.started_ms = pool_now_ms() };
	if (call_clock_start(call) != 0) {
		call_free(call);
		return -ENOMEM;
	}
	*callp = call;
	pool->pending++;
	pool->stats.calls_started++;
	const int code = call_place(call, &head, json, body, body_len);
	if (code != 0) {
		pool->pending--;
		call_free(call);
	}
	return code;
}

int
pool_surface_get(
    struct pool *pool, uint32_t deployment, pool_surface_fn *fn, void *arg)
{
	struct slot *slot = pool_slot_find(pool, deployment);
	if (slot == NULL)
		return -EINVAL;
	struct surface_waiter *waiter = calloc(1, sizeof(*waiter));
	if (waiter == NULL)
		return -ENOMEM;

	waiter->fn = fn;
	waiter->arg = arg;
	STAILQ_INSERT_TAIL(&slot->waiters, waiter, link);
	if (slot->surface != NULL ||
	    (slot->state == SLOT_NONE && slot_failure_stands(slot)))
		slot_surface_tell(slot);
	else if (slot->state == SLOT_NONE)
		slot_serve(slot);
	return 0;
}

/* ---- the supervisor ----------------------------------------------------- */

static void
supervisor_lost(struct pool *pool)
{
	event_del(pool->supervisor);
	pool_notice(pool, POOL_ALL, 3, "the supervisor is gone");
	for (uint32_t i = 0; i < pool->n_slots; i++) {
		struct slot *slot = pool->slots[i];
		if (slot != NULL &&
		    (slot->state == SLOT_OPENING || slot->state == SLOT_QUEUED))
			slot_open_failed(slot, "the supervisor is gone");
	}
	links_end(pool, true);
}

/* What a slot is told. */
static void
supervisor_obey(
    struct pool *pool, const struct wire_message *message, int control_fd)
{
	auto_close int fd = control_fd;
	struct slot *slot = pool_slot_find(pool, message->id);

	if (slot == NULL)
		return;
	if (message->type == WIRE_OPENED)
		slot_opened(slot, fd_steal(&fd));
	else if (message->type == WIRE_OPEN_FAILED)
		slot_open_failed(slot, pool->text);
	else if (message->type == WIRE_WEIGHT)
		slot_weighed(slot, message->usage.peak_kib * 1024u);
}

static void
on_supervisor(evutil_socket_t fd, short what, void *arg)
{
	struct pool *pool = arg;
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	(void)what;
	const int code =
	    wire_receive(fd, MSG_DONTWAIT, &message, fds, pool->text);
	if (code == -EAGAIN)
		return;
	if (code != 0) {
		supervisor_lost(pool);
		return;
	}
	if (links_hear(pool, &message, fds))
		return;
	auto_close int said_fd = fds[0];
	auto_close int other_fd = fds[1];
	(void)other_fd; /* nothing else that we are told has two */
	switch (message.type) {
	case WIRE_STORE:
	case WIRE_SETTINGS:
	case WIRE_TLS:
	case WIRE_EGRESS_EVENTS:
		if (pool->message != NULL)
			pool->message(pool->message_arg, message.type,
			    fd_steal(&said_fd));
		break;
	default:
		supervisor_obey(pool, &message, fd_steal(&said_fd));
	}
}

/* ---- once a second ------------------------------------------------------ */

/* A cell that should be gone is not: its template disobeys. */
static bool
slot_lingers(struct slot *slot, uint64_t now)
{
	struct cell *cell, *next;

	for (cell = TAILQ_FIRST(&slot->cells); cell != NULL; cell = next) {
		next = TAILQ_NEXT(cell, link);
		if (cell->linger_until_ms == 0 || now < cell->linger_until_ms)
			continue;
		if (cell->killed)
			return true;
		slot_kill_cell(slot, cell);
	}
	return false;
}

/* Fewer calls at once than cells that wait: let the surplus go. */
static void
slot_decay(struct slot *slot)
{
	struct cell *cell, *next;
	const uint32_t want = slot->peak > 0 ? slot->peak : 1;

	if (slot->target > want)
		slot->target = (slot->target + want) / 2;
	slot->peak = slot->n_busy;
	for (cell = TAILQ_FIRST(&slot->cells);
	     cell != NULL && slot->n_waiting > slot->target; cell = next) {
		next = TAILQ_NEXT(cell, link);
		if (cell->waiting)
			cell_let_go(cell);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct pool *pool = arg;
	struct slot *slot, *next;
	const uint64_t now = pool_now_ms();

	(void)fd;
	(void)what;
	for (slot = TAILQ_FIRST(&pool->lru); slot != NULL; slot = next) {
		next = TAILQ_NEXT(slot, lru);
		if (slot_stays_deaf(slot)) {
			slot_lost(slot, "the template reads no orders");
			continue;
		}
		if (slot_lingers(slot, now)) {
			slot_lost(slot, "the template does not end its cells");
			continue;
		}
		if (slot->is_stale && slot_renew(slot))
			continue;
		slot_decay(slot);
		slot_serve(slot);
	}
}

/* ---- making and ending a pool ------------------------------------------- */

static int
events_new(struct pool *pool)
{
	const struct timeval second = { .tv_sec = 1 };

	pool->supervisor = event_new(pool->base, pool->supervisor_fd,
	    EV_READ | EV_PERSIST, on_supervisor, pool);
	pool->deferred = event_new(pool->base, -1, 0, on_deferred, pool);
	pool->tick = event_new(pool->base, -1, EV_PERSIST, on_tick, pool);
	if (pool->supervisor == NULL || pool->deferred == NULL ||
	    pool->tick == NULL || event_add(pool->supervisor, NULL) < 0 ||
	    event_add(pool->tick, &second) < 0)
		return -ENOMEM;
	return 0;
}

int
pool_new(struct pool **poolp, struct event_base *base, int supervisor_fd,
    const struct pool_options *options)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (pool == NULL) {
		close(supervisor_fd);
		return -ENOMEM;
	}
	pool->base = base;
	pool->options = *options;
	pool->supervisor_fd = supervisor_fd;
	TAILQ_INIT(&pool->lru);
	TAILQ_INIT(&pool->turns);
	TAILQ_INIT(&pool->ended);
	TAILQ_INIT(&pool->links);
	int code = events_new(pool);
	for (uint32_t i = 0; i < options->n_deployments && code == 0; i++)
		code = pool_deployment_set(
		    pool, i, &options->deployments[i], false);
	if (code != 0) {
		pool_free(pool);
		return code;
	}
	*poolp = pool;
	return 0;
}

static void
calls_drop(struct call_list *list)
{
	struct pool_call *call;

	while ((call = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, call, link);
		call_free(call);
	}
}

struct pool *
pool_free(struct pool *pool)
{
	if (pool == NULL)
		return NULL;
	/* Nobody's turn comes any more. */
	struct slot *queued;
	while ((queued = TAILQ_FIRST(&pool->turns)) != NULL) {
		TAILQ_REMOVE(&pool->turns, queued, turn);
		queued->state = SLOT_NONE;
	}
	for (uint32_t i = 0; i < pool->n_slots; i++) {
		struct slot *slot = pool->slots[i];
		struct cell *cell;
		if (slot == NULL)
			continue;
		TAILQ_FOREACH (cell, &slot->cells, link)
			if (cell->call != NULL)
				call_free(cell->call);
		calls_drop(&slot->queue);
		slot_fini(slot);
		free(slot);
	}
	calls_drop(&pool->ended);
	links_end(pool, false);
	struct event *events[] = { pool->supervisor, pool->deferred,
		pool->tick };
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	close(pool->supervisor_fd);
	free(pool);
	return NULL;
}

void
pool_stats_get(const struct pool *pool, struct pool_stats *stats)
{
	*stats = pool->stats;
	stats->cells_waiting = stats->cells_busy = 0;
	for (uint32_t i = 0; i < pool->n_slots; i++) {
		if (pool->slots[i] == NULL)
			continue;
		stats->cells_waiting += pool->slots[i]->n_waiting;
		stats->cells_busy += pool->slots[i]->n_busy;
	}
}

void
pool_deployment_stats_get(const struct pool *pool, uint32_t deployment,
    struct pool_deployment_stats *stats)
{
	const struct slot *slot = pool_slot_find(pool, deployment);

	*stats = (struct pool_deployment_stats){ 0 };
	if (slot == NULL)
		return;
	stats->templates = slot->state == SLOT_READY;
	stats->cells_waiting = slot->n_waiting;
	stats->cells_busy = slot->n_busy;
}

void
pool_bounds_set(struct pool *pool, uint32_t cells_max, uint64_t memory_budget)
{
	pool->options.cells_max = cells_max;
	pool->options.memory_budget = memory_budget;
	templates_trim(pool, NULL);
	for (uint32_t i = 0; i < pool->n_slots; i++)
		if (pool->slots[i] != NULL && pool->slots[i]->n_queue > 0)
			slot_serve(pool->slots[i]);
}

uint32_t
pool_calls_pending(const struct pool *pool)
{
	return pool->pending;
}
