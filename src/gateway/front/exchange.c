/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One HTTP request at an MCP endpoint: a message, or (2025-03-26) a batch of
 * them. Each item is answered by itself, now or when its call is over. The
 * answer is one JSON text when all are there; it becomes a stream of events
 * when something must be said before, or nothing was for a while.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "gateway/log.h"
#include "http/guard.h"

/* Takes the JSON. */
static void
send_json(const struct exchange *exchange, unsigned status, unsigned retry_s,
    char *json, size_t len)
{
	const struct visit *visit = &exchange->visit;
	struct http_header headers[4];
	char retry[16];
	size_t n = 0;

	if (json == NULL) {
		route_refuse(visit->gateway, visit->request, 500,
		    "the answer was too large, or memory ran out");
		return;
	}
	headers[n++] =
	    (struct http_header){ "Content-Type", "application/json" };
	headers[n++] = (struct http_header){ "Cache-Control", "no-store" };
	if (exchange->session_text[0] != '\0')
		headers[n++] = (struct http_header){ "Mcp-Session-Id",
			exchange->session_text };
	if (retry_s > 0) {
		snprintf(retry, sizeof(retry), "%u", retry_s);
		headers[n++] = (struct http_header){ "Retry-After", retry };
	}
	http_reply(visit->request, status, headers, n, json, len);
}

static bool
has_reply(const struct item *item)
{
	return item->out.len > 0 || json_out_status(&item->out) != 0;
}

static char *
join_batch(struct exchange *exchange, size_t *len)
{
	struct json_out out;

	json_out_init(&out, FRONT_MESSAGE_MAX);
	for (size_t i = 0; i < exchange->n_items; i++) {
		const struct json_out *reply = &exchange->items[i].out;
		if (reply->len == 0)
			continue;
		json_out_text(&out, out.len == 0 ? "[" : ",");
		json_out_raw(&out, reply->bytes, reply->len);
	}
	json_out_text(&out, "]");
	char *json = json_out_steal(&out, len);
	json_out_fini(&out);
	return json;
}

static void
exchange_free(struct exchange *exchange)
{
	TAILQ_REMOVE(
	    &exchange->visit.gateway->front->exchanges, exchange, link);
	for (size_t i = 0; i < exchange->n_items; i++)
		json_out_fini(&exchange->items[i].out);
	free(exchange);
}

/* A client that accepts no JSON gets its one answer as an event. */
static bool
wants_events_only(const struct exchange *exchange)
{
	const char *accept =
	    http_request_header(exchange->visit.request, "Accept");

	return exchange->can_stream &&
	    !http_accepts(accept, "application/json");
}

static void
send_event(const struct exchange *exchange, char *json, size_t len)
{
	struct stream *stream = json == NULL
	    ? NULL
	    : stream_new(exchange->visit.gateway->front,
		  (struct visit *)&exchange->visit, NULL,
		  exchange->session_text);

	if (stream == NULL) {
		send_json(exchange, 500, 0, NULL, 0);
	} else {
		stream_send(stream, json, len);
		stream_end(stream);
	}
	free(json);
}

static void
answer_whole(struct exchange *exchange)
{
	struct item *first = &exchange->items[0];
	bool any = false;
	size_t len = 0;

	for (size_t i = 0; i < exchange->n_items; i++)
		any = any || has_reply(&exchange->items[i]);
	if (!any) {
		http_reply(exchange->visit.request, 202, NULL, 0, NULL, 0);
		return;
	}
	char *json = exchange->is_batch ? join_batch(exchange, &len)
					: json_out_steal(&first->out, &len);
	const unsigned status = exchange->is_batch ? 200 : first->status;
	if (status == 200 && wants_events_only(exchange))
		send_event(exchange, json, len);
	else
		send_json(exchange, status,
		    exchange->is_batch ? 0 : first->retry_s, json, len);
}

static void
exchange_finish(struct exchange *exchange)
{
	if (exchange->stream != NULL)
		stream_end(exchange->stream);
	else if (exchange->visit.request != NULL)
		answer_whole(exchange);
	exchange_free(exchange);
}

static void
exchange_settle(struct exchange *exchange)
{
	if (exchange->n_open == 0 && !exchange->starting)
		exchange_finish(exchange);
}

static void
reply_send(struct item *item)
{
	struct stream *stream = item->exchange->stream;
	size_t len = 0;
	char *json = json_out_steal(&item->out, &len);

	if (json != NULL)
		stream_send(stream, json, len);
	free(json);
}

void
item_done(struct item *item)
{
	struct exchange *exchange = item->exchange;

	item->call = NULL;
	item->is_open = false;
	exchange->n_open--;
	if (exchange->stream != NULL)
		reply_send(item);
	exchange_settle(exchange);
}

static struct session *
exchange_session(const struct exchange *exchange)
{
	for (size_t i = 0; i < exchange->n_items; i++)
		if (exchange->items[i].call != NULL)
			return exchange->items[i].call->session;
	return NULL;
}

/* A session's id is in the head of the answer, and known only at the end. */
static bool
is_opening(const struct exchange *exchange)
{
	const struct call *call = exchange->items[0].call;

	return call != NULL && call->method == MCP_INITIALIZE;
}

/* The answer becomes a stream; what was ready is sent first. */
static bool
exchange_stream(struct exchange *exchange)
{
	if (exchange->stream != NULL)
		return true;
	if (!exchange->can_stream || exchange->visit.request == NULL ||
	    is_opening(exchange))
		return false;
	exchange->stream = stream_new(exchange->visit.gateway->front,
	    &exchange->visit, exchange_session(exchange), "");
	if (exchange->stream == NULL)
		return false;
	exchange->stream->exchange = exchange;
	for (size_t i = 0; i < exchange->n_items; i++)
		if (has_reply(&exchange->items[i]) &&
		    !exchange->items[i].is_open)
			reply_send(&exchange->items[i]);
	return true;
}

bool
item_send(struct item *item, const char *json, size_t len)
{
	if (!exchange_stream(item->exchange))
		return false;
	stream_send(item->exchange->stream, json, len);
	return true;
}

void
exchange_pause(struct exchange *exchange, bool paused)
{
	for (size_t i = 0; i < exchange->n_items; i++) {
		const struct call *call = exchange->items[i].call;
		if (call != NULL && call->upstream != NULL)
			upstream_call_pause(call->upstream, paused);
	}
}

/* A modern client that hangs up has cancelled; a legacy one has only left. */
static void
exchange_leave(struct exchange *exchange)
{
	if (!exchange->is_modern)
		return;
	exchange->starting = true;
	for (size_t i = 0; i < exchange->n_items; i++)
		if (exchange->items[i].call != NULL)
			call_cancel(exchange->items[i].call,
			    "the client closed the stream");
	exchange_begun(exchange);
}

static void
exchange_gone(struct visit *visit)
{
	struct exchange *exchange = (struct exchange *)visit;

	if (exchange->stream != NULL)
		stream_leave(exchange->stream);
	visit->request = NULL;
	exchange_leave(exchange);
}

/* One whose stream was cut hears nothing of it; one that is silent for long
 * becomes a stream. */
void
exchange_sweep(struct front *front, uint64_t now_ms)
{
	struct exchange *exchange, *next;

	for (exchange = TAILQ_FIRST(&front->exchanges); exchange != NULL;
	     exchange = next) {
		next = TAILQ_NEXT(exchange, link);
		if (exchange->stream != NULL) {
			if (exchange->stream->visit == NULL)
				exchange_leave(exchange);
		} else if (now_ms - exchange->since_ms >= FRONT_SILENCE_MS &&
		    exchange_stream(exchange)) {
			stream_silent(exchange->stream);
		}
	}
}

static void
exchange_drained(struct visit *visit)
{
	struct exchange *exchange = (struct exchange *)visit;

	if (exchange->stream != NULL)
		stream_drained(exchange->stream);
}

static void
exchange_silent(struct visit *visit)
{
	struct exchange *exchange = (struct exchange *)visit;

	if (exchange->stream != NULL)
		stream_silent(exchange->stream);
}

static const struct visit_ops exchange_ops = {
	.gone = exchange_gone,
	.drained = exchange_drained,
	.silent = exchange_silent,
};

struct exchange *
exchange_new(const struct visit *visit, size_t n_items)
{
	struct exchange *exchange =
	    calloc(1, sizeof(*exchange) + n_items * sizeof(exchange->items[0]));

	if (exchange == NULL)
		return NULL;
	exchange->visit = *visit;
	exchange->visit.ops = &exchange_ops;
	exchange->since_ms = front_now_ms();
	exchange->can_stream = http_accepts(
	    http_request_header(visit->request, "Accept"), "text/event-stream");
	exchange->n_items = n_items;
	exchange->starting = true;
	for (size_t i = 0; i < n_items; i++) {
		exchange->items[i].exchange = exchange;
		exchange->items[i].status = 200;
		json_out_init(&exchange->items[i].out, FRONT_MESSAGE_MAX);
	}
	TAILQ_INSERT_TAIL(&visit->gateway->front->exchanges, exchange, link);
	http_request_owner_set(visit->request, exchange);
	return exchange;
}

void
exchange_begun(struct exchange *exchange)
{
	exchange->starting = false;
	exchange_settle(exchange);
}
