/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control groups: memory, pids and CPU of a process tree, whichever of them
 * this machine lets us set: v2, v1, or both side by side (hybrid: limits on v1,
 * cgroup.kill on v2). Written to the files directly.
 * Documentation/admin-guide/cgroup-v1, cgroup-v2.rst
 *
 * A group is a folder below our own place in each hierarchy: "t-TENANT/cells",
 * "t-TENANT/b-12"; "" is our place itself. Parents have limits and no processes
 * (cgroup-v2.rst, "No Internal Process Constraint").
 *
 * Only what is limited is made: a folder costs 15 to 40 us, a limit 8.
 */

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct cgroup_limits {
	uint64_t memory_bytes; /* swap included; 0: none */
	uint64_t pids; /* processes and threads; 0: none */
	uint64_t cpu_milli; /* thousandths of one CPU; 0: none */
	int cpu_share; /* bool: one share of the CPUs beside its siblings,
			* however many processes are in it */
};

struct cgroup; /* our own place in each hierarchy */

/*
 * Looks what may be used, and makes nothing: as root below the root or our own
 * group; as a user where a group was delegated to us. -ENOMEM; no controller at
 * all is not an error.
 */
int cgroup_new(struct cgroup **cgroupp);

/* The same below another mount and by another /proc/self/cgroup, for tests. */
int cgroup_new_at(const char *mount, const char *self, struct cgroup **cgroupp);

/* Removes every group that was made; they must be empty. Takes NULL. */
struct cgroup *cgroup_free(struct cgroup *cgroup);

/* Removes what dead owners left. Of no haste: after a start, not before it. */
void cgroup_sweep(struct cgroup *cgroup);

/* "memory v1, pids v1, cpu v2", or "none". Borrowed. */
const char *cgroup_describe(const struct cgroup *cgroup);

/* Which of the limits hold in groups of ours: 0, or the hierarchy's version. */
struct cgroup_can {
	int memory;
	int pids;
	int cpu;
	int kill; /* cgroup.kill (v2, Linux 5.14) */
};
struct cgroup_can cgroup_can(const struct cgroup *cgroup);

/* NULL when all limits can be set; else why not, as a sentence. Borrowed. */
const char *cgroup_complaint(const struct cgroup *cgroup);

/* Whether cgroup_set() has made it. */
int cgroup_has(const struct cgroup *cgroup, const char *group);

/* Makes a group and those above it, or sets new limits to one that is there. A
 * limit below what is in use takes hold as the kernel can make room. Negative
 * errno with the file that refused. */
int cgroup_set(struct cgroup *cgroup, const char *group,
    const struct cgroup_limits *limits, struct err *err);

/*
 * Puts a process into a group (made if need be, without limits), before it has
 * children. Negative errno with the file that refused.
 *
 * Slow: to move a process by its pid the kernel waits for an RCU grace period,
 * 8 to 20 ms on a machine at rest (cgroup_threadgroup_rwsem). A child of our
 * own goes through a door.
 */
int cgroup_put(
    struct cgroup *cgroup, const char *group, pid_t pid, struct err *err);

/*
 * The way into a group for a child that is about to be made, 50 us for each
 * hierarchy: v2 takes it at birth, v1 lets a thread move itself.
 *
 *   cgroup_door_open()	    the group is made if need be; the caller closes
 *   clone3()		    with CLONE_INTO_CGROUP and .cgroup = into_fd,
 *			    where that is not -1
 *   cgroup_door_enter()    in the child, while it has one thread and no
 *			    children; whatever its user namespace
 */
#define CGROUP_DOORS 3

struct cgroup_door {
	int into_fd; /* v2: of the folder; -1 */
	int task_fds[CGROUP_DOORS]; /* v1: of "tasks"; -1 */
};

#define CGROUP_DOOR_NONE                                                       \
	{                                                                      \
		.into_fd = -1, .task_fds = { -1, -1, -1 }                      \
	}

int cgroup_door_open(struct cgroup *cgroup, const char *group,
    struct cgroup_door *door, struct err *err);
/* Negative errno. Async-signal-safe. */
int cgroup_door_enter(const struct cgroup_door *door);
void cgroup_door_close(struct cgroup_door *door);

/* What the kernel counted. */
struct cgroup_usage {
	uint64_t memory_bytes;
	uint64_t memory_peak_bytes;
	uint64_t cpu_us;
	uint64_t pids;
	uint64_t oom_kills; /* processes that the memory limit ended */
	uint64_t pids_refused; /* forks that the pids limit refused; v1, v2 */
};
void cgroup_usage(
    struct cgroup *cgroup, const char *group, struct cgroup_usage *usage);

/* Kills all that is in it and below it, whatever its pids do meanwhile. Then it
 * is to be removed: Linux kills every child that is born into a group that
 * cgroup.kill was once written of (its kill_seq is compared with that of the
 * parent's group). */
void cgroup_kill(struct cgroup *cgroup, const char *group);

/* Removes a group that is empty, or is about to be: waits for that 200 ms at
 * most. A group that stays is swept by the next one of us. */
void cgroup_remove(struct cgroup *cgroup, const char *group);
