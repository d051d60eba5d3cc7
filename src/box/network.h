/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The network namespace of a box, with its loopback up and nothing else. Where
 * the spec has ports, addresses of BOX_NET lead to the box itself, and listeners
 * at those ports are made and handed over. Of all namespaces it is the one that
 * takes long to make, 0.5 ms, so a helper makes it beside the work on files; it
 * is entered once both are done. Internal to box/.
 */

#include <sys/types.h>

#include "base/err.h"
#include "box/spec.h"

struct box_network {
	const struct box_spec *spec; /* borrowed */
	int egress_fd; /* borrowed: where listeners go, if there are ports */
	pid_t helper;
	int socket_fd; /* one of its, once the helper has ended */
	const char *doing; /* what the helper did last, for the sentence */
	uint16_t port; /* and at which; 0 */
};

/* Both: inside, with CAP_SYS_ADMIN there. any_fd: a descriptor to hold a place
 * in the table, which the helper shares. Negative errno and a sentence. */
int box_network_begin(struct box_network *network, int any_fd, struct err *err);
int box_network_enter(struct box_network *network, struct err *err);
