/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A folder of one's own, filled by a list of words, and gone at the end. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy.h"
#include "test.h"

struct tree {
	char path[64];
	char text[16][256]; /* of tree_path() */
	unsigned int used;
};

static inline int
tree_remove(const char *path, const struct stat *info, int type, struct FTW *at)
{
	(void)info, (void)type, (void)at;
	return remove(path);
}

static inline void
tree_end(struct tree *tree)
{
	assert_int_equal(
	    nftw(tree->path, tree_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The whole path; good for sixteen calls. */
static inline const char *
tree_path(struct tree *tree, const char *name)
{
	char *text = tree->text[tree->used++ % 16];
	const size_t len = strlen(tree->path);

	assert_true(len + strlen(name) + 2 < sizeof(tree->text[0]));
	memcpy(text, tree->path, len + 1);
	if (name[0] != '\0') {
		text[len] = '/';
		strcpy(text + len + 1, name);
	}
	return text;
}

/* "a/": a folder; "a -> b": a symlink; "a": a program that is "#!/bin/sh". */
static inline void
tree_add(struct tree *tree, const char *word)
{
	const char *arrow = strstr(word, " -> ");
	auto_free char *part = strndup(
	    word, arrow == NULL ? strlen(word) : (size_t)(arrow - word));
	char name[256];

	assert_non_null(part);
	strcpy(name, tree_path(tree, part));
	const size_t len = strlen(name);
	for (size_t i = strlen(tree->path) + 1; i < len; i++) {
		if (name[i] != '/')
			continue;
		name[i] = '\0';
		(void)mkdir(name, 0755);
		name[i] = '/';
	}
	if (arrow != NULL) {
		assert_int_equal(symlink(arrow + 4, name), 0);
	} else if (name[len - 1] != '/') {
		FILE *file = fopen(name, "wxe");

		assert_non_null(file);
		fputs("#!/bin/sh\n", file);
		fclose(file);
		assert_int_equal(chmod(name, 0755), 0);
	}
}

static inline void
tree_write(struct tree *tree, const char *name, const char *text)
{
	FILE *file = fopen(tree_path(tree, name), "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static inline void
tree_begin(struct tree *tree, const char *const *words)
{
	char path[] = "/tmp/cordon-policy-XXXXXX";

	tree->used = 0;
	assert_non_null(mkdtemp(path));
	strcpy(tree->path, path);
	for (; *words != NULL; words++)
		tree_add(tree, *words);
}
