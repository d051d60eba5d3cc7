/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

static const char *const program[] = { "/bin/true", NULL };

/* A policy of JSON on a tree whose "home" and "home/project" are whose they say. */
struct made {
	struct policy *policy;
	struct policy_memory *memory;
	struct box_spec spec;
	struct err err;
	int result;
};

static struct made
make_as(struct tree *tree, const char *json, bool is_srt,
    const char *const *argv, const char *path, const char *const *env)
{
	struct made made = { .result = 0 };
	const struct policy_place place = { tree_path(tree, "home"),
		tree_path(tree, "home/project"), path, env };

	assert_int_equal(policy_new(&made.policy), 0);
	made.result = policy_json(
	    made.policy, json, strlen(json), is_srt, "test", &made.err);
	if (made.result == 0)
		made.result = policy_spec(made.policy, &place, argv, &made.spec,
		    &made.memory, &made.err);
	return made;
}

static struct made
make(struct tree *tree, const char *json)
{
	struct made made =
	    make_as(tree, json, false, program, "/usr/bin:/bin", NULL);

	if (made.result != 0)
		fail_msg("%s", made.err.text);
	return made;
}

static void
made_end(struct made *made)
{
	policy_spec_free(made->memory);
	policy_free(made->policy);
}

/* The grants as text, without the tree's own path: "R home/project" a line; "H",
 * "R", "W"; "?" optional, "G" guarded, "@" where it is seen. */
static void
grants_text(struct tree *tree, const struct made *made, char text[4096])
{
	const size_t skip = strlen(tree->path) + 1;
	size_t end = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < made->spec.n_grants; i++) {
		const struct box_grant *grant = &made->spec.grants[i];
		const bool is_ours =
		    strncmp(grant->path, tree->path, skip - 1) == 0;

		end += (size_t)snprintf(text + end, 4096 - end,
		    "%c%s%s %s%s%s\n", "HRW"[grant->access],
		    (grant->flags & BOX_GRANT_OPTIONAL) != 0 ? "?" : "",
		    (grant->flags & BOX_GRANT_GUARD) != 0 ? "G" : "",
		    grant->path + (is_ours ? skip : 0),
		    grant->at[0] != '\0' ? "@" : "",
		    grant->at[0] != '\0' ? grant->at + skip : "");
	}
}

static const char *const names[] = { "home/project/src/a.c",
	"home/project/src/.env", "home/project/lib/deep/.env",
	"home/project/.bashrc", "home/project/.git/hooks/",
	"home/project/.git/config", "home/.ssh/id", "home/project/secret/key",
	"home/project/secret/pub/", "data/x/y", "data/x/[id].js",
	"link -> data", "home/project/to-ssh -> ../.ssh",
	"home/project/out -> ../../data/x", NULL };

#define GRANTS(tree, json, wanted)                                             \
	do {                                                                   \
		struct made made_ = make(tree, json);                          \
		char text_[4096];                                              \
		grants_text(tree, &made_, text_);                              \
		made_end(&made_);                                              \
		assert_string_equal(text_, wanted);                            \
	} while (0)

static void
nothing_is_granted_by_nothing(void **state)
{
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	GRANTS(&tree, "{}", "");
	GRANTS(&tree, "{\"filesystem\":{\"allowRead\":[\"/usr/share\"]}}", "");
	tree_end(&tree);
}

static void
words_become_paths(void **state)
{
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	GRANTS(&tree,
	    "{\"filesystem\":{\"allowRead\":[\".\",\"~/.ssh/id\"],"
	    "\"allowWrite\":[\"./src//../lib/\"]}}",
	    "R home/.ssh/id\nR home/project\nW home/project/lib\n");
	tree_end(&tree);
}

static void
dots_behind_a_symlink_go_where_it_leads(void **state)
{
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	GRANTS(&tree, "{\"filesystem\":{\"allowRead\":[\"out/../x/y\"]}}",
	    "R data/x/y\n");
	tree_end(&tree);
}

static void
a_deny_beats_an_allow_and_a_deeper_path_an_upper(void **state)
{
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	GRANTS(&tree,
	    "{\"filesystem\":{\"allowWrite\":[\".\",\"secret/pub\"],"
	    "\"denyRead\":[\"secret\",\"src\"],\"allowRead\":[\"src\"],"
	    "\"denyWrite\":[\"lib\"]}}",
	    "W home/project\nR? home/project/lib\nH? home/project/secret\n"
	    "W home/project/secret/pub\nH? home/project/src\n");
	tree_end(&tree);
}

static void
a_deny_grants_nothing(void **state)
{
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	GRANTS(&tree,
	    "{\"filesystem\":{\"denyWrite\":[\"src\",\"/\"],"
	    "\"denyRead\":[\"~\",\"/\",\"~/.ssh\"],\"allowRead\":[\"lib\"]}}",
	    "R home/project/lib\n");
	tree_end(&tree);
}

static void
a_deny_holds_under_every_name_of_its_file(void **state)
{
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	/* Denied by a symlink's name; the file is what is hidden. */
	GRANTS(&tree,
	    "{\"filesystem\":{\"allowWrite\":[\"~\"],"
	    "\"denyRead\":[\"to-ssh\"]}}",
	    "W home\nH? home/.ssh\n");
	/* Granted by a name over a symlink, which the box does not show: both
	 * names are there, and the deny is on both. */
	char json[512];
	snprintf(json, sizeof(json),
	    "{\"filesystem\":{\"allowWrite\":[\"%s/link/x\"],"
	    "\"denyRead\":[\"%s/data/x/y\"]}}",
	    tree.path, tree.path);
	GRANTS(&tree, json,
	    "W data/x\nH? data/x/y\nW data/x@link/x\nH? data/x/y@link/x/y\n");
	/* A symlink that the box shows leads there by itself. */
	GRANTS(&tree, "{\"filesystem\":{\"allowRead\":[\".\",\"out\"]}}",
	    "R data/x\nR home/project\n");
	tree_end(&tree);
}

static void
patterns_are_what_is_there(void **state)
{
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	GRANTS(&tree,
	    "{\"filesystem\":{\"allowRead\":[\"src/**\"],"
	    "\"allowWrite\":[\".\"],\"denyRead\":[\"**/.env\"]}}",
	    "W home/project\nH? home/project/lib/deep/.env\nR "
	    "home/project/src\n"
	    "H? home/project/src/.env\n");
	/* Never through a symlink; one that matches a deny is denied. */
	GRANTS(&tree,
	    "{\"filesystem\":{\"allowRead\":[\"*/y\",\"o?t\"],"
	    "\"allowWrite\":[\"~\"],\"denyRead\":[\"to-*\"]}}",
	    "W home\nH? home/.ssh\n");
	/* A file that is called like a pattern. */
	char json[512];
	snprintf(json, sizeof(json),
	    "{\"filesystem\":{\"allowRead\":[\"%s/data/x/[id].js\","
	    "\"%s/data/\\\\*\"]}}",
	    tree.path, tree.path);
	GRANTS(&tree, json, "R data/*\nR data/x/[id].js\n");
	tree_end(&tree);
}

static void
the_root_is_never_granted(void **state)
{
	static const char *const texts[] = {
		"{\"filesystem\":{\"allowRead\":[\"/\"]}}",
		"{\"filesystem\":{\"allowWrite\":[\"/**\"]}}",
		"{\"filesystem\":{\"allowRead\":[\"/usr/..\"]}}",
	};
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct made made =
		    make_as(&tree, texts[i], false, program, NULL, NULL);
		assert_int_equal(made.result, -EINVAL);
		assert_non_null(strstr(made.err.text, "all files"));
		made_end(&made);
	}
	tree_end(&tree);
}

static void
what_srt_never_writes_is_not_written(void **state)
{
	static const char *const settings =
	    "{\"filesystem\":{\"denyRead\":[\"~/.ssh\"],"
	    "\"allowWrite\":[\".\",\"gone\"],\"denyWrite\":[]},"
	    "\"network\":{\"allowedDomains\":[],\"deniedDomains\":[]}}";
	char text[4096];
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	struct made made = make_as(&tree, settings, true, program, NULL, NULL);
	assert_int_equal(made.result, 0);
	grants_text(&tree, &made, text);
	made_end(&made);
	assert_string_equal(text,
	    "W? home/project\nR? home/project/.bashrc\nR? "
	    "home/project/.git/config\n"
	    "R? home/project/.git/hooks\n");
	GRANTS(&tree, "{\"profiles\":[\"workspace\"]}",
	    "WG home/project\nR? home/project/.bashrc\nR? "
	    "home/project/.git/config\n"
	    "R? home/project/.git/hooks\n");
	tree_end(&tree);
}

static void
a_program_is_granted_as_a_file(void **state)
{
	static const char *const words[] = { "opt/bin/tool -> ../lib/tool.js",
		"opt/lib/tool.js", "opt/lib/other", "run/interp",
		"home/project/", NULL };
	static const char *const argv[] = { "tool", "x", NULL };
	char path[512], text[4096];
	struct tree tree;

	(void)state;
	tree_begin(&tree, words);
	tree_write(&tree, "opt/lib/tool.js", "#!/usr/bin/env -S interp -x\n");
	snprintf(path, sizeof(path), "relative:%s/opt/bin::%s/run:/usr/bin",
	    tree.path, tree.path);
	struct made made = make_as(&tree, "{}", false, argv, path, NULL);
	assert_int_equal(made.result, 0);
	grants_text(&tree, &made, text);
	assert_string_equal(text,
	    "R? opt/lib/tool.js@opt/bin/tool\nR? opt/lib/tool.js\n"
	    "R? run/interp\n");
	assert_int_equal(made.spec.n_argv, 2);
	assert_string_equal(made.spec.argv[1], "x");

	const char *inside = NULL;
	for (uint32_t i = 0; i < made.spec.n_env; i++) {
		if (strncmp(made.spec.env[i], "PATH=", 5) == 0)
			inside = made.spec.env[i];
	}
	snprintf(text, sizeof(text), "PATH=%s/opt/bin:%s/run:/usr/local/sbin",
	    tree.path, tree.path);
	assert_non_null(inside);
	assert_memory_equal(inside, text, strlen(text));
	made_end(&made);
	tree_end(&tree);
}

static void
what_is_found_takes_nothing_away(void **state)
{
	static const char *const argv[] = { "./src/a.c", NULL };
	char text[4096];
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	struct made made =
	    make_as(&tree, "{\"filesystem\":{\"allowWrite\":[\".\"]}}", false,
		argv, "/bin", NULL);
	assert_int_equal(made.result, 0);
	grants_text(&tree, &made, text);
	assert_string_equal(text, "W home/project\n");
	made_end(&made);
	/* In a folder that is hidden it is there, by itself. */
	made = make_as(&tree,
	    "{\"filesystem\":{\"allowWrite\":[\".\"],\"denyRead\":"
	    "[\"src\"]}}",
	    false, argv, "/bin", NULL);
	assert_int_equal(made.result, 0);
	grants_text(&tree, &made, text);
	assert_string_equal(text,
	    "W home/project\nH? home/project/src\nR? home/project/src/a.c\n");
	made_end(&made);
	tree_end(&tree);
}

static void
two_stars_at_the_end_add_nothing(void **state)
{
	static const char *const texts[] = {
		"{\"filesystem\":{\"allowRead\":[\"**\"]}}",
		"{\"filesystem\":{\"allowRead\":[\"./**/**\"]}}",
	};
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		GRANTS(&tree, texts[i], "R home/project\n");
	tree_end(&tree);
}

/* What an earlier run of the same policy may have left. */
static void
a_link_that_the_program_may_have_planted_grants_nothing(void **state)
{
	static const char *const planted[] = { "home/.ssh/id", "home/project/",
		"home/project/cache -> ../.ssh", "home/project/deep/er -> ..",
		"home/project/one -> two/id", "home/project/two -> ../.ssh",
		"home/outer -> project/cache", "home/project/in -> deep",
		"home/project/up -> ../project", NULL };
	static const char *const refused[] = {
		"\"allowRead\":[\"cache\"],\"allowWrite\":[\".\"]",
		"\"allowWrite\":[\".\",\"cache\"]",
		"\"allowWriteGuarded\":[\".\"],\"allowRead\":[\"cache/id\"]",
		"\"allowRead\":[\"one\"],\"allowWrite\":[\".\"]",
		"\"allowRead\":[\"../outer\"],\"allowWrite\":[\".\"]",
		"\"allowWrite\":[\".\",\"cache\",\"two\"]",
	};
	char text[256];
	struct tree tree;

	(void)state;
	tree_begin(&tree, planted);
	for (size_t i = 0; i < 2 * ARRAY_LEN(refused); i++) {
		snprintf(text, sizeof(text), "{\"filesystem\":{%s}}",
		    refused[i / 2]);
		struct made made = make_as(
		    &tree, text, i % 2 == 1, program, "/usr/bin:/bin", NULL);
		if (made.result != -ELOOP)
			fail_msg("%s: %d", text, made.result);
		assert_non_null(strstr(made.err.text, "symbolic link"));
		made_end(&made);
	}
	/* What leads to nothing that is not writable anyhow. */
	GRANTS(&tree,
	    "{\"filesystem\":{\"allowWrite\":[\".\"],\"allowRead\":"
	    "[\"in\",\"up\",\"deep/er\",\"c*\"]}}",
	    "W home/project\nR home/project/deep\n");
	tree_end(&tree);
}

static void
a_program_behind_a_planted_link_is_not_granted(void **state)
{
	static const char *const planted[] = { "home/private/deploy",
		"home/project/tool -> ../private/deploy", NULL };
	static const char *const tool[] = { "./tool", NULL };
	char text[4096];
	struct tree tree;

	(void)state;
	tree_begin(&tree, planted);
	struct made made =
	    make_as(&tree, "{\"filesystem\":{\"allowWrite\":[\".\"]}}", false,
		tool, "/usr/bin:/bin", NULL);
	assert_int_equal(made.result, 0);
	grants_text(&tree, &made, text);
	assert_string_equal(text, "W home/project\n");
	made_end(&made);
	tree_end(&tree);
}

static bool
has_word(const struct box_spec *spec, const char *word)
{
	for (uint32_t i = 0; i < spec->n_env; i++) {
		if (strcmp(spec->env[i], word) == 0)
			return true;
	}
	return false;
}

static void
the_environment_is_what_is_named(void **state)
{
	static const char *const env[] = { "LANG=de", "LC_TIME=C", "TERM=xterm",
		"SECRET=s3", "LD_PRELOAD=/x.so", "TOKEN=t", "USER=me",
		"HOME=/elsewhere", "PATH=/mine", NULL };
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	struct made made = make_as(&tree,
	    "{\"env\":{\"TOKEN\":null,\"GONE\":null,\"A\":\"b=c\"}}", false,
	    program, "/usr/bin", env);
	assert_int_equal(made.result, 0);
	static const char *const wanted[] = { "LANG=de", "LC_TIME=C",
		"TERM=xterm", "TOKEN=t", "USER=me", "LOGNAME=me", "A=b=c" };
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_true(has_word(&made.spec, wanted[i]));
	assert_int_equal(made.spec.n_env, ARRAY_LEN(wanted) + 2);
	made_end(&made);

	made = make_as(&tree, "{\"env\":{\"LD_PRELOAD\":null,\"PATH\":\"/p\"}}",
	    false, program, "/usr/bin", env);
	assert_true(has_word(&made.spec, "LD_PRELOAD=/x.so"));
	assert_true(has_word(&made.spec, "PATH=/p"));
	made_end(&made);
	tree_end(&tree);
}

static void
the_rest_is_as_it_was_said(void **state)
{
	struct tree tree;

	(void)state;
	tree_begin(&tree, names);
	struct made made = make(&tree,
	    "{\"limits\":{\"memory\":\"64MiB\",\"cpu\":1.25,\"pids\":7,"
	    "\"timeout\":\"1500us\",\"tmp\":4096},\"denials\":\"none\","
	    "\"network\":{\"allowAllUnixSockets\":true}}");
	assert_int_equal(made.spec.limits.memory_bytes, 64u << 20);
	assert_int_equal(made.spec.limits.cpu_milli, 1250);
	assert_int_equal(made.spec.limits.pids, 7);
	assert_int_equal(made.spec.limits.wall_ms, 2);
	assert_int_equal(made.spec.limits.tmp_bytes, 4096);
	assert_int_equal(made.spec.notes, BOX_NOTES_NONE);
	assert_int_equal(made.spec.flags, BOX_UNIX_SOCKETS);
	assert_string_equal(made.spec.home, tree_path(&tree, "home"));
	assert_string_equal(made.spec.cwd, tree_path(&tree, "home/project"));
	made_end(&made);
	tree_end(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_granted_by_nothing),
		cmocka_unit_test(words_become_paths),
		cmocka_unit_test(dots_behind_a_symlink_go_where_it_leads),
		cmocka_unit_test(
		    a_deny_beats_an_allow_and_a_deeper_path_an_upper),
		cmocka_unit_test(a_deny_grants_nothing),
		cmocka_unit_test(a_deny_holds_under_every_name_of_its_file),
		cmocka_unit_test(patterns_are_what_is_there),
		cmocka_unit_test(the_root_is_never_granted),
		cmocka_unit_test(what_srt_never_writes_is_not_written),
		cmocka_unit_test(a_program_is_granted_as_a_file),
		cmocka_unit_test(what_is_found_takes_nothing_away),
		cmocka_unit_test(two_stars_at_the_end_add_nothing),
		cmocka_unit_test(
		    a_link_that_the_program_may_have_planted_grants_nothing),
		cmocka_unit_test(
		    a_program_behind_a_planted_link_is_not_granted),
		cmocka_unit_test(the_environment_is_what_is_named),
		cmocka_unit_test(the_rest_is_as_it_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
