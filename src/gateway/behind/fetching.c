/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/behind/fetching.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "json/out.h"
#include "wire/wire.h"

#define READ_MAX 65536
#define ROOM_STEP (WIRE_FETCH_WINDOW / 4) /* given back at once */
#define OUT_LOW (128u << 10) /* unsent: bodies wait while there is more */
#define OUT_MAX (16u << 20)
#define TEXT_MAX 1024 /* of a failure, cut */
#define KEPT_MAX 65536u /* memory that an idle stream keeps */

struct fetch_one {
	struct fetch_one *next;
	struct fetching *fetching;
	uint32_t number;
	const struct fetching_ops *ops;
	void *arg;
	char *body; /* owned; NULL: all of it is out */
	size_t body_len;
	size_t body_done;
	uint64_t room; /* bytes that egress still takes */
	uint32_t owed; /* bytes taken in, not given back yet */
	bool has_head;
};

struct fetching {
	int fd;
	struct event *readable;
	struct event *writable;
	fetching_lost_fn *lost;
	void *arg;
	struct fetch_one *ones;
	unsigned n_ones;
	uint32_t last_number;
	struct json_out in; /* a frame that is not complete */
	struct json_out out;
	size_t out_done;
	bool is_reading;
	bool is_lost;
	bool is_freed; /* as soon as it is not being read */
};

static void
one_free(struct fetch_one *one)
{
	struct fetch_one **at = &one->fetching->ones;

	while (*at != one)
		at = &(*at)->next;
	*at = one->next;
	one->fetching->n_ones--;
	free(one->body);
	free(one);
}

static struct fetch_one *
one_find(const struct fetching *fetching, uint32_t number)
{
	struct fetch_one *one = fetching->ones;

	while (one != NULL && one->number != number)
		one = one->next;
	return one;
}

static void
events_drop(struct fetching *fetching)
{
	if (fetching->readable != NULL)
		event_free(fetching->readable);
	if (fetching->writable != NULL)
		event_free(fetching->writable);
	fetching->readable = fetching->writable = NULL;
	if (fetching->fd >= 0)
		close(fetching->fd);
	fetching->fd = -1;
}

static void
memory_free(struct fetching *fetching)
{
	json_out_fini(&fetching->in);
	json_out_fini(&fetching->out);
	free(fetching);
}

struct fetching *
fetching_free(struct fetching *fetching)
{
	if (fetching == NULL)
		return NULL;
	while (fetching->ones != NULL)
		one_free(fetching->ones);
	events_drop(fetching);
	fetching->is_freed = true;
	if (!fetching->is_reading)
		memory_free(fetching);
	return NULL;
}

/* Told from the loop: who writes is not called back. */
static void
lost_set(struct fetching *fetching)
{
	fetching->is_lost = true;
	if (fetching->readable != NULL && !fetching->is_reading)
		event_active(fetching->readable, EV_READ, 1);
}

/* ---- out ------------------------------------------------------------------ */

static void
frame_put(struct fetching *fetching, enum wire_egress_frame type,
    uint32_t number, uint32_t code, const char *bytes, size_t len)
{
	const struct wire_frame frame = { .type = type,
		.len = (uint32_t)len,
		.code = (int32_t)code,
		.reserved = number };

	json_out_raw(&fetching->out, (const char *)&frame, sizeof(frame));
	json_out_raw(&fetching->out, bytes, len);
}

/* As much of its body as egress takes now. */
static void
body_put(struct fetch_one *one)
{
	while (one->body != NULL) {
		const size_t left = one->body_len - one->body_done;
		size_t n =
		    left < WIRE_FETCH_DATA_MAX ? left : WIRE_FETCH_DATA_MAX;
		if (n > one->room)
			n = (size_t)one->room;
		if (n == 0 && left > 0)
			return;
		if (n > 0)
			frame_put(one->fetching, WIRE_EGRESS_BODY, one->number,
			    0, one->body + one->body_done, n);
		one->room -= n;
		one->body_done += n;
		if (one->body_done < one->body_len)
			continue;
		frame_put(
		    one->fetching, WIRE_EGRESS_BODY, one->number, 0, NULL, 0);
		free(one->body);
		one->body = NULL;
	}
}

static void
bodies_put(struct fetching *fetching)
{
	for (struct fetch_one *one = fetching->ones;
	     one != NULL && fetching->out.len - fetching->out_done < OUT_LOW;
	     one = one->next)
		body_put(one);
}

/* 0, -EAGAIN, -EPIPE. */
static int
out_send(struct fetching *fetching)
{
	while (fetching->out_done < fetching->out.len) {
		const ssize_t n =
		    send(fetching->fd, fetching->out.bytes + fetching->out_done,
			fetching->out.len - fetching->out_done,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -EAGAIN : -EPIPE;
		if (n > 0)
			fetching->out_done += (size_t)n;
	}
	json_out_reset(&fetching->out);
	fetching->out_done = 0;
	if (fetching->out.capacity > KEPT_MAX)
		json_out_fini(&fetching->out);
	return 0;
}

static void
flush(struct fetching *fetching)
{
	int r = 0;

	if (fetching->is_lost || fetching->fd < 0)
		return;
	do {
		bodies_put(fetching);
		if (json_out_status(&fetching->out) != 0)
			r = -EPIPE;
		if (fetching->out.len == 0)
			break;
		if (r == 0)
			r = out_send(fetching);
	} while (r == 0);
	if (r == -EAGAIN)
		event_add(fetching->writable, NULL);
	else if (r != 0)
		lost_set(fetching);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

/* ---- in ------------------------------------------------------------------- */

/* Pairs of strings behind one; false: it is none. */
static bool
head_is_whole(const char *raw_bytes, size_t len)
{
	size_t n = 0;

	if (len == 0 || raw_bytes[len - 1] != '\0')
		return false;
	for (size_t i = 0; i < len; i++)
		n += raw_bytes[i] == '\0';
	return n % 2 == 1;
}

static bool
head_take(struct fetch_one *one, const struct wire_frame *frame,
    const char *raw_bytes)
{
	if (one->has_head || frame->code < 200 || frame->code > 599 ||
	    !head_is_whole(raw_bytes, frame->len))
		return false;
	const size_t url = strlen(raw_bytes) + 1;
	one->has_head = true;
	one->ops->head(one->arg, (unsigned)frame->code, raw_bytes,
	    raw_bytes + url, frame->len - url);
	return true;
}

static bool
data_take(struct fetch_one *one, const struct wire_frame *frame,
    const char *raw_bytes)
{
	struct fetching *fetching = one->fetching;
	const uint32_t number = one->number;

	if (!one->has_head || frame->len > WIRE_FETCH_DATA_MAX)
		return false;
	one->ops->data(one->arg, raw_bytes, frame->len);
	if (fetching->is_freed || (one = one_find(fetching, number)) == NULL)
		return true; /* it was cancelled */
	one->owed += frame->len;
	if (one->owed >= ROOM_STEP) {
		frame_put(
		    fetching, WIRE_EGRESS_ROOM, number, one->owed, NULL, 0);
		one->owed = 0;
	}
	return true;
}

static bool
room_take(struct fetch_one *one, const struct wire_frame *frame,
    const char *raw_bytes)
{
	(void)raw_bytes;
	if (frame->code < 0 || one->room > UINT32_MAX)
		return false;
	one->room += (uint32_t)frame->code;
	return true;
}

static void
one_over(struct fetch_one *one, enum wire_egress_end end, const char *text)
{
	const struct fetching_ops *ops = one->ops;
	void *arg = one->arg;

	one_free(one);
	ops->over(arg, end, text);
}

static bool
end_take(struct fetch_one *one, const struct wire_frame *frame,
    const char *raw_bytes)
{
	(void)frame;
	(void)raw_bytes;
	if (!one->has_head)
		return false;
	one_over(one, WIRE_EGRESS_OK, "");
	return true;
}

static bool
fail_take(struct fetch_one *one, const struct wire_frame *frame,
    const char *raw_bytes)
{
	char text[TEXT_MAX];
	const size_t len =
	    frame->len < sizeof(text) - 1 ? frame->len : sizeof(text) - 1;

	if (frame->code <= WIRE_EGRESS_OK || frame->code >= WIRE_EGRESS_N_ENDS)
		return false;
	memcpy(text, raw_bytes, len);
	text[len] = '\0';
	one_over(one, (enum wire_egress_end)frame->code, text);
	return true;
}

static const struct taker {
	uint32_t type;
	uint32_t len_max;
	bool (*take)(struct fetch_one *one, const struct wire_frame *frame,
	    const char *raw_bytes);
} takers[] = {
	{ WIRE_EGRESS_HEAD, WIRE_FETCH_HEAD_MAX, head_take },
	{ WIRE_EGRESS_DATA, WIRE_FETCH_DATA_MAX, data_take },
	{ WIRE_EGRESS_END, 0, end_take },
	{ WIRE_EGRESS_FAIL, WIRE_FETCH_HEAD_MAX, fail_take },
	{ WIRE_EGRESS_ROOM, 0, room_take },
};

/* The row of this frame; NULL: egress says no such thing. */
static const struct taker *
taker_find(const struct wire_frame *frame)
{
	for (size_t i = 0; i < ARRAY_LEN(takers); i++)
		if (takers[i].type == frame->type)
			return frame->len <= takers[i].len_max ? &takers[i]
							       : NULL;
	return NULL;
}

/* What is said of one that was cancelled is on its way still. */
static bool
frame_take(struct fetching *fetching, const struct wire_frame *frame,
    const char *raw_bytes)
{
	const struct taker *taker = taker_find(frame);
	struct fetch_one *one = one_find(fetching, frame->reserved);

	if (taker == NULL)
		return false;
	if (one == NULL)
		return frame->reserved <= fetching->last_number;
	return taker->take(one, frame, raw_bytes);
}

/* All whole frames; the rest stays. */
static void
frames_take(struct fetching *fetching)
{
	struct json_out *in = &fetching->in;
	struct wire_frame frame;
	size_t at = 0;

	while (!fetching->is_lost && !fetching->is_freed &&
	    in->len - at >= sizeof(frame)) {
		memcpy(&frame, in->bytes + at, sizeof(frame));
		if (taker_find(&frame) == NULL) {
			fetching->is_lost = true;
			return;
		}
		if (in->len - at - sizeof(frame) < frame.len)
			break;
		if (!frame_take(
			fetching, &frame, in->bytes + at + sizeof(frame)))
			fetching->is_lost = true;
		at += sizeof(frame) + frame.len;
	}
	if (at > 0)
		memmove(in->bytes, in->bytes + at, in->len - at);
	in->len -= at;
	if (in->len == 0 && in->capacity > KEPT_MAX)
		json_out_fini(in);
}

static void
all_lose(struct fetching *fetching)
{
	struct fetch_one *one;

	event_del(fetching->readable);
	event_del(fetching->writable);
	while (!fetching->is_freed && (one = fetching->ones) != NULL)
		one_over(one, WIRE_EGRESS_INTERNAL,
		    "the host's way out has ended; it is started again");
	if (!fetching->is_freed)
		fetching->lost(fetching->arg);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static char raw_bytes[READ_MAX];
	struct fetching *fetching = arg;

	(void)what;
	fetching->is_reading = true;
	const ssize_t n = fetching->is_lost
	    ? 0
	    : recv(fd, raw_bytes, sizeof(raw_bytes), MSG_DONTWAIT);
	if (n > 0) {
		json_out_raw(&fetching->in, raw_bytes, (size_t)n);
		if (json_out_status(&fetching->in) != 0)
			fetching->is_lost = true;
		frames_take(fetching);
		if (!fetching->is_freed)
			flush(fetching);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		fetching->is_lost = true;
	}
	if (fetching->is_lost && !fetching->is_freed)
		all_lose(fetching);
	fetching->is_reading = false;
	if (fetching->is_freed)
		memory_free(fetching);
}

/* ---- begin and end -------------------------------------------------------- */

int
fetching_new(struct fetching **fetchingp, struct event_base *base, int raw_fd,
    fetching_lost_fn *lost, void *arg)
{
	auto_close int fd = raw_fd;
	struct fetching *fetching = calloc(1, sizeof(*fetching));

	if (fetching == NULL)
		return -ENOMEM;
	*fetching = (struct fetching){ .fd = -1, .lost = lost, .arg = arg };
	json_out_init(&fetching->in, 4 * READ_MAX);
	json_out_init(&fetching->out, OUT_MAX);
	fetching->readable =
	    event_new(base, fd, EV_READ | EV_PERSIST, on_readable, fetching);
	fetching->writable =
	    event_new(base, fd, EV_WRITE, on_writable, fetching);
	if (fetching->readable == NULL || fetching->writable == NULL ||
	    event_add(fetching->readable, NULL) != 0) {
		fetching_free(fetching);
		return -ENOMEM;
	}
	fetching->fd = fd_steal(&fd);
	*fetchingp = fetching;
	return 0;
}

void
fetching_principal_set(struct fetching *fetching, uint32_t principal)
{
	frame_put(fetching, WIRE_EGRESS_PRINCIPAL, 0, principal, NULL, 0);
	flush(fetching);
}

static void
head_write(struct json_out *out, const struct fetching_request *request)
{
	json_out_raw(out, request->method, strlen(request->method) + 1);
	json_out_raw(out, request->url, strlen(request->url) + 1);
	json_out_raw(out, request->headers, request->headers_len);
}

static int
one_send(struct fetch_one *one, const struct fetching_request *request)
{
	struct json_out head;

	if (request->body != NULL) {
		one->body = malloc(request->body_len + 1);
		if (one->body == NULL)
			return -ENOMEM;
		memcpy(one->body, request->body, request->body_len);
		one->body_len = request->body_len;
	}
	json_out_init(&head, WIRE_FETCH_HEAD_MAX);
	head_write(&head, request);
	int r = json_out_status(&head);
	if (r == 0) {
		frame_put(one->fetching, WIRE_EGRESS_FETCH, one->number,
		    request->flags |
			(request->body != NULL ? WIRE_FETCH_BODY : 0u),
		    head.bytes, head.len);
		flush(one->fetching);
	} else if (r == JSON_E_TOO_LONG) {
		r = -E2BIG;
	}
	json_out_fini(&head);
	return r;
}

int
fetching_start(struct fetching *fetching,
    const struct fetching_request *request, const struct fetching_ops *ops,
    void *arg, struct fetch_one **onep)
{
	if (fetching->is_lost)
		return -EPIPE;
	if (fetching->n_ones >= WIRE_FETCH_OPEN_MAX)
		return -EAGAIN;
	struct fetch_one *one = calloc(1, sizeof(*one));
	if (one == NULL)
		return -ENOMEM;
	*one = (struct fetch_one){ .next = fetching->ones,
		.fetching = fetching,
		.number = ++fetching->last_number,
		.ops = ops,
		.arg = arg,
		.room = WIRE_FETCH_WINDOW };
	fetching->ones = one;
	fetching->n_ones++;
	const int r = one_send(one, request);
	if (r != 0) {
		one_free(one);
		return r;
	}
	*onep = one;
	return 0;
}

void
fetching_cancel(struct fetch_one *one)
{
	struct fetching *fetching = one->fetching;
	const uint32_t number = one->number;

	one_free(one);
	frame_put(fetching, WIRE_EGRESS_CANCEL, number, 0, NULL, 0);
	flush(fetching);
}

const char *
fetching_header(const char *headers, size_t len, const char *name)
{
	const char *at = headers, *end = headers + len;

	while (at < end) {
		const char *value = at + strlen(at) + 1;
		if (strcasecmp(at, name) == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}
