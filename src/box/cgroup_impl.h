/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What cgroup.c (groups), cgroup_place.c (our own) and cgroup_find.c (where
 * they may be) share.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "box/cgroup.h"

enum { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_CONTROLLERS };

extern const char *const cgroup_controllers[CGROUP_CONTROLLERS];

struct cgroup_hierarchy {
	int version;
	int id; /* of /proc/self/cgroup */
	unsigned int controllers; /* bits: what it limits for us */
	char parent[PATH_MAX]; /* the folder that our place is made in */
	int place_fd; /* once it is made, locked (flock); -1 */
	bool fresh; /* the place has no limits of ours yet */
	bool handed; /* v2: the place hands its controllers down */
	char name[32]; /* of the place in its parent */
};

/* v1 ones first, then that of v2. */
struct cgroup {
	struct cgroup_hierarchy hierarchies[CGROUP_CONTROLLERS + 1];
	size_t n_hierarchies;
	char text[128];
	char why[512];
};

#define CGROUP_BIT(controller) (1u << (controller))
#define CGROUP_ALL ((1u << CGROUP_CONTROLLERS) - 1u)

/* Fills hierarchies and why. */
void cgroup_find(struct cgroup *cgroup, const char *mount, const char *self);

/* v2: has a group hand these controllers down to its children. Negative
 * errno. */
int cgroup_hand_down(int folder_fd, unsigned int controllers);

/* The first line of a file in a folder, without its end. Negative errno. */
int cgroup_line_read(int folder_fd, const char *file, char *text, size_t size);

/* Negative errno. */
int cgroup_line_write(int folder_fd, const char *file, const char *text);

/* ---- cgroup_place.c ------------------------------------------------------- */

/* How long a removal waits for what is about to end. */
#define CGROUP_EMPTY_MS 200

int cgroup_folder_open(int at_fd, const char *path);
void cgroup_nap(void); /* a millisecond */

/* Makes our place where it is not there. Negative errno. */
int cgroup_place_make(struct cgroup_hierarchy *hierarchy);
void cgroup_place_remove(struct cgroup_hierarchy *hierarchy);

/* A folder and those below it; those with processes stay, once *left_ms are
 * over. */
void cgroup_tree_remove(int at_fd, const char *name, int *left_ms);
