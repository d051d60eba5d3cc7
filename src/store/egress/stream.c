/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream to egress. Which servers are to be told is a queue of their ids;
 * a record is made when there is room for it, of what holds then. So an egress
 * that does not read costs one record's memory, and hears the newest when it
 * does. Questions go behind what is to be told, so that egress knows whose they
 * are. What it says itself is heard in told.c.
 *
 * What cannot be told must not leave egress with what held before. The store
 * ends then: the next one is given a new stream, and tells all of it again.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/util.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "store/egress/egress.h"
#include "wire/egress.h"

#define OUT_MAX (1u << 20) /* beyond it, no more records are made */

struct egress_stream {
	int fd;
	struct event *readable; /* what it says, and its end */
	struct event *writable;
	struct evbuffer *out;
	struct told *told;
	uint32_t *ids; /* to be told, from `first` */
	size_t first;
	size_t n;
	size_t room;
	bool snapshot_due; /* after all that is in the queue */
	bool is_unheard; /* it said what it may not: it is asked nothing */
};

void
egress_close(struct store *store)
{
	struct egress_stream *stream = store->egress;

	if (stream == NULL)
		return;
	store->egress = NULL;
	if (stream->readable != NULL)
		event_free(stream->readable);
	if (stream->writable != NULL)
		event_free(stream->writable);
	if (stream->out != NULL)
		evbuffer_free(stream->out);
	told_free(stream->told);
	free(stream->ids);
	close(stream->fd);
	free(stream);
	asks_lost(store);
}

static _Noreturn void
give_up(const char *why)
{
	store_log("error", "egress cannot be told: %s", why);
	_exit(70);
}

/* ---- what is to be told ----------------------------------------------------
 */

static bool
is_queued(const struct egress_stream *stream, uint32_t id)
{
	for (size_t i = stream->first; i < stream->n; i++)
		if (stream->ids[i] == id)
			return true;
	return false;
}

static int
queue_add(struct egress_stream *stream, uint32_t id)
{
	if (stream->n == stream->room) {
		const size_t wanted = stream->room == 0 ? 64 : 2 * stream->room;
		uint32_t *grown =
		    reallocarray(stream->ids, wanted, sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		stream->ids = grown;
		stream->room = wanted;
	}
	stream->ids[stream->n++] = id;
	return 0;
}

static uint32_t
queue_take(struct egress_stream *stream)
{
	const uint32_t id = stream->ids[stream->first++];

	if (stream->first == stream->n)
		stream->first = stream->n = 0;
	return id;
}

/* ---- out ------------------------------------------------------------------
 */

/* There may be secrets in it: sodium_free() wipes. */
static void
bytes_release(const void *bytes, size_t len, void *arg)
{
	(void)len;
	(void)arg;
	sodium_free((void *)(uintptr_t)bytes);
}

/* Takes the bytes, of which there may be none. */
static int
frame_add(
    struct egress_stream *stream, const struct wire_frame *head, uint8_t *bytes)
{
	if (evbuffer_add(stream->out, head, sizeof(*head)) != 0 ||
	    (head->len > 0 &&
		evbuffer_add_reference(
		    stream->out, bytes, head->len, bytes_release, NULL) != 0)) {
		sodium_free(bytes);
		return -ENOMEM;
	}
	return 0;
}

static int
record_add(struct store *store, struct egress_stream *stream, uint32_t id)
{
	struct egress_record record;

	const int code = egress_record_make(store, id, &record);
	return code == 0 ? frame_add(stream, &record.head, record.bytes) : code;
}

/* Whether there was one. Negative errno. */
static int
ask_add(struct store *store, struct egress_stream *stream)
{
	struct wire_frame head;
	uint8_t *bytes = NULL;

	if (stream->is_unheard || !asks_next(store, &head, &bytes))
		return 0;
	const int code = frame_add(stream, &head, bytes);
	return code == 0 ? 1 : code;
}

static int
buffer_fill(struct store *store, struct egress_stream *stream)
{
	const struct wire_frame snapshot = { .type = WIRE_EGRESS_SNAPSHOT };
	int code = 0;

	while (code >= 0 && evbuffer_get_length(stream->out) < OUT_MAX) {
		if (stream->first < stream->n) {
			code = record_add(store, stream, queue_take(stream));
			if (code > 0)
				return code;
		} else if (stream->snapshot_due) {
			stream->snapshot_due = false;
			code = frame_add(stream, &snapshot, NULL);
		} else if ((code = ask_add(store, stream)) == 0) {
			return 0;
		}
	}
	return code < 0 ? code : 0;
}

/* As far as it goes without waiting. */
static void
stream_flush(struct store *store)
{
	struct egress_stream *stream = store->egress;

	for (;;) {
		const int code = buffer_fill(store, stream);
		if (code != 0)
			give_up(code > 0 ? "the registry cannot be read"
					 : strerror(-code));
		if (evbuffer_get_length(stream->out) == 0)
			return;
		const int n = evbuffer_write(stream->out, stream->fd);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			egress_close(store); /* it ended; another will come */
			return;
		}
		if (n <= 0) {
			event_add(stream->writable, NULL);
			return;
		}
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stream_flush(arg);
}

/* One that says what no egress says is not listened to any more; it is told all
 * the same, so that nothing it holds outlives what was decided. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct store *store = arg;
	struct egress_stream *stream = store->egress;

	(void)what;
	const int code = told_read(store, stream->told, fd);
	if (code == TOLD_E_END)
		egress_close(store); /* it ended; another will come */
	if (code != TOLD_E_BREACH)
		return;
	store_log("error",
	    "egress says what it may not: it is not listened to until it "
	    "starts again");
	event_del(stream->readable);
	stream->is_unheard = true;
	asks_lost(store);
}

void
egress_flush_soon(struct store *store)
{
	if (store->egress != NULL)
		event_add(store->egress->writable, NULL);
}

void
egress_push(struct store *store, uint32_t id)
{
	struct egress_stream *stream = store->egress;

	if (stream == NULL)
		return;
	if (!is_queued(stream, id) && queue_add(stream, id) != 0)
		give_up("out of memory");
	stream_flush(store);
}

/* ---- in -------------------------------------------------------------------
 */

static int
server_queue(void *arg, const struct db_server *server)
{
	return server->record.state == WIRE_STATE_APPROVED
	    ? queue_add(arg, server->record.id)
	    : 0;
}

static struct egress_stream *
stream_new(struct store *store, int raw_fd)
{
	auto_close int fd = raw_fd;
	struct egress_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	evutil_make_socket_nonblocking(fd);
	stream->readable = event_new(
	    store->base, fd, EV_READ | EV_PERSIST, on_readable, store);
	stream->writable =
	    event_new(store->base, fd, EV_WRITE, on_writable, store);
	stream->out = evbuffer_new();
	stream->told = told_new();
	stream->fd = fd_steal(&fd);
	return stream;
}

void
egress_open(struct store *store, int fd)
{
	egress_close(store);
	struct egress_stream *stream = store->egress = stream_new(store, fd);
	if (stream == NULL || stream->readable == NULL ||
	    stream->writable == NULL || stream->out == NULL ||
	    stream->told == NULL || event_add(stream->readable, NULL) != 0)
		give_up("out of memory");
	store_commit(store); /* what is told is durable */
	stream->snapshot_due = true;
	if (db_servers_each(store->db, server_queue, stream) != 0)
		give_up("the registry cannot be read");
	stream_flush(store);
	logins_wake(store);
}
