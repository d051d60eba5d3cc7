/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * npx, uvx and their kin in front of a program (package/package.h): the words
 * become those of what they would start, from the user's folder of packages.
 */

#include <stdbool.h>

#include "base/err.h"
#include "package/package.h"
#include "policy/policy.h"

struct ctl_packaged {
	struct package package; /* path NULL: the command is none */
	bool refresh, allow_scripts, quiet;
};

/* Nothing is done for another command. Negative, and a sentence. The words that
 * it sets are borrowed from `packaged`, which is finished by package_fini(). */
int ctl_packaged_find(
    struct ctl_packaged *packaged, char ***words, struct err *err);

/* Grants the tree for reading. Whoever may write to the home may not write to
 * what others are to run: the folder of packages stays as it is. */
int ctl_packaged_grant(const struct ctl_packaged *packaged,
    struct policy *policy, struct err *err);
