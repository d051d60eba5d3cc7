/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The folder that trees are kept in (package.h says what lies there), and the
 * staging folders in which they come about: ".staging-…", locked (flock(2)) by
 * who fills it; one that nobody holds any more is swept away by the next.
 */

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "package/package.h"
#include "package/tree.h"
#include "package/words.h"

#define KEEP_PATH_MAX (PATH_MAX - 128)
#define KEEP_TREE "tree" /* in a staging folder: what is to be kept */

struct keep {
	char path[KEEP_PATH_MAX]; /* absolute */
	int fd;
};

#define KEEP_NONE                                                              \
	{                                                                      \
		.fd = -1                                                       \
	}

/* Makes it when it is missing. Refused where others may write to it. */
int keep_open(struct keep *keep, const char *folder, struct err *err);
void keep_fini(struct keep *keep);

struct staging {
	const struct keep *keep; /* borrowed */
	char name[32];
	char path[PATH_MAX];
	int fd; /* locked */
	int tree_fd; /* of KEEP_TREE in it */
};

#define STAGING_NONE                                                           \
	{                                                                      \
		.fd = -1, .tree_fd = -1                                        \
	}

int
staging_open(struct staging *staging, const struct keep *keep, struct err *err);
/* Removes it. */
void staging_fini(struct staging *staging);

/*
 * Checks a staged tree, makes it read-only and keeps it under its digest. Where
 * that is there already and whole, ours is dropped; where it was damaged, ours
 * takes its place.
 */
int keep_take(struct staging *staging, const struct tree_limits *limits,
    struct package *package, struct err *err);

/* Whether a kept tree is as it was: by its seal, or all of it by its digest
 * (always, when `is_thorough`). The sentence names what is not. */
int keep_check(const struct keep *keep, const char *digest, bool is_thorough,
    struct err *err);

/* keep_check() of all trees; those that fail are set aside. */
int keep_check_all(const struct keep *keep, void (*say)(const char *sentence),
    struct err *err);

/* A tree with all that names it. */
int keep_remove(const struct keep *keep, const char *digest, struct err *err);

/* A request: what a key (of tree_digest()) was resolved to. */
int keep_request_put(const struct keep *keep, const struct staging *staging,
    const char *key, const struct package *package, struct err *err);

/* 0; -ENOENT: nobody asked yet; negative: its file is not as it was written.
 * Fills all but path, run; argv without arguments. */
int keep_request_get(
    const struct keep *keep, const char *key, struct package *package);

/* Forgets all that was resolved to a tree. */
void keep_requests_remove(const struct keep *keep, const char *digest);
