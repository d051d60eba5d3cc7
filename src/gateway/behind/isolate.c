/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A declarative bundle: the host speaks MCP for it. A request becomes a call of
 * a cell, its outcome the result. What the cell returns is checked to be JSON,
 * and made a result by the rules of mcp/result.c.
 */

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/behind/behind.h"
#include "gateway/log.h"
#include "mcp/client.h"

/* A call of a cell. It outlives its upstream call when that is dropped: the
 * pool says the end of it from the loop. */
struct run {
	struct upstream_call *call; /* NULL: dropped */
	struct server *server; /* held */
	struct pool_call *pool;
	uint64_t request;
};

static void
member_write(struct json_out *out, const char *before, struct json_span value,
    const char *otherwise)
{
	json_out_text(out, before);
	if (value.at == NULL)
		json_out_text(out, otherwise);
	else
		json_out_span(out, value);
}

/* A bundle may tell sessions apart, and learns nothing else of them. */
static void
session_write(struct json_out *out, const struct upstream_call *call)
{
	uint8_t hash[16];
	char hex[2 * sizeof(hash) + 1];

	if (call->client->session == NULL)
		return;
	crypto_generichash(hash, sizeof(hash), call->client->session, 16,
	    (const uint8_t *)call->upstream->server->name,
	    strlen(call->upstream->server->name));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	json_out_text(out, ",\"session\":\"");
	json_out_text(out, hex);
	json_out_text(out, "\"");
}

static void
context_write(struct json_out *out, const struct upstream_call *call)
{
	const struct client *client = call->client;
	const struct json_span meta = behind_param(call, "_meta");
	struct json_want token = { .name = "progressToken" };
	const struct json_span responses = behind_param(call, "inputResponses");
	const struct json_span state = behind_param(call, "requestState");

	json_out_text(out, ",\"ctx\":{\"version\":\"");
	json_out_text(out,
	    client->era == MCP_MODERN ? MCP_VERSION_MODERN
				      : MCP_VERSION_LEGACY);
	json_out_text(out, "\"");
	if (client->capabilities.at != NULL)
		member_write(out, ",\"can\":", client->capabilities, "{}");
	else {
		json_out_text(out, ",\"can\":");
		mcp_can_write(out, client->can);
	}
	if (json_kind_of(meta) == JSON_KIND_OBJECT) {
		member_write(out, ",\"meta\":", meta, "{}");
		if (json_members_find(meta, &token, 1) == 0 &&
		    token.value.at != NULL)
			json_out_text(out, ",\"progress\":true");
	}
	if (responses.at != NULL)
		member_write(out, ",\"inputResponses\":", responses, "{}");
	if (state.at != NULL)
		member_write(out, ",\"requestState\":", state, "null");
	session_write(out, call);
	json_out_text(out, "}}");
}

/* What is asked, in the words of js/README.md; or why it is not: false, and the
 * call has ended. */
struct method {
	const char *name;
	bool (*write)(struct upstream_call *call, struct json_out *out);
	const char *result; /* a member that its result must have */
	enum json_kind kind;
};

static bool
tool_write(struct upstream_call *call, struct json_out *out)
{
	const struct mcp_surface *surface = call->upstream->surface;
	const struct json_span name = behind_param(call, "name");
	const struct json_span input = behind_param(call, "arguments");
	const enum json_kind kind = json_kind_of(input);
	char asked[MCP_NAME_MAX + 1] = "";

	if (json_kind_of(name) != JSON_KIND_STRING) {
		behind_call_error(call, 0, MCP_INVALID_PARAMS,
		    "Invalid params: tools/call needs the tool's name, once");
		return false;
	}
	if (kind != JSON_KIND_NONE && kind != JSON_KIND_OBJECT) {
		behind_call_error(call, 0, MCP_INVALID_PARAMS,
		    "Invalid params: arguments must be an object");
		return false;
	}
	if (!mcp_surface_has_tool(surface, name)) {
		json_string_copy(name, asked, sizeof(asked), NULL);
		behind_call_error(call, 0, MCP_INVALID_PARAMS,
		    "Unknown tool: %s (this server's first is %s; see "
		    "tools/list)",
		    asked,
		    surface->lists[MCP_TOOLS].n > 0
			? surface->lists[MCP_TOOLS].items[0].name
			: "none");
		return false;
	}
	member_write(out, "{\"tool\":", name, "\"\"");
	member_write(out, ",\"input\":", input, "{}");
	return true;
}

static bool
prompt_write(struct upstream_call *call, struct json_out *out)
{
	const struct mcp_surface *surface = call->upstream->surface;
	const struct json_span name = behind_param(call, "name");
	const struct json_span input = behind_param(call, "arguments");
	const enum json_kind kind = json_kind_of(input);
	char asked[MCP_NAME_MAX + 1] = "";

	if (kind != JSON_KIND_NONE && kind != JSON_KIND_OBJECT) {
		behind_call_error(call, 0, MCP_INVALID_PARAMS,
		    "Invalid params: arguments must be an object");
		return false;
	}
	if (mcp_surface_find_raw(surface, MCP_PROMPTS, name) == NULL) {
		json_string_copy(name, asked, sizeof(asked), NULL);
		behind_call_error(call, 0, MCP_INVALID_PARAMS,
		    "Unknown prompt: %s (see prompts/list)", asked);
		return false;
	}
	member_write(out, "{\"prompt\":", name, "\"\"");
	member_write(out, ",\"input\":", input, "{}");
	return true;
}

static void
resource_refuse(struct upstream_call *call)
{
	char uri[257] = "";

	json_string_copy(behind_param(call, "uri"), uri, sizeof(uri), NULL);
	behind_call_error(call, 0,
	    call->client->era == MCP_MODERN ? MCP_INVALID_PARAMS
					    : MCP_RESOURCE_NOT_FOUND,
	    "Resource not found: %s", uri);
}

static bool
resource_write(struct upstream_call *call, struct json_out *out)
{
	const struct mcp_surface *surface = call->upstream->surface;
	const struct json_span uri = behind_param(call, "uri");

	if (json_kind_of(uri) != JSON_KIND_STRING) {
		behind_call_error(call, 0, MCP_INVALID_PARAMS,
		    "Invalid params: resources/read needs a uri");
		return false;
	}
	/* Whether a template means it, the bundle knows. */
	if (mcp_surface_find_raw(surface, MCP_RESOURCES, uri) == NULL &&
	    surface->lists[MCP_TEMPLATES].n == 0) {
		resource_refuse(call);
		return false;
	}
	member_write(out, "{\"resource\":", uri, "\"\"");
	return true;
}

static bool
complete_write(struct upstream_call *call, struct json_out *out)
{
	const struct json_span ref = behind_param(call, "ref");
	const struct json_span argument = behind_param(call, "argument");
	const struct json_span context = behind_param(call, "context");

	if (json_kind_of(ref) != JSON_KIND_OBJECT ||
	    json_kind_of(argument) != JSON_KIND_OBJECT) {
		behind_call_error(call, 0, MCP_INVALID_PARAMS,
		    "Invalid params: completion/complete needs ref and "
		    "argument");
		return false;
	}
	member_write(out, "{\"complete\":{\"ref\":", ref, "{}");
	member_write(out, ",\"argument\":", argument, "{}");
	if (context.at != NULL)
		member_write(out, ",\"context\":", context, "{}");
	json_out_text(out, "}");
	return true;
}

static const struct method methods[] = {
	{ "tools/call", tool_write, NULL, JSON_KIND_NONE },
	{ "prompts/get", prompt_write, "messages", JSON_KIND_ARRAY },
	{ "resources/read", resource_write, "contents", JSON_KIND_ARRAY },
	{ "completion/complete", complete_write, "completion",
	    JSON_KIND_OBJECT },
};

static const struct method *
method_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static void
answer_end(struct upstream_call *call, enum upstream_end end,
    struct json_out *out, const struct pool_usage *usage)
{
	const struct upstream_answer answer = { .end = end,
		.value = { out->bytes, out->len },
		.era = mcp_result_wants_input(
			   (struct json_span){ out->bytes, out->len })
		    ? MCP_MODERN
		    : MCP_LEGACY,
		.usage = *usage };

	if (json_out_status(out) != 0)
		behind_call_error(call, 0, MCP_INTERNAL_ERROR,
		    "the answer is too large, or memory ran out");
	else
		behind_call_end(call, &answer);
}

/* A missing resource is a matter of the protocol, not of the bundle. */
static bool
is_not_found(const struct pool_outcome *outcome)
{
	struct json_want want = { .name = "name" };
	struct json_span whole;

	return outcome->end == POOL_EXCEPTION && outcome->text != NULL &&
	    json_check(outcome->text, outcome->text_len, &whole, NULL) == 0 &&
	    json_members_find(whole, &want, 1) == 0 &&
	    json_string_equals(want.value, "ResourceNotFound");
}

static void
call_fail(struct upstream_call *call, const struct pool_outcome *outcome)
{
	if (strcmp(call->method, "resources/read") == 0 &&
	    is_not_found(outcome))
		resource_refuse(call);
	else
		behind_call_fail(call, outcome);
}

static void
invalid_fail(struct upstream_call *call, const struct pool_outcome *outcome,
    const char *text)
{
	call_fail(call,
	    &(struct pool_outcome){ .end = POOL_INVALID_RESULT,
		.text = text,
		.text_len = strlen(text),
		.usage = outcome->usage });
}

/* Results of anything but tools are held to their shape. */
static void
plain_answer(struct upstream_call *call, const struct method *method,
    const struct pool_outcome *outcome)
{
	struct json_want want = { .name = method->result };
	struct json_span whole;
	struct json_out out;

	if (json_check(outcome->text, outcome->text_len, &whole, NULL) != 0) {
		invalid_fail(call, outcome,
		    "{\"message\":\"the result is not valid JSON, or has more "
		    "than 256 levels\"}");
		return;
	}
	if (!mcp_result_wants_input(whole) &&
	    (json_members_find(whole, &want, 1) != 0 ||
		json_kind_of(want.value) != method->kind)) {
		invalid_fail(call, outcome,
		    "{\"message\":\"the handler returned no result of its "
		    "kind: messages, contents or completion is missing\"}");
		return;
	}
	json_out_init(&out, BEHIND_TEXT_MAX);
	json_out_span(&out, whole);
	answer_end(call, UPSTREAM_RESULT, &out, &outcome->usage);
	json_out_fini(&out);
}

static void
call_answer(struct upstream_call *call, const struct pool_outcome *outcome)
{
	const struct method *method = method_find(call->method);
	struct json_out out;

	if (outcome->end != POOL_OK) {
		call_fail(call, outcome);
		return;
	}
	if (method->result != NULL) {
		plain_answer(call, method, outcome);
		return;
	}
	json_out_init(&out, BEHIND_TEXT_MAX);
	if (mcp_tool_result_make(
		&out, MCP_LEGACY, outcome->text, outcome->text_len) == 0)
		answer_end(call, UPSTREAM_RESULT, &out, &outcome->usage);
	else
		invalid_fail(call, outcome,
		    "{\"message\":\"the tool's result is not valid JSON, or "
		    "has more than 256 levels\"}");
	json_out_fini(&out);
}

static void
on_done(void *arg, const struct pool_outcome *outcome)
{
	struct run *run = arg;
	struct upstream_call *call = run->call;

	if (outcome->end != POOL_OK)
		log_line(LOG_INFO, run->request, "a call of %s ended: %s",
		    run->server->name, pool_end_name(outcome->end));
	if (call != NULL) {
		call->run = NULL;
		call_answer(call, outcome);
	}
	server_unref(run->server);
	free(run);
}

static void
on_log(void *arg, int level, const char *raw_text, size_t len)
{
	const struct run *run = arg;

	server_log(run->server, level, run->request, raw_text, len);
}

/* {"method", "params"?} as a cell says it. */
static bool
speech_read(const char *raw_json, size_t len, struct json_span *method,
    struct json_span *params)
{
	struct json_want members[] = { { .name = "method" },
		{ .name = "params" } };
	struct json_span whole;

	if (json_check(raw_json, len, &whole, NULL) != 0 ||
	    json_members_find(whole, members, ARRAY_LEN(members)) != 0 ||
	    json_kind_of(members[0].value) != JSON_KIND_STRING)
		return false;
	*method = members[0].value;
	*params = members[1].value;
	if (params->at == NULL)
		*params = (struct json_span){ "{}", 2 };
	return json_kind_of(*params) == JSON_KIND_OBJECT;
}

static void
on_note(void *arg, const char *raw_json, size_t len)
{
	struct upstream_call *call = ((struct run *)arg)->call;
	struct json_span method, params;
	unsigned what;

	if (call == NULL || !speech_read(raw_json, len, &method, &params))
		return;
	struct upstream *upstream = call->upstream;
	if (json_string_equals(method, "notifications/progress") ||
	    json_string_equals(method, "notifications/message")) {
		behind_call_note(call, method, params);
		return;
	}
	if (call->n_notes++ >= BEHIND_NOTES_MAX)
		return;
	/* What it can do is fixed, but what its tools offer may not be. */
	if (behind_change_take(upstream, method, params, &what) && what != 0)
		front_changed(upstream->gateway, upstream->server, what);
}

static void
ask_refuse(struct run *run, uint32_t ask, int code, const char *why)
{
	struct json_out out;
	char text[512];

	snprintf(text, sizeof(text),
	    "{\"error\":{\"code\":%d,\"message\":\"%s\"}}", code, why);
	json_out_init(&out, sizeof(text));
	json_out_text(&out, text);
	pool_call_answer(run->pool, ask, out.bytes, out.len);
	json_out_fini(&out);
}

static void
on_ask(void *arg, uint32_t ask, const char *raw_json, size_t len)
{
	struct run *run = arg;
	struct upstream_call *call = run->call;
	struct json_span method, params;
	uint32_t number;
	int code;

	if (call == NULL)
		return;
	if (!speech_read(raw_json, len, &method, &params)) {
		ask_refuse(run, ask, MCP_INVALID_REQUEST,
		    "a request to the client has a method and params");
		return;
	}
	const char *refusal = behind_ask_refusal(call, method, &code);
	if (refusal != NULL) {
		ask_refuse(run, ask, code, refusal);
		return;
	}
	struct ask *place = behind_ask_open(call, &number);
	if (place == NULL) {
		ask_refuse(run, ask, MCP_INTERNAL_ERROR,
		    "one call asks at most 16 things at once");
		return;
	}
	place->number = ask;
	call->ops->ask(call->arg, number, method, params);
}

static void
on_wait(void *arg)
{
	const struct upstream_call *call = ((struct run *)arg)->call;

	if (call != NULL && call->ops->wait != NULL)
		call->ops->wait(call->arg);
}

static const struct pool_call_ops pool_ops = {
	.log = on_log,
	.note = on_note,
	.ask = on_ask,
	.wait = on_wait,
	.done = on_done,
};

static int
run_start(struct upstream_call *call, const struct json_out *json)
{
	struct upstream *upstream = call->upstream;
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		return -ENOMEM;
	*run = (struct run){ .call = call,
		.server = upstream->server,
		.request = call->request };
	const int r = pool_call_start(upstream->gateway->pool,
	    upstream->server->record.id, POOL_TOOL, json->bytes, json->len,
	    NULL, 0, &pool_ops, run, &run->pool);
	if (r != 0) {
		free(run);
		return r;
	}
	struct pool_mark mark;
	behind_mark(call, &mark);
	pool_call_mark(run->pool, &mark);
	server_ref(run->server);
	call->run = run;
	return 0;
}

static void
isolate_begin(struct upstream_call *call)
{
	const struct method *method = method_find(call->method);
	struct json_out json;

	if (method == NULL) {
		behind_call_error(call,
		    call->client->era == MCP_MODERN ? 404 : 0,
		    MCP_METHOD_NOT_FOUND, "Method not found: %s", call->method);
		return;
	}
	json_out_init(&json, BEHIND_TEXT_MAX);
	if (method->write(call, &json)) {
		context_write(&json, call);
		if (json_out_status(&json) != 0 || run_start(call, &json) != 0)
			behind_call_error(
			    call, 503, MCP_INTERNAL_ERROR, "out of memory");
	}
	json_out_fini(&json);
}

static int
isolate_answer(struct upstream_call *call, struct ask *ask, bool is_error,
    const char *json, size_t len)
{
	struct json_out out;

	if (call->run == NULL)
		return -ENOENT;
	json_out_init(&out, BEHIND_TEXT_MAX);
	json_out_text(&out, is_error ? "{\"error\":" : "{\"result\":");
	json_out_raw(&out, json, len);
	json_out_text(&out, "}");
	const int r = json_out_status(&out) != 0
	    ? -ENOMEM
	    : pool_call_answer(
		  call->run->pool, ask->number, out.bytes, out.len);
	json_out_fini(&out);
	return r;
}

static void
isolate_drop(struct upstream_call *call, const char *reason)
{
	(void)reason;
	if (call->run == NULL)
		return;
	call->run->call = NULL;
	pool_call_cancel(call->run->pool);
	call->run = NULL;
}

static void
isolate_pause(struct upstream_call *call, bool paused)
{
	/* A result comes whole: there is nothing to slow down. */
	(void)call;
	(void)paused;
}

const struct kind isolate_kind = {
	.begin = isolate_begin,
	.answer = isolate_answer,
	.drop = isolate_drop,
	.pause = isolate_pause,
};
