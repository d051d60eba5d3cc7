/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a Workers-style bundle serves besides MCP: the HTTP request goes to the
 * cell as it came, less what is between the client and this host (its token,
 * its cookies, the connection); the response streams back. Every byte of it is
 * hostile: names, values and status are checked before they become a head.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/behind/head.h"
#include "gateway/log.h"
#include "gateway/route.h"
#include "mcp/result.h"

#define REQUEST_JSON_MAX (1u << 20) /* a head is 32 KiB at most */

struct fetch {
	struct visit visit;
	struct principal *principal; /* held */
	struct server *server; /* held */
	struct pool_call *call;
	bool begun; /* the response's head is out */
	bool is_events;
	bool broken; /* the cell's head was refused; wait for done() */
	char tail[2]; /* the last two bytes streamed */
};

/* Whether a Connection header names this one as its own. */
static bool
is_connection_option(const char *connection, const char *name)
{
	const size_t len = strlen(name);

	while (connection != NULL && *connection != '\0') {
		connection += strspn(connection, ", \t");
		const size_t n = strcspn(connection, ", \t");
		if (n == len && strncasecmp(connection, name, n) == 0)
			return true;
		connection += n;
	}
	return false;
}

struct head_writer {
	struct json_out *out;
	const char *connection;
	bool any;
};

static void
put_header(void *arg, const char *name, const char *value)
{
	struct head_writer *writer = arg;

	if (head_drops(name) || is_connection_option(writer->connection, name))
		return;
	json_out_text(writer->out, writer->any ? ",[" : "[");
	json_out_string(writer->out, name, strlen(name));
	json_out_text(writer->out, ",");
	json_out_string(writer->out, value, strlen(value));
	json_out_text(writer->out, "]");
	writer->any = true;
}

/* The bundle sees itself at the root: /s/NAME/page?q is /page?q to it. */
static void
put_url(struct json_out *out, const struct visit *visit)
{
	const char *host = http_request_header(visit->request, "Host");
	const char *rest = visit->rest;
	char url[512];

	snprintf(
	    url, sizeof(url), "http://%s%s", host, *rest == '/' ? "" : "/");
	/* Both parts in one string: quotes are ours, the insides escaped. */
	struct json_out joined;
	json_out_init(&joined, REQUEST_JSON_MAX);
	json_out_text(&joined, url);
	json_out_text(&joined, rest);
	json_out_string(out, joined.bytes, joined.len);
	json_out_fini(&joined);
}

static void
put_request(struct json_out *out, const struct visit *visit)
{
	const char *method = http_request_method(visit->request);
	struct head_writer writer = { .out = out,
		.connection =
		    http_request_header(visit->request, "Connection") };

	json_out_text(out, "{\"method\":");
	json_out_string(out, method, strlen(method));
	json_out_text(out, ",\"url\":");
	put_url(out, visit);
	json_out_text(out, ",\"headers\":[");
	http_request_headers_each(visit->request, put_header, &writer);
	json_out_text(out, "]}");
}

/* The client gets a whole error. */
static void
refuse_outcome(const struct visit *visit, unsigned status,
    const struct pool_outcome *outcome)
{
	static const struct http_header type = { "Content-Type",
		"application/json" };
	const struct mcp_failure failure = {
		.code = pool_end_name(outcome->end),
		.limit = gateway_limit_name(outcome->end),
		.json = outcome->text,
		.json_len = outcome->text_len,
		.cpu_us = outcome->usage.cpu_us,
		.wall_us = outcome->usage.wall_us,
		.peak_kib = outcome->usage.peak_kib,
	};
	struct json_out out;
	size_t len = 0;

	if (status == 503)
		http_request_answer_with(visit->request, "Retry-After", "1");
	json_out_init(&out, REQUEST_JSON_MAX);
	json_out_text(&out, "{\"error\":");
	if (outcome->end == POOL_LOAD_ERROR)
		mcp_load_failure_make(
		    &out, visit->endpoint.server->name, &failure);
	else
		mcp_call_failure_make(&out, &failure);
	json_out_text(&out, "}");
	char *body = json_out_steal(&out, &len);
	json_out_fini(&out);
	http_reply(visit->request, status, &type, 1, body, len);
}

static void
fetch_refuse(
    struct fetch *fetch, unsigned status, const struct pool_outcome *outcome)
{
	refuse_outcome(&fetch->visit, status, outcome);
	fetch->visit.request = NULL;
}

static void
head_refuse(struct fetch *fetch)
{
	static const char text[] =
	    "{\"message\":\"the bundle answered with a head that is no HTTP: "
	    "status 200 to 599, at most 64 headers, names and values without "
	    "control characters\"}";

	log_line(LOG_WARN, fetch->visit.id,
	    "server %s answered with a head that is no HTTP",
	    fetch->server->name);
	fetch->broken = true;
	fetch_refuse(fetch, 502,
	    &(struct pool_outcome){ .end = POOL_INVALID_RESULT,
		.text = text,
		.text_len = sizeof(text) - 1 });
	pool_call_cancel(fetch->call);
}

static void
on_head(void *arg, const char *raw_json, size_t len)
{
	struct fetch *fetch = arg;
	struct head head;
	char id[LOG_ID_MAX];

	if (fetch->visit.request == NULL || fetch->begun)
		return;
	if (head_admit(raw_json, len, &head) != 0) {
		head_refuse(fetch);
		return;
	}
	fetch->begun = true;
	fetch->is_events = head_is_event_stream(&head);
	log_id(id, fetch->visit.id);
	head.headers[head.n_headers++] =
	    (struct http_header){ "X-Request-Id", id };
	if (fetch->is_events)
		head.headers[head.n_headers++] =
		    (struct http_header){ "X-Accel-Buffering", "no" };
	http_stream_begin(
	    fetch->visit.request, head.status, head.headers, head.n_headers);
}

static void
on_chunk(void *arg, const uint8_t *raw_bytes, size_t len)
{
	struct fetch *fetch = arg;

	if (fetch->visit.request == NULL || !fetch->begun || len == 0)
		return;
	fetch->tail[0] = len > 1 ? (char)raw_bytes[len - 2] : fetch->tail[1];
	fetch->tail[1] = (char)raw_bytes[len - 1];
	if (http_stream_write(fetch->visit.request, raw_bytes, len))
		pool_call_pause(fetch->call, true);
}

static void
fetch_end(struct fetch *fetch, const struct pool_outcome *outcome)
{
	static const char silent[] =
	    "{\"message\":\"the bundle ended without an answer\"}";
	static const struct pool_outcome headless = {
		.end = POOL_INTERNAL,
		.text = silent,
		.text_len = sizeof(silent) - 1,
	};

	if (fetch->begun && outcome->end == POOL_OK)
		http_stream_end(fetch->visit.request);
	else if (fetch->begun)
		http_stream_cut(fetch->visit.request);
	else if (outcome->end == POOL_OK)
		fetch_refuse(fetch, 502, &headless);
	else
		fetch_refuse(fetch, gateway_end_status(outcome->end), outcome);
}

static void
fetch_free(struct fetch *fetch)
{
	principal_unref(fetch->principal);
	server_unref(fetch->server);
	free(fetch);
}

static void
on_done(void *arg, const struct pool_outcome *outcome)
{
	struct fetch *fetch = arg;
	struct server *server = fetch->server;

	if (outcome->end != POOL_OK && !fetch->broken)
		log_line(LOG_INFO, fetch->visit.id, "a request to %s ended: %s",
		    server->name, pool_end_name(outcome->end));
	quota_call_leave(fetch->principal, &outcome->usage);
	metrics_call(server, pool_end_name(outcome->end), &outcome->usage);
	if (fetch->visit.request != NULL)
		fetch_end(fetch, outcome);
	fetch_free(fetch);
}

static void
on_log(void *arg, int level, const char *raw_text, size_t len)
{
	const struct fetch *fetch = arg;

	server_log(fetch->server, level, fetch->visit.id, raw_text, len);
}

static const struct pool_call_ops call_ops = {
	.head = on_head,
	.chunk = on_chunk,
	.log = on_log,
	.done = on_done,
};

/* Nobody but its reader can want a stream; a POST may have been meant to be
 * done, heard by anybody or not. */
static void
fetch_gone(struct visit *visit)
{
	struct fetch *fetch = (struct fetch *)visit;
	const bool is_post =
	    strcmp(http_request_method(visit->request), "POST") == 0;

	visit->request = NULL;
	if (is_post)
		pool_call_pause(fetch->call, false);
	else
		pool_call_cancel(fetch->call);
}

static void
fetch_drained(struct visit *visit)
{
	pool_call_pause(((struct fetch *)visit)->call, false);
}

/* A comment keeps middle boxes from cutting a stream that is quiet. It may
 * stand only where a line begins, and must not end an event half said. */
static void
fetch_silent(struct visit *visit)
{
	const struct fetch *fetch = (struct fetch *)visit;
	const bool at_line = fetch->tail[1] == '\n' || fetch->tail[1] == '\0';
	const bool in_event = fetch->tail[1] == '\n' && fetch->tail[0] != '\n';

	if (fetch->is_events && at_line)
		http_stream_write(visit->request, ":\n\n", in_event ? 2 : 3);
}

static const struct visit_ops fetch_ops = {
	.gone = fetch_gone,
	.drained = fetch_drained,
	.silent = fetch_silent,
};

/* What stands behind the path may be a secret. */
static void
call_mark(const struct fetch *fetch)
{
	const struct visit *visit = &fetch->visit;
	struct pool_mark mark = { .request = visit->id,
		.principal = visit->principal->record.id };

	snprintf(mark.what, sizeof(mark.what), "%s %.*s",
	    http_request_method(visit->request), (int)strcspn(visit->rest, "?"),
	    visit->rest);
	pool_call_mark(fetch->call, &mark);
}

static int
fetch_call(struct fetch *fetch)
{
	const struct visit *visit = &fetch->visit;
	struct json_out json;
	size_t body_len;
	const uint8_t *body = http_request_body(visit->request, &body_len);

	json_out_init(&json, REQUEST_JSON_MAX);
	put_request(&json, visit);
	int r = json_out_status(&json);
	if (r == 0)
		r = pool_call_start(visit->gateway->pool,
		    fetch->server->record.id, POOL_REQUEST, json.bytes,
		    json.len, body, body_len, &call_ops, fetch, &fetch->call);
	json_out_fini(&json);
	if (r == 0)
		call_mark(fetch);
	return r;
}

static struct fetch *
fetch_new(const struct visit *visit, const struct visit_ops *ops)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch == NULL) {
		route_refuse(
		    visit->gateway, visit->request, 503, "out of memory");
		return NULL;
	}
	fetch->visit = *visit;
	fetch->visit.ops = ops;
	fetch->principal = principal_ref(visit->principal);
	fetch->server = server_ref(visit->endpoint.server);
	http_request_owner_set(visit->request, fetch);
	return fetch;
}

/* It is a bundle of this kind. */
static void
fetch_run(const struct visit *visit)
{
	struct quota_refusal refusal;
	char seconds[16];

	if (quota_call_enter(visit->principal, &refusal) != 0) {
		snprintf(seconds, sizeof(seconds), "%u", refusal.retry_s);
		http_request_answer_with(
		    visit->request, "Retry-After", seconds);
		route_refuse(visit->gateway, visit->request, 429,
		    "the quota %s of this %s is used up: try again in %s s",
		    refusal.what, refusal.whose, seconds);
		return;
	}
	struct fetch *fetch = fetch_new(visit, &fetch_ops);
	if (fetch != NULL && fetch_call(fetch) == 0)
		return;
	quota_call_leave(visit->principal, &(struct pool_usage){ 0 });
	if (fetch == NULL)
		return;
	http_request_owner_set(visit->request, NULL);
	fetch_free(fetch);
	route_refuse(visit->gateway, visit->request, 503, "out of memory");
}

/* While it is not known yet what kind of bundle it is. */
static void
waiter_gone(struct visit *visit)
{
	visit->request = NULL;
}

static const struct visit_ops waiter_ops = { .gone = waiter_gone };

static void
on_surface(void *arg, const char *raw_json, size_t len,
    const struct pool_outcome *failure)
{
	static const char fetches[] = "{\"kind\":\"fetch\"";
	struct fetch *waiter = arg;
	const struct visit visit = waiter->visit;

	if (visit.request != NULL) {
		http_request_owner_set(visit.request, NULL);
		if (failure != NULL)
			refuse_outcome(
			    &visit, gateway_end_status(failure->end), failure);
		else if (len >= sizeof(fetches) - 1 &&
		    memcmp(raw_json, fetches, sizeof(fetches) - 1) == 0)
			fetch_run(&visit);
		else
			route_refuse(visit.gateway, visit.request, 404,
			    "the server %s is at /s/%s/mcp only",
			    waiter->server->name, waiter->server->name);
	}
	fetch_free(waiter);
}

void
fetch_start(const struct visit *visit)
{
	const struct server *server = visit->endpoint.server;

	if (!registry_may_call(visit->principal, server)) {
		challenge_set(visit->request, "call");
		route_refuse(visit->gateway, visit->request, 403,
		    "this needs a token with the scope 'call', which yours "
		    "has not");
		return;
	}
	if (server->record.launch.kind != WIRE_KIND_ISOLATE) {
		route_refuse(visit->gateway, visit->request, 404,
		    "the server %s is at /s/%s/mcp only", server->name,
		    server->name);
		return;
	}
	struct fetch *waiter = fetch_new(visit, &waiter_ops);
	if (waiter == NULL ||
	    pool_surface_get(visit->gateway->pool, server->record.id,
		on_surface, waiter) == 0)
		return;
	http_request_owner_set(visit->request, NULL);
	fetch_free(waiter);
	route_refuse(visit->gateway, visit->request, 503, "out of memory");
}
