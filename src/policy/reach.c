/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Symlinks in folders that the program may write to. An earlier run may have
 * planted them, to be granted what they lead to when the same policy is used
 * again.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/base.h"
#include "policy/path.h"
#include "policy/resolve.h"

#define LINKS_MAX 40 /* the kernel's own */
#define BIT(list) (1u << (list))
#define WRITES (BIT(POLICY_ALLOW_WRITE) | BIT(POLICY_ALLOW_GUARDED))
#define ALLOWS (BIT(POLICY_FOUND) | BIT(POLICY_ALLOW_READ) | WRITES)

static bool
is_writable(const struct policy_resolution *all, const char *path)
{
	for (size_t i = 0; i < all->n_rules; i++) {
		const struct policy_rule *rule = &all->rules[i];

		if ((BIT(rule->list) & WRITES) != 0 &&
		    policy_path_within(path, rule->real))
			return true;
	}
	return false;
}

struct walk {
	char real[PATH_MAX]; /* so far; "": the root */
	char rest[PATH_MAX * 2];
};

/* The next part goes from `rest` to `real`; false: there is none. */
static bool
part_take(struct walk *walk)
{
	const size_t slashes = strspn(walk->rest, "/");
	const char *part = walk->rest + slashes;
	const size_t len = strcspn(part, "/");
	const size_t end = strlen(walk->real);

	if (len == 0 || end + 1 + len >= sizeof(walk->real))
		return false;
	if (len == 2 && memcmp(part, "..", 2) == 0) {
		char *slash = strrchr(walk->real, '/');
		if (slash != NULL)
			*slash = '\0';
	} else if (len != 1 || part[0] != '.') {
		walk->real[end] = '/';
		memcpy(walk->real + end + 1, part, len);
		walk->real[end + 1 + len] = '\0';
	}
	memmove(walk->rest, part + len, strlen(part + len) + 1);
	return true;
}

/* `real` is a link: it gives way to where it leads. */
static bool
link_follow(struct walk *walk)
{
	char target[PATH_MAX], more[sizeof(walk->rest)];
	const ssize_t n = readlink(walk->real, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	if (snprintf(more, sizeof(more), "%s/%s", target, walk->rest) >=
	    (int)sizeof(more))
		return false;
	memcpy(walk->rest, more, strlen(more) + 1);
	*(target[0] == '/' ? walk->real : strrchr(walk->real, '/')) = '\0';
	return true;
}

/* Whether a link on the way to a path, or on the way that a link leads, lies
 * where the program may write. */
static bool
is_led_by_program(const struct policy_resolution *all, const char *path)
{
	struct walk walk = { "", "" };
	struct stat info;
	int n_links = 0;

	if (snprintf(walk.rest, sizeof(walk.rest), "%s", path) >=
	    (int)sizeof(walk.rest))
		return true;
	while (part_take(&walk)) {
		if (walk.real[0] == '\0')
			continue;
		if (lstat(walk.real, &info) < 0)
			return false; /* nor is there what comes behind it */
		if (!S_ISLNK(info.st_mode))
			continue;
		char *slash = strrchr(walk.real, '/');
		*slash = '\0';
		const bool is_planted =
		    is_writable(all, slash == walk.real ? "/" : walk.real);
		*slash = '/';
		if (is_planted || ++n_links > LINKS_MAX || !link_follow(&walk))
			return true;
	}
	return false;
}

static bool
is_in_doubt(const struct policy_resolution *all, const struct policy_rule *rule)
{
	return strcmp(rule->path, rule->real) != 0 &&
	    is_led_by_program(all, rule->path);
}

/* Less than what is in no doubt gives it anyhow. */
static bool
is_no_gain(const struct policy_resolution *all, const struct policy_rule *rule)
{
	if ((BIT(rule->list) & WRITES) == 0 && box_base_has(rule->real))
		return true;
	for (size_t i = 0; i < all->n_rules; i++) {
		const struct policy_rule *other = &all->rules[i];

		if (other != rule && (BIT(other->list) & WRITES) != 0 &&
		    policy_path_within(rule->real, other->real) &&
		    !is_in_doubt(all, other))
			return true;
	}
	return false;
}

static void
rule_remove(struct policy_resolution *all, size_t i)
{
	free(all->rules[i].path);
	free(all->rules[i].real);
	all->n_rules--;
	memmove(&all->rules[i], &all->rules[i + 1],
	    (all->n_rules - i) * sizeof(*all->rules));
}

int
policy_reach_check(struct policy_resolution *all)
{
	for (size_t i = 0; all->place != NULL && i < all->n_rules;) {
		const struct policy_rule *rule = &all->rules[i];

		if ((BIT(rule->list) & ALLOWS) == 0 ||
		    !is_in_doubt(all, rule) || is_no_gain(all, rule)) {
			i++;
			continue;
		}
		/* What was looked for is not granted, and no more said. */
		if (rule->list != POLICY_FOUND)
			return err_set(all->err, -ELOOP,
			    "%s: there is a symbolic link on the way, in a "
			    "folder that the program may write to: it may have "
			    "planted it; name the real path, %s",
			    rule->path, rule->real);
		rule_remove(all, i);
	}
	return 0;
}
