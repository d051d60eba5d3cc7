/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "mcp/param.h"

#define STRING(name) "{\"type\":\"string\",\"x-mcp-header\":\"" name "\"}"

static struct json_span
span(const char *text)
{
	return (struct json_span){ text, strlen(text) };
}

static int
check(const char *schema)
{
	struct err err = { 0 };

	return mcp_param_schema_check(span(schema), &err);
}

static void
takes_annotations_at_properties(void **state)
{
	(void)state;
	assert_int_equal(check("{}"), 0);
	assert_int_equal(
	    check("{\"properties\":{\"a\":" STRING(
		"A") ",\"b\":{"
		     "\"type\":\"object\",\"properties\":{\"c\":" STRING(
			 "C-d") "}"
				"},\"n\":{\"type\":\"integer\",\"x-mcp-"
				"header\":\"N\"}}}"),
	    0);
}

static void
refuses_annotations_elsewhere(void **state)
{
	static const char *const bad[] = {
		STRING("A"),
		"{\"items\":" STRING("A") "}",
		"{\"properties\":{\"a\":{\"items\":" STRING("A") "}}}",
		"{\"$defs\":{\"a\":" STRING("A") "}}",
		"{\"anyOf\":[" STRING("A") "]}",
		"{\"properties\":{\"a\":" STRING("A") ",\"b\":" STRING(
		    "a") "}}",
		"{\"properties\":{\"a\":" STRING("") "}}",
		"{\"properties\":{\"a\":" STRING("A b") "}}",
		"{\"properties\":{\"a\":" STRING("A\\r\\nB") "}}",
		"{\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":"
		"\"A\"}}}",
		"{\"properties\":{\"a\":{\"x-mcp-header\":\"A\"}}}",
		"{\"properties\":[" STRING("A") "]}",
		"{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":"
		"7}}}",
		"{\"properties\":{\"a\":{\"type\":\"string\","
		"\"x\\u002dmcp-header\":\"A b\"}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (check(bad[i]) != MCP_E_PARAM)
			fail_msg("took %s", bad[i]);
}

static void
is_linear_in_deep_schemas(void **state)
{
	static char text[32768];
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		n += (size_t)sprintf(text + n, "{\"not\":");
	n += (size_t)sprintf(text + n, STRING("A"));
	for (int i = 0; i < 200; i++)
		n += (size_t)sprintf(text + n, "}");
	assert_int_equal(check(text), MCP_E_PARAM);
}

static const char schema[] = "{\"properties\":{\"s\":" STRING(
    "S") ",\"n\":{\"type\":\"integer\","
	 "\"x-mcp-header\":\"N\"},\"b\":{\"type\":\"boolean\",\"x-mcp-header\":"
	 "\"B\"},\"o\":{\"properties\":{\"i\":" STRING("I") "}}}}";

struct headers {
	const char *s, *n, *b, *i;
};

static const char *
header(void *arg, const char *name)
{
	const struct headers *headers = arg;

	assert_int_equal(strncmp(name, "Mcp-Param-", 10), 0);
	switch (name[10]) {
	case 'S':
		return headers->s;
	case 'N':
		return headers->n;
	case 'B':
		return headers->b;
	default:
		return headers->i;
	}
}

static int
admit(const char *arguments, struct headers headers)
{
	struct mcp_error error = { 0 };

	const int r = mcp_params_admit(
	    span(schema), span(arguments), header, &headers, &error);
	if (r != 0) {
		assert_int_equal(error.status, 400);
		assert_int_equal(error.code, MCP_HEADER_MISMATCH);
	}
	return r;
}

static void
holds_headers_to_arguments(void **state)
{
	(void)state;
	assert_int_equal(admit("{}", (struct headers){ 0 }), 0);
	assert_int_equal(admit("{\"s\":null}", (struct headers){ 0 }), 0);
	assert_int_equal(
	    admit("{\"s\":\"x\",\"n\":42,\"b\":true,\"o\":{\"i\":\"\\u00e9\"}}",
		(struct headers){ "x", "42.0", "true", "=?base64?w6k=?=" }),
	    0);
	assert_int_equal(
	    admit("{\"s\":\"x\"}", (struct headers){ 0 }), MCP_E_REFUSED);
	assert_int_equal(
	    admit("{\"s\":\"x\"}", (struct headers){ "y" }), MCP_E_REFUSED);
	assert_int_equal(admit("{\"n\":42}", (struct headers){ .n = "0x2a" }),
	    MCP_E_REFUSED);
	/* Beyond what a double can tell apart. */
	assert_int_equal(admit("{\"n\":9007199254740993}",
			     (struct headers){ .n = "9007199254740992" }),
	    MCP_E_REFUSED);
	assert_int_equal(admit("{\"n\":9007199254740993}",
			     (struct headers){ .n = "9007199254740993" }),
	    0);
	assert_int_equal(admit("{\"b\":true}", (struct headers){ .b = "True" }),
	    MCP_E_REFUSED);
	assert_int_equal(
	    admit("{\"s\":\"x\"}", (struct headers){ "=?base64?eA?=" }),
	    MCP_E_REFUSED);
}

static void
writes_headers_that_it_takes(void **state)
{
	struct json_out out;

	(void)state;
	json_out_init(&out, 4096);
	mcp_params_write(span(schema),
	    span("{\"s\":\" x\",\"n\":-1,\"b\":false,\"o\":{\"i\":[]}}"), &out);
	json_out_raw(&out, "", 1);
	assert_string_equal(out.bytes,
	    ",[\"Mcp-Param-S\",\"=?base64?IHg=?=\"],[\"Mcp-Param-N\",\"-1\"],"
	    "[\"Mcp-Param-B\",\"false\"]");
	json_out_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_annotations_at_properties),
		cmocka_unit_test(refuses_annotations_elsewhere),
		cmocka_unit_test(is_linear_in_deep_schemas),
		cmocka_unit_test(holds_headers_to_arguments),
		cmocka_unit_test(writes_headers_that_it_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
