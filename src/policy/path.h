/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Paths as people write them, and what they name. A path of a policy is made
 * absolute first; then it is asked which file that is (its real path), because
 * rules are about files, however many names lead to them.
 */

#include "policy/policy.h"
#include "policy/rules.h"

/* `path` is `folder` or lies beneath it; both absolute and normal. */
bool policy_path_within(const char *path, const char *folder);

/* Absolute, without ".", "..", "//" and a "/" at the end. */
bool policy_path_is_normal(const char *path);

/*
 * "~" and relative words become absolute, "." goes, and ".." goes where the
 * folder before it is no symlink; else that folder is looked up first. The
 * caller frees *pathp. -EINVAL (with the sentence), -ENOMEM.
 */
int policy_path_absolute(const struct policy_place *place, const char *word,
    char **pathp, struct err *err);

/*
 * The same file without a symlink on the way; what is not there keeps its name
 * behind the part that is. *is_there may be NULL. The caller frees it; NULL: no
 * memory, or too long.
 */
char *policy_path_real(const char *path, bool *is_there);

/* "a" + "/" + "b" for free(); NULL: no memory. */
char *policy_path_join(const char *folder, const char *name);

/*
 * Patterns: * ? [..] within a name, ** for any number of folders; a backslash
 * before one of *?[]\ takes its meaning away.
 */
bool policy_glob_is(const char *text);
/* Without the backslashes, in place. */
void policy_glob_unescape(char *text);
/* With backslashes; the caller frees it. NULL: no memory. */
char *policy_glob_escape(const char *path);
/* One name against one part of a pattern. */
bool policy_glob_matches(const char *pattern, size_t len, const char *name);

/*
 * Adds what an absolute pattern matches now; symlinks are never followed.
 * `is_deny`: a symlink that matches is added, and so is a folder that cannot be
 * listed; else neither. -E2BIG with the sentence: more than the walk's bound.
 */
int policy_glob_expand(const char *pattern, bool is_deny,
    struct policy_words *found, struct err *err);
