/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The root of a box, in a mount namespace of its own: layer 2 of launch.h. Trees
 * are detached copies of mounts: as root, the launcher makes them beforehand,
 * with the rights to reach and to id-map them; else the child does, with its
 * user's.
 */

#include <sys/types.h>

#include "base/err.h"
#include "box/spec.h"

/*
 * A tree for each grant that needs one, by index; -1: none. The caller closes
 * them. `owner`: whom files are to belong to inside, as host ids (an id-mapped
 * mount makes the folder's owner look so); NULL: no mapping. Negative errno and
 * a sentence. open_tree(2), mount_setattr(2).
 */
struct box_owner {
	uid_t uid;
	gid_t gid;
};
int box_trees_open(const struct box_spec *spec, const struct box_owner *owner,
    int *trees, struct err *err);

/* Builds the root and moves into it; nothing of the old one is left. `trees`
 * are borrowed. Negative errno and a sentence. */
int box_root_enter(const struct box_spec *spec, const int *trees, uid_t uid,
    gid_t gid, struct err *err);

/* Where a grant is inside. */
const char *box_grant_place(const struct box_grant *grant);
