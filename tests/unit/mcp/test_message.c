/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/message.h"

static int
parse(const char *text, struct mcp_message *message, struct mcp_error *error)
{
	struct json_span value;

	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
	return mcp_message_parse(value, message, error);
}

static void
assert_span(struct json_span value, const char *text)
{
	assert_int_equal(value.len, strlen(text));
	assert_memory_equal(value.at, text, value.len);
}

static void
tells_the_three_kinds_apart(void **state)
{
	struct mcp_message message;
	struct mcp_error error;

	(void)state;
	assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\","
			       "\"params\":{\"a\":1}}",
			     &message, &error),
	    0);
	assert_int_equal(message.kind, MCP_REQUEST);
	assert_span(message.params, "{\"a\":1}");
	assert_int_equal(
	    parse("{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", &message, &error),
	    0);
	assert_int_equal(message.kind, MCP_NOTIFICATION);
	assert_null(message.params.at);
	assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
			     &message, &error),
	    0);
	assert_int_equal(message.kind, MCP_RESPONSE);
	assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}",
			     &message, &error),
	    0);
	assert_int_equal(message.kind, MCP_RESPONSE);
}

static void
keeps_ids_as_they_came(void **state)
{
	static const char *const ids[] = { "1", "-7", "\"1\"", "\"\\u0031\\n\"",
		"123456789012345678901234567890", "\"\"" };
	struct mcp_message message;
	struct mcp_error error;
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		snprintf(text, sizeof(text),
		    "{\"method\":\"m\",\"id\": %s ,\"jsonrpc\":\"2.0\"}",
		    ids[i]);
		assert_int_equal(parse(text, &message, &error), 0);
		assert_span(message.id, ids[i]);
	}
}

static void
refuses_other_shapes(void **state)
{
	static const char *const bad[] = { "1", "\"x\"", "[]", "{}",
		"{\"id\":1,\"method\":\"m\"}",
		"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}",
		"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"m\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"m\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1e3,\"method\":\"m\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"m\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"m\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",
		"{\"jsonrpc\":\"2.0\",\"id\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"result\":1}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"m\"}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"m\\u0065thod\":1}" };
	struct mcp_message message;
	struct mcp_error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (parse(bad[i], &message, &error) != MCP_E_REFUSED)
			fail_msg("took %s", bad[i]);
		assert_int_equal(error.code, MCP_INVALID_REQUEST);
		assert_int_equal(error.status, 400);
	}
	assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\","
			       "\"params\":[1]}",
			     &message, &error),
	    MCP_E_REFUSED);
	assert_int_equal(error.code, MCP_INVALID_PARAMS);
	assert_span(message.id, "1");
}

static void
refuses_ids_without_end(void **state)
{
	static char text[4096];
	struct mcp_message message;
	struct mcp_error error;

	(void)state;
	const int n = snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"%0*d\"}",
	    MCP_ID_MAX, 0);
	assert_true(n < (int)sizeof(text));
	assert_int_equal(parse(text, &message, &error), MCP_E_REFUSED);
	assert_null(message.id.at);
}

static void
writes_errors(void **state)
{
	struct mcp_error error;
	struct json_out out;

	(void)state;
	json_out_init(&out, 4096);
	mcp_error_set(&error, 400, MCP_INVALID_REQUEST, "a \"%s\"\n", "b");
	mcp_error_write(&out, (struct json_span){ 0 }, &error);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes,
	    "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
	    "\"message\":\"a \\\"b\\\"\\n\"}}");
	json_out_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_three_kinds_apart),
		cmocka_unit_test(keeps_ids_as_they_came),
		cmocka_unit_test(refuses_other_shapes),
		cmocka_unit_test(refuses_ids_without_end),
		cmocka_unit_test(writes_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
