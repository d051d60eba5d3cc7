/* SPDX-License-Identifier: Apache-2.0
 *
 * The last events, for `cordon egress log`: when there are too many bytes the
 * oldest go, of a server that has more than its share of them its own. Who
 * follows gets each new one that it may see; one that reads too
 * slowly misses some, and is told how many.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/auto.h"
#include "gateway/egress/watch.h"
#include "gateway/follow.h"

struct entry {
	TAILQ_ENTRY(entry) link;
	STAILQ_ENTRY(entry) own_link;
	struct own *own;
	uint32_t tenant; /* 0: of a server that is gone */
	bool refused;
	char server[WIRE_NAME_MAX];
	size_t len;
	char line[];
};

/* Of one server. */
struct own {
	STAILQ_HEAD(, entry) entries; /* the oldest first */
	size_t bytes;
};

/* What an answer is of. */
struct wanted {
	uint32_t tenant; /* 0: all */
	char server[WIRE_NAME_MAX]; /* "": all */
	bool refused; /* those alone */
};

struct egress_follower {
	struct follower follower;
	struct wanted wanted;
};

struct egress_kept {
	TAILQ_HEAD(entries, entry) entries; /* the oldest first */
	size_t bytes;
	struct own own[WIRE_DEPLOYMENTS_MAX + 1]; /* the last: of no server */
	struct follow follow;
};

static void
egress_follower_gone(struct follower *follower)
{
	free((struct egress_follower *)follower);
}

struct egress_kept *
egress_kept_new(void)
{
	struct egress_kept *kept = calloc(1, sizeof(*kept));

	if (kept == NULL)
		return NULL;
	TAILQ_INIT(&kept->entries);
	for (size_t i = 0; i < ARRAY_LEN(kept->own); i++)
		STAILQ_INIT(&kept->own[i].entries);
	follow_init(&kept->follow, egress_follower_gone);
	return kept;
}

static size_t
entry_size(const struct entry *entry)
{
	return sizeof(*entry) + entry->len;
}

static void
entry_add(struct egress_kept *kept, struct own *own, struct entry *entry)
{
	entry->own = own;
	TAILQ_INSERT_TAIL(&kept->entries, entry, link);
	STAILQ_INSERT_TAIL(&own->entries, entry, own_link);
	kept->bytes += entry_size(entry);
	own->bytes += entry_size(entry);
}

/* The oldest of its own; so is the oldest of all. */
static void
entry_drop(struct egress_kept *kept, struct entry *entry)
{
	TAILQ_REMOVE(&kept->entries, entry, link);
	STAILQ_REMOVE_HEAD(&entry->own->entries, own_link);
	kept->bytes -= entry_size(entry);
	entry->own->bytes -= entry_size(entry);
	free(entry);
}

/* Whose share is used up loses its own oldest, so that nobody pushes out what
 * is known of others. */
static struct entry *
least_needed(const struct egress_kept *kept, const struct own *own)
{
	return own->bytes > EGRESS_KEPT_SHARE ? STAILQ_FIRST(&own->entries)
					      : TAILQ_FIRST(&kept->entries);
}

struct egress_kept *
egress_kept_free(struct egress_kept *kept)
{
	while (kept != NULL && !TAILQ_EMPTY(&kept->entries))
		entry_drop(kept, TAILQ_FIRST(&kept->entries));
	free(kept);
	return NULL;
}

static bool
is_wanted(const struct wanted *wanted, const struct entry *entry)
{
	return (wanted->tenant == 0 || wanted->tenant == entry->tenant) &&
	    (wanted->server[0] == '\0' ||
		strcmp(wanted->server, entry->server) == 0) &&
	    (!wanted->refused || entry->refused);
}

static bool
follower_wants(const struct follower *follower, const void *arg)
{
	return is_wanted(
	    &((const struct egress_follower *)follower)->wanted, arg);
}

void
egress_kept_drain(struct egress_kept *kept)
{
	follow_end(&kept->follow);
}

/* ---- what is kept ----------------------------------------------------------
 */

void
egress_keep(struct egress_kept *kept, const struct egress_told *told,
    const char *line, size_t len)
{
	const uint32_t deployment = told->event.deployment;
	struct own *own = &kept->own[deployment < WIRE_DEPLOYMENTS_MAX
		? deployment
		: WIRE_DEPLOYMENTS_MAX];
	struct entry *entry = malloc(sizeof(*entry) + len);

	if (entry == NULL)
		return;
	*entry = (struct entry){ .refused = told->event.refused, .len = len };
	if (told->server != NULL) {
		entry->tenant = told->server->record.tenant;
		strcpy(entry->server, told->server->name);
	}
	memcpy(entry->line, line, len);
	entry_add(kept, own, entry);
	follow_tell(&kept->follow, line, len, follower_wants, entry);
	while (kept->bytes > EGRESS_KEPT_BYTES)
		entry_drop(kept, least_needed(kept, own));
}

/* ---- answers ---------------------------------------------------------------
 */

static struct wanted
wanted_of(const struct egress_wanted *asked)
{
	struct wanted wanted = { .refused = asked->refused };

	if (asked->tenant != NULL)
		wanted.tenant = asked->tenant->record.id;
	memcpy(wanted.server, asked->server, sizeof(wanted.server));
	return wanted;
}

/* From malloc; NULL: none, or no memory. */
static char *
lines_get(
    const struct egress_kept *kept, const struct wanted *wanted, size_t *lenp)
{
	const struct entry *entry;
	size_t len = 0;

	TAILQ_FOREACH (entry, &kept->entries, link)
		len += is_wanted(wanted, entry) ? entry->len : 0;
	char *lines = len > 0 ? malloc(len) : NULL;
	*lenp = 0;
	if (lines == NULL)
		return NULL;
	TAILQ_FOREACH (entry, &kept->entries, link) {
		if (!is_wanted(wanted, entry))
			continue;
		memcpy(lines + *lenp, entry->line, entry->len);
		*lenp += entry->len;
	}
	return lines;
}

void
egress_log_answer(const struct visit *visit, struct egress_kept *kept,
    const struct egress_wanted *asked)
{
	const struct wanted wanted = wanted_of(asked);
	size_t len = 0;

	char *lines = lines_get(kept, &wanted, &len);
	if (!asked->follow) {
		http_reply(visit->request, 200, follow_ndjson,
		    ARRAY_LEN(follow_ndjson), lines, len);
		return;
	}
	struct egress_follower *ours = calloc(1, sizeof(*ours));
	if (ours != NULL)
		ours->wanted = wanted;
	follow_begin(&kept->follow, ours == NULL ? NULL : &ours->follower,
	    visit, len > 0 ? lines : "", len);
	free(lines);
}
