/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One JSON-RPC request, from its message to its reply. All but a few need the
 * surfaces of the endpoint's servers first; so a request can wait before it is
 * even looked at.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/front/front.h"

struct json_span
call_param(const struct call *call, const char *name)
{
	struct json_want want = { .name = name };

	if (json_members_find(call->message.params, &want, 1) != 0)
		return (struct json_span){ 0 };
	return want.value;
}

struct call *
call_find(const struct session *session, struct json_span id)
{
	struct call *call;

	if (session->live == NULL)
		return NULL;
	TAILQ_FOREACH (call, &session->live->calls, of_session)
		if (call->message.id.len == id.len &&
		    memcmp(call->message.id.at, id.at, id.len) == 0)
			return call;
	return NULL;
}

static void
leave_session(struct call *call)
{
	struct session *session = call->session;

	if (session == NULL)
		return;
	TAILQ_REMOVE(&session->live->calls, call, of_session);
	session->live->n_calls--;
	call->session = NULL;
	/* The record is settled by the sweep: it may be in use just now. */
}

static void on_catalog(void *arg, const struct upstream_answer *failure);

void
call_free(struct call *call)
{
	struct front *front = call->front;

	if (call->waits_for_catalog)
		catalog_forget(front->gateway, on_catalog, call);
	leave_session(call);
	TAILQ_REMOVE(&front->calls, call, link);
	front->n_calls--;
	free(call->entry.inner);
	if (call->entry.server != NULL)
		server_unref(call->entry.server);
	if (call->endpoint.server != NULL)
		server_unref(call->endpoint.server);
	principal_unref(call->client.principal);
	json_out_fini(&call->answer);
	json_out_fini(&call->state);
	json_out_fini(&call->responses);
	listen_free(call->listener);
	free(call->retry_text);
	free(call->declared);
	free(call->text);
	free(call);
}

/* The answer is in the item. */
static void
finish(struct call *call)
{
	struct item *item = call->item;

	ask_drop_all(call, "the request was answered");
	call_free(call);
	item->call = NULL;
	item_done(item);
}

void
call_refuse(struct call *call, const struct mcp_error *error)
{
	call->item->status = error->status;
	mcp_error_write(&call->item->out, call->message.id, error);
	finish(call);
}

void
call_fail(struct call *call, struct json_span error, unsigned status)
{
	struct json_out *out = &call->item->out;

	call->item->status = status == 0 ? 200 : status;
	if (status == 503 || status == 429)
		call->item->retry_s = 1;
	json_out_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	json_out_span(out, call->message.id);
	json_out_text(out, ",\"error\":");
	json_out_span(out, error);
	json_out_text(out, "}");
	finish(call);
}

struct json_out *
call_reply_open(struct call *call)
{
	mcp_reply_open(&call->item->out, call->message.id);
	return &call->item->out;
}

void
call_reply_close(struct call *call)
{
	mcp_reply_close(&call->item->out);
	finish(call);
}

void
call_cancel(struct call *call, const char *reason)
{
	struct item *item = call->item;
	struct upstream_call *upstream = call->upstream;

	call->upstream = NULL;
	if (upstream != NULL)
		upstream_call_cancel(upstream, reason);
	call->is_parked = false;
	ask_drop_all(call, reason);
	relay_leave(call, NULL, "cancelled");
	call_free(call);
	if (item != NULL) {
		item->call = NULL;
		item_done(item);
	}
}

void
call_refuse_memory(struct call *call)
{
	struct mcp_error error;

	mcp_error_set(&error, 503, MCP_INTERNAL_ERROR, "out of memory");
	call_refuse(call, &error);
}

static void
on_catalog(void *arg, const struct upstream_answer *failure)
{
	struct call *call = arg;

	call->waits_for_catalog = false;
	if (failure != NULL)
		relay_error(call, failure->value, failure->status);
	else
		serve_call(call);
}

/* Everything of the message that is needed for the call's life. */
static int
message_copy(struct call *call, const struct mcp_message *message)
{
	const struct json_span *from[] = { &message->id, &message->method,
		&message->params };
	struct json_span *to[] = { &call->message.id, &call->message.method,
		&call->message.params };
	char *at = malloc(
	    message->id.len + message->method.len + message->params.len + 1);

	if (at == NULL)
		return -ENOMEM;
	call->text = at;
	call->message.kind = message->kind;
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		if (from[i]->at == NULL)
			continue;
		memcpy(at, from[i]->at, from[i]->len);
		*to[i] = (struct json_span){ .at = at, .len = from[i]->len };
		at += from[i]->len;
	}
	return 0;
}

static int
client_declare(struct client *client, char **declaredp)
{
	struct json_out out;
	size_t len = 0;

	json_out_init(&out, 256);
	mcp_can_write(&out, client->can);
	*declaredp = json_out_steal(&out, &len);
	json_out_fini(&out);
	client->capabilities =
	    (struct json_span){ .at = *declaredp, .len = len };
	return *declaredp == NULL ? -ENOMEM : 0;
}

/* Who asks: of a session's client only what its id says is known. */
static int
client_take(struct call *call)
{
	struct json_want meta[] = {
		{ .name = "progressToken" },
		{ .name = MCP_META_CAPABILITIES },
		{ .name = MCP_META_CLIENT_INFO },
		{ .name = MCP_META_LOG_LEVEL },
	};
	const struct json_span all = call_param(call, "_meta");

	if (json_members_find(all, meta, ARRAY_LEN(meta)) == 0)
		call->token = meta[0].value;
	call->level = -1;
	if (call->client.era == MCP_MODERN) {
		call->client.capabilities = meta[1].value;
		call->client.can = mcp_can_read(meta[1].value);
		call->client.info = meta[2].value;
		call->level = mcp_level_read(meta[3].value);
		return 0;
	}
	if (call->session == NULL)
		return 0;
	call->client.session = call->session->id;
	call->client.can = call->session->can;
	return client_declare(&call->client, &call->declared);
}

static struct call *
call_new(struct item *item, const struct mcp_message *message,
    struct session *session, enum mcp_era era)
{
	const struct visit *visit = &item->exchange->visit;
	struct front *front = visit->gateway->front;
	struct call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->front = front;
	call->item = item;
	call->endpoint = visit->endpoint;
	if (call->endpoint.server != NULL)
		server_ref(call->endpoint.server);
	call->client.principal = principal_ref(visit->principal);
	call->client.era = era;
	call->request = visit->id;
	call->since_ms = front_now_ms();
	TAILQ_INIT(&call->asks);
	json_out_init(&call->answer, FRONT_MESSAGE_MAX);
	json_out_init(&call->state, FRONT_MESSAGE_MAX);
	json_out_init(&call->responses, FRONT_MESSAGE_MAX);
	TAILQ_INSERT_TAIL(&front->calls, call, link);
	front->n_calls++;
	struct live *live =
	    session == NULL ? NULL : session_live(front, session);
	if (live != NULL) {
		call->session = session;
		TAILQ_INSERT_TAIL(&live->calls, call, of_session);
		live->n_calls++;
	}
	if (message_copy(call, message) != 0 || client_take(call) != 0 ||
	    (session != NULL && live == NULL)) {
		call_free(call);
		return NULL;
	}
	call->method = mcp_method_find(call->message.method, era);
	return call;
}

/* Why the session takes no such call now; NULL: it does. */
static const char *
session_objects(const struct session *session, struct json_span id)
{
	if (session == NULL || session->live == NULL)
		return NULL;
	if (call_find(session, id) != NULL)
		return "Invalid request: a request with this id is being "
		       "worked on";
	if (session->live->n_calls >= FRONT_CALLS_MAX)
		return "Invalid request: the session has as many requests in "
		       "flight as it may";
	return NULL;
}

void
call_start(struct item *item, const struct mcp_message *message,
    struct session *session, enum mcp_era era)
{
	const char *objection = session_objects(session, message->id);
	struct call *call =
	    objection != NULL ? NULL : call_new(item, message, session, era);
	struct mcp_error error;

	if (call == NULL) {
		if (objection != NULL)
			mcp_error_set(
			    &error, 400, MCP_INVALID_REQUEST, "%s", objection);
		else
			mcp_error_set(
			    &error, 503, MCP_INTERNAL_ERROR, "out of memory");
		item->status = error.status;
		mcp_error_write(&item->out, message->id, &error);
		item_done(item);
		return;
	}
	item->call = call;
	if (!serve_needs_catalog(call)) {
		serve_call(call);
		return;
	}
	if (call->client.era == MCP_MODERN && ask_resume(call))
		return;
	call->waits_for_catalog = true;
	if (catalog_need(call->front->gateway, &call->endpoint, &call->client,
		on_catalog, call) != 0) {
		call->waits_for_catalog = false;
		call_refuse_memory(call);
	}
}

void
call_roots_changed(const struct visit *visit, const struct session *session,
    struct json_span params)
{
	struct gateway *gateway = visit->gateway;
	struct client client = {
		.principal = visit->principal,
		.session = session->id,
		.era = MCP_LEGACY,
		.can = session->can,
	};
	struct server *server = visit->endpoint.server;
	char *declared = NULL;

	if (client_declare(&client, &declared) != 0)
		return;
	if (server != NULL)
		upstream_notify(gateway, server, &client,
		    "notifications/roots/list_changed", params);
	else
		while ((server = registry_next(
			    gateway, visit->principal, server)) != NULL)
			upstream_notify(gateway, server, &client,
			    "notifications/roots/list_changed", params);
	free(declared);
}
