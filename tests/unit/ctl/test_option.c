/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <stdbool.h>

#include "ctl/ctl.h"
#include "ctl/option.h"

struct values {
	bool flag;
	const char *text;
	uint64_t size, time;
	uint32_t count, milli;
	struct ctl_list list;
};

static char line[256];
static char *words[16];

static int
parse_as(bool starts_command, struct values *values, const char *text, int *n,
    struct err *err)
{
	const struct ctl_option options[] = {
		{ "flag", 'f', CTL_FLAG, offsetof(struct values, flag), NULL,
		    "" },
		{ "text", 't', CTL_TEXT, offsetof(struct values, text), "T",
		    "" },
		{ "size", 0, CTL_SIZE, offsetof(struct values, size), "S", "" },
		{ "time", 0, CTL_DURATION, offsetof(struct values, time), "D",
		    "" },
		{ "count", 0, CTL_COUNT, offsetof(struct values, count), "N",
		    "" },
		{ "milli", 0, CTL_MILLI, offsetof(struct values, milli), "N",
		    "" },
		{ "list", 0, CTL_LIST, offsetof(struct values, list), "L", "" },
	};
	const struct ctl_command command = { "test", "", "", options,
		ARRAY_LEN(options), NULL, 0, 9, NULL, starts_command };
	char *save = NULL;
	int argc = 0;

	snprintf(line, sizeof(line), "test %s", text);
	for (char *word = strtok_r(line, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save))
		words[argc++] = word;
	words[argc] = NULL;
	return ctl_options_parse(&command, values, argc, words, n, err);
}

/* Parses the words of a line; operands are in words[1…]. */
static int
parse(struct values *values, const char *text, int *n, struct err *err)
{
	return parse_as(false, values, text, n, err);
}

static void
reads_each_kind_in_both_spellings(void **state)
{
	struct values values = { 0 };
	int n = -1;

	(void)state;
	assert_int_equal(parse(&values,
			     "--flag --text a --size=64KiB --time 50ms "
			     "--count=3 --milli 1.5 --list x --list=y",
			     &n, NULL),
	    0);
	assert_true(values.flag);
	assert_string_equal(values.text, "a");
	assert_int_equal(values.size, 65536);
	assert_int_equal(values.time, 50000000);
	assert_int_equal(values.count, 3);
	assert_int_equal(values.milli, 1500);
	assert_int_equal(values.list.n_items, 2);
	assert_string_equal(values.list.items[1], "y");
	assert_int_equal(n, 0);
}

static void
keeps_operands_in_order_wherever_they_stand(void **state)
{
	struct values values = { 0 };
	int n = -1;

	(void)state;
	assert_int_equal(
	    parse(&values, "one -f two - -- --three", &n, NULL), 0);
	assert_int_equal(n, 4);
	assert_string_equal(words[1], "one");
	assert_string_equal(words[2], "two");
	assert_string_equal(words[3], "-");
	assert_string_equal(words[4], "--three");
	assert_true(values.flag);
}

static void
leaves_a_command_its_own_options(void **state)
{
	static const char *const lines[] = { "-f sh -f --text -- x",
		"-f -- sh -f --text -- x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct values values = { 0 };
		int n = -1;

		assert_int_equal(
		    parse_as(true, &values, lines[i], &n, NULL), 0);
		assert_int_equal(n, 5);
		assert_string_equal(words[1], "sh");
		assert_string_equal(words[2], "-f");
		assert_string_equal(words[4], "--");
		assert_true(values.flag);
		assert_null(values.text);
	}
}

static void
says_what_is_wrong(void **state)
{
	struct values values = { 0 };
	struct err err;
	int n = -1;

	(void)state;
	assert_int_equal(parse(&values, "--nope", &n, &err), CTL_E_USAGE);
	assert_non_null(strstr(err.text, "--nope"));
	assert_int_equal(parse(&values, "-x", &n, &err), CTL_E_USAGE);
	assert_int_equal(parse(&values, "-ff", &n, &err), CTL_E_USAGE);
	assert_int_equal(parse(&values, "--flag=1", &n, &err), CTL_E_USAGE);
	assert_non_null(strstr(err.text, "takes no value"));
	assert_int_equal(parse(&values, "--text", &n, &err), CTL_E_USAGE);
	assert_int_equal(parse(&values, "--time 50", &n, &err), CTL_E_USAGE);
	assert_non_null(strstr(err.text, "with its unit"));
	assert_int_equal(parse(&values, "--count 0", &n, &err), CTL_E_USAGE);
	assert_int_equal(parse(&values, "--count 1K", &n, &err), CTL_E_USAGE);
	assert_int_equal(parse(&values, "--milli 0", &n, &err), CTL_E_USAGE);
	assert_int_equal(parse(&values, "--milli 1s", &n, &err), CTL_E_USAGE);
	assert_int_equal(parse(&values, "--size -1", &n, &err), CTL_E_USAGE);
	assert_int_equal(n, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_kind_in_both_spellings),
		cmocka_unit_test(keeps_operands_in_order_wherever_they_stand),
		cmocka_unit_test(leaves_a_command_its_own_options),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
