/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The state folder of a person: $CORDON_STATE, $XDG_STATE_HOME/cordon or
 * ~/.local/state/cordon.
 */

#include <limits.h>

#include "base/err.h"

/* The path of a name in the state folder; nothing is made. */
int ctl_state_path(const char *name, char path[PATH_MAX], struct err *err);

/* Makes the folders above a file, for their owner only. */
int ctl_folders_make(const char *path, struct err *err);
