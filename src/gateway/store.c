/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Everything that is said to the store is one run of whole frames, of which the
 * socket takes what it can. When the store goes away, the frame that it got a
 * part of is said again to the next one; what was asked is answered here.
 */

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
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

struct store {
	struct gateway *gateway;
	int fd; /* -1: away */
	struct event *readable;
	struct event *writable;
	struct store_reader reader;
	uint8_t *out; /* owned; waiting are [out_start, out_end) */
	size_t out_start;
	size_t out_end;
	size_t out_capacity;
	size_t out_part; /* bytes sent of the frame at out_start */
	size_t audit_bytes; /* of audit among them */
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

/* The first frame that waits is done with, one way or the other. */
static void
frame_drop(struct store *store)
{
	struct wire_frame head;

	memcpy(&head, store->out + store->out_start, sizeof(head));
	const size_t size = sizeof(head) + head.len;
	if (head.type == WIRE_STORE_AUDIT)
		store->audit_bytes -= size;
	if (head.type == WIRE_STORE_ADMIN)
		store->asked_bytes -= size;
	store->out_start += size;
	store->out_part = 0;
	if (store->out_start < store->out_end)
		return;
	store->out_start = store->out_end = 0;
	if (store->out_capacity > KEEP_MAX) {
		free(store->out);
		store->out = NULL;
		store->out_capacity = 0;
	}
}

static int
out_reserve(struct store *store, size_t more)
{
	const size_t used = store->out_end - store->out_start;

	if (store->out_capacity - store->out_end >= more)
		return 0;
	if (store->out_start > 0) {
		memmove(store->out, store->out + store->out_start, used);
		store->out_start = 0;
		store->out_end = used;
	}
	size_t capacity = store->out_capacity == 0 ? 4096 : store->out_capacity;
	while (capacity - used < more)
		capacity *= 2;
	if (capacity == store->out_capacity)
		return 0;
	uint8_t *out = realloc(store->out, capacity);
	if (out == NULL)
		return -ENOMEM;
	store->out = out;
	store->out_capacity = capacity;
	return 0;
}

static void
out_put(struct store *store, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(store->out + store->out_end, bytes, len);
	store->out_end += len;
}

/* Appends a frame of two parts. -ENOMEM. */
static int
frame_say(struct store *store, const struct wire_frame *frame,
    const void *first, size_t first_len, const void *second, size_t second_len)
{
	struct wire_frame head = *frame;

	head.len = (uint32_t)(first_len + second_len);
	if (out_reserve(store, sizeof(head) + head.len) != 0)
		return -ENOMEM;
	out_put(store, &head, sizeof(head));
	out_put(store, first, first_len);
	out_put(store, second, second_len);
	if (store->fd >= 0)
		event_add(store->writable, NULL);
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
	uint8_t *to = store->out + store->out_start;
	uint8_t *const end = store->out + store->out_end;

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
	store->out_end = (size_t)(to - store->out);
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
	close(fd_steal(&store->fd));
	store_reader_fini(&store->reader);
	store->out_part = 0;
	if (store->out != NULL)
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

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct store *store = arg;

	(void)what;
	while (store->out_start < store->out_end) {
		const size_t from = store->out_start + store->out_part;
		ssize_t n = send(fd, store->out + from, store->out_end - from,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			store_lose(store, strerror(errno));
			return;
		}
		store->out_part += (size_t)n;
		while (store->out_start < store->out_end) {
			const size_t size =
			    frame_size(store->out + store->out_start);
			if (store->out_part < size)
				break;
			const size_t rest = store->out_part - size;
			frame_drop(store);
			store->out_part = rest;
		}
	}
	event_del(store->writable);
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
	if (store->out_start < store->out_end)
		event_add(store->writable, NULL);
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
	store->readable =
	    event_new(gateway->base, -1, EV_READ, on_readable, store);
	store->writable =
	    event_new(gateway->base, -1, EV_WRITE, on_writable, store);
	return store->readable == NULL || store->writable == NULL ? -ENOMEM : 0;
}

void
store_stop(struct gateway *gateway)
{
	struct store *store = gateway->store;

	if (store == NULL)
		return;
	if (store->fd >= 0)
		close(store->fd);
	if (store->readable != NULL)
		event_free(store->readable);
	if (store->writable != NULL)
		event_free(store->writable);
	store_reader_fini(&store->reader);
	free(store->out);
	free(store);
	gateway->store = NULL;
}

void
store_session_end(struct gateway *gateway, const struct wire_ended *ended)
{
	const struct wire_frame frame = { .type = WIRE_STORE_ENDED };

	/* While it is away there is nothing to say: what the next snapshot
	 * does not hold is told then. */
	if (gateway->store->fd >= 0)
		(void)frame_say(
		    gateway->store, &frame, ended, sizeof(*ended), NULL, 0);
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

void
registry_audit(struct gateway *gateway, const struct principal *principal,
    uint64_t request, const char *action, const char *json, size_t len)
{
	struct store *store = gateway->store;
	const struct wire_frame frame = { .type = WIRE_STORE_AUDIT };
	struct wire_audit audit = {
		.principal = principal == NULL ? 0 : principal->record.id,
		.tenant = principal == NULL ? 0 : principal->record.tenant,
	};
	const size_t size = sizeof(frame) + sizeof(audit) + len;

	if (request != 0)
		snprintf(audit.request, sizeof(audit.request), "%016" PRIx64,
		    request);
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
registry_surface_keep(struct gateway *gateway, const struct server *server,
    const char *json, size_t len)
{
	const struct wire_frame frame = {
		.type = WIRE_STORE_SURFACE,
		.reserved = server->record.id,
	};

	if (gateway->store->fd >= 0)
		(void)frame_say(gateway->store, &frame, json, len, NULL, 0);
}

void
store_counts_get(const struct gateway *gateway, struct store_counts *counts)
{
	*counts = gateway->store->counts;
}
