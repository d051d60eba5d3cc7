/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/surface.h"

static struct err err;

static struct json_span
span(const char *text)
{
	return (struct json_span){ text, strlen(text) };
}

static int
admit(const char *text, struct mcp_surface **surfacep)
{
	err = (struct err){ 0 };
	return mcp_surface_admit(text, strlen(text), surfacep, &err);
}

static void
reads_what_a_bundle_declares(void **state)
{
	struct mcp_surface *surface;

	(void)state;
	assert_int_equal(
	    admit("{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		  "\"tools\":[{\"name\":\"b\",\"inputSchema\":{}},{\"name\":"
		  "\"a\",\"inputSchema\":{}}],\"prompts\":[{\"name\":\"p\"}],"
		  "\"resourceTemplates\":[{\"uriTemplate\":\"x:{y}\"}],"
		  "\"completions\":true}",
		&surface),
	    0);
	assert_true(surface->is_declared);
	assert_true(mcp_surface_can(surface, "prompts", "listChanged"));
	assert_true(mcp_surface_can(surface, "resources", "subscribe"));
	assert_true(mcp_surface_can(surface, "completions", NULL));
	assert_string_equal(surface->lists[MCP_TOOLS].items[0].name, "b");
	assert_non_null(mcp_surface_find(surface, MCP_TOOLS, "a"));
	assert_null(mcp_surface_find(surface, MCP_TOOLS, "c"));
	assert_non_null(
	    mcp_surface_find_raw(surface, MCP_PROMPTS, span("\"\\u0070\"")));
	mcp_surface_free(surface);
}

static void
refuses_declarations_as_a_whole(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\"}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		"\"tools\":"
		"[{\"name\":\"a\"}]}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		"\"tools\":"
		"[{\"name\":\"a\",\"inputSchema\":{}},{\"name\":\"a\","
		"\"inputSchema\":{}}]}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		"\"tools\":"
		"[{\"name\":\"a\\nb\",\"inputSchema\":{}}]}",
		"{\"kind\":\"tools\",\"version\":\"1\",\"tools\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct mcp_surface *surface;
		if (admit(bad[i], &surface) != MCP_E_SURFACE)
			fail_msg("took %s", bad[i]);
		assert_non_null(strstr(err.text, "surface is broken"));
	}
}

static struct mcp_surface *
greeted(const char *result, enum mcp_era era)
{
	struct mcp_surface *surface;

	assert_int_equal(mcp_surface_new(&surface), 0);
	assert_int_equal(
	    mcp_surface_info_take(surface, era, span(result), &err), 0);
	return surface;
}

static void
leaves_out_what_is_of_no_use(void **state)
{
	struct mcp_surface *surface =
	    greeted("{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
		    "\"serverInfo\":{\"name\":\"n\",\"version\":\"1\"}}",
		MCP_LEGACY);
	struct json_span next;

	(void)state;
	assert_int_equal(
	    mcp_surface_page_take(surface, MCP_TOOLS,
		span("{\"tools\":[{\"name\":\"a\",\"inputSchema\":{},\"n\":1},"
		     "{\"name\":\"\",\"inputSchema\":{}},7,{\"name\":\"b\","
		     "\"inputSchema\":[]},{\"name\":\"a\",\"inputSchema\":{},"
		     "\"n\":2},{\"name\":\"c\\u0007\",\"inputSchema\":{}},{"
		     "\"name\":\"h\",\"inputSchema\":{\"x-mcp-header\":\"A\"}}"
		     "],\"nextCursor\":\"\\u0041\"}"),
		&next, &err),
	    0);
	assert_int_equal(next.len, 8);
	assert_int_equal(mcp_surface_finish(surface), 0);
	assert_int_equal(surface->lists[MCP_TOOLS].n, 1);
	assert_int_equal(surface->n_dropped, 6);
	const struct mcp_element *a = mcp_surface_find(surface, MCP_TOOLS, "a");
	assert_non_null(memmem(a->json.at, a->json.len, "\"n\":1", 5));
	mcp_surface_free(surface);
}

static void
finds_out_who_a_modern_server_is(void **state)
{
	struct mcp_surface *surface =
	    greeted("{\"capabilities\":{\"tools\":{}},\"_meta\":{"
		    "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"m\","
		    "\"version\":\"2\"}}}",
		MCP_MODERN);

	(void)state;
	assert_int_equal(surface->name.len, 3);
	mcp_surface_free(surface);
	surface = greeted("{\"capabilities\":{}}", MCP_MODERN);
	assert_true(json_string_equals(surface->name, "unknown"));
	mcp_surface_free(surface);
}

static void
tells_lists_apart(void **state)
{
	static const char info[] = "{\"capabilities\":{}}";
	struct mcp_surface *a = greeted(info, MCP_MODERN);
	struct mcp_surface *b = greeted(info, MCP_MODERN);
	struct json_span next;
	struct json_out out;
	struct json_span whole;

	(void)state;
	mcp_surface_page_take(a, MCP_PROMPTS,
	    span("{\"prompts\":[{\"name\":\"p\"}]}"), &next, &err);
	mcp_surface_finish(a);
	mcp_surface_finish(b);
	assert_true(mcp_surface_list_equals(a, b, MCP_TOOLS));
	assert_false(mcp_surface_list_equals(a, b, MCP_PROMPTS));
	json_out_init(&out, 4096);
	mcp_surface_write(a, &out);
	assert_int_equal(json_check(out.bytes, out.len, &whole, NULL), 0);
	json_out_fini(&out);
	mcp_surface_free(a);
	mcp_surface_free(b);
}

static void
reads_back_what_it_wrote(void **state)
{
	struct mcp_surface *a = greeted(
	    "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":"
	    "{\"listChanged\":true}},\"instructions\":\"read me\","
	    "\"serverInfo\":{\"name\":\"n\",\"version\":\"1\"}}",
	    MCP_LEGACY);
	struct mcp_surface *b = NULL;
	struct json_span next;
	struct json_out out, again;

	(void)state;
	mcp_surface_page_take(a, MCP_TOOLS,
	    span("{\"tools\":[{\"name\":\"t\",\"inputSchema\":{}},{\"name\":"
		 "\"s\",\"inputSchema\":{\"big\":12345678901234567890}}]}"),
	    &next, &err);
	mcp_surface_page_take(a, MCP_TEMPLATES,
	    span("{\"resourceTemplates\":[{\"uriTemplate\":\"a:{b}\"}]}"),
	    &next, &err);
	mcp_surface_finish(a);
	json_out_init(&out, 4096);
	json_out_init(&again, 4096);
	mcp_surface_write(a, &out);
	assert_int_equal(mcp_surface_recall(out.bytes, out.len, &b, &err), 0);
	assert_int_equal(b->era, MCP_LEGACY);
	assert_string_equal(b->version, "2025-06-18");
	assert_true(mcp_surface_can(b, "tools", "listChanged"));
	assert_non_null(mcp_surface_find(b, MCP_TOOLS, "s"));
	mcp_surface_write(b, &again);
	assert_int_equal(out.len, again.len);
	assert_memory_equal(out.bytes, again.bytes, out.len);
	json_out_fini(&out);
	json_out_fini(&again);
	mcp_surface_free(a);
	mcp_surface_free(b);
}

static void
recalls_nothing_of_what_is_broken(void **state)
{
	static const char of_no_version[] =
	    "{\"protocolVersion\":\"1999-01-01\",\"capabilities\":{},"
	    "\"tools\":[],\"prompts\":[],\"resources\":[],"
	    "\"resourceTemplates\":[]}";
	static const char without_templates[] =
	    "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
	    "\"tools\":[],\"prompts\":[],\"resources\":[]}";
	static const char *const texts[] = { "", "{}", "[]", "{\"tools\":1",
		of_no_version, without_templates };
	struct mcp_surface *surface = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(mcp_surface_recall(texts[i], strlen(texts[i]),
				     &surface, &err),
		    MCP_E_SURFACE);
		assert_null(surface);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_a_bundle_declares),
		cmocka_unit_test(refuses_declarations_as_a_whole),
		cmocka_unit_test(leaves_out_what_is_of_no_use),
		cmocka_unit_test(finds_out_who_a_modern_server_is),
		cmocka_unit_test(tells_lists_apart),
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(recalls_nothing_of_what_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
