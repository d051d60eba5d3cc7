/* SPDX-License-Identifier: Apache-2.0
 *
 * A slot's template: asked of the supervisor, loading, ready, refused, lost or
 * evicted; and how many cells it keeps waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "pool/slot.h"

#define OPEN_MS 30000 /* the supervisor may have to start a zygote */
#define LOAD_GRACE_MS 5000 /* past the template's own clocks */
#define RETRY_MS 5000 /* a refused bundle is tried again after this */

static const struct wire_limits *
limits_of(const struct slot *slot)
{
	return &slot->deployment.limits;
}

static int
supervisor_tell(struct slot *slot, uint32_t type)
{
	const struct wire_message message = { .type = type,
		.id = slot->index,
		.status = type == WIRE_OPEN && slot->cold };

	return wire_send(slot->pool->supervisor_fd, &message, NULL, 0, NULL);
}

/* -EAGAIN: it does not read what it is told, and nobody waits until it does. */
static int
template_tell(struct slot *slot, uint32_t type, uint32_t id, uint32_t status)
{
	const struct wire_message message = {
		.type = type, .id = id, .status = (int32_t)status
	};

	const int code = wire_send(slot->control_fd, &message, NULL, 0, NULL);
	slot->is_deaf = code == -EAGAIN;
	return code;
}

bool
slot_stays_deaf(struct slot *slot)
{
	/* An order of nothing: is there room for it by now? */
	return slot->is_deaf && template_tell(slot, WIRE_FORK, 0, 0) == -EAGAIN;
}

static void
deadline_set(struct slot *slot, uint64_t ms)
{
	const struct timeval after = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (slot->deadline == NULL)
		return; /* never opened */
	if (ms == 0)
		evtimer_del(slot->deadline);
	else
		evtimer_add(slot->deadline, &after);
}

static void
surface_waiters_tell(struct slot *slot, const struct pool_outcome *failure)
{
	while (!STAILQ_EMPTY(&slot->waiters)) {
		struct surface_waiter *waiter = STAILQ_FIRST(&slot->waiters);
		STAILQ_REMOVE_HEAD(&slot->waiters, link);
		if (failure != NULL)
			waiter->fn(waiter->arg, NULL, 0, failure);
		else
			waiter->fn(waiter->arg, slot->surface,
			    slot->surface_len, NULL);
		free(waiter);
	}
}

void
slot_surface_tell(struct slot *slot)
{
	if (slot->surface != NULL) {
		surface_waiters_tell(slot, NULL);
		return;
	}
	if (slot->failure == POOL_OK)
		return;
	const struct pool_outcome failure = { .end = slot->failure,
		.text = slot->failure_text,
		.text_len = strlen(slot->failure_text),
		.usage = slot->failure_usage };
	surface_waiters_tell(slot, &failure);
}

bool
slot_failure_stands(const struct slot *slot)
{
	return slot->failure != POOL_OK &&
	    pool_now_ms() - slot->failure_ms < RETRY_MS;
}

/* Nobody gets what he waits for. text is a JSON object. */
static void
slot_fail(struct slot *slot, enum pool_end end, const char *text,
    const struct pool_usage *usage)
{
	struct pool_call *call;

	slot->failure = end;
	free(slot->failure_text);
	slot->failure_text = strdup(text);
	if (slot->failure_text == NULL)
		slot->failure = POOL_OK; /* then it is simply tried again */
	slot->failure_usage = *usage;
	slot->failure_ms = pool_now_ms();
	while ((call = TAILQ_FIRST(&slot->queue)) != NULL)
		call_end(call, end, text, strlen(text), usage);
	slot_surface_tell(slot);
}

static void turns_give(struct pool *pool);

static void
slot_reset(struct slot *slot)
{
	struct pool *pool = slot->pool;

	if (slot->state == SLOT_OPENING || slot->state == SLOT_LOADING)
		pool->n_opening--;
	if (slot->state == SLOT_QUEUED)
		TAILQ_REMOVE(&pool->turns, slot, turn);

	if (slot->control != NULL)
		event_free(slot->control);
	slot->control = NULL;
	if (slot->control_fd >= 0)
		close(slot->control_fd);
	slot->control_fd = -1;
	deadline_set(slot, 0);
	if (slot->state == SLOT_READY) {
		TAILQ_REMOVE(&pool->lru, slot, lru);
		pool->stats.templates--;
		pool->stats.template_bytes -= slot->bytes;
	}
	pool->n_live -= slot->n_ordered;
	slot->n_ordered = 0;
	slot->bytes = 0;
	slot->target = 1;
	slot->is_stale = false;
	slot->state = SLOT_NONE;
	turns_give(pool);
}

/* The cells died with their template; what they said before still counts. */
static void
cells_end(struct slot *slot)
{
	const struct wire_usage none = { 0 };
	struct cell *cell;

	while ((cell = TAILQ_FIRST(&slot->cells)) != NULL)
		cell_exited(cell, 0, &none);
}

void
slot_close(struct slot *slot)
{
	supervisor_tell(slot, WIRE_CLOSE);
	cells_end(slot);
	slot_reset(slot);
}

void
slot_lost(struct slot *slot, const char *why)
{
	static const char json[] =
	    "{\"message\":\"the template process was lost while it was "
	    "loading\"}";
	const struct pool_usage none = { 0 };
	const bool was_loading = slot->state == SLOT_LOADING;

	pool_notice(
	    slot->pool, slot->index, 2, "%s: %s", slot->deployment.name, why);
	slot_close(slot);
	if (was_loading && !slot->is_reopened)
		slot_fail(slot, POOL_LOAD_ERROR, json, &none);
	else
		slot_serve(slot);
	slot->is_reopened = false;
}

void
slot_evict(struct slot *slot)
{
	pool_notice(slot->pool, slot->index, 0, "%s: template evicted",
	    slot->deployment.name);
	slot_close(slot);
	slot->pool->stats.templates_evicted++;
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	static const char json[] =
	    "{\"message\":\"the bundle did not load in its time and was "
	    "ended from outside\"}";
	const struct pool_usage none = { 0 };
	struct slot *slot = arg;

	(void)fd;
	(void)what;
	supervisor_tell(slot, WIRE_CLOSE);
	slot_reset(slot);
	slot_fail(slot, POOL_LOAD_ERROR, json, &none);
}

static int
slot_open(struct slot *slot)
{
	if (slot->deadline == NULL)
		slot->deadline =
		    evtimer_new(slot->pool->base, on_deadline, slot);
	if (slot->deadline == NULL)
		return -ENOMEM;
	slot->failure = POOL_OK;
	slot->state = SLOT_OPENING;
	slot->pool->n_opening++;
	deadline_set(slot, OPEN_MS);
	return supervisor_tell(slot, WIRE_OPEN) != 0 ? -EIO : 0;
}

/* Opens whose turn it is, while there is room. */
static void
turns_give(struct pool *pool)
{
	struct slot *slot;

	while (pool->n_opening < OPENING_MAX &&
	    (slot = TAILQ_FIRST(&pool->turns)) != NULL) {
		TAILQ_REMOVE(&pool->turns, slot, turn);
		slot->state = SLOT_NONE;
		if (slot_open(slot) != 0)
			slot_open_failed(slot, "the supervisor is gone");
	}
}

void
slot_open_failed(struct slot *slot, const char *why)
{
	const struct pool_usage none = { 0 };

	if (slot->state == SLOT_LOADING || slot->state == SLOT_READY)
		return;
	pool_notice(slot->pool, slot->index, 3, "%s: %s", slot->deployment.name,
	    why[0] != '\0' ? why : "no template to be had");
	slot_reset(slot);
	slot_fail(slot, POOL_INTERNAL,
	    "{\"message\":\"the isolate engine could not be started; the "
	    "host's log says why\"}",
	    &none);
}

/* ---- what a template says --------------------------------------------- */

static void
say_ready(struct slot *slot, const struct wire_message *message, int *fd)
{
	struct pool *pool = slot->pool;
	struct stat stat;

	(void)message;
	if (slot->state != SLOT_LOADING || fstat(*fd, &stat) < 0 ||
	    stat.st_size <= 0 || stat.st_size > POOL_SURFACE_MAX) {
		slot_lost(slot, "the template broke the protocol");
		return;
	}
	/* A copy: what is checked must not change afterwards. */
	const size_t len = (size_t)stat.st_size;
	char *surface = malloc(len + 1);
	if (surface == NULL || pread(*fd, surface, len, 0) != (ssize_t)len) {
		free(surface);
		slot_lost(slot, "the surface could not be read");
		return;
	}
	surface[len] = '\0';
	free(slot->surface);
	slot->surface = surface;
	slot->surface_len = len;
	slot->state = SLOT_READY;
	slot->is_reopened = false;
	pool->n_opening--;
	turns_give(pool);
	deadline_set(slot, 0);
	TAILQ_INSERT_TAIL(&pool->lru, slot, lru);
	pool->stats.templates++;
	pool->stats.templates_made++;
	supervisor_tell(slot, WIRE_WEIGH);
	slot_surface_tell(slot);
	slot_serve(slot);
}

static void
say_refused(struct slot *slot, const struct wire_message *message, int *fd)
{
	const struct pool_usage usage = { message->usage.cpu_us,
		message->usage.wall_us, message->usage.peak_kib };
	char json[POOL_ERROR_MAX];

	(void)fd;
	if (slot->state != SLOT_LOADING) {
		slot_lost(slot, "the template broke the protocol");
		return;
	}
	if (message->status == WIRE_CODE_WARM_SPOILT && !slot->cold) {
		slot->cold = true;
		slot_reset(slot);
		slot_serve(slot);
		return;
	}
	pool_notice(slot->pool, slot->index, 2, "%s: the bundle does not load",
	    slot->deployment.name);
	supervisor_tell(slot, WIRE_CLOSE);
	slot_reset(slot);
	slot_fail(slot, POOL_LOAD_ERROR,
	    call_error_admit(POOL_LOAD_ERROR, slot->pool->text, json), &usage);
}

static void
say_cell(struct slot *slot, const struct wire_message *message, int *fd)
{
	/* Each costs a descriptor: none comes that was not ordered. */
	if (slot->state != SLOT_READY || slot->n_ordered == 0) {
		slot_lost(slot, "the template broke the protocol");
		return;
	}
	cell_add(slot, message->id, fd_steal(fd));
	if (slot->is_stale)
		slot_renew(slot);
	else
		slot_serve(slot);
}

static void
say_exit(struct slot *slot, const struct wire_message *message, int *fd)
{
	struct cell *cell = cell_find(slot, message->id);

	(void)fd;
	if (message->id == 0) {
		if (slot->n_ordered > 0) {
			slot->n_ordered--;
			slot->pool->n_live--;
		}
		pool_notice(slot->pool, slot->index, 2,
		    "%s: no process for a cell: %s", slot->deployment.name,
		    strerror(message->status));
		return; /* the next call orders again */
	}
	if (cell != NULL)
		cell_exited(cell, message->status, &message->usage);
	if (slot->is_stale)
		slot_renew(slot);
	else
		slot_serve(slot);
}

static const struct {
	uint32_t type;
	void (*say)(struct slot *, const struct wire_message *, int *fd);
} sayings[] = {
	{ WIRE_CELL, say_cell },
	{ WIRE_EXIT, say_exit },
	{ WIRE_READY, say_ready },
	{ WIRE_REFUSED, say_refused },
};

/* True: there may be more to hear. */
static bool
template_hear(struct slot *slot)
{
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	const int code = wire_receive(
	    slot->control_fd, MSG_DONTWAIT, &message, fds, slot->pool->text);
	if (code == -EAGAIN)
		return false;
	if (code != 0) {
		slot_lost(slot, "the template process ended");
		return false;
	}
	auto_close int fd = fds[0];
	auto_close int other_fd = fds[1];
	(void)other_fd; /* no saying has two: only to be closed */
	for (size_t i = 0; i < ARRAY_LEN(sayings); i++)
		if (sayings[i].type == message.type) {
			sayings[i].say(slot, &message, &fd);
			return slot->control_fd >= 0;
		}
	slot_lost(slot, "the template broke the protocol");
	return false;
}

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	struct slot *slot = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < 16 && template_hear(slot); i++)
		;
}

void
slot_opened(struct slot *slot, int raw_control_fd)
{
	auto_close int control_fd = raw_control_fd;

	if (slot->state != SLOT_OPENING)
		return; /* given up in the meantime */
	/* Its code may be a stranger's by now: it holds up nobody. */
	if (evutil_make_socket_nonblocking(control_fd) < 0) {
		slot_open_failed(slot, "its channel is no socket");
		return;
	}
	slot->control = event_new(slot->pool->base, control_fd,
	    EV_READ | EV_PERSIST, on_control, slot);
	if (slot->control == NULL || event_add(slot->control, NULL) < 0) {
		slot_open_failed(slot, "out of memory");
		return;
	}
	slot->control_fd = fd_steal(&control_fd);
	slot->is_deaf = false;
	slot->state = SLOT_LOADING;
	deadline_set(
	    slot, limits_of(slot)->load_wall_ns / 1000000u + LOAD_GRACE_MS);
}

/* ---- cells ------------------------------------------------------------- */

void
slot_kill_cell(struct slot *slot, struct cell *cell)
{
	if (cell->killed)
		return;
	cell->killed = true;
	cell->linger_until_ms = pool_now_ms() + LINGER_MS;
	if (slot->control_fd >= 0)
		template_tell(slot, WIRE_KILL, cell->id, 0);
}

/* Another slot's idle cell makes room when the host is full. */
static bool
room_make(struct pool *pool, const struct slot *wanting)
{
	struct slot *slot;
	struct cell *cell;

	TAILQ_FOREACH (slot, &pool->lru, lru) {
		if (slot == wanting || slot->n_waiting == 0)
			continue;
		TAILQ_FOREACH (cell, &slot->cells, link)
			if (cell->waiting) {
				cell_let_go(
				    cell); /* it ends at the end of its stream */
				return true;
			}
	}
	return false;
}

static void
cells_order(struct slot *slot)
{
	struct pool *pool = slot->pool;
	const uint32_t have = slot->n_waiting + slot->n_ordered;
	const uint32_t need =
	    slot->n_queue > slot->target ? slot->n_queue : slot->target;
	uint32_t n = 0;

	/* In batches: one order, one wake-up, for half of the target. */
	if (slot->state != SLOT_READY || have >= need ||
	    (slot->n_queue <= slot->n_ordered && have > slot->target / 2))
		return;
	while (n < need - have && n < 16) {
		if (pool->n_live + n >= pool->options.cells_max &&
		    (slot->n_queue <= slot->n_ordered + n ||
			!room_make(pool, slot)))
			break;
		n++;
	}
	if (n == 0)
		return;
	const uint32_t awaited = slot->n_queue > slot->n_ordered
	    ? slot->n_queue - slot->n_ordered
	    : 0;
	if (template_tell(slot, WIRE_FORK, n, awaited < n ? awaited : n) ==
	    -EAGAIN)
		return; /* ordered anew when a cell comes, or by the tick */
	slot->n_ordered += n;
	pool->n_live += n;
}

static struct cell *
cell_waiting(struct slot *slot)
{
	struct cell *cell;

	TAILQ_FOREACH (cell, &slot->cells, link)
		if (cell->waiting)
			return cell;
	return NULL;
}

void
slot_serve(struct slot *slot)
{
	struct pool_call *call;

	if (!slot->is_there || slot->is_stale)
		return;
	if (slot->state == SLOT_NONE &&
	    (slot->n_queue > 0 || !STAILQ_EMPTY(&slot->waiters))) {
		slot->state = SLOT_QUEUED;
		TAILQ_INSERT_TAIL(&slot->pool->turns, slot, turn);
		turns_give(slot->pool);
		return;
	}
	while (
	    slot->n_waiting > 0 && (call = TAILQ_FIRST(&slot->queue)) != NULL) {
		TAILQ_REMOVE(&slot->queue, call, link);
		slot->n_queue--;
		call->queued = false;
		cell_resend(cell_waiting(slot), call);
	}
	cells_order(slot);
}

/* ---- memory ------------------------------------------------------------ */

void
templates_trim(struct pool *pool, const struct slot *kept)
{
	struct slot *old, *next;

	if (pool->options.memory_budget == 0)
		return;
	for (old = TAILQ_FIRST(&pool->lru); old != NULL &&
	     pool->stats.template_bytes > pool->options.memory_budget;
	     old = next) {
		next = TAILQ_NEXT(old, lru);
		if (old != kept && old->n_busy == 0 && old->n_queue == 0 &&
		    !old->is_stale)
			slot_evict(old);
	}
}

void
slot_weighed(struct slot *slot, uint64_t bytes)
{
	struct pool *pool = slot->pool;

	if (slot->state != SLOT_READY)
		return;
	pool->stats.template_bytes += bytes - slot->bytes;
	slot->bytes = bytes;
	templates_trim(pool, slot);
}

void
slot_fini(struct slot *slot)
{
	struct cell *cell;

	while ((cell = TAILQ_FIRST(&slot->cells)) != NULL)
		cell_free(cell);
	while (!STAILQ_EMPTY(&slot->waiters)) {
		struct surface_waiter *waiter = STAILQ_FIRST(&slot->waiters);
		STAILQ_REMOVE_HEAD(&slot->waiters, link);
		free(waiter);
	}
	if (slot->deadline != NULL) {
		slot_reset(slot);
		event_free(slot->deadline);
	}
	free(slot->surface);
	free(slot->failure_text);
}
