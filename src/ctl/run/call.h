/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One call without a host: starts a supervisor with one deployment, plays the
 * gateway's part through a pool (pool/pool.h), and ends everything again.
 */

#include <stddef.h>

#include "ctl/run/answer.h"
#include "json/json.h"
#include "wire/limits.h"

struct event_base;

struct ctl_call {
	int bundle_fd; /* borrowed */
	int egress_fd; /* borrowed: settings (run/net.h); -1: nothing is reached */
	const char *name; /* of the deployment */
	const char *tool; /* NULL: the only one, or a request */
	struct json_span input; /* of a checked text */
	const struct wire_limits *limits;
	/* One console line, as it comes. */
	void (*log)(void *arg, int level, const char *raw_text, size_t len);
	/* The answer is known; nothing has been cleaned up yet. */
	void (*answered)(void *arg, const struct ctl_answer *answer);
	void *arg;
};

/*
 * Runs it on the base; returns when the answer was given and no process of the
 * call is left. event_base_loopbreak() from a signal's event ends it without
 * an answer. Returns whether there was one.
 */
bool ctl_call_run(const struct ctl_call *call, struct event_base *base);
