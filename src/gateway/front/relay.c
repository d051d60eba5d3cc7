/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A call that a server answers: what it says meanwhile, and its end, in the
 * words of the client's era.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/front/front.h"
#include "gateway/log.h"
#include "json/edit.h"

#define NO_SPAN                                                                \
	(struct json_span)                                                     \
	{                                                                      \
		0                                                              \
	}
#define TEXT_SPAN(text)                                                        \
	(struct json_span)                                                     \
	{                                                                      \
		.at = (text), .len = sizeof(text) - 1                          \
	}

/* Appends params with the server's own name in them, wherever it stands. */
static int
named_params_write(const struct call *call, struct json_out *out)
{
	const struct json_span params = call->message.params;
	struct json_out ref;

	if (call->entry.inner == NULL) {
		json_out_text(out, params.at == NULL ? "{}" : "");
		json_out_span(out, params);
		return 0;
	}
	if (call->method != MCP_COMPLETE)
		return catalog_params_write(out, params,
		    call->method == MCP_RESOURCES_READ ? "uri" : "name",
		    &call->entry);
	const struct json_span asked = json_member(params, "ref");
	const bool is_prompt =
	    json_string_equals(json_member(asked, "type"), "ref/prompt");
	json_out_init(&ref, FRONT_MESSAGE_MAX);
	int r = catalog_params_write(
	    &ref, asked, is_prompt ? "name" : "uri", &call->entry);
	if (r == 0) {
		const struct json_edit edit = { "ref", json_out_written(&ref) };
		r = json_edit_write(out, params, &edit, 1);
	}
	json_out_fini(&ref);
	return r;
}

/* Appends the _meta of a session's client for a server that reads the level of
 * its log there; nothing for others. */
static void
meta_write(const struct call *call, struct json_out *out)
{
	const struct mcp_surface *surface =
	    upstream_surface_known(call->entry.server);
	const struct json_span meta = call_param(call, "_meta");

	if (call->session == NULL || surface == NULL || surface->is_declared ||
	    surface->era != MCP_MODERN)
		return;
	const struct json_edit edit = { MCP_META_LOG_LEVEL,
		mcp_level_text(call->session->level) };
	json_edit_write(out,
	    json_kind_of(meta) == JSON_KIND_OBJECT ? meta : NO_SPAN, &edit, 1);
}

/* What a legacy client sends of rounds is not looked at: it has none. */
static int
params_write(const struct call *call, struct json_out *out)
{
	struct json_out named, meta;
	struct json_edit edits[3] = {
		{ "requestState", json_out_written(&call->state) },
		{ "inputResponses",
		    call->client.era == MCP_MODERN
			? call_param(call, "inputResponses")
			: json_out_written(&call->responses) },
	};

	if (!mcp_method_can_ask(call->method))
		return named_params_write(call, out);
	json_out_init(&named, FRONT_MESSAGE_MAX);
	json_out_init(&meta, FRONT_MESSAGE_MAX);
	meta_write(call, &meta);
	edits[2] = (struct json_edit){ "_meta", json_out_written(&meta) };
	int r = named_params_write(call, &named);
	if (r == 0)
		r = json_out_status(&named);
	if (r == 0)
		r = json_edit_write(
		    out, json_out_written(&named), edits, meta.len > 0 ? 3 : 2);
	json_out_fini(&named);
	json_out_fini(&meta);
	return r;
}

/* A notification, on its way before the answer. */
static void
notice_send(struct call *call, struct json_span method, struct json_span params)
{
	struct json_out out;

	json_out_init(&out, FRONT_MESSAGE_MAX);
	json_out_text(&out, "{\"jsonrpc\":\"2.0\",\"method\":");
	json_out_span(&out, method);
	json_out_text(&out, ",\"params\":");
	catalog_result_write(call->front->gateway, &call->endpoint,
	    call->entry.server, "notifications/message", params, &out);
	json_out_text(&out, "}");
	if (json_out_status(&out) == 0)
		item_send(call->item, out.bytes, out.len);
	json_out_fini(&out);
}

/* To whom gave a token, with that token. */
static void
progress_send(
    struct call *call, struct json_span method, struct json_span params)
{
	const struct json_edit edit = { "progressToken", call->token };
	struct json_out out;

	if (call->token.at == NULL)
		return;
	json_out_init(&out, FRONT_MESSAGE_MAX);
	if (json_edit_write(&out, params, &edit, 1) == 0 &&
	    json_out_status(&out) == 0)
		notice_send(call, method, json_out_written(&out));
	json_out_fini(&out);
}

/* Whether the client wants log messages of this level. */
static bool
is_wanted(const struct call *call, struct json_span params)
{
	const int level = mcp_level_read(json_member(params, "level"));
	const int least =
	    call->session != NULL ? call->session->level : call->level;

	return level >= 0 && least >= 0 && level >= least;
}

static bool
begins_with(struct json_span string, const char *text)
{
	const size_t len = strlen(text);

	return string.len > len + 1 && memcmp(string.at + 1, text, len) == 0;
}

static void
on_note(void *arg, struct json_span method, struct json_span params)
{
	struct call *call = arg;

	if (call->item == NULL) /* parked: nobody is there to hear it */
		return;
	if (json_kind_of(params) != JSON_KIND_OBJECT)
		params = TEXT_SPAN("{}");
	if (json_string_equals(method, "notifications/progress"))
		progress_send(call, method, params);
	else if (json_string_equals(method, "notifications/message")) {
		if (is_wanted(call, params))
			notice_send(call, method, params);
	} else if (begins_with(method, "notifications/tasks") ||
	    (call->client.era == MCP_LEGACY &&
		begins_with(method, "notifications/elicitation")))
		notice_send(call, method, params);
}

static void
on_ask(
    void *arg, uint32_t ask, struct json_span method, struct json_span params)
{
	ask_take(arg, ask, method, params);
}

static void
on_wait(void *arg)
{
	ask_wait(arg);
}

void
relay_leave(
    struct call *call, const struct pool_usage *usage, const char *outcome)
{
	static const struct pool_usage nothing = { 0 };
	struct gateway *gateway = call->front->gateway;
	struct json_out out;

	if (!call->has_entered)
		return;
	call->has_entered = false;
	if (usage == NULL)
		usage = &nothing;
	quota_call_leave(call->client.principal, usage);
	metrics_call(call->entry.server, outcome, usage);
	if (call->method != MCP_TOOLS_CALL)
		return;
	json_out_init(&out, 2048);
	json_out_text(&out, "{\"server\":");
	json_out_string(
	    &out, call->entry.server->name, strlen(call->entry.server->name));
	json_out_text(&out, ",\"tool\":");
	json_out_text(&out, call->entry.inner);
	json_out_text(&out, ",\"outcome\":\"");
	json_out_text(&out, outcome);
	json_out_text(&out, "\",\"ms\":");
	json_out_uint(&out, front_now_ms() - call->since_ms);
	json_out_text(&out, "}");
	if (json_out_status(&out) == 0)
		registry_audit(gateway, call->client.principal, call->request,
		    "tools/call", out.bytes, out.len);
	json_out_fini(&out);
}

/* Members that are added where they lack, and dropped for older clients. */
static size_t
edits_fill(const struct call *call, struct json_span result, enum mcp_era era,
    struct json_edit *edits)
{
	size_t n = 0;

	if (call->client.era == MCP_LEGACY) {
		if (era == MCP_MODERN)
			edits[n++] =
			    (struct json_edit){ "resultType", NO_SPAN };
		return n;
	}
	if (json_member(result, "resultType").at == NULL)
		edits[n++] = (struct json_edit){ "resultType",
			TEXT_SPAN("\"complete\"") };
	if (call->method != MCP_RESOURCES_READ)
		return n;
	if (json_member(result, "ttlMs").at == NULL)
		edits[n++] = (struct json_edit){ "ttlMs", TEXT_SPAN("0") };
	if (json_member(result, "cacheScope").at == NULL)
		edits[n++] = (struct json_edit){ "cacheScope",
			TEXT_SPAN("\"private\"") };
	return n;
}

void
relay_result_write(const struct call *call, struct json_span result,
    enum mcp_era era, struct json_out *out)
{
	struct gateway *gateway = call->front->gateway;
	struct json_edit edits[3];
	const size_t n = edits_fill(call, result, era, edits);
	struct json_out shown;
	char method[64] = "";

	json_string_copy(call->message.method, method, sizeof(method), NULL);
	if (n == 0) {
		catalog_result_write(gateway, &call->endpoint,
		    call->entry.server, method, result, out);
		return;
	}
	json_out_init(&shown, FRONT_MESSAGE_MAX);
	catalog_result_write(gateway, &call->endpoint, call->entry.server,
	    method, result, &shown);
	if (json_out_status(&shown) != 0)
		out->status = json_out_status(&shown);
	else
		json_edit_write(out, json_out_written(&shown), edits, n);
	json_out_fini(&shown);
}

static void
result_send(struct call *call, struct json_span result, enum mcp_era era)
{
	if (call->item == NULL) {
		call->answer_is_error = false;
		relay_result_write(call, result, era, &call->answer);
		return;
	}
	relay_result_write(call, result, era, call_reply_open(call));
	call_reply_close(call);
}

/* -32603, or what a failed tool says where it is one: words of ours, which no
 * quota of results keeps back. */
void
relay_refuse(struct call *call, const char *code, const char *sentence)
{
	struct json_out out;

	json_out_init(&out, 4096);
	json_out_text(&out,
	    call->method == MCP_TOOLS_CALL
		? "{\"content\":[{\"type\":\"text\",\"text\":\""
		: "{\"code\":-32603,\"message\":\"");
	json_out_text(&out, code);
	json_out_text(&out, ": ");
	json_out_text(&out, sentence);
	json_out_text(&out,
	    call->method == MCP_TOOLS_CALL ? "\"}],\"isError\":true}" : "\"}");
	if (call->method == MCP_TOOLS_CALL)
		result_send(call, json_out_written(&out), MCP_LEGACY);
	else
		relay_error(call, json_out_written(&out), 0);
	json_out_fini(&out);
}

void
relay_result(struct call *call, struct json_span result, enum mcp_era era)
{
	const uint64_t most = quota_result_bytes(call->client.principal);

	if (most != 0 && result.len > most)
		relay_refuse(call, "result_too_large",
		    "the answer is larger than this token or its tenant may "
		    "have it");
	else
		result_send(call, result, era);
}

void
relay_error(struct call *call, struct json_span error, unsigned status)
{
	const struct json_edit edit = { "code", TEXT_SPAN("-32602") };
	const struct json_span code = json_member(error, "code");
	const bool is_modern = call->client.era == MCP_MODERN;
	struct json_out out;

	json_out_init(&out, FRONT_MESSAGE_MAX);
	if (is_modern && code.len == 6 && memcmp(code.at, "-32002", 6) == 0 &&
	    json_edit_write(&out, error, &edit, 1) == 0)
		error = json_out_written(&out);
	if (call->item != NULL) {
		call_fail(call, error, status);
	} else {
		call->answer_is_error = true;
		json_out_span(&call->answer, error);
	}
	json_out_fini(&out);
}

static const char *
outcome_of(const struct upstream_answer *answer, bool asks)
{
	if (answer->end == UPSTREAM_ERROR)
		return "error";
	if (asks)
		return "input_required";
	return json_value_is_true(json_member(answer->value, "isError"))
	    ? "tool_error"
	    : "ok";
}

static void
on_done(void *arg, const struct upstream_answer *answer)
{
	struct call *call = arg;
	const bool asks = answer->end == UPSTREAM_RESULT &&
	    answer->era == MCP_MODERN && mcp_method_can_ask(call->method) &&
	    json_string_equals(
		json_member(answer->value, "resultType"), "input_required");
	const char *outcome = outcome_of(answer, asks);

	call->upstream = NULL;
	relay_leave(call, &answer->usage, outcome);
	ask_drop_all(call, "the request was answered");
	if (call->missing != 0 && call->client.era == MCP_MODERN &&
	    strcmp(outcome, "ok") != 0 && !asks)
		ask_refuse_missing(call, call->missing);
	else if (asks)
		ask_result(call, answer->value);
	else if (answer->end == UPSTREAM_RESULT)
		relay_result(call, answer->value, answer->era);
	else
		relay_error(call, answer->value, answer->status);
}

static const struct upstream_call_ops relay_ops = {
	.note = on_note,
	.ask = on_ask,
	.wait = on_wait,
	.done = on_done,
};

/* A call can be made again long after it was admitted: with what the client
 * answered, of a server that may be denied by then. */
static bool
may_still(const struct call *call)
{
	const struct principal *principal = call->client.principal;
	const struct server *server = call->entry.server;

	return call->method == MCP_TOOLS_CALL
	    ? registry_may_call(principal, server)
	    : registry_sees(principal, server);
}

/* Counts it in; false: it was refused. */
static bool
enter(struct call *call)
{
	struct gateway *gateway = call->front->gateway;
	struct quota_refusal refusal;
	struct mcp_error error;

	if (quota_call_enter(call->client.principal, &refusal) == 0) {
		call->has_entered = true;
		return true;
	}
	static const char why[] = "{\"reason\":\"quota\"}";
	registry_audit(gateway, call->client.principal, call->request,
	    "refused", why, sizeof(why) - 1);
	mcp_error_set(&error, 429, MCP_REFUSED_BUSY,
	    "Over the quota %s of the %s: try again in %u s", refusal.what,
	    refusal.whose, refusal.retry_s);
	call->item->retry_s = refusal.retry_s;
	call_refuse(call, &error);
	return false;
}

void
relay_start(struct call *call)
{
	char method[64];
	struct json_out params;

	if (!may_still(call)) {
		relay_refuse(
		    call, "gone", "the server is not to be called any more");
		return;
	}
	if (!enter(call))
		return;
	json_out_init(&params, FRONT_MESSAGE_MAX);
	int r = json_string_copy(
	    call->message.method, method, sizeof(method), NULL);
	if (r == 0)
		r = params_write(call, &params);
	if (r == 0)
		r = json_out_status(&params);
	if (r == 0) {
		const struct upstream_request request = {
			.method = method,
			.params = json_out_written(&params),
			.id = call->request,
		};
		r = upstream_call_start(call->front->gateway,
		    call->entry.server, &call->client, &request, &relay_ops,
		    call, &call->upstream);
	}
	json_out_fini(&params);
	if (r != 0) {
		relay_leave(call, NULL, "error");
		relay_error(call,
		    TEXT_SPAN("{\"code\":-32603,\"message\":\"the request "
			      "could not be passed on\"}"),
		    503);
	}
}
