/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#define DIGEST "0123456789abcdef0123456789abcdef"

static int
document(const char *text, struct box_spec *spec, struct policy_memory **memory,
    struct err *err)
{
	*memory = NULL;
	return policy_document_spec(
	    text, strlen(text), "/var/lib/packages", spec, memory, err);
}

static void
a_document_is_a_spec(void **state)
{
	static const char *const text =
	    "{\"command\":[\"node\",\"${package}/x.js\",\"a${package}\"],"
	    "\"cwd\":\"/srv\",\"package\":{\"name\":\"x\",\"version\":\"1\","
	    "\"digest\":\"" DIGEST "\"},"
	    "\"policy\":{\"env\":{\"LIB\":\"${package}/lib\"},"
	    "\"filesystem\":{\"allowRead\":[\"/srv\",\"/srv/x\"],"
	    "\"allowWrite\":[\"/srv/out\"],\"denyWrite\":[\"/srv/out/k\"],"
	    "\"denyRead\":[\"/srv/\\\\[k\\\\]\"]}}}";
	struct policy_memory *memory;
	struct box_spec spec;
	struct err err;

	(void)state;
	if (document(text, &spec, &memory, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(spec.n_argv, 3);
	assert_string_equal(spec.argv[1], "/var/lib/packages/" DIGEST "/x.js");
	assert_string_equal(spec.argv[2], "a${package}");
	assert_string_equal(spec.cwd, "/srv");
	assert_string_equal(spec.home, "/home/user");
	static const struct box_grant grants[] = {
		{ "/srv", "", BOX_ACCESS_READ, 0 },
		{ "/srv/[k]", "", BOX_ACCESS_HIDE, BOX_GRANT_OPTIONAL },
		{ "/srv/out", "", BOX_ACCESS_WRITE, 0 },
		{ "/srv/out/k", "", BOX_ACCESS_READ, BOX_GRANT_OPTIONAL },
		{ "/srv/x", "", BOX_ACCESS_READ, 0 },
		{ "/var/lib/packages/" DIGEST, "", BOX_ACCESS_READ, 0 },
	};
	assert_int_equal(spec.n_grants, ARRAY_LEN(grants));
	for (size_t i = 0; i < ARRAY_LEN(grants); i++) {
		assert_string_equal(spec.grants[i].path, grants[i].path);
		assert_string_equal(spec.grants[i].at, "");
		assert_int_equal(spec.grants[i].access, grants[i].access);
		assert_int_equal(spec.grants[i].flags, grants[i].flags);
	}
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
		"/bin",
		"HOME=/home/user", "USER=user", "LOGNAME=user", "LANG=C.UTF-8",
		"LIB=/var/lib/packages/" DIGEST "/lib"
	};
	assert_int_equal(spec.n_env, ARRAY_LEN(env));
	for (size_t i = 0; i < ARRAY_LEN(env); i++)
		assert_string_equal(spec.env[i], env[i]);
	policy_spec_free(memory);
}

static void
what_would_have_to_be_looked_up_is_refused(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} cases[] = {
		{ "{}", "no \"command\"" },
		{ "{\"command\":[]}", "/command must be" },
		{ "{\"command\":[\"\"]}", "/command must be" },
		{ "{\"command\":[\"x\",1]}", "/command/1 must be a text" },
		{ "{\"command\":[\"x\"],\"command\":[\"y\"]}", "twice" },
		{ "{\"command\":[\"x\"],\"cwd\":\"a\"}", "/cwd must be" },
		{ "{\"command\":[\"x\"],\"polcy\":{}}",
		    "did you mean \"policy\"" },
		{ "{\"command\":[\"x\"],\"policy\":{\"profiles\":[\"node\"]}}",
		    "profiles are written out" },
		{ "{\"command\":[\"x\"],\"policy\":{\"env\":{\"A\":null}}}",
		    "passed on by nobody" },
		{ "{\"command\":[\"x\"],\"policy\":{\"filesystem\":"
		  "{\"allowRead\":[\"~/x\"]}}}",
		    "~/x: must be the whole path" },
		{ "{\"command\":[\"x\"],\"policy\":{\"filesystem\":"
		  "{\"allowWrite\":[\"/a/../b\"]}}}",
		    "must be the whole path" },
		{ "{\"command\":[\"x\"],\"policy\":{\"filesystem\":"
		  "{\"denyRead\":[\"/a/*\"]}}}",
		    "patterns are written out" },
		{ "{\"command\":[\"x\"],\"policy\":{\"filesystem\":"
		  "{\"allowRead\":[\"/\"]}}}",
		    "all files" },
		{ "{\"command\":[\"x\"],\"policy\":{\"bwrapPath\":\"/x\"}}",
		    "/policy/bwrapPath is a setting of srt's" },
		{ "{\"command\":[\"x\"],\"package\":{\"name\":\"x\"}}",
		    "with a \"digest\"" },
		{ "{\"command\":[\"x\"],\"package\":{\"digest\":"
		  "\"../../../../etc/x\"}}",
		    "/package/digest must be" },
		{ "{\"command\":[\"${package}/x\"]}", "no package in it" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy_memory *memory;
		struct box_spec spec;
		struct err err = { "" };

		assert_int_equal(
		    document(cases[i].text, &spec, &memory, &err), -EINVAL);
		if (strstr(err.text, cases[i].said) == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static bool
specs_are_same(const struct box_spec *a, const struct box_spec *b)
{
	if (a->n_grants != b->n_grants)
		return false;
	for (uint32_t i = 0; i < a->n_grants; i++) {
		const struct box_grant *x = &a->grants[i], *y = &b->grants[i];
		const char *at = x->at[0] != '\0' ? x->at : x->path;

		if (strcmp(at, y->path) != 0 || x->access != y->access ||
		    ((x->flags ^ y->flags) & BOX_GRANT_GUARD) != 0)
			return false;
	}
	return true;
}

/* What is added is what was meant where it was added. */
static void
a_policy_that_was_written_out_grants_the_same(void **state)
{
	static const char *const words[] = { "home/project/a.c",
		"home/project/.env", "home/project/.git/hooks/",
		"home/project/[x]", "home/docs/k.pem", "home/both/",
		"link -> home", "home/project/sh/tool", NULL };
	static const char *const text =
	    "{\"profiles\":[\"workspace\"],\"filesystem\":{\"allowRead\":"
	    "[\"~/docs\",\"../../link/work/[x]\",\"~/both\"],"
	    "\"allowWrite\":[\"~/both\"],\"denyWrite\":[\"~/both\","
	    "\"sh/tool\"],\"denyRead\":"
	    "[\"~/**/*.pem\",\"[x]\"]},\"env\":{\"A\":null,\"B\":\"b\"},"
	    "\"limits\":{\"pids\":5}}";
	static const char *const env[] = { "A=a", "TERM=x", NULL };
	static const char *const argv[] = { "tool", NULL };
	struct policy_memory *memory, *again;
	struct policy *policy, *flat;
	struct box_spec spec, flat_spec;
	struct json_out out;
	struct tree tree;
	struct err err;

	(void)state;
	tree_begin(&tree, words);
	const struct policy_place place = { tree_path(&tree, "home"),
		tree_path(&tree, "home/project"),
		tree_path(&tree, "home/project/sh"), env };
	assert_int_equal(policy_new(&policy), 0);
	if (policy_json(policy, text, strlen(text), false, "t", &err) != 0 ||
	    policy_spec(policy, &place, argv, &spec, &memory, &err) != 0 ||
	    policy_flatten(policy, &place, argv, &flat, &err) != 0)
		fail_msg("%s", err.text);
	json_out_init(&out, 65536);
	json_out_text(&out, "{\"command\":[\"tool\"],\"policy\":");
	assert_int_equal(policy_put(flat, &out), 0);
	json_out_text(&out, "}");
	if (policy_document_spec(
		out.bytes, out.len, NULL, &flat_spec, &again, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(spec.n_grants >= 6);
	assert_true(specs_are_same(&spec, &flat_spec));
	assert_int_equal(flat_spec.limits.pids, 5);

	bool has_a = false, has_path = false, has_term = false;
	for (uint32_t i = 0; i < flat_spec.n_env; i++) {
		has_a |= strcmp(flat_spec.env[i], "A=a") == 0;
		has_term |= strncmp(flat_spec.env[i], "TERM=", 5) == 0;
		has_path |= strncmp(flat_spec.env[i], "PATH=/tmp/", 10) == 0;
	}
	assert_true(has_a && has_path && !has_term);
	json_out_fini(&out);
	policy_spec_free(memory);
	policy_spec_free(again);
	policy_free(policy);
	policy_free(flat);
	tree_end(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_a_spec),
		cmocka_unit_test(what_would_have_to_be_looked_up_is_refused),
		cmocka_unit_test(a_policy_that_was_written_out_grants_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
