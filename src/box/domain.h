/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The privilege table: what each confined process may ask of the kernel, with
 * the reason for every entry. `cordon sandbox show NAME` prints it.
 *
 * A call that is not listed fails with BOX_REFUSED_ERRNO, an errno that the
 * kernel itself never gives, so that a refusal by the filter can be told from
 * a refusal by the kernel. A call by another ABI (i386, x32) kills.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#define BOX_REFUSED_ERRNO ENOANO

enum box_test {
	BOX_ANY, /* whatever the arguments */
	BOX_EQ, /* argument == value */
	BOX_NO_BITS, /* (argument & value) == 0 */
};

struct box_call {
	int nr; /* system call number of this architecture */
	const char *why;
	enum box_test test;
	unsigned int argument; /* 0-based, for test */
	uint64_t value;
};

struct box_domain {
	const char *name;
	const char *duty; /* what it does, and what it must never do */
	uint32_t uid_offset; /* host uid when started by root: base + this */
	uint32_t n_uids; /* more uids of its own, 1…, for its children */
	uint64_t
	    keep_caps; /* mask of capabilities kept, in its own namespace */
	const char *caps_why;
	/* The one folder that it sees and may write, at BOX_FOLDER; NULL: none.
	 * Which one says struct box_spawn. */
	const char *folder_why;
	const char
	    *network_why; /* it is in the host's network; NULL: in none */
	const struct box_call *calls;
	size_t n_calls;
};

/* Started by root, a domain runs as this host uid + its offset: above what
 * systemd hands to containers, below 2^31. */
#define BOX_UID_BASE 1900000000u

/* Where a domain with a folder finds it. */
#define BOX_FOLDER "/data"

/* Its children's uids (n_uids) begin here: a user is what the kernel counts
 * processes, signals and descriptors in flight by. */
#define BOX_CHILD_UID_BASE 1900010000u

/* Borrowed, static. NULL when there is no such domain. */
const struct box_domain *box_domain_find(const char *name);

/* The i-th domain, NULL past the last. */
const struct box_domain *box_domain_at(size_t i);
