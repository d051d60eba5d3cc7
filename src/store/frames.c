/* SPDX-License-Identifier: Apache-2.0 */
#include "store/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "store/store.h"

#define FIRST_CAPACITY 4096u

/* Least and most bytes behind each head that a gateway may send. */
static const struct {
	size_t least;
	size_t most;
} shapes[WIRE_STORE_N_FRAMES] = {
	[WIRE_STORE_ENDED] = { sizeof(struct wire_ended),
	    sizeof(struct wire_ended) },
	[WIRE_STORE_ADMIN] = { sizeof(struct wire_admin),
	    sizeof(struct wire_admin) + WIRE_STORE_BODY_MAX },
	[WIRE_STORE_AUDIT] = { sizeof(struct wire_audit),
	    sizeof(struct wire_audit) + STORE_AUDIT_DETAIL_MAX },
	[WIRE_STORE_SURFACE] = { 2, WIRE_STORE_SURFACE_MAX },
};

void
frames_fini(struct frames *frames)
{
	free(frames->body);
	*frames = (struct frames){ 0 };
}

static const char *
head_complaint(const struct wire_frame *head)
{
	if (head->type >= WIRE_STORE_N_FRAMES || shapes[head->type].most == 0)
		return "a frame of a type that it may not send";
	if (head->len < shapes[head->type].least)
		return "a frame that is too short";
	if (head->len > shapes[head->type].most)
		return "a frame that is too long";
	return NULL;
}

/* Doubling: what is only claimed costs nothing. */
static int
body_grow(struct frames *frames, size_t wanted)
{
	size_t capacity =
	    frames->capacity == 0 ? FIRST_CAPACITY : frames->capacity;

	while (capacity < wanted)
		capacity *= 2;
	if (capacity == frames->capacity)
		return 0;
	uint8_t *body = realloc(frames->body, capacity);
	if (body == NULL)
		return -ENOMEM;
	frames->body = body;
	frames->capacity = capacity;
	return 0;
}

static size_t
least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Bytes of the head; when it is complete it is looked at. */
static int
head_take(struct frames *frames, const uint8_t *bytes, size_t *taken,
    size_t len, const char **what)
{
	const size_t n =
	    least_of(len, sizeof(frames->head) - frames->have_head);

	memcpy((uint8_t *)&frames->head + frames->have_head, bytes, n);
	frames->have_head += n;
	*taken = n;
	if (frames->have_head < sizeof(frames->head))
		return 0;
	*what = head_complaint(&frames->head);
	return *what != NULL ? FRAMES_E_BREACH : 0;
}

static int
body_take(
    struct frames *frames, const uint8_t *bytes, size_t *taken, size_t len)
{
	const size_t n = least_of(len, frames->head.len - frames->have_body);
	const int code = body_grow(frames, frames->have_body + n + 1);

	if (code != 0)
		return code;
	memcpy(frames->body + frames->have_body, bytes, n);
	frames->have_body += n;
	frames->body[frames->have_body] = '\0';
	*taken = n;
	return 0;
}

int
frames_feed(struct frames *frames, const uint8_t *raw_bytes, size_t len,
    frames_fn *fn, void *arg, const char **what)
{
	for (size_t at = 0; at < len;) {
		size_t taken = 0;
		const int code = frames->have_head < sizeof(frames->head)
		    ? head_take(frames, raw_bytes + at, &taken, len - at, what)
		    : body_take(frames, raw_bytes + at, &taken, len - at);
		if (code != 0)
			return code;
		at += taken;
		if (frames->have_head < sizeof(frames->head) ||
		    frames->have_body < frames->head.len)
			continue;

		/* Moved out: the callee may end the link that we belong to. */
		const struct wire_frame head = frames->head;
		auto_free uint8_t *body = frames->body;
		*frames = (struct frames){ 0 };
		const int ended = fn(arg, &head, body);
		if (ended != 0)
			return ended;
	}
	return 0;
}
