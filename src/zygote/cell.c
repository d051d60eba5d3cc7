/* SPDX-License-Identifier: Apache-2.0
 *
 * cell: a child of its template, for one call. It takes its first page faults
 * on a dummy call, shuts the second door behind itself, and waits. A
 * stranger's code runs here; assume it owns the process. It has one descriptor
 * (0), where its deployment may reach something a second one (1: way.h), and
 * about twenty system calls that compute.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "zygote/answer.h"
#include "zygote/engine.h"
#include "zygote/way.h"
#include "zygote/zygote.h"

#define CALL_FD 0
#define CALL_FIRST 65536 /* a call that fits is read in one piece */
#define CALL_GRACE_NS 30000000u /* from SIGXCPU to SIGKILL, in CPU time */

/* What the caller said: its frames as they arrived, in one buffer, which is
 * the cell's for its life. */
static uint8_t first_bytes[CALL_FIRST];
static struct {
	uint8_t *bytes;
	size_t capacity;
	size_t at; /* what lies before was taken */
	size_t len;
} inbox = { .bytes = first_bytes, .capacity = sizeof(first_bytes) };

static bool has_way; /* looked at before way.c is: its pages would be faults */

/* Room for so many bytes from inbox.at on. */
static void
inbox_reserve(size_t want)
{
	if (want <= inbox.capacity - inbox.at)
		return;
	uint8_t *bytes = inbox.bytes;
	if (want > inbox.capacity) {
		bytes = malloc(want);
		if (bytes == NULL) {
			answer_fail_text(WIRE_CODE_MEMORY,
			    "the memory of this call is used up by an answer "
			    "that it asked for");
			_exit(0);
		}
		inbox.capacity = want;
	}
	memmove(bytes, inbox.bytes + inbox.at, inbox.len - inbox.at);
	if (bytes != inbox.bytes && inbox.bytes != first_bytes)
		free(inbox.bytes);
	inbox.bytes = bytes;
	inbox.len -= inbox.at;
	inbox.at = 0;
}

/* Reads until `want` bytes are there; the caller's leaving is the end. */
static void
inbox_fill(size_t want)
{
	inbox_reserve(want);
	while (inbox.len - inbox.at < want) {
		const ssize_t n = recv(CALL_FD, inbox.bytes + inbox.len,
		    inbox.capacity - inbox.len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		inbox.len += (size_t)n;
	}
}

/* The frame that lies `offset` behind what was taken, all of it. */
static struct wire_frame
inbox_frame(size_t offset)
{
	struct wire_frame frame;

	inbox_fill(offset + sizeof(frame));
	memcpy(&frame, inbox.bytes + inbox.at + offset, sizeof(frame));
	if (frame.len > WIRE_FRAME_MAX)
		_exit(0);
	inbox_fill(offset + sizeof(frame) + frame.len);
	return frame;
}

static void
inbox_drop(size_t len)
{
	inbox.at += len;
	if (inbox.at == inbox.len)
		inbox.at = inbox.len = 0;
}

/* One answer of the caller's. One that nobody asked for is passed over. */
static void
answer_take(void)
{
	const struct wire_frame frame = inbox_frame(0);

	if (frame.type != WIRE_FRAME_ANSWER)
		_exit(0);
	if (answer_ask_close((uint32_t)frame.code))
		engine_answer((uint32_t)frame.code,
		    (const char *)inbox.bytes + inbox.at + sizeof(frame),
		    frame.len);
	inbox_drop(sizeof(frame) + frame.len);
}

/*
 * Waits for what the call waits for: an answer of the caller, something of a
 * fetch, the next timer (-1: there is none). A caller that leaves before its
 * answer is complete is the end; behind the answer (waitUntil) it may.
 */
static void
events_await(int wait_ms)
{
	const bool asks = answer_asks_open();
	const bool has_answer = asks && inbox.at < inbox.len;
	struct pollfd fds[] = {
		{ .fd = answer_is_complete() ? -1 : CALL_FD,
		    .events = asks ? POLLIN : POLLRDHUP },
		{ .fd = -1 },
	};

	if (wait_ms < 0 && !(has_way && way_is_used()))
		answer_wait();
	if (has_way)
		fds[1].fd = way_poll(&fds[1].events);
	if (poll(fds, ARRAY_LEN(fds), has_answer ? 0 : wait_ms) < 0)
		return;
	if (fds[1].revents != 0)
		way_serve(fds[1].revents);
	if (asks && (has_answer || fds[0].revents != 0))
		answer_take();
	else if (fds[0].revents != 0)
		_exit(0);
}

/* The loop of one call, until nothing is left of it. */
static void
call_finish(void)
{
	while (!answer_is_done() && !engine_is_stopped()) {
		const int wait_ms = engine_turn();
		if (answer_is_done() || engine_is_stopped())
			break;
		if (answer_asks_open() || (has_way && way_is_used())) {
			events_await(wait_ms);
			continue;
		}
		if (wait_ms > 0)
			answer_sleep(wait_ms);
		if (wait_ms >= 0)
			continue;
		answer_fail_text(WIRE_CODE_TIMEOUT_WALL,
		    "the call waits for something that can never happen: its "
		    "promise is pending, and no timer is left");
		break;
	}
	if (engine_is_stopped() && !answer_is_complete()) {
		size_t len;
		const enum wire_code code = engine_stop_describe();
		const char *json = engine_error(&len);
		answer_fail(code, json, len);
	}
}

/* The next call; answers to the one before may have come too late for it. */
static struct wire_frame
call_await(void)
{
	for (;;) {
		const struct wire_frame frame = inbox_frame(0);
		if (frame.type != WIRE_FRAME_ANSWER)
			return frame;
		inbox_drop(sizeof(frame) + frame.len);
	}
}

static void
call_serve(const struct wire_limits *limits)
{
	const struct wire_frame head = call_await();
	const size_t body_at = sizeof(head) + head.len;
	struct wire_frame body = { 0 };
	size_t len = body_at;

	if (head.type == WIRE_FRAME_CALL_REQUEST) {
		body = inbox_frame(body_at);
		len += sizeof(body) + body.len;
	} else if (head.type != WIRE_FRAME_CALL_TOOL) {
		_exit(0);
	}

	answer_begin(CALL_FD, limits);
	if (has_way)
		way_begin();
	const uint8_t *bytes = inbox.bytes + inbox.at;
	engine_call(head.type == WIRE_FRAME_CALL_REQUEST,
	    (const char *)bytes + sizeof(head), head.len,
	    body.len > 0 ? bytes + body_at + sizeof(body) : NULL, body.len);
	inbox_drop(len);
	call_finish();
	if (has_way)
		way_end();
}

static void
cell_on_fatal(enum wire_code code, const char *sentence)
{
	answer_fail_text(code, sentence);
	_exit(0);
}

/* Where the policy trusts the code with reuse, the same cell serves again,
 * until a call has fetched something. */
static void
calls_serve(const struct wire_limits *limits)
{
	for (uint32_t i = 1;; i++) {
		call_serve(limits);
		if (i >= limits->reuse_calls || engine_is_stopped() ||
		    !answer_is_done() || (has_way && way_is_spent()))
			return;
		answer_idle();
		if (clock_arm(limits->cpu_ns, limits->cpu_ns + CALL_GRACE_NS) !=
		    0)
			return;
	}
}

void
cell_run(const struct zygote *zygote, const struct wire_limits *limits,
    int stream_fd, int way_fd, bool is_awaited)
{
	const unsigned int kept = way_fd >= 0 ? WAY_FD : CALL_FD;
	has_way = way_fd >= 0;

	const struct box_filter *filter = limits->reuse_calls > 1
	    ? &zygote->cell_reuse_filter
	    : &zygote->cell_filter;

	prctl(PR_SET_NAME, "cordon-cell");
	engine_fatal_set(cell_on_fatal);
	if (dup2(stream_fd, CALL_FD) < 0 ||
	    (way_fd >= 0 && dup2(way_fd, WAY_FD) < 0) ||
	    syscall(SYS_close_range, kept + 1, ~0u, 0) < 0 ||
	    engine_reseed() != 0 || clock_create() != 0 ||
	    clock_arm(limits->load_cpu_ns, limits->load_cpu_ns) != 0)
		_exit(1);

	/* Tenant code, as in the template, under the template's filter. */
	if (!is_awaited && (limits->flags & WIRE_LIMITS_NO_WARMUP) == 0) {
		answer_begin(-1, limits);
		engine_warm();
	}
	engine_populate();
	/* The clock first: the filter forbids to touch it. Waiting costs no CPU
	 * time, so it can be wound up before the call is there. */
	if (engine_reseed() != 0 ||
	    clock_arm(limits->cpu_ns, limits->cpu_ns + CALL_GRACE_NS) != 0 ||
	    box_filter_install(filter) != 0)
		_exit(1);
	calls_serve(limits);
	_exit(0);
}
