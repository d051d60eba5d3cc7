/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Results and errors that the host makes for what its cells did. */

#include "mcp/message.h"
#include "mcp/version.h"

/*
 * Appends the result of a tools/call. The text is JSON the tool returned: an
 * object with a content array, or with what a client is asked for
 * ("input_required"), is the result as it is; a string becomes text, all else
 * text and (for an object) structuredContent. MCP_E_RESULT: it is no JSON;
 * nothing was written.
 */
#define MCP_E_RESULT 1
int mcp_tool_result_make(
    struct json_out *out, enum mcp_era era, const char *raw_json, size_t len);

/* Whether a result is "input_required", with something to it. */
bool mcp_result_wants_input(struct json_span result);

/* How a call failed. `json` is an object {"message", "stack"?, …}. */
struct mcp_failure {
	const char *code;
	const char *limit; /* "cpu", "wall"; NULL: no time limit was hit */
	const char *json;
	size_t json_len;
	uint64_t cpu_us;
	uint64_t wall_us;
	uint64_t peak_kib;
};

/* Appends a CallToolResult with isError, "code: message" as its text, and the
 * whole failure under _meta's "cordon/error". */
void mcp_tool_failure_make(
    struct json_out *out, enum mcp_era era, const struct mcp_failure *failure);

/* Appends an error object -32603, "code: message": a request failed that the
 * host does not understand itself (Workers-style bundles). */
void
mcp_call_failure_make(struct json_out *out, const struct mcp_failure *failure);

/* The same, in the words for a bundle that does not work at all. */
void mcp_load_failure_make(struct json_out *out, const char *server,
    const struct mcp_failure *failure);
