/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "ctl/explain.h"
#include "json/json.h"

static const struct box_grant grants[] = {
	{ "/home/me/project", "", BOX_ACCESS_WRITE, BOX_GRANT_GUARD },
	{ "/home/me/project/.env", "", BOX_ACCESS_HIDE, BOX_GRANT_OPTIONAL },
	{ "/srv/a\x1b[2J", "/b", BOX_ACCESS_READ, 0 },
};
static const char *const argv[] = { "true", "\x1b[31m", NULL };
static const char *const env[] = { "KEY=hidden-value", NULL };
static const struct box_spec spec = {
	.argv = argv,
	.env = env,
	.grants = grants,
	.n_argv = 2,
	.n_env = 1,
	.n_grants = ARRAY_LEN(grants),
	.notes = BOX_NOTES_FILES,
	.cwd = "/home/me/project",
	.home = "/home/me",
	.limits = BOX_LIMITS_DEFAULT,
};

static void
sees_what_is_granted_at_its_place(void **state)
{
	(void)state;
	assert_true(ctl_box_sees(&spec, "/home/me/project"));
	assert_true(ctl_box_sees(&spec, "/home/me/project/src"));
	assert_true(ctl_box_sees(&spec, "/usr/lib"));
	assert_true(ctl_box_sees(&spec, "/"));
	assert_false(ctl_box_sees(&spec, "/home/me/project/.env"));
	assert_false(ctl_box_sees(&spec, "/home/me/projects"));
	assert_false(ctl_box_sees(&spec, "/home/me"));
	assert_false(ctl_box_sees(&spec, "/srv/a\x1b[2J"));
	assert_false(ctl_box_sees(&spec, "/etc"));
}

/* What one of the two wrote; the caller frees. */
static char *
explained(bool json)
{
	struct policy *policy = NULL;
	char *text = NULL;
	size_t len = 0;
	int r = 0;

	assert_int_equal(policy_new(&policy), 0);
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	if (json)
		r = ctl_explain_json(out, policy, &spec);
	else
		ctl_explain_print(out, policy, &spec);
	fclose(out);
	policy_free(policy);
	assert_int_equal(r, 0);
	return text;
}

static void
shows_names_but_no_values_and_moves_no_cursor(void **state)
{
	(void)state;
	for (int json = 0; json < 2; json++) {
		auto_free char *text = explained(json != 0);

		assert_null(strchr(text, '\x1b'));
		assert_null(strstr(text, "hidden-value"));
		assert_non_null(strstr(text, "KEY"));
		assert_non_null(strstr(text, "/home/me/project/.env"));
	}
}

static void
is_json_where_it_says_so(void **state)
{
	struct json_span value;

	(void)state;
	auto_free char *text = explained(true);
	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_what_is_granted_at_its_place),
		cmocka_unit_test(shows_names_but_no_values_and_moves_no_cursor),
		cmocka_unit_test(is_json_where_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
