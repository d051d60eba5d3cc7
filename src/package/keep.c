/* SPDX-License-Identifier: Apache-2.0 */
#include "package/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "package/file.h"

#define STAGING_PREFIX ".staging-"
#define STAGING_AGE_S 60 /* younger ones may not be locked yet */
#define MANIFEST_BYTES_MAX (256u << 20)

/* What is there was bounded when it came. */
static const struct tree_limits no_limits = { UINT64_MAX, UINT32_MAX };

/* -- the folder ----------------------------------------------------------- */

static int
folders_make(char *path)
{
	for (size_t i = 1; path[0] != '\0' && path[i] != '\0'; i++) {
		if (path[i] != '/')
			continue;
		path[i] = '\0';
		const int r = mkdir(path, 0700);
		path[i] = '/';
		if (r < 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int
folder_check(const char *path, int fd, struct err *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (status.st_uid != geteuid() || (status.st_mode & 022) != 0)
		return err_set(err, -EPERM,
		    "%s: others than its owner may write to it, or its owner "
		    "is somebody else: what is kept there is run",
		    path);
	return 0;
}

int
keep_open(struct keep *keep, const char *folder, struct err *err)
{
	if (folder[0] != '/' || strlen(folder) >= KEEP_PATH_MAX)
		return err_set(err, -EINVAL,
		    "%s: the folder of packages must be an absolute path",
		    folder);
	strcpy(keep->path, folder);
	const int r = folders_make(keep->path);
	if (r < 0)
		return err_set(err, r, "%s: %s", folder, strerror(-r));
	keep->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keep->fd < 0)
		return err_set(err, -errno, "%s: %s", folder, strerror(errno));
	return folder_check(folder, keep->fd, err);
}

void
keep_fini(struct keep *keep)
{
	if (keep->fd >= 0)
		close(keep->fd);
	keep->fd = -1;
}

/* -- staging -------------------------------------------------------------- */

static bool
is_abandoned(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 &&
	    time(NULL) - status.st_mtime > STAGING_AGE_S &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void
staging_sweep(const struct keep *keep)
{
	const int dir_fd =
	    openat(keep->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);

	if (dir == NULL)
		return;
	for (struct dirent *item; (item = readdir(dir)) != NULL;) {
		if (strncmp(item->d_name, STAGING_PREFIX,
			strlen(STAGING_PREFIX)) != 0)
			continue;
		auto_close int fd = openat(keep->fd, item->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && is_abandoned(fd))
			tree_remove(keep->fd, item->d_name);
	}
	closedir(dir);
}

int
staging_open(struct staging *staging, const struct keep *keep, struct err *err)
{
	staging_sweep(keep);
	snprintf(staging->path, sizeof(staging->path),
	    "%s/" STAGING_PREFIX "XXXXXX", keep->path);
	if (mkdtemp(staging->path) == NULL)
		return err_set(
		    err, -errno, "%s: %s", keep->path, strerror(errno));
	snprintf(staging->name, sizeof(staging->name), "%s",
	    strrchr(staging->path, '/') + 1);
	staging->keep = keep;
	staging->fd = openat(keep->fd, staging->name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (staging->fd < 0 || flock(staging->fd, LOCK_EX | LOCK_NB) < 0 ||
	    mkdirat(staging->fd, KEEP_TREE, 0700) < 0)
		return err_set(
		    err, -errno, "%s: %s", staging->path, strerror(errno));
	staging->tree_fd = openat(staging->fd, KEEP_TREE,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return staging->tree_fd >= 0
	    ? 0
	    : err_set(err, -errno, "%s: %s", staging->path, strerror(errno));
}

void
staging_fini(struct staging *staging)
{
	if (staging->tree_fd >= 0)
		close(staging->tree_fd);
	if (staging->keep != NULL && staging->name[0] != '\0')
		tree_remove(staging->keep->fd, staging->name);
	if (staging->fd >= 0)
		close(staging->fd);
	*staging = (struct staging)STAGING_NONE;
}

/* -- check ---------------------------------------------------------------- */

static bool
digest_is_good(const char *digest)
{
	return strlen(digest) == PACKAGE_DIGEST_HEX - 1 &&
	    strspn(digest, "0123456789abcdef") == PACKAGE_DIGEST_HEX - 1;
}

/* "<digest>.seal", beside the tree. */
struct beside {
	char name[PACKAGE_DIGEST_HEX + 16];
};

static struct beside
beside(const char *digest, const char *suffix)
{
	struct beside made;

	snprintf(made.name, sizeof(made.name), "%s%s", digest, suffix);
	return made;
}

/* By rename: whoever reads it meanwhile has the old one or the new one. */
static int
beside_write(
    const struct keep *keep, const char *name, const char *bytes, size_t len)
{
	char temporary[64];

	snprintf(temporary, sizeof(temporary), STAGING_PREFIX "%d-%.16s",
	    (int)getpid(), name);
	unlinkat(keep->fd, temporary, 0);
	int r = file_make(keep->fd, temporary, bytes, len, 0600);
	if (r == 0 && renameat(keep->fd, temporary, keep->fd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(keep->fd, temporary, 0);
	return r;
}

static bool
seal_fits(const struct keep *keep, const char *digest, const struct tree *tree)
{
	auto_free char *kept = NULL, *made = NULL;
	size_t kept_len, made_len;

	return file_read(keep->fd, beside(digest, ".seal").name,
		   MANIFEST_BYTES_MAX, &kept, &kept_len) == 0 &&
	    tree_seal(tree, &made, &made_len) == 0 && kept_len == made_len &&
	    memcmp(kept, made, made_len) == 0;
}

static int
seal_write(const struct keep *keep, const char *digest, const struct tree *tree)
{
	auto_free char *seal = NULL;
	size_t len;

	const int r = tree_seal(tree, &seal, &len);
	return r < 0
	    ? r
	    : beside_write(keep, beside(digest, ".seal").name, seal, len);
}

/* One line of a manifest; `path` is what it is sorted by. */
struct line {
	const char *at;
	size_t len;
	const char *path;
	size_t path_len;
};

static bool
line_next(const char **text, struct line *line)
{
	const size_t len = strcspn(*text, "\n");
	if ((*text)[len] == '\0')
		return false;
	*line = (struct line){ .at = *text, .len = len, .path = *text };
	for (const char *c = *text; c < *text + len; c++)
		if (*c == '\t')
			line->path = c + 1;
	line->path_len = (size_t)(*text + len - line->path);
	*text += len + 1;
	return true;
}

static int
line_order(const struct line *a, bool has_a, const struct line *b, bool has_b)
{
	if (!has_a || !has_b)
		return has_a ? -1 : 1;
	const size_t len =
	    a->path_len < b->path_len ? a->path_len : b->path_len;
	const int order = memcmp(a->path, b->path, len);
	return order != 0 ? order
			  : (int)(a->path_len > len) - (int)(b->path_len > len);
}

/* The first difference of two manifests, as a sentence's end. */
static int
difference_say(
    const char *digest, const char *kept, const char *found, struct err *err)
{
	struct line a = { 0 }, b = { 0 };
	bool has_a = line_next(&kept, &a), has_b = line_next(&found, &b);

	while (has_a && has_b && a.len == b.len &&
	    memcmp(a.at, b.at, a.len) == 0) {
		has_a = line_next(&kept, &a);
		has_b = line_next(&found, &b);
	}
	if (!has_a && !has_b)
		return err_set(err, -EUCLEAN,
		    "package %.12s: its manifest is not the one that was "
		    "written; resolve it again with --refresh",
		    digest);
	const int order = line_order(&a, has_a, &b, has_b);
	const struct line *line = order <= 0 ? &a : &b;
	return err_set(err, -EUCLEAN,
	    "package %.12s: %.*s %s since it was resolved: it is not run; "
	    "resolve it again with --refresh",
	    digest, (int)(line->path_len > 512 ? 512 : line->path_len),
	    line->path,
	    order == 0      ? "has changed"
		: order < 0 ? "has been removed"
			    : "has been added");
}

static int
mismatch_say(const struct keep *keep, const char *digest, const char *found,
    struct err *err)
{
	auto_free char *kept = NULL;
	size_t len;

	if (file_read(keep->fd, beside(digest, ".manifest").name,
		MANIFEST_BYTES_MAX, &kept, &len) < 0)
		return err_set(err, -EUCLEAN,
		    "package %.12s has changed since it was resolved, and its "
		    "manifest is gone: it is not run; resolve it again with "
		    "--refresh",
		    digest);
	return difference_say(digest, kept, found, err);
}

static int
content_check(const struct keep *keep, int tree_fd, const char *digest,
    struct tree *tree, struct err *err)
{
	auto_free char *manifest = NULL;
	char found[PACKAGE_DIGEST_HEX];
	size_t len;

	int r = tree_hash(tree_fd, tree, err);
	if (r == 0)
		r = tree_manifest(tree, &manifest, &len);
	if (r < 0)
		return r == -ENOMEM ? err_set(err, r, "no memory") : r;
	tree_digest(manifest, len, found);
	if (strcmp(found, digest) != 0)
		return mismatch_say(keep, digest, manifest, err);
	/* Restored from a copy, perhaps: the next start is quick again. */
	seal_write(keep, digest, tree);
	return 0;
}

int
keep_check(const struct keep *keep, const char *digest, bool is_thorough,
    struct err *err)
{
	struct tree tree;

	if (!digest_is_good(digest))
		return err_set(
		    err, -EINVAL, "%.80s is no digest of a package", digest);
	auto_close int fd = openat(
	    keep->fd, digest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno,
		    "package %.12s is not there any more: resolve it again "
		    "with --refresh",
		    digest);
	int r = tree_scan(fd, &no_limits, &tree, err);
	if (r < 0)
		return r;
	if (is_thorough || !seal_fits(keep, digest, &tree))
		r = content_check(keep, fd, digest, &tree, err);
	tree_fini(&tree);
	return r;
}

static int
damaged_set_aside(const struct keep *keep, const char *digest, struct err *err)
{
	const struct beside name = beside(digest, ".damaged");

	tree_remove(keep->fd, name.name);
	return renameat(keep->fd, digest, keep->fd, name.name) == 0
	    ? 0
	    : err_set(err, -errno, "%s/%.12s cannot be set aside: %s",
		  keep->path, digest, strerror(errno));
}

/* Whatever keeps it from being looked at keeps it from being run. */
int
keep_check_all(
    const struct keep *keep, void (*say)(const char *sentence), struct err *err)
{
	const int dir_fd =
	    openat(keep->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	struct err why;
	int r = 0;

	if (dir == NULL)
		return err_set(
		    err, -errno, "%s: %s", keep->path, strerror(errno));
	for (struct dirent *item; r == 0 && (item = readdir(dir)) != NULL;) {
		if (!digest_is_good(item->d_name) ||
		    keep_check(keep, item->d_name, false, &why) == 0)
			continue;
		r = damaged_set_aside(keep, item->d_name, err);
		say(why.text);
	}
	closedir(dir);
	return r;
}

/* First its names, so that nobody finds half of it; the next sweep takes what a
 * crash left. */
int
keep_remove(const struct keep *keep, const char *digest, struct err *err)
{
	char gone[64];

	if (!digest_is_good(digest))
		return err_set(
		    err, -EINVAL, "%.80s is no digest of a package", digest);
	keep_requests_remove(keep, digest);
	snprintf(gone, sizeof(gone), STAGING_PREFIX "%.32s", digest);
	if (renameat(keep->fd, digest, keep->fd, gone) < 0 && errno != ENOENT)
		return err_set(err, -errno, "%s/%.12s: %s", keep->path, digest,
		    strerror(errno));
	unlinkat(keep->fd, beside(digest, ".seal").name, 0);
	unlinkat(keep->fd, beside(digest, ".manifest").name, 0);
	tree_remove(keep->fd, gone);
	return 0;
}

/* -- take ----------------------------------------------------------------- */

/* Scans, freezes, and scans again: freezing sets the time of the last change. */
static int
staged_read(int tree_fd, const struct tree_limits *limits, struct tree *tree,
    struct err *err)
{
	struct tree before;

	int r = tree_scan(tree_fd, limits, &before, err);
	if (r < 0)
		return r;
	r = tree_freeze(tree_fd, &before, err);
	tree_fini(&before);
	if (r == 0)
		r = tree_scan(tree_fd, limits, tree, err);
	return r;
}

static int
staged_place(struct staging *staging, const char *digest, struct err *err)
{
	const struct keep *keep = staging->keep;
	unsigned int how = RENAME_NOREPLACE;

	if (faccessat(keep->fd, digest, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		if (keep_check(keep, digest, true, NULL) == 0)
			return PACKAGE_E_NONE;
		how = RENAME_EXCHANGE;
	}
	/* A folder that moves to another parent must be writable itself. */
	if (renameat2(staging->fd, KEEP_TREE, keep->fd, digest, how) < 0)
		return errno == EEXIST
		    ? PACKAGE_E_NONE
		    : err_set(err, -errno, "%s/%.12s: %s", keep->path, digest,
			  strerror(errno));
	if (fchmod(staging->tree_fd, 0555) < 0)
		return err_set(err, -errno, "%s/%.12s: %s", keep->path, digest,
		    strerror(errno));
	return 0;
}

static int
tree_take(struct staging *staging, struct tree *tree, struct package *package,
    struct err *err)
{
	const struct keep *keep = staging->keep;
	auto_free char *manifest = NULL;
	size_t len;

	int r = tree_hash(staging->tree_fd, tree, err);
	if (r < 0)
		return r;
	if (tree_manifest(tree, &manifest, &len) < 0)
		return err_set(err, -ENOMEM, "no memory");
	tree_digest(manifest, len, package->digest);
	package->bytes = tree->bytes;
	package->n_files = tree->n_files;
	/* On the disk before it has a name: a crash leaves no hollow tree. */
	if (syncfs(staging->fd) < 0)
		return err_set(
		    err, -errno, "%s: %s", keep->path, strerror(errno));
	r = beside_write(
	    keep, beside(package->digest, ".manifest").name, manifest, len);
	if (r < 0)
		return err_set(err, r, "%s: %s", keep->path, strerror(-r));
	r = staged_place(staging, package->digest, err);
	if (r != 0)
		return r == PACKAGE_E_NONE ? 0 : r;
	r = seal_write(keep, package->digest, tree);
	return r == 0 ? 0 : err_set(err, r, "%s: %s", keep->path, strerror(-r));
}

int
keep_take(struct staging *staging, const struct tree_limits *limits,
    struct package *package, struct err *err)
{
	struct tree tree;

	int r = staged_read(staging->tree_fd, limits, &tree, err);
	if (r < 0)
		return r;
	r = tree_take(staging, &tree, package, err);
	tree_fini(&tree);
	return r;
}
