/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who follows a log: a streamed answer of one JSON object a line. One that reads
 * too slowly misses some lines, and is told how many.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "gateway/gateway.h"

#define FOLLOWERS_MAX 16u /* of one log */

extern const struct http_header follow_ndjson[2];

struct follower {
	struct visit visit;
	TAILQ_ENTRY(follower) link;
	struct follow *follow;
	bool full;
	unsigned missed;
};

struct follow {
	TAILQ_HEAD(, follower) followers;
	unsigned n;
	/* One is over: frees what it is the first member of. */
	void (*gone)(struct follower *follower);
};

void
follow_init(struct follow *follow, void (*gone)(struct follower *follower));
/* Begins the answer with what there is by now. `follower` (NULL: there was no
 * memory) is follow's from here on: where there are too many, it is gone, and
 * the visit refused. */
void follow_begin(struct follow *follow, struct follower *follower,
    const struct visit *visit, const char *bytes, size_t len);
/* One more line, for those who want it (NULL: all do). */
typedef bool follow_wants_fn(const struct follower *follower, const void *arg);
void follow_tell(struct follow *follow, const char *line, size_t len,
    follow_wants_fn *wants, const void *arg);
/* Ends them all. */
void follow_end(struct follow *follow);
