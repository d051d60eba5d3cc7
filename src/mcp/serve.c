/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/auto.h"
#include "mcp/serve.h"

/* How long a client may keep what it was told, and with whom it may share it:
 * the surface cannot change while the host runs, but what one may see can. */
#define TTL_AND_SCOPE "\"ttlMs\":60000,\"cacheScope\":\"private\""

struct serve {
	const struct mcp_surface *surface;
	const struct mcp_message *message;
	enum mcp_era era;
	struct json_out *out;
	struct mcp_turn *turn;
};

static struct json_span
param(const struct serve *serve, const char *name)
{
	struct json_want want = { .name = name };

	if (json_members_find(serve->message->params, &want, 1) != 0)
		return (struct json_span){ 0 };
	return want.value;
}

static enum mcp_step
refuse(const struct serve *serve, const struct mcp_error *error)
{
	serve->turn->status = error->status;
	mcp_error_write(serve->out, serve->message->id, error);
	return MCP_ANSWERED;
}

static void
reply_open(const struct serve *serve)
{
	mcp_reply_open(serve->out, serve->message->id);
	json_out_text(serve->out,
	    serve->era == MCP_MODERN ? "{\"resultType\":\"complete\"," : "{");
}

static enum mcp_step
reply_close(const struct serve *serve)
{
	json_out_text(serve->out, "}");
	mcp_reply_close(serve->out);
	return MCP_ANSWERED;
}

static void
write_optional(struct json_out *out, const char *before, struct json_span value)
{
	if (value.at == NULL)
		return;
	json_out_text(out, before);
	json_out_span(out, value);
}

/* {"name","version","title"?} */
static void
write_server_info(const struct serve *serve)
{
	const struct mcp_surface *surface = serve->surface;

	write_optional(serve->out, "{\"name\":", surface->name);
	write_optional(serve->out, ",\"version\":", surface->server_version);
	write_optional(serve->out, ",\"title\":", surface->title);
	json_out_text(serve->out, "}");
}

/* "capabilities":…,"instructions":…? and a comma before what follows. */
static void
write_offer(const struct serve *serve)
{
	json_out_text(serve->out, "\"capabilities\":{\"tools\":{}},");
	if (serve->surface->instructions.at == NULL)
		return;
	json_out_text(serve->out, "\"instructions\":");
	json_out_span(serve->out, serve->surface->instructions);
	json_out_text(serve->out, ",");
}

/* What results of the modern era carry that may be kept: how long, by whom, and
 * from which server. */
static void
write_keeping(const struct serve *serve)
{
	json_out_text(serve->out,
	    TTL_AND_SCOPE ",\"_meta\":{\"" MCP_META_SERVER_INFO "\":");
	write_server_info(serve);
	json_out_text(serve->out, "},");
}

static enum mcp_step
serve_initialize(const struct serve *serve)
{
	const struct json_span asked = param(serve, "protocolVersion");
	char version[32];
	struct mcp_error error;

	if (json_kind_of(asked) != JSON_KIND_STRING) {
		mcp_error_set(&error, 200, MCP_INVALID_PARAMS,
		    "Invalid params: initialize needs a protocolVersion");
		return refuse(serve, &error);
	}
	if (json_string_copy(asked, version, sizeof(version), NULL) != 0 ||
	    !mcp_version_is_legacy(version))
		strcpy(version, MCP_VERSION_LEGACY);
	reply_open(serve);
	json_out_text(serve->out, "\"protocolVersion\":\"");
	json_out_text(serve->out, version);
	json_out_text(serve->out, "\",");
	write_offer(serve);
	json_out_text(serve->out, "\"serverInfo\":");
	write_server_info(serve);
	return reply_close(serve);
}

static enum mcp_step
serve_ping(const struct serve *serve)
{
	reply_open(serve);
	return reply_close(serve);
}

static enum mcp_step
serve_discover(const struct serve *serve)
{
	reply_open(serve);
	write_offer(serve);
	write_keeping(serve);
	json_out_text(serve->out, "\"supportedVersions\":");
	mcp_modern_versions_write(serve->out);
	return reply_close(serve);
}

static enum mcp_step
serve_tools_list(const struct serve *serve)
{
	struct mcp_error error;

	if (param(serve, "cursor").at != NULL) {
		mcp_error_set(&error, 200, MCP_INVALID_PARAMS,
		    "Invalid params: no such cursor (the list has one page)");
		return refuse(serve, &error);
	}
	reply_open(serve);
	if (serve->era == MCP_MODERN)
		write_keeping(serve);
	json_out_text(serve->out, "\"tools\":");
	mcp_surface_list_write(serve->surface, MCP_TOOLS, serve->out);
	return reply_close(serve);
}

/* The names, for whoever asked for one that is not there. */
static void
unknown_tool(
    const struct serve *serve, struct json_span name, struct mcp_error *error)
{
	char asked[MCP_NAME_MAX + 1] = "";

	json_string_copy(name, asked, sizeof(asked), NULL);
	mcp_error_set(error, 200, MCP_INVALID_PARAMS,
	    "Unknown tool: %s (this server's first is %s; see tools/list)",
	    asked,
	    serve->surface->lists[MCP_TOOLS].n > 0
		? serve->surface->lists[MCP_TOOLS].items[0].name
		: "none");
}

static enum mcp_step
serve_tools_call(const struct serve *serve)
{
	struct json_want params[] = { { .name = "name" },
		{ .name = "arguments" } };
	struct mcp_error error;

	const int r = json_members_find(
	    serve->message->params, params, ARRAY_LEN(params));
	const enum json_kind input = json_kind_of(params[1].value);
	if (r != 0 || json_kind_of(params[0].value) != JSON_KIND_STRING)
		mcp_error_set(&error, 200, MCP_INVALID_PARAMS,
		    "Invalid params: tools/call needs the tool's name, once");
	else if (input != JSON_KIND_NONE && input != JSON_KIND_OBJECT)
		mcp_error_set(&error, 200, MCP_INVALID_PARAMS,
		    "Invalid params: arguments must be an object");
	else if (!mcp_surface_has_tool(serve->surface, params[0].value))
		unknown_tool(serve, params[0].value, &error);
	else {
		serve->turn->tool = params[0].value;
		serve->turn->input = params[1].value;
		return MCP_CALL_TOOL;
	}
	return refuse(serve, &error);
}

#define LEGACY (1u << MCP_LEGACY)
#define MODERN (1u << MCP_MODERN)

static const struct method {
	const char *name;
	unsigned eras;
	enum mcp_step (*serve)(const struct serve *serve);
} methods[] = {
	{ "tools/call", LEGACY | MODERN, serve_tools_call },
	{ "tools/list", LEGACY | MODERN, serve_tools_list },
	{ "initialize", LEGACY, serve_initialize },
	{ "ping", LEGACY, serve_ping },
	{ "server/discover", MODERN, serve_discover },
};

static enum mcp_step
serve_unknown(const struct serve *serve)
{
	char method[64] = "?";
	struct mcp_error error;

	json_string_copy(serve->message->method, method, sizeof(method), NULL);
	mcp_error_set(&error, serve->era == MCP_MODERN ? 404 : 200,
	    MCP_METHOD_NOT_FOUND, "Method not found: %s", method);
	return refuse(serve, &error);
}

enum mcp_step
mcp_serve(const struct mcp_surface *surface, const struct mcp_message *message,
    enum mcp_era era, struct json_out *out, struct mcp_turn *turn)
{
	const struct serve serve = { surface, message, era, out, turn };

	*turn = (struct mcp_turn){ .status = 200 };
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if ((methods[i].eras & (1u << era)) != 0 &&
		    json_string_equals(message->method, methods[i].name))
			return methods[i].serve(&serve);
	return serve_unknown(&serve);
}
