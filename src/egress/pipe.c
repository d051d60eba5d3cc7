/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static unsigned n_open;

bool
pipe_open(struct pipe *pipe)
{
	*pipe = (struct pipe){ .is_open = false };
	if (n_open >= PIPES_MAX ||
	    pipe2(pipe->fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	pipe->is_open = true;
	n_open++;
	return true;
}

void
pipe_close(struct pipe *pipe)
{
	if (!pipe->is_open)
		return;
	close(pipe->fds[0]);
	close(pipe->fds[1]);
	n_open--;
	*pipe = (struct pipe){ .is_open = false };
}

static int
wait_or_broken(void)
{
	return errno == EAGAIN || errno == EINTR ? 0 : PIPE_BROKEN;
}

int
pipe_fill(struct pipe *pipe, int fd, size_t most)
{
	const ssize_t n =
	    splice(fd, NULL, pipe->fds[1], NULL, most, SPLICE_F_NONBLOCK);

	if (n < 0)
		return wait_or_broken();
	pipe->len += (size_t)n;
	return n > 0 ? (int)n : PIPE_END;
}

int
pipe_drain(struct pipe *pipe, int fd, size_t most)
{
	size_t done = 0;

	while (done < most) {
		const ssize_t n = splice(pipe->fds[0], NULL, fd, NULL,
		    most - done, SPLICE_F_NONBLOCK);
		if (n <= 0 && (n == 0 || wait_or_broken() != 0))
			return PIPE_BROKEN;
		if (n < 0)
			break;
		done += (size_t)n;
		pipe->len -= (size_t)n;
	}
	return (int)done;
}
