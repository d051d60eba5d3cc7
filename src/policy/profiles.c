/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ready-made profiles. A language's runtime is granted as the folder that it
 * is installed in, found from its program; /usr is in every box anyway.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/base.h"
#include "policy/managers.h"
#include "policy/path.h"
#include "policy/resolve.h"

typedef int apply_fn(struct policy_resolution *all);

static apply_fn node_apply, python_apply, workspace_apply;

static const struct {
	struct policy_profile shown;
	apply_fn *apply;
} profiles[] = {
	{ { "node", "Node.js where it is installed, outside /usr too" },
	    node_apply },
	{ { "python",
	      "Python where it is installed, and the virtual environment" },
	    python_apply },
	{ { "workspace",
	      "the current folder is writable; dotfiles that programs obey "
	      "and VCS hooks in it are not" },
	    workspace_apply },
};

/* Which profile a command wants; a name ends with "*": what begins so. */
static const struct {
	const char *command;
	const char *profile;
} commands[] = {
	{ "node", "node" },
	{ "nodejs", "node" },
	{ "npm", "node" },
	{ "npx", "node" },
	{ "pnpm", "node" },
	{ "tsx", "node" },
	{ "yarn", "node" },
	{ "pip", "python" },
	{ "pip3", "python" },
	{ "pipx", "python" },
	{ "python*", "python" },
	{ "uv", "python" },
	{ "uvx", "python" },
};

/* Passed on with a profile. Never what makes the runtime load a file:
 * NODE_OPTIONS, NODE_PATH, PYTHONPATH, PYTHONSTARTUP. */
static const char *const node_names[] = { "FORCE_COLOR", "NODE_DEBUG",
	"NODE_DISABLE_COLORS", "NODE_ENV", "NODE_NO_WARNINGS", NULL };
static const char *const python_names[] = { "FORCE_COLOR",
	"PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONIOENCODING",
	"PYTHONUNBUFFERED", "PYTHONUTF8", NULL };

/* What such a folder holds; without it, it is not taken for one. */
static const char *const node_marks[] = { "lib/node_modules",
	"include/node/node.h", NULL };
static const char *const python_marks[] = { "lib/python3", "pyvenv.cfg",
	"lib/python3.*", NULL };

/* Stores whose programs need more of them than their own folder. */
static const char *const stores[] = { "/nix/store", "/gnu/store",
	"/home/linuxbrew/.linuxbrew" };

int
policy_profile(struct policy *policy, const char *name, struct err *err)
{
	char names[128] = "";
	size_t end = 0;

	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		if (strcmp(profiles[i].shown.name, name) == 0) {
			const int r = policy_list_add(
			    policy, POLICY_PROFILES, name, false);
			return r == 0 ? 0
				      : err_set(err, r, "profile %s: %s", name,
					    strerror(-r));
		}
		end += (size_t)snprintf(names + end, sizeof(names) - end,
		    "%s%s", i > 0 ? ", " : "", profiles[i].shown.name);
	}
	return err_set(err, -EINVAL, "\"%.64s\" is no profile; there are: %s",
	    name, names);
}

const struct policy_profile *
policy_profile_at(size_t i)
{
	return i < ARRAY_LEN(profiles) ? &profiles[i].shown : NULL;
}

const char *
policy_profile_for(const char *command)
{
	const char *slash = strrchr(command, '/');
	const char *name = slash != NULL ? slash + 1 : command;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *known = commands[i].command;

		if (policy_glob_matches(known, strlen(known), name))
			return commands[i].profile;
	}
	return NULL;
}

int
policy_profile_apply(struct policy_resolution *all, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		if (strcmp(profiles[i].shown.name, name) == 0)
			return profiles[i].apply(all);
	}
	return err_set(all->err, -EINVAL, "\"%s\" is no profile", name);
}

static int
names_pass(struct policy_resolution *all, const char *const *names)
{
	for (; *names != NULL; names++) {
		const char *value = policy_place_env(all->place, *names);
		char *word = NULL;

		if (value == NULL)
			continue;
		if (asprintf(&word, "%s=%s", *names, value) < 0)
			word = NULL;
		if (policy_env_set(&all->env, word) != 0)
			return err_set(all->err, -ENOMEM, "no memory");
	}
	return 0;
}

/* Cuts a path `n` parts shorter; false: it has not as many. */
static bool
parts_cut(char *path, int n)
{
	for (; n > 0; n--) {
		char *slash = strrchr(path, '/');

		if (slash == NULL || slash == path)
			return false;
		*slash = '\0';
	}
	return true;
}

static bool
mark_is_there(const char *folder, const char *mark)
{
	struct policy_words found = { 0 };
	auto_free char *plain = policy_glob_escape(folder);
	auto_free char *path =
	    plain == NULL ? NULL : policy_path_join(plain, mark);

	if (path == NULL)
		return false;
	if (policy_glob_is(mark))
		(void)policy_glob_expand(path, true, &found, NULL);
	const bool is_there = policy_glob_is(mark)
	    ? found.n > 0
	    : (policy_glob_unescape(path), access(path, F_OK) == 0);
	policy_words_fini(&found);
	return is_there;
}

/* A folder that a runtime was installed in, and nothing but it: never the home,
 * nor what the home lies in. */
static bool
is_installation(const struct policy_resolution *all, const char *folder,
    const char *const *marks)
{
	const char *home = all->place->home;

	if (box_base_has(folder) || strcmp(folder, "/") == 0 ||
	    (home != NULL && policy_path_within(home, folder)))
		return false;
	for (; *marks != NULL; marks++) {
		if (mark_is_there(folder, *marks))
			return true;
	}
	return false;
}

/* "…/bin/node": "…" and its bin in front of PATH. */
static int
installation_add(struct policy_resolution *all, const char *program,
    const char *const *marks)
{
	auto_free char *folder = strdup(program);

	if (folder == NULL)
		return err_set(all->err, -ENOMEM, "no memory");
	for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
		if (policy_path_within(program, stores[i]))
			return policy_rule_add(
			    all, POLICY_FOUND, stores[i], true);
	}
	if (!parts_cut(folder, 2) || !is_installation(all, folder, marks))
		return 0;
	const int r = policy_rule_add(all, POLICY_FOUND, folder, true);
	if (r != 0)
		return r;
	auto_free char *bin = policy_path_join(folder, "bin");
	if (bin != NULL && policy_words_has(&all->folders, bin))
		return 0;
	if (bin == NULL || policy_words_add(&all->folders, bin, false) != 0)
		return err_set(all->err, -ENOMEM, "no memory");
	return 0;
}

/* The program of that name, and its installation behind all symlinks. */
static int
runtime_add(
    struct policy_resolution *all, const char *name, const char *const *marks)
{
	auto_free char *path = policy_manager_find(all->place, name);
	if (path == NULL)
		return 0;
	auto_free char *real = policy_path_real(path, NULL);
	if (real == NULL)
		return err_set(all->err, -ENOMEM, "no memory");
	return installation_add(all, real, marks);
}

/* The program, where it is named by its path, as that path says; NULL. */
static char *
named_program(const struct policy_resolution *all)
{
	return all->program == NULL || strchr(all->program, '/') == NULL
	    ? NULL
	    : policy_program_find(all, all->program);
}

static int
node_apply(struct policy_resolution *all)
{
	const size_t n = all->folders.n;
	auto_free char *named = named_program(all);
	int r = 0;

	if (named != NULL)
		r = installation_add(all, named, node_marks);
	if (r == 0 && all->folders.n == n)
		r = runtime_add(all, "node", node_marks);
	return r == 0 ? names_pass(all, node_names) : r;
}

/* A virtual environment is a bin/python with a pyvenv.cfg above it. */
static int
venv_add(struct policy_resolution *all, const char *folder)
{
	auto_free char *config = policy_path_join(folder, "pyvenv.cfg");
	auto_free char *python = policy_path_join(folder, "bin/python");
	char *word = NULL;

	if (config == NULL || python == NULL)
		return err_set(all->err, -ENOMEM, "no memory");
	if (access(config, F_OK) != 0)
		return 0;
	int r = installation_add(all, python, python_marks);
	auto_free char *real = policy_path_real(python, NULL);
	if (r == 0 && real != NULL)
		r = installation_add(all, real, python_marks);
	if (r == 0) {
		if (asprintf(&word, "VIRTUAL_ENV=%s", folder) < 0)
			word = NULL;
		r = policy_env_set(&all->env, word);
	}
	return r;
}

/* Its virtual environment, or else where it is installed. */
static int
python_add(struct policy_resolution *all, const char *python)
{
	auto_free char *folder = strdup(python);
	auto_free char *real = policy_path_real(python, NULL);

	if (folder == NULL || real == NULL)
		return err_set(all->err, -ENOMEM, "no memory");
	const int r = parts_cut(folder, 2) ? venv_add(all, folder) : 0;
	return r == 0 ? installation_add(all, real, python_marks) : r;
}

static int
python_apply(struct policy_resolution *all)
{
	const char *venv = policy_place_env(all->place, "VIRTUAL_ENV");
	const size_t n = all->folders.n;
	int r = 0;

	auto_free char *named = named_program(all);
	if (named != NULL)
		r = python_add(all, named);
	if (r == 0 && all->folders.n == n) {
		auto_free char *found =
		    policy_manager_find(all->place, "python3");

		if (found != NULL)
			r = python_add(all, found);
		if (r == 0 && venv != NULL && policy_path_is_normal(venv))
			r = venv_add(all, venv);
	}
	return r == 0 ? names_pass(all, python_names) : r;
}

static int
workspace_apply(struct policy_resolution *all)
{
	char *path = NULL;
	int r = policy_path_absolute(all->place, ".", &path, all->err);

	if (r != 0)
		return r;
	auto_free char *folder = path;
	if (all->place->home != NULL &&
	    policy_path_within(all->place->home, folder))
		return err_set(all->err, -EINVAL,
		    "workspace: %s is the home folder, or holds it; go to the "
		    "folder that you work in",
		    folder);
	r = policy_rule_add(all, POLICY_ALLOW_GUARDED, folder, false);
	return r;
}
