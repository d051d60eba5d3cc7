/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A box spec: everything that says how one program is walled in, flat. It is
 * made of a policy (policy/policy.h) by whoever may decide: `cordon wrap` for
 * its user, the store for a host. The launcher, which runs as root on a host,
 * parses no JSON; it reads this.
 *
 * What is not granted is not there: the root of a box holds the base (/usr and
 * what a dynamic program needs to start; base.def), private /tmp, home,
 * /dev/shm, /proc and /dev, and the grants.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BOX_SPEC_BYTES_MAX (1u << 20)
#define BOX_WORDS_MAX 4096u /* of argv and env together */
#define BOX_GRANTS_MAX 1024u
#define BOX_PATH_MAX 4096u /* with the NUL */

#define BOX_E_FORMAT 1 /* bytes that are no spec */

enum box_access {
	BOX_ACCESS_HIDE, /* an empty folder or file stands in its place */
	BOX_ACCESS_READ, /* read and run; over a writable parent too */
	BOX_ACCESS_WRITE, /* read, run and write */
};

#define BOX_GRANT_OPTIONAL 1u /* not there: no error */
#define BOX_GRANT_GUARD                                                        \
	2u /* a writable folder whose dotfiles and VCS hooks
			    * may be neither changed nor made (guard.h) */

struct box_grant {
	const char *path; /* absolute, of the host; resolved once, at start */
	const char *at; /* where it is inside; "": at the same path */
	uint32_t access; /* enum box_access */
	uint32_t flags; /* BOX_GRANT_… */
};

/* What of it is in force says box_limits_describe(). 0: no limit. */
struct box_limits {
	uint64_t memory_bytes; /* the whole tree, tmpfs included */
	uint64_t tmp_bytes; /* /tmp, home and /dev/shm together */
	uint64_t file_bytes; /* one file */
	uint64_t wall_ms; /* then TERM, and KILL after grace_ms */
	uint32_t grace_ms;
	uint32_t pids; /* processes and threads */
	uint32_t cpu_milli; /* thousandths of one CPU */
	uint32_t files; /* open descriptors of a process */
};

#define BOX_LIMITS_DEFAULT                                                     \
	{                                                                      \
		.memory_bytes = 2ull << 30, .tmp_bytes = 512u << 20,           \
		.file_bytes = 0, .wall_ms = 0, .grace_ms = 2000, .pids = 512,  \
		.cpu_milli = 0, .files = 4096                                  \
	}

enum box_notes {
	BOX_NOTES_NONE, /* refusals are errnos, nothing is noted */
	BOX_NOTES_CALLS, /* refused system calls, and connections: free */
	BOX_NOTES_FILES, /* and files that are opened, changed, run in vain */
	BOX_NOTES_ALL, /* and every file looked at, in vain or not (learn) */
};

#define BOX_UNIX_SOCKETS 1u /* socket(AF_UNIX); else socketpair() alone */
#define BOX_HOST_NETWORK 2u /* no network namespace: package resolution only */
#define BOX_OWN_SESSION 4u /* setsid(): no terminal to signal or to read */

/* The way out (egress): sockets made inside, served from outside. */
enum box_listener {
	BOX_LISTENER_TCP, /* at a port, whatever address of BOX_NET it is */
	BOX_LISTENER_DNS, /* UDP at BOX_NET_SELF:53 */
	BOX_LISTENER_HTTP_PROXY, /* at BOX_NET_SELF:BOX_HTTP_PROXY_PORT */
	BOX_LISTENER_SOCKS, /* at BOX_NET_SELF:BOX_SOCKS_PORT */
};

/* 198.18.0.0/15 (RFC 2544): delivered to the box itself by a route of its own.
 * Names get addresses from BOX_NET_FIRST on. */
#define BOX_NET 0xc6120000u
#define BOX_NET_BITS 15
#define BOX_NET_SELF 0xc6120001u /* 198.18.0.1 */
#define BOX_NET_FIRST 0xc6120100u
#define BOX_HTTP_PROXY_PORT 3128
#define BOX_SOCKS_PORT 1080
#define BOX_PORTS_MAX 64u

struct box_spec {
	const char *const *argv; /* argv[0] is looked up in the box's PATH */
	const char *const *env; /* "NAME=value" */
	const struct box_grant *grants; /* by strcmp() of where they are inside:
					 * parents come first; none twice */
	uint32_t n_argv;
	uint32_t n_env;
	uint32_t n_grants;
	uint32_t flags; /* BOX_… */
	uint32_t notes; /* enum box_notes */
	const char *cwd; /* absolute; not there inside: the home */
	const char *home; /* absolute; a private, empty folder; and HOME */
	struct box_limits limits;
	/* TCP ports that lead out; none: this box has no network. The DNS and
	 * the proxies come with the first. */
	const uint16_t *ports; /* ascending */
	uint32_t n_ports; /* at most BOX_PORTS_MAX */
	/* IPv4 addresses (host order) besides BOX_NET that lead out. */
	const uint32_t *addresses; /* ascending */
	uint32_t n_addresses; /* at most BOX_PORTS_MAX */
};

/* A sealed memfd with the spec; the caller owns it. Negative errno,
 * BOX_E_FORMAT (over a maximum, or a path that is not absolute). */
int box_spec_seal(const struct box_spec *spec, int *fdp);

/*
 * Reads a spec of unknown origin. `*memoryp` is owned by the caller and freed
 * after use; all of spec lies in it. BOX_E_FORMAT, negative errno.
 */
int box_spec_read(int fd, struct box_spec *spec, void **memoryp);

/* NULL, or why a spec is refused, as a sentence's end; the same checks as
 * box_spec_read() makes. */
const char *box_spec_complaint(const struct box_spec *spec);
