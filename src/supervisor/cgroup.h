/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A control group per tenant: memory, pids and CPU share, whichever of them
 * this machine lets us set, on v1 or v2. Written to the files directly.
 * Documentation/admin-guide/cgroup-v1, cgroup-v2.rst
 */

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct cgroup_limits {
	uint64_t memory_bytes; /* 0: none */
	uint64_t pids; /* 0: none */
};

struct cgroup; /* the supervisor's own place in each hierarchy */

/* Finds what may be used, and removes what dead supervisors left. -ENOMEM;
 * no controller at all is not an error. */
int cgroup_new(struct cgroup **cgroupp);

/* Removes every group that was made; they must be empty. Takes NULL. */
struct cgroup *cgroup_free(struct cgroup *cgroup);

/* "memory v1, pids v1, cpu v2", or "none". Borrowed. */
const char *cgroup_describe(const struct cgroup *cgroup);

/* Sets other limits to a tenant's group, where it has been made. A limit below
 * what is in use takes hold as the kernel can make room. */
void cgroup_set(struct cgroup *cgroup, const char *tenant,
    const struct cgroup_limits *limits);

/* Puts a process into its tenant's group, which is made when it is not there.
 * Negative errno with the file that refused. */
int cgroup_put(struct cgroup *cgroup, const char *tenant,
    const struct cgroup_limits *limits, pid_t pid, struct err *err);
