/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/*
 * Whether a controller ("memory", "pids", "cpu") could be set for a child of
 * ours: 1 or 2, the version of its hierarchy; 0, and why not. Looks only,
 * makes nothing.
 */
int ctl_cgroup_find(const char *controller, char *why, size_t size);
