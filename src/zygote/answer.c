/* SPDX-License-Identifier: Apache-2.0 */
#include "zygote/answer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"

#define SMALL_FRAME 16384 /* sent in one piece, off the stack */

static struct {
	int fd;
	bool complete;
	bool done;
	bool logs_cut;
	uint64_t log_bytes; /* still allowed */
	uint64_t note_bytes; /* still allowed */
	uint64_t body_bytes; /* still allowed */
	uint32_t asks[ANSWER_ASKS_MAX]; /* the numbers of the open ones */
	uint32_t n_asks;
	uint32_t n_answers; /* that were read */
	bool notes_cut;
	bool waits;
	uint64_t start_wall_us;
	uint64_t start_cpu_us;
	struct wire_limits limits;
} answer = { .fd = -1 };

static uint64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void
answer_begin(int fd, const struct wire_limits *limits)
{
	memset(&answer, 0, sizeof(answer));
	answer.fd = fd;
	answer.limits = *limits;
	answer.log_bytes = limits->log_bytes;
	answer.note_bytes = limits->log_bytes;
	answer.body_bytes = limits->result_bytes;
	answer.start_wall_us = clock_us(CLOCK_MONOTONIC);
	/* The process's own clock stands still between two ticks while a CPU
	 * limit is armed on it; there is but one thread. */
	answer.start_cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
}

/* A caller that is gone is the end of a cell: nobody would read the rest. */
static void
bytes_send(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		const ssize_t n = send(answer.fd, at, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			_exit(0);
		at += n;
		len -= (size_t)n;
	}
}

static void
frame_send(uint32_t type, int code, const void *bytes, size_t len)
{
	struct wire_frame frame = {
		.type = type, .code = code, .len = (uint32_t)len
	};

	if (answer.fd < 0)
		return;
	if (type == WIRE_FRAME_RESULT || type == WIRE_FRAME_FAIL ||
	    type == WIRE_FRAME_END) {
		struct rusage usage;
		getrusage(RUSAGE_SELF, &usage);
		frame.usage = (struct wire_usage){
			.cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID) -
			    answer.start_cpu_us,
			.wall_us =
			    clock_us(CLOCK_MONOTONIC) - answer.start_wall_us,
			.peak_kib = (uint64_t)usage.ru_maxrss,
		};
	}
	if (len > SMALL_FRAME) {
		bytes_send(&frame, sizeof(frame));
		bytes_send(bytes, len);
		return;
	}
	uint8_t whole[sizeof(frame) + SMALL_FRAME];
	memcpy(whole, &frame, sizeof(frame));
	if (len > 0)
		memcpy(whole + sizeof(frame), bytes, len);
	bytes_send(whole, sizeof(frame) + len);
}

void
answer_log(int level, const char *text, size_t len)
{
	static const char cut[] = "the log limit of this call is reached; "
				  "what follows is dropped";

	/* Behind the answer nobody listens, and to send would be the end. */
	if (answer.fd < 0 || answer.complete || answer.logs_cut)
		return;
	/* A line costs something even when it is empty. */
	const size_t cost = len + WIRE_LOG_LINE_COST;
	if (cost > answer.log_bytes) {
		answer.logs_cut = true;
		frame_send(WIRE_FRAME_LOG, 2, cut, sizeof(cut) - 1);
		return;
	}
	answer.log_bytes -= cost;
	frame_send(WIRE_FRAME_LOG, level, text, len);
}

void
answer_note(const char *json, size_t len)
{
	static const char cut[] = "the limit of this call's notifications is "
				  "reached; what follows is dropped";
	const size_t cost = len + WIRE_LOG_LINE_COST;

	if (answer.fd < 0 || answer.complete || answer.notes_cut)
		return;
	if (cost > answer.note_bytes) {
		answer.notes_cut = true;
		answer_log(2, cut, sizeof(cut) - 1);
		return;
	}
	answer.note_bytes -= cost;
	frame_send(WIRE_FRAME_NOTE, 0, json, len);
}

bool
answer_ask(uint32_t ask, const char *json, size_t len)
{
	if (answer.fd < 0 || answer.complete ||
	    answer.n_asks == ANSWER_ASKS_MAX ||
	    len > answer.limits.result_bytes)
		return false;
	answer.asks[answer.n_asks++] = ask;
	frame_send(WIRE_FRAME_ASK, (int)ask, json, len);
	return true;
}

bool
answer_ask_close(uint32_t ask)
{
	for (uint32_t i = 0; i < answer.n_asks; i++) {
		if (answer.asks[i] != ask)
			continue;
		answer.asks[i] = answer.asks[--answer.n_asks];
		answer.n_answers++;
		answer.waits = false;
		return true;
	}
	return false;
}

bool
answer_asks_open(void)
{
	return answer.n_asks > 0 && !answer.complete;
}

void
answer_wait(void)
{
	if (!answer.waits)
		frame_send(WIRE_FRAME_WAIT, (int)answer.n_answers, NULL, 0);
	answer.waits = true;
}

static void
answer_complete(uint32_t type, int code, const void *bytes, size_t len)
{
	if (answer.complete)
		return;
	answer.complete = true;
	frame_send(type, code, bytes, len);
}

static void
too_large(void)
{
	char json[160];
	const int len = snprintf(json, sizeof(json),
	    "{\"message\":\"the result is larger than the limit of %llu "
	    "bytes\"}",
	    (unsigned long long)answer.limits.result_bytes);

	answer_complete(
	    WIRE_FRAME_FAIL, WIRE_CODE_RESULT_TOO_LARGE, json, (size_t)len);
}

void
answer_result(const char *json, size_t len)
{
	if (len > answer.limits.result_bytes)
		too_large();
	else
		answer_complete(WIRE_FRAME_RESULT, 0, json, len);
}

void
answer_fail(enum wire_code code, const char *json, size_t len)
{
	if (len <= WIRE_TEXT_MAX) {
		answer_complete(WIRE_FRAME_FAIL, (int)code, json, len);
		return;
	}
	answer_fail_text(code, "the error itself is too long to be told");
}

void
answer_fail_text(enum wire_code code, const char *sentence)
{
	char json[1200];
	const int len =
	    snprintf(json, sizeof(json), "{\"message\":\"%s\"}", sentence);

	answer_complete(WIRE_FRAME_FAIL, (int)code, json,
	    (size_t)len < sizeof(json) ? (size_t)len : sizeof(json) - 1);
}

void
answer_head(const char *json, size_t len)
{
	if (answer.complete)
		return;
	if (len > answer.limits.result_bytes)
		too_large();
	else
		frame_send(WIRE_FRAME_HEAD, 0, json, len);
}

void
answer_chunk(const uint8_t *bytes, size_t len)
{
	if (answer.complete || len == 0)
		return;
	if (len > answer.body_bytes) {
		too_large();
		return;
	}
	answer.body_bytes -= len;
	frame_send(WIRE_FRAME_CHUNK, 0, bytes, len);
}

void
answer_end(void)
{
	answer_complete(WIRE_FRAME_END, 0, NULL, 0);
}

void
answer_done(void)
{
	answer.done = true;
}

void
answer_idle(void)
{
	frame_send(WIRE_FRAME_IDLE, 0, NULL, 0);
}

bool
answer_is_complete(void)
{
	return answer.complete;
}

bool
answer_is_done(void)
{
	return answer.done;
}

bool
answer_is_muted(void)
{
	return answer.fd < 0;
}

void
answer_sleep(int ms)
{
	struct pollfd fd = { .fd = answer.fd, .events = POLLRDHUP };

	/* Once the answer is out the caller may leave: work that was put
	 * behind it (waitUntil) goes on. */
	if (answer.complete)
		fd.fd = -1;
	if (poll(&fd, 1, ms) > 0)
		_exit(0);
}

double
answer_clock_ms(void)
{
	const uint64_t us = clock_us(CLOCK_MONOTONIC) - answer.start_wall_us;

	return (double)(us / 100u) / 10.0;
}
