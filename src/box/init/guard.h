/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Guarded folders (BOX_GRANT_GUARD): the payload works in them, and leaves
 * nothing there that a program outside obeys: a hook, a setting, a dotfile. What
 * exists when the box starts is covered by mounts as well; names that do not
 * exist yet can be covered by nothing on the host that is not a ghost file.
 *
 * So the payload's filter sends every call that opens for writing, makes,
 * renames, links or removes to init, and init does it *instead* (guard.c):
 * paths are read once, folders become descriptors (guard_path.c), the rule
 * (guard_rule.c) decides on the real path of the descriptor and the last part,
 * and the same descriptor and the same copy of that part go to the kernel. There
 * is no second look at the payload's memory, hence nothing to win by changing it.
 * Init does one call after the other: between decision and deed nobody else in
 * the box renames anything. It has the payload's root, uid and Landlock domain:
 * what the kernel refuses the payload, it refuses init.
 *
 * seccomp_unotify(2), openat2(2)
 */

#include <stdbool.h>
#include <sys/types.h>

#include "box/inside.h"

struct seccomp_notif;

/* ---- the rule (guard_rule.c): pure --------------------------------------- */

/* May what is at a real path be neither made nor changed nor removed? */
bool box_guard_keeps(const struct box_spec *spec, const char *path);

/* A folder takes with it what lies in it. May it move, though its parts would
 * be judged otherwise at its new place? Both are real paths. */
bool box_guard_may_move(
    const struct box_spec *spec, const char *from, const char *to);

/* ---- places (guard_path.c) ------------------------------------------------ */

#define GUARD_PATH_MAX (BOX_PATH_MAX * 2)

/* Whose call it is; read from /proc when first needed. */
struct guard_caller {
	pid_t tid;
	pid_t tgid; /* 0: not read yet */
	mode_t umask;
};

int guard_caller_read(struct guard_caller *caller);

/* The file behind /proc/PID/fd/N and its like has no parent: `name` is empty,
 * and fd is the file itself. */
struct guard_place {
	int fd; /* O_PATH of the folder; owned; -1: none */
	char name[BOX_PATH_MAX + 1]; /* the last part, as it was written */
	unsigned n_links; /* symlinks followed so far */
	bool may_be_itself; /* an empty path is the descriptor's file */
};

/* The folder of a path, as the caller sees it; the last part is not followed.
 * Negative errno, which is the caller's answer. */
int guard_place_find(struct guard_caller *caller, int dir_fd, const char *path,
    struct guard_place *place);
/* The last part is a symlink: to where it leads. -ELOOP after forty. */
int guard_place_follow(struct guard_caller *caller, struct guard_place *place);
/* As guard_place_follow(), while it is one. */
int guard_place_settle(struct guard_caller *caller, struct guard_place *place);
/* Its real path, normal. GUARD_PATH_MAX bytes. */
int guard_place_path(const struct guard_place *place, char *path);

/* ---- calls (guard.c) ------------------------------------------------------ */

/* Does the call and answers it; false: it can do no harm, the kernel may. */
bool box_guard_take(struct box_init *init, const struct seccomp_notif *notif);

/* A FIFO that nobody reads yet: its writer waits, init does not. Tries again;
 * milliseconds until the next time, -1: nobody waits. */
int box_guard_retry(struct box_init *init);
