/* SPDX-License-Identifier: Apache-2.0
 *
 * Which names of a guarded folder are neither made nor changed, and which
 * folders stay where they are.
 */
#include "base/auto.h"
#include "box/init/guard.h"
#include "test.h"

static const struct box_grant grants[] = {
	{ "/host/srv", "/srv", BOX_ACCESS_WRITE, BOX_GRANT_GUARD },
	{ "/host/later", "/srv/later", BOX_ACCESS_READ, BOX_GRANT_OPTIONAL },
	{ "/host/open", "/srv/open", BOX_ACCESS_WRITE, 0 },
	{ "/srv2", "", BOX_ACCESS_WRITE, 0 },
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
	static const char *const paths[] = { "/srv", "/srv/a", "/srv/a.git",
		"/srv/git", "/srv/src/.eslintrc", "/srv/src/.x/.y", "/srv/head",
		"/srv/Head/index.js", "/srv/HEADER", "/srv/.git/HEAD",
		"/srv/.git/index", "/srv/.git/index.lock",
		"/srv/.git/objects/ab/cdef", "/srv/.git/refs/heads/config",
		"/srv/.git/logs/refs/heads/hooks/x", "/srv/.git/info/exclude",
		"/srv/.hg/store/data", "/srv/sub/.git/ORIG_HEAD",
		"/srv/.git/modules/sub/index", "/srv/.git/modules/sub/HEAD",
		"/srv/node_modules/.bin/x", "/srv/node_modules/x/.vscode/y",
		"/srv/node_modules/x/.husky" };

	(void)state;
	all_are(paths, ARRAY_LEN(paths), false);
}

static void
names_that_others_obey_are_kept(void **state)
{
	static const char *const paths[] = { "/srv/.env", "/srv/.bashrc",
		"/srv/.github/workflows/x.yml", "/srv/.x/y/z", "/srv/.git",
		"/srv/a/b/.git", "/srv/.git/hooks", "/srv/.git/hooks/x",
		"/srv/.git/config", "/srv/.git/config.worktree",
		"/srv/.git/commondir", "/srv/a/.git/hooks/pre-commit",
		"/srv/.git/modules/a/b/hooks/x", "/srv/.git/modules/a/config",
		"/srv/.git/modules/refs/config",
		"/srv/.git/worktrees/w/commondir", "/srv/.git/x/.git",
		"/srv/.hg/hgrc", "/srv/.hg", "/srv/a/.hg/sharedpath",
		"/srv/a/.jj/x", "/srv/a/.husky/_/x", "/srv/a/.vscode",
		"/srv/a/.vscode/tasks.json", "/srv/a/.idea/x",
		"/srv/a/.claude/settings.json", "/srv/a/.mcp.json",
		"/srv/a/.envrc", "/srv/a/HEAD", "/srv/HEAD",
		"/srv/node_modules/x/.git", "/srv/node_modules/x/HEAD" };

	(void)state;
	all_are(paths, ARRAY_LEN(paths), true);
}

static void
names_are_compared_as_folding_disks_do(void **state)
{
	static const char *const paths[] = { "/srv/a/.GIT", "/srv/a/.Git",
		"/srv/a/.git/HOOKS/x", "/srv/a/.git/Config", "/srv/a/.vSCode",
		"/srv/a/GIT~1", "/srv/a/git~1/hooks",
		"/srv/a/.git/hoo\xe2\x84\xaas", /* the sign of kelvin */
		"/srv/a/.v\xc5\xbf\143ode", /* the long s, and a c */
		"/srv/a/.g\xe2\x80\x8cit", /* a joiner that is ignored */
		"/srv/a/.git.", "/srv/a/.git .. " };

	(void)state;
	all_are(paths, ARRAY_LEN(paths), true);
}

static void
a_name_too_long_to_be_one_is_none(void **state)
{
	char path[300] = "/srv/a/.git";
	char *end = path + strlen(path);

	(void)state;
	memset(end, 'x', 200);
	assert_false(box_guard_keeps(&spec, path));
	memset(end, ' ', 200);
	assert_true(box_guard_keeps(&spec, path));
}

static void
other_grants_are_not_guarded(void **state)
{
	static const char *const paths[] = { "/srv2/.git", "/tmp/.git",
		"/srvother/.git", "/srv/open/.git/hooks/x", "/home/u/.bashrc",
		"/dev/null" };

	(void)state;
	all_are(paths, ARRAY_LEN(paths), false);
}

static void
what_was_to_be_read_only_and_is_not_there_is_not_made(void **state)
{
	(void)state;
	assert_true(box_guard_keeps(&spec, "/srv/later"));
	assert_true(box_guard_keeps(&spec, "/srv/later/x"));
	assert_false(box_guard_keeps(&spec, "/srv/later2"));
}

static void
a_folder_moves_only_where_its_names_mean_the_same(void **state)
{
	static const struct {
		const char *from;
		const char *to;
		bool may;
	} moves[] = {
		{ "/srv/a", "/srv/b", true },
		{ "/srv/a", "/srv/b/c/d", true },
		{ "/srv/.git/x", "/srv/.git/y", true },
		{ "/srv/node_modules/.x-1", "/srv/node_modules/x", true },
		{ "/srv/node_modules/x", "/srv/a/node_modules/x", true },
		{ "/srv/node_modules/x", "/srv/x", false },
		{ "/srv/node_modules", "/srv/x", false },
		{ "/srv/.git/x", "/srv/x", false },
		{ "/srv/x", "/srv/.git/x", false },
		{ "/srv/.git/modules", "/srv/.git/m", false },
		{ "/srv/.git/m", "/srv/.git/modules", false },
		{ "/srv/.git/modules/a", "/srv/.git/m", false },
		{ "/srv/.git/modules/a/x", "/srv/.git/modules/a/y", false },
		{ "/srv/open/x", "/srv/x", false },
		{ "/srv/x", "/srv2/x", false },
		{ "/srv2/x", "/srv2/y", true },
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
