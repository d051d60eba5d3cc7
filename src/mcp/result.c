/* SPDX-License-Identifier: Apache-2.0 */

/* Results of tools/call, and what failed. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "mcp/result.h"

static void
open_result(struct json_out *out, enum mcp_era era)
{
	json_out_text(
	    out, era == MCP_MODERN ? "{\"resultType\":\"complete\"," : "{");
}

/* {…}: the tool made the result itself. */
static void
write_as_is(struct json_out *out, enum mcp_era era, struct json_span result,
    bool has_type)
{
	if (era == MCP_LEGACY || has_type) {
		json_out_span(out, result);
		return;
	}
	/* It has a member at least: a comma is right. */
	open_result(out, era);
	json_out_raw(out, result.at + 1, result.len - 1);
}

static void
write_wrapped(struct json_out *out, enum mcp_era era, struct json_span result)
{
	open_result(out, era);
	json_out_text(out, "\"content\":[{\"type\":\"text\",\"text\":");
	if (json_kind_of(result) == JSON_KIND_STRING)
		json_out_span(out, result);
	else
		json_out_string(out, result.at, result.len);
	json_out_text(out, "}]");
	if (json_kind_of(result) == JSON_KIND_OBJECT) {
		json_out_text(out, ",\"structuredContent\":");
		json_out_span(out, result);
	}
	json_out_text(out, "}");
}

bool
mcp_result_wants_input(struct json_span result)
{
	struct json_want members[] = { { .name = "resultType" },
		{ .name = "inputRequests" }, { .name = "requestState" } };

	return json_members_find(result, members, ARRAY_LEN(members)) == 0 &&
	    json_string_equals(members[0].value, "input_required") &&
	    (members[1].value.at != NULL || members[2].value.at != NULL);
}

int
mcp_tool_result_make(
    struct json_out *out, enum mcp_era era, const char *raw_json, size_t len)
{
	struct json_want members[] = { { .name = "content" },
		{ .name = "resultType" } };
	struct json_span result;

	if (json_check(raw_json, len, &result, NULL) != 0)
		return MCP_E_RESULT;
	const bool is_result =
	    json_members_find(result, members, ARRAY_LEN(members)) == 0 &&
	    json_kind_of(members[0].value) == JSON_KIND_ARRAY;
	if (is_result || mcp_result_wants_input(result))
		write_as_is(out, era, result, members[1].value.at != NULL);
	else
		write_wrapped(out, era, result);
	return 0;
}

enum { MESSAGE, STACK, NAME, FILE_NAME, LINE, COLUMN, N_MEMBERS };

struct details {
	struct json_want members[N_MEMBERS];
};

static struct details
details_read(const struct mcp_failure *failure)
{
	struct details details = { .members = {
				       [MESSAGE] = { .name = "message" },
				       [STACK] = { .name = "stack" },
				       [NAME] = { .name = "name" },
				       [FILE_NAME] = { .name = "file" },
				       [LINE] = { .name = "line" },
				       [COLUMN] = { .name = "column" },
				   } };
	struct json_span object;

	if (failure->json != NULL &&
	    json_check(failure->json, failure->json_len, &object, NULL) == 0)
		json_members_find(object, details.members, N_MEMBERS);
	return details;
}

/* A string's inside as it is, for use between quotes of ours. */
static void
write_inside(struct json_out *out, struct json_span string)
{
	if (json_kind_of(string) == JSON_KIND_STRING)
		json_out_raw(out, string.at + 1, string.len - 2);
}

static void
write_usage(struct json_out *out, const struct mcp_failure *failure)
{
	char text[160];

	snprintf(text, sizeof(text),
	    "{\"cpu_ms\":%" PRIu64 ".%03u,\"wall_ms\":%" PRIu64
	    ".%03u,\"peak_kib\":%" PRIu64 "}",
	    failure->cpu_us / 1000, (unsigned)(failure->cpu_us % 1000),
	    failure->wall_us / 1000, (unsigned)(failure->wall_us % 1000),
	    failure->peak_kib);
	json_out_text(out, text);
}

/* {"code", "limit"?, "message", "stack"?, …, "usage"} */
static void
write_failure(struct json_out *out, const struct mcp_failure *failure,
    const struct details *details)
{
	json_out_text(out, "{\"code\":\"");
	json_out_text(out, failure->code);
	json_out_text(out, "\"");
	if (failure->limit != NULL) {
		json_out_text(out, ",\"limit\":\"");
		json_out_text(out, failure->limit);
		json_out_text(out, "\"");
	}
	for (size_t i = 0; i < N_MEMBERS; i++) {
		if (details->members[i].value.at == NULL)
			continue;
		json_out_text(out, ",\"");
		json_out_text(out, details->members[i].name);
		json_out_text(out, "\":");
		json_out_span(out, details->members[i].value);
	}
	json_out_text(out, ",\"usage\":");
	write_usage(out, failure);
	json_out_text(out, "}");
}

void
mcp_tool_failure_make(
    struct json_out *out, enum mcp_era era, const struct mcp_failure *failure)
{
	const struct details details = details_read(failure);

	open_result(out, era);
	json_out_text(out, "\"content\":[{\"type\":\"text\",\"text\":\"");
	json_out_text(out, failure->code);
	json_out_text(out, ": ");
	write_inside(out, details.members[MESSAGE].value);
	json_out_text(out,
	    "\"}],\"isError\":true,"
	    "\"_meta\":{\"cordon/error\":");
	write_failure(out, failure, &details);
	json_out_text(out, "}}");
}

static void
write_place(struct json_out *out, const struct details *details)
{
	static const unsigned char numbers[] = { LINE, COLUMN };

	if (json_kind_of(details->members[FILE_NAME].value) != JSON_KIND_STRING)
		return;
	json_out_text(out, " (");
	write_inside(out, details->members[FILE_NAME].value);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct json_span n = details->members[numbers[i]].value;
		if (!json_value_is_integer(n))
			break;
		json_out_text(out, ":");
		json_out_span(out, n);
	}
	json_out_text(out, ")");
}

static void
write_error(struct json_out *out, const struct mcp_failure *failure,
    const struct details *details)
{
	write_inside(out, details->members[MESSAGE].value);
	write_place(out, details);
	json_out_text(out, "\",\"data\":");
	write_failure(out, failure, details);
	json_out_text(out, "}");
}

void
mcp_call_failure_make(struct json_out *out, const struct mcp_failure *failure)
{
	const struct details details = details_read(failure);

	json_out_text(out, "{\"code\":-32603,\"message\":\"");
	json_out_text(out, failure->code);
	json_out_text(out, ": ");
	write_error(out, failure, &details);
}

void
mcp_load_failure_make(
    struct json_out *out, const char *server, const struct mcp_failure *failure)
{
	const struct details details = details_read(failure);

	json_out_text(
	    out, "{\"code\":-32603,\"message\":\"the bundle of server ");
	json_out_text(out, server);
	json_out_text(out, " cannot be loaded: ");
	write_error(out, failure, &details);
}
