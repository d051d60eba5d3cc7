/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The state folder of a host: $CORDON_STATE, $XDG_STATE_HOME/cordon or
 * ~/.local/state/cordon. In it are the admin token, the socket of the running
 * host, its lock, and the folder that its store alone writes.
 */

#include <limits.h>

#include "base/err.h"
#include "ctl/folder.h"

#define CTL_STATE_TOKEN "token"
#define CTL_STATE_SOCKET "admin.sock"

/* Where a host with this state has its packages: absolute, whatever the
 * variables say. The state folder must be there. */
int ctl_packages_path(char path[PATH_MAX], struct err *err);

struct ctl_state {
	int lock_fd; /* held while the host runs */
	int store_fd; /* O_PATH of store/ */
	int admin_fd; /* listens on admin.sock */
	char socket_path[PATH_MAX];
};

/*
 * Takes the state folder for one host: the lock, store/ (made 0700, refused
 * when others may look into it), the admin socket (0600; one that nobody
 * serves any more is replaced). Refused with a sentence when another host has
 * it. The caller finishes it, on failure too.
 */
int ctl_state_open(struct ctl_state *state, struct err *err);

#define CTL_STATE_NONE                                                         \
	{                                                                      \
		.lock_fd = -1, .store_fd = -1, .admin_fd = -1                  \
	}

/* Closes what the supervisor has by now: all but the lock. */
void ctl_state_handed_on(struct ctl_state *state);

/* Closes what is open; removes the socket if it was ours. */
void ctl_state_fini(struct ctl_state *state);
