/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/units.h"

static void
reads_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "7B", 7 },
		{ "1kB", 1000 },
		{ "1K", 1024 },
		{ "128MiB", 128u << 20 },
		{ "1.5GiB", UINT64_C(3) << 29 },
		{ "0.5KiB", 512 },
		{ "18446744073709551615", UINT64_MAX },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t bytes = 1;
		assert_int_equal(units_size_parse(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void
refuses_what_is_no_size(void **state)
{
	static const char *const bad[] = { "", " 1", "1 MiB", "-1", "+1",
		"1mib", "1.", ".5", "1.MiB", "0x10", "1e3", "1MiBs", "MiB",
		"1,5K" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t bytes = 77;
		assert_int_equal(
		    units_size_parse(bad[i], &bytes), UNITS_E_FORMAT);
		assert_int_equal(bytes, 77);
	}
}

static void
says_when_64_bits_are_too_few(void **state)
{
	uint64_t value = 77;
	(void)state;

	assert_int_equal(
	    units_size_parse("18446744073709551616", &value), UNITS_E_RANGE);
	assert_int_equal(
	    units_size_parse("16777216TiB", &value), UNITS_E_RANGE);
	assert_int_equal(
	    units_duration_parse("9999999999h", &value), UNITS_E_RANGE);
	assert_int_equal(value, 77);
}

static void
reads_durations_only_with_a_unit(void **state)
{
	uint64_t ns = 0;
	(void)state;

	assert_int_equal(units_duration_parse("50ms", &ns), 0);
	assert_int_equal(ns, 50000000);
	assert_int_equal(units_duration_parse("0.25s", &ns), 0);
	assert_int_equal(ns, 250000000);
	assert_int_equal(units_duration_parse("2m", &ns), 0);
	assert_int_equal(ns, UINT64_C(120000000000));
	assert_int_equal(units_duration_parse("50", &ns), UNITS_E_FORMAT);
	assert_int_equal(units_duration_parse("50min", &ns), UNITS_E_FORMAT);
}

static void
writes_what_it_reads(void **state)
{
	static const uint64_t values[] = { 0, 1, 1023, 1536, 128u << 20,
		UINT64_C(5) << 40, 50000000, 30000000000, 90000000000,
		UINT64_MAX };
	char text[UNITS_TEXT_MAX];
	uint64_t value;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		units_size_format(values[i], text);
		assert_int_equal(units_size_parse(text, &value), 0);
		assert_int_equal(value, values[i]);
		units_duration_format(values[i], text);
		assert_int_equal(units_duration_parse(text, &value), 0);
		assert_int_equal(value, values[i]);
	}
	units_size_format(128u << 20, text);
	assert_string_equal(text, "128MiB");
	units_duration_format(50000000, text);
	assert_string_equal(text, "50ms");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(refuses_what_is_no_size),
		cmocka_unit_test(says_when_64_bits_are_too_few),
		cmocka_unit_test(reads_durations_only_with_a_unit),
		cmocka_unit_test(writes_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
