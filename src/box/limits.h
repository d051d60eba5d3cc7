/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The limits of a box, by control groups where this machine lets us set them
 * and by rlimits always: which of them hold, for a person too.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "box/cgroup.h"
#include "box/spec.h"

#define BOX_LIMITS_TEXT_MAX 512u

/* The box's group with its limits, and the way into it. The caller closes the
 * door. Negative errno with the file that refused. */
int box_limits_open(const struct box_limits *limits, struct cgroup *cgroup,
    const char *group, struct cgroup_door *door, struct err *err);

/*
 * Takes what every process of the box then has; has_memory_group: a control
 * group bounds their memory together. Called inside, before capabilities go; nothing is
 * raised. Negative errno and a sentence. setrlimit(2)
 */
int box_limits_apply(
    const struct box_limits *limits, bool has_memory_group, struct err *err);

/* The number of open files, which is the payload's alone: init, and what is yet
 * to be opened for the walls, are not to fail of it. Negative errno. */
int box_limits_files_apply(const struct box_limits *limits);

/* "memory 512 MiB (control group v1), 64 processes (control group v1), no CPU
 * limit": what holds, and by what. */
void box_limits_describe(const struct box_limits *limits,
    const struct cgroup *cgroup, char text[BOX_LIMITS_TEXT_MAX]);

/* True, and which limit ended a part of the box, or kept it from growing:
 * "memory limit of 512 MiB: 1 process ended". */
bool box_limits_blame(const struct box_limits *limits,
    const struct cgroup_usage *usage, char text[BOX_LIMITS_TEXT_MAX]);
