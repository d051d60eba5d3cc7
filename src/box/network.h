/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The network namespace of a box, with its loopback up and nothing else. Of all
 * namespaces it is the one that takes long to make, 0.5 ms, so a helper makes it
 * beside the work on files; it is entered once both are done. Internal to box/.
 */

#include <sys/types.h>

#include "base/err.h"

struct box_network {
	pid_t helper;
	int socket_fd; /* one of its, once the helper has ended */
};

/* Both: inside, with CAP_SYS_ADMIN there. any_fd: a descriptor to hold a place
 * in the table, which the helper shares. Negative errno and a sentence. */
int box_network_begin(struct box_network *network, int any_fd, struct err *err);
int box_network_enter(struct box_network *network, struct err *err);
