/* SPDX-License-Identifier: Apache-2.0 */
#include "package/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/utf8.h"

#define DEPTH_MAX 128
#define PATH_BYTES_MAX 4096 /* with the NUL */
#define HEAD "cordon package tree 1\n"

_Static_assert(crypto_hash_sha256_BYTES == TREE_HASH_BYTES, "SHA-256");

struct walk {
	struct tree *tree;
	const struct tree_limits *limits;
	struct err *err;
	char path[PATH_BYTES_MAX]; /* of the entry at hand */
	size_t len;
	int depth;
};

void
tree_fini(struct tree *tree)
{
	for (size_t i = 0; i < tree->n; i++) {
		free(tree->entries[i].path);
		free(tree->entries[i].target);
	}
	free(tree->entries);
	*tree = (struct tree){ 0 };
}

/* -- scan ----------------------------------------------------------------- */

static int
name_check(const char *name, struct err *err)
{
	const size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((uint8_t)name[i] < ' ' || name[i] == 0x7f)
			return err_set(err, -EINVAL,
			    "a file's name holds a control character");
	if (!utf8_is_valid((const uint8_t *)name, len))
		return err_set(err, -EINVAL, "a file's name is not UTF-8");
	return 0;
}

/*
 * A link stays inside when ".." stands at its head only, and no more often
 * than there are folders above it: what it goes down through is either a
 * folder or another link, of which the same is true.
 */
static bool
target_is_inside(const char *target, int depth)
{
	bool is_head = true;

	if (target[0] == '/' || target[0] == '\0')
		return false;
	while (*target != '\0') {
		const size_t len = strcspn(target, "/");
		const bool is_up = len == 2 && memcmp(target, "..", 2) == 0;
		if (is_up && (!is_head || --depth < 0))
			return false;
		is_head = is_head &&
		    (is_up || len == 0 || (len == 1 && target[0] == '.'));
		target += len + (target[len] == '/');
	}
	return true;
}

static int
link_read(struct walk *walk, int folder_fd, const char *name,
    struct tree_entry *entry)
{
	char target[PATH_BYTES_MAX];

	const ssize_t n =
	    readlinkat(folder_fd, name, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	const int r = name_check(target, walk->err);
	if (r < 0)
		return r;
	if (!target_is_inside(target, walk->depth))
		return err_set(walk->err, -EXDEV,
		    "%s is a link that leaves the package (to %s)", walk->path,
		    target);
	entry->target = strdup(target);
	return entry->target != NULL ? 0 : -ENOMEM;
}

static int
kind_find(struct walk *walk, const struct stat *status, enum tree_kind *kind)
{
	if (S_ISLNK(status->st_mode)) {
		*kind = TREE_LINK;
		return 0;
	}
	if ((status->st_mode & (S_ISUID | S_ISGID)) != 0 &&
	    !S_ISDIR(status->st_mode))
		return err_set(walk->err, -EPERM,
		    "%s has a set-user-id or set-group-id bit", walk->path);
	if (S_ISDIR(status->st_mode))
		*kind = TREE_FOLDER;
	else if (S_ISREG(status->st_mode))
		*kind =
		    (status->st_mode & 0111) != 0 ? TREE_PROGRAM : TREE_FILE;
	else
		return err_set(walk->err, -EINVAL,
		    "%s is neither a file nor a folder nor a link", walk->path);
	return 0;
}

static int64_t
nanoseconds(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int
limits_check(const struct walk *walk)
{
	if (walk->tree->n <= walk->limits->entries &&
	    walk->tree->bytes <= walk->limits->bytes)
		return 0;
	return err_set(walk->err, -EFBIG,
	    "the package is too big: more than %u files or %llu MiB",
	    walk->limits->entries,
	    (unsigned long long)(walk->limits->bytes >> 20));
}

static int
entry_new(struct walk *walk, struct tree_entry **entry)
{
	struct tree *tree = walk->tree;

	if (tree->n == tree->capacity) {
		const size_t capacity =
		    tree->capacity == 0 ? 1024 : tree->capacity * 2;
		void *grown = reallocarray(
		    tree->entries, capacity, sizeof(*tree->entries));
		if (grown == NULL)
			return -ENOMEM;
		tree->entries = grown;
		tree->capacity = capacity;
	}
	*entry = &tree->entries[tree->n];
	**entry = (struct tree_entry){ .path = strdup(walk->path) };
	if ((*entry)->path == NULL)
		return -ENOMEM;
	tree->n++;
	return limits_check(walk);
}

static int folder_scan(struct walk *walk, int folder_fd);

static int
below_scan(struct walk *walk, int folder_fd, const char *name)
{
	auto_close int fd = openat(
	    folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_set(
		    walk->err, -errno, "%s: %s", walk->path, strerror(errno));
	if (walk->depth + 1 >= DEPTH_MAX)
		return err_set(walk->err, -EFBIG,
		    "%s: more than %d folders in one another", walk->path,
		    DEPTH_MAX);
	walk->depth++;
	const int r = folder_scan(walk, fd);
	walk->depth--;
	return r;
}

static int
entry_scan(struct walk *walk, int folder_fd, const char *name)
{
	struct tree_entry *entry = NULL;
	enum tree_kind kind = TREE_FILE;
	struct stat status;

	if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(
		    walk->err, -errno, "%s: %s", walk->path, strerror(errno));
	int r = kind_find(walk, &status, &kind);
	if (r == 0)
		r = entry_new(walk, &entry);
	if (r < 0)
		return r;
	entry->kind = kind;
	entry->inode = status.st_ino;
	entry->mtime_ns = nanoseconds(status.st_mtim);
	entry->ctime_ns = nanoseconds(status.st_ctim);
	if (kind == TREE_LINK)
		return link_read(walk, folder_fd, name, entry);
	if (kind == TREE_FOLDER)
		return below_scan(walk, folder_fd, name);
	entry->size = (uint64_t)status.st_size;
	walk->tree->bytes += entry->size;
	walk->tree->n_files++;
	return limits_check(walk);
}

/* The name behind the path at hand; its length is the caller's to restore. */
static int
path_enter(struct walk *walk, const char *name)
{
	const int n =
	    snprintf(walk->path + walk->len, sizeof(walk->path) - walk->len,
		"%s%s", walk->len == 0 ? "" : "/", name);

	if ((size_t)n >= sizeof(walk->path) - walk->len)
		return err_set(
		    walk->err, -ENAMETOOLONG, "%s: the path is too long", name);
	walk->len += (size_t)n;
	return 0;
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static DIR *
folder_open(int folder_fd)
{
	/* Not a duplicate: that would share how far it was read. */
	auto_close int fd =
	    openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir != NULL)
		fd_steal(&fd);
	return dir;
}

static int
folder_scan(struct walk *walk, int folder_fd)
{
	DIR *dir = folder_open(folder_fd);
	const size_t len = walk->len;
	int r = dir != NULL ? 0 : -errno;

	for (struct dirent *item; r == 0 && (item = readdir(dir)) != NULL;) {
		if (is_dots(item->d_name))
			continue;
		r = name_check(item->d_name, walk->err);
		if (r == 0)
			r = path_enter(walk, item->d_name);
		if (r == 0)
			r = entry_scan(walk, folder_fd, item->d_name);
		walk->len = len;
		walk->path[len] = '\0';
	}
	if (dir != NULL)
		closedir(dir);
	return r;
}

static int
entry_compare(const void *a, const void *b)
{
	return strcmp(((const struct tree_entry *)a)->path,
	    ((const struct tree_entry *)b)->path);
}

int
tree_scan(int root_fd, const struct tree_limits *limits, struct tree *tree,
    struct err *err)
{
	struct tree found = { 0 };
	struct err why = { "" };
	struct walk walk = { .tree = &found, .limits = limits, .err = &why };

	const int r = folder_scan(&walk, root_fd);
	if (r < 0) {
		tree_fini(&found);
		return err_set(err, r, "%s",
		    why.text[0] != '\0' ? why.text : strerror(-r));
	}
	if (found.n > 0)
		qsort(found.entries, found.n, sizeof(*found.entries),
		    entry_compare);
	*tree = found;
	return 0;
}

/* -- digest --------------------------------------------------------------- */

static int
file_hash(int fd, uint64_t size, uint8_t hash[TREE_HASH_BYTES])
{
	static uint8_t buffer[1 << 16];
	crypto_hash_sha256_state state;
	uint64_t done = 0;

	crypto_hash_sha256_init(&state);
	for (;;) {
		const ssize_t n = read(fd, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		crypto_hash_sha256_update(&state, buffer, (size_t)n);
		done += (uint64_t)n;
	}
	crypto_hash_sha256_final(&state, hash);
	return done == size ? 0 : -EAGAIN;
}

int
tree_hash(int root_fd, struct tree *tree, struct err *err)
{
	for (size_t i = 0; i < tree->n; i++) {
		struct tree_entry *entry = &tree->entries[i];
		if (entry->kind != TREE_FILE && entry->kind != TREE_PROGRAM)
			continue;
		auto_close int fd = openat(root_fd, entry->path,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		const int r =
		    fd < 0 ? -errno : file_hash(fd, entry->size, entry->hash);
		if (r == -EAGAIN)
			return err_set(err, r, "%s changed while it was read",
			    entry->path);
		if (r < 0)
			return err_set(
			    err, r, "%s: %s", entry->path, strerror(-r));
	}
	return 0;
}

static void
hex_put(FILE *out, const uint8_t hash[TREE_HASH_BYTES])
{
	char text[PACKAGE_DIGEST_HEX];

	fputs(sodium_bin2hex(text, sizeof(text), hash, TREE_HASH_BYTES), out);
}

static void
line_put(FILE *out, const struct tree_entry *entry)
{
	fprintf(out, "%c\t", (char)entry->kind);
	if (entry->kind == TREE_LINK)
		fputs(entry->target, out);
	else if (entry->kind == TREE_FOLDER)
		fputc('-', out);
	else {
		fprintf(out, "%llu ", (unsigned long long)entry->size);
		hex_put(out, entry->hash);
	}
	fprintf(out, "\t%s\n", entry->path);
}

int
tree_manifest(const struct tree *tree, char **text, size_t *len)
{
	char *bytes = NULL;
	size_t n = 0;

	FILE *out = open_memstream(&bytes, &n);
	if (out == NULL)
		return -ENOMEM;
	fputs(HEAD, out);
	for (size_t i = 0; i < tree->n; i++)
		line_put(out, &tree->entries[i]);
	if (fclose(out) != 0) {
		free(bytes);
		return -ENOMEM;
	}
	*text = bytes;
	*len = n;
	return 0;
}

void
tree_digest(const char *text, size_t len, char digest[PACKAGE_DIGEST_HEX])
{
	uint8_t hash[TREE_HASH_BYTES];

	crypto_hash_sha256(hash, (const uint8_t *)text, len);
	sodium_bin2hex(digest, PACKAGE_DIGEST_HEX, hash, sizeof(hash));
}

/* -- seal ----------------------------------------------------------------- */

struct seal_record {
	uint64_t inode;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint32_t kind;
	uint32_t path_len; /* bytes that follow */
};

int
tree_seal(const struct tree *tree, char **bytes, size_t *len)
{
	size_t size = 1;

	for (size_t i = 0; i < tree->n; i++)
		size +=
		    sizeof(struct seal_record) + strlen(tree->entries[i].path);
	char *seal = malloc(size);
	if (seal == NULL)
		return -ENOMEM;
	size_t done = 0;
	for (size_t i = 0; i < tree->n; i++) {
		const struct tree_entry *entry = &tree->entries[i];
		const struct seal_record record = {
			.inode = entry->inode,
			.size = entry->size,
			.mtime_ns = entry->mtime_ns,
			.ctime_ns = entry->ctime_ns,
			.kind = entry->kind,
			.path_len = (uint32_t)strlen(entry->path),
		};
		memcpy(seal + done, &record, sizeof(record));
		done += sizeof(record);
		memcpy(seal + done, entry->path, record.path_len);
		done += record.path_len;
	}
	*bytes = seal;
	*len = done;
	return 0;
}

/* -- on the disk ---------------------------------------------------------- */

int
tree_freeze(int root_fd, const struct tree *tree, struct err *err)
{
	for (size_t i = 0; i < tree->n; i++) {
		const struct tree_entry *entry = &tree->entries[i];
		if (entry->kind == TREE_LINK)
			continue;
		const mode_t mode = entry->kind == TREE_FILE ? 0444 : 0555;
		if (fchmodat(root_fd, entry->path, mode, 0) < 0)
			return err_set(err, -errno, "%s: %s", entry->path,
			    strerror(errno));
	}
	return 0;
}

void
tree_weigh(int root_fd, const struct tree_limits *limits, uint64_t *bytes,
    uint32_t *entries)
{
	DIR *dir = folder_open(root_fd);

	if (dir == NULL)
		return;
	for (struct dirent *item; (item = readdir(dir)) != NULL;) {
		struct stat status;
		if (*bytes > limits->bytes || *entries > limits->entries)
			break;
		if (is_dots(item->d_name) ||
		    fstatat(root_fd, item->d_name, &status,
			AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		*bytes += (uint64_t)status.st_blocks * 512;
		*entries += 1;
		if (!S_ISDIR(status.st_mode))
			continue;
		auto_close int fd = openat(root_fd, item->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			tree_weigh(fd, limits, bytes, entries);
	}
	closedir(dir);
}

static int
folder_empty(int folder_fd)
{
	DIR *dir = folder_open(folder_fd);
	int r = dir != NULL ? 0 : -errno;

	/* Names that are gone are not met twice: no seek is needed. */
	for (struct dirent *item; dir != NULL && (item = readdir(dir)) != NULL;)
		if (!is_dots(item->d_name)) {
			const int failed = tree_remove(folder_fd, item->d_name);
			r = r < 0 ? r : failed;
		}
	if (dir != NULL)
		closedir(dir);
	return r;
}

int
tree_remove(int parent_fd, const char *name)
{
	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (fchmodat(parent_fd, name, 0700, 0) < 0)
		return -errno;
	auto_close int fd = openat(
	    parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	const int r = folder_empty(fd);
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) < 0)
		return r < 0 ? r : -errno;
	return 0;
}
