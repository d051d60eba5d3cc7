/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One JSON-RPC request: what the gateway answers by itself, and to which server
 * the rest goes. All but a few need the surfaces of the endpoint's servers
 * first; so a request can wait before it is even looked at.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/front.h"
#include "gateway/log.h"
#include "mcp/param.h"

/* How long a client may keep what it was told, and with whom it may share it:
 * what one may see can change, and is not what another may. */
#define TTL_AND_SCOPE "\"ttlMs\":60000,\"cacheScope\":\"private\","

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
	TAILQ_FOREACH(call, &session->live->calls, of_session)
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

/* An object of ours: the brace, and what the era wants first. */
static struct json_out *
result_open(struct call *call)
{
	struct json_out *out = call_reply_open(call);

	json_out_text(out,
	    call->client.era == MCP_MODERN ? "{\"resultType\":\"complete\","
					   : "{");
	return out;
}

static void
result_close(struct call *call)
{
	json_out_text(&call->item->out, "}");
	call_reply_close(call);
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

static void
refuse_params(struct call *call, const char *sentence)
{
	struct mcp_error error;

	mcp_error_set(
	    &error, 200, MCP_INVALID_PARAMS, "Invalid params: %s", sentence);
	call_refuse(call, &error);
}

static void
refuse_memory(struct call *call)
{
	struct mcp_error error;

	mcp_error_set(&error, 503, MCP_INTERNAL_ERROR, "out of memory");
	call_refuse(call, &error);
}

/* What results of the modern era carry that may be kept. */
static void
write_server_info(struct call *call, struct json_out *out)
{
	json_out_text(out, "\"_meta\":{\"" MCP_META_SERVER_INFO "\":");
	catalog_info_write(
	    call->front->gateway, &call->endpoint, &call->client, out);
	json_out_text(out, "},");
}

static void
write_offer(struct call *call, struct json_out *out)
{
	struct gateway *gateway = call->front->gateway;
	struct json_out text;

	json_out_text(out, "\"capabilities\":");
	catalog_capabilities_write(
	    gateway, &call->endpoint, &call->client, out);
	json_out_init(&text, FRONT_MESSAGE_MAX);
	if (catalog_instructions_write(
		gateway, &call->endpoint, &call->client, &text)) {
		json_out_text(out, ",\"instructions\":");
		json_out_raw(out, text.bytes, text.len);
	}
	json_out_fini(&text);
	json_out_text(out, ",");
}

static void
serve_initialize(struct call *call)
{
	struct exchange *exchange = call->item->exchange;
	const struct json_span asked = call_param(call, "protocolVersion");
	const uint32_t can = mcp_can_read(call_param(call, "capabilities"));
	struct session *session;
	struct mcp_error error;
	char version[32];

	if (json_kind_of(asked) != JSON_KIND_STRING) {
		refuse_params(call, "initialize needs a protocolVersion");
		return;
	}
	if (json_string_copy(asked, version, sizeof(version), NULL) != 0 ||
	    !mcp_version_is_legacy(version))
		strcpy(version, MCP_VERSION_LEGACY);
	if (session_new(&exchange->visit, can, mcp_version_number(version),
		&session, exchange->session_text) != 0) {
		mcp_error_set(&error, 503, MCP_INTERNAL_ERROR,
		    "no session can be opened now; try again in a second");
		call->item->retry_s = 1;
		call_refuse(call, &error);
		return;
	}
	struct json_out *out = result_open(call);
	json_out_text(out, "\"protocolVersion\":\"");
	json_out_text(out, version);
	json_out_text(out, "\",");
	write_offer(call, out);
	json_out_text(out, "\"serverInfo\":");
	catalog_info_write(
	    call->front->gateway, &call->endpoint, &call->client, out);
	result_close(call);
}

static void
serve_ping(struct call *call)
{
	result_open(call);
	result_close(call);
}

static void
serve_discover(struct call *call)
{
	struct json_out *out = result_open(call);

	write_offer(call, out);
	json_out_text(out, TTL_AND_SCOPE);
	write_server_info(call, out);
	json_out_text(out, "\"supportedVersions\":");
	mcp_modern_versions_write(out);
	result_close(call);
}

static void
serve_list(struct call *call)
{
	static const char *const members[] = {
		[CATALOG_TOOLS] = "\"tools\":",
		[CATALOG_PROMPTS] = "\"prompts\":",
		[CATALOG_RESOURCES] = "\"resources\":",
		[CATALOG_TEMPLATES] = "\"resourceTemplates\":",
	};
	const enum catalog_kind kind = call->method == MCP_TOOLS_LIST
	    ? CATALOG_TOOLS
	    : call->method == MCP_PROMPTS_LIST   ? CATALOG_PROMPTS
	    : call->method == MCP_RESOURCES_LIST ? CATALOG_RESOURCES
						 : CATALOG_TEMPLATES;

	if (call_param(call, "cursor").at != NULL) {
		refuse_params(call, "no such cursor (the list has one page)");
		return;
	}
	struct json_out *out = result_open(call);
	if (call->client.era == MCP_MODERN) {
		json_out_text(out, TTL_AND_SCOPE);
		write_server_info(call, out);
	}
	json_out_text(out, members[kind]);
	catalog_list_write(
	    call->front->gateway, &call->endpoint, &call->client, kind, out);
	result_close(call);
}

/* The name, for whoever asked for one that is not there. */
static void
refuse_unknown(struct call *call, enum catalog_kind kind, struct json_span name,
    bool is_ambiguous)
{
	static const char *const what[] = { "tool", "prompt", "resource",
		"resource template" };
	struct mcp_error error;
	char asked[256] = "?";
	const bool is_legacy_resource = call->client.era == MCP_LEGACY &&
	    call->method != MCP_COMPLETE &&
	    (kind == CATALOG_RESOURCES || kind == CATALOG_TEMPLATES);

	json_string_copy(name, asked, sizeof(asked), NULL);
	mcp_error_set(&error, 200,
	    is_legacy_resource ? MCP_RESOURCE_NOT_FOUND : MCP_INVALID_PARAMS,
	    is_ambiguous ? "Unknown %s: %s is of several servers here; ask one "
			   "of them, at /s/NAME/mcp"
			 : "Unknown %s: %s (the list says what there is)",
	    what[kind], asked);
	call_refuse(call, &error);
}

/* Finds what the name means; false: it was refused. */
static bool
entry_find(struct call *call, enum catalog_kind kind, struct json_span name)
{
	const int r = catalog_find(call->front->gateway, &call->endpoint,
	    &call->client, kind, name, &call->entry);

	if (r == 0) {
		server_ref(call->entry.server);
		return true;
	}
	call->entry = (struct catalog_entry){ 0 };
	if (r < 0)
		refuse_memory(call);
	else
		refuse_unknown(call, kind, name, r == CATALOG_E_AMBIGUOUS);
	return false;
}

static const char *
header_of(void *arg, const char *name)
{
	return http_request_header(arg, name);
}

/* Headers that repeat arguments must agree with them. */
static bool
headers_agree(struct call *call, struct json_span arguments)
{
	struct json_want want = { .name = "inputSchema" };
	struct http_request *request = call->item->exchange->visit.request;
	struct mcp_error error;

	if (call->client.era != MCP_MODERN || request == NULL ||
	    json_members_find(call->entry.element, &want, 1) != 0)
		return true;
	if (mcp_params_admit(
		want.value, arguments, header_of, request, &error) == 0)
		return true;
	call_refuse(call, &error);
	return false;
}

static void
refuse_scope(struct call *call)
{
	struct mcp_error error;
	struct gateway *gateway = call->front->gateway;
	static const char why[] = "{\"reason\":\"scope\"}";

	registry_audit(gateway, call->client.principal, call->request,
	    "refused", why, sizeof(why) - 1);
	mcp_error_set(&error, 403, MCP_INVALID_REQUEST,
	    "this token may not call tools here: it lacks the scope 'call'");
	call_refuse(call, &error);
}

static void
serve_tools_call(struct call *call)
{
	struct json_want params[] = { { .name = "name" },
		{ .name = "arguments" } };
	const int r =
	    json_members_find(call->message.params, params, ARRAY_LEN(params));
	const enum json_kind input = json_kind_of(params[1].value);

	if (r != 0 || json_kind_of(params[0].value) != JSON_KIND_STRING)
		refuse_params(call, "tools/call needs the tool's name, once");
	else if (input != JSON_KIND_NONE && input != JSON_KIND_OBJECT)
		refuse_params(call, "arguments must be an object");
	else if (!entry_find(call, CATALOG_TOOLS, params[0].value))
		return;
	else if (!registry_may_call(call->client.principal, call->entry.server))
		refuse_scope(call);
	else if (headers_agree(call, params[1].value))
		relay_start(call);
}

static void
serve_named(struct call *call)
{
	const bool is_prompt = call->method == MCP_PROMPTS_GET;
	const struct json_span name =
	    call_param(call, is_prompt ? "name" : "uri");

	if (json_kind_of(name) != JSON_KIND_STRING)
		refuse_params(call,
		    is_prompt ? "prompts/get needs the prompt's name, once"
			      : "the resource's uri is needed, once");
	else if (entry_find(call,
		     is_prompt ? CATALOG_PROMPTS : CATALOG_RESOURCES, name))
		relay_start(call);
}

static void
serve_complete(struct call *call)
{
	const struct json_span ref = call_param(call, "ref");
	struct json_want wants[] = { { .name = "type" }, { .name = "name" },
		{ .name = "uri" } };
	const int r = json_members_find(ref, wants, ARRAY_LEN(wants));
	const bool is_prompt = json_string_equals(wants[0].value, "ref/prompt");
	const struct json_span name = wants[is_prompt ? 1 : 2].value;

	if (r != 0 || json_kind_of(name) != JSON_KIND_STRING ||
	    (!is_prompt && !json_string_equals(wants[0].value, "ref/resource")))
		refuse_params(call,
		    "ref must be {\"type\": \"ref/prompt\", \"name\"} or "
		    "{\"type\": \"ref/resource\", \"uri\"}");
	else if (json_kind_of(call_param(call, "argument")) != JSON_KIND_OBJECT)
		refuse_params(call, "argument must be an object");
	else if (entry_find(call,
		     is_prompt ? CATALOG_PROMPTS : CATALOG_TEMPLATES, name))
		relay_start(call);
}

static void
refuse_sessionless(struct call *call)
{
	struct mcp_error error;

	mcp_error_set(&error, 400, MCP_INVALID_REQUEST,
	    "Invalid request: this needs a session; send the header "
	    "Mcp-Session-Id that initialize was answered with");
	call_refuse(call, &error);
}

static void
serve_subscribe(struct call *call)
{
	const struct json_span uri = call_param(call, "uri");
	struct session *session = call->session;
	struct mcp_error error;

	if (session == NULL) {
		refuse_sessionless(call);
		return;
	}
	if (json_kind_of(uri) != JSON_KIND_STRING) {
		refuse_params(call, "the resource's uri is needed, once");
		return;
	}
	if (!entry_find(call, CATALOG_RESOURCES, uri))
		return;
	struct listener *listener = listen_session(
	    call->front, session->live, &call->item->exchange->visit);
	int r = listener == NULL ? -ENOMEM : 0;
	if (r == 0 && call->method == MCP_UNSUBSCRIBE)
		listen_unwatch(listener, &call->client, call->entry.server,
		    call->entry.inner);
	else if (r == 0)
		r = listen_watch(listener, &call->client, call->entry.server,
		    call->entry.inner);
	if (r == 0) {
		result_open(call);
		result_close(call);
	} else if (r == LISTEN_E_FULL) {
		mcp_error_set(&error, 200, MCP_INVALID_REQUEST,
		    "a session watches %d resources at most",
		    FRONT_WATCHES_MAX);
		call_refuse(call, &error);
	} else {
		refuse_memory(call);
	}
}

static void
serve_set_level(struct call *call)
{
	const int level = mcp_level_read(call_param(call, "level"));

	if (call->session == NULL) {
		refuse_sessionless(call);
		return;
	}
	if (level < 0) {
		refuse_params(call,
		    "level must be debug, info, notice, warning, error, "
		    "critical, alert or emergency");
		return;
	}
	call->session->level = (uint8_t)level;
	result_open(call);
	result_close(call);
}

/* What the host does not know, a server that says it knows tasks may. */
static void
serve_passed(struct call *call)
{
	struct server *server = call->endpoint.server;
	const struct mcp_surface *surface =
	    server == NULL ? NULL : upstream_surface_known(server);
	char method[64] = "?";
	struct mcp_error error;

	if (surface != NULL && !surface->is_declared &&
	    (call->method == MCP_METHOD_UNKNOWN
		    ? mcp_surface_can(surface, "experimental", NULL) ||
			mcp_surface_can(surface, "extensions", NULL)
		    : mcp_surface_can(surface, "tasks", NULL) ||
			mcp_surface_can(surface, "extensions", NULL))) {
		if (!registry_may_call(call->client.principal, server)) {
			refuse_scope(call);
			return;
		}
		call->entry.server = server_ref(server);
		relay_start(call);
		return;
	}
	json_string_copy(call->message.method, method, sizeof(method), NULL);
	mcp_error_set(&error, call->client.era == MCP_MODERN ? 404 : 200,
	    MCP_METHOD_NOT_FOUND, "Method not found: %s", method);
	call_refuse(call, &error);
}

static const struct handler {
	void (*serve)(struct call *call);
	bool needs_no_catalog;
} handlers[] = {
	[MCP_METHOD_UNKNOWN] = { serve_passed },
	[MCP_INITIALIZE] = { serve_initialize },
	[MCP_PING] = { serve_ping, true },
	[MCP_DISCOVER] = { serve_discover },
	[MCP_TOOLS_LIST] = { serve_list },
	[MCP_TOOLS_CALL] = { serve_tools_call },
	[MCP_PROMPTS_LIST] = { serve_list },
	[MCP_PROMPTS_GET] = { serve_named },
	[MCP_RESOURCES_LIST] = { serve_list },
	[MCP_TEMPLATES_LIST] = { serve_list },
	[MCP_RESOURCES_READ] = { serve_named },
	[MCP_SUBSCRIBE] = { serve_subscribe },
	[MCP_UNSUBSCRIBE] = { serve_subscribe },
	[MCP_COMPLETE] = { serve_complete },
	[MCP_SET_LEVEL] = { serve_set_level, true },
	[MCP_LISTEN] = { listen_start },
	[MCP_TASKS] = { serve_passed },
};

static void
on_catalog(void *arg, const struct upstream_answer *failure)
{
	struct call *call = arg;

	call->waits_for_catalog = false;
	if (failure != NULL)
		relay_error(call, failure->value, failure->status);
	else
		handlers[call->method].serve(call);
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
	if (handlers[call->method].needs_no_catalog) {
		handlers[call->method].serve(call);
		return;
	}
	if (call->client.era == MCP_MODERN && ask_resume(call))
		return;
	call->waits_for_catalog = true;
	if (catalog_need(call->front->gateway, &call->endpoint, &call->client,
		on_catalog, call) != 0) {
		call->waits_for_catalog = false;
		refuse_memory(call);
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
