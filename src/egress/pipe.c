/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define WHOLE 4096u /* an empty pipe takes that in one piece (pipe(7)) */

/* That which was used last is the last. */
static TAILQ_HEAD(, pipe) pipes = TAILQ_HEAD_INITIALIZER(pipes);
static unsigned n_open;

static void
one_free(void)
{
	struct pipe *pipe;

	TAILQ_FOREACH (pipe, &pipes, at)
		if (pipe->len == 0 && !pipe->is_pinned) {
			pipe_close(pipe);
			return;
		}
}

bool
pipe_open(struct pipe *pipe)
{
	*pipe = (struct pipe){ .is_open = false };
	if (n_open >= PIPES_MAX)
		one_free();
	if (n_open >= PIPES_MAX ||
	    pipe2(pipe->fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	pipe->is_open = true;
	TAILQ_INSERT_TAIL(&pipes, pipe, at);
	n_open++;
	return true;
}

void
pipe_close(struct pipe *pipe)
{
	if (!pipe->is_open)
		return;
	TAILQ_REMOVE(&pipes, pipe, at);
	close(pipe->fds[0]);
	close(pipe->fds[1]);
	n_open--;
	*pipe = (struct pipe){ .is_open = false };
}

/* splice(2) stops before urgent data for ever, and says that there is nothing;
 * recv(2) passes it over (tcp(7)). */
static ssize_t
copy(struct pipe *pipe, int fd, size_t most)
{
	uint8_t bytes[WHOLE];
	const ssize_t n =
	    recv(fd, bytes, most < WHOLE ? most : WHOLE, MSG_DONTWAIT);

	return n > 0 ? write(pipe->fds[1], bytes, (size_t)n) : n;
}

int
pipe_fill(struct pipe *pipe, int fd, size_t most)
{
	ssize_t n =
	    splice(fd, NULL, pipe->fds[1], NULL, most, SPLICE_F_NONBLOCK);

	if (n < 0 && errno == EAGAIN)
		n = copy(pipe, fd, most);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : PIPE_BROKEN;
	pipe->len += (size_t)n;
	TAILQ_REMOVE(&pipes, pipe, at);
	TAILQ_INSERT_TAIL(&pipes, pipe, at);
	return n > 0 ? (int)n : PIPE_END;
}

int
pipe_drain(struct pipe *pipe, int fd, size_t most)
{
	size_t done = 0;

	while (done < most) {
		const ssize_t n = splice(pipe->fds[0], NULL, fd, NULL,
		    most - done, SPLICE_F_NONBLOCK);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0)
			return PIPE_BROKEN;
		done += (size_t)n;
		pipe->len -= (size_t)n;
	}
	return (int)done;
}
