/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the modern era wants as headers, from the message that says it:
 * MCP-Protocol-Version, Mcp-Method, Mcp-Name (MCP 2026-07-28, Streamable
 * HTTP). A value that cannot stand in a header goes as =?base64?…?=.
 */

#include <stdbool.h>

#include "json/json.h"

#define HEAD_NAME_MAX 4096 /* of a name or URI in a header */

struct head {
	bool is_modern;
	char version[64];
	char method[128];
	char name[HEAD_NAME_MAX * 2]; /* "": the method has none */
};

/* From a checked message. JSON_E_TOO_LONG, JSON_E_TYPE: method, version or
 * name cannot be one. */
int head_take(struct json_span message, struct head *head);

/* The value as it may stand in a header. JSON_E_TOO_LONG. */
int head_value(const char *text, size_t len, char *buffer, size_t size);
