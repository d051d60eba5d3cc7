/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "json/json.h"

static struct json_span
parse(const char *text)
{
	struct json_span value;

	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
	return value;
}

static void
assert_span(struct json_span value, const char *text)
{
	assert_int_equal(value.len, strlen(text));
	assert_memory_equal(value.at, text, value.len);
}

static void
names_types(void **state)
{
	(void)state;
	assert_int_equal(json_kind_of(parse("{}")), JSON_KIND_OBJECT);
	assert_int_equal(json_kind_of(parse("[]")), JSON_KIND_ARRAY);
	assert_int_equal(json_kind_of(parse("\"\"")), JSON_KIND_STRING);
	assert_int_equal(json_kind_of(parse("-1")), JSON_KIND_NUMBER);
	assert_int_equal(json_kind_of(parse("true")), JSON_KIND_BOOL);
	assert_int_equal(json_kind_of(parse("false")), JSON_KIND_BOOL);
	assert_int_equal(json_kind_of(parse("null")), JSON_KIND_NULL);
	assert_int_equal(json_kind_of((struct json_span){ 0 }), JSON_KIND_NONE);
	assert_true(json_value_is_true(parse("true")));
	assert_false(json_value_is_true(parse("null")));
	assert_true(json_value_is_integer(parse("-12")));
	assert_false(json_value_is_integer(parse("1e3")));
	assert_false(json_value_is_integer(parse("\"1\"")));
}

static void
walks_members_and_elements(void **state)
{
	struct json_span key, value;
	struct json_iter iter;

	(void)state;
	assert_int_equal(
	    json_iter_init(&iter,
		parse("{ \"a\" : [1,{\"}\":2}] , \"b\\\"\\\\\":\"x,]\\\\\","
		      "\"\":123456789012345678901234567890 }")),
	    0);
	assert_true(json_iter_member(&iter, &key, &value));
	assert_span(key, "\"a\"");
	assert_span(value, "[1,{\"}\":2}]");
	assert_true(json_iter_member(&iter, &key, &value));
	assert_span(key, "\"b\\\"\\\\\"");
	assert_span(value, "\"x,]\\\\\"");
	assert_true(json_iter_member(&iter, &key, &value));
	assert_span(value, "123456789012345678901234567890");
	assert_false(json_iter_member(&iter, &key, &value));

	assert_int_equal(
	    json_iter_init(&iter, parse("[ true ,[],\"\", 4 ]")), 0);
	assert_true(json_iter_element(&iter, &value));
	assert_span(value, "true");
	assert_true(json_iter_element(&iter, &value));
	assert_span(value, "[]");
	assert_true(json_iter_element(&iter, &value));
	assert_span(value, "\"\"");
	assert_true(json_iter_element(&iter, &value));
	assert_span(value, "4");
	assert_false(json_iter_element(&iter, &value));
	assert_int_equal(json_iter_init(&iter, parse("3")), JSON_E_TYPE);
}

static void
finds_members_by_their_decoded_name(void **state)
{
	struct json_want wants[] = { { .name = "id" }, { .name = "method" },
		{ .name = "absent" } };

	(void)state;
	assert_int_equal(
	    json_members_find(
		parse("{\"x\":{\"id\":9},\"\\u0069d\":1,\"method\":\"m\"}"),
		wants, 3),
	    0);
	assert_span(wants[0].value, "1");
	assert_span(wants[1].value, "\"m\"");
	assert_null(wants[2].value.at);
	assert_int_equal(json_members_find(parse("[]"), wants, 3), JSON_E_TYPE);
	assert_null(wants[0].value.at);
}

static void
refuses_a_wanted_member_twice(void **state)
{
	struct json_want want = { .name = "id" };

	(void)state;
	assert_int_equal(
	    json_members_find(parse("{\"id\":1,\"i\\u0064\":2}"), &want, 1),
	    JSON_E_DUPLICATE);
	assert_int_equal(
	    json_members_find(parse("{\"id\":1,\"x\":2,\"x\":2}"), &want, 1),
	    0);
}

static void
decodes_strings(void **state)
{
	char buffer[64];
	size_t len;

	(void)state;
	assert_int_equal(
	    json_string_copy(
		parse("\"\\\"\\\\\\/"
		      "\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00\""),
		buffer, sizeof(buffer), &len),
	    0);
	assert_string_equal(
	    buffer, "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_int_equal(
	    json_string_copy(parse("\"\\ud83d|\\ude00|\\ud83d\\u0041\""),
		buffer, sizeof(buffer), &len),
	    0);
	assert_string_equal(buffer,
	    "\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd"
	    "A");
	assert_int_equal(json_string_copy(parse("\"a\\u0000b\""), buffer,
			     sizeof(buffer), &len),
	    0);
	assert_int_equal(len, 3);
	assert_int_equal(json_string_copy(parse("\"a\\u0000b\""), buffer,
			     sizeof(buffer), NULL),
	    JSON_E_TYPE);
	assert_int_equal(
	    json_string_copy(parse("1"), buffer, 64, &len), JSON_E_TYPE);
}

static void
keeps_within_the_buffer(void **state)
{
	char buffer[4] = "zzz";
	size_t len;

	(void)state;
	assert_int_equal(
	    json_string_copy(parse("\"abc\""), buffer, 4, &len), 0);
	assert_int_equal(json_string_copy(parse("\"abcd\""), buffer, 4, &len),
	    JSON_E_TOO_LONG);
	assert_int_equal(
	    json_string_copy(parse("\"ab\\u20ac\""), buffer, 4, &len),
	    JSON_E_TOO_LONG);
	assert_int_equal(
	    json_string_copy(parse("\"\""), buffer, 0, &len), JSON_E_TOO_LONG);
}

static void
compares_strings_exactly(void **state)
{
	(void)state;
	assert_true(json_string_equals(parse("\"abc\""), "abc"));
	assert_true(json_string_equals(parse("\"\\u0061bc\""), "abc"));
	assert_false(json_string_equals(parse("\"ab\""), "abc"));
	assert_false(json_string_equals(parse("\"abcd\""), "abc"));
	assert_false(json_string_equals(parse("\"ab\\u0063d\""), "abc"));
	assert_false(json_string_equals(parse("\"abc\\u0000\""), "abc"));
	assert_false(json_string_equals(parse("[\"abc\"]"), "abc"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_types),
		cmocka_unit_test(walks_members_and_elements),
		cmocka_unit_test(finds_members_by_their_decoded_name),
		cmocka_unit_test(refuses_a_wanted_member_twice),
		cmocka_unit_test(decodes_strings),
		cmocka_unit_test(keeps_within_the_buffer),
		cmocka_unit_test(compares_strings_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
