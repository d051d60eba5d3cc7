/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store asks, over the stream of its records: it has no network, and
 * what it signs in with is for nobody else's eyes. A question is a fetch whose
 * whole answer is told in one frame.
 *
 * A store that does not read has no more than WIRE_ASKS_MAX answers kept for
 * it: until one has left, its question counts as under way.
 */
#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "egress/fetch.h"

/* One frame that leaves, as far as the store has room. */
struct out {
	struct out *next;
	size_t size; /* of `bytes`: wiped, there may be tokens in it */
	size_t len;
	size_t sent;
	bool is_answer;
	uint8_t bytes[];
};

/* Under way. The answer is collected where it will leave from. */
struct ask {
	struct ask *next;
	struct asks *asks;
	struct fetch *fetch; /* NULL: while it starts */
	struct out *out;
	uint32_t number;
	struct wire_egress_told told;
};

/* What was told of lately. */
struct rejected {
	uint64_t ms;
	struct wire_egress_rejected told;
};

#define REJECTED_MAX WIRE_LOGINS_MAX
#define REJECTED_MS 1000u

struct asks {
	struct egress *egress;
	int fd; /* -1: there is no store */
	struct event *writable;
	struct ask *open;
	unsigned n; /* open, or not yet on their way */
	struct out *first;
	struct out **last;
	struct rejected rejected[REJECTED_MAX]; /* a ring */
	unsigned n_rejected;
};

#define FRONT (sizeof(struct wire_frame) + sizeof(struct wire_egress_told))
#define ANSWER_MAX (FRONT + WIRE_ASK_HEAD_MAX + WIRE_ASK_BODY_MAX)

/* ---- out ------------------------------------------------------------------ */

static struct out *
out_new(size_t size)
{
	struct out *out = malloc(sizeof(*out) + size);

	if (out != NULL)
		*out = (struct out){ .size = size };
	return out;
}

static struct out *
out_free(struct out *out)
{
	if (out == NULL)
		return NULL;
	sodium_memzero(out->bytes, out->size);
	free(out);
	return NULL;
}

static void
first_drop(struct asks *asks)
{
	struct out *out = asks->first;

	asks->first = out->next;
	if (asks->first == NULL)
		asks->last = &asks->first;
	asks->n -= out->is_answer;
	out_free(out);
}

/* That it is gone is heard where its records come from. */
static void
flush(struct asks *asks)
{
	while (asks->first != NULL) {
		struct out *out = asks->first;
		const ssize_t n = send(asks->fd, out->bytes + out->sent,
		    out->len - out->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			event_add(asks->writable, NULL);
		if (n < 0)
			return;
		out->sent += (size_t)n;
		if (out->sent == out->len)
			first_drop(asks);
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

static void
out_take(struct asks *asks, struct out *out)
{
	*asks->last = out;
	asks->last = &out->next;
	flush(asks);
}

/* ---- answers -------------------------------------------------------------- */

static void
ask_free(struct ask *ask)
{
	struct ask **at = &ask->asks->open;

	while (*at != ask)
		at = &(*at)->next;
	*at = ask->next;
	out_free(ask->out);
	free(ask);
}

/* Of what fetch.c bounds already; at most what there is room for. */
static void
collect(struct ask *ask, uint32_t *len, const void *bytes, size_t n)
{
	const size_t at = FRONT + ask->told.head_len + ask->told.body_len;

	if (n > ask->out->size - at)
		n = ask->out->size - at;
	memcpy(ask->out->bytes + at, bytes, n);
	*len += (uint32_t)n;
}

static void
on_head(void *arg, unsigned status, const char *url, const char *headers,
    size_t len)
{
	struct ask *ask = arg;

	(void)url;
	ask->told.status = status;
	collect(ask, &ask->told.head_len, headers, len);
}

static bool
on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct ask *ask = arg;

	collect(ask, &ask->told.body_len, bytes, len);
	return true;
}

/* All of the body is there from the start. */
static void
on_want(void *arg, size_t len)
{
	(void)arg;
	(void)len;
}

static void
on_over(void *arg, enum wire_egress_end end, const char *text)
{
	struct ask *ask = arg;
	struct asks *asks = ask->asks;
	struct out *out = steal_ptr(&ask->out);

	if (end != WIRE_EGRESS_OK) {
		ask->told = (struct wire_egress_told){ .status = 0 };
		ask->out = out;
		collect(ask, &ask->told.body_len, text, strlen(text));
		ask->out = NULL;
	}
	out->len = FRONT + ask->told.head_len + ask->told.body_len;
	const struct wire_frame frame = { .type = WIRE_EGRESS_TOLD,
		.len = (uint32_t)(out->len - sizeof(frame)),
		.code = (int32_t)end,
		.reserved = ask->number };
	memcpy(out->bytes, &frame, sizeof(frame));
	memcpy(out->bytes + sizeof(frame), &ask->told, sizeof(ask->told));
	out->is_answer = true;
	ask_free(ask);
	out_take(asks, out);
}

static const struct fetch_ops ops = {
	.head = on_head, .data = on_data, .want = on_want, .over = on_over
};

/* ---- questions ------------------------------------------------------------ */

static bool
number_is_used(const struct asks *asks, uint32_t number)
{
	for (const struct ask *ask = asks->open; ask != NULL; ask = ask->next)
		if (ask->number == number)
			return true;
	return false;
}

static const char *
complaint_of(const struct asks *asks, const struct wire_frame *frame,
    const struct wire_egress_ask *ask, const uint8_t *head)
{
	if (ask->head_len > WIRE_ASK_HEAD_MAX ||
	    ask->body_len > WIRE_ASK_BODY_MAX)
		return "a question is longer than any may be";
	if (frame->len != sizeof(*ask) + ask->head_len + ask->body_len ||
	    !caller_is_request(head, ask->head_len))
		return "a question is malformed";
	if (asks->n >= WIRE_ASKS_MAX)
		return "more is asked at once than may be";
	return number_is_used(asks, frame->reserved)
	    ? "a question has the number of another"
	    : NULL;
}

static struct ask *
ask_new(struct asks *asks, uint32_t number)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	struct out *out = out_new(ANSWER_MAX);

	if (ask == NULL || out == NULL) {
		free(ask);
		out_free(out);
		return NULL;
	}
	*ask = (struct ask){
		.next = asks->open, .asks = asks, .out = out, .number = number
	};
	asks->open = ask;
	asks->n++;
	return ask;
}

static void
ask_start(struct ask *ask, struct server *server,
    const struct wire_egress_ask *asked, const uint8_t *bytes)
{
	const char *method = (const char *)bytes;
	const char *url = method + strlen(method) + 1;
	const char *headers = url + strlen(url) + 1;
	const struct fetch_request request = { .server = server,
		.unit = { .principal = asked->principal },
		.method = method,
		.url = url,
		.headers = headers,
		.headers_len = asked->head_len - (size_t)(headers - method),
		.flags = WIRE_FETCH_REDIRECT_FAILS |
		    (asked->body_len > 0 ? WIRE_FETCH_BODY : 0),
		.body_len = asked->body_len,
		.is_ask = true };

	struct fetch *fetch =
	    fetch_start(ask->asks->egress, &request, &ops, ask);
	if (fetch == NULL)
		return; /* it is told already */
	ask->fetch = fetch;
	if (asked->body_len > 0) {
		fetch_write(fetch, bytes + asked->head_len, asked->body_len);
		fetch_write_end(fetch);
	}
}

const char *
asks_take(
    struct asks *asks, const struct wire_frame *frame, const uint8_t *bytes)
{
	struct wire_egress_ask asked;

	if (frame->len < sizeof(asked))
		return "a question is malformed";
	memcpy(&asked, bytes, sizeof(asked));
	bytes += sizeof(asked);
	const char *complaint = complaint_of(asks, frame, &asked, bytes);
	if (complaint != NULL)
		return complaint;
	struct ask *ask = ask_new(asks, frame->reserved);
	if (ask == NULL)
		return "out of memory";
	struct server *server =
	    server_hold(asks->egress->servers, asked.deployment);
	if (server == NULL)
		on_over(ask, WIRE_EGRESS_NO_RULE,
		    "this server may reach nothing: it was taken away, or not "
		    "approved");
	else
		ask_start(ask, server, &asked, bytes);
	server_release(server);
	return NULL;
}

/* ---- rejections ----------------------------------------------------------- */

static bool
was_told(struct asks *asks, const struct wire_egress_rejected *told)
{
	const uint64_t now = fetch_now_ms();

	for (unsigned i = 0; i < REJECTED_MAX; i++) {
		const struct rejected *before = &asks->rejected[i];
		if (before->ms + REJECTED_MS > now &&
		    memcmp(&before->told, told, sizeof(*told)) == 0)
			return true;
	}
	asks->rejected[asks->n_rejected++ % REJECTED_MAX] =
	    (struct rejected){ .ms = now, .told = *told };
	return false;
}

/* One that was replaced since is no news, and who hears of nothing is told no
 * more. */
void
asks_reject(struct asks *asks, const struct server *server,
    const struct wire_egress_secret *secret)
{
	const struct wire_frame frame = { .type = WIRE_EGRESS_REJECTED,
		.len = sizeof(struct wire_egress_rejected) };
	struct wire_egress_rejected told = { .deployment = server->id,
		.principal = secret->principal };

	memcpy(told.name, secret->name, strlen(secret->name));
	if (asks->fd < 0 || asks->first != NULL ||
	    !server_has(asks->egress->servers, server, secret) ||
	    was_told(asks, &told))
		return;
	struct out *out = out_new(sizeof(frame) + sizeof(told));
	if (out == NULL)
		return;
	out->len = out->size;
	memcpy(out->bytes, &frame, sizeof(frame));
	memcpy(out->bytes + sizeof(frame), &told, sizeof(told));
	out_take(asks, out);
}

/* ---- the stream ----------------------------------------------------------- */

int
asks_new(struct asks **asksp, struct egress *egress)
{
	struct asks *asks = calloc(1, sizeof(*asks));
	if (asks == NULL)
		return -ENOMEM;
	*asks = (struct asks){ .egress = egress, .fd = -1 };
	asks->last = &asks->first;
	*asksp = asks;
	return 0;
}

struct asks *
asks_free(struct asks *asks)
{
	if (asks != NULL)
		asks_end(asks);
	free(asks);
	return NULL;
}

int
asks_start(struct asks *asks, int stream_fd)
{
	asks->fd = stream_fd;
	asks->writable = event_new(
	    asks->egress->base, stream_fd, EV_WRITE, on_writable, asks);
	return asks->writable == NULL ? -ENOMEM : 0;
}

void
asks_end(struct asks *asks)
{
	while (asks->open != NULL) {
		if (asks->open->fetch != NULL)
			fetch_cancel(asks->open->fetch);
		ask_free(asks->open);
		asks->n--;
	}
	while (asks->first != NULL)
		first_drop(asks);
	if (asks->writable != NULL)
		event_free(asks->writable);
	asks->writable = NULL;
	asks->fd = -1;
}
