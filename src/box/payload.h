/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The system call filter of a payload, compiled when cordon is built
 * (payload_filters.c, made by payload_compile.c of payload.def): libseccomp
 * takes longer to write one than a box takes to start.
 */

#include <linux/filter.h>
#include <stdint.h>

#include "box/spec.h"

struct payload_filter {
	const struct sock_filter *insns; /* static */
	uint16_t n_insns;
};

/* For these flags (BOX_UNIX_SOCKETS) and notes. `guard`: writes go by way of
 * init (guard.h). */
struct payload_filter
payload_filter_get(uint32_t flags, enum box_notes notes, int guard);

/* For the box's init, and for the launcher once it only waits. */
struct payload_filter payload_filter_init(void);

/* "unshare"; "unknown". Static. */
const char *payload_call_name(int nr);
/* What a refused call fails with. */
int payload_call_errno(int nr);

/* A row of the table, for `cordon sandbox show payload`. */
struct payload_call {
	const char *name;
	const char *rule; /* "allowed", or on which condition */
	const char *why;
};
const struct payload_call *payload_call_at(size_t i); /* NULL past the end */
