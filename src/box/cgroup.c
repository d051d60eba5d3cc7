/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups: made, limited, entered, read, killed. A group is a path below the
 * descriptor of our place.
 */
#include "box/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/cgroup_impl.h"

#define KILL_ROUNDS 100

/* ---- groups --------------------------------------------------------------- */

/* "": our place. No name begins with a dot, none is empty. */
static bool
name_is_good(const char *group)
{
	const char *part = group;

	if (group[0] == '\0')
		return true;
	for (;;) {
		const size_t len = strcspn(part, "/");
		if (len == 0 || part[0] == '.')
			return false;
		if (part[len] == '\0')
			return strlen(group) < NAME_MAX;
		part += len + 1;
	}
}

static const char *
place_path(const char *group)
{
	return group[0] == '\0' ? "." : group;
}

/* v2: the folder above hands our controllers down. */
static int
parent_hand_down(struct cgroup_hierarchy *hierarchy, const char *group)
{
	char parent[NAME_MAX + 1];
	const char *slash = strrchr(group, '/');

	if (hierarchy->version != 2 || hierarchy->controllers == 0 ||
	    (slash == NULL && hierarchy->handed))
		return 0;
	snprintf(parent, sizeof(parent), "%.*s",
	    slash != NULL ? (int)(slash - group) : 1,
	    slash != NULL ? group : ".");
	auto_close int fd = cgroup_folder_open(hierarchy->place_fd, parent);
	const int code =
	    fd < 0 ? -errno : cgroup_hand_down(fd, hierarchy->controllers);
	if (code == 0 && slash == NULL)
		hierarchy->handed = true;
	return code;
}

/* A group and those above it. */
static int
group_make(struct cgroup_hierarchy *hierarchy, const char *group, bool *fresh)
{
	char above[NAME_MAX + 1];

	int code = cgroup_place_make(hierarchy);
	if (code != 0)
		return code;
	if (group[0] == '\0') {
		*fresh = hierarchy->fresh;
		return 0;
	}
	*fresh = false;
	if (faccessat(hierarchy->place_fd, group, F_OK, 0) == 0)
		return 0;
	const char *slash = strrchr(group, '/');
	if (slash != NULL) {
		const size_t len = (size_t)(slash - group);
		if (len >= sizeof(above))
			return -ENAMETOOLONG;
		memcpy(above, group, len);
		above[len] = '\0';
		if ((code = group_make(hierarchy, above, fresh)) != 0)
			return code;
	}
	if ((code = parent_hand_down(hierarchy, group)) != 0)
		return code;
	*fresh = mkdirat(hierarchy->place_fd, group, 0755) == 0;
	return *fresh || errno == EEXIST ? 0 : -errno;
}

/* The file that refused, for a person. */
static int
refused(const struct cgroup_hierarchy *hierarchy, const char *group,
    const char *what, int code, struct err *err)
{
	return err_set(err, code, "control group %.600s/%s%s%.80s: %s%s: %s",
	    hierarchy->parent, hierarchy->name, group[0] != '\0' ? "/" : "",
	    group, what, code == -EBUSY ? " (in use)" : "", strerror(-code));
}

int
cgroup_has(const struct cgroup *cgroup, const char *group)
{
	for (size_t i = 0; i < cgroup->n_hierarchies; i++)
		if (cgroup->hierarchies[i].place_fd >= 0 &&
		    faccessat(cgroup->hierarchies[i].place_fd,
			place_path(group), F_OK, 0) == 0)
			return 1;
	return 0;
}

/* ---- limits --------------------------------------------------------------- */

/* A number, or what stands for none. */
static const char *
number(uint64_t value, const char *none, char text[32])
{
	if (value == 0)
		return none;
	snprintf(text, 32, "%llu", (unsigned long long)value);
	return text;
}

/* Swap is a second pot, where there is any, and the kernel counts it at all
 * (v1: swapaccount). */
static int
swap_write(int fd, const char *file, const char *value)
{
	struct sysinfo info;

	if (sysinfo(&info) == 0 && info.totalswap == 0)
		return 0;
	const int code = cgroup_line_write(fd, file, value);
	return code == -ENOENT ? 0 : code;
}

/* Memory alone may never be above memory and swap together: raised, the sum
 * goes first. */
static int
memory_v1(int fd, const struct cgroup_limits *limits)
{
	static const char memory[] = "memory.limit_in_bytes",
			  both[] = "memory.memsw.limit_in_bytes";
	char text[32];
	const char *value = number(limits->memory_bytes, "-1", text);

	int code = cgroup_line_write(fd, memory, value);
	if (code != -EINVAL)
		return code != 0 ? code : swap_write(fd, both, value);
	code = cgroup_line_write(fd, both, value);
	return code != 0 ? code : cgroup_line_write(fd, memory, value);
}

static int
memory_v2(int fd, const struct cgroup_limits *limits)
{
	char text[32];

	const int code = cgroup_line_write(
	    fd, "memory.max", number(limits->memory_bytes, "max", text));
	return code != 0 ? code
			 : swap_write(fd, "memory.swap.max",
			       limits->memory_bytes != 0 ? "0" : "max");
}

static int
pids_both(int fd, const struct cgroup_limits *limits)
{
	char text[32];

	return cgroup_line_write(
	    fd, "pids.max", number(limits->pids, "max", text));
}

/* Of the kernel's period of 100 ms; it takes no less than 1 ms. */
static uint64_t
quota_us(const struct cgroup_limits *limits)
{
	const uint64_t us = limits->cpu_milli * 100u;

	return us != 0 && us < 1000u ? 1000u : us;
}

static int
cpu_v1(int fd, const struct cgroup_limits *limits)
{
	char text[32];

	return cgroup_line_write(
	    fd, "cpu.cfs_quota_us", number(quota_us(limits), "-1", text));
}

static int
cpu_v2(int fd, const struct cgroup_limits *limits)
{
	char text[32];

	return cgroup_line_write(
	    fd, "cpu.max", number(quota_us(limits), "max", text));
}

static int (*const writers[CGROUP_CONTROLLERS][2])(
    int, const struct cgroup_limits *) = {
	[CGROUP_MEMORY] = { memory_v1, memory_v2 },
	[CGROUP_PIDS] = { pids_both, pids_both },
	[CGROUP_CPU] = { cpu_v1, cpu_v2 },
};

/* Controllers that these limits name. */
static unsigned int
limited(const struct cgroup_limits *limits)
{
	return (limits->memory_bytes != 0 ? CGROUP_BIT(CGROUP_MEMORY) : 0) |
	    (limits->pids != 0 ? CGROUP_BIT(CGROUP_PIDS) : 0) |
	    (limits->cpu_milli != 0 ? CGROUP_BIT(CGROUP_CPU) : 0);
}

/* In a new group nothing is limited, so there is nothing to take back. */
static int
limits_write(const struct cgroup_hierarchy *hierarchy, const char *group,
    const struct cgroup_limits *limits, bool fresh, struct err *err)
{
	const unsigned int wanted =
	    hierarchy->controllers & (fresh ? limited(limits) : CGROUP_ALL);

	if (wanted == 0)
		return 0;
	auto_close int fd =
	    cgroup_folder_open(hierarchy->place_fd, place_path(group));
	if (fd < 0)
		return refused(hierarchy, group, "open", -errno, err);
	for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++) {
		if ((wanted & CGROUP_BIT(i)) == 0)
			continue;
		const int code = writers[i][hierarchy->version - 1](fd, limits);
		if (code != 0)
			return refused(
			    hierarchy, group, cgroup_controllers[i], code, err);
	}
	return 0;
}

/* v2 beside v1 limits nothing: it kills (cgroup.kill) and counts, which is not
 * worth 100 us to a place alone. */
static bool
is_worthless(const struct cgroup_hierarchy *hierarchy, const char *group)
{
	return hierarchy->controllers == 0 && group[0] == '\0';
}

/* v2 has one hierarchy: there it is always made. In those of v1, where a limit
 * asks for it, or was set before. */
static bool
is_needed(const struct cgroup_hierarchy *hierarchy, const char *group,
    const struct cgroup_limits *limits)
{
	const unsigned int share =
	    limits->cpu_share ? CGROUP_BIT(CGROUP_CPU) : 0;

	return hierarchy->version == 2 ||
	    (hierarchy->controllers & (limited(limits) | share)) != 0 ||
	    (hierarchy->place_fd >= 0 &&
		faccessat(hierarchy->place_fd, place_path(group), F_OK, 0) ==
		    0);
}

int
cgroup_set(struct cgroup *cgroup, const char *group,
    const struct cgroup_limits *limits, struct err *err)
{
	if (!name_is_good(group))
		return err_set(err, -EINVAL,
		    "\"%s\" is no name of a control group", group);
	for (size_t i = 0; i < cgroup->n_hierarchies; i++) {
		struct cgroup_hierarchy *hierarchy = &cgroup->hierarchies[i];
		bool fresh;
		if (is_worthless(hierarchy, group) ||
		    !is_needed(hierarchy, group, limits))
			continue;
		int code = group_make(hierarchy, group, &fresh);
		if (code != 0)
			return refused(hierarchy, group, "mkdir", code, err);
		code = limits_write(hierarchy, group, limits, fresh, err);
		if (code != 0)
			return code;
		if (group[0] == '\0')
			hierarchy->fresh = false;
	}
	return 0;
}

/* ---- the way in ----------------------------------------------------------- */

/*
 * A file of the group that a process enters by: of the group itself in v2; in
 * v1, where a group with children may have processes too, of the nearest above
 * it that is there. -ENOENT: of none.
 */
static int
entrance_open(
    struct cgroup_hierarchy *hierarchy, const char *group, const char *file)
{
	char path[2 * NAME_MAX];
	char name[NAME_MAX + 1];
	bool fresh;

	if (hierarchy->version == 2) {
		const int code = group_make(hierarchy, group, &fresh);
		if (code != 0)
			return code;
	}
	if (hierarchy->place_fd < 0)
		return -ENOENT;
	snprintf(name, sizeof(name), "%s", group);
	for (;;) {
		snprintf(path, sizeof(path), "%s/%s", place_path(name), file);
		const int fd =
		    openat(hierarchy->place_fd, path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT || name[0] == '\0')
			return fd >= 0 ? fd : -errno;
		char *slash = strrchr(name, '/');
		*(slash != NULL ? slash : name) = '\0';
	}
}

int
cgroup_put(struct cgroup *cgroup, const char *group, pid_t pid, struct err *err)
{
	char text[32];

	if (!name_is_good(group))
		return err_set(err, -EINVAL,
		    "\"%s\" is no name of a control group", group);
	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < cgroup->n_hierarchies; i++) {
		struct cgroup_hierarchy *hierarchy = &cgroup->hierarchies[i];
		if (is_worthless(hierarchy, group))
			continue;
		auto_close int fd =
		    entrance_open(hierarchy, group, "cgroup.procs");
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return refused(
			    hierarchy, group, "cgroup.procs", fd, err);
		if (write(fd, text, strlen(text)) < 0)
			return refused(
			    hierarchy, group, "cgroup.procs", -errno, err);
	}
	return 0;
}

int
cgroup_door_open(struct cgroup *cgroup, const char *group,
    struct cgroup_door *door, struct err *err)
{
	struct cgroup_door made = CGROUP_DOOR_NONE;
	bool fresh;

	if (!name_is_good(group))
		return err_set(err, -EINVAL,
		    "\"%s\" is no name of a control group", group);
	for (size_t i = 0; i < cgroup->n_hierarchies; i++) {
		struct cgroup_hierarchy *hierarchy = &cgroup->hierarchies[i];
		int code = 0;
		if (is_worthless(hierarchy, group))
			continue;
		if (hierarchy->version == 2) {
			code = group_make(hierarchy, group, &fresh);
			if (code == 0)
				code = made.into_fd = cgroup_folder_open(
				    hierarchy->place_fd, place_path(group));
			if (code == -1)
				code = -errno;
		} else {
			code = made.task_fds[i] =
			    entrance_open(hierarchy, group, "tasks");
		}
		if (code < 0 && code != -ENOENT) {
			cgroup_door_close(&made);
			return refused(hierarchy, group, "enter", code, err);
		}
	}
	*door = made;
	return 0;
}

/* "0" is the thread that writes: it can neither end nor change meanwhile, so
 * the kernel takes no lock over all processes. */
int
cgroup_door_enter(const struct cgroup_door *door)
{
	for (size_t i = 0; i < CGROUP_DOORS; i++)
		if (door->task_fds[i] >= 0 &&
		    write(door->task_fds[i], "0", 1) < 0)
			return -errno;
	return 0;
}

void
cgroup_door_close(struct cgroup_door *door)
{
	for (size_t i = 0; i < CGROUP_DOORS; i++)
		if (door->task_fds[i] >= 0)
			close(door->task_fds[i]);
	if (door->into_fd >= 0)
		close(door->into_fd);
	*door = (struct cgroup_door)CGROUP_DOOR_NONE;
}

/* ---- counts --------------------------------------------------------------- */

static const struct count {
	int version;
	const char *file;
	const char *key; /* NULL: the file is the number */
	size_t offset;
} counts[] = {
#define USAGE(member) offsetof(struct cgroup_usage, member)
	{ 1, "memory.usage_in_bytes", NULL, USAGE(memory_bytes) },
	{ 1, "memory.max_usage_in_bytes", NULL, USAGE(memory_peak_bytes) },
	{ 1, "memory.oom_control", "oom_kill", USAGE(oom_kills) },
	{ 1, "pids.current", NULL, USAGE(pids) },
	{ 1, "pids.events", "max", USAGE(pids_refused) },
	{ 2, "memory.current", NULL, USAGE(memory_bytes) },
	{ 2, "memory.peak", NULL, USAGE(memory_peak_bytes) },
	{ 2, "memory.events", "oom_kill", USAGE(oom_kills) },
	{ 2, "pids.current", NULL, USAGE(pids) },
	{ 2, "pids.events", "max", USAGE(pids_refused) },
	{ 2, "cpu.stat", "usage_usec", USAGE(cpu_us) },
#undef USAGE
};

/* Lines "KEY NUMBER", or one number. Untouched where there is none. */
static void
count_read(int folder_fd, const struct count *count, uint64_t *value)
{
	char text[2048];

	auto_close int fd =
	    openat(folder_fd, count->file, O_RDONLY | O_CLOEXEC);
	const ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return;
	text[len] = '\0';
	if (count->key == NULL) {
		*value = strtoull(text, NULL, 10);
		return;
	}
	const size_t key_len = strlen(count->key);
	for (const char *line = text; line != NULL;
	     line = (line = strchr(line, '\n')) != NULL ? line + 1 : NULL)
		if (strncmp(line, count->key, key_len) == 0 &&
		    line[key_len] == ' ')
			*value = strtoull(line + key_len, NULL, 10);
}

void
cgroup_usage(
    struct cgroup *cgroup, const char *group, struct cgroup_usage *usage)
{
	*usage = (struct cgroup_usage){ .memory_bytes = 0 };
	for (size_t i = 0; i < cgroup->n_hierarchies; i++) {
		const struct cgroup_hierarchy *hierarchy =
		    &cgroup->hierarchies[i];
		auto_close int fd =
		    hierarchy->place_fd < 0 || !name_is_good(group)
		    ? -1
		    : cgroup_folder_open(
			  hierarchy->place_fd, place_path(group));
		for (size_t n = 0; fd >= 0 && n < ARRAY_LEN(counts); n++)
			if (counts[n].version == hierarchy->version)
				count_read(fd, &counts[n],
				    (uint64_t *)((char *)usage +
					counts[n].offset));
	}
}

/* ---- the end -------------------------------------------------------------- */

#define KILL_BATCH 64

static size_t
pids_read(int folder_fd, pid_t pids[KILL_BATCH])
{
	size_t n = 0;

	const int fd = openat(folder_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	auto_fclose FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
	while (
	    file != NULL && n < KILL_BATCH && fscanf(file, "%d", &pids[n]) == 1)
		n++;
	return n;
}

/* Whether a pid that is held by a pidfd is still in the group: then the pidfd is
 * of that process and of no later one. */
static bool
is_in(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* The number of processes that were found. */
static size_t
batch_kill(int folder_fd)
{
	pid_t seen[KILL_BATCH], still[KILL_BATCH];
	int pidfds[KILL_BATCH];

	const size_t n_seen = pids_read(folder_fd, seen);
	for (size_t i = 0; i < n_seen; i++)
		pidfds[i] = (int)syscall(SYS_pidfd_open, seen[i], 0);
	const size_t n_still = n_seen > 0 ? pids_read(folder_fd, still) : 0;
	for (size_t i = 0; i < n_seen; i++) {
		if (pidfds[i] < 0)
			continue;
		if (is_in(still, n_still, seen[i]))
			syscall(
			    SYS_pidfd_send_signal, pidfds[i], SIGKILL, NULL, 0);
		close(pidfds[i]);
	}
	return n_seen;
}

/* Without cgroup.kill: until nobody is left who could fork. */
static void
tree_kill(int at_fd, const char *name)
{
	auto_close int fd = cgroup_folder_open(at_fd, name);

	for (int i = 0; fd >= 0 && i < KILL_ROUNDS && batch_kill(fd) > 0; i++)
		cgroup_nap();
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL)
		return;
	fd = -1;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			tree_kill(dirfd(dir), entry->d_name);
	closedir(dir);
}

void
cgroup_kill(struct cgroup *cgroup, const char *group)
{
	if (!name_is_good(group))
		return;
	/* That of v2 stands last. */
	for (size_t i = cgroup->n_hierarchies; i-- > 0;) {
		const struct cgroup_hierarchy *hierarchy =
		    &cgroup->hierarchies[i];
		if (hierarchy->place_fd < 0)
			continue;
		auto_close int fd =
		    cgroup_folder_open(hierarchy->place_fd, place_path(group));
		if (fd < 0)
			continue;
		if (cgroup_line_write(fd, "cgroup.kill", "1") == 0)
			return;
		tree_kill(fd, ".");
	}
}

void
cgroup_remove(struct cgroup *cgroup, const char *group)
{
	int left_ms = CGROUP_EMPTY_MS;

	if (!name_is_good(group))
		return;
	for (size_t i = 0; i < cgroup->n_hierarchies; i++) {
		struct cgroup_hierarchy *hierarchy = &cgroup->hierarchies[i];
		if (hierarchy->place_fd >= 0 && group[0] == '\0')
			cgroup_place_remove(hierarchy);
		else if (hierarchy->place_fd >= 0)
			cgroup_tree_remove(
			    hierarchy->place_fd, group, &left_ms);
	}
}
