/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/secret.h"

static void
takes_names_of_variables(void **state)
{
	static const char *const good[] = { "A", "_", "GITHUB_TOKEN", "a1_",
		("abcdefghijklmnopqrstuvwxyz0123456789_"
		 "abcdefghijklmnopqrstuvwxyz") };
	static const char *const bad[] = { "", "1A", "A-B", "A B", "A.B",
		"\xc3\x84", "A=",
		("abcdefghijklmnopqrstuvwxyz0123456789_"
		 "abcdefghijklmnopqrstuvwxyz0") };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(secret_name_is_good(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(secret_name_is_good(bad[i]));
}

static void
writes_placeholders(void **state)
{
	char text[SECRET_PLACEHOLDER_MAX];
	(void)state;

	secret_placeholder_put("GITHUB_TOKEN", text);
	assert_string_equal(text, "cordon-secret-GITHUB_TOKEN");
	assert_int_equal(secret_name_span("A_1-b", 5), 3);
	assert_int_equal(secret_name_span("1", 1), 0);
	assert_int_equal(secret_name_span("AB", 1), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_names_of_variables),
		cmocka_unit_test(writes_placeholders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
