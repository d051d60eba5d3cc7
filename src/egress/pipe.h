/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Bytes on their way from one socket to another, in the kernel, which need not
 * copy them: splice(2). For large ones: a pipe costs two descriptors, so there
 * are so many and no more, of all who want one. Who wants another gets that
 * which was not used for the longest time, if it is empty and not pinned.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define PIPES_MAX 64u

struct pipe {
	bool is_open; /* may have become false since it was used */
	bool is_pinned; /* it stays open */
	int fds[2];
	size_t len; /* what is in it */
	TAILQ_ENTRY(pipe) at;
};

/* False: there are as many as there may be, or no descriptors. It is not moved
 * in memory while it is open. */
bool pipe_open(struct pipe *pipe);
/* And what is in it is gone. One that is closed stays so. */
void pipe_close(struct pipe *pipe);

/* At most `most` bytes out of a socket, into a pipe that is empty. How many; 0:
 * nothing now; PIPE_END: nothing more; PIPE_BROKEN. */
enum { PIPE_END = -1, PIPE_BROKEN = -2 };
int pipe_fill(struct pipe *pipe, int fd, size_t most);
/* At most `most` bytes into a socket. How many, as far as there is room;
 * PIPE_BROKEN. The caller ignores SIGPIPE. */
int pipe_drain(struct pipe *pipe, int fd, size_t most);
