/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a server in a box is to the host: a command and a policy that mean the
 * same wherever they are read. What was said relative to whoever says it (the
 * home folder, the current one, patterns, variables passed on, profiles) is
 * written out here, once; the host looks at no file for it.
 */

#include <stdio.h>

#include "base/err.h"
#include "json/json.h"
#include "json/out.h"
#include "policy/policy.h"

struct package;

struct ctl_launch {
	const char *const *argv; /* NULL-ended; borrowed, as is all else */
	const struct policy *policy;
	struct policy_place place;
	bool has_cwd; /* it starts in place.cwd, whatever its operands are */
	const struct package *package; /* what argv was resolved to; NULL */
};

/* The place of whoever runs us; `cwd` is a buffer for the current folder. */
int ctl_place_here(
    struct policy_place *place, char *cwd, size_t size, struct err *err);

/*
 * Appends "command", "package" and "policy", members of an object, without its
 * braces. *hidden, if not NULL, gets the first operand that names a file which
 * the program may not read, for free(); NULL: there is none. Negative errno,
 * with the sentence.
 */
int ctl_launch_write(const struct ctl_launch *launch, struct json_out *out,
    char **hidden, struct err *err);

/* What it is, and what it will be able to do, for a person: an object with
 * "command", "policy", "package". Values of variables are not shown. */
void ctl_launch_print(FILE *out, struct json_span server);

/* What a "network" (of a policy, or of an isolate) lets its server reach and
 * spend, in plain words; an empty span: it reaches nothing. */
void ctl_network_print(FILE *out, struct json_span network);
