/* SPDX-License-Identifier: Apache-2.0
 *
 * cell: a child of its template, for one call. It takes its first page faults
 * on a dummy call, shuts the second door behind itself, and waits. A
 * stranger's code runs here; assume it owns the process. It has one descriptor
 * (0), and about twenty system calls that compute.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "zygote/answer.h"
#include "zygote/engine.h"
#include "zygote/zygote.h"

#define CALL_FD 0
#define CALL_FIRST 65536 /* a call that fits is read in one piece */
#define CALL_GRACE_NS 30000000u /* from SIGXCPU to SIGKILL, in CPU time */

/* A call: its frames as they arrived, in one buffer. */
struct call {
	uint8_t *bytes; /* the cell's for its life: never freed */
	size_t capacity;
	size_t len;
};

static uint8_t first_bytes[CALL_FIRST];

/* Reads until `want` bytes are there; the caller's leaving is the end. */
static void
call_fill(struct call *call, size_t want)
{
	if (want > call->capacity) {
		uint8_t *bytes = malloc(want);
		if (bytes == NULL)
			_exit(0);
		memcpy(bytes, call->bytes, call->len);
		call->bytes = bytes;
		call->capacity = want;
	}
	while (call->len < want) {
		const ssize_t n = recv(CALL_FD, call->bytes + call->len,
		    call->capacity - call->len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		call->len += (size_t)n;
	}
}

static struct wire_frame
frame_at(struct call *call, size_t at)
{
	struct wire_frame frame;

	call_fill(call, at + sizeof(frame));
	memcpy(&frame, call->bytes + at, sizeof(frame));
	if (frame.len > WIRE_FRAME_MAX)
		_exit(0);
	call_fill(call, at + sizeof(frame) + frame.len);
	return frame;
}

/* The loop of one call, until nothing is left of it. */
static void
call_finish(void)
{
	while (!answer_is_done() && !engine_is_stopped()) {
		const int wait_ms = engine_turn();
		if (answer_is_done() || engine_is_stopped())
			break;
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

static void
call_serve(const struct wire_limits *limits)
{
	struct call call = { first_bytes, sizeof(first_bytes), 0 };
	const struct wire_frame head = frame_at(&call, 0);
	const size_t body_at = sizeof(head) + head.len;
	struct wire_frame body = { 0 };

	if (head.type == WIRE_FRAME_CALL_REQUEST)
		body = frame_at(&call, body_at);
	else if (head.type != WIRE_FRAME_CALL_TOOL)
		_exit(0);

	answer_begin(CALL_FD, limits);
	const uint8_t *bytes = call.bytes;
	engine_call(head.type == WIRE_FRAME_CALL_REQUEST,
	    (const char *)bytes + sizeof(head), head.len,
	    body.len > 0 ? bytes + body_at + sizeof(body) : NULL, body.len);
	call_finish();
}

static void
cell_on_fatal(enum wire_code code, const char *sentence)
{
	answer_fail_text(code, sentence);
	_exit(0);
}

/* Where the policy trusts the code with reuse, the same cell serves again. */
static void
calls_serve(const struct wire_limits *limits)
{
	for (uint32_t i = 1;; i++) {
		call_serve(limits);
		if (i >= limits->reuse_calls || engine_is_stopped() ||
		    !answer_is_done())
			return;
		answer_idle();
		if (clock_arm(limits->cpu_ns, limits->cpu_ns + CALL_GRACE_NS) !=
		    0)
			return;
	}
}

void
cell_run(const struct zygote *zygote, const struct wire_limits *limits,
    int stream_fd, bool is_awaited)
{
	const struct box_filter *filter = limits->reuse_calls > 1
	    ? &zygote->cell_reuse_filter
	    : &zygote->cell_filter;

	prctl(PR_SET_NAME, "cordon-cell");
	engine_fatal_set(cell_on_fatal);
	if (dup2(stream_fd, CALL_FD) < 0 ||
	    syscall(SYS_close_range, CALL_FD + 1, ~0u, 0) < 0 ||
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
