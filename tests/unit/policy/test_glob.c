/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/path.h"
#include "tree.h"

static void
one_name_matches(void **state)
{
	static const struct {
		const char *pattern;
		const char *name;
		bool matches;
	} cases[] = {
		{ "*", "", true },
		{ "*", ".env", true },
		{ "*.c", "a.c", true },
		{ "*.c", "a.cc", false },
		{ "a*b*c", "axxbyyc", true },
		{ "a*b*c", "axxbyy", false },
		{ "*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    false },
		{ "?", "\xc3\xa9", true }, /* one character of two bytes */
		{ "??", "\xc3\xa9", false },
		{ "?", "\xff", true }, /* none, of one byte */
		{ "[a-c]x", "bx", true },
		{ "[a-c]x", "dx", false },
		{ "[!a-c]x", "dx", true },
		{ "[^a-c]x", "ax", false },
		{ "[]]", "]", true },
		{ "[!]]", "]", false },
		{ "[a-]", "-", true },
		{ "[\xc3\xa0-\xc3\xaf]", "\xc3\xa9", true },
		{ "[\\]x]", "]", true },
		{ "[abc", "[abc", true },
		{ "\\*", "*", true },
		{ "\\*", "x", false },
		{ "\\[a\\]", "[a]", true },
		{ "\\\\", "\\", true },
		{ "a\\b", "a\\b", true },
		{ "", "", true },
		{ "", "a", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (policy_glob_matches(cases[i].pattern,
			strlen(cases[i].pattern),
			cases[i].name) != cases[i].matches)
			fail_msg(
			    "%s against %s", cases[i].pattern, cases[i].name);
	}
}

static void
an_escaped_path_is_no_pattern_and_comes_back(void **state)
{
	static const char *const paths[] = { "/a/[id].js", "/a\\*", "/\\\\x?",
		"/plain" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		auto_free char *text = policy_glob_escape(paths[i]);

		assert_non_null(text);
		assert_false(policy_glob_is(text));
		policy_glob_unescape(text);
		assert_string_equal(text, paths[i]);
	}
}

static void
a_path_lies_within_a_folder_by_its_parts(void **state)
{
	(void)state;
	assert_true(policy_path_within("/a/b", "/a"));
	assert_true(policy_path_within("/a", "/a"));
	assert_true(policy_path_within("/a", "/"));
	assert_false(policy_path_within("/ab", "/a"));
	assert_false(policy_path_within("/a", "/a/b"));
	assert_true(policy_path_is_normal("/"));
	assert_true(policy_path_is_normal("/a/.b/..c"));
	static const char *const bad[] = { "", "a", "/a/", "//a", "/a//b", "/.",
		"/a/..", "/../a" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(policy_path_is_normal(bad[i]));
}

static size_t
expand(struct tree *tree, const char *pattern, bool is_deny,
    struct policy_words *found)
{
	struct err err;
	char whole[512];

	snprintf(whole, sizeof(whole), "%s/%s", tree->path, pattern);
	*found = (struct policy_words){ 0 };
	if (policy_glob_expand(whole, is_deny, found, &err) != 0)
		fail_msg("%s", err.text);
	return found->n;
}

#define FOUND(tree, pattern, is_deny, n)                                       \
	do {                                                                   \
		struct policy_words found_;                                    \
		assert_int_equal(expand(tree, pattern, is_deny, &found_), n);  \
		policy_words_fini(&found_);                                    \
	} while (0)

static void
a_walk_finds_all_of_it(void **state)
{
	static const char *const words[] = { "a/x/k.pem", "a/y/z/k.pem",
		"k.pem", "a/x/.env", "link -> a", "a/l.pem -> ../k.pem", NULL };
	struct tree tree;

	(void)state;
	tree_begin(&tree, words);
	FOUND(&tree, "**/*.pem", false, 3);
	FOUND(&tree, "**/*.pem", true, 4); /* the symlink too */
	FOUND(&tree, "**/**/k.pem", true, 3);
	FOUND(&tree, "a/**/z/*.pem", true, 1);
	FOUND(&tree, "*/x/*", true, 2);
	FOUND(&tree, "link/*", false, 2); /* named, not matched: followed */
	FOUND(&tree, "l*k/*", true, 0);
	FOUND(&tree, "gone/*", true, 0);
	FOUND(&tree, "a/[xy]", false, 2);
	tree_end(&tree);
}

static void
a_folder_that_cannot_be_listed_is_denied_as_a_whole(void **state)
{
	static const char *const words[] = { "a/closed/k.pem", NULL };
	struct tree tree;

	(void)state;
	tree_begin(&tree, words);
	assert_int_equal(chmod(tree.path, 0755), 0);
	assert_int_equal(chmod(tree_path(&tree, "a/closed"), 0), 0);
	const uid_t uid = geteuid();
	if (uid == 0) /* who lists all */
		assert_int_equal(seteuid(65534), 0);
	FOUND(&tree, "a/**/*.pem", true, 1);
	FOUND(&tree, "a/**/*.pem", false, 0);
	assert_int_equal(seteuid(uid), 0);
	assert_int_equal(chmod(tree_path(&tree, "a/closed"), 0700), 0);
	tree_end(&tree);
}

static void
too_much_is_told_and_not_cut(void **state)
{
	static const char *const words[] = { "deep/", "many/", NULL };
	struct policy_words found = { 0 };
	struct tree tree;
	struct err err;
	char name[256];

	(void)state;
	tree_begin(&tree, words);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		tree_add(&tree, name);
	}
	strcpy(name, "deep");
	for (int i = 0; i < 70; i++)
		strcat(name, "/d");
	strcat(name, "/x");
	tree_add(&tree, name);
	auto_free char *many = policy_path_join(tree.path, "many/*");
	auto_free char *deep = policy_path_join(tree.path, "deep/**/y");
	auto_free char *stars = policy_path_join(tree.path, "a**/y");
	assert_int_equal(policy_glob_expand(many, true, &found, &err), -E2BIG);
	assert_non_null(strstr(err.text, "matches more than 512 files"));
	assert_int_equal(policy_glob_expand(deep, true, &found, &err), -E2BIG);
	assert_int_equal(
	    policy_glob_expand(stars, true, &found, &err), -EINVAL);
	policy_words_fini(&found);
	tree_end(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_name_matches),
		cmocka_unit_test(an_escaped_path_is_no_pattern_and_comes_back),
		cmocka_unit_test(a_path_lies_within_a_folder_by_its_parts),
		cmocka_unit_test(a_walk_finds_all_of_it),
		cmocka_unit_test(
		    a_folder_that_cannot_be_listed_is_denied_as_a_whole),
		cmocka_unit_test(too_much_is_told_and_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
