/* SPDX-License-Identifier: Apache-2.0 */
#include "zygote/way.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "zygote/answer.h"
#include "zygote/engine.h"

#define SEND_AT_ONCE (64u << 10) /* less waits for the loop, and for company */
#define FRAME_BYTES_MAX                                                        \
	(WIRE_FETCH_HEAD_MAX > WIRE_FETCH_DATA_MAX ? WIRE_FETCH_HEAD_MAX       \
						   : WIRE_FETCH_DATA_MAX)

static const char lost[] =
    "the way out (egress) was closed: try the request again";
static const char nonsense[] =
    "the way out (egress) was cut off: it said what cannot be understood";

static struct {
	bool is_granted;
	bool has_call;
	bool is_broken;
	bool has_fetched;
	bool is_starved; /* somebody was told LATER */
	uint32_t open[WIRE_FETCH_OPEN_MAX]; /* their numbers, in no order */
	uint32_t n_open;
	uint8_t *queue; /* malloc'ed: what the socket has not taken yet */
	size_t queue_at; /* what lies before was taken */
	size_t queue_len;
	size_t queue_room;
	size_t in_len;
} way;

static uint8_t in[sizeof(struct wire_frame) + FRAME_BYTES_MAX];

/* ---- the open ones --------------------------------------------------------- */

static uint32_t *
open_find(uint32_t number)
{
	for (uint32_t i = 0; i < way.n_open; i++)
		if (way.open[i] == number)
			return &way.open[i];
	return NULL;
}

static void
open_drop(uint32_t *open)
{
	*open = way.open[--way.n_open];
}

/* Whoever was told LATER tries again, once it is worth while. */
static void
starved_feed(void)
{
	if (!way.is_starved || way.n_open == WIRE_FETCH_OPEN_MAX ||
	    way.queue_len - way.queue_at > WAY_QUEUE_MAX / 2)
		return;
	way.is_starved = false;
	engine_fetch_room();
}

/* Nothing can come any more: all that is open has failed. */
static void
way_break(const char *sentence)
{
	way.is_broken = true;
	way.queue_at = way.queue_len = way.in_len = 0;
	while (way.n_open > 0) {
		const uint32_t number = way.open[--way.n_open];
		engine_fetched(WIRE_EGRESS_FAIL, number, WIRE_EGRESS_INTERNAL,
		    (const uint8_t *)sentence, strlen(sentence));
	}
	starved_feed();
}

/* ---- out ------------------------------------------------------------------- */

static void
queue_send(void)
{
	while (way.queue_at < way.queue_len) {
		const ssize_t n = send(WAY_FD, way.queue + way.queue_at,
		    way.queue_len - way.queue_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		/* That it is gone is heard; and what it said before, too. */
		if (n < 0 && errno != EAGAIN)
			way.queue_at = way.queue_len;
		if (n < 0)
			break;
		way.queue_at += (size_t)n;
	}
	if (way.queue_at == way.queue_len)
		way.queue_at = way.queue_len = 0;
}

/* Room behind what is queued. False: there is no memory. */
static bool
queue_reserve(size_t want)
{
	if (want <= way.queue_room - way.queue_len)
		return true;
	if (way.queue_at > 0) {
		memmove(way.queue, way.queue + way.queue_at,
		    way.queue_len - way.queue_at);
		way.queue_len -= way.queue_at;
		way.queue_at = 0;
	}
	if (want <= way.queue_room - way.queue_len)
		return true;
	const size_t room = 2 * way.queue_room > way.queue_len + want
	    ? 2 * way.queue_room
	    : way.queue_len + want;
	uint8_t *queue = realloc(way.queue, room);
	if (queue == NULL)
		return false;
	way.queue = queue;
	way.queue_room = room;
	return true;
}

static void
queue_put(
    uint32_t type, uint32_t number, int code, const uint8_t *bytes, size_t len)
{
	const struct wire_frame frame = { .type = type,
		.len = (uint32_t)len,
		.code = code,
		.reserved = number };

	if (!queue_reserve(sizeof(frame) + len)) {
		answer_fail_text(WIRE_CODE_MEMORY,
		    "the memory of this call is used up by what it sends");
		_exit(0);
	}
	memcpy(way.queue + way.queue_len, &frame, sizeof(frame));
	if (len > 0)
		memcpy(way.queue + way.queue_len + sizeof(frame), bytes, len);
	way.queue_len += sizeof(frame) + len;
	if (way.queue_len - way.queue_at >= SEND_AT_ONCE)
		queue_send();
}

static enum way_said
way_state(void)
{
	if (!way.is_granted)
		return WAY_NONE;
	if (!way.has_call)
		return WAY_NO_CALL;
	return way.is_broken ? WAY_BROKEN : WAY_SAID;
}

/* Only what brings bytes of the tool's own waits for room: the rest is small,
 * and each of it stands for something that was let through. */
static bool
queue_is_full(size_t len)
{
	if (way.queue_len - way.queue_at + len <= WAY_QUEUE_MAX)
		return false;
	way.is_starved = true;
	return true;
}

enum way_said
way_fetch(uint32_t number, int flags, const uint8_t *bytes, size_t len)
{
	const enum way_said state = way_state();

	if (state != WAY_SAID)
		return state;
	if (len > WIRE_FETCH_HEAD_MAX)
		return WAY_TOO_LONG;
	if (way.n_open == WIRE_FETCH_OPEN_MAX) {
		way.is_starved = true;
		return WAY_LATER;
	}
	if (queue_is_full(len))
		return WAY_LATER;
	way.has_fetched = true;
	way.open[way.n_open++] = number;
	queue_put(WIRE_EGRESS_FETCH, number, flags, bytes, len);
	return WAY_SAID;
}

enum way_said
way_body(uint32_t number, const uint8_t *bytes, size_t len)
{
	const enum way_said state = way_state();

	if (state != WAY_SAID)
		return state;
	if (len > WIRE_FETCH_DATA_MAX)
		return WAY_TOO_LONG;
	if (open_find(number) == NULL)
		return WAY_SAID; /* it is over: nobody wants them */
	if (len > 0 && queue_is_full(len))
		return WAY_LATER;
	queue_put(WIRE_EGRESS_BODY, number, 0, bytes, len);
	return WAY_SAID;
}

void
way_room(uint32_t number, uint32_t bytes)
{
	if (way_state() == WAY_SAID && open_find(number) != NULL)
		queue_put(WIRE_EGRESS_ROOM, number, (int)bytes, NULL, 0);
}

void
way_cancel(uint32_t number)
{
	uint32_t *open = open_find(number);

	if (open == NULL)
		return;
	open_drop(open);
	queue_put(WIRE_EGRESS_CANCEL, number, 0, NULL, 0);
	starved_feed();
}

/* ---- in -------------------------------------------------------------------- */

/* What egress may say, and how long it may be. */
static const struct {
	uint32_t type;
	uint32_t least, most;
} heard[] = {
	{ WIRE_EGRESS_HEAD, 1, WIRE_FETCH_HEAD_MAX },
	{ WIRE_EGRESS_DATA, 1, WIRE_FETCH_DATA_MAX },
	{ WIRE_EGRESS_END, 0, 0 },
	{ WIRE_EGRESS_FAIL, 0, WIRE_TEXT_MAX },
	{ WIRE_EGRESS_ROOM, 0, 0 },
};

static bool
frame_is_good(const struct wire_frame *frame)
{
	for (size_t i = 0; i < ARRAY_LEN(heard); i++)
		if (heard[i].type == frame->type)
			return frame->len >= heard[i].least &&
			    frame->len <= heard[i].most;
	return false;
}

/* One that is over here may still be spoken of there: passed over. */
static bool
frame_take(const struct wire_frame *frame, const uint8_t *bytes)
{
	uint32_t *open = open_find(frame->reserved);

	if (open == NULL)
		return true;
	if (frame->type == WIRE_EGRESS_END || frame->type == WIRE_EGRESS_FAIL)
		open_drop(open);
	return engine_fetched((enum wire_egress_frame)frame->type,
	    frame->reserved, frame->code, bytes, frame->len);
}

/* Every frame that is whole. False: one that may not be said. */
static bool
frames_take(void)
{
	struct wire_frame frame;
	size_t at = 0;

	while (!way.is_broken && way.in_len - at >= sizeof(frame)) {
		memcpy(&frame, in + at, sizeof(frame));
		if (!frame_is_good(&frame))
			return false;
		if (way.in_len - at < sizeof(frame) + frame.len)
			break;
		if (!frame_take(&frame, in + at + sizeof(frame)))
			return false;
		at += sizeof(frame) + frame.len;
	}
	memmove(in, in + at, way.in_len - at);
	way.in_len -= at;
	return true;
}

static void
way_hear(void)
{
	const ssize_t n = recv(
	    WAY_FD, in + way.in_len, sizeof(in) - way.in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		way_break(lost);
		return;
	}
	way.in_len += (size_t)n;
	if (!frames_take())
		way_break(nonsense);
}

void
way_serve(short revents)
{
	if (revents & POLLOUT)
		queue_send();
	if (revents & (POLLIN | POLLHUP | POLLERR))
		way_hear();
	starved_feed();
}

int
way_poll(short *events)
{
	if (!way.is_granted || way.is_broken)
		return -1;
	if (way.queue_at < way.queue_len)
		queue_send();
	*events = POLLIN;
	if (way.queue_at < way.queue_len)
		*events |= POLLOUT;
	return WAY_FD;
}

bool
way_is_used(void)
{
	return !way.is_broken &&
	    (way.n_open > 0 || way.queue_at < way.queue_len);
}

bool
way_is_spent(void)
{
	return way.has_fetched || way.is_broken;
}

/* ---- a call's beginning and end -------------------------------------------- */

void
way_grant(void)
{
	way.is_granted = true;
}

void
way_begin(void)
{
	way.has_call = true;
}

void
way_end(void)
{
	while (way.n_open > 0)
		way_cancel(way.open[0]);
	way.is_starved = false;
	if (way.is_granted && !way.is_broken)
		queue_send();
	way.has_call = false;
}
