/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own place in each hierarchy, and how groups go. A place is held by a
 * descriptor with a lock (flock), which says that it has an owner, in whatever
 * pid namespace he is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/cgroup_impl.h"

#define PLACES_TRIED 16

int
cgroup_folder_open(int at_fd, const char *path)
{
	return openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void
cgroup_nap(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	nanosleep(&ms, NULL);
}

/* ---- removal -------------------------------------------------------------- */

/* A group is busy for a moment after its last process was reaped. v2 says when
 * it no longer is; v1 does not. */
static void
empty_wait(int folder_fd, int *left_ms)
{
	char line[64];

	auto_close int fd =
	    openat(folder_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd event = { .fd = fd, .events = POLLPRI };
	if (fd >= 0 && read(fd, line, sizeof(line)) > 0 &&
	    memmem(line, sizeof(line), "populated 1", 11) != NULL)
		poll(&event, 1, 1);
	else
		cgroup_nap();
	*left_ms -= 1;
}

static void
children_remove(int folder_fd, int *left_ms)
{
	auto_close int fd = cgroup_folder_open(folder_fd, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL)
		return;
	fd = -1; /* closedir() closes it */
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			cgroup_tree_remove(dirfd(dir), entry->d_name, left_ms);
	closedir(dir);
}

void
cgroup_tree_remove(int at_fd, const char *name, int *left_ms)
{
	if (unlinkat(at_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return;
	auto_close int fd = cgroup_folder_open(at_fd, name);
	if (fd < 0)
		return;
	children_remove(fd, left_ms);
	while (unlinkat(at_fd, name, AT_REMOVEDIR) < 0 && errno == EBUSY &&
	    *left_ms > 0)
		empty_wait(fd, left_ms);
}

/* Whether the folder that is held is still the one of this name: until the lock
 * was ours, its owner or a sweeper could remove it, and make another. */
static bool
is_there(int fd, int parent_fd, const char *name)
{
	struct stat held, there;

	return fstat(fd, &held) == 0 &&
	    fstatat(parent_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    held.st_ino == there.st_ino;
}

/* Whoever holds the lock owns a place; what nobody owns goes. */
static void
stale_remove(int parent_fd, const char *name)
{
	int no_ms = 0;

	auto_close int fd = cgroup_folder_open(parent_fd, name);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    is_there(fd, parent_fd, name))
		cgroup_tree_remove(parent_fd, name, &no_ms);
}

void
cgroup_sweep(struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->n_hierarchies; i++) {
		DIR *dir = opendir(cgroup->hierarchies[i].parent);
		for (struct dirent *entry;
		     dir != NULL && (entry = readdir(dir)) != NULL;)
			if (strncmp(entry->d_name, "cordon.", 7) == 0)
				stale_remove(dirfd(dir), entry->d_name);
		if (dir != NULL)
			closedir(dir);
	}
}

/* ---- our place ------------------------------------------------------------ */

/* 0: it is there, ours, and empty. -EEXIST: it is another's. */
static int
place_claim(struct cgroup_hierarchy *hierarchy, int parent_fd)
{
	if (mkdirat(parent_fd, hierarchy->name, 0755) < 0) {
		if (errno != EEXIST)
			return -errno;
		stale_remove(parent_fd, hierarchy->name);
		if (mkdirat(parent_fd, hierarchy->name, 0755) < 0)
			return -errno;
	}
	auto_close int fd = cgroup_folder_open(parent_fd, hierarchy->name);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    !is_there(fd, parent_fd, hierarchy->name))
		return -EEXIST;
	hierarchy->place_fd = fd_steal(&fd);
	hierarchy->fresh = true;
	return 0;
}

/* A pid is one in its own pid namespace only. */
int
cgroup_place_make(struct cgroup_hierarchy *hierarchy)
{
	if (hierarchy->place_fd >= 0)
		return 0;
	auto_close int parent_fd =
	    cgroup_folder_open(AT_FDCWD, hierarchy->parent);
	int code = parent_fd < 0 ? -errno : -EEXIST;
	for (int i = 0; i < PLACES_TRIED && code == -EEXIST; i++) {
		snprintf(hierarchy->name, sizeof(hierarchy->name),
		    i == 0 ? "cordon.%d" : "cordon.%d-%d", getpid(), i);
		code = place_claim(hierarchy, parent_fd);
	}
	return code;
}

void
cgroup_place_remove(struct cgroup_hierarchy *hierarchy)
{
	int left_ms = CGROUP_EMPTY_MS;

	if (hierarchy->place_fd < 0)
		return;
	auto_close int parent_fd =
	    cgroup_folder_open(AT_FDCWD, hierarchy->parent);
	if (parent_fd >= 0)
		cgroup_tree_remove(parent_fd, hierarchy->name, &left_ms);
	close(hierarchy->place_fd);
	hierarchy->place_fd = -1;
	hierarchy->handed = false;
}

static void
text_set(struct cgroup *cgroup)
{
	for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++)
		for (size_t h = 0; h < cgroup->n_hierarchies; h++) {
			const struct cgroup_hierarchy *hierarchy =
			    &cgroup->hierarchies[h];
			const size_t len = strlen(cgroup->text);
			if (hierarchy->controllers & CGROUP_BIT(i))
				snprintf(cgroup->text + len,
				    sizeof(cgroup->text) - len, "%s%s v%d",
				    len > 0 ? ", " : "", cgroup_controllers[i],
				    hierarchy->version);
		}
	if (cgroup->text[0] == '\0')
		strcpy(cgroup->text, "none");
}

int
cgroup_new_at(const char *mount, const char *self, struct cgroup **cgroupp)
{
	struct cgroup *cgroup = calloc(1, sizeof(*cgroup));
	if (cgroup == NULL)
		return -ENOMEM;

	cgroup_find(cgroup, mount, self);
	text_set(cgroup);
	*cgroupp = cgroup;
	return 0;
}

int
cgroup_new(struct cgroup **cgroupp)
{
	return cgroup_new_at("/sys/fs/cgroup", "/proc/self/cgroup", cgroupp);
}

struct cgroup *
cgroup_free(struct cgroup *cgroup)
{
	for (size_t i = 0; cgroup != NULL && i < cgroup->n_hierarchies; i++)
		cgroup_place_remove(&cgroup->hierarchies[i]);
	free(cgroup);
	return NULL;
}

const char *
cgroup_describe(const struct cgroup *cgroup)
{
	return cgroup->text;
}

const char *
cgroup_complaint(const struct cgroup *cgroup)
{
	return cgroup->why[0] != '\0' ? cgroup->why : NULL;
}

struct cgroup_can
cgroup_can(const struct cgroup *cgroup)
{
	struct cgroup_can can = { .memory = 0 };
	int *const versions[] = { &can.memory, &can.pids, &can.cpu };

	for (size_t h = 0; cgroup != NULL && h < cgroup->n_hierarchies; h++) {
		const struct cgroup_hierarchy *hierarchy =
		    &cgroup->hierarchies[h];
		for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++)
			if (hierarchy->controllers & CGROUP_BIT(i))
				*versions[i] = hierarchy->version;
		if (hierarchy->version == 2)
			can.kill = 2;
	}
	return can;
}
