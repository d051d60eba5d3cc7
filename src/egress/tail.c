/* SPDX-License-Identifier: Apache-2.0
 *
 * The rest of a large answer, past libcurl: from the origin's socket into a pipe
 * of the caller's, uncopied. Only where nothing is left to be understood: in the
 * clear, of a length that is known, to a request without a body, and with no
 * secret to be looked for. It is counted and bounded as ever; the connection is
 * not used again.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "egress/fetch.h"
#include "egress/pipe.h"

#define TAIL_MIN (1u << 20) /* for less, a new connection is the worse price */
#define PIECE (256u << 10)
#define ROUNDS_MAX 8 /* pieces, before others have their turn */

struct tail {
	int fd;
	struct event *readable; /* while the caller has room */
	struct pipe *pipe; /* the caller's */
	uint64_t left;
};

bool
tail_is_worth(const struct fetch *fetch)
{
	/* What libcurl has read of the request's body may be unsent still. */
	return fetch->ops->pipe != NULL && fetch->tail == NULL &&
	    (fetch->flags & WIRE_FETCH_BODY) == 0 &&
	    fetch->url.scheme == ADDR_HTTP && fetch->scrub == NULL &&
	    fetch->has_head && fetch->end == WIRE_EGRESS_OK &&
	    !fetch->is_stopped && !fetch->is_coded && fetch->n_lengths == 1 &&
	    fetch->received > fetch->tail_from &&
	    fetch->length > fetch->received &&
	    fetch->length - fetch->received >= TAIL_MIN;
}

/* A piece. False: no more for now, or fetch->end says why not. */
static bool
piece_move(struct fetch *fetch)
{
	struct tail *tail = fetch->tail;
	const size_t most = tail->left < PIECE ? (size_t)tail->left : PIECE;
	const int n = pipe_fill(tail->pipe, tail->fd, most);

	if (n == 0)
		return false;
	if (n < 0) {
		fetch_blame(fetch, WIRE_EGRESS_CUT,
		    "%.200s:%u closed within the body of its answer",
		    fetch->url.host.text, fetch->url.port);
		return false;
	}
	tail->left -= (size_t)n;
	answer_count(fetch, (size_t)n);
	if (fetch->end != WIRE_EGRESS_OK)
		return false;
	fetch->is_stopped = !fetch->ops->piped(fetch->arg);
	return !fetch->is_stopped && tail->left > 0;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *fetch = arg;
	struct tail *tail = fetch->tail;

	(void)fd;
	(void)what;
	if (fetch->end != WIRE_EGRESS_OK)
		return; /* its timer ends it */
	for (int i = 0; i < ROUNDS_MAX && piece_move(fetch); i++)
		continue;
	if (fetch->end != WIRE_EGRESS_OK || tail->left == 0)
		fetch_end(fetch, fetch->end);
	else if (fetch->is_stopped)
		event_del(tail->readable);
}

void
tail_try(struct fetch *fetch)
{
	if (!tail_is_worth(fetch) || fetch->socket_fd < 0)
		return;
	struct tail *tail = calloc(1, sizeof(*tail));
	if (tail == NULL)
		return;
	fetch->tail = tail;
	tail->left = fetch->length - fetch->received;
	tail->fd = fcntl(fetch->socket_fd, F_DUPFD_CLOEXEC, 0);
	tail->readable = event_new(fetch->egress->base, tail->fd,
	    EV_READ | EV_PERSIST, on_readable, fetch);
	if (tail->fd < 0 || tail->readable == NULL ||
	    event_add(tail->readable, NULL) != 0 ||
	    (tail->pipe = fetch->ops->pipe(fetch->arg)) == NULL) {
		tail_fini(fetch);
		fetch->tail_from = fetch->received + TAIL_MIN; /* again then */
	} else {
		fetch_easy_drop(fetch); /* libcurl closes its descriptor */
	}
}

void
tail_resume(struct fetch *fetch)
{
	event_add(fetch->tail->readable, NULL);
}

void
tail_fini(struct fetch *fetch)
{
	struct tail *tail = fetch->tail;

	if (tail == NULL)
		return;
	if (tail->readable != NULL)
		event_free(tail->readable);
	if (tail->fd >= 0)
		close(tail->fd);
	free(tail);
	fetch->tail = NULL;
}
