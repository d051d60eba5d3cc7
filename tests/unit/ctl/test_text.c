/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "ctl/text.h"
#include "json/json.h"

/* What a print function wrote; the caller frees. */
static char *
printed(void (*print)(FILE *out, const char *text, size_t len),
    const char *text, size_t len)
{
	char *bytes = NULL;
	size_t size = 0;

	FILE *out = open_memstream(&bytes, &size);
	assert_non_null(out);
	print(out, text, len);
	fclose(out);
	return bytes;
}

static void
text(FILE *out, const char *raw, size_t len)
{
	ctl_text_print(out, raw, len, "> ");
}

static void
no_byte_of_a_stranger_moves_the_cursor(void **state)
{
	static const struct {
		const char *raw, *shown;
	} cases[] = {
		{ "plain äö € 😀", "plain äö € 😀" },
		{ "a\tb", "a\tb" },
		{ "\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m" },
		{ "a\r[error] b", "a\\x0d[error] b" },
		{ "a\n[error] b", "a\n> [error] b" },
		{ "\x7f\b\a", "\\x7f\\x08\\x07" },
		{ "\xc2\x9b"
		  "31m",
		    "\\u009b31m" },
		{ "\xe2\x80\xae"
		  "evil",
		    "\\u202eevil" },
		{ "\xe2\x81\xa6"
		  "x\xe2\x81\xa9",
		    "\\u2066x\\u2069" },
		{ "\xef\xbb\xbf", "\\ufeff" },
		{ "\xf3\xa0\x81\x81", "\\u{e0041}" },
		{ "\xff\xc0\xaf", "\\xff\\xc0\\xaf" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *shown =
		    printed(text, cases[i].raw, strlen(cases[i].raw));
		assert_string_equal(shown, cases[i].shown);
	}

	auto_free char *nul = printed(text, "a\0b", 3);
	assert_string_equal(nul, "a\\x00b");
}

static void
json_is_indented_and_means_the_same(void **state)
{
	static const struct {
		const char *json, *shown;
	} cases[] = {
		{ "1", "1" },
		{ "{}", "{}" },
		{ " { } ", "{}" },
		{ "[ ]", "[]" },
		{ "{\"a\":[1,{\"b\":\"x: {,}\"}],\"c\":null}",
		    "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x: {,}\"\n"
		    "    }\n  ],\n  \"c\": null\n}" },
		{ "\"a\\\"b\\\\\"", "\"a\\\"b\\\\\"" },
		{ "\"\xc2\x9b\x7f\xe2\x80\xae\"", "\"\\u009b\\u007f\\u202e\"" },
		{ "\"\xf3\xa0\x81\x81\"", "\"\\udb40\\udc41\"" },
		{ "123456789012345678901234567890.10e5",
		    "123456789012345678901234567890.10e5" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_span value;
		auto_free char *shown = printed(
		    ctl_json_print, cases[i].json, strlen(cases[i].json));

		assert_string_equal(shown, cases[i].shown);
		assert_int_equal(
		    json_check(shown, strlen(shown), &value, NULL), 0);
	}
}

static void
counts_lines_and_characters_from_one(void **state)
{
	static const char lines[] = "a\nä€b\n";
	unsigned int line, column;

	(void)state;
	ctl_text_position(lines, 0, &line, &column);
	assert_int_equal(line * 100 + column, 101);
	ctl_text_position(lines, 2, &line, &column);
	assert_int_equal(line * 100 + column, 201);
	ctl_text_position(lines, 7, &line, &column);
	assert_int_equal(line * 100 + column, 203);
	ctl_text_position(lines, strlen(lines), &line, &column);
	assert_int_equal(line * 100 + column, 301);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_byte_of_a_stranger_moves_the_cursor),
		cmocka_unit_test(json_is_indented_and_means_the_same),
		cmocka_unit_test(counts_lines_and_characters_from_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
