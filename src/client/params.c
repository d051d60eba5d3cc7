/* SPDX-License-Identifier: Apache-2.0 */
#include "client/params.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "mcp/param.h"

#define HEADERS_MAX (MCP_PARAMS_MAX * 16384u)

void
params_fini(struct params *params)
{
	for (size_t i = 0; i < params->n_tools; i++) {
		free(params->tools[i].name);
		free(params->tools[i].schema);
	}
	params->n_tools = params->n_bytes = 0;
}

static void
tool_keep(struct params *params, struct json_span name, struct json_span schema)
{
	static const char word[] = "x-mcp-header";

	if (json_kind_of(name) != JSON_KIND_STRING ||
	    json_kind_of(schema) != JSON_KIND_OBJECT ||
	    memmem(schema.at, schema.len, word, sizeof(word) - 1) == NULL ||
	    params->n_tools == PARAMS_TOOLS_MAX ||
	    name.len + schema.len > PARAMS_BYTES_MAX - params->n_bytes)
		return;
	struct params_tool tool = { strndup(name.at, name.len),
		strndup(schema.at, schema.len), name.len, schema.len };
	if (tool.name == NULL || tool.schema == NULL) {
		free(tool.name);
		free(tool.schema);
		return;
	}
	params->n_bytes += name.len + schema.len;
	params->tools[params->n_tools++] = tool;
}

void
params_learn(struct params *params, struct json_span result)
{
	struct json_want tools = { "tools" };
	struct json_span tool;
	struct json_iter iter;

	if (json_members_find(result, &tools, 1) != 0 ||
	    json_kind_of(tools.value) != JSON_KIND_ARRAY)
		return;
	params_fini(params);
	(void)json_iter_init(&iter, tools.value);
	while (json_iter_element(&iter, &tool)) {
		struct json_want wants[] = { { "name" }, { "inputSchema" } };

		if (json_members_find(tool, wants, ARRAY_LEN(wants)) == 0)
			tool_keep(params, wants[0].value, wants[1].value);
	}
}

static const struct params_tool *
tool_find(const struct params *params, struct json_span name)
{
	char text[1024], other[1024];

	if (json_kind_of(name) != JSON_KIND_STRING ||
	    json_string_copy(name, text, sizeof(text), NULL) != 0)
		return NULL;
	for (size_t i = 0; i < params->n_tools; i++) {
		const struct params_tool *tool = &params->tools[i];
		const struct json_span own = { tool->name, tool->name_len };

		if (json_string_copy(own, other, sizeof(other), NULL) == 0 &&
		    strcmp(text, other) == 0)
			return tool;
	}
	return NULL;
}

/* ,["Name","value"],… is what the schema's reader writes. */
static void
pairs_tell(struct json_out *out, params_fn *header, void *arg)
{
	struct json_span pairs, pair, parts[2];
	struct json_iter iter, inner;
	char name[MCP_PARAM_NAME_MAX + 32];
	auto_free char *value = malloc(out->len + 1);

	json_out_text(out, "]");
	if (value == NULL || json_out_status(out) != 0)
		return;
	out->bytes[0] = '['; /* in the place of the first comma */
	if (json_check(out->bytes, out->len, &pairs, NULL) != 0)
		return;
	(void)json_iter_init(&iter, pairs);
	while (json_iter_element(&iter, &pair)) {
		if (json_iter_init(&inner, pair) == 0 &&
		    json_iter_element(&inner, &parts[0]) &&
		    json_iter_element(&inner, &parts[1]) &&
		    json_string_copy(parts[0], name, sizeof(name), NULL) == 0 &&
		    json_string_copy(parts[1], value, out->len, NULL) == 0)
			header(arg, name, value);
	}
}

void
params_each(const struct params *params, struct json_span call_params,
    params_fn *header, void *arg)
{
	struct json_want wants[] = { { "name" }, { "arguments" } };
	struct json_out out;

	if (json_members_find(call_params, wants, ARRAY_LEN(wants)) != 0)
		return;
	const struct params_tool *tool = tool_find(params, wants[0].value);
	if (tool == NULL || json_kind_of(wants[1].value) != JSON_KIND_OBJECT)
		return;
	json_out_init(&out, HEADERS_MAX);
	mcp_params_write((struct json_span){ tool->schema, tool->schema_len },
	    wants[1].value, &out);
	if (out.len > 0)
		pairs_tell(&out, header, arg);
	json_out_fini(&out);
}
