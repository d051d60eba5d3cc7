/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream of fetches: frames in, each for one fetch; frames out, as far as the
 * caller has room. Who breaks a rule of wire/egress.h loses the stream, and with
 * it what was under way; nobody else does.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "egress/egress.h"
#include "egress/pipe.h"

/* The longest frame: one that is not whole is shorter. */
#define READ_MAX (sizeof(struct wire_frame) + WIRE_FETCH_DATA_MAX)
#define FRAMES_A_TURN 64 /* then others have theirs */
/* Answers that a caller has not read, beyond which its fetches wait. */
#define OUT_MAX (512u << 10)

_Static_assert(
    WIRE_FETCH_HEAD_MAX <= WIRE_FETCH_DATA_MAX, "READ_MAX is of the longest");

struct caller {
	struct egress *egress;
	void (*left)(void *arg); /* tells who started it; NULL: nobody */
	void *arg;
	uint32_t deployment;
	struct egress_unit unit;
	bool is_gateway;
	bool is_busy; /* frames are being read: it is closed after that */
	bool is_over;
	bool is_sated; /* it does not read: we read no more either */
	unsigned frames; /* that may still be taken in this turn */
	int fd;
	struct event *readable;
	struct event *writable;
	struct evbuffer *in;
	struct evbuffer *out; /* behind what is left of a frame in the pipe */
	struct pipe pipe; /* of large answers, of one call at a time */
	struct call *piper; /* whose pipe it is; NULL */
	size_t piped; /* of it, announced by a frame's head that is out */
	struct call *calls;
	uint32_t n_calls;
	bool has_allowance;
	uint32_t allowance; /* requests that it may still make */
};

/* One fetch of it. */
struct call {
	struct call *next;
	struct caller *caller;
	struct fetch *fetch; /* NULL: while it starts */
	uint32_t number;
	bool has_body; /* more of it comes */
	bool is_complete; /* over, but for what is held */
	bool is_stopped; /* the fetch was told to stop */
	size_t room; /* of the answer, at the caller's */
	struct evbuffer *held; /* of the answer, beyond the room */
};

static void caller_close(struct caller *caller);

/* ---- out ------------------------------------------------------------------ */

static void on_writable(evutil_socket_t fd, short what, void *arg);

static void
frame_put(struct caller *caller, uint32_t type, uint32_t number, int32_t code,
    const void *bytes, size_t len)
{
	const struct wire_frame head = { .type = type,
		.len = (uint32_t)len,
		.code = code,
		.reserved = number };

	if (evbuffer_add(caller->out, &head, sizeof(head)) != 0 ||
	    evbuffer_add(caller->out, bytes, len) != 0)
		caller->is_over = true;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* As much of what is held as there is room for. */
static void
held_put(struct call *call)
{
	size_t len;

	while ((len = least(least(evbuffer_get_length(call->held), call->room),
		    WIRE_FETCH_DATA_MAX)) > 0) {
		const struct wire_frame head = { .type = WIRE_EGRESS_DATA,
			.len = (uint32_t)len,
			.reserved = call->number };
		if (evbuffer_add(call->caller->out, &head, sizeof(head)) != 0 ||
		    evbuffer_remove_buffer(call->held, call->caller->out, len) <
			0)
			call->caller->is_over = true;
		call->room -= len;
	}
}

static bool
pipe_flush(struct caller *caller)
{
	const int n = pipe_drain(&caller->pipe, caller->fd, caller->piped);

	if (n < 0)
		return false;
	caller->piped -= (size_t)n;
	/* Its call is gone, and what it left is nobody's. */
	if (caller->piped == 0 && caller->piper == NULL)
		pipe_close(&caller->pipe);
	return true;
}

/* As held_put(), of the pipe: a frame's head, then its bytes, uncopied. */
static void
pipe_put(struct call *call)
{
	struct caller *caller = call->caller;
	size_t len;

	while (caller->piper == call && caller->piped == 0 &&
	    evbuffer_get_length(call->held) == 0 &&
	    evbuffer_get_length(caller->out) == 0 &&
	    (len = least(least(caller->pipe.len, call->room),
		 WIRE_FETCH_DATA_MAX)) > 0) {
		const struct wire_frame head = { .type = WIRE_EGRESS_DATA,
			.len = (uint32_t)len,
			.reserved = call->number };
		/* Whole or not at all: unix(7), and a socket with room for it. */
		const ssize_t n = send(caller->fd, &head, sizeof(head),
		    MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
		if (n < 0 && errno == EAGAIN) {
			event_add(caller->writable, NULL);
			return;
		}
		if (n != (ssize_t)sizeof(head)) {
			caller->is_over = true;
			return;
		}
		call->room -= len;
		caller->piped = len;
		if (!pipe_flush(caller))
			caller->is_over = true;
	}
}

static size_t
backlog(const struct caller *caller)
{
	return evbuffer_get_length(caller->out) + caller->pipe.len;
}

static bool
call_has_room(const struct call *call)
{
	return call->room > 0 && evbuffer_get_length(call->held) == 0 &&
	    (call->caller->piper != call || call->caller->pipe.len == 0) &&
	    evbuffer_get_length(call->caller->out) < OUT_MAX;
}

static void
call_free(struct call *call)
{
	struct call **at = &call->caller->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	if (call->caller->piper == call)
		call->caller->piper = NULL;
	call->caller->n_calls--;
	evbuffer_free(call->held);
	free(call);
}

static bool
call_is_out(const struct call *call)
{
	const struct caller *caller = call->caller;

	return evbuffer_get_length(call->held) == 0 &&
	    (caller->piper != call || caller->pipe.len == caller->piped);
}

/* What can move, moves; a fetch that waited for room goes on. */
static void
call_move(struct call *call)
{
	held_put(call);
	pipe_put(call);
	if (call->is_complete && call_is_out(call)) {
		frame_put(
		    call->caller, WIRE_EGRESS_END, call->number, 0, NULL, 0);
		call_free(call);
	} else if (call->is_stopped && call_has_room(call)) {
		call->is_stopped = false;
		fetch_resume(call->fetch);
	}
}

/* Writes what there is. False: the caller is gone. */
static bool
caller_flush(struct caller *caller)
{
	if (!pipe_flush(caller))
		return false;
	if (caller->piped > 0) {
		event_add(caller->writable, NULL);
		return true;
	}
	while (evbuffer_get_length(caller->out) > 0) {
		const int n = evbuffer_write(caller->out, caller->fd);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			event_add(caller->writable, NULL);
			return true;
		}
		if (n <= 0)
			return false;
	}
	return true;
}

static bool
has_waiting(const struct caller *caller)
{
	for (const struct call *call = caller->calls; call != NULL;
	     call = call->next)
		if (call->is_stopped || call->is_complete)
			return true;
	return false;
}

/* After whatever happened to a caller; it may be gone then. */
static void
caller_settle(struct caller *caller)
{
	const size_t len = backlog(caller);

	if (caller->is_busy)
		return;
	if (caller->is_over || !caller_flush(caller)) {
		caller_close(caller);
		return;
	}
	/* There is room again for what stopped for the want of it. */
	if (backlog(caller) < len && (caller->is_sated || has_waiting(caller)))
		event_active(caller->writable, EV_WRITE, 1);
}

/* When all that is there to be done now is done: what belongs to one answer
 * then leaves in one piece. */
static void
caller_settle_soon(struct caller *caller)
{
	if (!caller->is_busy)
		event_active(caller->writable, EV_WRITE, 1);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct caller *caller = arg;

	(void)fd;
	(void)what;
	caller->is_busy = true;
	if (!caller_flush(caller))
		caller->is_over = true;
	for (struct call *call = caller->calls, *next; call != NULL;
	     call = next) {
		next = call->next;
		call_move(call);
	}
	if (caller->is_sated &&
	    evbuffer_get_length(caller->out) < OUT_MAX / 2) {
		caller->is_sated = false;
		event_add(caller->readable, NULL);
		event_active(caller->readable, EV_READ, 1);
	}
	caller->is_busy = false;
	caller_settle(caller);
}

/* ---- what a fetch says ---------------------------------------------------- */

static void
on_head(void *arg, unsigned status, const char *url, const char *headers,
    size_t len)
{
	struct call *call = arg;
	struct caller *caller = call->caller;
	const size_t url_size = strlen(url) + 1;
	const struct wire_frame head = { .type = WIRE_EGRESS_HEAD,
		.len = (uint32_t)(url_size + len),
		.code = (int32_t)status,
		.reserved = call->number };

	if (evbuffer_add(caller->out, &head, sizeof(head)) != 0 ||
	    evbuffer_add(caller->out, url, url_size) != 0 ||
	    evbuffer_add(caller->out, headers, len) != 0)
		caller->is_over = true;
	caller_settle_soon(caller);
}

static bool
on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct call *call = arg;

	if (evbuffer_add(call->held, bytes, len) != 0)
		call->caller->is_over = true;
	held_put(call);
	call->is_stopped = !call_has_room(call);
	const bool goes_on = !call->is_stopped;
	caller_settle_soon(call->caller);
	return goes_on;
}

static struct pipe *
on_pipe(void *arg)
{
	struct call *call = arg;
	struct caller *caller = call->caller;

	/* What a call that is gone left there must be out first. */
	if (caller->piper != NULL || caller->pipe.is_open ||
	    !pipe_open(&caller->pipe))
		return NULL;
	caller->pipe.is_pinned = true;
	caller->piper = call;
	return &caller->pipe;
}

static bool
on_piped(void *arg)
{
	struct call *call = arg;

	pipe_put(call);
	call->is_stopped = !call_has_room(call);
	const bool goes_on = !call->is_stopped;
	caller_settle_soon(call->caller);
	return goes_on;
}

static void
on_want(void *arg, size_t len)
{
	struct call *call = arg;

	frame_put(call->caller, WIRE_EGRESS_ROOM, call->number, (int32_t)len,
	    NULL, 0);
	caller_settle(call->caller);
}

static void
on_over(void *arg, enum wire_egress_end end, const char *text)
{
	struct call *call = arg;
	struct caller *caller = call->caller;

	call->fetch = NULL;
	call->is_stopped = false;
	if (end == WIRE_EGRESS_OK) {
		call->is_complete = true;
		call_move(call);
	} else {
		frame_put(caller, WIRE_EGRESS_FAIL, call->number, (int32_t)end,
		    text, strlen(text));
		call_free(call);
	}
	caller_settle(caller);
}

static const struct fetch_ops ops = { on_head, on_data, on_pipe, on_piped,
	on_want, on_over };

/* ---- what the caller says ------------------------------------------------- */

static struct call *
call_find(const struct caller *caller, uint32_t number)
{
	for (struct call *call = caller->calls; call != NULL; call = call->next)
		if (call->number == number)
			return call;
	return NULL;
}

static void
refuse(struct caller *caller, uint32_t number, enum wire_egress_end end,
    const char *text)
{
	frame_put(
	    caller, WIRE_EGRESS_FAIL, number, (int32_t)end, text, strlen(text));
}

static struct call *
call_new(struct caller *caller, const struct wire_frame *frame)
{
	struct call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return NULL;
	call->held = evbuffer_new();
	if (call->held == NULL) {
		free(call);
		return NULL;
	}
	call->caller = caller;
	call->number = frame->reserved;
	call->room = WIRE_FETCH_WINDOW;
	call->has_body = (frame->code & WIRE_FETCH_BODY) != 0;
	call->next = caller->calls;
	caller->calls = call;
	caller->n_calls++;
	return call;
}

/* The length that the caller gives its body; it is checked when it is sent. */
static uint64_t
body_len_of(const char *headers, size_t len)
{
	for (const char *at = headers; at < headers + len;) {
		const char *value = at + strlen(at) + 1;
		char *end;
		if (strcasecmp(at, "content-length") == 0 && *value >= '0' &&
		    *value <= '9' && strlen(value) < 19) {
			const uint64_t n = strtoull(value, &end, 10);
			if (*end == '\0')
				return n;
		}
		at = value + strlen(value) + 1;
	}
	return UINT64_MAX;
}

bool
caller_is_request(const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	if (len == 0 || bytes[len - 1] != '\0')
		return false;
	for (size_t i = 0; i < len; i++)
		n += bytes[i] == '\0';
	return n >= 2 && n % 2 == 0;
}

/* NULL: it may not begin. */
static const char *
fetch_complaint(struct caller *caller, const struct server *server)
{
	if (server == NULL)
		return "this server may reach nothing: it was taken away, or "
		       "not approved";
	if (!caller->has_allowance)
		caller->allowance = server->head.budget.per_caller;
	caller->has_allowance = true;
	if (caller->n_calls >= WIRE_FETCH_OPEN_MAX)
		return "64 requests of this call are under way";
	return !caller->is_gateway && caller->allowance == 0
	    ? "the requests of this call are spent (network.perCall)"
	    : NULL;
}

static bool
fetch_begin(struct caller *caller, struct server *server,
    const struct wire_frame *frame, const uint8_t *bytes)
{
	struct call *call = call_new(caller, frame);
	if (call == NULL)
		return false;
	const char *method = (const char *)bytes;
	const char *url = method + strlen(method) + 1;
	const char *headers = url + strlen(url) + 1;
	const size_t headers_len =
	    frame->len - (size_t)(headers - (const char *)bytes);
	const struct fetch_request request = { .server = server,
		.unit = caller->unit,
		.method = method,
		.url = url,
		.headers = headers,
		.headers_len = headers_len,
		.flags = (unsigned)frame->code,
		.body_len = body_len_of(headers, headers_len),
		.allowance = caller->is_gateway ? NULL : &caller->allowance };
	struct fetch *fetch = fetch_start(caller->egress, &request, &ops, call);
	if (fetch != NULL)
		call->fetch = fetch;
	return true;
}

static bool
fetch_take(
    struct caller *caller, const struct wire_frame *frame, const uint8_t *bytes)
{
	const int known = WIRE_FETCH_BODY | WIRE_FETCH_FOLLOW |
	    WIRE_FETCH_REDIRECT_FAILS |
	    (caller->is_gateway ? WIRE_FETCH_LONG : 0);

	if (!caller_is_request(bytes, frame->len) ||
	    (frame->code & ~known) != 0 ||
	    call_find(caller, frame->reserved) != NULL)
		return false;
	struct server *server =
	    server_hold(caller->egress->servers, caller->deployment);
	const char *complaint = fetch_complaint(caller, server);
	bool is_good = true;
	if (caller->has_allowance && caller->allowance > 0)
		caller->allowance--; /* whatever comes of it */
	if (complaint != NULL)
		refuse(caller, frame->reserved,
		    server == NULL ? WIRE_EGRESS_NO_RULE : WIRE_EGRESS_BUDGET,
		    complaint);
	else
		is_good = fetch_begin(caller, server, frame, bytes);
	server_release(server);
	return is_good;
}

/* What is over on our side may still be spoken of on the other's: passed over. */
static bool
body_take(
    struct caller *caller, const struct wire_frame *frame, const uint8_t *bytes)
{
	struct call *call = call_find(caller, frame->reserved);

	if (call == NULL || call->fetch == NULL)
		return true;
	if (!call->has_body)
		return false;
	if (frame->len > 0)
		return fetch_write(call->fetch, bytes, frame->len);
	call->has_body = false;
	fetch_write_end(call->fetch);
	return true;
}

static bool
room_take(
    struct caller *caller, const struct wire_frame *frame, const uint8_t *bytes)
{
	struct call *call = call_find(caller, frame->reserved);

	(void)bytes;
	if (frame->code < 0 || frame->code > (int32_t)WIRE_FETCH_ROOM_MAX)
		return false;
	if (call == NULL)
		return true;
	call->room += (size_t)frame->code;
	if (call->room > WIRE_FETCH_ROOM_MAX)
		return false;
	call_move(call);
	return true;
}

static bool
cancel_take(
    struct caller *caller, const struct wire_frame *frame, const uint8_t *bytes)
{
	struct call *call = call_find(caller, frame->reserved);

	(void)bytes;
	if (call == NULL)
		return true;
	if (call->fetch != NULL)
		fetch_cancel(call->fetch);
	call_free(call);
	return true;
}

static bool
principal_take(
    struct caller *caller, const struct wire_frame *frame, const uint8_t *bytes)
{
	(void)bytes;
	caller->unit.principal = (uint32_t)frame->code;
	return caller->is_gateway;
}

static const struct take {
	uint32_t type;
	uint32_t len_max;
	bool (*take)(
	    struct caller *, const struct wire_frame *, const uint8_t *);
} takes[] = {
	{ WIRE_EGRESS_FETCH, WIRE_FETCH_HEAD_MAX, fetch_take },
	{ WIRE_EGRESS_BODY, WIRE_FETCH_DATA_MAX, body_take },
	{ WIRE_EGRESS_ROOM, 0, room_take },
	{ WIRE_EGRESS_CANCEL, 0, cancel_take },
	{ WIRE_EGRESS_PRINCIPAL, 0, principal_take },
};

static const struct take *
take_find(const struct wire_frame *frame)
{
	for (size_t i = 0; i < ARRAY_LEN(takes); i++)
		if (takes[i].type == frame->type)
			return frame->len <= takes[i].len_max ? &takes[i]
							      : NULL;
	return NULL;
}

/* Every frame that is whole, as many as a turn has. False: one that may not be
 * said. */
static bool
frames_take(struct caller *caller)
{
	struct wire_frame frame;

	while (!caller->is_over && caller->frames > 0 &&
	    evbuffer_get_length(caller->out) < OUT_MAX &&
	    evbuffer_copyout(caller->in, &frame, sizeof(frame)) ==
		(ssize_t)sizeof(frame)) {
		const struct take *take = take_find(&frame);
		if (take == NULL)
			return false;
		const size_t size = sizeof(frame) + frame.len;
		if (evbuffer_get_length(caller->in) < size)
			return true;
		const uint8_t *bytes =
		    evbuffer_pullup(caller->in, (ev_ssize_t)size);
		if (bytes == NULL ||
		    !take->take(caller, &frame, bytes + sizeof(frame)))
			return false;
		evbuffer_drain(caller->in, size);
		caller->frames--;
	}
	return true;
}

/* False: it left, or said what may not be said. */
static bool
caller_hear(struct caller *caller)
{
	if (!frames_take(caller))
		return false;
	if (evbuffer_get_length(caller->in) >= READ_MAX)
		return true;
	const int n = evbuffer_read(caller->in, caller->fd, (int)READ_MAX);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return n > 0 && frames_take(caller);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct caller *caller = arg;

	(void)fd;
	(void)what;
	caller->is_busy = true;
	caller->frames = FRAMES_A_TURN;
	if (!caller_hear(caller))
		caller->is_over = true;
	/* Answers pile up that it does not read: what it says waits. */
	caller->is_sated = evbuffer_get_length(caller->out) >= OUT_MAX;
	if (caller->is_sated)
		event_del(caller->readable);
	else if (caller->frames == 0)
		event_active(caller->readable, EV_READ, 1);
	caller->is_busy = false;
	caller_settle(caller);
}

static void
caller_close(struct caller *caller)
{
	caller->is_busy = true; /* what is cancelled says nothing more */
	while (caller->calls != NULL) {
		if (caller->calls->fetch != NULL)
			fetch_cancel(caller->calls->fetch);
		call_free(caller->calls);
	}
	if (caller->readable != NULL)
		event_free(caller->readable);
	if (caller->writable != NULL)
		event_free(caller->writable);
	if (caller->in != NULL)
		evbuffer_free(caller->in);
	if (caller->out != NULL)
		evbuffer_free(caller->out);
	pipe_close(&caller->pipe);
	close(caller->fd);
	if (caller->left != NULL)
		caller->left(caller->arg);
	free(caller);
}

void
caller_start(struct egress *egress, int stream_fd, uint32_t deployment,
    const struct egress_unit *unit, bool is_gateway, void (*left)(void *arg),
    void *arg)
{
	struct caller *caller = calloc(1, sizeof(*caller));
	if (caller == NULL) {
		close(stream_fd);
		if (left != NULL)
			left(arg);
		return;
	}
	caller->egress = egress;
	caller->left = left;
	caller->arg = arg;
	caller->fd = stream_fd;
	caller->unit = *unit;
	caller->is_gateway = is_gateway;
	caller->deployment = deployment;
	evutil_make_socket_nonblocking(stream_fd);
	/* As far as the host's net.core.wmem_max lets it. */
	setsockopt(stream_fd, SOL_SOCKET, SO_SNDBUF,
	    &(int){ WIRE_FETCH_ROOM_MAX }, sizeof(int));
	caller->in = evbuffer_new();
	caller->out = evbuffer_new();
	caller->readable = event_new(
	    egress->base, stream_fd, EV_READ | EV_PERSIST, on_readable, caller);
	caller->writable =
	    event_new(egress->base, stream_fd, EV_WRITE, on_writable, caller);
	if (caller->in == NULL || caller->out == NULL ||
	    caller->readable == NULL || caller->writable == NULL ||
	    event_add(caller->readable, NULL) != 0)
		caller_close(caller);
}
