/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <errno.h>

#include "package/file.h"
#include "package/npm.h"
#include "package/python.h"

static void
keeps_what_says_how_a_registry_is_reached(void **state)
{
	static const char text[] = "; a comment\n"
				   "# another\n"
				   "registry=https://a.example/\r\n"
				   "  @scope:registry = https://b.example/\n"
				   "//b.example/:_authToken=${TOKEN}\n"
				   "//a.example/:_password = \"${A?}${B}\"\n"
				   "cafile=\"/etc/own.pem\"\n"
				   "script-shell=/bin/evil\n"
				   "node-options=--require x\n"
				   "ignore-scripts=false\n"
				   "registry\n"
				   "=\n";
	struct words names = { 0 }, files = { 0 };
	auto_free char *kept = NULL;

	(void)state;
	assert_int_equal(npm_settings_filter(text, &kept, &names, &files), 0);
	assert_string_equal(kept,
	    "registry=https://a.example/\n"
	    "@scope:registry = https://b.example/\n"
	    "//b.example/:_authToken=${TOKEN}\n"
	    "//a.example/:_password = \"${A?}${B}\"\n"
	    "cafile=\"/etc/own.pem\"\n"
	    "registry\n");
	assert_int_equal(names.n, 3);
	assert_string_equal(names.items[0], "TOKEN");
	assert_string_equal(names.items[1], "A");
	assert_string_equal(names.items[2], "B");
	assert_int_equal(files.n, 1);
	assert_string_equal(files.items[0], "/etc/own.pem");
	words_fini(&names);
	words_fini(&files);
}

static void
knows_one_python_name_by_all_its_spellings(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		bool is_one;
	} pairs[] = {
		{ "my_server", "my-server", true },
		{ "My.Server", "my__server", true },
		{ "a-._b", "a-b", true },
		{ "a", "A", true },
		{ "a", "ab", false },
		{ "ab", "a", false },
		{ "a_", "a", false },
		{ "", "a", false },
		{ "my_server", "myserver", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_int_equal(python_name_equals(pairs[i].a,
				     strlen(pairs[i].a), pairs[i].b),
		    pairs[i].is_one);
}

static void
joins_paths_by_their_letters(void **state)
{
	static const struct {
		const char *folder, *path, *joined; /* NULL: refused */
	} joins[] = {
		{ "a/b", "c", "a/b/c" },
		{ "a/b", "./c//d/", "a/b/c/d" },
		{ "a/b", "../c", "a/c" },
		{ "a/b", "../../c", "c" },
		{ "a/b", "../../..", NULL },
		{ "a/b", "../../../a/b/c", NULL },
		{ "a/b", "/c", NULL },
		{ "", "c/../..", NULL },
		{ "", "..a", "..a" },
		{ "abcdefgh", "abcdefgh", NULL },
	};
	char joined[12];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(joins); i++) {
		const int r = file_path_join(
		    joins[i].folder, joins[i].path, joined, sizeof(joined));
		assert_int_equal(r == 0, joins[i].joined != NULL);
		if (r == 0)
			assert_string_equal(joined, joins[i].joined);
	}
}

static void
grows_a_list_that_ends_with_null(void **state)
{
	struct words words = { 0 };

	(void)state;
	char **empty = words_steal(&words);
	assert_non_null(empty);
	assert_null(empty[0]);
	words_free(empty);
	words_add(&words, "%s=%d", "a", 1);
	words_add(&words, "b");
	char **items = words_steal(&words);
	assert_string_equal(items[0], "a=1");
	assert_string_equal(items[1], "b");
	assert_null(items[2]);
	assert_int_equal(words.n, 0);
	words_free(items);
	words_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_says_how_a_registry_is_reached),
		cmocka_unit_test(knows_one_python_name_by_all_its_spellings),
		cmocka_unit_test(joins_paths_by_their_letters),
		cmocka_unit_test(grows_a_list_that_ends_with_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
