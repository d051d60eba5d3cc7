/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What each method does: what the gateway answers by itself, and to which
 * server the rest goes.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "mcp/param.h"

/* How long a client may keep what it was told, and with whom it may share it:
 * what one may see can change, and is not what another may. */
#define TTL_AND_SCOPE "\"ttlMs\":60000,\"cacheScope\":\"private\","

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

static void
refuse_params(struct call *call, const char *sentence)
{
	struct mcp_error error;

	mcp_error_set(
	    &error, 200, MCP_INVALID_PARAMS, "Invalid params: %s", sentence);
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
		call_refuse_memory(call);
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
		listen_unwatch(listener, call->entry.server, call->entry.inner);
	else if (r == 0)
		r = listen_watch(
		    listener, call->entry.server, call->entry.inner);
	if (r == 0) {
		result_open(call);
		result_close(call);
	} else if (r == LISTEN_E_FULL) {
		mcp_error_set(&error, 200, MCP_INVALID_REQUEST,
		    "a session watches %d resources at most",
		    FRONT_WATCHES_MAX);
		call_refuse(call, &error);
	} else {
		call_refuse_memory(call);
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

bool
serve_needs_catalog(const struct call *call)
{
	return !handlers[call->method].needs_no_catalog;
}

void
serve_call(struct call *call)
{
	handlers[call->method].serve(call);
}
