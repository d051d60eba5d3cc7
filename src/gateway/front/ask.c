/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a server asks of a client. A legacy client gets requests of ours on its
 * stream; what a modern one gets is in park.c. Where a server answers with
 * input_required, and the client is a legacy one, we are who asks, and calls
 * again with the answers.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "gateway/log.h"
#include "json/edit.h"

void
ask_count(struct call *call)
{
	const bool asks = call->n_asks > 0 || call->is_parked;

	if (asks == call->is_asking)
		return;
	call->is_asking = asks;
	call->client.principal->n_asking += asks ? 1u : -1u;
	call->front->n_asking += asks ? 1u : -1u;
}

void
ask_free(struct ask *ask)
{
	struct call *call = ask->call;

	TAILQ_REMOVE(&call->asks, ask, link);
	call->n_asks--;
	ask_count(call);
	free(ask->key);
	free(ask->text);
	free(ask->response);
	free(ask);
}

static void
error_answer(struct call *call, uint32_t number, int code, const char *text)
{
	struct json_out out;
	struct mcp_error error;

	if (call->upstream == NULL)
		return;
	json_out_init(&out, 1024);
	mcp_error_set(&error, 200, code, "%s", text);
	mcp_error_object_write(&out, &error);
	if (json_out_status(&out) == 0)
		upstream_call_answer(
		    call->upstream, number, true, out.bytes, out.len);
	json_out_fini(&out);
}

/* Without what speaks of the server's hop alone: its token for progress, which
 * the client would hold for one of its own. */
static void
params_write(struct json_out *out, struct json_span params)
{
	const struct json_edit no_token = { .name = "progressToken" };
	const struct json_span meta = json_member(params, "_meta");
	struct json_out rest;

	if (json_member(meta, "progressToken").at == NULL) {
		json_out_span(out, params);
		return;
	}
	json_out_init(&rest, FRONT_MESSAGE_MAX);
	if (json_edit_write(&rest, meta, &no_token, 1) != 0 ||
	    json_out_status(&rest) != 0)
		out->status = -ENOMEM;
	const struct json_edit edit = { "_meta",
		rest.len > 2 ? json_out_written(&rest)
			     : (struct json_span){ 0 } };
	if (json_edit_write(out, params, &edit, 1) != 0)
		out->status = -ENOMEM;
	json_out_fini(&rest);
}

/* {"method":…,"params":…}: what an inputRequest is, and the inside of a request
 * of ours. */
static struct ask *
ask_new(struct call *call, uint32_t number, struct json_span method,
    struct json_span params)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	struct json_out out;

	if (ask == NULL)
		return NULL;
	json_out_init(&out, FRONT_MESSAGE_MAX);
	json_out_text(&out, "{\"method\":");
	json_out_span(&out, method);
	json_out_text(&out, ",\"params\":");
	if (json_kind_of(params) == JSON_KIND_OBJECT)
		params_write(&out, params);
	else
		json_out_text(&out, "{}");
	json_out_text(&out, "}");
	ask->text = json_out_steal(&out, &ask->len);
	json_out_fini(&out);
	if (ask->text == NULL) {
		free(ask);
		return NULL;
	}
	ask->call = call;
	ask->is_elicitation = json_string_equals(method, "elicitation/create");
	ask->number = number;
	ask->deadline_ms = front_now_ms() +
	    (uint64_t)call->front->gateway->sessions.ask_s * 1000;
	TAILQ_INSERT_TAIL(&call->asks, ask, link);
	call->n_asks++;
	ask_count(call);
	return ask;
}

/* As a request of ours to a session's client. */
static bool
ask_send(struct ask *ask)
{
	struct call *call = ask->call;
	struct json_out out;

	if (call->session == NULL || call->item == NULL)
		return false;
	ask->id = call->session->live->next_ask++ & INT32_MAX;
	json_out_init(&out, FRONT_MESSAGE_MAX);
	json_out_text(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
	json_out_uint(&out, ask->id);
	json_out_text(&out, ",");
	json_out_raw(&out, ask->text + 1, ask->len - 1);
	ask->is_sent = json_out_status(&out) == 0 &&
	    item_send(call->item, out.bytes, out.len);
	json_out_fini(&out);
	return ask->is_sent;
}

/* Our request is not of interest any more. */
static void
ask_withdraw(struct ask *ask, const char *reason)
{
	struct call *call = ask->call;
	struct json_out out;

	if (!ask->is_sent || call->item == NULL)
		return;
	json_out_init(&out, 1024);
	json_out_text(&out,
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":");
	json_out_uint(&out, ask->id);
	json_out_text(&out, ",\"reason\":");
	json_out_string(&out, reason, strlen(reason));
	json_out_text(&out, "}}");
	if (json_out_status(&out) == 0)
		item_send(call->item, out.bytes, out.len);
	json_out_fini(&out);
}

void
ask_drop_all(struct call *call, const char *reason)
{
	struct ask *ask;

	while ((ask = TAILQ_FIRST(&call->asks)) != NULL) {
		ask_withdraw(ask, reason);
		ask_free(ask);
	}
	ask_count(call);
}

/* Why no more may be asked; NULL: it may. */
static const char *
objection(const struct call *call)
{
	const struct wire_sessions *limits = &call->front->gateway->sessions;

	if (call->n_asks >= FRONT_ASKS_MAX)
		return "this call asks more at once than it may";
	if (!call->is_asking &&
	    call->client.principal->n_asking >= limits->asks_max)
		return "too many calls of this client wait for its answers";
	if (call->client.era == MCP_LEGACY && call->session == NULL)
		return "the client has no session, and cannot be asked";
	return NULL;
}

void
ask_take(struct call *call, uint32_t number, struct json_span method,
    struct json_span params)
{
	const uint32_t needed = mcp_can_needed(method, params);
	const uint32_t missing = needed & ~call->client.can;
	const char *why = objection(call);
	char key[32];

	if (needed == 0) {
		error_answer(call, number, MCP_METHOD_NOT_FOUND,
		    "Method not found: a client is asked elicitation/create, "
		    "sampling/createMessage and roots/list only");
		return;
	}
	if (missing != 0) {
		call->missing |= missing;
		error_answer(call, number, MCP_METHOD_NOT_FOUND,
		    "the client did not declare the capability for this");
		return;
	}
	struct ask *ask =
	    why != NULL ? NULL : ask_new(call, number, method, params);
	if (ask == NULL) {
		error_answer(call, number, MCP_INTERNAL_ERROR,
		    why != NULL ? why : "out of memory");
		return;
	}
	snprintf(key, sizeof(key), "\"ask-%u\"", ++call->next_key);
	ask->key = strdup(key);
	if (call->client.era == MCP_MODERN || ask_send(ask))
		return;
	ask_free(ask);
	error_answer(call, number, MCP_INTERNAL_ERROR,
	    "the client takes no stream of events, and cannot be asked");
}

void
ask_refuse_missing(struct call *call, uint32_t missing)
{
	struct mcp_error error;
	struct json_out out;

	mcp_missing_capability(&error, missing);
	if (call->client.era == MCP_LEGACY) {
		relay_refuse(call, "capability", error.message);
		return;
	}
	json_out_init(&out, 1024);
	mcp_error_object_write(&out, &error);
	relay_error(call, json_out_written(&out), error.status);
	json_out_fini(&out);
}

/* Calls again with what the client said. */
static void
loop_again(struct call *call)
{
	struct json_out *out = &call->responses;
	struct ask *ask;
	const char *comma = "";

	json_out_reset(out);
	json_out_text(out, "{");
	while ((ask = TAILQ_FIRST(&call->asks)) != NULL) {
		json_out_text(out, comma);
		json_out_text(out, ask->key);
		json_out_text(out, ":");
		json_out_raw(out, ask->response, ask->response_len);
		comma = ",";
		ask_free(ask);
	}
	json_out_text(out, "}");
	call->is_looping = false;
	relay_start(call);
}

/* One of a server's inputRequests, as a request of ours. */
static const char *
loop_ask(struct call *call, struct json_span key, struct json_span request)
{
	const char *why = objection(call);

	if (why != NULL)
		return why;
	struct ask *ask = ask_new(call, 0, json_member(request, "method"),
	    json_member(request, "params"));
	if (ask == NULL)
		return "out of memory";
	ask->key = strndup(key.at, key.len);
	if (ask->key == NULL)
		return "out of memory";
	return ask_send(ask) ? NULL
			     : "the client takes no stream of events, and "
			       "cannot be asked";
}

static void
loop_begin(struct call *call, struct json_span requests, struct json_span state)
{
	struct json_iter iter;
	struct json_span key, value;
	const char *why = NULL;

	if (++call->rounds > FRONT_ROUNDS_MAX) {
		relay_refuse(call, "rounds",
		    "the server asked more often than a call may");
		return;
	}
	json_out_reset(&call->state);
	json_out_span(&call->state, state);
	call->is_looping = true;
	if (requests.at != NULL && json_iter_init(&iter, requests) == 0)
		while (why == NULL && json_iter_member(&iter, &key, &value))
			why = loop_ask(call, key, value);
	if (why != NULL) {
		ask_drop_all(call, "the call ends");
		relay_refuse(call, "ask", why);
	} else if (call->n_asks == 0) {
		loop_again(call);
	}
}

void
ask_result(struct call *call, struct json_span result)
{
	const struct json_span requests = json_member(result, "inputRequests");
	struct json_iter iter;
	struct json_span key, value;
	uint32_t missing = 0;
	bool is_right =
	    requests.at == NULL || json_kind_of(requests) == JSON_KIND_OBJECT;

	if (requests.at != NULL && json_iter_init(&iter, requests) == 0)
		while (json_iter_member(&iter, &key, &value)) {
			const uint32_t needed =
			    mcp_can_needed(json_member(value, "method"),
				json_member(value, "params"));
			is_right = is_right && needed != 0;
			missing |= needed & ~call->client.can;
		}
	if (!is_right)
		relay_refuse(call, "invalid_result",
		    "the server's inputRequests are not what a client can be "
		    "asked");
	else if (missing != 0)
		ask_refuse_missing(call, missing);
	else if (call->client.era == MCP_MODERN)
		ask_pass_on(call, result);
	else
		loop_begin(call, requests, json_member(result, "requestState"));
}

static struct ask *
ask_find(const struct session *session, struct json_span id)
{
	struct call *call;
	struct ask *ask;
	char text[16];

	if (session->live == NULL)
		return NULL;
	TAILQ_FOREACH (call, &session->live->calls, of_session)
		TAILQ_FOREACH (ask, &call->asks, link) {
			const int len =
			    snprintf(text, sizeof(text), "%u", ask->id);
			if (ask->is_sent && id.len == (size_t)len &&
			    memcmp(text, id.at, id.len) == 0)
				return ask;
		}
	return NULL;
}

static bool
keep_response(struct ask *ask, const char *json, size_t len)
{
	ask->response = malloc(len + 1);
	if (ask->response == NULL)
		return false;
	memcpy(ask->response, json, len);
	ask->response_len = len;
	return true;
}

/* Of an input_required result: when all have answered, it is called again. */
static void
loop_respond(struct ask *ask, struct json_span result)
{
	static const char cancelled[] = "{\"action\":\"cancel\"}";
	struct call *call = ask->call;
	const struct ask *other;

	if (ask->response != NULL)
		return;
	if (result.at == NULL && ask->is_elicitation)
		result = (struct json_span){ cancelled, sizeof(cancelled) - 1 };
	if (result.at == NULL || !keep_response(ask, result.at, result.len)) {
		ask_drop_all(call, "the call ends");
		relay_refuse(call, "ask", "the client did not answer");
		return;
	}
	TAILQ_FOREACH (other, &call->asks, link)
		if (other->response == NULL)
			return;
	loop_again(call);
}

void
ask_respond(struct session *session, const struct mcp_message *message,
    struct json_span whole)
{
	struct ask *ask = ask_find(session, message->id);
	const struct json_span result = json_member(whole, "result");
	const struct json_span error = json_member(whole, "error");
	const bool is_object = json_kind_of(result) == JSON_KIND_OBJECT;

	if (ask == NULL)
		return;
	struct call *call = ask->call;
	const uint32_t number = ask->number;
	if (call->is_looping) {
		loop_respond(ask, is_object ? result : (struct json_span){ 0 });
		return;
	}
	ask_free(ask);
	if (is_object)
		upstream_call_answer(
		    call->upstream, number, false, result.at, result.len);
	else if (json_kind_of(error) == JSON_KIND_OBJECT)
		upstream_call_answer(
		    call->upstream, number, true, error.at, error.len);
	else
		error_answer(call, number, MCP_INTERNAL_ERROR,
		    "the client's answer is no object");
}

static void
ask_time_out(struct ask *ask)
{
	static const char why[] = "the client did not answer in time";
	struct call *call = ask->call;
	const uint32_t number = ask->number;

	ask_withdraw(ask, why);
	if (call->is_looping) {
		ask_drop_all(call, why);
		relay_refuse(call, "ask", why);
		return;
	}
	ask_free(ask);
	error_answer(call, number, MCP_INTERNAL_ERROR, why);
}

static void
call_sweep(struct call *call, uint64_t now_ms)
{
	struct ask *ask;

	if (call->is_parked) {
		if (call->deadline_ms <= now_ms)
			call_cancel(call, "the client did not come back");
		return;
	}
	TAILQ_FOREACH (ask, &call->asks, link)
		if (ask->deadline_ms <= now_ms && ask->response == NULL) {
			ask_time_out(ask);
			return; /* the next in the next second */
		}
}

void
ask_sweep(struct front *front, uint64_t now_ms)
{
	struct call *call, *next;

	for (call = TAILQ_FIRST(&front->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, link);
		call_sweep(call, now_ms);
	}
}
