/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of each request when it is over. Nobody waits for a reader: what
 * finds no room is dropped, and counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "egress/egress.h"

struct events {
	int stream_fd; /* -1: nobody listens yet */
	uint32_t lost;
	/* A frame of which the socket took only a part. */
	size_t rest;
	uint8_t
	    frame[sizeof(struct wire_frame) + sizeof(struct wire_egress_event)];
};

int
events_new(struct events **eventsp, struct egress *egress)
{
	(void)egress;
	*eventsp = calloc(1, sizeof(**eventsp));
	if (*eventsp == NULL)
		return -ENOMEM;
	(*eventsp)->stream_fd = -1;
	return 0;
}

struct events *
events_free(struct events *events)
{
	if (events != NULL && events->stream_fd >= 0)
		close(events->stream_fd);
	free(events);
	return NULL;
}

void
events_to(struct events *events, int stream_fd)
{
	if (events->stream_fd >= 0)
		close(events->stream_fd);
	events->stream_fd = stream_fd;
	events->rest = 0;
}

/* True: nothing is left of the frame. */
static bool
rest_send(struct events *events)
{
	while (events->rest > 0) {
		const ssize_t n = send(events->stream_fd,
		    events->frame + sizeof(events->frame) - events->rest,
		    events->rest, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		events->rest -= (size_t)n;
	}
	return true;
}

void
events_tell(struct events *events, const struct wire_egress_event *event)
{
	const struct wire_frame head = { .type = WIRE_EGRESS_EVENT,
		.len = sizeof(*event) };

	if (events->stream_fd < 0 || !rest_send(events)) {
		events->lost++;
		return;
	}
	struct wire_egress_event told = *event;
	told.lost = events->lost;
	memcpy(events->frame, &head, sizeof(head));
	memcpy(events->frame + sizeof(head), &told, sizeof(told));
	events->rest = sizeof(events->frame);
	if (!rest_send(events) && events->rest == sizeof(events->frame)) {
		events->rest = 0;
		events->lost++;
		return;
	}
	events->lost = 0;
}

struct wire_egress_event
egress_event(const struct server *server, const struct egress_unit *unit)
{
	return (struct wire_egress_event){ .deployment = server->id,
		.unit = unit->kind,
		.number = unit->number };
}
