/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rules are about files; a file may be seen at several places of a box: its own
 * and, where a granted path leads over a symlink that the box does not show,
 * that path's. Each rule is laid on all places of its file, so that no other
 * name leads around a deny. Then, place by place: a deny beats an allow, and
 * what adds nothing to the place above it goes.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "box/base.h"
#include "policy/path.h"
#include "policy/resolve.h"

#define BIT(list) (1u << (list))
#define WRITES (BIT(POLICY_ALLOW_WRITE) | BIT(POLICY_ALLOW_GUARDED))
#define ALLOWS (BIT(POLICY_FOUND) | BIT(POLICY_ALLOW_READ) | WRITES)
#define PLACES_MAX ((size_t)BOX_GRANTS_MAX * 4)

/* A place and all that is said of it. */
struct spot {
	char *at; /* owned */
	char *real; /* owned */
	uint32_t lists; /* BIT(list) */
	bool is_needed;
};

struct spots {
	struct spot *at;
	size_t n;
	size_t capacity;
};

static void
spots_fini(struct spots *spots)
{
	for (size_t i = 0; i < spots->n; i++) {
		free(spots->at[i].at);
		free(spots->at[i].real);
	}
	free(spots->at);
}

/* Takes `at`, on failure too. */
static int
spot_add(struct spots *spots, char *at, const struct policy_rule *rule)
{
	auto_free char *owned = at;
	auto_free char *real = strdup(rule->real);

	if (owned == NULL || real == NULL)
		return -ENOMEM;
	if (spots->n == PLACES_MAX)
		return -E2BIG;
	if (spots->n == spots->capacity) {
		const size_t capacity =
		    spots->capacity == 0 ? 16 : spots->capacity * 2;
		struct spot *more =
		    reallocarray(spots->at, capacity, sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		spots->at = more;
		spots->capacity = capacity;
	}
	spots->at[spots->n++] =
	    (struct spot){ steal_ptr(&owned), steal_ptr(&real), BIT(rule->list),
		    !rule->is_optional && (BIT(rule->list) & ALLOWS) != 0 };
	return 0;
}

/* The first symlink on the way, in `link`; false: there is none. */
static bool
link_find(const char *path, char link[BOX_PATH_MAX])
{
	struct stat info;

	for (size_t i = 1; i < BOX_PATH_MAX; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(link, path, i);
		link[i] = '\0';
		if (lstat(link, &info) != 0)
			return false;
		if (S_ISLNK(info.st_mode))
			return true;
		if (path[i] == '\0')
			return false;
	}
	return false;
}

/* A symlink that the box shows leads to the file by itself; nothing can be
 * mounted on it. */
static bool
link_is_shown(const struct policy_resolution *all, const char *link)
{
	if (box_base_has(link))
		return true;
	for (size_t i = 0; i < all->n_rules; i++) {
		const struct policy_rule *rule = &all->rules[i];

		if ((BIT(rule->list) & ALLOWS) != 0 &&
		    strcmp(rule->path, rule->real) == 0 &&
		    policy_path_within(link, rule->path))
			return true;
	}
	return false;
}

static void
views_find(struct policy_resolution *all)
{
	char link[BOX_PATH_MAX];

	for (size_t i = 0; all->place != NULL && i < all->n_rules; i++) {
		struct policy_rule *rule = &all->rules[i];

		rule->is_view = (BIT(rule->list) & ALLOWS) != 0 &&
		    strcmp(rule->path, rule->real) != 0 &&
		    link_find(rule->path, link) && !link_is_shown(all, link);
	}
}

static int
rule_lay(const struct policy_resolution *all, const struct policy_rule *rule,
    struct spots *spots)
{
	int r = spot_add(spots, strdup(rule->real), rule);

	for (size_t i = 0; r == 0 && i < all->n_rules; i++) {
		const struct policy_rule *view = &all->rules[i];

		if (!view->is_view ||
		    !policy_path_within(rule->real, view->real))
			continue;
		const char *rest = rule->real + strlen(view->real);
		r = spot_add(spots,
		    *rest == '\0' ? strdup(view->path)
				  : policy_path_join(view->path, rest + 1),
		    rule);
	}
	return r;
}

static int
spot_compare(const void *a, const void *b)
{
	return strcmp(
	    ((const struct spot *)a)->at, ((const struct spot *)b)->at);
}

/* Those of one place become one. */
static void
spots_merge(struct spots *spots)
{
	size_t kept = 0;

	if (spots->n == 0)
		return;
	qsort(spots->at, spots->n, sizeof(*spots->at), spot_compare);
	for (size_t i = 1; i < spots->n; i++) {
		struct spot *last = &spots->at[kept], *spot = &spots->at[i];

		if (strcmp(last->at, spot->at) != 0) {
			spots->at[++kept] = *spot;
			continue;
		}
		last->lists |= spot->lists;
		last->is_needed |= spot->is_needed;
		free(spot->at);
		free(spot->real);
	}
	spots->n = kept + 1;
}

/* The grant that a place lies in; parents come first. NULL: none. */
static const struct policy_grant *
above(const struct policy_resolution *all, const char *at)
{
	for (size_t i = all->n_grants; i > 0; i--) {
		if (policy_path_within(at, all->grants[i - 1].at))
			return &all->grants[i - 1];
	}
	return NULL;
}

/* Whether something is there without a grant. */
static bool
is_in_every_box(const char *at)
{
	return box_base_has(at) || policy_path_within(at, "/proc");
}

/* What a place is to be; false: nothing of its own. */
static bool
spot_decide(const struct policy_resolution *all, const struct spot *spot,
    struct policy_grant *grant)
{
	const struct policy_grant *parent = above(all, spot->at);
	const bool is_shown = parent != NULL ? parent->access != BOX_ACCESS_HIDE
					     : is_in_every_box(spot->at);
	const bool is_in_write =
	    parent != NULL && parent->access == BOX_ACCESS_WRITE;
	const uint32_t lists = spot->lists, allows = lists & ALLOWS;

	grant->access = BOX_ACCESS_READ;
	grant->flags = spot->is_needed ? 0 : BOX_GRANT_OPTIONAL;
	if ((lists & BIT(POLICY_DENY_READ)) != 0) {
		grant->access = BOX_ACCESS_HIDE;
		grant->flags = BOX_GRANT_OPTIONAL;
		return is_shown;
	}
	if ((allows & ~BIT(POLICY_FOUND)) == 0) {
		grant->is_deny =
		    is_in_write && (lists & BIT(POLICY_DENY_WRITE)) != 0;
		return grant->is_deny || (allows != 0 && !is_shown);
	}
	/* A launch document's paths may be links: all of them stay. */
	if ((allows & WRITES) == 0 || (lists & BIT(POLICY_DENY_WRITE)) != 0)
		return all->place == NULL || !is_shown ||
		    (parent != NULL && parent->access != BOX_ACCESS_READ);
	grant->access = BOX_ACCESS_WRITE;
	if ((lists & BIT(POLICY_ALLOW_GUARDED)) != 0)
		grant->flags |= BOX_GRANT_GUARD;
	return all->place == NULL || !is_in_write ||
	    ((parent->flags ^ grant->flags) & BOX_GRANT_GUARD) != 0;
}

static int
grant_add(struct policy_resolution *all, struct spot *spot)
{
	struct policy_grant grant = { 0 };

	if (strcmp(spot->at, "/") == 0 || !spot_decide(all, spot, &grant))
		return 0;
	if (all->n_grants == BOX_GRANTS_MAX)
		return -E2BIG;
	grant.path = steal_ptr(&spot->real);
	grant.at = steal_ptr(&spot->at);
	all->grants[all->n_grants++] = grant;
	return 0;
}

int
policy_grants_make(struct policy_resolution *all)
{
	struct spots spots = { 0 };
	int r = policy_reach_check(all);

	if (r != 0)
		return r;
	views_find(all);
	for (size_t i = 0; r == 0 && i < all->n_rules; i++)
		r = rule_lay(all, &all->rules[i], &spots);
	all->grants = calloc(BOX_GRANTS_MAX, sizeof(*all->grants));
	if (r == 0 && all->grants == NULL)
		r = -ENOMEM;
	if (r == 0)
		spots_merge(&spots);
	for (size_t i = 0; r == 0 && i < spots.n; i++)
		r = grant_add(all, &spots.at[i]);
	spots_fini(&spots);
	if (r == -E2BIG)
		return err_set(all->err, r,
		    "more than %u paths are granted or denied; name the "
		    "folders they lie in",
		    BOX_GRANTS_MAX);
	return r == 0 ? 0 : err_set(all->err, r, "no memory");
}
