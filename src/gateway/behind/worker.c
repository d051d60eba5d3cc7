/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A Workers-style bundle: the host is its MCP client. Each message is a POST
 * into a cell of its own, so there is no session: what the bundle asks in the
 * middle of a call could be answered by no one, and ends the call with the
 * reason. Its answer is JSON or an event stream; of either only the response to
 * the one request counts, and the notifications before it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "gateway/behind/behind.h"
#include "gateway/behind/head.h"
#include "gateway/log.h"
#include "mcp/param.h"
#include "mcp/stream.h"

#define ID "1" /* of the one request in a cell */
#define LINGER_MS 1000 /* of a stream whose response has come */

struct run {
	struct upstream_call *call; /* NULL: dropped */
	struct server *server; /* held */
	struct pool_call *pool; /* NULL: over */
	uint64_t request;
	enum mcp_era era;
	unsigned status; /* 0: no head yet */
	bool is_events;
	struct json_out body; /* no event stream */
	struct mcp_events events;
	/* The response: its message, copied; the spans lie in it. */
	char *answer;
	struct json_span result;
	struct json_span error;
	const char *fault; /* why there will be none */
	struct event *linger;
};

static void
run_free(struct run *run)
{
	json_out_fini(&run->body);
	mcp_events_fini(&run->events);
	if (run->linger != NULL)
		event_free(run->linger);
	free(run->answer);
	server_unref(run->server);
	free(run);
}

/* Its end is told from the loop, if it has not come already. */
static void
run_stop(struct run *run)
{
	if (run->pool != NULL)
		pool_call_cancel(run->pool);
}

static void
run_fault(struct run *run, const char *fault)
{
	if (run->answer != NULL || run->fault != NULL)
		return;
	run->fault = fault;
	run_stop(run);
}

static void
on_linger(evutil_socket_t fd, short what, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)what;
	pool_call_cancel(run->pool);
}

/* Usage comes with the end of the cell: most end at once. */
static void
answer_keep(struct run *run, struct json_span message)
{
	static const struct timeval linger = { LINGER_MS / 1000,
		LINGER_MS % 1000 * 1000 };
	struct json_want members[] = { { .name = "result" },
		{ .name = "error" } };

	run->answer = malloc(message.len);
	if (run->answer == NULL) {
		run_fault(run, "out of memory");
		return;
	}
	memcpy(run->answer, message.at, message.len);
	json_members_find((struct json_span){ run->answer, message.len },
	    members, ARRAY_LEN(members));
	run->result = members[0].value;
	run->error = members[1].value;
	if (run->is_events)
		evtimer_add(run->linger, &linger);
}

/* What is no response to the one request. */
static void
other_take(struct run *run, const struct mcp_message *message)
{
	struct upstream_call *call = run->call;
	struct json_span params = message->params;
	unsigned what;

	if (params.at == NULL)
		params = (struct json_span){ "{}", 2 };
	if (message->kind == MCP_REQUEST) {
		if (!json_string_equals(message->method, "ping"))
			run_fault(run,
			    "the server asked the client something in the "
			    "middle of the call, but each message reaches it "
			    "in an isolate of its own, where no answer can "
			    "arrive: let it answer input_required "
			    "(" MCP_VERSION_MODERN ") instead");
	} else if (message->kind == MCP_NOTIFICATION) {
		if (behind_change_take(
			call->upstream, message->method, params, &what))
			return; /* its lists are the same in every cell */
		if (json_string_equals(
			message->method, "notifications/progress") ||
		    json_string_equals(
			message->method, "notifications/message"))
			behind_call_note(call, message->method, params);
	}
}

static void
message_take(struct run *run, struct json_span value)
{
	struct json_want error_member = { .name = "error" };
	struct mcp_message message;
	struct mcp_error error;

	if (run->call == NULL || run->answer != NULL || run->fault != NULL)
		return;
	if (mcp_message_parse(value, &message, &error) != 0) {
		/* One that could not read the id answers with none. */
		if (run->status >= 400 &&
		    json_members_find(value, &error_member, 1) == 0 &&
		    json_kind_of(error_member.value) == JSON_KIND_OBJECT)
			answer_keep(run, value);
	} else if (message.kind != MCP_RESPONSE) {
		other_take(run, &message);
	} else if (message.id.len == strlen(ID) &&
	    memcmp(message.id.at, ID, strlen(ID)) == 0) {
		answer_keep(run, value);
	}
}

/* One text: a message, or (2025-03-26) an array of them. */
static bool
on_text(void *arg, const char *raw_text, size_t len)
{
	struct run *run = arg;
	struct json_span value, element;
	struct json_iter iter;

	if (json_check(raw_text, len, &value, NULL) != 0)
		return true;
	if (json_kind_of(value) != JSON_KIND_ARRAY) {
		message_take(run, value);
		return true;
	}
	json_iter_init(&iter, value);
	while (json_iter_element(&iter, &element))
		message_take(run, element);
	return true;
}

static void
on_head(void *arg, const char *raw_json, size_t len)
{
	struct run *run = arg;
	struct head head;

	if (run->call == NULL || run->status != 0)
		return;
	if (head_admit(raw_json, len, &head) != 0) {
		run_fault(run,
		    "the server answered with a head that is no "
		    "HTTP");
		return;
	}
	run->status = head.status;
	run->is_events = head_is_event_stream(&head);
}

static void
on_chunk(void *arg, const uint8_t *raw_bytes, size_t len)
{
	struct run *run = arg;
	const char *raw_text = (const char *)raw_bytes;

	if (run->call == NULL || run->answer != NULL || run->fault != NULL)
		return;
	if (!run->is_events)
		json_out_raw(&run->body, raw_text, len);
	else if (mcp_events_feed(&run->events, raw_text, len, on_text, run) !=
	    0)
		run_fault(run,
		    "the server's event stream has an event that is "
		    "longer than a result may be");
}

static void
on_log(void *arg, int level, const char *raw_text, size_t len)
{
	const struct run *run = arg;

	server_log(run->server, level, run->request, raw_text, len);
}

static void
call_answer(struct run *run, struct upstream_call *call,
    const struct pool_outcome *outcome)
{
	if (run->answer != NULL)
		behind_call_response(
		    call, run->result, run->error, run->era, &outcome->usage);
	else if (run->fault != NULL)
		behind_call_error(
		    call, 0, MCP_INTERNAL_ERROR, "%s", run->fault);
	else if (outcome->end != POOL_OK)
		behind_call_fail(call, outcome);
	else
		behind_call_error(call, 0, MCP_INTERNAL_ERROR,
		    "the server answered HTTP %u without a response to %s",
		    run->status, call->method);
}

static void
on_done(void *arg, const struct pool_outcome *outcome)
{
	struct run *run = arg;
	struct upstream_call *call = run->call;

	run->pool = NULL;
	if (call != NULL && run->body.len > 0 &&
	    json_out_status(&run->body) == 0)
		on_text(run, run->body.bytes, run->body.len);
	call = run->call; /* a notification may have ended it */
	if (outcome->end != POOL_OK && run->answer == NULL)
		log_line(LOG_INFO, run->request, "a request to %s ended: %s",
		    run->server->name, pool_end_name(outcome->end));
	if (call != NULL) {
		call->run = NULL;
		call_answer(run, call, outcome);
	}
	run_free(run);
}

static const struct pool_call_ops pool_ops = {
	.head = on_head,
	.chunk = on_chunk,
	.log = on_log,
	.done = on_done,
};

static enum mcp_era
era_of(const struct upstream_call *call)
{
	if (strcmp(call->method, "server/discover") == 0)
		return MCP_MODERN;
	if (strcmp(call->method, "initialize") == 0)
		return MCP_LEGACY;
	return call->upstream->verdict == VERDICT_MODERN ? MCP_MODERN
							 : MCP_LEGACY;
}

static void
header_write(struct json_out *out, const char *name, const char *value)
{
	json_out_text(out, ",[\"");
	json_out_text(out, name);
	json_out_text(out, "\",");
	mcp_header_write(out, value, strlen(value));
	json_out_text(out, "]");
}

static void
head_write(
    struct json_out *out, const struct upstream_call *call, enum mcp_era era)
{
	json_out_text(out,
	    "{\"method\":\"POST\",\"url\":\"http://localhost/mcp\","
	    "\"headers\":[[\"host\",\"localhost\"],[\"content-type\","
	    "\"application/json\"],[\"accept\",\"application/json, "
	    "text/event-stream\"]");
	if (era == MCP_MODERN) {
		header_write(out, "mcp-protocol-version", MCP_VERSION_MODERN);
		header_write(out, "mcp-method", call->method);
		behind_mirror_write(out, call);
	} else if (call->upstream->version[0] != '\0' &&
	    strcmp(call->method, "initialize") != 0) {
		header_write(
		    out, "mcp-protocol-version", call->upstream->version);
	}
	json_out_text(out, "]}");
}

static int
body_write(
    struct json_out *out, const struct upstream_call *call, enum mcp_era era)
{
	const struct json_span meta = behind_param(call, "_meta");
	struct json_want token = { .name = "progressToken" };
	const bool wants_progress =
	    json_members_find(meta, &token, 1) == 0 && token.value.at != NULL;

	json_out_text(out, "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"");
	json_out_text(out, call->method);
	json_out_text(out, "\",\"params\":");
	const int r =
	    behind_params_write(out, call, era, wants_progress ? ID : NULL);
	json_out_text(out, "}");
	return r != 0 ? r : json_out_status(out);
}

static int
run_start(struct run *run, struct upstream_call *call)
{
	struct upstream *upstream = call->upstream;
	struct json_out head, body;

	json_out_init(&head, 1 << 20);
	json_out_init(&body, BEHIND_TEXT_MAX);
	head_write(&head, call, run->era);
	int r = body_write(&body, call, run->era);
	if (r == 0)
		r = json_out_status(&head);
	if (r == 0)
		r = pool_call_start(upstream->gateway->pool,
		    upstream->server->record.id, POOL_REQUEST, head.bytes,
		    head.len, (const uint8_t *)body.bytes, body.len, &pool_ops,
		    run, &run->pool);
	json_out_fini(&head);
	json_out_fini(&body);
	if (r == 0) {
		struct pool_mark mark;
		behind_mark(call, &mark);
		pool_call_mark(run->pool, &mark);
	}
	return r;
}

static void
worker_begin(struct upstream_call *call)
{
	struct upstream *upstream = call->upstream;
	const uint64_t limit =
	    upstream->server->record.launch.limits.result_bytes;
	struct run *run = calloc(1, sizeof(*run));

	if (run != NULL) {
		*run = (struct run){ .call = call,
			.server = server_ref(upstream->server),
			.request = call->request,
			.era = era_of(call) };
		json_out_init(&run->body, limit);
		mcp_events_init(&run->events, limit);
		run->linger =
		    evtimer_new(upstream->gateway->base, on_linger, run);
		if (run->linger != NULL && run_start(run, call) == 0) {
			call->run = run;
			return;
		}
		run_free(run);
	}
	behind_call_error(call, 503, MCP_INTERNAL_ERROR, "out of memory");
}

static int
worker_answer(struct upstream_call *call, struct ask *ask, bool is_error,
    const char *json, size_t len)
{
	/* None is ever open. */
	(void)call;
	(void)ask;
	(void)is_error;
	(void)json;
	(void)len;
	return -ENOENT;
}

static void
worker_drop(struct upstream_call *call, const char *reason)
{
	(void)reason;
	if (call->run == NULL)
		return;
	call->run->call = NULL;
	run_stop(call->run);
	call->run = NULL;
}

static void
worker_pause(struct upstream_call *call, bool paused)
{
	/* The answer is read whole, up to the limit of a result. */
	(void)call;
	(void)paused;
}

static void
on_initialized(struct capture *capture, const struct upstream_answer *answer)
{
	if (answer->end == UPSTREAM_RESULT)
		capture_greeted(capture, MCP_LEGACY, answer->value);
	else
		capture_fail(capture, answer);
}

static void
on_discovered(struct capture *capture, const struct upstream_answer *answer)
{
	struct json_out params;

	if (answer->end == UPSTREAM_RESULT &&
	    behind_speaks_modern(answer->value)) {
		capture_greeted(capture, MCP_MODERN, answer->value);
		return;
	}
	if (answer->status == 503) { /* no answer of the bundle's own */
		capture_fail(capture, answer);
		return;
	}
	json_out_init(&params, 4096);
	behind_initialize_write(&params, 0);
	capture_call(capture, "initialize",
	    (struct json_span){ params.bytes, params.len }, on_initialized);
	json_out_fini(&params);
}

static void
worker_greet(struct capture *capture)
{
	capture_upstream(capture)->version[0] = '\0';
	capture_call(capture, "server/discover", (struct json_span){ "{}", 2 },
	    on_discovered);
}

const struct kind worker_kind = {
	.begin = worker_begin,
	.answer = worker_answer,
	.drop = worker_drop,
	.pause = worker_pause,
	.greet = worker_greet,
};
