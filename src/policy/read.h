/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reading JSON of people: an object is a table of members, whatever is not in
 * it is refused with its place and, where one is near, the name that was meant.
 */

#include "json/json.h"
#include "policy/rules.h"

#define POLICY_POINTER_MAX 256

/* Where we are, for the sentence. */
struct policy_at {
	struct policy *policy;
	const char *name; /* of the text: a file, an option */
	char pointer[POLICY_POINTER_MAX]; /* JSON pointer */
	bool is_srt;
	struct err *err;
};

struct policy_member;

typedef int policy_read_fn(const struct policy_at *at, struct json_span value,
    const struct policy_member *member, void *target);

struct policy_member {
	const char *name;
	policy_read_fn *read;
	uint32_t what; /* of the reader's own */
	const char *remark; /* srt's alone: why it is not obeyed */
};

struct policy_part {
	const char *name;
	const struct policy_member *members;
	size_t n_members;
};

/* The parts of a policy; NULL past the last. "" is the whole. */
const struct policy_part *policy_part_at(size_t i);

/* Reads an object; `target` is passed on to its readers. Negative errno. */
int policy_part_read(const struct policy_at *at, struct json_span value,
    const struct policy_part *part, void *target);

/* A member's or an element's own place. */
void policy_at_member(struct policy_at *inner, const struct policy_at *outer,
    struct json_span key);
void policy_at_element(
    struct policy_at *inner, const struct policy_at *outer, size_t i);

/* -EINVAL, with "NAME: POINTER must be WANTED". */
int policy_at_fail(const struct policy_at *at, const char *wanted);

/* A string without NUL for free(); -EINVAL with the sentence. */
int policy_text_get(const struct policy_at *at, struct json_span value,
    size_t max, char **textp);

/* Checks a whole text; *value lies in it. */
int policy_text_check(const char *raw_text, size_t len, const char *name,
    struct json_span *value, struct err *err);

/* A policy that stands inside another text. */
int policy_value_read(const struct policy_at *at, struct json_span value);

/* Limits and budgets (amount.c); `what` is the offset of the field. */
policy_read_fn policy_size_read, policy_duration_read, policy_count_read,
    policy_cpu_read, policy_budget_count_read, policy_budget_size_read;
