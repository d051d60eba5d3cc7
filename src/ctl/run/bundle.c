/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/run/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/pack.h"

#define DEPTH_MAX 32

struct walk {
	const char *root; /* as the person wrote it */
	int root_fd;
	struct pack_writer *writer;
	struct err *err;
};

static bool
ends_with(const char *name, const char *end)
{
	const size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

bool
ctl_bundle_wants(const char *name)
{
	return name[0] != '.' && strcmp(name, "node_modules") != 0 &&
	    !ends_with(name, ".d.ts");
}

static int
entry_wants(const struct dirent *entry)
{
	return ctl_bundle_wants(entry->d_name);
}

/* By bytes, whatever the locale: the same folder gives the same pack. */
static int
entry_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
pack_fail(const char *path, int r, struct err *err)
{
	if (r == PACK_E_FORMAT)
		return err_set(err, r, "%s: the name is not UTF-8", path);
	if (r == PACK_E_TOO_BIG)
		return err_set(err, r,
		    "%s: a bundle has at most %u files and %u MiB; leave out "
		    "what the tool does not import, or make one file of it "
		    "with cordon build",
		    path, PACK_FILES_MAX, PACK_BYTES_MAX >> 20);
	return err_set(err, r, "%s: %s", path, strerror(-r));
}

static int
file_pack(int fd, const char *shown, const char *path,
    struct pack_writer *writer, struct err *err)
{
	auto_free uint8_t *bytes = NULL;
	size_t len;

	int r = fd_read_all(fd, PACK_BYTES_MAX, &bytes, &len);
	if (r == -EFBIG)
		return pack_fail(shown, PACK_E_TOO_BIG, err);
	if (r == 0)
		r = pack_writer_add(writer, path, bytes, len);
	return r == 0 ? 0 : pack_fail(shown, r, err);
}

/* Opens below the root: no symbolic link on the way, nothing outside. */
static int
beneath_open(const struct walk *walk, const char *path, int *fd)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS,
	};

	const long r =
	    syscall(SYS_openat2, walk->root_fd, path, &how, sizeof(how));
	if (r >= 0) {
		*fd = (int)r;
		return 0;
	}
	if (errno == ENOSYS)
		return err_set(walk->err, -ENOSYS,
		    "this kernel has no openat2 (Linux 5.6): a folder cannot "
		    "be read without following links out of it");
	if (errno == ELOOP || errno == EXDEV)
		return err_set(walk->err, -errno,
		    "%s/%s is a symbolic link: a bundle holds only regular "
		    "files; copy what it points to",
		    walk->root, path);
	return err_set(
	    walk->err, -errno, "%s/%s: %s", walk->root, path, strerror(errno));
}

static int folder_pack(
    const struct walk *walk, int folder_fd, const char *prefix, int depth);

static int
entry_pack(const struct walk *walk, const char *path, int depth)
{
	auto_close int fd = -1;
	struct stat status;

	const int r = beneath_open(walk, path, &fd);
	if (r < 0)
		return r;
	if (fstat(fd, &status) < 0)
		return err_set(walk->err, -errno, "%s/%s: %s", walk->root, path,
		    strerror(errno));

	if (S_ISDIR(status.st_mode))
		return folder_pack(walk, fd, path, depth + 1);
	if (!S_ISREG(status.st_mode))
		return err_set(walk->err, -EINVAL,
		    "%s/%s is no regular file: take it out of the bundle",
		    walk->root, path);

	char shown[PACK_PATH_MAX * 2];
	snprintf(shown, sizeof(shown), "%s/%s", walk->root, path);
	return file_pack(fd, shown, path, walk->writer, walk->err);
}

static void
names_free(struct dirent **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static int
folder_pack(
    const struct walk *walk, int folder_fd, const char *prefix, int depth)
{
	struct dirent **names = NULL;
	char path[PACK_PATH_MAX + 256 + 2];
	int r = 0;

	if (depth > DEPTH_MAX || strlen(prefix) > PACK_PATH_MAX)
		return err_set(walk->err, -ENAMETOOLONG,
		    "%s/%s: folders are too deep (at most %d)", walk->root,
		    prefix, DEPTH_MAX);

	const int n =
	    scandirat(folder_fd, ".", &names, entry_wants, entry_order);
	if (n < 0)
		return err_set(walk->err, -errno, "%s/%s: %s", walk->root,
		    prefix, strerror(errno));

	for (int i = 0; i < n && r == 0; i++) {
		snprintf(path, sizeof(path), "%s%s%s", prefix,
		    prefix[0] != '\0' ? "/" : "", names[i]->d_name);
		r = entry_pack(walk, path, depth);
	}
	names_free(names, n);
	return r;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
path_pack(int fd, const char *path, bool is_folder, struct pack_writer *writer,
    struct err *err)
{
	const struct walk walk = { path, fd, writer, err };

	if (!is_folder)
		return file_pack(fd, path, base_name(path), writer, err);

	const int r = folder_pack(&walk, fd, "", 0);
	if (r == 0 && writer->n_files == 0)
		return err_set(err, -ENOENT, "%s: no file in it", path);
	return r;
}

int
ctl_bundle_read(const char *path, struct ctl_bundle *bundle, struct err *err)
{
	struct pack_writer writer;
	struct stat status;

	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));

	const bool is_folder = S_ISDIR(status.st_mode);
	if (!is_folder && !S_ISREG(status.st_mode))
		return err_set(
		    err, -EINVAL, "%s is neither a file nor a folder", path);

	int r = pack_writer_init(&writer);
	if (r < 0)
		return err_set(err, r, "%s: %s", path, strerror(-r));

	int pack_fd = -1;
	r = path_pack(fd, path, is_folder, &writer, err);
	if (r == 0) {
		r = pack_writer_seal(&writer, &pack_fd);
		if (r < 0)
			err_set(err, r, "%s: no memory file for it: %s", path,
			    strerror(-r));
	}
	if (r == 0)
		*bundle = (struct ctl_bundle){ .fd = pack_fd,
			.is_folder = is_folder,
			.n_files = writer.n_files,
			.n_bytes = writer.len };
	pack_writer_fini(&writer);
	return r;
}
