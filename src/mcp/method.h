/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The requests and notifications of clients, and the eras they exist in. */

#include "mcp/version.h"

enum mcp_method {
	MCP_METHOD_UNKNOWN,
	MCP_INITIALIZE,
	MCP_PING,
	MCP_DISCOVER,
	MCP_TOOLS_LIST,
	MCP_TOOLS_CALL,
	MCP_PROMPTS_LIST,
	MCP_PROMPTS_GET,
	MCP_RESOURCES_LIST,
	MCP_TEMPLATES_LIST,
	MCP_RESOURCES_READ,
	MCP_SUBSCRIBE,
	MCP_UNSUBSCRIBE,
	MCP_COMPLETE,
	MCP_SET_LEVEL,
	MCP_LISTEN,
	MCP_TASKS, /* tasks/…: for a server that knows them */
};

/* UNKNOWN also for a method of the other era. */
enum mcp_method mcp_method_find(struct json_span method, enum mcp_era era);

/* Whether a result of it may be input_required. */
bool mcp_method_can_ask(enum mcp_method method);

enum mcp_notice {
	MCP_NOTICE_OTHER,
	MCP_CANCELLED,
	MCP_ROOTS_CHANGED,
};

enum mcp_notice mcp_notice_find(struct json_span method);
