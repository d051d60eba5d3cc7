/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * From words to grants. Three steps: every word, profile and the program become
 * rules about one path each; rules are laid on the places where their files are
 * seen; of each place, one grant is left.
 */

#include "policy/rules.h"

#define POLICY_PATH_DEFAULT                                                    \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define POLICY_HOME_DEFAULT "/home/user"

struct policy_rule {
	char *path; /* absolute, as it was named; owned */
	char *real; /* the file itself; owned */
	enum policy_list list; /* of the five lists of paths */
	bool is_optional;
	bool is_there;
	bool is_view; /* its path is another name that the box shows too */
};

struct policy_grant {
	char *path; /* the file; owned */
	char *at; /* where it is inside; owned */
	enum box_access access;
	uint32_t flags; /* BOX_GRANT_… */
	bool is_deny; /* of what is writable; it grants nothing */
};

struct policy_resolution {
	const struct policy_place *place; /* NULL: no file is looked at */
	const char *program; /* argv[0]; NULL */
	struct policy_rule *rules;
	size_t n_rules;
	size_t rules_capacity;
	struct policy_grant *grants; /* in order of `at` */
	size_t n_grants;
	struct policy_words folders; /* in front of PATH */
	struct policy_words env; /* of profiles; "NAME=value" */
	bool has_network; /* for env: there is a proxy */
	struct err *err;
};

/* Fills a resolution that is zero but for place and err. argv may be NULL.
 * Negative errno, with the sentence; fini in any case. */
int policy_resolve(struct policy_resolution *all, const struct policy *policy,
    const char *const *argv);
void policy_resolution_fini(struct policy_resolution *all);

/* No rule leads over a symlink that the program may have made (reach.c). */
int policy_reach_check(struct policy_resolution *all);
/* Rules to grants (grant.c). */
int policy_grants_make(struct policy_resolution *all);

/* ---- for profiles and the program ---- */

int policy_rule_add(struct policy_resolution *all, enum policy_list list,
    const char *path, bool is_optional);
/* The program, its interpreter and what they are links to (program.c). */
int policy_program_add(struct policy_resolution *all, const char *name);
/* Where a command is found, for free(); NULL. The folders of profiles come
 * first; `skip`, if any, is passed over. */
char *
policy_program_find(const struct policy_resolution *all, const char *name);
int policy_profile_apply(struct policy_resolution *all, const char *name);

/* A variable of whoever asks; NULL. */
const char *
policy_place_env(const struct policy_place *place, const char *name);

/* The whole environment (env.c); "NAME=value". */
int policy_env_make(const struct policy_resolution *all,
    const struct policy *policy, const char *home, struct policy_words *words);
/* Replaces the variable of that name. Takes the word, on failure too. */
int policy_env_set(struct policy_words *words, char *name_value);
/* PATH inside, for free(). */
char *policy_env_path(const struct policy_resolution *all);
