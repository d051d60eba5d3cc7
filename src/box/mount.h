/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The mount calls that the C library of Debian 12 does not wrap, and nothing
 * more. open_tree(2), move_mount(2), mount_setattr(2), openat2(2) */

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define BOX_MS_PRIVATE (1u << 18) /* MS_PRIVATE; sys/mount.h clashes */

static inline int
tree_open(int dir_fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path,
	    flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static inline int
tree_move(int tree_fd, int dir_fd, const char *path)
{
	return (int)syscall(SYS_move_mount, tree_fd, "", dir_fd, path,
	    MOVE_MOUNT_F_EMPTY_PATH |
		(path[0] == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0));
}

static inline int
tree_set(int tree_fd, const struct mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, tree_fd, "",
	    AT_EMPTY_PATH | AT_RECURSIVE, attr, sizeof(*attr));
}

static inline int
path_open(int dir_fd, const char *path, unsigned long long flags,
    unsigned long long resolve)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC,
		.resolve = resolve };

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}
