/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One POST to a declarative server: a message, or (2025-03-26) a batch of them.
 * Every item is answered by itself, now or when its call is over; the answer
 * goes out when all are there. Items point into the request's body, so once
 * the client has left they may not be looked at: only calls still run out.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/log.h"
#include "http/guard.h"
#include "mcp/serve.h"

#define BATCH_MAX 64
#define REPLY_MAX (64u << 20) /* far beyond any result_bytes; a bug's end */

struct item {
	struct exchange *exchange;
	struct mcp_message message;
	enum mcp_era era;
	unsigned status;
	struct json_out out; /* the reply; empty: none is due */
	struct pool_call *call; /* NULL: none runs */
};

struct exchange {
	struct visit visit;
	bool is_batch;
	bool starting; /* items are still being looked at */
	size_t n_items;
	size_t n_running;
	struct item items[];
};

static void
exchange_free(struct exchange *exchange)
{
	for (size_t i = 0; i < exchange->n_items; i++)
		json_out_fini(&exchange->items[i].out);
	free(exchange);
}

/* One SSE event. White space of JSON's own must not end the line. */
static char *
frame_event(char *json, size_t *len)
{
	static const char open[] = "event: message\ndata: ", close[] = "\n\n";
	char *event = malloc(*len + sizeof(open) + sizeof(close));
	size_t n = sizeof(open) - 1;

	if (event == NULL)
		return NULL;
	memcpy(event, open, n);
	for (size_t i = 0; i < *len; i++)
		event[n++] = json[i] == '\n' || json[i] == '\r' ? ' ' : json[i];
	memcpy(event + n, close, 2);
	*len = n + 2;
	return event;
}

/* Takes the JSON. */
static void
send_json(const struct visit *visit, unsigned status, char *json, size_t len)
{
	const char *accept = http_request_header(visit->request, "Accept");
	const bool as_event = status == 200 &&
	    !http_accepts(accept, "application/json") &&
	    http_accepts(accept, "text/event-stream");
	char id[17];
	struct http_header headers[3] = {
		{ "Content-Type",
		    as_event ? "text/event-stream" : "application/json" },
		{ "X-Request-Id", id },
		{ "Retry-After", "1" },
	};

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)visit->id);
	if (as_event && json != NULL) {
		char *event = frame_event(json, &len);
		free(json);
		json = event;
	}
	if (json == NULL) {
		route_refuse(visit->gateway, visit->request, 500,
		    "the answer was too large, or memory ran out");
		return;
	}
	http_reply(
	    visit->request, status, headers, status == 503 ? 3 : 2, json, len);
}

static void
send_error(const struct visit *visit, struct json_span id,
    const struct mcp_error *error)
{
	struct json_out out;
	size_t len = 0;

	json_out_init(&out, REPLY_MAX);
	mcp_error_write(&out, id, error);
	char *json = json_out_steal(&out, &len);
	send_json(visit, error->status, json, len);
	json_out_fini(&out);
}

static char *
join_batch(struct exchange *exchange, size_t *len)
{
	struct json_out out;

	json_out_init(&out, REPLY_MAX);
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

static bool
has_reply(const struct exchange *exchange)
{
	for (size_t i = 0; i < exchange->n_items; i++)
		if (exchange->items[i].out.len > 0 ||
		    json_out_status(&exchange->items[i].out) != 0)
			return true;
	return false;
}

static void
exchange_finish(struct exchange *exchange)
{
	const struct visit *visit = &exchange->visit;
	struct item *first = &exchange->items[0];
	size_t len = 0;

	if (visit->request == NULL) {
		exchange_free(exchange);
		return;
	}
	if (!has_reply(exchange)) {
		http_reply(visit->request, 202, NULL, 0, NULL, 0);
	} else if (exchange->is_batch) {
		char *json = join_batch(exchange, &len);
		send_json(visit, 200, json, len);
	} else {
		char *json = json_out_steal(&first->out, &len);
		send_json(visit, first->status, json, len);
	}
	exchange_free(exchange);
}

static void
exchange_settle(struct exchange *exchange)
{
	if (exchange->n_running == 0 && !exchange->starting)
		exchange_finish(exchange);
}

struct mcp_failure
rpc_failure(const struct pool_outcome *outcome)
{
	return (struct mcp_failure){
		.code = pool_end_name(outcome->end),
		.limit = gateway_limit_name(outcome->end),
		.json = outcome->text,
		.json_len = outcome->text_len,
		.cpu_us = outcome->usage.cpu_us,
		.wall_us = outcome->usage.wall_us,
		.peak_kib = outcome->usage.peak_kib,
	};
}

static void
item_fail(struct item *item, const struct pool_outcome *outcome)
{
	const struct mcp_failure failure = rpc_failure(outcome);
	const struct visit *visit = &item->exchange->visit;
	struct mcp_error error;

	if (outcome->end == POOL_LOAD_ERROR) {
		mcp_load_failure_write(&item->out, item->message.id,
		    visit->bundle->name, &failure);
	} else if (outcome->end == POOL_OVERLOADED) {
		mcp_error_set(&error, 503, MCP_INTERNAL_ERROR,
		    "overloaded: no cell was free for a call of %s; try again "
		    "in a second",
		    visit->bundle->name);
		mcp_error_write(&item->out, item->message.id, &error);
		item->status = error.status;
	} else {
		mcp_tool_failure_write(
		    &item->out, item->message.id, item->era, &failure);
	}
}

static void
item_answer(struct item *item, const struct pool_outcome *outcome)
{
	static const char broken[] =
	    "{\"message\":\"the tool's result is not valid JSON, or has more "
	    "than 256 levels\"}";

	if (outcome->end != POOL_OK) {
		item_fail(item, outcome);
		return;
	}
	if (mcp_tool_result_write(&item->out, item->message.id, item->era,
		outcome->text, outcome->text_len) == 0)
		return;
	item_fail(item,
	    &(struct pool_outcome){ .end = POOL_INVALID_RESULT,
		.text = broken,
		.text_len = sizeof(broken) - 1,
		.usage = outcome->usage });
}

static void
on_done(void *arg, const struct pool_outcome *outcome)
{
	struct item *item = arg;
	struct exchange *exchange = item->exchange;

	if (outcome->end != POOL_OK)
		log_line(LOG_INFO, exchange->visit.id, "a call of %s ended: %s",
		    exchange->visit.bundle->name, pool_end_name(outcome->end));
	item->call = NULL;
	exchange->n_running--;
	if (exchange->visit.request != NULL)
		item_answer(item, outcome);
	exchange_settle(exchange);
}

static void
on_log(void *arg, int level, const char *raw_text, size_t len)
{
	const struct item *item = arg;
	const struct visit *visit = &item->exchange->visit;

	if (level < LOG_DEBUG || level > LOG_ERROR)
		level = LOG_INFO;
	log_tool((enum log_level)level, visit->id, visit->bundle->name,
	    raw_text, len);
}

static const struct pool_call_ops call_ops = { .log = on_log, .done = on_done };

static void
item_call(struct item *item, const struct mcp_turn *turn)
{
	struct exchange *exchange = item->exchange;
	const struct visit *visit = &exchange->visit;
	struct json_out json;

	json_out_init(&json, REPLY_MAX);
	json_out_text(&json, "{\"tool\":");
	json_out_span(&json, turn->tool);
	json_out_text(&json, ",\"input\":");
	if (turn->input.at == NULL)
		json_out_text(&json, "{}");
	else
		json_out_span(&json, turn->input);
	json_out_text(&json, "}");

	int r = json_out_status(&json) == 0 ? 0 : -ENOMEM;
	if (r == 0)
		r = pool_call_start(visit->gateway->pool,
		    visit->bundle->deployment, POOL_TOOL, json.bytes, json.len,
		    NULL, 0, &call_ops, item, &item->call);
	json_out_fini(&json);
	if (r == 0)
		exchange->n_running++;
	else
		item_fail(item, &(struct pool_outcome){ .end = POOL_INTERNAL });
}

static int
item_admit(struct item *item, struct json_span value,
    const struct mcp_headers *headers, struct mcp_error *error)
{
	int r = mcp_message_parse(value, &item->message, error);
	if (r != 0)
		return r;
	r = mcp_era_admit(&item->message, headers, &item->era, error);
	if (r != 0)
		return r;
	if (item->exchange->is_batch &&
	    json_string_equals(item->message.method, "initialize"))
		return mcp_error_set(error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: initialize cannot be in a batch");
	return 0;
}

static void
item_start(struct item *item, struct json_span value,
    const struct mcp_headers *headers)
{
	const struct visit *visit = &item->exchange->visit;
	struct mcp_error error;
	struct mcp_turn turn;

	json_out_init(&item->out, REPLY_MAX);
	if (item_admit(item, value, headers, &error) != 0) {
		item->status = error.status;
		mcp_error_write(&item->out, item->message.id, &error);
		return;
	}
	if (item->message.kind != MCP_REQUEST)
		return;
	const enum mcp_step step = mcp_serve(visit->bundle->surface,
	    &item->message, item->era, &item->out, &turn);
	item->status = turn.status;
	if (step == MCP_CALL_TOOL)
		item_call(item, &turn);
}

/* A modern client that hangs up has cancelled; a legacy one has only left. */
static void
exchange_gone(struct visit *visit)
{
	struct exchange *exchange = (struct exchange *)visit;

	visit->request = NULL;
	for (size_t i = 0; i < exchange->n_items; i++)
		if (exchange->items[i].call != NULL &&
		    exchange->items[i].era == MCP_MODERN)
			pool_call_cancel(exchange->items[i].call);
}

static const struct visit_ops exchange_ops = { .gone = exchange_gone };

static void
exchange_run(const struct visit *visit, struct json_span body, size_t n_items,
    const struct mcp_headers *headers)
{
	struct exchange *exchange =
	    calloc(1, sizeof(*exchange) + n_items * sizeof(exchange->items[0]));
	struct json_span value = body;
	struct json_iter iter = { 0 };

	if (exchange == NULL) {
		route_refuse(
		    visit->gateway, visit->request, 503, "out of memory");
		return;
	}
	exchange->visit = *visit;
	exchange->visit.ops = &exchange_ops;
	exchange->is_batch = json_iter_init(&iter, body) == 0 &&
	    json_kind_of(body) == JSON_KIND_ARRAY;
	exchange->n_items = n_items;
	exchange->starting = true;
	http_request_owner_set(visit->request, exchange);
	for (size_t i = 0; i < n_items; i++) {
		exchange->items[i].exchange = exchange;
		if (exchange->is_batch)
			json_iter_element(&iter, &value);
		item_start(&exchange->items[i], value, headers);
	}
	exchange->starting = false;
	exchange_settle(exchange);
}

/* How many messages a body holds. */
static int
body_count(struct json_span body, const struct mcp_headers *headers,
    size_t *n_items, struct mcp_error *error)
{
	struct json_span value;
	struct json_iter iter;
	size_t n = 0;

	*n_items = 1;
	if (json_kind_of(body) != JSON_KIND_ARRAY)
		return 0;
	if (!mcp_version_has_batches(headers->version))
		return mcp_error_set(error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: batches exist in " MCP_VERSION_BATCH
		    " only; send one message a request");
	json_iter_init(&iter, body);
	while (n <= BATCH_MAX && json_iter_element(&iter, &value))
		n++;
	if (n == 0 || n > BATCH_MAX)
		return mcp_error_set(error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: a batch holds 1 to %d messages",
		    BATCH_MAX);
	*n_items = n;
	return 0;
}

static int
body_read(struct http_request *request, struct json_span *value,
    struct mcp_error *error)
{
	size_t len, offset = 0;
	const char *body = (const char *)http_request_body(request, &len);

	const int r = json_check(body == NULL ? "" : body, len, value, &offset);
	if (r == JSON_E_DEPTH)
		return mcp_error_set(error, 400, MCP_PARSE_ERROR,
		    "Parse error: nested deeper than %d levels, at byte %zu",
		    JSON_DEPTH_MAX, offset);
	if (r != 0)
		return mcp_error_set(error, 400, MCP_PARSE_ERROR,
		    "Parse error: the body is not JSON, at byte %zu", offset);
	return 0;
}

static bool
is_json_type(const char *content_type)
{
	static const char json[] = "application/json";
	const size_t len = sizeof(json) - 1;

	return content_type == NULL ||
	    (strncasecmp(content_type, json, len) == 0 &&
		strchr(" ;", content_type[len]) != NULL);
}

static bool
method_admit(const struct visit *visit)
{
	static const char body[] =
	    "{\"error\":\"this server takes POST only: it keeps no session "
	    "and sends no stream of its own\"}\n";
	static const struct http_header headers[] = {
		{ "Allow", "POST" },
		{ "Content-Type", "application/json" },
	};

	if (strcmp(http_request_method(visit->request), "POST") != 0) {
		http_reply_static(
		    visit->request, 405, headers, ARRAY_LEN(headers), body);
		return false;
	}
	if (!is_json_type(
		http_request_header(visit->request, "Content-Type"))) {
		route_refuse(visit->gateway, visit->request, 415,
		    "the body must be sent as Content-Type: application/json");
		return false;
	}
	return true;
}

void
rpc_start(const struct visit *visit)
{
	struct http_request *request = visit->request;
	const struct mcp_headers headers = {
		.version = http_request_header(request, "MCP-Protocol-Version"),
		.method = http_request_header(request, "Mcp-Method"),
		.name = http_request_header(request, "Mcp-Name"),
	};
	struct json_span body;
	struct mcp_error error;
	size_t n_items;

	if (!method_admit(visit))
		return;
	if (body_read(request, &body, &error) != 0 ||
	    body_count(body, &headers, &n_items, &error) != 0)
		send_error(visit, (struct json_span){ 0 }, &error);
	else
		exchange_run(visit, body, n_items, &headers);
}

struct json_span
rpc_request_id(struct http_request *request)
{
	struct json_span body;
	struct mcp_message message = { 0 };
	struct mcp_error error;

	if (body_read(request, &body, &error) == 0)
		mcp_message_parse(body, &message, &error);
	return message.id;
}

void
rpc_refuse_load(const struct visit *visit, const struct pool_outcome *outcome)
{
	const struct mcp_failure failure = rpc_failure(outcome);
	struct json_out out;
	size_t len = 0;

	log_line(LOG_WARN, visit->id, "server %s cannot answer: %s: %.*s",
	    visit->bundle->name, failure.code,
	    (int)(failure.json_len < 600 ? failure.json_len : 600),
	    failure.json == NULL ? "" : failure.json);
	const struct json_span id = rpc_request_id(visit->request);
	const unsigned status = outcome->end == POOL_OVERLOADED || id.at == NULL
	    ? gateway_end_status(outcome->end)
	    : 200;
	json_out_init(&out, REPLY_MAX);
	mcp_load_failure_write(&out, id, visit->bundle->name, &failure);
	char *json = json_out_steal(&out, &len);
	send_json(visit, status, json, len);
	json_out_fini(&out);
}
