/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The host's own package manager, npm or uv, run in a box: it reads what
 * strangers published. It sees its own files, what a name lookup and TLS need,
 * and the staging folder, which it may write; and the host's network, since a
 * registry is not to be reached in another way yet.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "package/keep.h"
#include "package/tree.h"

/* Where the staging folder is, inside. */
#define RUN_PLACE "/resolve"

struct run {
	const char *what; /* "npm" */
	const char *package; /* what is resolved, for progress */
	const char *const *argv;
	const char *const *env; /* "NAME=value"; NULL-ended */
	const char *const *reads; /* files and folders of the host, where they
				   * are; those below /usr are there anyway */
	const struct staging *staging;
	struct tree_limits limits; /* of the tree that it fills */
	uint64_t deadline_ms; /* of CLOCK_MONOTONIC */
	bool has_network;
	bool quiet;
};

#define RUN_TAIL_BYTES 8192

struct run_result {
	int status; /* exit status; 0 was a success */
	char tail[RUN_TAIL_BYTES]; /* the end of what it said */
};

/* Negative: it could not be run, or it was ended for what it spent. */
int run_package_manager(
    const struct run *run, struct run_result *result, struct err *err);

/* CLOCK_MONOTONIC in milliseconds. */
uint64_t run_now_ms(void);

/* The absolute path of a program in PATH, its links followed. -ENOENT. */
int run_program_find(const char *name, char path[PATH_MAX]);
