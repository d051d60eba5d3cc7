/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Version managers put scripts or helpers in PATH that look up, at each start,
 * which version is meant. Inside a box there is nothing to look up; the version
 * is chosen here.
 */

#include "policy/policy.h"

/* Where the program of a runtime ("node", "python3") is, for free(); a
 * manager's stand-in is passed over for what it stands for. NULL: nowhere. */
char *policy_manager_find(const struct policy_place *place, const char *name);
