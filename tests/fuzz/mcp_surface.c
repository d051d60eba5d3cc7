/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any JSON as a page of a list, a greeting, a schema, a result and a URI of
 * one server among many: what is written of it is JSON again, and what can be
 * taken apart is what was joined.
 */

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mcp/names.h"
#include "mcp/param.h"
#include "mcp/surface.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

static const char *const methods[] = { "tools/call", "resources/read",
	"prompts/get", "tasks/list", "notifications/resources/updated" };

static void
check_json(struct json_out *out, struct json_span *whole)
{
	CHECK(json_out_status(out) == 0);
	CHECK(json_check(out->bytes, out->len, whole, NULL) == 0);
}

static const char *
no_header(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static void
as_surface(struct json_span value, enum mcp_list list)
{
	struct mcp_surface *surface;
	struct json_span next, whole;
	struct json_out out;

	CHECK(mcp_surface_new(&surface) == 0);
	const int r = mcp_surface_info_take(surface, MCP_MODERN, value, NULL);
	mcp_surface_page_take(surface, list, value, &next, NULL);
	CHECK(mcp_surface_finish(surface) == 0);
	for (size_t i = 0; i < surface->lists[list].n; i++)
		CHECK(mcp_surface_find(
			  surface, list, surface->lists[list].items[i].name) ==
		    &surface->lists[list].items[i]);
	json_out_init(&out, 1 << 22);
	if (r == 0) {
		mcp_surface_write(surface, &out);
		check_json(&out, &whole);
	}
	json_out_fini(&out);
	mcp_surface_free(surface);
}

static void
as_name(struct json_span value)
{
	char server[MCP_SERVER_NAME_MAX], joined[MCP_JOINED_MAX + 1];
	char name[MCP_NAME_MAX + 1];
	struct json_span whole;
	struct json_out out, inner;
	const char *rest;

	if (json_kind_of(value) != JSON_KIND_STRING)
		return;
	json_out_init(&out, 1 << 22);
	json_out_init(&inner, 1 << 22);
	mcp_uri_join(&out, "srv", value);
	check_json(&out, &whole);
	if (!mcp_uri_is_kept(value)) {
		CHECK(mcp_uri_split(whole, server, &inner));
		CHECK(strcmp(server, "srv") == 0);
		check_json(&inner, &whole);
	}
	if (json_string_copy(value, name, sizeof(name), NULL) == 0) {
		mcp_name_join("srv", name, joined);
		CHECK(strlen(joined) <= MCP_JOINED_MAX);
		if (mcp_name_split(joined, server, &rest))
			CHECK(strcmp(server, "srv") == 0 &&
			    strcmp(rest, name) == 0);
	}
	json_out_fini(&out);
	json_out_fini(&inner);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_span value, whole;
	struct mcp_error error;
	struct json_out out;

	if (size < 1 || size > 1 << 15 ||
	    json_check((const char *)data + 1, size - 1, &value, NULL) != 0)
		return 0;
	as_surface(value, (enum mcp_list)(data[0] % MCP_N_LISTS));
	as_name(value);
	json_out_init(&out, 1 << 22);
	json_out_text(&out, "[0");
	mcp_params_write(value, value, &out);
	json_out_text(&out, "]");
	check_json(&out, &whole);
	mcp_param_schema_check(value, NULL);
	mcp_params_admit(value, value, no_header, NULL, &error);
	json_out_reset(&out);
	mcp_result_join(&out, "srv", methods[data[0] % 5], value);
	check_json(&out, &whole);
	json_out_fini(&out);
	return 0;
}
