/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/records.h"

#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"

#define RECORD_MAX                                                             \
	(sizeof(struct wire_egress_server) +                                   \
	    ADDR_RULES_MAX * sizeof(struct addr_rule) +                        \
	    WIRE_SERVER_SECRETS_MAX * sizeof(struct wire_egress_secret))

int
records_take(struct servers *servers, const uint8_t *bytes, size_t len)
{
	struct wire_frame frame;

	while (len > 0) {
		if (len < sizeof(frame))
			return -EINVAL;
		memcpy(&frame, bytes, sizeof(frame));
		if (frame.len > len - sizeof(frame))
			return -EINVAL;
		const int code =
		    servers_hear(servers, &frame, bytes + sizeof(frame));
		if (code != 0)
			return code;
		bytes += sizeof(frame) + frame.len;
		len -= sizeof(frame) + frame.len;
	}
	return 0;
}

/* There is one store. Its bytes hold secrets: they lie where secrets may. */
static struct {
	struct egress *egress;
	struct event *readable;
	uint8_t *bytes; /* sodium_malloc'ed: one record */
	size_t len;
	int fd;
} stream = { .fd = -1 };

static void
stream_close(void)
{
	if (stream.egress != NULL)
		event_add(stream.egress->door, NULL);
	if (stream.readable != NULL)
		event_free(stream.readable);
	stream.readable = NULL;
	if (stream.bytes != NULL)
		sodium_free(stream.bytes);
	stream.bytes = NULL;
	if (stream.egress != NULL)
		asks_end(stream.egress->asks);
	if (stream.fd >= 0)
		close(stream.fd);
	stream.fd = -1;
	stream.len = 0;
}

/* How much belongs to the record that is being read. */
static size_t
record_size(void)
{
	struct wire_frame frame;

	if (stream.len < sizeof(frame))
		return sizeof(frame);
	memcpy(&frame, stream.bytes, sizeof(frame));
	return sizeof(frame) + frame.len;
}

/* The next egress is told all of it again; this one might hold to what was. */
static _Noreturn void
give_up(const char *why)
{
	fprintf(stderr, "cordon-egress: the store's records: %s\n", why);
	_exit(70);
}

/* A record that is none takes away what held before it, and ends nobody else's;
 * what is no question names nobody whom to take it from. */
static void
record_take(const uint8_t *bytes, size_t len)
{
	struct wire_frame gone = { .type = WIRE_EGRESS_GONE }, head;

	memcpy(&head, bytes, sizeof(head));
	if (head.type == WIRE_EGRESS_ASK) {
		const char *complaint =
		    asks_take(stream.egress->asks, &head, bytes + sizeof(head));
		if (complaint != NULL)
			give_up(complaint);
		return;
	}
	const int code = records_take(stream.egress->servers, bytes, len);
	if (code == 0 && head.type == WIRE_EGRESS_SNAPSHOT)
		event_add(stream.egress->door, NULL);
	if (code == 0)
		return;
	if (code == -ENOMEM)
		give_up("out of memory");
	fprintf(stderr,
	    "cordon-egress: the store's record of server %u is broken: it "
	    "reaches nothing\n",
	    head.reserved);
	gone.reserved = head.reserved;
	(void)servers_hear(stream.egress->servers, &gone, NULL);
}

/* False: the stream is over. */
static bool
record_read(void)
{
	const size_t size = record_size();

	if (size > sizeof(struct wire_frame) + RECORD_MAX)
		give_up("one is longer than any can be");
	if (stream.len < size) {
		const ssize_t n = recv(stream.fd, stream.bytes + stream.len,
		    size - stream.len, MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		stream.len += (size_t)n;
	}
	if (stream.len < record_size())
		return true;
	const size_t len = stream.len;
	stream.len = 0;
	record_take(stream.bytes, len);
	return true;
}

static void
on_record(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (record_read())
		return;
	fprintf(stderr, "cordon-egress: the store's records end\n");
	stream_close();
}

void
records_start(struct egress *egress, int stream_fd)
{
	stream_close();
	stream.egress = egress;
	stream.fd = stream_fd;
	stream.bytes = sodium_malloc(sizeof(struct wire_frame) + RECORD_MAX);
	stream.readable = event_new(
	    egress->base, stream_fd, EV_READ | EV_PERSIST, on_record, NULL);
	servers_renew(egress->servers);
	if (stream.bytes == NULL || stream.readable == NULL ||
	    asks_start(egress->asks, stream_fd) != 0 ||
	    event_add(stream.readable, NULL) != 0)
		give_up("out of memory");
	event_del(egress->door);
}
