/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

enum { MEMORY, PIDS, CPU, N_CONTROLLERS };

static const struct controller {
	const char *name;
	const char *v1_file;
	const char *v2_file;
} controllers[N_CONTROLLERS] = {
	[MEMORY] = { "memory", "memory.limit_in_bytes", "memory.max" },
	[PIDS] = { "pids", "pids.max", "pids.max" },
	[CPU] = { "cpu", "cpu.shares", "cpu.weight" },
};

struct place {
	int version; /* 0: not to be had, 1, 2 */
	char base[PATH_MAX]; /* our own folder in that hierarchy */
};

struct cgroup {
	struct place places[N_CONTROLLERS];
	char text[128];
};

static int
file_write(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static void __attribute__((format(printf, 2, 3)))
path_set(char path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vsnprintf(path, PATH_MAX, format, args) >= PATH_MAX)
		path[0] = '\0'; /* too long a path opens nothing */
	va_end(args);
}

/* Where a cgroup2 hierarchy is mounted: pure v2, or beside v1. */
static const char *
unified_mount(void)
{
	static const char *const mounts[] = { "/sys/fs/cgroup",
		"/sys/fs/cgroup/unified" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
		path_set(path, "%s/cgroup.controllers", mounts[i]);
		if (access(path, F_OK) == 0)
			return mounts[i];
	}
	return NULL;
}

static int
word_in(const char *words, const char *word, const char *separators)
{
	char copy[1024];
	char *save = NULL;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok_r(copy, separators, &save); w != NULL;
	     w = strtok_r(NULL, separators, &save))
		if (strcmp(w, word) == 0)
			return 1;
	return 0;
}

/* proc(5), /proc/self/cgroup: "ID:controllers:path", v2 is "0::path". */
static int
own_path(const char *controller, char path[PATH_MAX])
{
	char line[PATH_MAX];

	auto_fclose FILE *file = fopen("/proc/self/cgroup", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *names = strchr(line, ':');
		char *at = names != NULL ? strchr(names + 1, ':') : NULL;
		if (at == NULL)
			continue;
		*at++ = '\0';
		if (controller != NULL ? word_in(names + 1, controller, ",")
				       : names[1] == '\0') {
			path_set(path, "%s", strcmp(at, "/") == 0 ? "" : at);
			return 1;
		}
	}
	return 0;
}

static int
folder_make(const char *path)
{
	return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int
file_holds(const char *path, const char *word)
{
	char line[1024] = "";

	auto_fclose FILE *file = fopen(path, "re");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		return 0;
	return word_in(line, word, " \n");
}

/* v2: whether a group hands this controller down to its children. */
static int
v2_enable(const char *group, const char *controller)
{
	char path[PATH_MAX], enable[32];

	snprintf(enable, sizeof(enable), "+%s", controller);
	path_set(path, "%s/cgroup.subtree_control", group);
	return file_holds(path, controller) || file_write(path, enable) == 0;
}

/* 1: tenants' groups can be made below `own`, with this controller. */
static int
v2_place(struct place *place, const struct controller *controller,
    const char *unified, const char *own)
{
	char path[PATH_MAX];

	path_set(path, "%s%s", unified, own);
	path_set(place->base, "%s/cordon.%d", path, getpid());
	if (!v2_enable(path, controller->name) ||
	    folder_make(place->base) != 0 ||
	    !v2_enable(place->base, controller->name))
		return 0;
	place->version = 2;
	return 1;
}

static void
place_find(struct place *place, const struct controller *controller)
{
	char own[PATH_MAX];
	const char *unified = unified_mount();

	if (own_path(controller->name, own)) {
		path_set(place->base, "/sys/fs/cgroup/%s%s/cordon.%d",
		    controller->name, own, getpid());
		if (folder_make(place->base) == 0) {
			place->version = 1;
			return;
		}
	}
	if (unified == NULL || !own_path(NULL, own))
		return;
	/* A group that holds processes hands no controller down; the root
	 * does, and root may write there. */
	if (!v2_place(place, controller, unified, own) && own[0] != '\0')
		v2_place(place, controller, unified, "");
}

/* Tenants' folders, then the place itself. Busy ones stay. */
static void
folder_remove(const char *base)
{
	char path[PATH_MAX];
	DIR *dir = opendir(base);

	for (struct dirent *entry; dir != NULL && (entry = readdir(dir));) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		path_set(path, "%s/%s", base, entry->d_name);
		rmdir(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(base);
}

/* A supervisor that was killed could not clean up behind itself. */
static void
stale_remove(const struct place *place)
{
	char parent[PATH_MAX], path[PATH_MAX];

	path_set(parent, "%s", place->base);
	char *slash = strrchr(parent, '/');
	if (slash == NULL)
		return;
	*slash = '\0';
	DIR *dir = opendir(parent);
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir));) {
		int pid;
		if (sscanf(entry->d_name, "cordon.%d", &pid) != 1 ||
		    kill(pid, 0) == 0 || errno != ESRCH)
			continue;
		path_set(path, "%s/%s", parent, entry->d_name);
		folder_remove(path);
	}
	if (dir != NULL)
		closedir(dir);
}

/* The one v2 folder is there before it is known whether it is of use. */
static void
place_unused_remove(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		if (cgroup->places[i].version == 2)
			return;
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		if (cgroup->places[i].version == 0 &&
		    cgroup->places[i].base[0] != '\0')
			rmdir(cgroup->places[i].base);
}

int
cgroup_new(struct cgroup **cgroupp)
{
	struct cgroup *cgroup = calloc(1, sizeof(*cgroup));
	if (cgroup == NULL)
		return -ENOMEM;

	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		struct place *place = &cgroup->places[i];
		place_find(place, &controllers[i]);
		if (place->version == 0)
			continue;
		stale_remove(place);
		const size_t len = strlen(cgroup->text);
		snprintf(cgroup->text + len, sizeof(cgroup->text) - len,
		    "%s%s v%d", len > 0 ? ", " : "", controllers[i].name,
		    place->version);
	}
	place_unused_remove(cgroup);
	*cgroupp = cgroup;
	return 0;
}

struct cgroup *
cgroup_free(struct cgroup *cgroup)
{
	for (size_t i = 0; cgroup != NULL && i < N_CONTROLLERS; i++)
		if (cgroup->places[i].version != 0)
			folder_remove(cgroup->places[i].base);
	free(cgroup);
	return NULL;
}

const char *
cgroup_describe(const struct cgroup *cgroup)
{
	return cgroup->text[0] != '\0' ? cgroup->text : "none";
}

static int
limit_write(const char *folder, size_t i, int version, uint64_t value)
{
	char path[PATH_MAX], text[32];

	path_set(path, "%s/%s", folder,
	    version == 1 ? controllers[i].v1_file : controllers[i].v2_file);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return file_write(path, text);
}

/* A tenant may be called as a file of the group is: "tasks". */
static void
folder_set(char folder[PATH_MAX], const struct place *place, const char *tenant)
{
	path_set(folder, "%s/t-%s", place->base, tenant);
}

void
cgroup_set(struct cgroup *cgroup, const char *tenant,
    const struct cgroup_limits *limits)
{
	const uint64_t values[N_CONTROLLERS] = {
		[MEMORY] = limits->memory_bytes, [PIDS] = limits->pids
	};
	char folder[PATH_MAX];

	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		const struct place *place = &cgroup->places[i];
		if (place->version == 0 || values[i] == 0)
			continue;
		folder_set(folder, place, tenant);
		if (access(folder, F_OK) == 0)
			limit_write(folder, i, place->version, values[i]);
	}
}

int
cgroup_put(struct cgroup *cgroup, const char *tenant,
    const struct cgroup_limits *limits, pid_t pid, struct err *err)
{
	const uint64_t values[N_CONTROLLERS] = {
		[MEMORY] = limits->memory_bytes, [PIDS] = limits->pids
	};
	char folder[PATH_MAX], path[PATH_MAX], text[32];

	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		const struct place *place = &cgroup->places[i];
		if (place->version == 0)
			continue;
		folder_set(folder, place, tenant);
		int code = 0;
		if (mkdir(folder, 0755) == 0 && values[i] != 0)
			code =
			    limit_write(folder, i, place->version, values[i]);
		else if (access(folder, F_OK) < 0)
			code = -errno;
		path_set(path, "%s/cgroup.procs", folder);
		snprintf(text, sizeof(text), "%d", pid);
		if (code == 0)
			code = file_write(path, text);
		if (code != 0)
			return err_set(err, code, "cgroup %s of %s: %s", folder,
			    controllers[i].name, strerror(-code));
	}
	return 0;
}
