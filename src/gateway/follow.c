/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/follow.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"

const struct http_header follow_ndjson[2] = {
	{ "Content-Type", "application/x-ndjson" },
	{ "Cache-Control", "no-store" },
};

static void
follower_gone(struct visit *visit)
{
	struct follower *follower = (struct follower *)visit;

	TAILQ_REMOVE(&follower->follow->followers, follower, link);
	follower->follow->n--;
	follower->follow->gone(follower);
}

static void
follower_end(struct follower *follower)
{
	http_stream_end(follower->visit.request);
	follower_gone(&follower->visit);
}

static void
follower_drained(struct visit *visit)
{
	struct follower *follower = (struct follower *)visit;
	char line[64];

	follower->full = false;
	if (follower->missed == 0)
		return;
	const int len =
	    snprintf(line, sizeof(line), "{\"missed\":%u}\n", follower->missed);
	follower->missed = 0;
	http_stream_write(visit->request, line, (size_t)len);
}

/* An empty line is no object, and keeps middle boxes from cutting. */
static void
follower_silent(struct visit *visit)
{
	http_stream_write(visit->request, "\n", 1);
}

static const struct visit_ops follower_ops = {
	.gone = follower_gone,
	.drained = follower_drained,
	.silent = follower_silent,
};

void
follow_init(struct follow *follow, void (*gone)(struct follower *follower))
{
	TAILQ_INIT(&follow->followers);
	follow->n = 0;
	follow->gone = gone;
}

void
follow_begin(struct follow *follow, struct follower *follower,
    const struct visit *visit, const char *bytes, size_t len)
{
	if (follower == NULL || follow->n == FOLLOWERS_MAX) {
		if (follower != NULL)
			follow->gone(follower);
		http_request_answer_with(visit->request, "Retry-After", "5");
		route_refuse(visit->gateway, visit->request, 503,
		    "%u already follow this log, which is all there may be",
		    FOLLOWERS_MAX);
		return;
	}
	follower->visit = *visit;
	follower->visit.ops = &follower_ops;
	follower->follow = follow;
	TAILQ_INSERT_TAIL(&follow->followers, follower, link);
	follow->n++;
	http_request_owner_set(visit->request, follower);
	http_stream_begin(
	    visit->request, 200, follow_ndjson, ARRAY_LEN(follow_ndjson));
	follower->full = http_stream_write(visit->request, bytes, len);
}

static void
follower_tell(struct follower *follower, const char *line, size_t len)
{
	if (follower->full)
		follower->missed++;
	else
		follower->full =
		    http_stream_write(follower->visit.request, line, len);
}

void
follow_tell(struct follow *follow, const char *line, size_t len,
    follow_wants_fn *wants, const void *arg)
{
	struct follower *follower, *next;

	for (follower = TAILQ_FIRST(&follow->followers); follower != NULL;
	     follower = next) {
		next = TAILQ_NEXT(follower, link);
		if (follower->visit.principal->gone)
			follower_end(follower);
		else if (wants == NULL || wants(follower, arg))
			follower_tell(follower, line, len);
	}
}

void
follow_end(struct follow *follow)
{
	struct follower *follower;

	while ((follower = TAILQ_FIRST(&follow->followers)) != NULL)
		follower_end(follower);
}
