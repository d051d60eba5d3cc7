/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a policy's network member comes to, for who tells egress of it. An
 * isolate has a policy of this member alone: {"network":{…}}.
 */

#include "addr/rule.h"
#include "policy/policy.h"

struct policy_network {
	struct addr_rule rules[ADDR_RULES_MAX]; /* denials first */
	size_t n_rules; /* 0: nothing is reached */
	struct addr_budget budget;
};

/* Negative: more rules than there may be. A policy that only denies has no
 * rules. */
int policy_network(const struct policy *policy, struct policy_network *network,
    struct err *err);

/* The same, of a launch document (policy_document_spec()). */
int policy_document_network(const char *raw_text, size_t len,
    struct policy_network *network, struct err *err);
