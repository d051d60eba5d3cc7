/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control groups: memory, pids and CPU of a process tree, whichever of them
 * this machine lets us set: v2, v1, or both side by side (hybrid: limits on v1,
 * cgroup.kill on v2). Written to the files directly.
 * Documentation/admin-guide/cgroup-v1, cgroup-v2.rst
 *
 * A group is a folder below our own place in each hierarchy: "t-TENANT/cells",
 * "t-TENANT/b-12". Parents have limits and no processes (cgroup-v2.rst, "No
 * Internal Process Constraint").
 */

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct cgroup_limits {
	uint64_t memory_bytes; /* 0: none */
	uint64_t pids; /* 0: none */
	uint64_t cpu_milli; /* thousandths of one CPU; 0: none */
};

struct cgroup; /* our own place in each hierarchy */

/*
 * Finds what may be used: as root below the root or our own group; as a user
 * where a group was delegated to us. Removes what dead owners left. -ENOMEM; no
 * controller at all is not an error.
 */
int cgroup_new(struct cgroup **cgroupp);

/* Removes every group that was made; they must be empty. Takes NULL. */
struct cgroup *cgroup_free(struct cgroup *cgroup);

/* "memory v1, pids v1, cpu v2", or "none". Borrowed. */
const char *cgroup_describe(const struct cgroup *cgroup);

/* Which of the limits hold in groups of ours. */
struct cgroup_can {
	int memory; /* bool */
	int pids;
	int cpu;
	int kill; /* cgroup.kill (v2, Linux 5.14) */
};
struct cgroup_can cgroup_can(const struct cgroup *cgroup);

/* Makes a group and those above it, or sets new limits to one that is there. A
 * limit below what is in use takes hold as the kernel can make room. Negative
 * errno with the file that refused. */
int cgroup_set(struct cgroup *cgroup, const char *group,
    const struct cgroup_limits *limits, struct err *err);

/* Puts a process into a group (made if need be, without limits), before it has
 * children. Negative errno with the file that refused. */
int cgroup_put(
    struct cgroup *cgroup, const char *group, pid_t pid, struct err *err);

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

/* Kills all that is in it, whatever its pids do meanwhile. */
void cgroup_kill(struct cgroup *cgroup, const char *group);

/* Removes a group that is empty. */
void cgroup_remove(struct cgroup *cgroup, const char *group);
