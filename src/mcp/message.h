/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON-RPC 2.0 envelopes as MCP narrows them: ids are strings or integers (1 is
 * not "1") and are kept as the bytes that came; params is an object.
 */

#include <stdint.h>

#include "json/json.h"
#include "json/out.h"

#define MCP_ID_MAX 1024 /* bytes of a raw id */

#define MCP_PARSE_ERROR (-32700)
#define MCP_INVALID_REQUEST (-32600)
#define MCP_METHOD_NOT_FOUND (-32601)
#define MCP_INVALID_PARAMS (-32602)
#define MCP_INTERNAL_ERROR (-32603)
#define MCP_RESOURCE_NOT_FOUND (-32002) /* legacy; since then -32602 */
#define MCP_HEADER_MISMATCH (-32020)
#define MCP_MISSING_CAPABILITY (-32021)
#define MCP_UNSUPPORTED_VERSION (-32022)
#define MCP_REFUSED_BUSY (-32000) /* over a quota, or too many at once */
#define MCP_RESOURCE_NOT_FOUND (-32002) /* legacy; modern: INVALID_PARAMS */

#define MCP_E_REFUSED 1 /* struct mcp_error says why */

enum mcp_kind {
	MCP_REQUEST,
	MCP_NOTIFICATION,
	MCP_RESPONSE,
};

struct mcp_message {
	enum mcp_kind kind;
	struct json_span id; /* raw; empty for a notification */
	struct json_span method; /* raw string; empty for a response */
	struct json_span params; /* an object, or empty */
};

/* An error reply: the HTTP status beside it, the sentence, and the version
 * asked for where that is what is wrong (the data then says what there is). */
struct mcp_error {
	unsigned status;
	int code;
	char message[512];
	char requested[64];
	uint32_t missing; /* MCP_CAN_…, of MISSING_CAPABILITY */
};

/* Fills it; returns MCP_E_REFUSED. */
int mcp_error_set(struct mcp_error *error, unsigned status, int code,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Reads one message (of a batch, or the only one). MCP_E_REFUSED: not one;
 * message->id is then the id to answer with, if one could be read.
 */
int mcp_message_parse(struct json_span raw_value, struct mcp_message *message,
    struct mcp_error *error);

/* Appends an error reply; an empty id is written as null. */
void mcp_error_write(
    struct json_out *out, struct json_span id, const struct mcp_error *error);

/* Appends the error object alone. */
void
mcp_error_object_write(struct json_out *out, const struct mcp_error *error);

/* {"jsonrpc":"2.0","id":…,"result":  and the brace that closes it. */
void mcp_reply_open(struct json_out *out, struct json_span id);
void mcp_reply_close(struct json_out *out);
