/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A listener made inside a box, on its way to egress: one datagram on a
 * SOCK_SEQPACKET pair with one descriptor beside it. The launcher's half is held
 * open by whoever watches the box: once the channel is closed, the box is over.
 *
 * A box holds a capability over its own network, never over this channel: what
 * comes over it was made before the first foreign instruction.
 */

#include <stdint.h>

#include "box/spec.h"

struct box_listener_note {
	uint32_t kind; /* enum box_listener */
	uint16_t port;
	uint16_t reserved;
};

#define BOX_E_CLOSED 2 /* the other end is gone */

/* The descriptor is borrowed. Never waits. Negative errno. */
int box_listener_send(
    int channel_fd, const struct box_listener_note *note, int listener_fd);

/*
 * The caller owns the descriptor. -EAGAIN: none is there; BOX_E_CLOSED;
 * BOX_E_FORMAT: no such datagram (what came with it is closed); negative errno.
 */
int box_listener_receive(
    int channel_fd, struct box_listener_note *note, int *listener_fd);
