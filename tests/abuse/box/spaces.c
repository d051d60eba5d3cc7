/* SPDX-License-Identifier: Apache-2.0
 *
 * Namespaces and mounts: new ones, other processes', and another root.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Each kind of namespace by each of three calls. */
#define SPACE(name, flag)                                                      \
	static long unshare_##name(const struct attack_place *place)           \
	{                                                                      \
		(void)place;                                                   \
		return attack_said(syscall(SYS_unshare, flag));                \
	}                                                                      \
	static long clone_##name(const struct attack_place *place)             \
	{                                                                      \
		(void)place;                                                   \
		return attack_child(                                           \
		    syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0));           \
	}                                                                      \
	static long clone3_##name(const struct attack_place *place)            \
	{                                                                      \
		struct clone_args args = { .flags = flag,                      \
			.exit_signal = SIGCHLD };                              \
		(void)place;                                                   \
		return attack_child(syscall(SYS_clone3, &args, sizeof(args))); \
	}

SPACE(user, CLONE_NEWUSER)
SPACE(mount, CLONE_NEWNS)
SPACE(pid, CLONE_NEWPID)
SPACE(net, CLONE_NEWNET)
SPACE(ipc, CLONE_NEWIPC)
SPACE(uts, CLONE_NEWUTS)
SPACE(cgroup, CLONE_NEWCGROUP)

static long
unshare_time(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_unshare, CLONE_NEWTIME));
}

/* CLONE_NEWTIME lies where clone() has its signal: by clone3() alone. */
static long
clone3_time(const struct attack_place *place)
{
	struct clone_args args = { .flags = CLONE_NEWTIME,
		.exit_signal = SIGCHLD };

	(void)place;
	return attack_child(syscall(SYS_clone3, &args, sizeof(args)));
}

/* clone() takes the low half of its flags; a filter that compares all of them is
 * passed by setting other bits. */
static long
clone_user_high(const struct attack_place *place)
{
	(void)place;
	return attack_child(syscall(
	    SYS_clone, CLONE_NEWUSER | SIGCHLD | 0x500000000ul, 0, 0, 0, 0));
}

static long
become_root(const struct attack_place *place)
{
	const char map[] = "0 0 1";

	(void)place;
	if (syscall(SYS_unshare, CLONE_NEWUSER) < 0)
		return -(long)errno;
	const int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -(long)errno;
	return attack_said(write(fd, map, strlen(map)));
}

static long
join(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -(long)errno;
	return attack_said(syscall(SYS_setns, fd, 0));
}

#define JOINS(name)                                                            \
	static long join_##name(const struct attack_place *place)              \
	{                                                                      \
		(void)place;                                                   \
		return join("/proc/1/ns/" #name);                              \
	}

JOINS(mnt)
JOINS(net)
JOINS(ipc)
JOINS(uts)
JOINS(cgroup)
JOINS(pid)

/* Without any right: a number that is no descriptor. */
static long
join_nothing(const struct attack_place *place)
{
	(void)place;
	return attack_reached(syscall(SYS_setns, -1, 0), EBADF);
}

static long
join_pidfd(const struct attack_place *place)
{
	const long fd = syscall(SYS_pidfd_open, 1, 0);

	(void)place;
	if (fd < 0)
		return -(long)errno;
	return attack_said(syscall(SYS_setns, fd, CLONE_NEWUTS));
}

static const char *
mountpoint(const struct attack_place *place)
{
	return attack_path(place, "granted/mountpoint");
}

static long
mount_tmpfs(const struct attack_place *place)
{
	return attack_said(
	    syscall(SYS_mount, "x", mountpoint(place), "tmpfs", 0ul, NULL));
}

static long
mount_bind(const struct attack_place *place)
{
	return attack_said(syscall(SYS_mount, "/", mountpoint(place), NULL,
	    (unsigned long)(MS_BIND | MS_REC), NULL));
}

static long
mount_writable(const struct attack_place *place)
{
	if (syscall(SYS_mount, NULL, "/usr", NULL,
		(unsigned long)(MS_REMOUNT | MS_BIND), NULL) == 0 ||
	    errno == EINVAL)
		return 0;
	(void)place;
	return -(long)errno;
}

static long
mount_private(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_mount, NULL, "/", NULL,
	    (unsigned long)(MS_REC | MS_PRIVATE), NULL));
}

static long
unmount_root(const struct attack_place *place)
{
	(void)place;
	return attack_reached(
	    syscall(SYS_umount2, "/nowhere/at/all", 2), ENOENT);
}

static long
tree_clone(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(
	    SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE));
}

static long
tree_open(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_open_tree, AT_FDCWD, "/", 0));
}

static long
tree_move(const struct attack_place *place)
{
	(void)place;
	return attack_reached(syscall(SYS_move_mount, -1, "", AT_FDCWD,
				  mountpoint(place), MOVE_MOUNT_F_EMPTY_PATH),
	    EBADF);
}

static long
tree_attribute(const struct attack_place *place)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };

	(void)place;
	return attack_said(
	    syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr, sizeof(attr)));
}

static long
fs_open(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_fsopen, "tmpfs", 0));
}

static long
fs_pick(const struct attack_place *place)
{
	(void)place;
	return attack_said(syscall(SYS_fspick, AT_FDCWD, "/proc", 0));
}

static long
fs_config(const struct attack_place *place)
{
	(void)place;
	return attack_reached(
	    syscall(SYS_fsconfig, -1, 0, NULL, NULL, 0), EINVAL);
}

static long
fs_mount(const struct attack_place *place)
{
	(void)place;
	return attack_reached(syscall(SYS_fsmount, -1, 0, 0), EBADF);
}

static long
mount_list(const struct attack_place *place)
{
	struct mnt_id_req {
		uint32_t size, spare;
		uint64_t mnt_id, param;
	} request = { .size = 24, .mnt_id = ~0ull };
	uint64_t ids[64];

	(void)place;
	return attack_said(syscall(458 /* listmount */, &request, ids, 64, 0));
}

static long
root_change(const struct attack_place *place)
{
	return attack_said(syscall(SYS_chroot, attack_path(place, "granted")));
}

/* The classic way out of a chroot: an old descriptor and dots. */
static long
root_leave(const struct attack_place *place)
{
	const int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *jail = mountpoint(place);

	if (syscall(SYS_chroot, jail) < 0 || fchdir(fd) < 0)
		return -(long)errno;
	for (int i = 0; i < 64; i++)
		if (chdir("..") < 0)
			return -(long)errno;
	return attack_said(syscall(SYS_chroot, "."));
}

static long
root_pivot(const struct attack_place *place)
{
	(void)place;
	return attack_reached(syscall(SYS_pivot_root, "/", "/nowhere"), ENOENT);
}

static long
name_host(const struct attack_place *place)
{
	(void)place;
	return attack_reached(syscall(SYS_sethostname, NULL, 1000), EINVAL);
}

static long
name_domain(const struct attack_place *place)
{
	(void)place;
	return attack_reached(syscall(SYS_setdomainname, NULL, 1000), EINVAL);
}

#define SPACES(name)                                                           \
	ATTACK(SPACE, unshare_##name), ATTACK(SPACE, clone_##name),            \
	    ATTACK(SPACE, clone3_##name)

static const struct attack attacks[] = {
	SPACES(user),
	SPACES(mount),
	SPACES(pid),
	SPACES(net),
	SPACES(ipc),
	SPACES(uts),
	SPACES(cgroup),
	ATTACK(SPACE, unshare_time),
	ATTACK(SPACE, clone3_time),
	ATTACK(SPACE, clone_user_high),
	ATTACK(SPACE, become_root),
	ATTACK(SPACE, join_mnt),
	ATTACK(SPACE, join_net),
	ATTACK(SPACE, join_ipc),
	ATTACK(SPACE, join_uts),
	ATTACK(SPACE, join_cgroup),
	ATTACK(SPACE, join_pid),
	ATTACK(USER, join_nothing),
	ATTACK(SPACE, join_pidfd),
	ATTACK(SPACE, mount_tmpfs),
	ATTACK(SPACE, mount_bind),
	ATTACK(SPACE, mount_writable),
	ATTACK(SPACE, mount_private),
	ATTACK(SPACE, unmount_root),
	ATTACK(SPACE, tree_clone),
	ATTACK(USER, tree_open),
	ATTACK(SPACE, tree_move),
	ATTACK(SPACE, tree_attribute),
	ATTACK(SPACE, fs_open),
	ATTACK(SPACE, fs_pick),
	ATTACK(USER, fs_config),
	ATTACK(SPACE, fs_mount),
	ATTACK(USER, mount_list),
	ATTACK(SPACE, root_change),
	ATTACK(SPACE, root_leave),
	ATTACK(SPACE, root_pivot),
	ATTACK(SPACE, name_host),
	ATTACK(SPACE, name_domain),
};

const struct attack_table attack_spaces = { "namespaces", attacks,
	sizeof(attacks) / sizeof(attacks[0]) };
