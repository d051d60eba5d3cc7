/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the host answers for a declarative server, in both eras: everything but
 * the run of a tool, which it leaves to the caller.
 */

#include "mcp/surface.h"
#include "mcp/version.h"

enum mcp_step {
	MCP_ANSWERED, /* the reply is in out */
	MCP_CALL_TOOL, /* run it; the reply is the caller's to write */
};

struct mcp_turn {
	unsigned status; /* HTTP status of the reply */
	struct json_span tool; /* to call: raw string */
	struct json_span input; /* raw object; empty: {} */
};

/* Serves a request that mcp_era_admit() let in. */
enum mcp_step
mcp_serve(const struct mcp_surface *surface, const struct mcp_message *message,
    enum mcp_era era, struct json_out *out, struct mcp_turn *turn);

/*
 * Appends the reply to a tools/call. The result is JSON the tool returned: an
 * object with a content array is the CallToolResult as it is, a string becomes
 * text, all else text and (for an object) structuredContent. MCP_E_RESULT: it
 * is no JSON; nothing was written.
 */
#define MCP_E_RESULT 1
int mcp_tool_result_write(struct json_out *out, struct json_span id,
    enum mcp_era era, const char *raw_json, size_t len);

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
void mcp_tool_failure_write(struct json_out *out, struct json_span id,
    enum mcp_era era, const struct mcp_failure *failure);

/* Appends a JSON-RPC error -32603, "code: message": a request failed that the
 * host does not understand itself (Workers-style bundles). */
void mcp_call_failure_write(struct json_out *out, struct json_span id,
    const struct mcp_failure *failure);

/* The same, in the words for a bundle that does not work at all. */
void mcp_load_failure_write(struct json_out *out, struct json_span id,
    const char *server, const struct mcp_failure *failure);

/*
 * The same as objects by themselves, without the reply around them: a result,
 * and {"code", "message", "data"}. A result with what a client is asked for
 * ("input_required") is kept as it is, too.
 */
int mcp_tool_result_make(
    struct json_out *out, enum mcp_era era, const char *raw_json, size_t len);
void mcp_tool_failure_make(
    struct json_out *out, enum mcp_era era, const struct mcp_failure *failure);
void
mcp_call_failure_make(struct json_out *out, const struct mcp_failure *failure);
void mcp_load_failure_make(struct json_out *out, const char *server,
    const struct mcp_failure *failure);

/* Whether a result is "input_required", with something to it. */
bool mcp_result_wants_input(struct json_span result);
