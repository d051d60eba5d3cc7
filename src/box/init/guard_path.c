/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of the payload, walked by init. Without a symlink on the way it is one
 * call; else part by part, because /proc/self is another's folder here than
 * there, and what /proc/PID/fd/N leads to must be the payload's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/base.h"
#include "box/init/guard.h"
#include "box/mount.h"

#define LINKS_MAX 40 /* the kernel's own */
#define PROC_MAGIC 0x9fa0 /* PROC_SUPER_MAGIC */
#define PROC_ROOT_INO 1

/* ---- the caller ----------------------------------------------------------- */

int
guard_caller_read(struct guard_caller *caller)
{
	char path[48], text[1024];

	if (caller->tgid != 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/status", caller->tid);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -EACCES;
	text[n] = '\0';
	/* A process names itself in the first line, but without newlines. */
	const char *umask_at = strstr(text, "\nUmask:\t");
	const char *tgid_at = strstr(text, "\nTgid:\t");
	if (umask_at == NULL || tgid_at == NULL)
		return -EACCES;
	caller->umask = (mode_t)strtoul(umask_at + 8, NULL, 8) & 0777;
	caller->tgid = (pid_t)strtol(tgid_at + 7, NULL, 10);
	return caller->tgid > 0 ? 0 : -EACCES;
}

/* Its working directory, or the folder behind one of its descriptors. */
static int
base_open(const struct guard_caller *caller, int dir_fd)
{
	char path[48];

	if (dir_fd == AT_FDCWD)
		snprintf(path, sizeof(path), "/proc/%d/cwd", caller->tid);
	else
		snprintf(
		    path, sizeof(path), "/proc/%d/fd/%d", caller->tid, dir_fd);
	const int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && dir_fd != AT_FDCWD ? -EBADF : -errno;
	return fd;
}

/* ---- real paths ----------------------------------------------------------- */

static int
real_path(int fd, char *path, size_t size)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	const ssize_t n = readlink(link, path, size - 1);
	if (n < 0)
		return -errno;
	if ((size_t)n == size - 1)
		return -ENAMETOOLONG;
	path[n] = '\0';
	return 0;
}

int
guard_place_path(const struct guard_place *place, char *path)
{
	const int code = real_path(place->fd, path, BOX_PATH_MAX);

	if (code != 0 || place->name[0] == '\0')
		return code;
	const size_t len = strcspn(place->name, "/"); /* "name/" */
	size_t at = strlen(path);
	if (at == 0 || path[at - 1] != '/')
		path[at++] = '/';
	memcpy(path + at, place->name, len);
	path[at + len] = '\0';
	return 0;
}

/* ---- walking -------------------------------------------------------------- */

/* Cuts the last part off, with the slashes at its end: "a/b/" is "a/" and "b/".
 * Of "/" and "" it is ".". The rest may be empty. */
static int
last_cut(char *path, char name[BOX_PATH_MAX + 1])
{
	size_t end = strlen(path);
	bool has_slash = false;

	while (end > 0 && path[end - 1] == '/') {
		end--;
		has_slash = true;
	}
	size_t start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (end == start) {
		memcpy(name, ".", 2);
		return 0;
	}
	if (end - start > 255)
		return -ENAMETOOLONG;
	memcpy(name, path + start, end - start);
	memcpy(name + (end - start), has_slash ? "/" : "", has_slash ? 2 : 1);
	path[start] = '\0';
	return 0;
}

static bool
is_in_proc(int fd)
{
	struct statfs info;

	return fstatfs(fd, &info) == 0 && info.f_type == PROC_MAGIC;
}

/* "self" of the caller, as text. */
static int
proc_self(struct guard_caller *caller, const char *name, char *text)
{
	const int code = guard_caller_read(caller);

	if (code != 0)
		return code;
	if (strcmp(name, "self") == 0)
		return snprintf(text, BOX_PATH_MAX, "%d", caller->tgid);
	return snprintf(
	    text, BOX_PATH_MAX, "%d/task/%d", caller->tgid, caller->tid);
}

/* Init itself is in /proc as well, where it alone sees itself. */
static bool
is_of_init(int parent_fd)
{
	char path[BOX_PATH_MAX];

	return real_path(parent_fd, path, sizeof(path)) != 0 ||
	    box_path_below(path, "/proc/1");
}

struct link {
	int fd; /* what a magic link leads to; -1: it is text */
	char text[BOX_PATH_MAX];
};

/* `link_fd` is the link itself, O_PATH. */
static int
link_read(struct guard_caller *caller, int parent_fd, const char *name,
    int link_fd, struct link *link)
{
	struct stat parent;

	link->fd = -1;
	if (is_in_proc(link_fd)) {
		if (fstat(parent_fd, &parent) < 0)
			return -errno;
		if (parent.st_ino == PROC_ROOT_INO &&
		    (strcmp(name, "self") == 0 ||
			strcmp(name, "thread-self") == 0)) {
			const int n = proc_self(caller, name, link->text);
			return n < 0 ? n : 0;
		}
		if (parent.st_ino != PROC_ROOT_INO) {
			if (is_of_init(parent_fd))
				return -ENOENT;
			link->fd = openat(parent_fd, name, O_PATH | O_CLOEXEC);
			return link->fd < 0 ? -errno : 0;
		}
	}
	const ssize_t n =
	    readlinkat(link_fd, "", link->text, sizeof(link->text) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	link->text[n] = '\0';
	return 0;
}

static int
root_open(void)
{
	const int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* One part of a path: the next folder, or a link, whose text comes in front of
 * what is left. */
static int
step(struct guard_caller *caller, struct guard_place *place, const char *part,
    char *rest)
{
	struct stat stat;
	struct link link;
	char more[GUARD_PATH_MAX];

	auto_close int fd =
	    openat(place->fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return -errno;
	if (!S_ISLNK(stat.st_mode)) {
		close(place->fd);
		place->fd = fd_steal(&fd);
		return 0;
	}
	if (++place->n_links > LINKS_MAX)
		return -ELOOP;
	const int code = link_read(caller, place->fd, part, fd, &link);
	if (code != 0)
		return code;
	const int start_fd = link.fd >= 0 ? link.fd
	    : link.text[0] == '/'         ? root_open()
					  : -1;
	if (start_fd >= 0) {
		close(place->fd);
		place->fd = start_fd;
	}
	if (link.fd >= 0)
		return 0;
	if (snprintf(more, sizeof(more), "%s/%s", link.text, rest) >=
	    (int)sizeof(more))
		return -ENAMETOOLONG;
	memcpy(rest, more, strlen(more) + 1);
	return 0;
}

/* From place->fd on, along a path of GUARD_PATH_MAX bytes, which is used up. */
static int
walk(struct guard_caller *caller, struct guard_place *place, char *path)
{
	char part[256];

	for (;;) {
		const size_t slashes = strspn(path, "/");
		const size_t len = strcspn(path + slashes, "/");
		if (len == 0)
			return 0;
		if (len >= sizeof(part))
			return -ENAMETOOLONG;
		memcpy(part, path + slashes, len);
		part[len] = '\0';
		const size_t used = slashes + len;
		memmove(path, path + used, strlen(path + used) + 1);
		const int code = step(caller, place, part, path);
		if (code != 0)
			return code;
	}
}

/* To the folder of a path, from place->fd on. */
static int
parent_walk(struct guard_caller *caller, struct guard_place *place, char *path)
{
	char name[sizeof(place->name)];

	int code = last_cut(path, name);
	if (code == 0 && path[0] == '/') {
		const int fd = root_open();
		if (place->fd >= 0)
			close(place->fd);
		place->fd = fd;
		code = fd < 0 ? fd : 0;
	}
	if (code == 0)
		code = walk(caller, place, path);
	memcpy(place->name, name, sizeof(name));
	return code;
}

/* The whole way at once. -ELOOP: there is a link on it. */
static int
parent_jump(struct guard_place *place, const char *path)
{
	char parent[GUARD_PATH_MAX];

	snprintf(parent, sizeof(parent), "%s", path);
	const int code = last_cut(parent, place->name);
	if (code != 0)
		return code;
	if (parent[0] == '\0')
		return 0; /* the base itself */
	const int fd = path_open(place->fd >= 0 ? place->fd : AT_FDCWD, parent,
	    O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return -errno;
	if (place->fd >= 0)
		close(place->fd);
	place->fd = fd;
	return 0;
}

int
guard_place_find(struct guard_caller *caller, int dir_fd, const char *path,
    struct guard_place *place)
{
	char rest[GUARD_PATH_MAX];

	if (path[0] == '\0' && !place->may_be_itself)
		return -ENOENT;
	if (path[0] != '/') {
		place->fd = base_open(caller, dir_fd);
		if (place->fd < 0)
			return place->fd;
	}
	if (path[0] == '\0') {
		place->name[0] = '\0';
		return 0;
	}
	const int code = parent_jump(place, path);
	if (code != -ELOOP)
		return code;
	snprintf(rest, sizeof(rest), "%s", path);
	return parent_walk(caller, place, rest);
}

int
guard_place_follow(struct guard_caller *caller, struct guard_place *place)
{
	struct link link;
	char rest[GUARD_PATH_MAX];

	if (++place->n_links > LINKS_MAX)
		return -ELOOP;
	auto_close int fd =
	    openat(place->fd, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	const int code = link_read(caller, place->fd, place->name, fd, &link);
	if (code != 0)
		return code;
	if (link.fd >= 0) {
		close(place->fd);
		place->fd = link.fd;
		place->name[0] = '\0';
		return 0;
	}
	snprintf(rest, sizeof(rest), "%s", link.text);
	return parent_walk(caller, place, rest);
}

int
guard_place_settle(struct guard_caller *caller, struct guard_place *place)
{
	struct stat stat;

	while (place->name[0] != '\0' && strchr(place->name, '/') == NULL &&
	    fstatat(place->fd, place->name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(stat.st_mode)) {
		const int code = guard_place_follow(caller, place);
		if (code != 0)
			return code;
	}
	return 0;
}
