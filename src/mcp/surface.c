/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "mcp/surface.h"

enum { KIND, NAME, VERSION, TITLE, INSTRUCTIONS, TOOLS, N_MEMBERS };

struct mcp_surface *
mcp_surface_free(struct mcp_surface *surface)
{
	if (surface == NULL)
		return NULL;
	for (size_t i = 0; i < surface->n_tools; i++)
		free(surface->tool_names[i]);
	free(surface->tool_names);
	free(surface->text);
	free(surface);
	return NULL;
}

static int
compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
bad(struct err *err, const char *what)
{
	return err_set(
	    err, MCP_E_SURFACE, "the bundle's surface is broken: %s", what);
}

static int
tool_name_take(
    struct json_span tool, struct mcp_surface *surface, struct err *err)
{
	struct json_want members[] = { { .name = "name" },
		{ .name = "inputSchema" } };
	char name[MCP_TOOL_NAME_MAX + 1];

	if (json_members_find(tool, members, ARRAY_LEN(members)) != 0)
		return bad(err, "a tool is no object, or names itself twice");
	if (json_string_copy(members[0].value, name, sizeof(name), NULL) != 0 ||
	    name[0] == '\0')
		return bad(err, "a tool's name is no string of 1 to 128 bytes");
	if (json_kind_of(members[1].value) != JSON_KIND_OBJECT)
		return bad(err, "a tool's inputSchema is no object");
	surface->tool_names[surface->n_tools] = strdup(name);
	if (surface->tool_names[surface->n_tools] == NULL)
		return -ENOMEM;
	surface->n_tools++;
	return 0;
}

static int
tools_take(struct mcp_surface *surface, struct err *err)
{
	struct json_span tool;
	struct json_iter iter;

	if (json_kind_of(surface->tools) != JSON_KIND_ARRAY)
		return bad(err, "tools is no array");
	surface->tool_names = calloc(MCP_TOOLS_MAX, sizeof(char *));
	if (surface->tool_names == NULL)
		return -ENOMEM;
	json_iter_init(&iter, surface->tools);
	while (json_iter_element(&iter, &tool)) {
		if (surface->n_tools == MCP_TOOLS_MAX)
			return bad(err, "it has more than 1024 tools");
		const int r = tool_name_take(tool, surface, err);
		if (r != 0)
			return r;
	}
	qsort(surface->tool_names, surface->n_tools, sizeof(char *),
	    compare_names);
	for (size_t i = 1; i < surface->n_tools; i++)
		if (strcmp(surface->tool_names[i - 1],
			surface->tool_names[i]) == 0)
			return bad(err, "two tools have the same name");
	return 0;
}

static bool
is_optional_string(struct json_span value)
{
	const enum json_kind kind = json_kind_of(value);

	return kind == JSON_KIND_NONE || kind == JSON_KIND_STRING;
}

static int
members_take(struct mcp_surface *surface, const struct json_want *members,
    struct err *err)
{
	surface->is_fetch = json_string_equals(members[KIND].value, "fetch");
	if (surface->is_fetch)
		return 0;
	if (!json_string_equals(members[KIND].value, "tools"))
		return bad(err, "its kind is neither tools nor fetch");
	if (json_kind_of(members[NAME].value) != JSON_KIND_STRING ||
	    json_kind_of(members[VERSION].value) != JSON_KIND_STRING)
		return bad(err, "name and version must be strings");
	if (!is_optional_string(members[TITLE].value) ||
	    !is_optional_string(members[INSTRUCTIONS].value))
		return bad(err, "title and instructions must be strings");
	surface->name = members[NAME].value;
	surface->version = members[VERSION].value;
	surface->title = members[TITLE].value;
	surface->instructions = members[INSTRUCTIONS].value;
	surface->tools = members[TOOLS].value;
	return tools_take(surface, err);
}

static int
surface_read(struct mcp_surface *surface, size_t len, struct err *err)
{
	struct json_want members[N_MEMBERS] = {
		[KIND] = { .name = "kind" },
		[NAME] = { .name = "name" },
		[VERSION] = { .name = "version" },
		[TITLE] = { .name = "title" },
		[INSTRUCTIONS] = { .name = "instructions" },
		[TOOLS] = { .name = "tools" },
	};
	struct json_span whole;

	if (json_check(surface->text, len, &whole, NULL) != 0)
		return bad(err, "it is no JSON, or deeper than 256 levels");
	if (json_members_find(whole, members, N_MEMBERS) != 0)
		return bad(err, "it is no object, or a member comes twice");
	return members_take(surface, members, err);
}

int
mcp_surface_admit(const char *raw_json, size_t len,
    struct mcp_surface **surfacep, struct err *err)
{
	struct mcp_surface *surface = calloc(1, sizeof(*surface));

	if (surface == NULL)
		return -ENOMEM;
	surface->text = malloc(len + 1);
	int r = -ENOMEM;
	if (surface->text != NULL) {
		memcpy(surface->text, raw_json, len);
		surface->text[len] = '\0';
		r = surface_read(surface, len, err);
	}
	if (r != 0) {
		mcp_surface_free(surface);
		return r;
	}
	*surfacep = surface;
	return 0;
}

bool
mcp_surface_has_tool(const struct mcp_surface *surface, struct json_span name)
{
	char buffer[MCP_TOOL_NAME_MAX + 1];
	const char *key = buffer;

	if (surface->n_tools == 0 ||
	    json_string_copy(name, buffer, sizeof(buffer), NULL) != 0)
		return false;
	return bsearch(&key, surface->tool_names, surface->n_tools,
		   sizeof(char *), compare_names) != NULL;
}
