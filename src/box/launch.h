/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The walls around a program that a stranger wrote. The order of the layers,
 * each of which stands without the others:
 *
 *   1 clone3 into new user, mount, pid, ipc, uts and cgroup namespaces, in a
 *     control group with its limits; host uid 0 is never mapped; a new network
 *     namespace is made beside 2 (network.c)
 *   2 its own root (root.c): base read-only, private /tmp, home, /dev, masked
 *     read-only /proc, the grants; pivot_root, and nothing else is left
 *   3 descriptors: 0, 1, 2, nothing else; environment: the spec's
 *   4 rlimits
 *   5 capabilities: none, in no set; no_new_privs; no core dumps
 *   6 Landlock: the same files once more; signals and abstract sockets stay
 *     inside
 *   7 seccomp: the table in payload.def; i386 and x32 kill
 *   8 exec
 *
 * A box is two processes inside its pid namespace: init (init/init.c), which reaps,
 * notes what was refused and ends the rest, and the payload. Whoever launches
 * is init's parent and dies with it, or it with him (PR_SET_PDEATHSIG).
 *
 * What the kernel lacks ends the start with a sentence that names it; a layer is
 * never left out.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "box/cgroup.h"
#include "box/note.h"
#include "box/spec.h"

/* Started by root, a payload is this host uid + the pid of its launcher: nobody
 * else's. Else it is the user's own. */
#define BOX_PAYLOAD_UID_BASE 1910000000u

struct box_launch {
	const struct box_spec *spec;
	int stdio[3]; /* borrowed: the payload's 0, 1, 2 */
	int notes_fd; /* borrowed: init's end of the pair of note.h */
	int egress_fd; /* borrowed: where listeners go (listener.h); not looked
			* at where the spec has no ports */
	const struct cgroup_door *door; /* borrowed: into its control group;
					 * NULL: it stays in ours */
	bool has_memory_group; /* that group bounds its memory */
};

struct box_child {
	pid_t pid; /* init; ours to reap */
	int pidfd; /* owned */
};

/*
 * Starts a box. It returns when the walls stand and exec is next: a program
 * that is not there is told by a note and init's exit status 127. Negative
 * errno and a sentence. clone3(2), user_namespaces(7), pivot_root(2).
 */
int box_launch(
    const struct box_launch *launch, struct box_child *child, struct err *err);

/* A signal for the payload, by way of its init: a struct box_order written to
 * the other end of the pair of note.h. */
struct box_order {
	uint32_t signal; /* number; 0: end it: TERM, grace, KILL */
	uint32_t reserved;
};

/* Init's exit status: the payload's, 128 + its signal, or these. */
#define BOX_EXIT_FAILED 125 /* the walls could not be built: a note says why */
#define BOX_EXIT_CANNOT_RUN 126
#define BOX_EXIT_NOT_FOUND 127
#define BOX_EXIT_TIMEOUT 124

/* Builds a box with nothing in it, for `cordon doctor`:
 * 0, or the first layer that the kernel refuses, and how to get it. */
int box_probe(struct err *err);
