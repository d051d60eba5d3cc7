/* SPDX-License-Identifier: Apache-2.0
 *
 * The channel of a template: it hands over a stream for each cell that may
 * fetch, and egress makes a caller of it.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "egress/egress.h"

#define CELLS_MAX 1024u /* streams that one template handed over */

/* Freed when it is closed, and the last of those
 * that came over it is. */
struct cells {
	struct egress *egress;
	uint32_t deployment;
	unsigned n_open; /* callers */
	bool has_lost; /* one, and it was said */
	struct event *readable; /* NULL: closed */
};

static void
cells_settle(struct cells *cells)
{
	if (cells->readable == NULL && cells->n_open == 0)
		free(cells);
}

static void
on_left(void *arg)
{
	struct cells *cells = arg;

	cells->n_open--;
	cells_settle(cells);
}

static void
cells_close(struct cells *cells, int channel_fd)
{
	event_free(cells->readable);
	cells->readable = NULL;
	close(channel_fd);
	cells_settle(cells);
}

/* A cell whose stream is closed is told by its end. */
static void
cells_lose(struct cells *cells, const char *why)
{
	if (!cells->has_lost)
		fprintf(
		    stderr, "cordon-egress: a call cannot fetch: %s\n", why);
	cells->has_lost = true;
}

static void
cell_take(struct cells *cells, int stream_fd, uint32_t number)
{
	const struct egress_unit unit = { .kind = WIRE_UNIT_CELL,
		.number = number };

	if (cells->n_open < CELLS_MAX) {
		cells->n_open++;
		caller_start(cells->egress, stream_fd, cells->deployment, &unit,
		    false, on_left, cells);
		return;
	}
	close(stream_fd);
	cells_lose(cells, "1024 of one template do so already");
}

static void
on_cell(evutil_socket_t fd, short what, void *arg)
{
	static char text[WIRE_TEXT_MAX + 1];
	struct cells *cells = arg;
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	(void)what;
	const int code = wire_receive(fd, MSG_DONTWAIT, &message, fds, text);
	if (code == -EAGAIN)
		return;
	if (code == 0 && message.type == WIRE_EGRESS_CALLER) {
		cell_take(cells, fds[0], message.id);
		return;
	}
	if (code == WIRE_E_LOST) {
		cells_lose(cells, "too many files are open");
		return;
	}
	for (size_t i = 0; code == 0 && i < WIRE_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	cells_close(cells, fd);
}

void
cells_start(struct egress *egress, int channel_fd, uint32_t deployment)
{
	struct cells *cells = calloc(1, sizeof(*cells));
	if (cells != NULL) {
		*cells = (struct cells){ .egress = egress,
			.deployment = deployment };
		cells->readable = event_new(egress->base, channel_fd,
		    EV_READ | EV_PERSIST, on_cell, cells);
	}
	if (cells == NULL || cells->readable == NULL ||
	    event_add(cells->readable, NULL) != 0) {
		free(cells);
		close(channel_fd);
	}
}
