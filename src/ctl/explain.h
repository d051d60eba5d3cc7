/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* `cordon wrap --explain`: what a box would be, as people read it. */

#include <stdbool.h>
#include <stdio.h>

#include "box/spec.h"
#include "policy/policy.h"

/* Whether a program in the box would see this folder of the host, as it is. */
bool ctl_box_sees(const struct box_spec *spec, const char *path);

void ctl_explain_print(
    FILE *out, const struct policy *policy, const struct box_spec *spec);

/* One object: command, folder, home, grants, variables (names alone), limits,
 * denials, remarks, and the policy that it comes of. Negative errno. */
int ctl_explain_json(
    FILE *out, const struct policy *policy, const struct box_spec *spec);
