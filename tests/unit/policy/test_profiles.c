/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

/* The grants of one profile in a tree whose "home" is one, as "R path" lines,
 * then PATH's own folders and VIRTUAL_ENV. */
static void
profile_text(struct tree *tree, const char *profile, const char *program,
    const char *path, const char *const *env, char text[4096])
{
	const char *const argv[] = { program, NULL };
	const struct policy_place place = { tree_path(tree, "home"),
		tree_path(tree, "home/project"), path, env };
	const size_t skip = strlen(tree->path) + 1;
	struct policy_memory *memory;
	struct policy *policy;
	struct box_spec spec;
	struct err err;
	size_t end = 0;

	assert_int_equal(policy_new(&policy), 0);
	assert_int_equal(policy_profile(policy, profile, &err), 0);
	if (policy_spec(policy, &place, argv, &spec, &memory, &err) != 0)
		fail_msg("%s", err.text);
	text[0] = '\0';
	for (uint32_t i = 0; i < spec.n_grants; i++)
		end += (size_t)snprintf(text + end, 4096 - end, "%c %s%s%s\n",
		    "HRW"[spec.grants[i].access], spec.grants[i].path + skip,
		    spec.grants[i].at[0] != '\0' ? "@" : "",
		    spec.grants[i].at[0] != '\0' ? spec.grants[i].at + skip
						 : "");
	for (uint32_t i = 0; i < spec.n_env; i++) {
		const char *word = spec.env[i];

		if (strncmp(word, "PATH=", 5) == 0) {
			for (word += 5;
			     strncmp(word, tree->path, skip - 1) == 0;
			     word += strcspn(word, ":") + 1)
				end += (size_t)snprintf(text + end, 4096 - end,
				    "P %.*s\n",
				    (int)(strcspn(word, ":") - skip),
				    word + skip);
		} else if (strncmp(word, "VIRTUAL_ENV=", 12) == 0 ||
		    strncmp(word, "NODE_", 5) == 0) {
			end +=
			    (size_t)snprintf(text + end, 4096 - end, "E %s\n",
				strncmp(word, "VIRTUAL_ENV=", 12) == 0
				    ? word + 12 + skip
				    : word);
		}
	}
	policy_spec_free(memory);
	policy_free(policy);
}

static const char *
path_of(struct tree *tree, const char *a, const char *b)
{
	static char text[1024];

	snprintf(text, sizeof(text), "%s:%s:/nonexistent", tree_path(tree, a),
	    tree_path(tree, b));
	return text;
}

static void
node_is_granted_as_its_installation(void **state)
{
	static const char *const words[] = {
		"home/.nvm/versions/node/v22/bin/node",
		"home/.nvm/versions/node/v22/bin/npx -> "
		"../lib/node_modules/npm/npx.js",
		"home/.nvm/versions/node/v22/lib/node_modules/npm/npx.js",
		"fnm/node-versions/v20/installation/bin/node",
		"fnm/node-versions/v20/installation/lib/node_modules/",
		"run/fnm -> ../fnm/node-versions/v20/installation",
		"home/bin/node", "home/lib/node_modules/", "home/project/", NULL
	};
	static const char *const env[] = { "NODE_ENV=test",
		"NODE_OPTIONS=--require=/x.js", NULL };
	char text[4096];
	struct tree tree;

	(void)state;
	tree_begin(&tree, words);
	/* The first in PATH; npx lies in the same installation. */
	profile_text(&tree, "node", "npx",
	    path_of(&tree, "home/.nvm/versions/node/v22/bin", "home/bin"), env,
	    text);
	assert_string_equal(text,
	    "R home/.nvm/versions/node/v22\n"
	    "P home/.nvm/versions/node/v22/bin\nE NODE_ENV=test\n");
	/* Over fnm's symlink. */
	profile_text(&tree, "node", "node", path_of(&tree, "run/fnm/bin", "x"),
	    NULL, text);
	assert_string_equal(text,
	    "R fnm/node-versions/v20/installation\n"
	    "P fnm/node-versions/v20/installation/bin\n");
	/* Named by its path, and not in PATH at all. */
	profile_text(&tree, "node", "../.nvm/versions/node/v22/bin/npx", "/bin",
	    NULL, text);
	assert_string_equal(text,
	    "R home/.nvm/versions/node/v22\n"
	    "P home/.nvm/versions/node/v22/bin\n");
	/* ~/bin/node: the home is no installation. */
	profile_text(
	    &tree, "node", "node", path_of(&tree, "home/bin", "x"), NULL, text);
	assert_string_equal(text, "R home/bin/node\nP home/bin\n");
	tree_end(&tree);
}

static void
a_managers_stand_in_is_what_it_stands_for(void **state)
{
	static const char *const words[] = { "home/.volta/bin/node",
		"home/.volta/tools/image/node/20.1.0/bin/node",
		"home/.volta/tools/image/node/20.1.0/lib/node_modules/",
		"home/.volta/tools/user/", "home/.asdf/shims/node",
		"home/.asdf/installs/nodejs/18.0.0/bin/node",
		"home/.asdf/installs/nodejs/18.0.0/include/node/node.h",
		"home/.pyenv/shims/python3",
		"home/.pyenv/versions/3.12.1/bin/python3",
		"home/.pyenv/versions/3.12.1/lib/python3.12/",
		"home/.pyenv/versions/3.11.0/bin/python3",
		"home/.pyenv/versions/3.11.0/lib/python3.11/", "home/project/",
		NULL };
	static const char *const named[] = { "PYENV_VERSION=3.11.0", NULL };
	static const char *const hostile[] = { "PYENV_VERSION=../../..", NULL };
	char text[4096];
	struct tree tree;

	(void)state;
	tree_begin(&tree, words);
	tree_write(&tree, "home/.volta/tools/user/platform.json",
	    "{\"node\":{\"runtime\":\"20.1.0\",\"npm\":null}}");
	tree_write(&tree, "home/.tool-versions", "ruby 3\nnodejs 18.0.0\n");
	tree_write(&tree, "home/.pyenv/version", "3.12.1\n");

	profile_text(&tree, "node", "node",
	    path_of(&tree, "home/.volta/bin", "x"), NULL, text);
	assert_string_equal(text,
	    "R home/.volta/tools/image/node/20.1.0\n"
	    "P home/.volta/tools/image/node/20.1.0/bin\n");
	profile_text(&tree, "node", "node",
	    path_of(&tree, "home/.asdf/shims", "x"), NULL, text);
	assert_string_equal(text,
	    "R home/.asdf/installs/nodejs/18.0.0\n"
	    "P home/.asdf/installs/nodejs/18.0.0/bin\n");
	profile_text(&tree, "python", "python3",
	    path_of(&tree, "home/.pyenv/shims", "x"), NULL, text);
	assert_string_equal(text,
	    "R home/.pyenv/versions/3.12.1\nP "
	    "home/.pyenv/versions/3.12.1/bin\n");
	profile_text(&tree, "python", "python3",
	    path_of(&tree, "home/.pyenv/shims", "x"), named, text);
	assert_string_equal(text,
	    "R home/.pyenv/versions/3.11.0\nP "
	    "home/.pyenv/versions/3.11.0/bin\n");
	/* A version is a name, never a way out. */
	profile_text(&tree, "python", "/bin/true",
	    path_of(&tree, "home/.pyenv/shims", "x"), hostile, text);
	assert_string_equal(text, "");
	tree_end(&tree);
}

static void
a_virtual_environment_comes_with_its_python(void **state)
{
	static const char *const words[] = {
		"uv/python/cpython-3.12/bin/python3.12",
		"uv/python/cpython-3.12/lib/python3.12/",
		"home/project/.venv/bin/python -> "
		"../../../../uv/python/cpython-3.12/bin/python3.12",
		"home/project/.venv/bin/python3 -> python",
		"home/project/.venv/pyvenv.cfg",
		"home/project/.venv/lib/python3.12/site-packages/", NULL
	};
	char text[4096], word[512];
	struct tree tree;

	(void)state;
	tree_begin(&tree, words);
	static const char *const wanted =
	    "R home/project/.venv\nR uv/python/cpython-3.12\n"
	    "P home/project/.venv/bin\nP uv/python/cpython-3.12/bin\n"
	    "E home/project/.venv\n";
	profile_text(&tree, "python", "python3",
	    path_of(&tree, "home/project/.venv/bin", "x"), NULL, text);
	assert_string_equal(text, wanted);
	profile_text(
	    &tree, "python", ".venv/bin/python3", "/nonexistent", NULL, text);
	assert_string_equal(text, wanted);
	/* Not in PATH, but said to be the one. */
	snprintf(
	    word, sizeof(word), "VIRTUAL_ENV=%s/home/project/.venv", tree.path);
	const char *const env[] = { word, NULL };
	profile_text(&tree, "python", "python3", "/nonexistent", env, text);
	assert_string_equal(text, wanted);
	tree_end(&tree);
}

static void
a_home_is_no_workspace(void **state)
{
	static const char *const words[] = { "home/", NULL };
	static const char *const argv[] = { "/bin/true", NULL };
	struct policy_memory *memory;
	struct policy *policy;
	struct box_spec spec;
	struct tree tree;
	struct err err;

	(void)state;
	tree_begin(&tree, words);
	const struct policy_place place = { tree_path(&tree, "home"), tree.path,
		"/bin", NULL };
	assert_int_equal(policy_new(&policy), 0);
	assert_int_equal(policy_profile(policy, "workspace", &err), 0);
	assert_int_equal(
	    policy_spec(policy, &place, argv, &spec, &memory, &err), -EINVAL);
	assert_non_null(strstr(err.text, "home folder"));
	policy_free(policy);
	tree_end(&tree);
}

static void
a_command_wants_a_profile(void **state)
{
	static const struct {
		const char *command;
		const char *profile;
	} cases[] = { { "npx", "node" }, { "/opt/x/node", "node" },
		{ "python3.12", "python" }, { "uvx", "python" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(
		    policy_profile_for(cases[i].command), cases[i].profile);
	assert_null(policy_profile_for("bash"));
	assert_null(policy_profile_for("nodemon"));
	for (size_t i = 0; policy_profile_at(i) != NULL; i++)
		assert_true(policy_profile_at(i)->summary[0] != '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_is_granted_as_its_installation),
		cmocka_unit_test(a_managers_stand_in_is_what_it_stands_for),
		cmocka_unit_test(a_virtual_environment_comes_with_its_python),
		cmocka_unit_test(a_home_is_no_workspace),
		cmocka_unit_test(a_command_wants_a_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
