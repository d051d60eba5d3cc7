/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How a call ended, as `cordon run` shows it: to a person on two streams, or
 * to a program as one JSON object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "ctl/ctl.h"
#include "pool/pool.h"
#include "wire/limits.h"

struct ctl_answer {
	int exit_code;
	const char *code; /* static: "ok", "exception", "usage" … */
	const char *limit; /* static: which limit was passed, or NULL */
	char *json; /* owned: the result, or {"message", "stack"?, …} */
	size_t json_len;
	struct pool_usage usage;
};

void ctl_answer_fini(struct ctl_answer *answer);

/*
 * Sets the answer from what a pool said. The result of a tool is checked to
 * be JSON here. `loading`: it is the bundle that did not come up.
 */
void ctl_answer_take(struct ctl_answer *answer,
    const struct pool_outcome *outcome, bool loading);

/* An error in our own words: usage, internal, or on a server's behalf. */
void ctl_answer_fail(struct ctl_answer *answer, int exit_code, const char *code,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Prints the result on `out`, indented where that is a terminal; or the error
 * on `say`, with the stack below it and what may be done about it.
 */
void ctl_answer_print(const struct ctl_answer *answer,
    const struct wire_limits *limits, FILE *out, FILE *say);

struct json_out;

/* Adds {"level", "text"} to an array of log lines that began with "[". */
void
ctl_log_add(struct json_out *logs, int level, const char *raw_text, size_t len);

/* The one object of --json, in a line; `logs` are the elements so far. */
void ctl_answer_print_json(
    const struct ctl_answer *answer, const struct json_out *logs, FILE *out);

/* "[warn] text" with everything hidden escaped. */
void ctl_log_print(FILE *say, int level, const char *raw_text, size_t len);
