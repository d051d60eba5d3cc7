/* SPDX-License-Identifier: Apache-2.0 */

/*
 * MCP's door: what an HTTP request is, before any of its messages is served.
 * POST brings messages, GET reads a session's stream, DELETE ends a session.
 */

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "gateway/log.h"
#include "http/guard.h"

#define SESSION_HEADER "Mcp-Session-Id"

/* One POST, while its body is looked at. */
struct post {
	const struct visit *visit;
	struct mcp_headers headers;
	struct json_span body;
	struct session *session; /* NULL: the client names none */
	size_t n_items;
	bool is_batch;
};

static void
send_error(const struct visit *visit, struct json_span id,
    const struct mcp_error *error)
{
	static const struct http_header headers[] = {
		{ "Content-Type", "application/json" },
	};
	struct json_out out;
	size_t len = 0;

	json_out_init(&out, FRONT_MESSAGE_MAX);
	mcp_error_write(&out, id, error);
	char *json = json_out_steal(&out, &len);
	json_out_fini(&out);
	http_reply(visit->request, error->status, headers, ARRAY_LEN(headers),
	    json, len);
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

/* The revision that holds for a request of this session, if it is of one. */
static const char *
version_of(const struct post *post)
{
	return post->headers.version == NULL && post->session != NULL
	    ? mcp_version_name(post->session->version)
	    : post->headers.version;
}

/* How many messages a body holds. */
static int
body_count(struct post *post, struct mcp_error *error)
{
	struct json_span value;
	struct json_iter iter;
	size_t n = 0;

	post->n_items = 1;
	if (json_kind_of(post->body) != JSON_KIND_ARRAY)
		return 0;
	post->is_batch = true;
	if (!mcp_version_has_batches(version_of(post)))
		return mcp_error_set(error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: batches exist in " MCP_VERSION_BATCH
		    " only; send one message a request");
	json_iter_init(&iter, post->body);
	while (n <= FRONT_BATCH_MAX && json_iter_element(&iter, &value))
		n++;
	if (n == 0 || n > FRONT_BATCH_MAX)
		return mcp_error_set(error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: a batch holds 1 to %d messages",
		    FRONT_BATCH_MAX);
	post->n_items = n;
	return 0;
}

/* A modern client has no session; one that it names all the same is not
 * looked at. */
static bool
is_modern(const struct visit *visit)
{
	const char *version =
	    http_request_header(visit->request, "MCP-Protocol-Version");

	return version != NULL && strcmp(version, MCP_VERSION_MODERN) == 0;
}

/*
 * The session that the request names, if it names one. MCP_E_REFUSED: 404 for
 * one that is over or never was this principal's, here.
 */
static int
session_find(const struct visit *visit, struct session **sessionp,
    struct mcp_error *error)
{
	const char *text = http_request_header(visit->request, SESSION_HEADER);
	const char *version =
	    http_request_header(visit->request, "MCP-Protocol-Version");

	*sessionp = NULL;
	if (text == NULL || is_modern(visit))
		return 0;
	const int r = session_admit(visit, text, sessionp);
	if (r < 0)
		return mcp_error_set(
		    error, 503, MCP_INTERNAL_ERROR, "out of memory");
	if (r != 0)
		return mcp_error_set(error, 404, MCP_INVALID_REQUEST,
		    "Session not found: it has ended, or it is not yours here; "
		    "initialize again");
	if (version != NULL &&
	    mcp_version_number(version) != (*sessionp)->version)
		return mcp_error_set(error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: MCP-Protocol-Version says '%.32s', and "
		    "the session was opened with %s",
		    version, mcp_version_name((*sessionp)->version));
	return 0;
}

static void
on_notice(const struct post *post, const struct mcp_message *message)
{
	struct json_want want = { .name = "requestId" };
	struct call *call;

	if (post->session == NULL)
		return;
	const enum mcp_notice notice = mcp_notice_find(message->method);
	if (notice == MCP_ROOTS_CHANGED) {
		call_roots_changed(post->visit, post->session, message->params);
		return;
	}
	if (notice != MCP_CANCELLED ||
	    json_members_find(message->params, &want, 1) != 0)
		return;
	call = call_find(post->session, want.value);
	if (call != NULL) {
		log_line(LOG_DEBUG, call->request, "cancelled by its client");
		call_cancel(call, "the client cancelled the request");
	}
}

/* It is of no session yet: one that it names all the same could be the one that
 * makes room for its own. */
static bool
is_opening(const struct mcp_message *message)
{
	return json_string_equals(message->method, "initialize");
}

static int
item_admit(const struct post *post, struct item *item, struct json_span value,
    struct mcp_message *message, enum mcp_era *era, struct mcp_error *error)
{
	int r = mcp_message_parse(value, message, error);

	if (r != 0)
		return r;
	r = mcp_era_admit(message, &post->headers, era, error);
	if (r != 0)
		return r;
	item->exchange->is_modern = *era == MCP_MODERN;
	if (post->is_batch && is_opening(message))
		return mcp_error_set(error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: initialize cannot be in a batch");
	if (post->is_batch && *era == MCP_MODERN)
		return mcp_error_set(error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: batches exist in " MCP_VERSION_BATCH
		    " only; send one message a request");
	return 0;
}

/* The first of a batch was counted when its HTTP request came; the others are
 * no cheaper for coming along. */
static int
quota_admit(const struct post *post, const struct item *item,
    const struct mcp_message *message, struct mcp_error *error)
{
	struct quota_refusal refusal;

	if (item == item->exchange->items || message->kind != MCP_REQUEST ||
	    quota_request(post->visit->principal, &refusal) == 0)
		return 0;
	return mcp_error_set(error, 429, MCP_REFUSED_BUSY,
	    "Over the quota %s of the %s: try again in %u s", refusal.what,
	    refusal.whose, refusal.retry_s);
}

static void
item_start(const struct post *post, struct item *item, struct json_span value)
{
	struct mcp_message message;
	struct mcp_error error;
	enum mcp_era era;

	if (item_admit(post, item, value, &message, &era, &error) != 0 ||
	    quota_admit(post, item, &message, &error) != 0) {
		item->status = error.status;
		mcp_error_write(&item->out, message.id, &error);
	} else if (message.kind == MCP_REQUEST) {
		item->is_open = true;
		item->exchange->n_open++;
		call_start(item, &message,
		    era == MCP_LEGACY && !is_opening(&message) ? post->session
							       : NULL,
		    era);
	} else if (era == MCP_LEGACY && message.kind == MCP_NOTIFICATION) {
		on_notice(post, &message);
	} else if (era == MCP_LEGACY && post->session != NULL) {
		ask_respond(post->session, &message, value);
	}
}

static void
exchange_run(struct post *post)
{
	struct exchange *exchange = exchange_new(post->visit, post->n_items);
	struct json_span value = post->body;
	struct json_iter iter = { 0 };

	if (exchange == NULL) {
		route_refuse(post->visit->gateway, post->visit->request, 503,
		    "out of memory");
		return;
	}
	exchange->is_batch = post->is_batch;
	if (post->is_batch)
		json_iter_init(&iter, post->body);
	for (size_t i = 0; i < post->n_items; i++) {
		if (post->is_batch)
			json_iter_element(&iter, &value);
		item_start(post, &exchange->items[i], value);
	}
	exchange_begun(exchange);
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

static void
post_start(const struct visit *visit)
{
	struct http_request *request = visit->request;
	struct post post = {
		.visit = visit,
		.headers = {
			.version = http_request_header(
			    request, "MCP-Protocol-Version"),
			.method = http_request_header(request, "Mcp-Method"),
			.name = http_request_header(request, "Mcp-Name"),
		},
	};
	struct mcp_error error;

	if (!is_json_type(http_request_header(request, "Content-Type"))) {
		route_refuse(visit->gateway, request, 415,
		    "the body must be sent as Content-Type: application/json");
		return;
	}
	if (body_read(request, &post.body, &error) != 0 ||
	    session_find(visit, &post.session, &error) != 0 ||
	    body_count(&post, &error) != 0)
		send_error(visit, (struct json_span){ 0 }, &error);
	else
		exchange_run(&post);
}

/* GET and DELETE are of a session, or of nothing. */
static struct session *
session_need(const struct visit *visit)
{
	struct session *session = NULL;
	struct mcp_error error;

	if (session_find(visit, &session, &error) != 0) {
		send_error(visit, (struct json_span){ 0 }, &error);
	} else if (session == NULL) {
		mcp_error_set(&error, 400, MCP_INVALID_REQUEST,
		    "Invalid request: send the header " SESSION_HEADER
		    " that initialize was answered with");
		send_error(visit, (struct json_span){ 0 }, &error);
	}
	return session;
}

static void
get_start(const struct visit *visit)
{
	const char *accept = http_request_header(visit->request, "Accept");

	if (!http_accepts(accept, "text/event-stream")) {
		route_refuse(visit->gateway, visit->request, 406,
		    "GET reads a stream of events: send Accept: "
		    "text/event-stream");
		return;
	}
	struct session *session = session_need(visit);
	if (session != NULL)
		stream_get(visit, session);
}

static void
delete_start(const struct visit *visit)
{
	struct gateway *gateway = visit->gateway;
	struct session *session = session_need(visit);

	if (session == NULL)
		return;
	registry_session_end(gateway, session->id, session->ends);
	registry_audit(
	    gateway, visit->principal, visit->id, "session/end", NULL, 0);
	session_end(gateway->front, session);
	http_reply(visit->request, 204, NULL, 0, NULL, 0);
}

void
rpc_start(const struct visit *visit)
{
	static const char sentence[] =
	    "{\"error\":\"MCP is spoken by POST; GET and DELETE are of "
	    "sessions, which 2026-07-28 has none of\"}\n";
	static const struct http_header headers[] = {
		{ "Allow", "POST, GET, DELETE" },
		{ "Content-Type", "application/json" },
	};
	const char *method = http_request_method(visit->request);

	if (strcmp(method, "POST") == 0)
		post_start(visit);
	else if (strcmp(method, "GET") == 0 && !is_modern(visit))
		get_start(visit);
	else if (strcmp(method, "DELETE") == 0 && !is_modern(visit))
		delete_start(visit);
	else
		http_reply_static(
		    visit->request, 405, headers, ARRAY_LEN(headers), sentence);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct front *front = arg;
	const uint64_t now_ms = front_now_ms();

	(void)fd;
	(void)what;
	exchange_sweep(front, now_ms);
	ask_sweep(front, now_ms);
	session_sweep(front);
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	listen_flush(arg);
}

int
front_start(struct gateway *gateway)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct front *front = calloc(1, sizeof(*front));

	if (front == NULL)
		return -ENOMEM;
	front->gateway = gateway;
	front->started = front_unix_ms();
	TAILQ_INIT(&front->lives);
	TAILQ_INIT(&front->exchanges);
	TAILQ_INIT(&front->calls);
	TAILQ_INIT(&front->listeners);
	TAILQ_INIT(&front->orphans);
	front->tick = event_new(gateway->base, -1, EV_PERSIST, on_tick, front);
	front->flush = event_new(gateway->base, -1, 0, on_flush, front);
	gateway->front = front;
	if (front->tick == NULL || front->flush == NULL ||
	    event_add(front->tick, &second) != 0) {
		front_stop(gateway);
		return -ENOMEM;
	}
	return 0;
}

void
front_stop(struct gateway *gateway)
{
	struct front *front = gateway->front;

	if (front == NULL)
		return;
	while (!TAILQ_EMPTY(&front->calls))
		call_cancel(
		    TAILQ_FIRST(&front->calls), "the gateway is ending");
	listen_stop(front);
	session_stop(front);
	if (front->tick != NULL)
		event_free(front->tick);
	if (front->flush != NULL)
		event_free(front->flush);
	free(front);
	gateway->front = NULL;
}

/* A token that may see less hears that the lists are others. */
void
front_principal_changed(struct gateway *gateway, struct principal *principal)
{
	struct front *front = gateway->front;
	struct call *call, *next;

	if (front == NULL)
		return;
	if (!principal->gone) {
		listen_changed(front, principal);
		return;
	}
	for (call = TAILQ_FIRST(&front->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, link);
		if (call->client.principal == principal)
			call_cancel(call, "the token is no longer valid");
	}
	session_end_all(front, principal);
}

void
front_drain(struct gateway *gateway)
{
	struct front *front = gateway->front;
	struct call *call, *next;
	struct live *live;

	for (call = TAILQ_FIRST(&front->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, link);
		if (call->is_parked)
			call_cancel(call, "the gateway is ending");
	}
	listen_stop(front);
	TAILQ_FOREACH (live, &front->lives, link)
		if (live->get != NULL)
			stream_free(live->get);
}

void
front_counts_get(const struct gateway *gateway, struct front_counts *counts)
{
	const struct front *front = gateway->front;

	*counts = (struct front_counts){
		.sessions = front->n_sessions,
		.streams = front->n_streams,
		.calls = front->n_calls,
		.asking = front->n_asking,
		.kept_bytes = front->kept_bytes,
	};
}
