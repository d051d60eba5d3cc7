/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "box/box.h"
#include "wire/wire.h"

/* The heritage that the supervisor leaves, in this order. */
#define ZYGOTE_CONTROL_FD 3 /* SOCK_SEQPACKET to the supervisor */
#define ZYGOTE_ENGINE_FD 4 /* the loader reads the engine here */
#define ZYGOTE_GLUE_FD 5 /* and this object here */
#define ZYGOTE_PLATFORM_FD 6 /* cordon-platform.js */

/* What a template and its cells inherit, made once. */
struct zygote {
	struct box_filter template_filter;
	struct box_filter cell_filter;
	struct box_filter cell_reuse_filter;
	uint64_t base_data; /* bytes of private data before any bundle */
	uint64_t base_space; /* bytes of address space, the same */
	uint32_t n_uids; /* templates take uids 1 to this, in turn */
};

/* Takes the process over: argv[1] is "--jit" or "--jitless"; then perhaps
 * "--once", when there is no point in a long preparation. */
int zygote_main(int argc, char **argv, char **env);

/* A template's life, in the child, as uid (0: the only one there is); takes
 * both descriptors; never returns. */
void template_run(const struct zygote *zygote, uid_t uid, int bundle_fd,
    int control_fd) __attribute__((noreturn));

/* A cell's life, in the child; takes the stream, and the one of fetches (-1:
 * nothing may go out); never returns. is_awaited: a call waits for it already,
 * so that warming up would only delay it. */
void cell_run(const struct zygote *zygote, const struct wire_limits *limits,
    int stream_fd, int way_fd, bool is_awaited) __attribute__((noreturn));

/*
 * The clocks of a CPU limit: SIGXCPU at soft_ns of this process's CPU time
 * asks the engine to stop and say where; SIGKILL shortly after does not ask.
 * timer_create(2). Negative errno.
 */
int clock_create(void);
int clock_arm(uint64_t soft_ns, uint64_t hard_ns);
