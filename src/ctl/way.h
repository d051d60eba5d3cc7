/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The way out of a box that a person started: an egress of its own, told by us
 * what a supervisor would tell it. It is started beside the box and ends with
 * it; should it end before, whatever the program dials is refused.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "ctl/authority.h"
#include "ctl/option.h"
#include "policy/network.h"
#include "wire/egress.h"
#include "wire/wire.h"

struct ctl_way {
	struct policy_network *network; /* owned; NULL: there is none */
	struct wire_egress_secret *secrets; /* owned; wiped */
	uint32_t n_secrets;
	bool ends_tls;
	struct ctl_settings settings;
	struct ctl_authority authority;
	/* once it is started */
	pid_t pid; /* 0: it is not, or no more */
	int pidfd;
	int channel_fd; /* to say whose a descriptor is */
	int box_fd; /* the launcher's half of the box's channel */
	int events_fd;
	bool is_ending; /* by us */
	size_t frame_len; /* of a frame that came in part */
	uint8_t
	    frame[sizeof(struct wire_frame) + sizeof(struct wire_egress_event)];
};

#define CTL_WAY_NONE                                                           \
	{                                                                      \
		.pidfd = -1, .channel_fd = -1, .box_fd = -1, .events_fd = -1   \
	}

/*
 * What the policy and the words of --secret come to; starts nothing. `is_watch`:
 * nothing need be allowed for it to be there, it then tells what is asked for.
 * Negative errno and a sentence.
 */
int ctl_way_prepare(struct ctl_way *way, const struct policy *policy,
    const struct ctl_list *secrets, bool is_watch, struct err *err);

/* Whether there is anything to start. */
bool ctl_way_is_there(const struct ctl_way *way);

/* Whether a secret of that name is bound to a host. */
bool ctl_way_binds(const struct ctl_way *way, const char *name);

/* Reads this machine's settings, and adds to the spec what ending TLS takes. */
int ctl_way_settle(struct ctl_way *way, struct policy_memory *memory,
    struct box_spec *spec, struct err *err);

/* Starts it; does not wait for it. */
int ctl_way_start(struct ctl_way *way, struct err *err);

typedef void ctl_event_fn(void *context, const struct wire_egress_event *event);

/* What it told by now. False: nothing more will come. */
bool ctl_way_hear(struct ctl_way *way, ctl_event_fn *event, void *context);

/* The program has ended: so shall this, while the box is taken down. */
void ctl_way_end_begin(struct ctl_way *way);

/* The box is over: hears the rest, ends it. */
void ctl_way_end(struct ctl_way *way, ctl_event_fn *event, void *context);

void ctl_way_fini(struct ctl_way *way);
