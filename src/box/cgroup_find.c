/* SPDX-License-Identifier: Apache-2.0
 *
 * Where groups of ours may be made: by /proc/self/cgroup, mount points and what
 * this user may write.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "box/cgroup_impl.h"

const char *const cgroup_controllers[CGROUP_CONTROLLERS] = { "memory", "pids",
	"cpu" };

static void __attribute__((format(printf, 2, 3)))
path_set(char path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vsnprintf(path, PATH_MAX, format, args) >= PATH_MAX)
		path[0] = '\0'; /* too long a path opens nothing */
	va_end(args);
}

int
cgroup_line_read(int folder_fd, const char *file, char *text, size_t size)
{
	auto_close int fd = openat(folder_fd, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	const ssize_t len = read(fd, text, size - 1);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int
cgroup_line_write(int folder_fd, const char *file, const char *text)
{
	auto_close int fd = openat(folder_fd, file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Which controllers a line of names holds, as bits. */
static unsigned int
controllers_in(const char *names, const char *separators)
{
	char copy[1024];
	char *save = NULL;
	unsigned int bits = 0;

	snprintf(copy, sizeof(copy), "%s", names);
	for (char *word = strtok_r(copy, separators, &save); word != NULL;
	     word = strtok_r(NULL, separators, &save))
		for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++)
			if (strcmp(word, cgroup_controllers[i]) == 0)
				bits |= CGROUP_BIT(i);
	return bits;
}

static unsigned int
controllers_of(int folder_fd, const char *file)
{
	char line[1024];

	return cgroup_line_read(folder_fd, file, line, sizeof(line)) == 0
	    ? controllers_in(line, " ")
	    : 0;
}

int
cgroup_hand_down(int folder_fd, unsigned int controllers)
{
	char text[64] = "";

	for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++)
		if (controllers & CGROUP_BIT(i)) {
			strcat(text, text[0] == '\0' ? "+" : " +");
			strcat(text, cgroup_controllers[i]);
		}
	return text[0] == '\0'
	    ? 0
	    : cgroup_line_write(folder_fd, "cgroup.subtree_control", text);
}

static struct cgroup_hierarchy *
hierarchy_add(struct cgroup *cgroup, int version, int id)
{
	struct cgroup_hierarchy *hierarchy =
	    &cgroup->hierarchies[cgroup->n_hierarchies++];

	*hierarchy = (struct cgroup_hierarchy){
		.version = version, .id = id, .place_fd = -1
	};
	return hierarchy;
}

/* ---- v1 ------------------------------------------------------------------- */

static void
v1_add(struct cgroup *cgroup, const char *mount, int id, unsigned int bits,
    const char *own)
{
	unsigned int first = 0;
	char parent[PATH_MAX];

	while ((bits & CGROUP_BIT(first)) == 0)
		first++;
	path_set(parent, "%s/%s%s", mount, cgroup_controllers[first], own);
	int code = access(parent, W_OK);
	if (code < 0 && errno == ENOENT) {
		/* A container that sees its own group as the mount's root. */
		path_set(parent, "%s/%s", mount, cgroup_controllers[first]);
		code = access(parent, W_OK);
	}
	if (code < 0) {
		snprintf(cgroup->why, sizeof(cgroup->why),
		    "the control groups (v1) may not be written by this user");
		return;
	}
	struct cgroup_hierarchy *hierarchy = hierarchy_add(cgroup, 1, id);
	hierarchy->controllers = bits;
	memcpy(hierarchy->parent, parent, sizeof(parent));
}

/* ---- v2 ------------------------------------------------------------------- */

/* How many processes a group holds: 0, 1: us, 2: others too. */
static int
residents(int folder_fd)
{
	char text[64], own[32];

	auto_close int fd =
	    openat(folder_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	const ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return len < 0 ? 2 : 0;
	text[len] = '\0';
	snprintf(own, sizeof(own), "%d\n", getpid());
	return strcmp(text, own) == 0 ? 1 : 2;
}

/* Out of a group that is to hand controllers down, into a leaf of it, which the
 * next one of us sweeps. */
static int
leave(int folder_fd)
{
	char name[48], procs[80];

	snprintf(name, sizeof(name), "cordon.%d.self", getpid());
	if (mkdirat(folder_fd, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", name);
	return cgroup_line_write(folder_fd, procs, "0");
}

/*
 * Which of these controllers a child of this folder would have, having them
 * handed down where that may be: in our own group when nobody else is in it,
 * in the root. What lies between belongs to others (systemd): as it is.
 */
static unsigned int
v2_offer(int folder_fd, unsigned int wanted, bool is_own)
{
	if (wanted == 0)
		return 0;
	const unsigned int handed =
	    controllers_of(folder_fd, "cgroup.subtree_control");
	const unsigned int more =
	    controllers_of(folder_fd, "cgroup.controllers") & wanted & ~handed;

	if (more == 0)
		return handed & wanted;
	/* The root has no type. */
	const bool is_root = faccessat(folder_fd, "cgroup.type", F_OK, 0) < 0;
	if (!is_root) {
		const int n = is_own ? residents(folder_fd) : 2;
		if (n == 2 || (n == 1 && leave(folder_fd) != 0))
			return handed & wanted;
	}
	if (cgroup_hand_down(folder_fd, more) == 0)
		return (handed | more) & wanted;
	unsigned int got = handed;
	for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++)
		if ((more & CGROUP_BIT(i)) &&
		    cgroup_hand_down(folder_fd, CGROUP_BIT(i)) == 0)
			got |= CGROUP_BIT(i);
	return got & wanted;
}

/* Whether children may be made in it, and processes of ours moved there. */
static bool
v2_is_ours(int folder_fd)
{
	return faccessat(folder_fd, ".", W_OK | X_OK, AT_EACCESS) == 0 &&
	    faccessat(folder_fd, "cgroup.procs", W_OK, AT_EACCESS) == 0;
}

/* From our own group upwards: the one that offers most. */
static void
v2_add(struct cgroup *cgroup, const char *mount, unsigned int wanted,
    const char *own)
{
	struct cgroup_hierarchy found = { .version = 0, .place_fd = -1 };
	char path[PATH_MAX];

	for (size_t len = strlen(own);; len--) {
		if (len != 0 && own[len] != '/' && own[len] != '\0')
			continue;
		path_set(path, "%s%.*s", mount, (int)len, own);
		auto_close int fd =
		    open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && v2_is_ours(fd)) {
			const unsigned int offer =
			    v2_offer(fd, wanted, own[len] == '\0');
			if (found.version == 0 ||
			    __builtin_popcount(offer) >
				__builtin_popcount(found.controllers)) {
				found.version = 2;
				found.controllers = offer;
				memcpy(found.parent, path, sizeof(path));
			}
		}
		if (len == 0 ||
		    (found.version != 0 && found.controllers == wanted))
			break;
	}
	if (found.version != 0)
		*hierarchy_add(cgroup, 2, 0) = found;
}

/* Where a cgroup2 hierarchy is mounted: pure v2, or beside v1. */
static const char *
v2_mount(const char *mount, char path[PATH_MAX])
{
	static const char *const places[] = { "/unified", "" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		path_set(path, "%s%s/cgroup.controllers", mount, places[i]);
		if (access(path, F_OK) < 0)
			continue;
		path_set(path, "%s%s", mount, places[i]);
		return path;
	}
	return NULL;
}

/* ---- all ------------------------------------------------------------------ */

static void
complaint_set(struct cgroup *cgroup, bool has_v2)
{
	unsigned int held = 0;

	for (size_t i = 0; i < cgroup->n_hierarchies; i++)
		held |= cgroup->hierarchies[i].controllers;
	if (held == CGROUP_ALL) {
		cgroup->why[0] = '\0';
		return;
	}
	if (cgroup->why[0] != '\0')
		return;
	char missing[64] = "";
	for (unsigned int i = 0; i < CGROUP_CONTROLLERS; i++)
		if ((held & CGROUP_BIT(i)) == 0) {
			strcat(missing, missing[0] == '\0' ? "" : ", ");
			strcat(missing, cgroup_controllers[i]);
		}
	snprintf(cgroup->why, sizeof(cgroup->why),
	    has_v2
		? "no control group that may limit this (%s) is delegated to "
		  "us: the group of this process holds others too, or is not "
		  "ours to write"
		: "no such control group is mounted (%s)",
	    missing);
}

/* proc(5), /proc/self/cgroup: "ID:controllers:path", v2 is "0::path". */
void
cgroup_find(struct cgroup *cgroup, const char *mount, const char *self)
{
	char line[PATH_MAX], own_v2[PATH_MAX] = "", unified[PATH_MAX];
	unsigned int in_v1 = 0;
	bool has_v2 = false;

	auto_fclose FILE *file = fopen(self, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *names = strchr(line, ':');
		char *own = names != NULL ? strchr(names + 1, ':') : NULL;
		if (own == NULL)
			continue;
		*own++ = '\0';
		if (strcmp(own, "/") == 0)
			own++;
		if (strstr(own, "/..") != NULL)
			continue; /* outside of our cgroup namespace */
		const unsigned int bits =
		    controllers_in(names + 1, ",") & ~in_v1;
		if (bits != 0)
			v1_add(cgroup, mount, atoi(line), bits, own);
		in_v1 |= bits;
		if (names[1] == '\0') {
			has_v2 = true;
			path_set(own_v2, "%s", own);
		}
	}
	/* A controller of v1 is none of v2. */
	has_v2 = has_v2 && v2_mount(mount, unified) != NULL;
	if (has_v2)
		v2_add(cgroup, unified, CGROUP_ALL & ~in_v1, own_v2);
	complaint_set(cgroup, has_v2);
}
