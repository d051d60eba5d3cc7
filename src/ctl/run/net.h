/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a call without a host may reach (`cordon run --net`): the settings of an
 * egress of its own, and what that egress tells of it.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ctl/option.h"
#include "wire/egress.h"
#include "wire/wire.h"

#define CTL_NET_LINE_MAX 1400

/*
 * A sealed memfd of settings, the caller's, in which deployment 0 may reach the
 * hosts, and what the policy in that file (NULL) allows; *fd is -1 where that
 * is nothing. Negative errno and a sentence. What of this machine's own settings
 * is of no use is said on stderr.
 */
int ctl_net_settings(const struct ctl_list *hosts, const char *policy_path,
    int *fd, struct err *err);

/* A stream of events (wire/egress.h). */
struct ctl_net_events {
	size_t len;
	uint8_t
	    bytes[sizeof(struct wire_frame) + sizeof(struct wire_egress_event)];
};

/*
 * Reads what is there, and calls `line` for each request that was refused: what
 * it was, and why. 0, or -ECONNRESET: nothing more comes.
 */
int ctl_net_events_read(struct ctl_net_events *events, int fd,
    void (*line)(void *arg, int level, const char *raw_text, size_t len),
    void *arg);
