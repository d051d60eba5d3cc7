/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "json/out.h"

static void
assert_string(const char *raw, size_t len, const char *expected)
{
	struct json_out out;
	struct json_span value;

	json_out_init(&out, 1024);
	json_out_string(&out, raw, len);
	assert_int_equal(json_out_status(&out), 0);
	assert_int_equal(out.len, strlen(expected));
	assert_memory_equal(out.bytes, expected, out.len);
	assert_int_equal(json_check(out.bytes, out.len, &value, NULL), 0);
	json_out_fini(&out);
}

static void
escapes_what_json_and_terminals_obey(void **state)
{
	(void)state;
	assert_string("plain", 5, "\"plain\"");
	assert_string("\"\\\b\f\n\r\t\v\x1b", 9,
	    "\"\\\"\\\\\\b\\f\\n\\r\\t\\u000b\\u001b\"");
	assert_string("a\0b", 3, "\"a\\u0000b\"");
	assert_string("\x7f\xc2\x9b", 3, "\"\\u007f\\u009b\"");
	assert_string(
	    "\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void
makes_utf8_of_hostile_bytes(void **state)
{
	(void)state;
	assert_string("a\xff"
		      "b",
	    3,
	    "\"a\xef\xbf\xbd"
	    "b\"");
	assert_string(
	    "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	assert_string("\xf0\x9f", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void
stops_at_its_limit_and_stays_stopped(void **state)
{
	struct json_out out;

	(void)state;
	json_out_init(&out, 10);
	json_out_text(&out, "0123456789");
	assert_int_equal(json_out_status(&out), 0);
	json_out_text(&out, "x");
	assert_int_equal(json_out_status(&out), JSON_E_TOO_LONG);
	json_out_text(&out, "");
	assert_int_equal(out.len, 10);
	size_t len = 0;
	assert_null(json_out_steal(&out, &len));
	json_out_reset(&out);
	json_out_uint(&out, 42);
	assert_int_equal(json_out_status(&out), 0);
	assert_memory_equal(out.bytes, "42", 2);
	json_out_fini(&out);
}

static void
grows_and_hands_over_its_bytes(void **state)
{
	struct json_out out;
	size_t len = 0;

	(void)state;
	json_out_init(&out, 1 << 20);
	for (int i = 0; i < 100000; i++)
		json_out_text(&out, "abc");
	auto_free char *bytes = json_out_steal(&out, &len);
	assert_non_null(bytes);
	assert_int_equal(len, 300000);
	assert_memory_equal(bytes + len - 3, "abc", 3);
	assert_null(out.bytes);
	json_out_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_what_json_and_terminals_obey),
		cmocka_unit_test(makes_utf8_of_hostile_bytes),
		cmocka_unit_test(stops_at_its_limit_and_stays_stopped),
		cmocka_unit_test(grows_and_hands_over_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
