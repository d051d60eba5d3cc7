/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/serve.h"

static const char surface_text[] =
    "{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\",\"title\":\"T\","
    "\"instructions\":\"i\\u0021\",\"tools\":["
    "{\"name\":\"b\",\"inputSchema\":{},\"big\":12345678901234567890},"
    "{\"name\":\"\\u0061\",\"inputSchema\":{}}]}";

struct fixture {
	struct mcp_surface *surface;
	struct json_out out;
	struct mcp_turn turn;
};

static int
setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	json_out_init(&fixture->out, 1 << 16);
	*state = fixture;
	return mcp_surface_admit(
	    surface_text, sizeof(surface_text) - 1, &fixture->surface, NULL);
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	json_out_fini(&fixture->out);
	mcp_surface_free(fixture->surface);
	free(fixture);
	return 0;
}

/* Serves one request; the reply is a string in out. */
static enum mcp_step
serve(struct fixture *fixture, enum mcp_era era, const char *method,
    const char *params)
{
	static char text[1024];
	struct mcp_message message;
	struct mcp_error error;
	struct json_span value;

	snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}",
	    method, params);
	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
	assert_int_equal(mcp_message_parse(value, &message, &error), 0);
	json_out_reset(&fixture->out);
	const enum mcp_step step = mcp_serve(
	    fixture->surface, &message, era, &fixture->out, &fixture->turn);
	json_out_raw(&fixture->out, "", 1);
	return step;
}

static void
assert_serves(void **state, enum mcp_era era, const char *method,
    const char *params, unsigned status, const char *reply)
{
	struct fixture *fixture = *state;

	assert_int_equal(serve(fixture, era, method, params), MCP_ANSWERED);
	assert_string_equal(fixture->out.bytes, reply);
	assert_int_equal(fixture->turn.status, status);
}

#define OK(result) "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":" result "}"
#define OFFER "\"capabilities\":{\"tools\":{}},\"instructions\":\"i\\u0021\","
#define SERVER "{\"name\":\"n\",\"version\":\"1\",\"title\":\"T\"}"
#define KEEPING                                                                \
	"\"ttlMs\":60000,\"cacheScope\":\"private\",\"_meta\":{"               \
	"\"io.modelcontextprotocol/serverInfo\":" SERVER "},"

static void
negotiates_legacy_versions(void **state)
{
	assert_serves(state, MCP_LEGACY, "initialize",
	    "{\"protocolVersion\":\"2024-11-05\"}", 200,
	    OK("{\"protocolVersion\":\"2024-11-05\"," OFFER
	       "\"serverInfo\":" SERVER "}"));
	assert_serves(state, MCP_LEGACY, "initialize",
	    "{\"protocolVersion\":\"2026-07-28\"}", 200,
	    OK("{\"protocolVersion\":\"2025-11-25\"," OFFER
	       "\"serverInfo\":" SERVER "}"));
	assert_serves(state, MCP_LEGACY, "initialize", "{}", 200,
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32602,"
	    "\"message\":\"Invalid params: initialize needs a "
	    "protocolVersion\"}}");
}

static void
discovers_in_the_modern_era(void **state)
{
	assert_serves(state, MCP_MODERN, "server/discover", "{}", 200,
	    OK("{\"resultType\":\"complete\"," OFFER KEEPING
	       "\"supportedVersions\":[\"2026-07-28\"]}"));
}

static void
lists_tools_byte_for_byte(void **state)
{
#define TOOLS                                                                  \
	"\"tools\":[{\"name\":\"b\",\"inputSchema\":{},"                       \
	"\"big\":12345678901234567890},"                                       \
	"{\"name\":\"\\u0061\",\"inputSchema\":{}}]}"
	assert_serves(
	    state, MCP_LEGACY, "tools/list", "{}", 200, OK("{" TOOLS));
	assert_serves(state, MCP_MODERN, "tools/list", "{}", 200,
	    OK("{\"resultType\":\"complete\"," KEEPING TOOLS));
}

static void
knows_only_its_own_methods_in_each_era(void **state)
{
	assert_serves(state, MCP_LEGACY, "ping", "{}", 200, OK("{}"));
	assert_serves(state, MCP_MODERN, "ping", "{}", 404,
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,"
	    "\"message\":\"Method not found: ping\"}}");
	assert_serves(state, MCP_LEGACY, "server/discover", "{}", 200,
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,"
	    "\"message\":\"Method not found: server/discover\"}}");
}

static void
asks_for_a_call(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(serve(fixture, MCP_LEGACY, "tools/call",
			     "{\"name\":\"a\",\"arguments\":{\"x\":1}}"),
	    MCP_CALL_TOOL);
	assert_memory_equal(fixture->turn.tool.at, "\"a\"", 3);
	assert_memory_equal(fixture->turn.input.at, "{\"x\":1}", 7);
	assert_int_equal(
	    serve(fixture, MCP_LEGACY, "tools/call", "{\"name\":\"\\u0062\"}"),
	    MCP_CALL_TOOL);
	assert_null(fixture->turn.input.at);
}

static void
refuses_calls_of_no_tool(void **state)
{
	static const char *const bad[] = { "{}", "{\"name\":7}",
		"{\"name\":\"c\"}", "{\"name\":\"A\"}", "{\"name\":\"\"}",
		"{\"name\":\"a\",\"name\":\"b\"}",
		"{\"name\":\"a\",\"arguments\":[]}",
		"{\"name\":\"a\\u0000\"}" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(
		    serve(*state, MCP_LEGACY, "tools/call", bad[i]),
		    MCP_ANSWERED);
		assert_non_null(strstr(
		    ((struct fixture *)*state)->out.bytes, "\"code\":-32602"));
	}
}

static void
refuses_broken_surfaces(void **state)
{
	static const char *const bad[] = { "", "[]", "{\"kind\":\"x\"}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\"}",
		"{\"kind\":\"tools\",\"name\":1,\"version\":\"1\","
		"\"tools\":[]}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		"\"tools\":[1]}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		"\"tools\":[{\"name\":\"a\"}]}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		"\"tools\":[{\"name\":\"\",\"inputSchema\":{}}]}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		"\"tools\":[{\"name\":\"a\",\"inputSchema\":{}},"
		"{\"name\":\"\\u0061\",\"inputSchema\":{}}]}",
		"{\"kind\":\"tools\",\"name\":\"n\",\"version\":\"1\","
		"\"tools\":[],\"instructions\":{}}" };
	struct mcp_surface *surface = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (mcp_surface_admit(bad[i], strlen(bad[i]), &surface, &err) !=
		    MCP_E_SURFACE)
			fail_msg("took %s", bad[i]);
	assert_null(surface);
	assert_int_equal(
	    mcp_surface_admit("{\"kind\":\"fetch\"}", 16, &surface, NULL), 0);
	assert_true(surface->is_fetch);
	mcp_surface_free(surface);
}

static void
assert_wraps(enum mcp_era era, const char *result, const char *reply)
{
	struct json_out out;

	json_out_init(&out, 4096);
	assert_int_equal(
	    mcp_tool_result_write(&out, (struct json_span){ "7", 1 }, era,
		result, strlen(result)),
	    0);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes, reply);
	json_out_fini(&out);
}

static void
wraps_results(void **state)
{
	(void)state;
	assert_wraps(MCP_LEGACY, "\"a\\u0062\"",
	    OK("{\"content\":[{\"type\":\"text\",\"text\":\"a\\u0062\"}]}"));
	assert_wraps(MCP_LEGACY, " [1,\"x\"] ",
	    OK("{\"content\":[{\"type\":\"text\",\"text\":"
	       "\"[1,\\\"x\\\"]\"}]}"));
	assert_wraps(MCP_MODERN, "{\"a\":1}",
	    OK("{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\","
	       "\"text\":\"{\\\"a\\\":1}\"}],"
	       "\"structuredContent\":{\"a\":1}}"));
	assert_wraps(MCP_LEGACY, "{\"content\":[],\"x\":1}",
	    OK("{\"content\":[],\"x\":1}"));
	assert_wraps(MCP_MODERN, "{\"content\":[],\"x\":1}",
	    OK("{\"resultType\":\"complete\",\"content\":[],\"x\":1}"));
	assert_wraps(MCP_MODERN,
	    "{\"content\":[],\"resultType\":\"input_required\"}",
	    OK("{\"content\":[],\"resultType\":\"input_required\"}"));
	assert_wraps(MCP_LEGACY, "{\"content\":7}",
	    OK("{\"content\":[{\"type\":\"text\",\"text\":"
	       "\"{\\\"content\\\":7}\"}],\"structuredContent\":"
	       "{\"content\":7}}"));
}

static void
takes_no_result_that_is_no_json(void **state)
{
	struct json_out out;

	(void)state;
	json_out_init(&out, 4096);
	assert_int_equal(
	    mcp_tool_result_write(&out, (struct json_span){ "7", 1 },
		MCP_LEGACY, "{\"a\":1}}", 8),
	    MCP_E_RESULT);
	assert_int_equal(out.len, 0);
	json_out_fini(&out);
}

static void
reports_failures(void **state)
{
	static const char json[] =
	    "{\"message\":\"no \\\"x\\\"\",\"stack\":\"s\",\"file\":\"f.js\","
	    "\"line\":3}";
	const struct mcp_failure failure = { .code = "timeout",
		.limit = "cpu",
		.json = json,
		.json_len = sizeof(json) - 1,
		.cpu_us = 50001,
		.wall_us = 7,
		.peak_kib = 9 };
	struct json_out out;

	(void)state;
	json_out_init(&out, 4096);
	mcp_tool_failure_write(
	    &out, (struct json_span){ "7", 1 }, MCP_LEGACY, &failure);
	json_out_raw(&out, "", 1);
#define FAILURE                                                                \
	"{\"code\":\"timeout\",\"limit\":\"cpu\",\"message\":\"no "            \
	"\\\"x\\\"\",\"stack\":\"s\",\"file\":\"f.js\",\"line\":3,"            \
	"\"usage\":{\"cpu_ms\":50.001,\"wall_ms\":0.007,\"peak_kib\":9}}"
	assert_string_equal(out.bytes,
	    OK("{\"content\":[{\"type\":\"text\",\"text\":\"timeout: no "
	       "\\\"x\\\"\"}],\"isError\":true,\"_meta\":{\"cordon/"
	       "error\":" FAILURE "}}"));
	json_out_reset(&out);
	mcp_load_failure_write(&out, (struct json_span){ 0 }, "srv", &failure);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes,
	    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,"
	    "\"message\":\"the bundle of server srv cannot be loaded: no "
	    "\\\"x\\\" (f.js:3)\",\"data\":" FAILURE "}}");
	json_out_fini(&out);
}

#define TEST(function)                                                         \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(negotiates_legacy_versions),
		TEST(discovers_in_the_modern_era),
		TEST(lists_tools_byte_for_byte),
		TEST(knows_only_its_own_methods_in_each_era),
		TEST(asks_for_a_call),
		TEST(refuses_calls_of_no_tool),
		TEST(refuses_broken_surfaces),
		TEST(wraps_results),
		TEST(takes_no_result_that_is_no_json),
		TEST(reports_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
