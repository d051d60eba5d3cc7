/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/result.h"

static void
assert_wraps(enum mcp_era era, const char *result, const char *reply)
{
	struct json_out out;

	json_out_init(&out, 4096);
	assert_int_equal(
	    mcp_tool_result_make(&out, era, result, strlen(result)), 0);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes, reply);
	json_out_fini(&out);
}

static void
wraps_results(void **state)
{
	(void)state;
	assert_wraps(MCP_LEGACY, "\"a\\u0062\"",
	    "{\"content\":[{\"type\":\"text\",\"text\":\"a\\u0062\"}]}");
	assert_wraps(MCP_LEGACY, " [1,\"x\"] ",
	    "{\"content\":[{\"type\":\"text\",\"text\":"
	    "\"[1,\\\"x\\\"]\"}]}");
	assert_wraps(MCP_MODERN, "{\"a\":1}",
	    "{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"{\\\"a\\\":1}\"}],"
	    "\"structuredContent\":{\"a\":1}}");
	assert_wraps(
	    MCP_LEGACY, "{\"content\":[],\"x\":1}", "{\"content\":[],\"x\":1}");
	assert_wraps(MCP_MODERN, "{\"content\":[],\"x\":1}",
	    "{\"resultType\":\"complete\",\"content\":[],\"x\":1}");
	assert_wraps(MCP_MODERN,
	    "{\"content\":[],\"resultType\":\"input_required\"}",
	    "{\"content\":[],\"resultType\":\"input_required\"}");
	assert_wraps(MCP_LEGACY, "{\"content\":7}",
	    "{\"content\":[{\"type\":\"text\",\"text\":"
	    "\"{\\\"content\\\":7}\"}],\"structuredContent\":"
	    "{\"content\":7}}");
}

static void
takes_no_result_that_is_no_json(void **state)
{
	struct json_out out;

	(void)state;
	json_out_init(&out, 4096);
	assert_int_equal(
	    mcp_tool_result_make(&out, MCP_LEGACY, "{\"a\":1}}", 8),
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
	mcp_tool_failure_make(&out, MCP_LEGACY, &failure);
	json_out_raw(&out, "", 1);
#define FAILURE                                                                \
	"{\"code\":\"timeout\",\"limit\":\"cpu\",\"message\":\"no "            \
	"\\\"x\\\"\",\"stack\":\"s\",\"file\":\"f.js\",\"line\":3,"            \
	"\"usage\":{\"cpu_ms\":50.001,\"wall_ms\":0.007,\"peak_kib\":9}}"
	assert_string_equal(out.bytes,
	    "{\"content\":[{\"type\":\"text\",\"text\":\"timeout: no "
	    "\\\"x\\\"\"}],\"isError\":true,\"_meta\":{\"cordon/"
	    "error\":" FAILURE "}}");
	json_out_reset(&out);
	mcp_load_failure_make(&out, "srv", &failure);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes,
	    "{\"code\":-32603,"
	    "\"message\":\"the bundle of server srv cannot be loaded: no "
	    "\\\"x\\\" (f.js:3)\",\"data\":" FAILURE "}");
	json_out_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wraps_results),
		cmocka_unit_test(takes_no_result_that_is_no_json),
		cmocka_unit_test(reports_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
