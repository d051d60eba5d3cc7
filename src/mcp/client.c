/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/auto.h"
#include "mcp/client.h"

static bool
is_object(struct json_span value)
{
	return json_kind_of(value) == JSON_KIND_OBJECT;
}

uint32_t
mcp_can_read(struct json_span capabilities)
{
	struct json_want want[] = { { .name = "elicitation" },
		{ .name = "sampling" }, { .name = "roots" } };
	uint32_t can = 0;

	if (json_members_find(capabilities, want, ARRAY_LEN(want)) != 0)
		return 0;
	if (is_object(want[0].value)) {
		/* {} is what older clients say for a form. */
		const bool url = is_object(json_member(want[0].value, "url"));
		if (url)
			can |= MCP_CAN_ELICIT_URL;
		if (!url || is_object(json_member(want[0].value, "form")))
			can |= MCP_CAN_ELICIT;
	}
	if (is_object(want[1].value)) {
		can |= MCP_CAN_SAMPLE;
		if (is_object(json_member(want[1].value, "tools")))
			can |= MCP_CAN_SAMPLE_TOOLS;
	}
	if (is_object(want[2].value)) {
		can |= MCP_CAN_ROOTS;
		if (json_value_is_true(
			json_member(want[2].value, "listChanged")))
			can |= MCP_CAN_ROOTS_CHANGED;
	}
	return can;
}

void
mcp_can_write(struct json_out *out, uint32_t can)
{
	const uint32_t both = MCP_CAN_ELICIT | MCP_CAN_ELICIT_URL;
	const char *comma = "";

	json_out_text(out, "{");
	if ((can & both) != 0) {
		json_out_text(out, "\"elicitation\":{");
		json_out_text(
		    out, (can & MCP_CAN_ELICIT) != 0 ? "\"form\":{}" : "");
		json_out_text(out, (can & both) == both ? "," : "");
		json_out_text(
		    out, (can & MCP_CAN_ELICIT_URL) != 0 ? "\"url\":{}" : "");
		json_out_text(out, "}");
		comma = ",";
	}
	if ((can & (MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS)) != 0) {
		json_out_text(out, comma);
		json_out_text(out,
		    (can & MCP_CAN_SAMPLE_TOOLS) != 0
			? "\"sampling\":{\"tools\":{}}"
			: "\"sampling\":{}");
		comma = ",";
	}
	if ((can & MCP_CAN_ROOTS) != 0) {
		json_out_text(out, comma);
		json_out_text(out,
		    (can & MCP_CAN_ROOTS_CHANGED) != 0
			? "\"roots\":{\"listChanged\":true}"
			: "\"roots\":{}");
	}
	json_out_text(out, "}");
}

uint32_t
mcp_can_needed(struct json_span method, struct json_span params)
{
	if (json_string_equals(method, "roots/list"))
		return MCP_CAN_ROOTS;
	if (json_string_equals(method, "elicitation/create"))
		return json_string_equals(json_member(params, "mode"), "url")
		    ? MCP_CAN_ELICIT_URL
		    : MCP_CAN_ELICIT;
	if (!json_string_equals(method, "sampling/createMessage"))
		return 0;
	return json_member(params, "tools").at != NULL ||
		json_member(params, "toolChoice").at != NULL
	    ? MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS
	    : MCP_CAN_SAMPLE;
}

int
mcp_missing_capability(struct mcp_error *error, uint32_t missing)
{
	mcp_error_set(error, 400, MCP_MISSING_CAPABILITY,
	    "Missing client capability: this request needs %s, which the "
	    "client did not declare",
	    (missing & (MCP_CAN_ELICIT | MCP_CAN_ELICIT_URL)) != 0
		? "elicitation"
		: (missing & MCP_CAN_ROOTS) != 0 ? "roots"
						 : "sampling");
	error->missing = missing;
	return MCP_E_REFUSED;
}

static const char *const levels[] = { "\"debug\"", "\"info\"", "\"notice\"",
	"\"warning\"", "\"error\"", "\"critical\"", "\"alert\"",
	"\"emergency\"" };

struct json_span
mcp_level_text(int level)
{
	return (struct json_span){ .at = levels[level],
		.len = strlen(levels[level]) };
}

int
mcp_level_read(struct json_span level)
{
	char name[16];

	if (json_string_copy(level, name, sizeof(name), NULL) != 0)
		return -1;
	for (int i = 0; i < (int)ARRAY_LEN(levels); i++)
		if (strlen(name) == strlen(levels[i]) - 2 &&
		    memcmp(name, levels[i] + 1, strlen(name)) == 0)
			return i;
	return -1;
}
