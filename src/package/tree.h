/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A tree of files that a stranger filled, and its manifest, the text that a
 * digest is the SHA-256 of:
 *
 *     cordon package tree 1
 *     d TAB - TAB path
 *     f TAB size SP sha256 TAB path      x instead of f: may be run
 *     l TAB target TAB path
 *
 * A line an entry, in the order of the bytes of their paths, which are relative
 * and hold no control character. No times and no owners: what was resolved
 * twice is the same. Refused: links that leave the tree, set-id bits, whatever
 * is no file, folder or link, and more than the limits.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "package/package.h"

#define TREE_HASH_BYTES 32

enum tree_kind {
	TREE_FILE = 'f',
	TREE_PROGRAM = 'x',
	TREE_FOLDER = 'd',
	TREE_LINK = 'l',
};

struct tree_entry {
	char *path; /* owned */
	char *target; /* owned: of a link */
	uint64_t inode;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint8_t hash[TREE_HASH_BYTES]; /* of a file, after tree_hash() */
	enum tree_kind kind;
};

struct tree {
	struct tree_entry *entries; /* owned; sorted */
	size_t n;
	size_t capacity;
	uint64_t bytes;
	uint32_t n_files;
};

struct tree_limits {
	uint64_t bytes;
	uint32_t entries;
};

void tree_fini(struct tree *tree);

/* Reads what is below a folder; no file is opened, no link followed. The
 * caller finishes `tree` after success. */
int tree_scan(int root_fd, const struct tree_limits *limits, struct tree *tree,
    struct err *err);

/* Hashes the files: they must be what the scan saw. */
int tree_hash(int root_fd, struct tree *tree, struct err *err);

/* The manifest of a tree that was hashed; the caller frees. */
int tree_manifest(const struct tree *tree, char **text, size_t *len);

/* SHA-256 of a text, in lower-case hex. */
void tree_digest(const char *text, size_t len, char digest[PACKAGE_DIGEST_HEX]);

/* What a tree looked like without being read: equal bytes, equal files, but
 * for who can set a clock and write to a disk. The caller frees. */
int tree_seal(const struct tree *tree, char **bytes, size_t *len);

/* Folders 0555, files 0444 or 0555. */
int tree_freeze(int root_fd, const struct tree *tree, struct err *err);

/* Bytes and entries below a folder that is being filled; what vanishes
 * meanwhile is not counted. Stops beyond the limits. */
void tree_weigh(int root_fd, const struct tree_limits *limits, uint64_t *bytes,
    uint32_t *entries);

/* Removes a name in a folder, and what is below, read-only or not. */
int tree_remove(int parent_fd, const char *name);
