/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <time.h>

#include "ctl/host/table.h"

static const struct ctl_column columns[] = {
	{ "NAME", "name", NULL },
	{ "INNER", "a/b", NULL },
	{ "LAST", "last", NULL },
};

/* The table of a JSON text; the caller frees it. */
static char *
table(const struct ctl_column *wanted, size_t n, const char *json)
{
	struct json_span rows;
	char *text = NULL;
	size_t len;

	assert_int_equal(json_check(json, strlen(json), &rows, NULL), 0);
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	assert_int_equal(ctl_table_print(out, wanted, n, rows), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void
assert_table(const char *json, const char *wanted)
{
	auto_free char *text = table(columns, ARRAY_LEN(columns), json);

	assert_string_equal(text, wanted);
}

static void
columns_are_as_wide_as_their_widest(void **state)
{
	(void)state;
	assert_table("[{\"name\":\"long name\",\"a\":{\"b\":1},\"last\":true},"
		     "{\"name\":\"\xc3\xa9\",\"a\":{\"b\":1e9},\"last\":[]}]",
	    "NAME       INNER  LAST\n"
	    "long name  1      yes\n"
	    "\xc3\xa9          1e9    -\n");
	assert_table("[]", "NAME  INNER  LAST\n");
}

static void
what_is_not_there_is_a_dash(void **state)
{
	(void)state;
	assert_table("[{},{\"name\":null,\"a\":7,\"last\":[\"x\",2]}]",
	    "NAME  INNER  LAST\n"
	    "-     -      -\n"
	    "-     -      x,2\n");
	assert_table("{\"no\":\"array\"}", "NAME  INNER  LAST\n");
}

static void
a_stranger_cannot_leave_his_cell(void **state)
{
	(void)state;
	assert_table("[{\"name\":\"a\\n\\u001b[2J\\tb\",\"a\":{\"b\":"
		     "\"\xe2\x80\xae\"},\"last\":[\"\\r\"]}]",
	    "NAME               INNER   LAST\n"
	    "a\\x0a\\x1b[2J\\x09b  \\u202e  \\x0d\n");
}

static void
a_long_cell_is_cut_between_characters(void **state)
{
	auto_free char *json = calloc(1, 1024);
	char *at = json + sprintf(json, "[{\"name\":\"");

	(void)state;
	assert_non_null(json);
	for (int i = 0; i < 100; i++)
		at += sprintf(at, "\xc3\xa9");
	sprintf(at, "\"}]");
	auto_free char *text = table(columns, 1, json);
	char *line = strchr(text, '\n') + 1;
	assert_int_equal(strlen(line), (size_t)(CTL_CELL_MAX - 3) * 2 + 3 + 1);
	assert_string_equal(line + strlen(line) - 4, "...\n");
}

static void
numbers_have_their_units(void **state)
{
	static const struct ctl_column units[] = {
		{ "B", "b", ctl_cell_bytes },
		{ "US", "us", ctl_cell_us },
		{ "D", "d", ctl_cell_digest },
	};
	auto_free char *text = table(units, ARRAY_LEN(units),
	    "[{\"b\":512,\"us\":7,\"d\":\"0123456789abcdef\"},"
	    "{\"b\":1572864,\"us\":1500000,\"d\":3},"
	    "{\"us\":2500}]");

	(void)state;
	assert_string_equal(text,
	    "B       US     D\n"
	    "512B    7us    0123456789ab\n"
	    "1.5MiB  1.5s   -\n"
	    "-       2.5ms  -\n");
}

static void
times_are_told_from_now(void **state)
{
	static const struct ctl_column times[] = {
		{ "T", "t", ctl_cell_time },
	};
	const long long now = (long long)time(NULL);
	char json[256];

	(void)state;
	snprintf(json, sizeof(json),
	    "[{\"t\":%lld},{\"t\":%lld},{\"t\":%lld},{\"t\":null}]", now - 7300,
	    now - 200000, now + 7300);
	auto_free char *text = table(times, 1, json);
	assert_string_equal(text, "T\n2h ago\n2d ago\nin 2h\n-\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest),
		cmocka_unit_test(what_is_not_there_is_a_dash),
		cmocka_unit_test(a_stranger_cannot_leave_his_cell),
		cmocka_unit_test(a_long_cell_is_cut_between_characters),
		cmocka_unit_test(numbers_have_their_units),
		cmocka_unit_test(times_are_told_from_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
