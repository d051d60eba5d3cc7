/* SPDX-License-Identifier: Apache-2.0
 *
 * Grants as detached trees: each path is resolved once, to a descriptor, and
 * that is what is mounted.
 */
#include <errno.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/mount.h"
#include "box/root.h"

const char *
box_grant_place(const struct box_grant *grant)
{
	return grant->at[0] != '\0' ? grant->at : grant->path;
}

/* Below a folder that the program of an earlier box may have written to: a link
 * there may be its work, and is not followed. */
static bool
is_in_reach(const struct box_spec *spec, const struct box_grant *grant)
{
	for (uint32_t i = 0; i < spec->n_grants; i++)
		if (&spec->grants[i] != grant &&
		    spec->grants[i].access == BOX_ACCESS_WRITE &&
		    box_path_below(grant->path, spec->grants[i].path))
			return true;
	return false;
}

/* ---- id mapping ----------------------------------------------------------- */

static int
map_write(pid_t pid, const char *file, unsigned inside, unsigned outside)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	snprintf(text, sizeof(text), "%u %u 1\n", inside, outside);
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int
userns_open(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A user namespace that says: who owns this on disk is our owner. It is held by
 * its descriptor alone; the child that it is made with never runs. */
static int
mapping_open(const struct stat *stat, const struct box_owner *owner)
{
	struct clone_args args = { .flags = CLONE_NEWUSER,
		.exit_signal = SIGCHLD };

	const pid_t self = getpid();
	const pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* Nobody else would end it. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self)
			_exit(1);
		for (;;)
			pause();
	}
	int code = map_write(pid, "uid_map", stat->st_uid, owner->uid);
	if (code == 0)
		code = map_write(pid, "gid_map", stat->st_gid, owner->gid);
	const int fd = code == 0 ? userns_open(pid) : code;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

/* Grants of one owner, which is the rule, share a namespace. */
struct mapping {
	uid_t uid;
	gid_t gid;
	int fd; /* -1: none yet */
};

static int
mapping_get(struct mapping *mapping, const struct stat *stat,
    const struct box_owner *owner)
{
	if (mapping->fd >= 0 && mapping->uid == stat->st_uid &&
	    mapping->gid == stat->st_gid)
		return mapping->fd;
	if (mapping->fd >= 0)
		close(mapping->fd);
	mapping->fd = mapping_open(stat, owner);
	mapping->uid = stat->st_uid;
	mapping->gid = stat->st_gid;
	return mapping->fd;
}

/* ---- trees ---------------------------------------------------------------- */

static int
open_fail(const struct box_grant *grant, int code, struct err *err)
{
	if (code == -ELOOP)
		return err_set(err, code,
		    "%s: there is a symbolic link on the way, in a folder that "
		    "the program may write to: it may have planted it; name "
		    "the real path",
		    grant->path);
	return err_set(err, code, "%s: %s%s", grant->path, strerror(-code),
	    code == -ENOENT ? "; take it out of the policy, or make it first"
			    : "");
}

static int
attributes_set(int tree_fd, const struct box_grant *grant,
    const struct stat *stat, const struct box_owner *owner,
    struct mapping *mapping, struct err *err)
{
	struct mount_attr attr = { .attr_set =
				       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		.propagation = BOX_MS_PRIVATE };

	if (grant->access != BOX_ACCESS_WRITE)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (tree_set(tree_fd, &attr) < 0)
		return err_set(err, -errno, "%s: mount_setattr: %s",
		    grant->path, strerror(errno));
	if (owner == NULL || stat->st_uid == owner->uid)
		return 0;

	const int userns_fd = mapping_get(mapping, stat, owner);
	const struct mount_attr map = { .attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint32_t)(userns_fd < 0 ? 0 : userns_fd) };
	if (userns_fd >= 0 && tree_set(tree_fd, &map) == 0)
		return 0;
	const int code = userns_fd < 0 ? userns_fd : -errno;
	/* Read, it may be with everybody's rights. */
	if (grant->access != BOX_ACCESS_WRITE)
		return 0;
	return err_set(err, code,
	    "%s: its file system cannot be id-mapped (%s), and without that "
	    "root cannot let a program write there: start cordon as the "
	    "folder's owner instead",
	    grant->path, strerror(-code));
}

/* The host's, by whatever path: it would be a way to its processes. */
static bool
is_of_proc(int fd)
{
	struct statfs about;

	return fstatfs(fd, &about) == 0 && about.f_type == PROC_SUPER_MAGIC;
}

static int
tree_make(const struct box_spec *spec, const struct box_grant *grant,
    const struct box_owner *owner, struct mapping *mapping, int *treep,
    struct err *err)
{
	struct stat stat;

	auto_close int fd = path_open(AT_FDCWD, grant->path, O_PATH,
	    is_in_reach(spec, grant) ? RESOLVE_NO_SYMLINKS
				     : RESOLVE_NO_MAGICLINKS);
	if (fd < 0 && errno == ENOENT && grant->flags & BOX_GRANT_OPTIONAL)
		return 0;
	/* What a guard protects, it protects by name as well. */
	if (fd < 0 && errno == ELOOP && grant->flags & BOX_GRANT_OPTIONAL &&
	    grant->access != BOX_ACCESS_WRITE)
		return 0;
	if (fd < 0 || fstat(fd, &stat) < 0)
		return open_fail(grant, -errno, err);
	if (is_of_proc(fd))
		return err_set(err, -EPERM,
		    "%s: shows the processes of the host, and cannot be "
		    "granted; a box has a /proc of its own",
		    grant->path);
	if (!S_ISDIR(stat.st_mode) && !S_ISREG(stat.st_mode) &&
	    !S_ISCHR(stat.st_mode) && !S_ISSOCK(stat.st_mode) &&
	    !S_ISFIFO(stat.st_mode))
		return err_set(err, -EINVAL,
		    "%s: is neither a folder nor a file", grant->path);

	auto_close int tree_fd =
	    tree_open(fd, "", AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree_fd < 0)
		return err_set(err, -errno, "%s: open_tree: %s", grant->path,
		    strerror(errno));
	const int code =
	    attributes_set(tree_fd, grant, &stat, owner, mapping, err);
	if (code == 0)
		*treep = fd_steal(&tree_fd);
	return code;
}

int
box_trees_open(const struct box_spec *spec, const struct box_owner *owner,
    int *trees, struct err *err)
{
	struct mapping mapping = { .fd = -1 };
	int code = 0;

	for (uint32_t i = 0; i < spec->n_grants; i++)
		trees[i] = -1;
	for (uint32_t i = 0; i < spec->n_grants && code == 0; i++)
		if (spec->grants[i].access != BOX_ACCESS_HIDE)
			code = tree_make(spec, &spec->grants[i], owner,
			    &mapping, &trees[i], err);
	if (mapping.fd >= 0)
		close(mapping.fd);
	return code;
}
