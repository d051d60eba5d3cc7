/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any answers of a remote server, as egress hands them on: nothing breaks, a
 * call ends once, and everything is given back. Input: frames of a kind, a
 * fetch, a status and headers by number, and the bytes of a body; kind 7 is
 * bytes that are no frame.
 */

#include <signal.h>
#include <sys/socket.h>

#include "../unit/gateway/behind_fake.h"
#include "fuzz.h"
#include "wire/egress.h"
#include "wire/wire.h"

static struct fake_answer answer;
static struct fake_surface told;

#define HEADERS(text)                                                          \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}
static const struct {
	const char *bytes;
	size_t len;
} headers[] = {
	HEADERS("u\0"),
	HEADERS("u\0content-type\0application/json\0"),
	HEADERS("u\0content-type\0text/event-stream\0"),
	HEADERS("u\0content-type\0application/json\0mcp-session-id\0s1\0"),
	HEADERS("u\0location\0/else\0"),
	HEADERS("u\0location\0https://else.example.com/\0"),
	HEADERS("u\0content-encoding\0gzip\0"),
	HEADERS("u\0mcp-session-id\0 \0"),
	HEADERS("u\0odd\0"),
	HEADERS("no end"),
};

static const unsigned statuses[] = { 200, 202, 400, 401, 404, 405, 307, 503, 99,
	700 };

static const uint32_t kinds[] = { WIRE_EGRESS_HEAD, WIRE_EGRESS_DATA,
	WIRE_EGRESS_END, WIRE_EGRESS_FAIL, WIRE_EGRESS_ROOM, WIRE_EGRESS_HEAD,
	WIRE_EGRESS_DATA };

static void
say(const void *bytes, size_t len)
{
	(void)!send(fake_links[fake_n_links - 1], bytes, len,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* One frame of the input; the bytes of it that were used. */
static size_t
frame_say(const uint8_t *data, size_t size)
{
	const unsigned kind = data[0] % 8, pick = data[2];
	const size_t len = data[3] < size - 4 ? data[3] : size - 4;
	const char *bytes = (const char *)data + 4;
	struct wire_frame frame = { .reserved = data[1] % 12 + 1u,
		.len = (uint32_t)len };

	if (kind == 7) {
		say(bytes, len);
		return 4 + len;
	}
	frame.type = kinds[kind];
	if (frame.type == WIRE_EGRESS_HEAD) {
		frame.code = (int32_t)statuses[pick % 16 % ARRAY_LEN(statuses)];
		bytes = headers[pick / 16 % ARRAY_LEN(headers)].bytes;
		frame.len =
		    (uint32_t)headers[pick / 16 % ARRAY_LEN(headers)].len;
	} else if (frame.type == WIRE_EGRESS_FAIL ||
	    frame.type == WIRE_EGRESS_ROOM) {
		frame.code = (int32_t)(pick % 20);
	}
	if (frame.type == WIRE_EGRESS_END || frame.type == WIRE_EGRESS_ROOM)
		frame.len = 0;
	say(&frame, sizeof(frame));
	say(bytes, frame.len);
	return 4 + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 1 << 13)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	fake_start(WIRE_KIND_REMOTE);
	for (size_t i = 0; i < 3; i++)
		strcpy(fake_servers[i].record.launch.url,
		    "https://mcp.example.com/mcp");
	if ((data[0] & 1) != 0)
		fake_surface_get(0, 0, &told);
	else
		fake_call(0, 0, "tools/call", "{\"name\":\"t\"}", &answer);
	fake_settle();
	for (size_t at = 1; at + 4 <= size && fake_n_links > 0;) {
		at += frame_say(data + at, size - at);
		fake_settle();
	}
	fake_stop();
	return 0;
}
