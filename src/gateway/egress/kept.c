/* SPDX-License-Identifier: Apache-2.0
 *
 * The last events, for `cordon egress log`: the oldest go when there are too
 * many bytes. Who follows gets each new one that it may see; one that reads too
 * slowly misses some, and is told how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/auto.h"
#include "gateway/egress/watch.h"

struct entry {
	TAILQ_ENTRY(entry) link;
	uint32_t tenant; /* 0: of a server that is gone */
	bool refused;
	char server[WIRE_NAME_MAX];
	size_t len;
	char line[];
};

struct follower {
	struct visit visit;
	TAILQ_ENTRY(follower) link;
	struct egress_kept *kept;
	uint32_t tenant; /* 0: all */
	char server[WIRE_NAME_MAX];
	bool refused;
	bool full;
	unsigned missed;
};

struct egress_kept {
	TAILQ_HEAD(, entry) entries; /* the oldest first */
	size_t bytes;
	TAILQ_HEAD(, follower) followers;
	unsigned n_followers;
};

struct egress_kept *
egress_kept_new(void)
{
	struct egress_kept *kept = calloc(1, sizeof(*kept));

	if (kept == NULL)
		return NULL;
	TAILQ_INIT(&kept->entries);
	TAILQ_INIT(&kept->followers);
	return kept;
}

static void
oldest_drop(struct egress_kept *kept)
{
	struct entry *entry = TAILQ_FIRST(&kept->entries);

	TAILQ_REMOVE(&kept->entries, entry, link);
	kept->bytes -= sizeof(*entry) + entry->len;
	free(entry);
}

struct egress_kept *
egress_kept_free(struct egress_kept *kept)
{
	while (kept != NULL && !TAILQ_EMPTY(&kept->entries))
		oldest_drop(kept);
	free(kept);
	return NULL;
}

/* ---- those who follow ------------------------------------------------------
 */

static void
follower_gone(struct visit *visit)
{
	struct follower *follower = (struct follower *)visit;
	struct egress_kept *kept = follower->kept;

	TAILQ_REMOVE(&kept->followers, follower, link);
	kept->n_followers--;
	free(follower);
}

static void
follower_end(struct follower *follower)
{
	http_stream_end(follower->visit.request);
	follower_gone(&follower->visit);
}

static bool
is_wanted(const struct follower *follower, const struct entry *entry)
{
	return (follower->tenant == 0 || follower->tenant == entry->tenant) &&
	    (follower->server[0] == '\0' ||
		strcmp(follower->server, entry->server) == 0) &&
	    (!follower->refused || entry->refused);
}

static void
follower_tell(struct follower *follower, const struct entry *entry)
{
	if (follower->visit.principal->gone)
		follower_end(follower);
	else if (!is_wanted(follower, entry))
		return;
	else if (follower->full)
		follower->missed++;
	else
		follower->full = http_stream_write(
		    follower->visit.request, entry->line, entry->len);
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
egress_kept_drain(struct egress_kept *kept)
{
	struct follower *follower;

	while ((follower = TAILQ_FIRST(&kept->followers)) != NULL)
		follower_end(follower);
}

/* ---- what is kept ----------------------------------------------------------
 */

void
egress_keep(struct egress_kept *kept, const struct egress_told *told,
    const char *line, size_t len)
{
	struct entry *entry = malloc(sizeof(*entry) + len);
	struct follower *follower, *next;

	if (entry == NULL)
		return;
	*entry = (struct entry){ .refused = told->event.refused, .len = len };
	if (told->server != NULL) {
		entry->tenant = told->server->record.tenant;
		strcpy(entry->server, told->server->name);
	}
	memcpy(entry->line, line, len);
	TAILQ_INSERT_TAIL(&kept->entries, entry, link);
	kept->bytes += sizeof(*entry) + len;
	for (follower = TAILQ_FIRST(&kept->followers); follower != NULL;
	     follower = next) {
		next = TAILQ_NEXT(follower, link);
		follower_tell(follower, entry);
	}
	while (kept->bytes > EGRESS_KEPT_BYTES)
		oldest_drop(kept);
}

/* ---- answers ---------------------------------------------------------------
 */

static const struct http_header ndjson[] = {
	{ "Content-Type", "application/x-ndjson" },
	{ "Cache-Control", "no-store" },
};

static void
wanted_set(struct follower *follower, const struct egress_wanted *wanted)
{
	follower->tenant =
	    wanted->tenant != NULL ? wanted->tenant->record.id : 0;
	memcpy(follower->server, wanted->server, sizeof(follower->server));
	follower->refused = wanted->refused;
}

/* From malloc; NULL: none, or no memory. */
static char *
lines_get(const struct egress_kept *kept, const struct follower *follower,
    size_t *lenp)
{
	const struct entry *entry;
	size_t len = 0;

	TAILQ_FOREACH (entry, &kept->entries, link)
		len += is_wanted(follower, entry) ? entry->len : 0;
	char *lines = len > 0 ? malloc(len) : NULL;
	*lenp = 0;
	if (lines == NULL)
		return NULL;
	TAILQ_FOREACH (entry, &kept->entries, link) {
		if (!is_wanted(follower, entry))
			continue;
		memcpy(lines + *lenp, entry->line, entry->len);
		*lenp += entry->len;
	}
	return lines;
}

static void
follow_start(const struct visit *visit, struct egress_kept *kept,
    const struct egress_wanted *wanted)
{
	struct follower *follower = calloc(1, sizeof(*follower));
	size_t len = 0;

	if (follower == NULL || kept->n_followers == EGRESS_FOLLOWERS_MAX) {
		free(follower);
		http_request_answer_with(visit->request, "Retry-After", "5");
		route_refuse(visit->gateway, visit->request, 503,
		    "%u already follow this log, which is all there may be",
		    EGRESS_FOLLOWERS_MAX);
		return;
	}
	follower->visit = *visit;
	follower->visit.ops = &follower_ops;
	follower->kept = kept;
	wanted_set(follower, wanted);
	TAILQ_INSERT_TAIL(&kept->followers, follower, link);
	kept->n_followers++;
	http_request_owner_set(visit->request, follower);
	http_stream_begin(visit->request, 200, ndjson, ARRAY_LEN(ndjson));
	auto_free char *lines = lines_get(kept, follower, &len);
	follower->full =
	    http_stream_write(visit->request, len > 0 ? lines : "", len);
}

void
egress_log_answer(const struct visit *visit, struct egress_kept *kept,
    const struct egress_wanted *wanted)
{
	struct follower asker = { 0 };
	size_t len = 0;

	if (wanted->follow) {
		follow_start(visit, kept, wanted);
		return;
	}
	wanted_set(&asker, wanted);
	char *lines = lines_get(kept, &asker, &len);
	http_reply(visit->request, 200, ndjson, ARRAY_LEN(ndjson), lines, len);
}
