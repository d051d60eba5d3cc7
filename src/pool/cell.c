/* SPDX-License-Identifier: Apache-2.0
 *
 * A cell's stream. What comes out of it was written by a stranger's code:
 * every frame is checked for type, order and size before anything is done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/slot.h"

#define HEAD_MAX (1u << 20)
#define READS_MAX 32 /* in one turn; a socket holds 4 */
#define BEHIND_MAX 128u /* cells of a slot that work behind their answers */
#define UNSENT_MAX (8u << 20) /* of answers, before one more is too much */
#define LOG_CUT_BYTES 128u /* room for the line that says it was cut */

static struct pool_usage
usage_of(const struct wire_usage *claimed_usage)
{
	return (struct pool_usage){ claimed_usage->cpu_us,
		claimed_usage->wall_us, claimed_usage->peak_kib };
}

struct cell *
cell_find(struct slot *slot, uint32_t id)
{
	struct cell *cell;

	TAILQ_FOREACH (cell, &slot->cells, link)
		if (cell->id == id)
			return cell;
	return NULL;
}

static void
event_drop(struct event **event)
{
	if (*event != NULL)
		event_free(*event);
	*event = NULL;
}

void
cell_let_go(struct cell *cell)
{
	struct slot *slot = cell->slot;

	event_drop(&cell->readable);
	event_drop(&cell->writable);
	if (cell->fd < 0)
		return;
	close(cell->fd);
	cell->fd = -1;
	if (cell->waiting)
		slot->n_waiting--;
	else
		slot->n_busy--;
	cell->waiting = false;
	slot->pool->n_live--;
	free(cell->in);
	cell->in = NULL;
	cell->in_len = cell->in_capacity = 0;
}

void
cell_free(struct cell *cell)
{
	cell_let_go(cell);
	if (cell->behind)
		cell->slot->n_behind--;
	TAILQ_REMOVE(&cell->slot->cells, cell, link);
	mark_end(cell);
	free(cell);
}

/* It broke the protocol, or died: nothing it says counts any more. */
static void
cell_condemn(struct cell *cell)
{
	if (!cell->killed && !cell->hung_up)
		slot_kill_cell(cell->slot, cell);
	cell_let_go(cell);
}

void
cell_broke(struct cell *cell, const char *sentence)
{
	struct pool_call *call = cell->call;

	cell->call = NULL;
	cell_condemn(cell);
	if (call != NULL) {
		call->cell = NULL;
		call_end_sentence(call, POOL_INTERNAL, sentence);
	}
}

static void
frame_log(struct pool_call *call, const struct wire_frame *frame,
    const uint8_t *raw_bytes)
{
	const uint64_t cost = frame->len + WIRE_LOG_LINE_COST;

	/* The cell said the same, and where it was cut; unless it lies. */
	if (cost > call->log_bytes || call->ops->log == NULL)
		return;
	call->log_bytes -= cost;
	call->ops->log(call->arg,
	    frame->code >= 0 && frame->code <= 3 ? frame->code : 1,
	    (const char *)raw_bytes, frame->len);
}

/* A FAIL's code is the cell's claim: only what a cell can know of is taken. */
static enum pool_end
claimed_end(int claimed_code)
{
	return claimed_code > WIRE_CODE_OK &&
		claimed_code < WIRE_CODE_LOAD_ERROR
	    ? (enum pool_end)claimed_code
	    : POOL_INTERNAL;
}

static void on_readable(evutil_socket_t fd, short what, void *arg);

/* Also after a call that was paused when it ended. */
static int
cell_listen(struct cell *cell)
{
	if (cell->readable == NULL)
		cell->readable = event_new(cell->slot->pool->base, cell->fd,
		    EV_READ | EV_PERSIST, on_readable, cell);
	return cell->readable == NULL || event_add(cell->readable, NULL) < 0
	    ? -ENOMEM
	    : 0;
}

/* Callers wait for none of these, so no queue bounds them: the oldest goes. */
static void
cell_stay_behind(struct cell *cell)
{
	struct slot *slot = cell->slot;
	struct cell *oldest;

	cell->behind = true;
	if (++slot->n_behind <= BEHIND_MAX)
		return;
	TAILQ_FOREACH (oldest, &slot->cells, link) {
		if (!oldest->behind || oldest->killed)
			continue;
		slot_kill_cell(slot, oldest);
		return;
	}
}

/* The answer is complete: the call goes, the cell stays until its EXIT. */
static void
frame_end(
    struct cell *cell, const struct wire_frame *frame, const uint8_t *raw_bytes)
{
	const struct wire_limits *limits = &cell->limits;
	const struct pool_usage usage = usage_of(&frame->usage);
	const bool failed = frame->type == WIRE_FRAME_FAIL;
	struct pool_call *call = cell->call;

	cell->call = NULL;
	call->cell = NULL;
	cell->served++;
	call_finish(call, failed ? claimed_end(frame->code) : POOL_OK,
	    frame->len > 0 ? (const char *)raw_bytes : NULL, frame->len,
	    &usage);
	/* What answers a call that it did not read to its end reads the rest of
	 * it as the next one: such a cell is not used again. */
	if (!failed && cell->served < limits->reuse_calls &&
	    cell->writable == NULL && cell_listen(cell) == 0)
		return; /* IDLE comes when it may serve again */
	/* Work behind the answer (waitUntil) ends with the wall time. */
	cell->linger_until_ms = pool_now_ms() + limits->wall_ns / 1000000u;
	cell_let_go(cell);
	cell_stay_behind(cell);
}

/* Which frames a call of either kind may get, in which order. */
static bool
frame_may_come(const struct cell *cell, const struct wire_frame *frame)
{
	const struct pool_call *call = cell->call;

	if (call == NULL)
		return (frame->type == WIRE_FRAME_IDLE && !cell->waiting) ||
		    frame->type == WIRE_FRAME_LOG;
	switch (frame->type) {
	case WIRE_FRAME_LOG:
	case WIRE_FRAME_FAIL:
		return true;
	case WIRE_FRAME_RESULT:
		return call->kind == POOL_TOOL;
	case WIRE_FRAME_NOTE:
	case WIRE_FRAME_ASK:
	case WIRE_FRAME_WAIT:
		return ask_may_come(call, frame);
	case WIRE_FRAME_HEAD:
		return call->kind == POOL_REQUEST && !call->head_seen;
	case WIRE_FRAME_CHUNK:
	case WIRE_FRAME_END:
		return call->kind == POOL_REQUEST && call->head_seen;
	default:
		return false;
	}
}

/* How long a frame of this type may be, for this call. */
static uint64_t
frame_max(const struct cell *cell, const struct wire_frame *frame)
{
	const struct wire_limits *limits = &cell->limits;

	switch (frame->type) {
	case WIRE_FRAME_LOG:
		return limits->log_bytes + 1024;
	case WIRE_FRAME_FAIL:
		return WIRE_TEXT_MAX;
	case WIRE_FRAME_NOTE:
		return limits->log_bytes;
	case WIRE_FRAME_ASK:
	case WIRE_FRAME_RESULT:
		return limits->result_bytes;
	case WIRE_FRAME_HEAD:
		return HEAD_MAX < limits->result_bytes ? HEAD_MAX
						       : limits->result_bytes;
	case WIRE_FRAME_CHUNK:
		return cell->call != NULL ? cell->call->body_bytes : 0;
	default:
		return 0;
	}
}

static void
frame_take(
    struct cell *cell, const struct wire_frame *frame, const uint8_t *raw_bytes)
{
	struct pool_call *call = cell->call;

	switch (frame->type) {
	case WIRE_FRAME_LOG:
		if (call != NULL)
			frame_log(call, frame, raw_bytes);
		break;
	case WIRE_FRAME_NOTE:
		ask_note(call, raw_bytes, frame->len);
		break;
	case WIRE_FRAME_ASK:
		pool_ask_take(
		    cell, (uint32_t)frame->code, raw_bytes, frame->len);
		break;
	case WIRE_FRAME_WAIT:
		pool_ask_wait(call, (uint32_t)frame->code);
		break;
	case WIRE_FRAME_HEAD:
		call->head_seen = true;
		call->ops->head(call->arg, (const char *)raw_bytes, frame->len);
		break;
	case WIRE_FRAME_CHUNK:
		call->body_bytes -= frame->len;
		call->ops->chunk(call->arg, raw_bytes, frame->len);
		break;
	case WIRE_FRAME_IDLE:
		cell->waiting = true;
		cell->slot->n_busy--;
		cell->slot->n_waiting++;
		if (cell->slot->is_stale)
			cell_let_go(cell);
		else
			slot_serve(cell->slot);
		break;
	default:
		frame_end(cell, frame, raw_bytes);
	}
}

/*
 * Takes the complete frames off `bytes`; returns how much was used, or -1 when
 * the cell is no longer to be listened to (it may be freed: look no further).
 */
static ssize_t
frames_take(struct cell *cell, const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(struct wire_frame)) {
		struct wire_frame frame;
		memcpy(&frame, bytes + at, sizeof(frame));
		if (!frame_may_come(cell, &frame) ||
		    frame.len > frame_max(cell, &frame)) {
			cell_broke(cell, "the cell broke the protocol");
			return -1;
		}
		if (len - at - sizeof(frame) < frame.len)
			break;
		const uint8_t *raw_bytes = bytes + at + sizeof(frame);
		at += sizeof(frame) + frame.len;
		frame_take(cell, &frame, raw_bytes);
		if (cell->fd < 0)
			return -1;
	}
	return (ssize_t)at;
}

/* Keeps what is not a whole frame yet. Bounded by frame_max(). */
static int
rest_keep(struct cell *cell, const uint8_t *bytes, size_t len)
{
	if (len > cell->in_capacity) {
		const size_t capacity = len < 65536 ? 65536 : len * 2;
		uint8_t *in = malloc(capacity);
		if (in == NULL)
			return -ENOMEM;
		memcpy(in, bytes, len);
		free(cell->in);
		cell->in = in;
		cell->in_capacity = capacity;
	} else if (len > 0) {
		memmove(cell->in, bytes, len);
	}
	cell->in_len = len;
	return 0;
}

static int
bytes_take(struct cell *cell, const uint8_t *bytes, size_t len)
{
	if (cell->in_len > 0) {
		if (cell->in_len + len > cell->in_capacity) {
			const size_t capacity = (cell->in_len + len) * 2;
			uint8_t *in = realloc(cell->in, capacity);
			if (in == NULL)
				return -1;
			cell->in = in;
			cell->in_capacity = capacity;
		}
		memcpy(cell->in + cell->in_len, bytes, len);
		len += cell->in_len;
		bytes = cell->in;
	}
	const ssize_t used = frames_take(cell, bytes, len);
	if (used < 0)
		return -1;
	if (rest_keep(cell, bytes + used, len - (size_t)used) != 0) {
		cell_broke(cell, "no memory for the answer");
		return -1;
	}
	return 0;
}

/*
 * Reads what there is; false when the stream is over or was let go of. The
 * last read of a cell that ended is not put off by a pause. Who writes without
 * end does not keep us here: other streams have their turn.
 */
static bool
cell_read(struct cell *cell, bool is_last)
{
	struct pool *pool = cell->slot->pool;

	for (int i = 0; i < READS_MAX && cell->fd >= 0; i++) {
		const ssize_t n = recv(cell->fd, pool->scratch,
		    sizeof(pool->scratch), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		if (bytes_take(cell, pool->scratch, (size_t)n) != 0)
			return false;
		if (is_last)
			continue;
		if ((size_t)n < sizeof(pool->scratch))
			return cell->fd >= 0;
		if (cell->call != NULL && cell->call->paused)
			return true;
	}
	return cell->fd >= 0;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct cell *cell = arg;

	(void)fd;
	(void)what;
	if (cell_read(cell, false) || cell->fd < 0)
		return;
	/* End of stream without an answer: the template will say why. */
	cell->hung_up = true;
	event_drop(&cell->readable);
	cell->linger_until_ms = pool_now_ms() + LINGER_MS;
	if (cell->call == NULL)
		cell_let_go(cell);
}

void
cell_add(struct slot *slot, uint32_t id, int fd)
{
	struct cell *cell = calloc(1, sizeof(*cell));

	if (slot->n_ordered > 0)
		slot->n_ordered--;
	else
		slot->pool->n_live++;
	if (cell == NULL) {
		slot->pool->n_live--;
		close(fd);
		return;
	}
	*cell = (struct cell){ .slot = slot,
		.id = id,
		.limits = slot->deployment.limits,
		.fd = fd,
		.waiting = true };
	TAILQ_INSERT_TAIL(&slot->cells, cell, link);
	slot->n_waiting++;
	slot->pool->stats.cells_forked++;
}

static void
unsent_drop(struct pool_call *call)
{
	free(call->unsent);
	call->unsent = NULL;
	call->unsent_len = call->unsent_at = call->unsent_capacity = 0;
}

/* What could not be sent at once goes out as the cell takes it. */
static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct cell *cell = arg;
	struct pool_call *call = cell->call;

	(void)what;
	if (call == NULL || call->unsent == NULL) {
		event_drop(&cell->writable);
		return;
	}
	const ssize_t n = send(fd, call->unsent + call->unsent_at,
	    call->unsent_len - call->unsent_at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		call->unsent_at += (size_t)n;
	/* An error shows as the end of the stream, with its reason. */
	if (n < 0 || call->unsent_at == call->unsent_len) {
		event_drop(&cell->writable);
		unsent_drop(call);
	}
}

static void
cell_take_call(struct cell *cell, struct pool_call *call)
{
	struct slot *slot = cell->slot;
	const struct wire_limits *limits = &cell->limits;

	cell->waiting = false;
	cell->call = call;
	call->cell = cell;
	mark_begin(cell, call);
	call->log_bytes = limits->log_bytes + LOG_CUT_BYTES;
	call->note_bytes = limits->log_bytes;
	call->body_bytes = limits->result_bytes;
	slot->n_waiting--;
	slot->n_busy++;
	if (slot->n_busy > slot->peak)
		slot->peak = slot->n_busy;
}

static void
rest_send(struct cell *cell)
{
	cell->writable = event_new(cell->slot->pool->base, cell->fd,
	    EV_WRITE | EV_PERSIST, on_writable, cell);
	if (cell->writable == NULL || event_add(cell->writable, NULL) < 0)
		cell_broke(cell, "out of memory");
}

/* Room for more that waits. Many small ones must not cost a copy each: what
 * is moved is less than what went out, what grows becomes twice as long. */
static int
unsent_reserve(struct pool_call *call, size_t len)
{
	const size_t left = call->unsent_len - call->unsent_at;

	if (call->unsent_len + len <= call->unsent_capacity)
		return 0;
	if (call->unsent_at >= left && left > 0) {
		memmove(call->unsent, call->unsent + call->unsent_at, left);
		call->unsent_len = left;
		call->unsent_at = 0;
	}
	if (call->unsent_len + len <= call->unsent_capacity)
		return 0;
	const size_t capacity =
	    (call->unsent_len + len) * (call->unsent_len > 0 ? 2 : 1);
	uint8_t *bytes = realloc(call->unsent, capacity);
	if (bytes == NULL)
		return -ENOMEM;
	call->unsent = bytes;
	call->unsent_capacity = capacity;
	return 0;
}

/* The rest of what is said to it, behind its first `at` bytes, waits in a
 * copy. */
static int
unsent_add(struct pool_call *call, const struct iovec *iov, size_t n, size_t at)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (unsent_reserve(call, len - at) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const size_t skip = at < iov[i].iov_len ? at : iov[i].iov_len;
		const size_t left = iov[i].iov_len - skip;
		if (left > 0)
			memcpy(call->unsent + call->unsent_len,
			    (const uint8_t *)iov[i].iov_base + skip, left);
		call->unsent_len += left;
		at -= skip;
	}
	return 0;
}

void
cell_send_answer(struct cell *cell, uint32_t ask, const char *json, size_t len)
{
	const struct wire_frame frame = { .type = WIRE_FRAME_ANSWER,
		.len = (uint32_t)len,
		.code = (int32_t)ask };
	const struct iovec iov[] = {
		{ (void *)(uintptr_t)&frame, sizeof(frame) },
		{ (void *)(uintptr_t)json, len },
	};
	const struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = 2 };
	struct pool_call *call = cell->call;
	ssize_t n = 0;

	if (call->unsent == NULL)
		n = sendmsg(cell->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == (ssize_t)(sizeof(frame) + len))
		return;
	/* It reads what it asked for, or it wants to fill our memory. */
	if (call->unsent_len - call->unsent_at > UNSENT_MAX) {
		cell_broke(cell, "the cell does not read its answers");
		return;
	}
	if (unsent_add(call, iov, 2, n > 0 ? (size_t)n : 0) != 0)
		cell_broke(cell, "out of memory");
	else if (cell->writable == NULL)
		rest_send(cell);
}

void
cell_resend(struct cell *cell, struct pool_call *call)
{
	cell_take_call(cell, call);
	if (cell_listen(cell) != 0) {
		cell_broke(cell, "out of memory");
		return;
	}
	const ssize_t n = send(cell->fd, call->unsent, call->unsent_len,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	call->unsent_at = n > 0 ? (size_t)n : 0;
	if (call->unsent_at < call->unsent_len) {
		rest_send(cell);
		return;
	}
	unsent_drop(call);
}

void
cell_call(struct cell *cell, struct pool_call *call,
    const struct wire_frame *head, const char *json, const uint8_t *body,
    size_t body_len)
{
	const struct wire_frame body_frame = { .type = WIRE_FRAME_BODY,
		.len = (uint32_t)body_len };
	const struct iovec iov[] = {
		{ (void *)(uintptr_t)head, sizeof(*head) },
		{ (void *)(uintptr_t)json, head->len },
		{ (void *)(uintptr_t)&body_frame, sizeof(body_frame) },
		{ (void *)(uintptr_t)body, body_len },
	};
	const struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = call->kind == POOL_REQUEST ? 4 : 2 };
	size_t len = 0;

	for (size_t i = 0; i < msg.msg_iovlen; i++)
		len += iov[i].iov_len;
	cell_take_call(cell, call);
	if (cell_listen(cell) != 0) {
		cell_broke(cell, "out of memory");
		return;
	}
	const ssize_t n = sendmsg(cell->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == (ssize_t)len)
		return;

	if (unsent_add(call, iov, msg.msg_iovlen, n > 0 ? (size_t)n : 0) != 0)
		cell_broke(cell, "out of memory");
	else
		rest_send(cell);
}

/* SIGKILL came from the CPU clock, by our order, or from outside: then only a
 * cell that was full says that it was for its memory. */
static void
end_by_signal(struct pool_call *call, const struct cell *cell, int sig,
    const struct pool_usage *usage)
{
	const struct wire_limits *limits = &cell->limits;
	const bool full = usage->peak_kib * 1024u >= limits->memory_bytes;
	char json[128];

	if (sig == SIGKILL && cell->killed) {
		call_end(call, POOL_TIMEOUT_WALL, NULL, 0, usage);
	} else if (sig == SIGKILL && usage->cpu_us * 1000u >= limits->cpu_ns) {
		call_end(call, POOL_TIMEOUT_CPU, NULL, 0, usage);
	} else if (full) {
		call_end(call, POOL_MEMORY, NULL, 0, usage);
	} else if (sig == SIGKILL) {
		call_end(call, POOL_INTERNAL, NULL, 0, usage);
	} else {
		const int len = snprintf(json, sizeof(json),
		    "{\"message\":\"the cell crashed (signal %d)\"}", sig);
		call_end(call, POOL_INTERNAL, json, (size_t)len, usage);
	}
}

void
cell_exited(struct cell *cell, int status, const struct wire_usage *usage)
{
	const struct pool_usage real_usage = usage_of(usage);

	cell->slot->pool->stats.cells_cpu_us += usage->cpu_us;

	/* What it said before it ended still counts. */
	if (cell->call != NULL && !cell->hung_up)
		cell_read(cell, true);
	struct pool_call *call = cell->call;
	if (call != NULL) {
		cell->call = NULL;
		call->cell = NULL;
		if (WIFSIGNALED(status))
			end_by_signal(
			    call, cell, WTERMSIG(status), &real_usage);
		else
			call_end(call, POOL_INTERNAL, NULL, 0, &real_usage);
	}
	cell_free(cell);
}
