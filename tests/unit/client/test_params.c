/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "client/params.h"

#define SCHEMA                                                                 \
	"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\","     \
	"\"x-mcp-header\":\"A\"},\"b\":{\"type\":\"boolean\","                 \
	"\"x-mcp-header\":\"B\"}}}"

static char heard[256];

static void
hear(void *arg, const char *name, const char *value)
{
	const size_t at = strlen(heard);

	(void)arg;
	snprintf(heard + at, sizeof(heard) - at, "%s=%s;", name, value);
}

static struct json_span
span(const char *text)
{
	struct json_span value;

	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
	return value;
}

static void
assert_headers(
    const struct params *params, const char *call, const char *wanted)
{
	heard[0] = '\0';
	params_each(params, span(call), hear, NULL);
	assert_string_equal(heard, wanted);
}

static void
a_call_has_the_headers_of_its_tool(void **state)
{
	struct params params = { 0 };

	(void)state;
	params_learn(&params,
	    span("{\"tools\":[{\"name\":\"n\",\"inputSchema\":{}},"
		 "{\"name\":\"\\u0074\",\"inputSchema\":" SCHEMA "}]}"));
	assert_int_equal(params.n_tools, 1);
	assert_headers(&params,
	    "{\"name\":\"t\",\"arguments\":{\"a\":\"x\",\"b\":true}}",
	    "Mcp-Param-A=x;Mcp-Param-B=true;");
	assert_headers(&params,
	    "{\"name\":\"t\",\"arguments\":{\"a\":\"\\r\\n\"}}",
	    "Mcp-Param-A==?base64?DQo=?=;");
	assert_headers(&params, "{\"name\":\"t\",\"arguments\":{}}", "");
	assert_headers(&params, "{\"name\":\"t\"}", "");
	assert_headers(
	    &params, "{\"name\":\"n\",\"arguments\":{\"a\":\"x\"}}", "");
	params_fini(&params);
}

static void
the_newest_list_holds_and_what_is_none_changes_nothing(void **state)
{
	struct params params = { 0 };

	(void)state;
	params_learn(&params,
	    span("{\"tools\":[{\"name\":\"t\",\"inputSchema\":" SCHEMA "}]}"));
	params_learn(&params, span("{\"tools\":7}"));
	params_learn(&params, span("[]"));
	assert_int_equal(params.n_tools, 1);
	params_learn(&params, span("{\"tools\":[null,{\"name\":1}]}"));
	assert_int_equal(params.n_tools, 0);
	params_fini(&params);
}

static void
no_more_is_kept_than_the_bounds(void **state)
{
	struct params params = { 0 };
	char *list = NULL;
	size_t len;
	FILE *out = open_memstream(&list, &len);

	(void)state;
	assert_non_null(out);
	fputs("{\"tools\":[{}", out);
	for (unsigned i = 0; i < PARAMS_TOOLS_MAX + 10; i++)
		fprintf(
		    out, ",{\"name\":\"t%u\",\"inputSchema\":" SCHEMA "}", i);
	fputs("]}", out);
	assert_int_equal(fclose(out), 0);
	params_learn(&params, span(list));
	assert_int_equal(params.n_tools, PARAMS_TOOLS_MAX);
	free(list);

	out = open_memstream(&list, &len);
	fputs(
	    "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"x-mcp-header\":\"",
	    out);
	for (size_t i = 0; i < PARAMS_BYTES_MAX; i++)
		fputc('x', out);
	fputs("\"}}]}", out);
	assert_int_equal(fclose(out), 0);
	params_learn(&params, span(list));
	assert_int_equal(params.n_tools, 0);
	free(list);
	params_fini(&params);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_has_the_headers_of_its_tool),
		cmocka_unit_test(
		    the_newest_list_holds_and_what_is_none_changes_nothing),
		cmocka_unit_test(no_more_is_kept_than_the_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
