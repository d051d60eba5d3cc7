/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The headers that a tool's schema asks for (x-mcp-header, MCP 2026-07-28): a
 * client knows them from tools/list. Kept are only schemas that ask for some,
 * within bounds; a tool beyond them is refused by the host, with a sentence.
 */

#include "json/json.h"

#define PARAMS_TOOLS_MAX 256
#define PARAMS_BYTES_MAX (1u << 20) /* of their schemas and names together */

struct params_tool {
	char *name; /* owned; the raw JSON string */
	char *schema; /* owned */
	size_t name_len, schema_len;
};

struct params {
	struct params_tool tools[PARAMS_TOOLS_MAX];
	size_t n_tools;
	size_t n_bytes;
};

void params_fini(struct params *params);

/* From the result of a tools/list, in the place of what was known. */
void params_learn(struct params *params, struct json_span result);

/* A header, both as they go into the request. */
typedef void params_fn(void *arg, const char *name, const char *value);

/* Each header that the params of a tools/call need. */
void params_each(const struct params *params, struct json_span call_params,
    params_fn *header, void *arg);
