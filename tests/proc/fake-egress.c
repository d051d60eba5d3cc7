/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in the place of cordon-egress for a test of cells: it takes
 * streams as egress does, and answers by the path that is asked for. The path
 * is what a caller gets to hear, not where anything is dialled.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "wire/egress.h"
#include "wire/wire.h"

#define SUPERVISOR_FD 4
#define STREAMS_MAX 64

struct stream {
	int fd;
	bool is_channel; /* of a template */
	bool is_deaf; /* reads nothing more */
	size_t len;
	uint8_t bytes[sizeof(struct wire_frame) + (64u << 10)];
};

static struct stream streams[STREAMS_MAX];
static size_t n_streams;
static char text[WIRE_TEXT_MAX + 1];

static void
say(int fd, uint32_t type, uint32_t number, int code, const void *bytes,
    size_t len)
{
	const struct wire_frame frame = { .type = type,
		.len = (uint32_t)len,
		.code = code,
		.reserved = number };

	(void)send(fd, &frame, sizeof(frame), MSG_NOSIGNAL);
	if (len > 0)
		(void)send(fd, bytes, len, MSG_NOSIGNAL);
}

static void
head_say(int fd, uint32_t number)
{
	static const char head[] = "http://h/\0Content-Type\0text/plain";

	say(fd, WIRE_EGRESS_HEAD, number, 200, head, sizeof(head));
}

/* ---- the paths ------------------------------------------------------------ */

typedef void path_fn(
    struct stream *stream, uint32_t number, const uint8_t *request, size_t len);

static void
echo(struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	head_say(stream->fd, number);
	say(stream->fd, WIRE_EGRESS_DATA, number, 0, request, len);
	say(stream->fd, WIRE_EGRESS_END, number, 0, NULL, 0);
}

/* Over twice, and then some more. */
static void
twice(
    struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	echo(stream, number, request, len);
	say(stream->fd, WIRE_EGRESS_DATA, number, 0, "late", 4);
	say(stream->fd, WIRE_EGRESS_END, number, 0, NULL, 0);
	say(stream->fd, WIRE_EGRESS_FAIL, number, WIRE_EGRESS_CUT, "late", 4);
	say(stream->fd, WIRE_EGRESS_ROOM, 4000000000u, 5, NULL, 0);
}

static void
end(struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	(void)request;
	(void)len;
	head_say(stream->fd, number);
	shutdown(stream->fd, SHUT_RDWR);
}

static void
garbage(
    struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	char bytes[300];

	(void)number;
	(void)request;
	(void)len;
	memset(bytes, 0xff, sizeof(bytes));
	(void)send(stream->fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

/* A request is nothing that egress says. */
static void
foreign(
    struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	say(stream->fd, WIRE_EGRESS_FETCH, number, 0, request, len);
}

static void
too_long(
    struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	static const uint8_t bytes[WIRE_FETCH_DATA_MAX + 1];

	(void)request;
	(void)len;
	head_say(stream->fd, number);
	say(stream->fd, WIRE_EGRESS_DATA, number, 0, bytes, sizeof(bytes));
}

static void
no_end(
    struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	(void)request;
	(void)len;
	say(stream->fd, WIRE_EGRESS_HEAD, number, 200, "http://h/", 9);
}

static void
odd(struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	static const char head[] = "http://h/\0Content-Type";

	(void)request;
	(void)len;
	say(stream->fd, WIRE_EGRESS_HEAD, number, 200, head, sizeof(head));
}

static void
deaf(struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	(void)number;
	(void)request;
	(void)len;
	stream->is_deaf = true;
}

static void
silent(
    struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	(void)stream;
	(void)number;
	(void)request;
	(void)len;
}

static void
die(struct stream *stream, uint32_t number, const uint8_t *request, size_t len)
{
	(void)stream;
	(void)number;
	(void)request;
	(void)len;
	_exit(3);
}

static const struct {
	const char *path;
	path_fn *answer;
} paths[] = {
	{ "http://h/echo", echo },
	{ "http://h/twice", twice },
	{ "http://h/end", end },
	{ "http://h/garbage", garbage },
	{ "http://h/foreign", foreign },
	{ "http://h/too-long", too_long },
	{ "http://h/no-end", no_end },
	{ "http://h/odd", odd },
	{ "http://h/deaf", deaf },
	{ "http://h/silent", silent },
	{ "http://h/die", die },
};

static void
frame_answer(
    struct stream *stream, const struct wire_frame *frame, const uint8_t *bytes)
{
	if (frame->type == WIRE_EGRESS_CANCEL)
		fprintf(stderr, "cancelled %u\n", frame->reserved);
	if (frame->type != WIRE_EGRESS_FETCH)
		return;
	const char *url = (const char *)bytes + strlen((const char *)bytes) + 1;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (strcmp(paths[i].path, url) == 0)
			paths[i].answer(
			    stream, frame->reserved, bytes, frame->len);
}

/* ---- the loop ------------------------------------------------------------- */

static void
stream_add(int fd, bool is_channel)
{
	if (n_streams == STREAMS_MAX)
		_exit(2);
	streams[n_streams++] =
	    (struct stream){ .fd = fd, .is_channel = is_channel };
}

static bool
stream_hear(struct stream *stream)
{
	struct wire_frame frame;

	const ssize_t n = recv(stream->fd, stream->bytes + stream->len,
	    sizeof(stream->bytes) - stream->len, 0);
	if (n <= 0)
		return false;
	stream->len += (size_t)n;
	while (stream->len >= sizeof(frame)) {
		memcpy(&frame, stream->bytes, sizeof(frame));
		const size_t size = sizeof(frame) + frame.len;
		if (stream->len < size)
			break;
		frame_answer(stream, &frame, stream->bytes + sizeof(frame));
		stream->len -= size;
		memmove(stream->bytes, stream->bytes + size, stream->len);
	}
	return true;
}

/* A channel: of the supervisor's, or of a template's. */
static bool
channel_hear(int fd)
{
	struct wire_message message;
	int fds[WIRE_FDS_MAX];

	if (wire_receive(fd, 0, &message, fds, text) != 0)
		return false;
	if (message.type == WIRE_EGRESS_CELLS)
		stream_add(fds[0], true);
	else if (message.type == WIRE_EGRESS_CALLER)
		stream_add(fds[0], false);
	return true;
}

int
main(void)
{
	for (;;) {
		struct pollfd fds[1 + STREAMS_MAX] = { { SUPERVISOR_FD, POLLIN,
		    0 } };
		const size_t n = n_streams;

		for (size_t i = 0; i < n; i++)
			fds[1 + i] =
			    (struct pollfd){ streams[i].is_deaf ? -1
								: streams[i].fd,
				    POLLIN, 0 };
		if (poll(fds, 1 + n, -1) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents != 0 && !channel_hear(SUPERVISOR_FD))
			return 0;
		for (size_t i = 0; i < n; i++) {
			struct stream *stream = &streams[i];
			if (fds[1 + i].revents == 0 ||
			    (stream->is_channel ? channel_hear(stream->fd)
						: stream_hear(stream)))
				continue;
			close(stream->fd);
			stream->fd = -1;
		}
	}
}
