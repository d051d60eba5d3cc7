/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What all kinds of servers need to say and to understand: the parts of MCP
 * that are the same over a cell and over a link.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "gateway/behind/behind.h"
#include "gateway/log.h"
#include "json/edit.h"
#include "mcp/client.h"
#include "mcp/param.h"

#define META_MAX (4u << 20)

uint64_t
behind_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* {"code", "message"} */
void
behind_error_write(struct json_out *out, int code, const char *text)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%d", code);
	json_out_text(out, "{\"code\":");
	json_out_text(out, digits);
	json_out_text(out, ",\"message\":");
	json_out_string(out, text, strlen(text));
	json_out_text(out, "}");
}

/* The status that a modern client is owed beside this code. */
static unsigned
error_status(const struct upstream_call *call, struct json_span code)
{
	static const char *const bad[] = { "-32020", "-32021", "-32022" };
	struct json_span wanted = { "-32601", 6 };

	if (call->client->era != MCP_MODERN)
		return 0;
	if (code.len == wanted.len && memcmp(code.at, wanted.at, 6) == 0)
		return 404;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (code.len == 6 && memcmp(code.at, bad[i], 6) == 0)
			return 400;
	return 0;
}

void
behind_call_response(struct upstream_call *call, struct json_span result,
    struct json_span error, enum mcp_era era, const struct pool_usage *usage)
{
	struct json_want members[] = { { .name = "code" },
		{ .name = "message" } };
	struct upstream_answer answer = {
		.end = UPSTREAM_ERROR, .value = error, .era = era
	};

	if (json_kind_of(result) == JSON_KIND_OBJECT) {
		behind_call_result(call, result, era, usage);
		return;
	}
	if (json_members_find(error, members, ARRAY_LEN(members)) != 0 ||
	    !json_value_is_integer(members[0].value) ||
	    json_kind_of(members[1].value) != JSON_KIND_STRING) {
		behind_call_error(call, 0, MCP_INTERNAL_ERROR,
		    "the server's answer is broken: result must be an object, "
		    "or error one with code and message");
		return;
	}
	answer.status = error_status(call, members[0].value);
	if (usage != NULL)
		answer.usage = *usage;
	behind_call_end(call, &answer);
}

void
behind_initialize_write(struct json_out *out, uint32_t can)
{
	json_out_text(out,
	    "{\"protocolVersion\":\"" MCP_VERSION_LEGACY
	    "\",\"capabilities\":");
	mcp_can_write(out, can);
	json_out_text(out,
	    ",\"clientInfo\":{\"name\":\"cordon\",\"version\":\"" CORDON_VERSION
	    "\"}}");
}

bool
behind_speaks_modern(struct json_span result)
{
	struct json_want want = { .name = "supportedVersions" };
	struct json_span version;
	struct json_iter iter;

	if (json_members_find(result, &want, 1) != 0 ||
	    json_kind_of(want.value) != JSON_KIND_ARRAY)
		return false;
	json_iter_init(&iter, want.value);
	while (json_iter_element(&iter, &version))
		if (json_string_equals(version, MCP_VERSION_MODERN))
			return true;
	return false;
}

static const struct {
	const char *method;
	unsigned what;
} changes[] = {
	{ "notifications/tools/list_changed", UPSTREAM_TOOLS },
	{ "notifications/prompts/list_changed", UPSTREAM_PROMPTS },
	{ "notifications/resources/list_changed", UPSTREAM_RESOURCES },
};

/* All who subscribed hear of it, so it carries the URI alone: what else a server
 * put there in the course of one client's call would reach the others. */
static void
updated_tell(struct upstream *upstream, struct json_span uri)
{
	struct json_out params;

	json_out_init(&params, BEHIND_TEXT_MAX);
	json_out_text(&params, "{\"uri\":");
	json_out_span(&params, uri);
	json_out_text(&params, "}");
	if (json_out_status(&params) == 0)
		front_resource_updated(upstream->gateway, upstream->server, uri,
		    (struct json_span){ params.bytes, params.len });
	json_out_fini(&params);
}

bool
behind_change_take(struct upstream *upstream, struct json_span method,
    struct json_span params, unsigned *what)
{
	struct json_want uri = { .name = "uri" };

	*what = 0;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		if (json_string_equals(method, changes[i].method))
			*what = changes[i].what;
	if (*what != 0)
		return true;
	if (!json_string_equals(method, "notifications/resources/updated"))
		return false;
	if (json_members_find(params, &uri, 1) == 0 &&
	    json_kind_of(uri.value) == JSON_KIND_STRING)
		updated_tell(upstream, uri.value);
	return true;
}

void
behind_call_note(struct upstream_call *call, struct json_span method,
    struct json_span params)
{
	if (call->ops->note == NULL || call->paused)
		return;
	if (call->n_notes++ < BEHIND_NOTES_MAX)
		call->ops->note(call->arg, method, params);
	else if (call->n_notes == BEHIND_NOTES_MAX + 1)
		log_line(LOG_WARN, call->request,
		    "server %s: more than %d notifications of one call; the "
		    "rest is dropped",
		    call->upstream->server->name, BEHIND_NOTES_MAX);
}

static const struct may {
	const char *method;
	uint32_t can;
} mays[] = {
	{ "elicitation/create", MCP_CAN_ELICIT | MCP_CAN_ELICIT_URL },
	{ "sampling/createMessage", MCP_CAN_SAMPLE },
	{ "roots/list", MCP_CAN_ROOTS },
};

const char *
behind_ask_refusal(
    const struct upstream_call *call, struct json_span method, int *code)
{
	*code = MCP_METHOD_NOT_FOUND;
	if (call->ops->ask == NULL)
		return "this call cannot ask anything";
	for (size_t i = 0; i < ARRAY_LEN(mays); i++) {
		if (!json_string_equals(method, mays[i].method))
			continue;
		return (call->client->can & mays[i].can) != 0
		    ? NULL
		    : "the client did not declare the capability for this";
	}
	return "Method not found: a client is asked elicitation/create, "
	       "sampling/createMessage or roots/list";
}

struct ask *
behind_ask_open(struct upstream_call *call, uint32_t *number)
{
	for (uint32_t i = 0; i < BEHIND_ASKS_MAX; i++) {
		if (call->asks[i].open)
			continue;
		call->asks[i] = (struct ask){ .open = true };
		*number = i;
		return &call->asks[i];
	}
	return NULL;
}

struct json_span
behind_param(const struct upstream_call *call, const char *name)
{
	struct json_want want = { .name = name };

	return json_members_find(call->params, &want, 1) == 0
	    ? want.value
	    : (struct json_span){ 0 };
}

/* _meta: what speaks of the hop is ours, all else the client's. */
static int
meta_write(struct json_out *out, const struct upstream_call *call,
    enum mcp_era era, const char *token)
{
	static const char version[] = "\"" MCP_VERSION_MODERN "\"";
	const struct client *client = call->client;
	struct json_out own;
	struct json_edit edits[] = {
		{ "progressToken",
		    { token, token == NULL ? 0 : strlen(token) } },
		{ MCP_META_VERSION, { 0 } },
		{ MCP_META_CAPABILITIES, { 0 } },
		{ MCP_META_CLIENT_INFO, { 0 } },
	};

	json_out_init(&own, META_MAX);
	if (era == MCP_MODERN) {
		edits[1].value =
		    (struct json_span){ version, sizeof(version) - 1 };
		if (client->capabilities.at == NULL)
			json_out_text(&own, "{}");
		else
			json_out_span(&own, client->capabilities);
		edits[2].value = (struct json_span){ own.bytes, own.len };
		edits[3].value = client->info;
	}
	struct json_span meta = behind_param(call, "_meta");
	if (json_kind_of(meta) != JSON_KIND_OBJECT)
		meta = (struct json_span){ 0 };
	int r = json_out_status(&own);
	if (r == 0)
		r = json_edit_write(out, meta, edits, ARRAY_LEN(edits));
	json_out_fini(&own);
	return r;
}

int
behind_params_write(struct json_out *out, const struct upstream_call *call,
    enum mcp_era era, const char *token)
{
	struct json_out meta;

	json_out_init(&meta, META_MAX);
	int r = meta_write(&meta, call, era, token);
	if (r == 0)
		r = json_out_status(&meta);
	if (r == 0) {
		const bool is_empty = meta.len == 2;
		const struct json_edit edit = { "_meta",
			{ is_empty ? NULL : meta.bytes,
			    is_empty ? 0 : meta.len } };
		r = json_edit_write(out, call->params, &edit, 1);
	}
	json_out_fini(&meta);
	return r;
}

void
behind_mirror_write(struct json_out *out, const struct upstream_call *call)
{
	static const char *const members[] = { "name", "uri", "taskId" };
	struct json_want schema = { .name = "inputSchema" };
	char text[8192];

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (json_string_copy(behind_param(call, members[i]), text,
			sizeof(text), NULL) != 0)
			continue;
		json_out_text(out, ",[\"mcp-name\",");
		mcp_header_write(out, text, strlen(text));
		json_out_text(out, "]");
		break;
	}
	if (strcmp(call->method, "tools/call") != 0 ||
	    call->upstream->surface == NULL)
		return;
	const struct mcp_element *tool = mcp_surface_find_raw(
	    call->upstream->surface, MCP_TOOLS, behind_param(call, "name"));
	if (tool != NULL && json_members_find(tool->json, &schema, 1) == 0)
		mcp_params_write(
		    schema.value, behind_param(call, "arguments"), out);
}

struct mcp_failure
behind_failure(const struct pool_outcome *outcome)
{
	return (struct mcp_failure){
		.code = pool_end_name(outcome->end),
		.limit = gateway_limit_name(outcome->end),
		.json = outcome->text,
		.json_len = outcome->text_len,
		.cpu_us = outcome->usage.cpu_us,
		.wall_us = outcome->usage.wall_us,
		.peak_kib = outcome->usage.peak_kib,
	};
}

void
behind_call_fail(struct upstream_call *call, const struct pool_outcome *outcome)
{
	const struct mcp_failure failure = behind_failure(outcome);
	const bool is_load = outcome->end == POOL_LOAD_ERROR;
	const bool is_tool =
	    !is_load && strcmp(call->method, "tools/call") == 0;
	struct json_out out;

	if (outcome->end == POOL_OVERLOADED) {
		behind_call_error(call, 503, MCP_INTERNAL_ERROR,
		    "overloaded: no cell was free for a call of %s; try again "
		    "in a second",
		    call->upstream->server->name);
		return;
	}
	json_out_init(&out, BEHIND_TEXT_MAX);
	if (is_load)
		mcp_load_failure_make(
		    &out, call->upstream->server->name, &failure);
	else if (is_tool)
		mcp_tool_failure_make(&out, MCP_LEGACY, &failure);
	else
		mcp_call_failure_make(&out, &failure);
	const struct upstream_answer answer = {
		.end = is_tool ? UPSTREAM_RESULT : UPSTREAM_ERROR,
		.value = { out.bytes, out.len },
		.era = MCP_LEGACY,
		.usage = outcome->usage,
	};
	if (json_out_status(&out) == 0)
		behind_call_end(call, &answer);
	else
		behind_call_error(
		    call, 503, MCP_INTERNAL_ERROR, "out of memory");
	json_out_fini(&out);
}

void
behind_mark(const struct upstream_call *call, struct pool_mark *mark)
{
	const struct json_span name = behind_param(call, "name");

	*mark = (struct pool_mark){ .request = call->request };
	if (call->client != NULL && call->client->principal != NULL)
		mark->principal = call->client->principal->record.id;
	if (name.at == NULL ||
	    json_string_copy(name, mark->what, sizeof(mark->what), NULL) != 0)
		snprintf(mark->what, sizeof(mark->what), "%s", call->method);
}
