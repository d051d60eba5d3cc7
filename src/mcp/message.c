/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "mcp/client.h"
#include "mcp/message.h"
#include "mcp/version.h"

int
mcp_error_set(
    struct mcp_error *error, unsigned status, int code, const char *format, ...)
{
	va_list args;

	*error = (struct mcp_error){ .status = status, .code = code };
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return MCP_E_REFUSED;
}

enum { JSONRPC, ID, METHOD, PARAMS, RESULT, ERROR, N_MEMBERS };

static int
invalid(struct mcp_error *error, const char *what)
{
	return mcp_error_set(
	    error, 400, MCP_INVALID_REQUEST, "Invalid request: %s", what);
}

static bool
id_is_valid(struct json_span id)
{
	return id.len <= MCP_ID_MAX &&
	    (json_kind_of(id) == JSON_KIND_STRING || json_value_is_integer(id));
}

static int
response_parse(const struct json_want *members, struct mcp_message *message,
    struct mcp_error *error)
{
	if ((members[RESULT].value.at == NULL) ==
	    (members[ERROR].value.at == NULL))
		return invalid(error,
		    "a message has a method, or else a result or an error");
	message->kind = MCP_RESPONSE;
	return 0;
}

static int
call_parse(const struct json_want *members, struct mcp_message *message,
    struct mcp_error *error)
{
	const enum json_kind params = json_kind_of(members[PARAMS].value);

	if (json_kind_of(members[METHOD].value) != JSON_KIND_STRING)
		return invalid(error, "method must be a string");
	if (members[RESULT].value.at != NULL || members[ERROR].value.at != NULL)
		return invalid(error, "a method excludes result and error");
	if (params != JSON_KIND_NONE && params != JSON_KIND_OBJECT)
		return mcp_error_set(error, 400, MCP_INVALID_PARAMS,
		    "Invalid params: params must be an object");
	message->kind =
	    members[ID].value.at == NULL ? MCP_NOTIFICATION : MCP_REQUEST;
	message->method = members[METHOD].value;
	message->params = members[PARAMS].value;
	return 0;
}

int
mcp_message_parse(struct json_span raw_value, struct mcp_message *message,
    struct mcp_error *error)
{
	struct json_want members[N_MEMBERS] = {
		[JSONRPC] = { .name = "jsonrpc" },
		[ID] = { .name = "id" },
		[METHOD] = { .name = "method" },
		[PARAMS] = { .name = "params" },
		[RESULT] = { .name = "result" },
		[ERROR] = { .name = "error" },
	};

	*message = (struct mcp_message){ 0 };
	const int r = json_members_find(raw_value, members, N_MEMBERS);
	if (r == JSON_E_DUPLICATE)
		return invalid(error, "a member occurs twice");
	if (r != 0)
		return invalid(error, "a message must be a JSON object");
	if (members[ID].value.at != NULL && !id_is_valid(members[ID].value))
		return invalid(error, "id must be a string or an integer");
	message->id = members[ID].value;
	if (!json_string_equals(members[JSONRPC].value, "2.0"))
		return invalid(error, "jsonrpc must be \"2.0\"");
	return members[METHOD].value.at == NULL
	    ? response_parse(members, message, error)
	    : call_parse(members, message, error);
}

static void
write_id(struct json_out *out, struct json_span id)
{
	json_out_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	if (id.at == NULL)
		json_out_text(out, "null");
	else
		json_out_span(out, id);
}

void
mcp_error_object_write(struct json_out *out, const struct mcp_error *error)
{
	char code[32];

	snprintf(code, sizeof(code), "%d", error->code);
	json_out_text(out, "{\"code\":");
	json_out_text(out, code);
	json_out_text(out, ",\"message\":");
	json_out_string(out, error->message, strlen(error->message));
	if (error->code == MCP_UNSUPPORTED_VERSION) {
		json_out_text(out, ",\"data\":{\"supported\":");
		mcp_modern_versions_write(out);
		json_out_text(out, ",\"requested\":");
		json_out_string(
		    out, error->requested, strlen(error->requested));
		json_out_text(out, "}");
	} else if (error->code == MCP_MISSING_CAPABILITY) {
		json_out_text(out, ",\"data\":{\"requiredCapabilities\":");
		mcp_can_write(out, error->missing);
		json_out_text(out, "}");
	}
	json_out_text(out, "}");
}

void
mcp_error_write(
    struct json_out *out, struct json_span id, const struct mcp_error *error)
{
	write_id(out, id);
	json_out_text(out, ",\"error\":");
	mcp_error_object_write(out, error);
	json_out_text(out, "}");
}

void
mcp_reply_open(struct json_out *out, struct json_span id)
{
	write_id(out, id);
	json_out_text(out, ",\"result\":");
}

void
mcp_reply_close(struct json_out *out)
{
	json_out_text(out, "}");
}
