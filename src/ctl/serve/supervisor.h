/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Starting the supervisor with its plan (wire/plan.h), and ending it.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "wire/plan.h"

struct ctl_supervisor {
	pid_t pid;
	int pid_fd; /* readable when it has ended */
	int said_fd; /* what it writes on stderr, non-blocking; or -1 */
};

/*
 * Raises the limit of open files to the hard one: the plan is one descriptor
 * for each deployment, a pool two for each cell.
 */
void ctl_files_raise(void);

/* Fills name, tenant "local", the bundle and the rest of a record. */
int ctl_deployment_set(struct wire_deployment *deployment, const char *name,
    int bundle_fd, uint32_t pool_max, const struct wire_limits *limits);

/*
 * Seals the plan and starts `cordon-supervisor --plan FD` in a process group
 * of its own, so that a Ctrl-C reaches it through us only. It inherits stderr
 * (or, with `capture`, a pipe), the plan, its caller or listener and its
 * bundles; when we die it gets SIGTERM. The caller still owns the plan's
 * descriptors and closes them. Negative errno.
 */
int ctl_supervisor_start(const struct wire_plan *plan,
    const struct wire_deployment *deployments, bool capture,
    struct ctl_supervisor *supervisor, struct err *err);

/* The same for a host: the servers come later. lock_fd is held as long as the
 * supervisor lives, whatever becomes of us. */
int ctl_supervisor_host(const struct wire_plan *plan, int lock_fd,
    struct ctl_supervisor *supervisor, struct err *err);

/* A sealed memfd of a plan and its deployments. Negative errno. */
int ctl_plan_seal(const struct wire_plan *plan,
    const struct wire_deployment *deployments, int *fd);

/*
 * Waits for its end, at most so long, then kills; the descriptors are closed.
 * Returns its wait status.
 */
int ctl_supervisor_end(struct ctl_supervisor *supervisor, int wait_ms);
