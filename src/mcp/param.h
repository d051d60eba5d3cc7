/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Headers that repeat parts of a body (2026-07-28, Streamable HTTP): a tool's
 * inputSchema may say "x-mcp-header": "Name" at a string, integer or boolean
 * property; the argument then stands in the header Mcp-Param-Name too, for
 * middle boxes that read no bodies. Values that are no plain ASCII are
 * "=?base64?…?=".
 */

#include "base/err.h"
#include "json/json.h"
#include "json/out.h"
#include "mcp/message.h"

#define MCP_PARAMS_MAX 32 /* annotations of one tool */
#define MCP_PARAM_NAME_MAX 64
#define MCP_PARAM_DEPTH_MAX 8 /* properties in properties */

#define MCP_E_PARAM 1 /* the annotation is not allowed; err says why */

/*
 * Whether the annotations of a schema are allowed: at properties reached by
 * "properties" alone, names that are header tokens and differ (case does not
 * count), types as above. A tool where they are not is not to be offered.
 */
int mcp_param_schema_check(struct json_span input_schema, struct err *err);

/* The value of a request's header; NULL. */
typedef const char *mcp_header_fn(void *arg, const char *name);

/*
 * Holds a request's headers to its arguments (checked JSON; may be empty).
 * MCP_E_REFUSED: -32020 and HTTP 400.
 */
int mcp_params_admit(struct json_span input_schema, struct json_span arguments,
    mcp_header_fn *header, void *arg, struct mcp_error *error);

/* Appends ,["Mcp-Param-Name","value"] for each argument that is there. */
void mcp_params_write(struct json_span input_schema, struct json_span arguments,
    struct json_out *out);

/* Appends a header's value for this text, as a JSON string. */
void mcp_header_write(struct json_out *out, const char *text, size_t len);
