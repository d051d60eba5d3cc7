/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "json/json.h"

static int
check(const char *text, size_t len)
{
	struct json_span value;

	return json_check(text, len, &value, NULL);
}

#define CHECK(literal) check(literal, sizeof(literal) - 1)

static void
takes_every_type(void **state)
{
	(void)state;
	assert_int_equal(CHECK("null"), 0);
	assert_int_equal(CHECK(" true "), 0);
	assert_int_equal(CHECK("false\n"), 0);
	assert_int_equal(CHECK("\"\""), 0);
	assert_int_equal(CHECK("{}"), 0);
	assert_int_equal(CHECK("[ ]"), 0);
	assert_int_equal(CHECK("[1,{\"a\":[{}]},\"x\"]"), 0);
	assert_int_equal(CHECK("\t{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }\r\n"), 0);
}

static void
refuses_what_is_no_text(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[", "}", "]", "{]",
		"[}", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{,}", "{1:2}", "{'a':1}", "1 2", "nul", "nulll",
		"truefalse", "True", "NaN", "Infinity", "//x", "[1]]",
		"{\"a\":1}}", "\"", "\"\\\"", "[\"a]", "\xef\xbb\xbf{}",
		"{\"a\":1 \"b\":2}", "\v1", "[1\f]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (check(bad[i], strlen(bad[i])) != JSON_E_SYNTAX)
			fail_msg("took %s", bad[i]);
	assert_int_equal(CHECK("1\0"), JSON_E_SYNTAX);
	assert_int_equal(CHECK("\"a\0b\""), JSON_E_SYNTAX);
	assert_int_equal(CHECK("\"\\\0\""), JSON_E_SYNTAX);
}

static void
knows_numbers(void **state)
{
	static const char *const good[] = { "0", "-0", "1", "-12", "0.5", "1e5",
		"1E+5", "1e-5", "1.25e10", "123456789012345678901234" };
	static const char *const bad[] = { "-", "+1", "01", "-01", "1.", ".5",
		"1e", "1e+", "1.e5", "0x1", "1_000", "--1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (check(good[i], strlen(good[i])) != 0)
			fail_msg("refused %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (check(bad[i], strlen(bad[i])) != JSON_E_SYNTAX)
			fail_msg("took %s", bad[i]);
}

static void
knows_strings(void **state)
{
	static const char *const good[] = {
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", "\"\xc3\xa9\"",
		"\"\xe2\x82\xac\"", "\"\xf0\x9f\x98\x80\"", "\"\x7f\"",
		"\"\\ud83d\\ude00\"", "\"\\ud83d\"",
		"\"eight by eight bytes and then some more\""
	};
	static const char *const bad[] = { "\"\\x\"", "\"\\u12g4\"",
		"\"\\u123\"", "\"\n\"", "\"\t\"", "\"\x1f\"",
		"\"12345678\x01 more than eight\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (check(good[i], strlen(good[i])) != 0)
			fail_msg("refused %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (check(bad[i], strlen(bad[i])) != JSON_E_SYNTAX)
			fail_msg("took %s", bad[i]);
}

static void
refuses_malformed_utf8(void **state)
{
	static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf",
		"\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xe2\x82", "\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\xff", "\xfe", "\xf0\x9f\x98" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(
		    text, sizeof(text), "{\"k\":\"long enough %s\"}", bad[i]);
		if (check(text, strlen(text)) != JSON_E_SYNTAX)
			fail_msg("took case %zu", i);
	}
}

static void
ends_at_the_depth_limit(void **state)
{
	static char text[200000];
	const size_t half = sizeof(text) / 2;

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_int_equal(check(text, 2 * JSON_DEPTH_MAX), 0);
	memset(text, '[', half);
	memset(text + half, ']', half);
	assert_int_equal(check(text, sizeof(text)), JSON_E_DEPTH);
}

static void
tells_objects_from_arrays_at_every_depth(void **state)
{
	char text[1024] = "";

	(void)state;
	for (int i = 0; i < 120; i++)
		strcat(text, i % 3 == 0 ? "{\"a\":" : "[");
	strcat(text, "1");
	for (int i = 119; i >= 0; i--)
		strcat(text, i % 3 == 0 ? "}" : "]");
	assert_int_equal(check(text, strlen(text)), 0);
	*strrchr(text, ']') = '}';
	assert_int_equal(check(text, strlen(text)), JSON_E_SYNTAX);
}

static void
says_where(void **state)
{
	struct json_span value = { 0 };
	size_t offset = 0;

	(void)state;
	assert_int_equal(
	    json_check("{\"a\": nope}", 11, &value, &offset), JSON_E_SYNTAX);
	assert_int_equal(offset, 6);
	assert_null(value.at);
	assert_int_equal(json_check("  [1]  ", 7, &value, NULL), 0);
	assert_int_equal(value.len, 3);
	assert_memory_equal(value.at, "[1]", 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_type),
		cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(knows_numbers),
		cmocka_unit_test(knows_strings),
		cmocka_unit_test(refuses_malformed_utf8),
		cmocka_unit_test(ends_at_the_depth_limit),
		cmocka_unit_test(tells_objects_from_arrays_at_every_depth),
		cmocka_unit_test(says_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
