/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/client.h"
#include "mcp/method.h"

static struct json_span
span(const char *text)
{
	struct json_span value;

	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
	return value;
}

static const struct {
	const char *declared;
	uint32_t can;
	const char *written;
} declarations[] = {
	{ "{}", 0, "{}" },
	{ "7", 0, "{}" },
	{ "{\"elicitation\":null,\"roots\":true}", 0, "{}" },
	{ "{\"elicitation\":{}}", MCP_CAN_ELICIT,
	    "{\"elicitation\":{\"form\":{}}}" },
	{ "{\"elicitation\":{\"url\":{}}}", MCP_CAN_ELICIT_URL,
	    "{\"elicitation\":{\"url\":{}}}" },
	{ "{\"elicitation\":{\"form\":{},\"url\":{}}}",
	    MCP_CAN_ELICIT | MCP_CAN_ELICIT_URL,
	    "{\"elicitation\":{\"form\":{},\"url\":{}}}" },
	{ "{\"sampling\":{}}", MCP_CAN_SAMPLE, "{\"sampling\":{}}" },
	{ "{\"sampling\":{\"tools\":{}},\"roots\":{\"listChanged\":true}}",
	    MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS | MCP_CAN_ROOTS |
		MCP_CAN_ROOTS_CHANGED,
	    "{\"sampling\":{\"tools\":{}},\"roots\":{\"listChanged\":true}}" },
	{ "{\"roots\":{}}", MCP_CAN_ROOTS, "{\"roots\":{}}" },
};

static void
what_a_client_declares_is_read_and_said_again(void **state)
{
	struct json_out out;

	(void)state;
	json_out_init(&out, 1024);
	for (size_t i = 0; i < ARRAY_LEN(declarations); i++) {
		const uint32_t can =
		    mcp_can_read(span(declarations[i].declared));
		assert_int_equal(can, declarations[i].can);
		json_out_reset(&out);
		mcp_can_write(&out, can);
		json_out_raw(&out, "", 1);
		assert_string_equal(out.bytes, declarations[i].written);
		assert_int_equal(mcp_can_read(span(out.bytes)), can);
	}
	json_out_fini(&out);
}

static void
an_ask_needs_what_it_uses(void **state)
{
	(void)state;
	const struct json_span sample = span("\"sampling/createMessage\"");
	const struct json_span elicit = span("\"elicitation/create\"");
	assert_int_equal(mcp_can_needed(sample, span("{}")), MCP_CAN_SAMPLE);
	assert_int_equal(mcp_can_needed(sample, span("{\"tools\":[]}")),
	    MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS);
	assert_int_equal(mcp_can_needed(elicit, span("{}")), MCP_CAN_ELICIT);
	assert_int_equal(mcp_can_needed(elicit, span("{\"mode\":\"url\"}")),
	    MCP_CAN_ELICIT_URL);
	assert_int_equal(
	    mcp_can_needed(span("\"roots/list\""), span("{}")), MCP_CAN_ROOTS);
	assert_int_equal(mcp_can_needed(span("\"ping\""), span("{}")), 0);
	assert_int_equal(mcp_can_needed(span("7"), span("{}")), 0);
}

static void
a_missing_capability_is_named_in_the_error(void **state)
{
	struct mcp_error error;
	struct json_out out;

	(void)state;
	json_out_init(&out, 1024);
	assert_int_equal(
	    mcp_missing_capability(&error, MCP_CAN_SAMPLE), MCP_E_REFUSED);
	assert_int_equal(error.status, 400);
	mcp_error_object_write(&out, &error);
	json_out_raw(&out, "", 1);
	assert_non_null(strstr(out.bytes, "{\"code\":-32021,"));
	assert_non_null(strstr(out.bytes,
	    "\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}}"));
	json_out_fini(&out);
}

static void
levels_are_in_order(void **state)
{
	(void)state;
	assert_int_equal(mcp_level_read(span("\"debug\"")), 0);
	assert_int_equal(mcp_level_read(span("\"emergency\"")), 7);
	assert_true(mcp_level_read(span("\"notice\"")) <
	    mcp_level_read(span("\"warning\"")));
	assert_int_equal(mcp_level_read(span("\"Debug\"")), -1);
	assert_int_equal(mcp_level_read(span("3")), -1);
	assert_int_equal(mcp_level_read(span("\"\"")), -1);
	for (int i = 0; i < 8; i++)
		assert_int_equal(mcp_level_read(mcp_level_text(i)), i);
}

static void
methods_exist_in_their_eras(void **state)
{
	(void)state;
	assert_int_equal(mcp_method_find(span("\"tools\\/call\""), MCP_MODERN),
	    MCP_TOOLS_CALL);
	assert_int_equal(mcp_method_find(span("\"initialize\""), MCP_LEGACY),
	    MCP_INITIALIZE);
	assert_int_equal(mcp_method_find(span("\"initialize\""), MCP_MODERN),
	    MCP_METHOD_UNKNOWN);
	assert_int_equal(
	    mcp_method_find(span("\"server/discover\""), MCP_LEGACY),
	    MCP_METHOD_UNKNOWN);
	assert_int_equal(mcp_method_find(span("\"tools/calls\""), MCP_LEGACY),
	    MCP_METHOD_UNKNOWN);
	assert_true(mcp_method_can_ask(MCP_PROMPTS_GET));
	assert_false(mcp_method_can_ask(MCP_TOOLS_LIST));
	assert_int_equal(mcp_notice_find(span("\"notifications/cancelled\"")),
	    MCP_CANCELLED);
	assert_int_equal(
	    mcp_notice_find(span("\"notifications/what\"")), MCP_NOTICE_OTHER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_client_declares_is_read_and_said_again),
		cmocka_unit_test(an_ask_needs_what_it_uses),
		cmocka_unit_test(a_missing_capability_is_named_in_the_error),
		cmocka_unit_test(levels_are_in_order),
		cmocka_unit_test(methods_exist_in_their_eras),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
