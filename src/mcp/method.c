/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/auto.h"
#include "mcp/method.h"

#define LEGACY (1u << MCP_LEGACY)
#define MODERN (1u << MCP_MODERN)

static const struct row {
	const char *name;
	enum mcp_method method;
	unsigned eras;
} rows[] = {
	{ "tools/call", MCP_TOOLS_CALL, LEGACY | MODERN },
	{ "tools/list", MCP_TOOLS_LIST, LEGACY | MODERN },
	{ "prompts/get", MCP_PROMPTS_GET, LEGACY | MODERN },
	{ "prompts/list", MCP_PROMPTS_LIST, LEGACY | MODERN },
	{ "resources/read", MCP_RESOURCES_READ, LEGACY | MODERN },
	{ "resources/list", MCP_RESOURCES_LIST, LEGACY | MODERN },
	{ "resources/templates/list", MCP_TEMPLATES_LIST, LEGACY | MODERN },
	{ "completion/complete", MCP_COMPLETE, LEGACY | MODERN },
	{ "initialize", MCP_INITIALIZE, LEGACY },
	{ "ping", MCP_PING, LEGACY },
	{ "resources/subscribe", MCP_SUBSCRIBE, LEGACY },
	{ "resources/unsubscribe", MCP_UNSUBSCRIBE, LEGACY },
	{ "logging/setLevel", MCP_SET_LEVEL, LEGACY },
	{ "server/discover", MCP_DISCOVER, MODERN },
	{ "subscriptions/listen", MCP_LISTEN, MODERN },
	{ "tasks/get", MCP_TASKS, LEGACY | MODERN },
	{ "tasks/cancel", MCP_TASKS, LEGACY | MODERN },
	{ "tasks/update", MCP_TASKS, MODERN },
	{ "tasks/result", MCP_TASKS, LEGACY },
	{ "tasks/list", MCP_TASKS, LEGACY },
};

enum mcp_method
mcp_method_find(struct json_span method, enum mcp_era era)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].eras & (1u << era)) != 0 &&
		    json_string_equals(method, rows[i].name))
			return rows[i].method;
	return MCP_METHOD_UNKNOWN;
}

bool
mcp_method_can_ask(enum mcp_method method)
{
	return method == MCP_TOOLS_CALL || method == MCP_PROMPTS_GET ||
	    method == MCP_RESOURCES_READ || method == MCP_TASKS;
}

enum mcp_notice
mcp_notice_find(struct json_span method)
{
	if (json_string_equals(method, "notifications/cancelled"))
		return MCP_CANCELLED;
	if (json_string_equals(method, "notifications/roots/list_changed"))
		return MCP_ROOTS_CHANGED;
	return MCP_NOTICE_OTHER;
}
