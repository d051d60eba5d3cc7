/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers-style bundles: the HTTP request goes to the cell as it came, less
 * what is between the client and this host (its token, its cookies, the
 * connection); the response streams back. Every byte of it is hostile: names,
 * values and status are checked before they become a head.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/head.h"
#include "gateway/log.h"
#include "mcp/version.h"

#define REQUEST_JSON_MAX (1u << 20) /* a head is 32 KiB at most */

struct fetch {
	struct visit visit;
	struct pool_call *call;
	bool begun; /* the response's head is out */
	bool is_events;
	bool is_modern;
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

/* The bundle sees itself at the root: /s/NAME/mcp?q is /mcp?q to it. */
static void
put_url(struct json_out *out, const struct visit *visit)
{
	const char *host = http_request_header(visit->request, "Host");
	const char *target = http_request_target(visit->request);
	const char *rest = target + strlen("/s/") + strlen(visit->bundle->name);
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

/* The client gets a whole error; the call, if one runs, is of no more use. */
static void
fetch_refuse(
    struct fetch *fetch, unsigned status, const struct pool_outcome *outcome)
{
	static const struct http_header headers[] = {
		{ "Content-Type", "application/json" },
		{ "Retry-After", "1" },
	};
	const struct visit *visit = &fetch->visit;
	const struct mcp_failure failure = rpc_failure(outcome);
	struct json_out out;
	size_t len = 0;

	json_out_init(&out, REQUEST_JSON_MAX);
	mcp_call_failure_write(&out, rpc_request_id(visit->request), &failure);
	char *body = json_out_steal(&out, &len);
	json_out_fini(&out);
	http_reply(
	    visit->request, status, headers, status == 503 ? 2 : 1, body, len);
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
	    fetch->visit.bundle->name);
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
	char id[17];

	if (fetch->visit.request == NULL || fetch->begun)
		return;
	if (head_admit(raw_json, len, &head) != 0) {
		head_refuse(fetch);
		return;
	}
	fetch->begun = true;
	fetch->is_events = head_is_event_stream(&head);
	snprintf(
	    id, sizeof(id), "%016llx", (unsigned long long)fetch->visit.id);
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
on_done(void *arg, const struct pool_outcome *outcome)
{
	struct fetch *fetch = arg;

	if (outcome->end != POOL_OK && !fetch->broken)
		log_line(LOG_INFO, fetch->visit.id, "a request to %s ended: %s",
		    fetch->visit.bundle->name, pool_end_name(outcome->end));
	if (fetch->visit.request != NULL)
		fetch_end(fetch, outcome);
	free(fetch);
}

static void
on_log(void *arg, int level, const char *raw_text, size_t len)
{
	const struct fetch *fetch = arg;

	if (level < LOG_DEBUG || level > LOG_ERROR)
		level = LOG_INFO;
	log_tool((enum log_level)level, fetch->visit.id,
	    fetch->visit.bundle->name, raw_text, len);
}

static const struct pool_call_ops call_ops = {
	.head = on_head,
	.chunk = on_chunk,
	.log = on_log,
	.done = on_done,
};

/* A modern client that hangs up has cancelled, and nobody but its reader can
 * want a stream; a legacy POST runs to its end, heard by nobody. */
static void
fetch_gone(struct visit *visit)
{
	struct fetch *fetch = (struct fetch *)visit;
	const bool is_post =
	    strcmp(http_request_method(visit->request), "POST") == 0;

	visit->request = NULL;
	if (fetch->is_modern || !is_post)
		pool_call_cancel(fetch->call);
	else
		pool_call_pause(fetch->call, false);
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
		    visit->bundle->deployment, POOL_REQUEST, json.bytes,
		    json.len, body, body_len, &call_ops, fetch, &fetch->call);
	json_out_fini(&json);
	return r;
}

void
fetch_start(const struct visit *visit)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	const char *version =
	    http_request_header(visit->request, "MCP-Protocol-Version");

	if (fetch != NULL) {
		fetch->visit = *visit;
		fetch->visit.ops = &fetch_ops;
		fetch->is_modern =
		    version != NULL && strcmp(version, MCP_VERSION_MODERN) == 0;
		http_request_owner_set(visit->request, fetch);
		if (fetch_call(fetch) == 0)
			return;
		http_request_owner_set(visit->request, NULL);
		free(fetch);
	}
	route_refuse(visit->gateway, visit->request, 503, "out of memory");
}
