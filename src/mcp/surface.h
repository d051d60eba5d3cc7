/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a bundle declared about itself, read out of the JSON its cell claimed.
 * Members are kept as the bytes that came.
 */

#include "base/err.h"
#include "json/json.h"

#define MCP_TOOLS_MAX 1024
#define MCP_TOOL_NAME_MAX 128

#define MCP_E_SURFACE 1 /* not a surface; err says why */

struct mcp_surface {
	char *text; /* owned; the spans lie in it */
	bool is_fetch; /* a Workers-style bundle: no more is known */
	struct json_span name;
	struct json_span version;
	struct json_span title; /* empty: none */
	struct json_span instructions; /* empty: none */
	struct json_span tools; /* the array */
	char **tool_names; /* owned, sorted, decoded */
	size_t n_tools;
};

/* Copies the text. MCP_E_SURFACE, -ENOMEM. */
int mcp_surface_admit(const char *raw_json, size_t len,
    struct mcp_surface **surfacep, struct err *err);
struct mcp_surface *mcp_surface_free(struct mcp_surface *surface);

/* Whether it has the tool that this JSON string names. */
bool
mcp_surface_has_tool(const struct mcp_surface *surface, struct json_span name);
