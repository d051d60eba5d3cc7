/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A cell's way out, with an egress that says anything. The first byte says how
 * many fetches are open, the second where the bytes are cut in two. Whatever
 * comes: nothing is told of a fetch that is not open, none of them is told to
 * have ended twice, and once the stream is broken all of them have.
 */

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

#define WAY_FD 100
#include "../../src/zygote/way.c"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define BYTES_MAX 60000u

static bool is_open[WIRE_FETCH_OPEN_MAX + 1];
static bool is_cancelling;

bool
engine_fetched(enum wire_egress_frame type, uint32_t number, int32_t code,
    const uint8_t *bytes, size_t len)
{
	(void)code;
	CHECK(number >= 1 && number <= WIRE_FETCH_OPEN_MAX && is_open[number]);
	CHECK(len <= FRAME_BYTES_MAX && (len == 0 || bytes != NULL));
	if (type == WIRE_EGRESS_END || type == WIRE_EGRESS_FAIL) {
		is_open[number] = false;
		return true;
	}
	/* What a tool does when it has heard enough. */
	if (is_cancelling && type == WIRE_EGRESS_DATA) {
		is_open[number] = false;
		way_cancel(number);
	}
	return type != WIRE_EGRESS_HEAD || bytes[len - 1] == '\0';
}

void
engine_fetch_room(void)
{
}

void
answer_fail_text(enum wire_code code, const char *sentence)
{
	(void)code;
	(void)sentence;
	abort();
}

static void
hear(int egress_fd, const uint8_t *bytes, size_t len)
{
	short events;
	struct pollfd fd = { .fd = WAY_FD, .events = POLLIN };

	if (len > 0)
		CHECK(
		    send(egress_fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
	while (!way.is_broken && way_poll(&events) == WAY_FD &&
	    poll(&fd, 1, 0) > 0)
		way_serve(fd.revents);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t request[] = "GET\0http://h/";
	int pair[2];

	if (size < 2 || size - 2 > BYTES_MAX)
		return 0;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(dup3(pair[0], WAY_FD, O_CLOEXEC) == WAY_FD);
	close(pair[0]);
	free(way.queue);
	memset(&way, 0, sizeof(way));
	memset(is_open, 0, sizeof(is_open));
	is_cancelling = (data[0] & 0x80) != 0;
	way_grant();
	way_begin();
	const uint32_t n_open = data[0] & 0x7f;
	for (uint32_t i = 1; i <= n_open; i++) {
		const enum way_said said =
		    way_fetch(i, 0, request, sizeof(request));
		CHECK(
		    said == (i <= WIRE_FETCH_OPEN_MAX ? WAY_SAID : WAY_LATER));
		if (said == WAY_SAID)
			is_open[i] = true;
	}

	const size_t len = size - 2, cut = data[1] < len ? data[1] : len;
	hear(pair[1], data + 2, cut);
	if (!way.is_broken)
		hear(pair[1], data + 2 + cut, len - cut);
	close(pair[1]);
	hear(-1, NULL, 0);
	CHECK(way.is_broken && !way_is_used());
	for (uint32_t i = 1; i <= WIRE_FETCH_OPEN_MAX; i++)
		CHECK(!is_open[i]);
	way_end();
	close(WAY_FD);
	return 0;
}
