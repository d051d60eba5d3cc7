/* SPDX-License-Identifier: Apache-2.0
 *
 * Which names of a guarded folder are neither made nor changed, and which
 * folders stay where they are.
 */
#include "base/auto.h"
#include "box/init/guard.h"
#include "test.h"

static const struct box_grant grants[] = {
	{ "/host/work", "/work", BOX_ACCESS_WRITE, BOX_GRANT_GUARD },
	{ "/host/later", "/work/later", BOX_ACCESS_READ, BOX_GRANT_OPTIONAL },
	{ "/host/open", "/work/open", BOX_ACCESS_WRITE, 0 },
	{ "/work2", "", BOX_ACCESS_WRITE, 0 },
};

static const struct box_spec spec = { .grants = grants,
	.n_grants = ARRAY_LEN(grants) };

static void
all_are(const char *const *paths, size_t n, bool is_kept)
{
	for (size_t i = 0; i < n; i++)
		if (box_guard_keeps(&spec, paths[i]) != is_kept)
			fail_msg("%s", paths[i]);
}

static void
ordinary_names_are_free(void **state)
{
	static const char *const paths[] = { "/work", "/work/a", "/work/a.git",
		"/work/git", "/work/src/.eslintrc", "/work/src/.x/.y",
		"/work/head", "/work/Head/index.js", "/work/HEADER",
		"/work/.git/HEAD", "/work/.git/index", "/work/.git/index.lock",
		"/work/.git/objects/ab/cdef", "/work/.git/refs/heads/config",
		"/work/.git/logs/refs/heads/hooks/x", "/work/.git/info/exclude",
		"/work/.hg/store/data", "/work/sub/.git/ORIG_HEAD",
		"/work/.git/modules/sub/index", "/work/.git/modules/sub/HEAD",
		"/work/node_modules/.bin/x", "/work/node_modules/x/.vscode/y",
		"/work/node_modules/x/.husky" };

	(void)state;
	all_are(paths, ARRAY_LEN(paths), false);
}

static void
names_that_others_obey_are_kept(void **state)
{
	static const char *const paths[] = { "/work/.env", "/work/.bashrc",
		"/work/.github/workflows/x.yml", "/work/.x/y/z", "/work/.git",
		"/work/a/b/.git", "/work/.git/hooks", "/work/.git/hooks/x",
		"/work/.git/config", "/work/.git/config.worktree",
		"/work/.git/commondir", "/work/a/.git/hooks/pre-commit",
		"/work/.git/modules/a/b/hooks/x", "/work/.git/modules/a/config",
		"/work/.git/modules/refs/config",
		"/work/.git/worktrees/w/commondir", "/work/.git/x/.git",
		"/work/.hg/hgrc", "/work/.hg", "/work/a/.hg/sharedpath",
		"/work/a/.jj/x", "/work/a/.husky/_/x", "/work/a/.vscode",
		"/work/a/.vscode/tasks.json", "/work/a/.idea/x",
		"/work/a/.claude/settings.json", "/work/a/.mcp.json",
		"/work/a/.envrc", "/work/a/HEAD", "/work/HEAD",
		"/work/node_modules/x/.git", "/work/node_modules/x/HEAD" };

	(void)state;
	all_are(paths, ARRAY_LEN(paths), true);
}

static void
names_are_compared_as_folding_disks_do(void **state)
{
	static const char *const paths[] = { "/work/a/.GIT", "/work/a/.Git",
		"/work/a/.git/HOOKS/x", "/work/a/.git/Config",
		"/work/a/.vSCode", "/work/a/GIT~1", "/work/a/git~1/hooks",
		"/work/a/.git/hoo\xe2\x84\xaas", /* the sign of kelvin */
		"/work/a/.v\xc5\xbf\143ode", /* the long s, and a c */
		"/work/a/.g\xe2\x80\x8cit", /* a joiner that is ignored */
		"/work/a/.git.", "/work/a/.git .. " };

	(void)state;
	all_are(paths, ARRAY_LEN(paths), true);
}

static void
a_name_too_long_to_be_one_is_none(void **state)
{
	char path[300] = "/work/a/.git";

	(void)state;
	memset(path + 12, 'x', 200);
	assert_false(box_guard_keeps(&spec, path));
	memset(path + 12, ' ', 200);
	assert_true(box_guard_keeps(&spec, path));
}

static void
other_grants_are_not_guarded(void **state)
{
	static const char *const paths[] = { "/work2/.git", "/tmp/.git",
		"/workshop/.git", "/work/open/.git/hooks/x", "/home/u/.bashrc",
		"/dev/null" };

	(void)state;
	all_are(paths, ARRAY_LEN(paths), false);
}

static void
what_was_to_be_read_only_and_is_not_there_is_not_made(void **state)
{
	(void)state;
	assert_true(box_guard_keeps(&spec, "/work/later"));
	assert_true(box_guard_keeps(&spec, "/work/later/x"));
	assert_false(box_guard_keeps(&spec, "/work/later2"));
}

static void
a_folder_moves_only_where_its_names_mean_the_same(void **state)
{
	static const struct {
		const char *from;
		const char *to;
		bool may;
	} moves[] = {
		{ "/work/a", "/work/b", true },
		{ "/work/a", "/work/b/c/d", true },
		{ "/work/.git/x", "/work/.git/y", true },
		{ "/work/node_modules/.x-1", "/work/node_modules/x", true },
		{ "/work/node_modules/x", "/work/a/node_modules/x", true },
		{ "/work/node_modules/x", "/work/x", false },
		{ "/work/node_modules", "/work/x", false },
		{ "/work/.git/x", "/work/x", false },
		{ "/work/x", "/work/.git/x", false },
		{ "/work/.git/modules", "/work/.git/m", false },
		{ "/work/.git/m", "/work/.git/modules", false },
		{ "/work/.git/modules/a", "/work/.git/m", false },
		{ "/work/.git/modules/a/x", "/work/.git/modules/a/y", false },
		{ "/work/open/x", "/work/x", false },
		{ "/work/x", "/work2/x", false },
		{ "/work2/x", "/work2/y", true },
		{ "/tmp/x", "/tmp/y", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moves); i++)
		if (box_guard_may_move(&spec, moves[i].from, moves[i].to) !=
		    moves[i].may)
			fail_msg("%s to %s", moves[i].from, moves[i].to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_names_are_free),
		cmocka_unit_test(names_that_others_obey_are_kept),
		cmocka_unit_test(names_are_compared_as_folding_disks_do),
		cmocka_unit_test(a_name_too_long_to_be_one_is_none),
		cmocka_unit_test(other_grants_are_not_guarded),
		cmocka_unit_test(
		    what_was_to_be_read_only_and_is_not_there_is_not_made),
		cmocka_unit_test(
		    a_folder_moves_only_where_its_names_mean_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
