/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Streams of events. Those of a session number theirs, and the last of them are
 * kept, within one bound for the whole session: a client that lost the
 * connection reads on with GET and Last-Event-ID. A second reader of a stream
 * takes it over: of two connections of one client the older is the dead one,
 * which the kernel may learn of only minutes later.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "gateway/log.h"

#define RETRY_MS "1000" /* when a client may come back */
#define IS_GET 1u /* in the number of a session's own stream */

struct kept {
	TAILQ_ENTRY(kept) link;
	uint32_t stream;
	uint32_t sequence;
	size_t len;
	char event[]; /* as it was sent */
};

/* A GET's visit; the stream it reads is not its own. */
struct reader {
	struct visit visit;
	struct stream *stream;
};

static void
kept_drop(struct live *live, struct kept *kept)
{
	struct stream *stream;

	TAILQ_FOREACH (stream, &live->streams, link)
		if (stream->number == kept->stream)
			stream->lost = kept->sequence;
	TAILQ_REMOVE(&live->kept, kept, link);
	live->kept_bytes -= kept->len;
	live->front->kept_bytes -= kept->len;
	free(kept);
}

static void
keep(struct stream *stream, const char *event, size_t len)
{
	struct live *live = stream->live;
	const size_t max = stream->front->gateway->sessions.resume_bytes;
	const bool has_room =
	    len <= max && stream->front->kept_bytes + len <= FRONT_KEPT_MAX;
	struct kept *kept = has_room ? malloc(sizeof(*kept) + len) : NULL;

	if (kept == NULL) {
		stream->lost = stream->sequence;
		return;
	}
	while (live->kept_bytes + len > max)
		kept_drop(live, TAILQ_FIRST(&live->kept));
	kept->stream = stream->number;
	kept->sequence = stream->sequence;
	kept->len = len;
	memcpy(kept->event, event, len);
	TAILQ_INSERT_TAIL(&live->kept, kept, link);
	live->kept_bytes += len;
	live->front->kept_bytes += len;
}

static void
forget(struct stream *stream)
{
	struct live *live = stream->live;
	struct kept *kept, *next;

	for (kept = TAILQ_FIRST(&live->kept); kept != NULL; kept = next) {
		next = TAILQ_NEXT(kept, link);
		if (kept->stream == stream->number)
			kept_drop(live, kept);
	}
}

/* Whoever reads it reads no more. */
static void
detach(struct stream *stream, bool cut)
{
	struct visit *visit = stream->visit;

	if (visit == NULL)
		return;
	stream->visit = NULL;
	if (visit->request != NULL) {
		if (cut)
			http_stream_cut(visit->request);
		else
			http_stream_end(visit->request);
		visit->request = NULL;
	}
	if (stream->is_reader)
		free(visit);
	stream->is_reader = false;
}

static void
set_full(struct stream *stream, bool full)
{
	if (stream->full == full)
		return;
	stream->full = full;
	stream->unread = 0;
	if (stream->exchange != NULL)
		exchange_pause(stream->exchange, full);
}

/* What is slow is waited for; what does not read at all is cut. */
static void
put(struct stream *stream, const char *bytes, size_t len)
{
	if (stream->visit == NULL || stream->visit->request == NULL)
		return;
	if (stream->full && stream->unread > FRONT_UNREAD_MAX) {
		log_line(LOG_INFO, stream->visit->id,
		    "cut a stream that its client does not read");
		stream->ended_ms = front_now_ms();
		set_full(stream, false);
		detach(stream, true);
		return;
	}
	const bool full = http_stream_write(stream->visit->request, bytes, len);
	if (stream->full)
		stream->unread += len;
	set_full(stream, full);
}

static void
event_id_write(struct stream *stream, struct json_out *out)
{
	const struct seal_event event = { stream->number, stream->sequence };
	char text[SEAL_EVENT_TEXT];

	seal_event_write(
	    front_key(stream->front), stream->live->session->id, &event, text);
	json_out_text(out, "id: ");
	json_out_text(out, text);
	json_out_text(out, "\n");
}

/* An empty event, so that there is an id to come back to. */
static void
prime(struct stream *stream)
{
	struct json_out out;

	if (stream->live == NULL ||
	    stream->live->session->version < MCP_VERSION_PRIMES)
		return;
	json_out_init(&out, 256);
	event_id_write(stream, &out);
	json_out_text(&out, "retry: " RETRY_MS "\ndata: \n\n");
	put(stream, out.bytes, out.len);
	json_out_fini(&out);
}

static void
begin(const struct visit *visit, const char *session_text)
{
	const struct http_header headers[] = {
		{ "Content-Type", "text/event-stream" },
		{ "Cache-Control", "no-store" },
		{ "X-Accel-Buffering", "no" },
		{ "Mcp-Session-Id", session_text },
	};
	const size_t n = ARRAY_LEN(headers);

	http_stream_begin(
	    visit->request, 200, headers, session_text[0] == '\0' ? n - 1 : n);
}

/* The oldest that ended makes room. */
static bool
room_make(struct live *live)
{
	struct stream *stream;

	if (live->n_streams < FRONT_STREAMS_MAX)
		return true;
	TAILQ_FOREACH (stream, &live->streams, link)
		if (stream->ended) {
			stream_free(stream);
			return true;
		}
	return false;
}

static struct stream *
make(struct front *front, struct session *session, bool is_get)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct live *live = NULL;

	if (stream == NULL)
		return NULL;
	stream->front = front;
	if (session != NULL)
		live = session_live(front, session);
	if (live != NULL && room_make(live)) {
		stream->live = live;
		stream->number = live->next_stream;
		live->next_stream += 2;
		if (is_get)
			stream->number |= IS_GET;
		TAILQ_INSERT_TAIL(&live->streams, stream, link);
		live->n_streams++;
	}
	return stream;
}

struct stream *
stream_new(struct front *front, struct visit *visit, struct session *session,
    const char *session_text)
{
	struct stream *stream = make(front, session, false);

	if (stream == NULL)
		return NULL;
	stream->visit = visit;
	begin(visit, session_text);
	prime(stream);
	return stream;
}

void
stream_send(struct stream *stream, const char *json, size_t len)
{
	struct json_out out;

	json_out_init(&out, FRONT_MESSAGE_MAX + 256);
	stream->sequence++;
	json_out_text(&out, "event: message\n");
	if (stream->live != NULL)
		event_id_write(stream, &out);
	json_out_text(&out, "data: ");
	/* White space of JSON's own must not end the line. */
	const size_t from = out.len;
	json_out_raw(&out, json, len);
	json_out_text(&out, "\n\n");
	if (json_out_status(&out) != 0) {
		stream->lost = stream->sequence;
		detach(stream, true);
	} else {
		for (size_t i = from; i < from + len; i++)
			if (out.bytes[i] == '\n' || out.bytes[i] == '\r')
				out.bytes[i] = ' ';
		if (stream->live != NULL)
			keep(stream, out.bytes, out.len);
		put(stream, out.bytes, out.len);
	}
	json_out_fini(&out);
}

void
stream_free(struct stream *stream)
{
	struct live *live = stream->live;

	if (stream->exchange != NULL) {
		stream->exchange->stream = NULL;
		stream->exchange = NULL;
	}
	detach(stream, false);
	if (live != NULL) {
		forget(stream);
		TAILQ_REMOVE(&live->streams, stream, link);
		live->n_streams--;
		if (live->get == stream) {
			live->get = NULL;
			live->front->n_streams--;
		}
	}
	free(stream);
}

void
stream_end(struct stream *stream)
{
	stream->ended = true;
	stream->ended_ms = front_now_ms();
	stream->exchange = NULL;
	stream->full = false;
	detach(stream, false);
	if (stream->live == NULL)
		stream_free(stream);
}

void
stream_leave(struct stream *stream)
{
	stream->visit->request = NULL;
	detach(stream, false);
	set_full(stream, false);
}

void
stream_drained(struct stream *stream)
{
	set_full(stream, false);
}

void
stream_silent(struct stream *stream)
{
	put(stream, ":\n\n", 3);
}

void
stream_sweep(struct live *live, uint64_t now_ms)
{
	struct stream *stream, *next;

	/* A GET's has ended when nobody came back to it. */
	for (stream = TAILQ_FIRST(&live->streams); stream != NULL;
	     stream = next) {
		next = TAILQ_NEXT(stream, link);
		if ((stream->ended || stream == live->get) &&
		    stream->visit == NULL &&
		    now_ms - stream->ended_ms > FRONT_KEEP_S * 1000)
			stream_free(stream);
	}
	if (live->get == NULL && live->listener != NULL &&
	    listen_is_idle(live->listener))
		live->listener = listen_free(live->listener);
}

static void
reader_gone(struct visit *visit)
{
	struct stream *stream = ((struct reader *)visit)->stream;

	stream->ended_ms = front_now_ms();
	stream_leave(stream);
}

static void
reader_drained(struct visit *visit)
{
	stream_drained(((struct reader *)visit)->stream);
}

static void
reader_silent(struct visit *visit)
{
	stream_silent(((struct reader *)visit)->stream);
}

static const struct visit_ops reader_ops = {
	.gone = reader_gone,
	.drained = reader_drained,
	.silent = reader_silent,
};

/* The visit becomes the stream's reader, and reads on after this event. */
static void
attach(struct stream *stream, const struct visit *visit, uint32_t after)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	struct kept *kept;

	if (reader == NULL) {
		route_refuse(
		    visit->gateway, visit->request, 503, "out of memory");
		return;
	}
	detach(stream, false);
	set_full(stream, false);
	reader->visit = *visit;
	reader->visit.ops = &reader_ops;
	reader->stream = stream;
	stream->visit = &reader->visit;
	stream->is_reader = true;
	http_request_owner_set(visit->request, reader);
	begin(visit, "");
	if (after == stream->sequence)
		prime(stream);
	TAILQ_FOREACH (kept, &stream->live->kept, link)
		if (kept->stream == stream->number && kept->sequence > after)
			put(stream, kept->event, kept->len);
	if (stream->ended)
		detach(stream, false);
}

static void
get_own(const struct visit *visit, struct session *session, uint32_t after)
{
	struct front *front = visit->gateway->front;
	struct live *live = session_live(front, session);

	if (live != NULL && live->get == NULL) {
		struct stream *stream = make(front, session, true);
		if (stream != NULL && stream->live == NULL) {
			free(stream);
			stream = NULL;
		}
		live->get = stream;
		front->n_streams += stream != NULL;
	}
	if (live == NULL || live->get == NULL ||
	    listen_session(front, live, visit) == NULL) {
		route_refuse(visit->gateway, visit->request, 503,
		    "no memory for a stream, or the session has too many");
		return;
	}
	attach(live->get, visit,
	    after == UINT32_MAX ? live->get->sequence : after);
}

/* The stream that can be read on from there. */
static struct stream *
find(const struct session *session, const struct seal_event *event)
{
	struct stream *stream;

	if (session->live == NULL)
		return NULL;
	TAILQ_FOREACH (stream, &session->live->streams, link)
		if (stream->number == event->stream)
			return stream->lost <= event->sequence ? stream : NULL;
	return NULL;
}

/*
 * Of a session's own stream what was lost is lost, and it goes on; of an answer
 * that is not whole nothing is given.
 */
void
stream_get(const struct visit *visit, struct session *session)
{
	const char *last = http_request_header(visit->request, "Last-Event-ID");
	struct seal_event event;
	struct stream *stream;

	if (last == NULL) {
		get_own(visit, session, UINT32_MAX);
		return;
	}
	if (seal_event_admit(front_key(visit->gateway->front), session->id,
		last, &event) != 0) {
		route_refuse(visit->gateway, visit->request, 400,
		    "the Last-Event-ID is not one of this session's events");
		return;
	}
	stream = find(session, &event);
	if (stream != NULL && stream != session->live->get)
		attach(stream, visit, event.sequence);
	else if (stream != NULL || (event.stream & IS_GET) != 0)
		get_own(visit, session,
		    stream == NULL ? UINT32_MAX : event.sequence);
	else
		route_refuse(visit->gateway, visit->request, 400,
		    "what followed this event is no longer kept: open a stream "
		    "without Last-Event-ID, and repeat what was not answered");
}
