/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A caller that owns its stream and says what it likes to egress. The fetches
 * behind it are played: each answers with as much as it may, and ends, by the
 * bytes of the input. What egress says is well formed, and never more than the
 * caller has room for; and no fetch waits for room that there is.
 */

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "egress/egress.h"
#include "egress/pipe.h"
#include "fuzz.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define DEPLOYMENT 7u
#define FETCHES_MAX 64
#define NUMBERS 256

struct fetch {
	const struct fetch_ops *ops;
	void *arg;
	size_t body; /* bytes that were written and not yet taken */
	bool has_head;
	bool is_stopped;
	struct pipe *pipe; /* NULL: what it answers is copied */
};

static struct fetch *fetches[FETCHES_MAX];
static size_t n_fetches;

static void
fetch_drop(struct fetch *fetch)
{
	for (size_t i = 0; i < n_fetches; i++)
		if (fetches[i] == fetch)
			fetches[i] = fetches[--n_fetches];
	free(fetch);
}

struct fetch *
fetch_start(struct egress *egress, const struct fetch_request *request,
    const struct fetch_ops *ops, void *arg)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	(void)egress;
	CHECK(fetch != NULL && strlen(request->url) < WIRE_FETCH_HEAD_MAX);
	CHECK(n_fetches < FETCHES_MAX);
	CHECK(request->headers_len == 0 ||
	    request->headers[request->headers_len - 1] == '\0');
	if (request->url[0] == '!') {
		free(fetch);
		ops->over(arg, WIRE_EGRESS_NO_RULE, "no");
		return NULL;
	}
	fetch->ops = ops;
	fetch->arg = arg;
	fetches[n_fetches++] = fetch;
	return fetch;
}

bool
fetch_write(struct fetch *fetch, const uint8_t *bytes, size_t len)
{
	(void)bytes;
	fetch->body += len;
	return fetch->body <= WIRE_FETCH_WINDOW;
}

void
fetch_write_end(struct fetch *fetch)
{
	(void)fetch;
}

void
fetch_resume(struct fetch *fetch)
{
	CHECK(fetch->is_stopped);
	fetch->is_stopped = false;
}

void
fetch_cancel(struct fetch *fetch)
{
	fetch_drop(fetch);
}

struct client *
client_free(struct client *client)
{
	return client;
}

/* Bytes of an answer: some of them go into the caller's pipe, from then on. */
static void
fetch_answer(struct fetch *fetch, size_t len)
{
	static uint8_t bytes[100000];

	if (fetch->pipe == NULL && len % 8 == 4)
		fetch->pipe = fetch->ops->pipe(fetch->arg);
	if (fetch->pipe == NULL) {
		fetch->is_stopped = !fetch->ops->data(fetch->arg, bytes, len);
		return;
	}
	CHECK(fetch->pipe->len == 0);
	const ssize_t n = write(fetch->pipe->fds[1], bytes, len);
	if (n <= 0)
		return;
	fetch->pipe->len += (size_t)n;
	fetch->is_stopped = !fetch->ops->piped(fetch->arg);
}

/* One step of one of them. */
static void
fetch_step(uint8_t how)
{
	struct fetch *fetch = n_fetches > 0 ? fetches[how % n_fetches] : NULL;

	if (fetch == NULL)
		return;
	if (!fetch->has_head) {
		fetch->has_head = true;
		fetch->ops->head(fetch->arg, 200, "https://x/", "a\0b", 4);
	} else if (fetch->body > 0 && (how & 1) != 0) {
		const size_t len = fetch->body;
		fetch->body = 0;
		fetch->ops->want(fetch->arg, len);
	} else if (!fetch->is_stopped && how < 200) {
		fetch_answer(fetch, (size_t)how * 500);
	} else if (how >= 200) {
		const struct fetch_ops *ops = fetch->ops;
		void *arg = fetch->arg;
		fetch_drop(fetch);
		ops->over(arg, how & 1 ? WIRE_EGRESS_OK : WIRE_EGRESS_CUT, "");
	}
}

/* ---- the caller's side ---------------------------------------------------- */

static struct {
	uint8_t bytes[sizeof(struct wire_frame) + WIRE_FETCH_HEAD_MAX];
	size_t len;
	int64_t room[NUMBERS]; /* of each fetch */
	bool is_open[NUMBERS]; /* its answer has begun */
	bool was_asked[NUMBERS];
	bool says_room; /* for what was not asked: it may count or not */
	bool is_closed;
} heard;

static void
frame_check(const struct wire_frame *frame)
{
	CHECK(frame->type == WIRE_EGRESS_HEAD ||
	    frame->type == WIRE_EGRESS_DATA || frame->type == WIRE_EGRESS_END ||
	    frame->type == WIRE_EGRESS_FAIL || frame->type == WIRE_EGRESS_ROOM);
	if (frame->type != WIRE_EGRESS_ROOM)
		heard.is_open[frame->reserved % NUMBERS] =
		    frame->type == WIRE_EGRESS_HEAD ||
		    frame->type == WIRE_EGRESS_DATA;
	if (frame->type != WIRE_EGRESS_DATA)
		return;
	heard.room[frame->reserved % NUMBERS] -= frame->len;
	CHECK(frame->reserved >= NUMBERS || heard.room[frame->reserved] >= 0);
}

static bool
hear(int fd)
{
	struct wire_frame frame;
	size_t want = sizeof(frame);

	if (heard.len >= want) {
		memcpy(&frame, heard.bytes, sizeof(frame));
		want += frame.len;
		CHECK(want <= sizeof(heard.bytes));
	}
	if (heard.len == want && want >= sizeof(frame)) {
		frame_check(&frame);
		heard.len = 0;
		return true;
	}
	const ssize_t n =
	    recv(fd, heard.bytes + heard.len, want - heard.len, MSG_DONTWAIT);
	heard.is_closed |= n == 0 || (n < 0 && errno != EAGAIN);
	if (n <= 0)
		return false;
	heard.len += (size_t)n;
	return true;
}

/* ROOM that we say counts from when it is said. */
static void
room_note(const uint8_t *bytes, size_t len)
{
	struct wire_frame frame;

	while (len >= sizeof(frame)) {
		memcpy(&frame, bytes, sizeof(frame));
		if (frame.type == WIRE_EGRESS_FETCH && frame.reserved < NUMBERS)
			heard.was_asked[frame.reserved] = true;
		heard.says_room |= frame.reserved >= NUMBERS ||
		    !heard.was_asked[frame.reserved];
		if (frame.type == WIRE_EGRESS_ROOM && frame.code > 0)
			heard.room[frame.reserved % NUMBERS] += frame.code;
		if (frame.len > len - sizeof(frame))
			return;
		bytes += sizeof(frame) + frame.len;
		len -= sizeof(frame) + frame.len;
	}
}

/* All is read: who stands still then has filled its window; and of a fetch that
 * is over, the answer is. */
static void
standstill_check(void)
{
	size_t n_full = 0, n_open = 0, n_stopped = 0;

	if (heard.says_room || heard.is_closed)
		return;
	for (size_t i = 0; i < NUMBERS; i++) {
		n_open += heard.is_open[i];
		n_full += heard.is_open[i] && heard.room[i] == 0;
	}
	for (size_t i = 0; i < n_fetches; i++)
		n_stopped += fetches[i]->is_stopped;
	CHECK(n_stopped <= n_full);
	CHECK(n_open <= n_fetches + n_full);
}

static struct server *
server_make(struct servers *servers)
{
	struct {
		struct wire_egress_server head;
		struct addr_rule rule;
	} record = { .head = { .n_rules = 1, .name = "x", .tenant = "y" } };
	size_t n;
	struct addr_rule rules[2];

	CHECK(
	    addr_rule_parse("https://cordon.dev", 18, 0, rules, &n, NULL) == 0);
	record.rule = rules[0];
	const struct wire_frame frame = { .type = WIRE_EGRESS_SERVER,
		.len = sizeof(record.head) + sizeof(record.rule),
		.reserved = DEPLOYMENT };
	CHECK(servers_hear(servers, &frame, (const uint8_t *)&record) == 0);
	return server_hold(servers, DEPLOYMENT);
}

/* First byte: how many of the rest are steps of the fetches; then frames. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct egress egress;
	const struct egress_unit unit = { .kind = WIRE_UNIT_CELL };
	const size_t n_steps = len == 0 || bytes[0] >= len ? 0 : bytes[0];
	const uint8_t *frames = bytes + (len > 0) + n_steps;
	const size_t frames_len = len - (len > 0) - n_steps;
	int pair[2];

	if (egress.base == NULL) {
		signal(SIGPIPE, SIG_IGN);
		egress.base = event_base_new();
		CHECK(egress.base != NULL && servers_new(&egress.servers) == 0);
		server_release(server_make(egress.servers));
	}
	CHECK(wire_pair(SOCK_STREAM, pair) == 0);
	memset(&heard, 0, sizeof(heard));
	for (size_t i = 0; i < NUMBERS; i++)
		heard.room[i] = WIRE_FETCH_WINDOW;
	caller_start(
	    &egress, pair[0], DEPLOYMENT, &unit, len % 2 == 0, NULL, NULL);
	/* So little that it is full again and again. */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, sizeof(int));
	room_note(frames, frames_len);
	for (size_t sent = 0, step = 0; sent < frames_len || step < n_steps;) {
		const ssize_t n = send(pair[1], frames + sent,
		    frames_len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno == EPIPE)
			break;
		event_base_loop(egress.base, EVLOOP_NONBLOCK);
		const uint8_t how = step < n_steps ? bytes[1 + step++] : 0;
		if (how > 0)
			fetch_step(how);
		while (how % 3 == 0 && hear(pair[1]))
			continue;
	}
	for (int i = 0; i < 4; i++) {
		event_base_loop(egress.base, EVLOOP_NONBLOCK);
		while (hear(pair[1]))
			i = 0;
	}
	standstill_check();
	close(pair[1]);
	for (int i = 0; i < 4; i++)
		event_base_loop(egress.base, EVLOOP_NONBLOCK);
	CHECK(n_fetches == 0); /* nobody's fetches go on */
	return 0;
}
