/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Everything that is said to the store is one run of whole frames, of which the
 * socket takes what it can. When the store goes away, the frame that it got a
 * part of, and the audit that it did not call durable, is said again to the
 * next one; what was asked is answered here.
 */

#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "gateway/store.h"

#define READ_MAX 65536u
#define READS_MAX 16 /* before other events get their turn */
#define KEEP_MAX (1u << 20) /* of a buffer that is empty */

struct asked {
	uint32_t id; /* 0: the place is free */
	size_t len;
	store_reply_fn *fn;
	void *arg;
};

/* Whole frames: [start, end) of the bytes. */
struct run {
	uint8_t *bytes; /* owned */
	size_t start;
	size_t end;
	size_t capacity;
};

struct store {
	struct gateway *gateway;
	int fd; /* -1: away */
	struct event *readable;
	struct event *writable; /* while the socket takes no more */
	struct event *flush; /* a timer */
	struct store_reader reader;
	struct run out; /* waiting to be sent */
	struct run held; /* audit that was sent, until it is durable */
	size_t out_part; /* bytes sent of the first frame of out */
	size_t audit_bytes; /* of audit in both */
	uint8_t boot[WIRE_BOOT];
	uint64_t sequence; /* of the last audit record */
	size_t asked_bytes;
	uint32_t next_id;
	struct asked asked[STORE_ASKED_MAX];
	struct store_counts counts;
};

static size_t
frame_size(const uint8_t *at)
{
	struct wire_frame head;

	memcpy(&head, at, sizeof(head));
	return sizeof(head) + head.len;
}

/* ---- runs of frames ------------------------------------------------------- */

/* Never more than half of it moves, so that each byte moves once on average. */
static int
run_reserve(struct run *run, size_t more)
{
	const size_t used = run->end - run->start;
	size_t capacity = run->capacity == 0 ? 4096 : run->capacity;

	if (run->capacity - run->end >= more)
		return 0;
	while (capacity / 2 < used + more)
		capacity *= 2;
	if (capacity > run->capacity) {
		uint8_t *bytes = realloc(run->bytes, capacity);
		if (bytes == NULL)
			return -ENOMEM;
		run->bytes = bytes;
		run->capacity = capacity;
	}
	if (used > 0)
		memmove(run->bytes, run->bytes + run->start, used);
	run->start = 0;
	run->end = used;
	return 0;
}

static void
run_put(struct run *run, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(run->bytes + run->end, bytes, len);
	run->end += len;
}

static void
run_drop(struct run *run, size_t len)
{
	run->start += len;
	if (run->start < run->end)
		return;
	run->start = run->end = 0;
	if (run->capacity > KEEP_MAX) {
		free(run->bytes);
		*run = (struct run){ 0 };
	}
}

/* ---- audit that was sent, until it is durable ----------------------------- */

/* Without memory it was sent once, and will not be sent again. */
static void
audit_hold(struct store *store, const uint8_t *frame, size_t size)
{
	if (run_reserve(&store->held, size) == 0)
		run_put(&store->held, frame, size);
	else
		store->audit_bytes -= size;
}

static uint64_t
sequence_of(const uint8_t *frame)
{
	struct wire_audit audit;

	memcpy(&audit, frame + sizeof(struct wire_frame), sizeof(audit));
	return audit.sequence;
}

static void
kept_take(struct store *store, const uint8_t *payload)
{
	struct run *held = &store->held;
	struct wire_kept kept;

	memcpy(&kept, payload, sizeof(kept));
	if (memcmp(kept.boot, store->boot, sizeof(kept.boot)) != 0)
		return;
	while (held->start < held->end &&
	    sequence_of(held->bytes + held->start) <= kept.sequence) {
		const size_t size = frame_size(held->bytes + held->start);
		store->audit_bytes -= size;
		run_drop(held, size);
	}
}

/* What the last store may not have kept is said first to the next one. */
static void
held_return(struct store *store)
{
	struct run *out = &store->out, *held = &store->held;
	const size_t waiting = out->end - out->start;

	if (held->start == held->end)
		return;
	if (run_reserve(held, waiting) != 0)
		return; /* without memory it was said once */
	run_put(held, out->bytes + out->start, waiting);
	free(out->bytes);
	*out = *held;
	*held = (struct run){ 0 };
}

/* ---- what waits ----------------------------------------------------------- */

/* The first frame that waits was sent. */
static void
frame_drop(struct store *store)
{
	const uint8_t *frame = store->out.bytes + store->out.start;
	struct wire_frame head;

	memcpy(&head, frame, sizeof(head));
	const size_t size = sizeof(head) + head.len;
	if (head.type == WIRE_STORE_AUDIT)
		audit_hold(store, frame, size);
	if (head.type == WIRE_STORE_ADMIN)
		store->asked_bytes -= size;
	run_drop(&store->out, size);
	store->out_part = 0;
}

/* What is said in one turn of the loop goes out together, after the turn. */
static void
flush_set(struct store *store)
{
	static const struct timeval at_once = { 0, 0 };

	if (!event_pending(store->writable, EV_WRITE, NULL) &&
	    !event_pending(store->flush, EV_TIMEOUT, NULL))
		event_add(store->flush, &at_once);
}

/* Appends a frame of two parts. -ENOMEM. */
static int
frame_say(struct store *store, const struct wire_frame *frame,
    const void *first, size_t first_len, const void *second, size_t second_len)
{
	struct wire_frame head = *frame;

	head.len = (uint32_t)(first_len + second_len);
	if (run_reserve(&store->out, sizeof(head) + head.len) != 0)
		return -ENOMEM;
	run_put(&store->out, &head, sizeof(head));
	run_put(&store->out, first, first_len);
	run_put(&store->out, second, second_len);
	if (store->fd >= 0)
		flush_set(store);
	return 0;
}

/* Everybody who waits for an answer gets this one. */
static void
asked_fail_all(struct store *store)
{
	static const char why[] =
	    "{\"error\":\"the store went away before it answered: look "
	    "whether it was done before you ask again\"}";

	for (size_t i = 0; i < STORE_ASKED_MAX; i++) {
		const struct asked asked = store->asked[i];
		store->asked[i] = (struct asked){ 0 };
		if (asked.id != 0)
			asked.fn(asked.arg, 503, why, sizeof(why) - 1);
	}
}

/* Questions are not asked twice: their askers were answered. */
static void
out_forget_asked(struct store *store)
{
	uint8_t *to = store->out.bytes + store->out.start;
	uint8_t *const end = store->out.bytes + store->out.end;

	for (uint8_t *at = to; at < end;) {
		struct wire_frame head;
		const size_t size = frame_size(at);
		memcpy(&head, at, sizeof(head));
		if (head.type != WIRE_STORE_ADMIN) {
			memmove(to, at, size);
			to += size;
		}
		at += size;
	}
	store->out.end = (size_t)(to - store->out.bytes);
	store->asked_bytes = 0;
}

static void
store_lose(struct store *store, const char *why)
{
	if (store->fd < 0)
		return;
	log_line(LOG_WARN, 0,
	    "the store is away (%s): serving on with what "
	    "is known",
	    why);
	event_del(store->readable);
	event_del(store->writable);
	event_del(store->flush);
	close(fd_steal(&store->fd));
	store_reader_fini(&store->reader);
	store->out_part = 0;
	held_return(store);
	if (store->out.bytes != NULL)
		out_forget_asked(store);
	asked_fail_all(store);
}

static void
reply_take(
    struct store *store, const struct wire_frame *frame, const uint8_t *payload)
{
	for (size_t i = 0; i < STORE_ASKED_MAX; i++) {
		const struct asked asked = store->asked[i];
		if (asked.id == 0 || asked.id != frame->reserved)
			continue;
		store->asked[i] = (struct asked){ 0 };
		asked.fn(asked.arg,
		    frame->code >= 200 && frame->code <= 599
			? (unsigned)frame->code
			: 502,
		    (const char *)payload, frame->len);
		return;
	}
}

static void
tell_ended(void *arg, const struct wire_ended *ended)
{
	store_session_end(arg, ended);
}

static int
on_frame(void *arg, const struct wire_frame *frame, const uint8_t *payload)
{
	struct store *store = arg;
	struct err err = { 0 };

	if (frame->type == WIRE_STORE_REPLY) {
		reply_take(store, frame, payload);
		return 0;
	}
	if (frame->type == WIRE_STORE_KEPT) {
		kept_take(store, payload);
		return 0;
	}
	if (frame->type == WIRE_STORE_KNOWN) {
		registry_known_take(store->gateway, frame->reserved,
		    (const char *)payload, frame->len);
		return 0;
	}
	const int r = registry_apply(
	    store->gateway, (enum wire_store_frame)frame->type, payload, &err);
	if (r != 0)
		log_line(LOG_ERROR, 0, "the store said what it cannot: %s",
		    err.text);
	else if (frame->type == WIRE_STORE_SNAPSHOT)
		registry_ended_untold(
		    store->gateway, tell_ended, store->gateway);
	return r;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t bytes[READ_MAX];
	struct store *store = arg;

	(void)what;
	for (int i = 0; i < READS_MAX; i++) {
		const ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			store_lose(store,
			    n == 0 ? "it closed the connection"
				   : strerror(errno));
			return;
		}
		const int r = store_reader_feed(
		    &store->reader, bytes, (size_t)n, on_frame, store);
		if (r != 0) {
			store_lose(store,
			    r < 0 ? "no memory for what it says"
				  : "what it says is broken");
			return;
		}
		if (store->fd != fd)
			return; /* replaced by what came meanwhile */
	}
}

/* Whole frames that the store has are done with. */
static void
out_advance(struct store *store, size_t n)
{
	const struct run *out = &store->out;

	store->out_part += n;
	while (out->start < out->end) {
		const size_t size = frame_size(out->bytes + out->start);
		if (store->out_part < size)
			break;
		const size_t rest = store->out_part - size;
		frame_drop(store);
		store->out_part = rest;
	}
}

/* What the socket takes; 0: all. -EAGAIN: it takes the rest later. */
static int
out_send(struct store *store)
{
	const struct run *out = &store->out;

	while (out->start < out->end) {
		const size_t from = out->start + store->out_part;
		const ssize_t n = send(store->fd, out->bytes + from,
		    out->end - from, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EINTR ? -EAGAIN : -errno;
		out_advance(store, (size_t)n);
	}
	return 0;
}

static void
out_flush(struct store *store)
{
	const int r = out_send(store);

	if (r == 0)
		event_del(store->writable);
	else if (r == -EAGAIN)
		event_add(store->writable, NULL);
	else
		store_lose(store, strerror(-r));
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	out_flush(arg);
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	out_flush(arg);
}

void
store_connect(struct gateway *gateway, int fd)
{
	struct store *store = gateway->store;

	store_lose(store, "another one has started");
	store->fd = fd;
	if (event_assign(store->readable, gateway->base, fd,
		EV_READ | EV_PERSIST, on_readable, store) != 0 ||
	    event_assign(store->writable, gateway->base, fd,
		EV_WRITE | EV_PERSIST, on_writable, store) != 0 ||
	    event_add(store->readable, NULL) != 0) {
		store_lose(store, "no memory");
		return;
	}
	store->counts.connects++;
	log_line(LOG_DEBUG, 0, "the store is here");
	if (store->out.start < store->out.end)
		flush_set(store);
}

bool
store_is_here(const struct gateway *gateway)
{
	return gateway->store->fd >= 0;
}

int
store_start(struct gateway *gateway)
{
	struct store *store = calloc(1, sizeof(*store));

	gateway->store = store;
	if (store == NULL)
		return -ENOMEM;
	*store = (struct store){ .gateway = gateway, .fd = -1 };
	randombytes_buf(store->boot, sizeof(store->boot));
	store->readable =
	    event_new(gateway->base, -1, EV_READ, on_readable, store);
	store->writable =
	    event_new(gateway->base, -1, EV_WRITE, on_writable, store);
	store->flush = evtimer_new(gateway->base, on_flush, store);
	return store->readable == NULL || store->writable == NULL ||
		store->flush == NULL
	    ? -ENOMEM
	    : 0;
}

void
store_last_words(struct gateway *gateway)
{
	if (gateway->store->fd >= 0)
		(void)out_send(gateway->store);
}

void
store_stop(struct gateway *gateway)
{
	struct store *store = gateway->store;

	if (store == NULL)
		return;
	store_last_words(gateway);
	if (store->fd >= 0)
		close(store->fd);
	if (store->readable != NULL)
		event_free(store->readable);
	if (store->writable != NULL)
		event_free(store->writable);
	if (store->flush != NULL)
		event_free(store->flush);
	store_reader_fini(&store->reader);
	free(store->out.bytes);
	free(store->held.bytes);
	free(store);
	gateway->store = NULL;
}

void
store_session_end(struct gateway *gateway, const struct wire_ended *ended)
{
	const struct wire_frame frame = { .type = WIRE_STORE_ENDED };

	const struct run *out = &gateway->store->out;

	/* While it is away there is nothing to say: what the next snapshot
	 * does not hold is told then. So is what one that does not read has no
	 * room for. */
	if (gateway->store->fd < 0 || out->end - out->start >= KEEP_MAX)
		return;
	/* Out before the client hears that it has ended: who kills us in
	 * between must not bring it back. A link that broke is heard of by the
	 * flush. */
	if (frame_say(gateway->store, &frame, ended, sizeof(*ended), NULL, 0) ==
	    0)
		(void)out_send(gateway->store);
}

void
store_forget(struct gateway *gateway, uint32_t id)
{
	struct store *store = gateway->store;

	for (size_t i = 0; i < STORE_ASKED_MAX; i++)
		if (store->asked[i].id == id)
			store->asked[i] = (struct asked){ 0 };
}

int
store_ask(struct gateway *gateway, const struct wire_admin *admin,
    const uint8_t *body, size_t len, store_reply_fn *fn, void *arg,
    uint32_t *idp)
{
	struct store *store = gateway->store;
	const size_t size = sizeof(struct wire_frame) + sizeof(*admin) + len;
	struct asked *place = NULL;

	if (store->fd < 0)
		return STORE_E_AWAY;
	for (size_t i = 0; i < STORE_ASKED_MAX && place == NULL; i++)
		if (store->asked[i].id == 0)
			place = &store->asked[i];
	if (place == NULL || store->asked_bytes + size > STORE_ASKED_BYTES)
		return STORE_E_BUSY;
	if (++store->next_id == 0)
		store->next_id = 1;
	const struct wire_frame frame = {
		.type = WIRE_STORE_ADMIN,
		.reserved = store->next_id,
	};
	const int r =
	    frame_say(store, &frame, admin, sizeof(*admin), body, len);
	if (r != 0)
		return r;
	store->asked_bytes += size;
	*place = (struct asked){ store->next_id, len, fn, arg };
	*idp = store->next_id;
	return 0;
}

static void
audit_drop(struct store *store)
{
	if (store->counts.audit_dropped++ == 0)
		log_line(LOG_ERROR, 0,
		    "the audit has gaps: the store is away "
		    "and %u bytes wait for it (cordon_audit_dropped_total "
		    "counts on)",
		    STORE_AUDIT_MAX);
}

static void
audit_say(struct gateway *gateway, uint32_t principal, uint32_t tenant,
    uint64_t request, const char *action, const char *json, size_t len)
{
	struct store *store = gateway->store;
	const struct wire_frame frame = { .type = WIRE_STORE_AUDIT };
	struct wire_audit audit = {
		.principal = principal,
		.tenant = tenant,
		.sequence = ++store->sequence,
	};
	const size_t size = sizeof(frame) + sizeof(audit) + len;

	memcpy(audit.boot, store->boot, sizeof(audit.boot));

	if (request != 0)
		log_id(audit.request, request);
	snprintf(audit.action, sizeof(audit.action), "%s", action);
	if (store->audit_bytes + size > STORE_AUDIT_MAX ||
	    frame_say(store, &frame, &audit, sizeof(audit), json, len) != 0) {
		audit_drop(store);
		return;
	}
	store->audit_bytes += size;
	store->counts.audit_sent++;
}

void
registry_audit(struct gateway *gateway, const struct principal *principal,
    uint64_t request, const char *action, const char *json, size_t len)
{
	audit_say(gateway, principal == NULL ? 0 : principal->record.id,
	    principal == NULL ? 0 : principal->record.tenant, request, action,
	    json, len);
}

void
registry_audit_server(struct gateway *gateway, const struct server *server,
    const struct principal *principal, uint64_t request, const char *action,
    const char *json, size_t len)
{
	audit_say(gateway, principal == NULL ? 0 : principal->record.id,
	    server->record.tenant, request, action, json, len);
}

void
registry_surface_keep(struct gateway *gateway, const struct server *server,
    const char *json, size_t len)
{
	const struct wire_frame frame = {
		.type = WIRE_STORE_SURFACE,
		.reserved = server->record.id,
	};

	/* At once: who saw the list may take it for known. */
	if (gateway->store->fd >= 0 &&
	    frame_say(gateway->store, &frame, json, len, NULL, 0) == 0)
		(void)out_send(gateway->store);
}

void
store_counts_get(const struct gateway *gateway, struct store_counts *counts)
{
	*counts = gateway->store->counts;
}
