/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "policy/path.h"

/* What srt never lets a program write to, in a folder that it may write to:
 * each is run, or obeyed, by a program outside. */
static const char *const never_written[] = {
	".bash_profile",
	".bashrc",
	".claude/agents",
	".claude/commands",
	".git/config",
	".git/hooks",
	".gitconfig",
	".gitmodules",
	".idea",
	".mcp.json",
	".profile",
	".ripgreprc",
	".vscode",
	".zprofile",
	".zshrc",
};

const char *
policy_place_env(const struct policy_place *place, const char *name)
{
	const size_t len = strlen(name);

	if (place == NULL || place->env == NULL)
		return NULL;
	for (const char *const *at = place->env; *at != NULL; at++) {
		if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
			return *at + len + 1;
	}
	return NULL;
}

static bool
list_is_deny(enum policy_list list)
{
	return list == POLICY_DENY_READ || list == POLICY_DENY_WRITE;
}

static int
rule_take(struct policy_resolution *all, struct policy_rule *rule)
{
	if (all->n_rules == all->rules_capacity) {
		const size_t capacity =
		    all->rules_capacity == 0 ? 16 : all->rules_capacity * 2;
		struct policy_rule *more =
		    reallocarray(all->rules, capacity, sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		all->rules = more;
		all->rules_capacity = capacity;
	}
	all->rules[all->n_rules++] = *rule;
	return 0;
}

int
policy_rule_add(struct policy_resolution *all, enum policy_list list,
    const char *path, bool is_optional)
{
	struct policy_rule rule = {
		.list = list, .is_optional = is_optional, .is_there = true
	};

	for (size_t i = 0; i < all->n_rules; i++) {
		struct policy_rule *other = &all->rules[i];

		if (other->list == list && strcmp(other->path, path) == 0) {
			other->is_optional &= is_optional;
			return 0;
		}
	}
	auto_free char *name = strdup(path);
	auto_free char *real = all->place == NULL
	    ? strdup(path)
	    : policy_path_real(path, &rule.is_there);
	if (name == NULL || real == NULL)
		return err_set(all->err, -ENOMEM, "no memory");
	if (!list_is_deny(list) && strcmp(real, "/") == 0)
		return err_set(all->err, -EINVAL,
		    "%s: all files of the machine cannot be granted; name the "
		    "folders that the program needs",
		    path);
	if (!rule.is_there && is_optional && !list_is_deny(list))
		return 0;
	rule.path = name;
	rule.real = real;
	if (rule_take(all, &rule) != 0)
		return err_set(all->err, -ENOMEM, "no memory");
	(void)steal_ptr(&name);
	(void)steal_ptr(&real);
	return 0;
}

/* In a text that was resolved before, and that no file is looked at for. */
static int
flat_word_add(struct policy_resolution *all, enum policy_list list,
    const struct policy_word *word)
{
	auto_free char *path = strdup(word->text);

	if (path == NULL)
		return err_set(all->err, -ENOMEM, "no memory");
	if (policy_glob_is(path))
		return err_set(all->err, -EINVAL,
		    "%s: patterns are written out when a server is added; a "
		    "backslash before a * ? [ ] makes it a letter",
		    path);
	policy_glob_unescape(path);
	if (!policy_path_is_normal(path))
		return err_set(all->err, -EINVAL,
		    "%s: must be the whole path, from /, without \".\", "
		    "\"..\", \"//\" and a \"/\" at its end",
		    path);
	return policy_rule_add(all, list, path, word->is_srt);
}

/* "folder/<double star>" is the folder with all beneath it, as a path is. */
static void
deep_end_strip(char *pattern)
{
	size_t len = strlen(pattern);

	while (len >= 3 && strcmp(pattern + len - 3, "/**") == 0) {
		len -= 3;
		pattern[len > 0 ? len : 1] = '\0';
	}
}

static int
pattern_add(struct policy_resolution *all, enum policy_list list,
    const char *pattern, bool is_optional)
{
	const bool is_deny = list_is_deny(list);
	struct policy_words found = { 0 };
	struct stat info;
	int r = 0;

	auto_free char *literal = strdup(pattern);
	if (literal == NULL)
		return err_set(all->err, -ENOMEM, "no memory");
	policy_glob_unescape(literal);

	/* "[id].js" is a file's name to those who have one. */
	if (lstat(literal, &info) == 0) {
		r = policy_rule_add(all, list, literal, is_optional);
		if (r != 0 || !is_deny)
			return r;
	}
	r = policy_glob_expand(pattern, is_deny, &found, all->err);
	for (size_t i = 0; r == 0 && i < found.n; i++)
		r = policy_rule_add(all, list, found.at[i].text, true);
	policy_words_fini(&found);
	return r;
}

static int
word_add(struct policy_resolution *all, enum policy_list list,
    const struct policy_word *word)
{
	char *absolute = NULL;
	const int r =
	    policy_path_absolute(all->place, word->text, &absolute, all->err);

	if (r != 0)
		return r;
	auto_free char *path = absolute;
	deep_end_strip(path);
	if (policy_glob_is(path))
		return pattern_add(all, list, path, word->is_srt);
	policy_glob_unescape(path);
	return policy_rule_add(all, list, path, word->is_srt);
}

/* One folder's part of never_written; what is not there is not named. */
static int
folder_guard(struct policy_resolution *all, const char *folder)
{
	struct stat info;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(never_written); i++) {
		auto_free char *path =
		    policy_path_join(folder, never_written[i]);
		if (path == NULL)
			return err_set(all->err, -ENOMEM, "no memory");
		if (lstat(path, &info) == 0)
			r = policy_rule_add(all, POLICY_DENY_WRITE, path, true);
	}
	return r;
}

static int
folders_guard(struct policy_resolution *all)
{
	const size_t n = all->n_rules;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct policy_rule *rule = &all->rules[i];
		const bool is_guarded = rule->list == POLICY_ALLOW_GUARDED ||
		    (rule->list == POLICY_ALLOW_WRITE && rule->is_optional);
		auto_free char *folder = is_guarded ? strdup(rule->path) : NULL;

		if (folder != NULL)
			r = folder_guard(all, folder);
	}
	return r;
}

static int
words_add(struct policy_resolution *all, const struct policy *policy)
{
	static const enum policy_list lists[] = { POLICY_ALLOW_READ,
		POLICY_ALLOW_WRITE, POLICY_ALLOW_GUARDED, POLICY_DENY_READ,
		POLICY_DENY_WRITE };
	int r = 0;

	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct policy_words *words = &policy->lists[lists[l]];

		for (size_t i = 0; r == 0 && i < words->n; i++) {
			r = all->place == NULL
			    ? flat_word_add(all, lists[l], &words->at[i])
			    : word_add(all, lists[l], &words->at[i]);
		}
	}
	return r;
}

int
policy_resolve(struct policy_resolution *all, const struct policy *policy,
    const char *const *argv)
{
	const struct policy_words *profiles = &policy->lists[POLICY_PROFILES];
	int r = words_add(all, policy);

	if (all->place == NULL) {
		if (r == 0 && profiles->n > 0)
			r = err_set(all->err, -EINVAL,
			    "profiles: %s: profiles are written out when a "
			    "server is added",
			    profiles->at[0].text);
		return r == 0 ? policy_grants_make(all) : r;
	}
	all->program = argv == NULL ? NULL : argv[0];
	for (size_t i = 0; r == 0 && i < profiles->n; i++)
		r = policy_profile_apply(all, profiles->at[i].text);
	if (r == 0)
		r = folders_guard(all);
	if (r == 0)
		r = policy_program_add(all, all->program);
	return r == 0 ? policy_grants_make(all) : r;
}

void
policy_resolution_fini(struct policy_resolution *all)
{
	for (size_t i = 0; i < all->n_rules; i++) {
		free(all->rules[i].path);
		free(all->rules[i].real);
	}
	free(all->rules);
	for (size_t i = 0; i < all->n_grants; i++) {
		free(all->grants[i].path);
		free(all->grants[i].at);
	}
	free(all->grants);
	policy_words_fini(&all->folders);
	policy_words_fini(&all->env);
}
