/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a box spec borrows from. */

#include "policy/resolve.h"

struct policy_memory {
	struct policy_resolution all;
	struct policy_words words; /* of the command */
	struct policy_words env;
	const char **argv;
	const char **env_list;
	struct box_grant *grants;
	struct policy_ports ports;
	char *home;
	char *cwd;
	char *bundle; /* policy_spec_authority() */
	char *certificate;
};

/* The spec of a memory whose words, home, cwd and resolution are there. */
int policy_memory_spec(struct policy_memory *memory,
    const struct policy *policy, struct box_spec *spec, struct err *err);
