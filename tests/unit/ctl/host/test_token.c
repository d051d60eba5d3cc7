/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/folder.h"

#include <sodium.h>

#include "ctl/host/token.h"

static void
the_first_start_makes_it_and_the_second_reads_it(void **state)
{
	struct ctl_token first, second;
	struct stat status;
	uint8_t hash[CTL_TOKEN_HASH];

	(void)state;
	assert_int_equal(ctl_token_get(&first, "a/b/token", NULL), 0);
	assert_true(first.is_new);
	assert_int_equal(strncmp(first.text, "cordon_", 7), 0);
	assert_int_equal(strlen(first.text), 7 + 43);
	assert_int_equal(stat("a/b/token", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(stat("a/b", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);

	assert_int_equal(ctl_token_get(&second, "a/b/token", NULL), 0);
	assert_false(second.is_new);
	assert_string_equal(second.text, first.text);
	crypto_hash_sha256(
	    hash, (const unsigned char *)first.text, strlen(first.text));
	crypto_hash_sha256(hash, hash, sizeof(hash));
	assert_memory_equal(second.hash, hash, sizeof(hash));
}

static void
two_are_never_the_same(void **state)
{
	struct ctl_token one, two;

	(void)state;
	assert_int_equal(ctl_token_get(&one, "one", NULL), 0);
	assert_int_equal(ctl_token_get(&two, "two", NULL), 0);
	assert_string_not_equal(one.text, two.text);
}

static void
refuses_a_file_that_others_can_read(void **state)
{
	struct ctl_token token;
	struct err err;

	(void)state;
	assert_int_equal(ctl_token_get(&token, "token", &err), 0);
	assert_int_equal(chmod("token", 0640), 0);
	assert_int_not_equal(ctl_token_get(&token, "token", &err), 0);
	assert_non_null(strstr(err.text, "chmod 600"));
}

static void
refuses_what_is_no_token(void **state)
{
	static const char *const bad[] = { "", "\n", "short\n",
		"twenty letters and spaces\n",
		"cordon_0123456789012345678901234\nsecond line\n" };
	struct ctl_token token;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		file_make("token", bad[i]);
		assert_int_equal(chmod("token", 0600), 0);
		assert_int_not_equal(ctl_token_get(&token, "token", &err), 0);
		assert_non_null(strstr(err.text, "holds no token"));
	}
}

static void
lies_in_the_state_folder(void **state)
{
	struct ctl_token token;
	char expected[PATH_MAX + 32];

	(void)state;
	setenv("HOME", folder, 1);
	unsetenv("XDG_STATE_HOME");
	unsetenv("CORDON_STATE");
	assert_int_equal(ctl_token_get(&token, NULL, NULL), 0);
	snprintf(
	    expected, sizeof(expected), "%s/.local/state/cordon/token", folder);
	assert_string_equal(token.path, expected);

	setenv("XDG_STATE_HOME", folder, 1);
	assert_int_equal(ctl_token_get(&token, NULL, NULL), 0);
	snprintf(expected, sizeof(expected), "%s/cordon/token", folder);
	assert_string_equal(token.path, expected);

	setenv("CORDON_STATE", folder, 1);
	assert_int_equal(ctl_token_get(&token, NULL, NULL), 0);
	snprintf(expected, sizeof(expected), "%s/token", folder);
	assert_string_equal(token.path, expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(the_first_start_makes_it_and_the_second_reads_it),
		folder_test(two_are_never_the_same),
		folder_test(refuses_a_file_that_others_can_read),
		folder_test(refuses_what_is_no_token),
		folder_test(lies_in_the_state_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
