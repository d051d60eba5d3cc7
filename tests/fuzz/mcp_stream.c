/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as lines and as server-sent events, in pieces as the first byte
 * says: what comes out does not depend on the pieces, and is never longer than
 * the limit.
 */

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mcp/stream.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define LIMIT 64

struct sum {
	size_t n;
	size_t bytes;
	unsigned hash;
};

static bool
take(void *arg, const char *raw_text, size_t len)
{
	struct sum *sum = arg;

	CHECK(len > 0 && len <= LIMIT);
	sum->n++;
	sum->bytes += len;
	for (size_t i = 0; i < len; i++)
		sum->hash = sum->hash * 31 + (unsigned char)raw_text[i];
	return true;
}

static int
feed(
    bool as_events, const char *text, size_t len, size_t piece, struct sum *sum)
{
	struct mcp_events events;
	struct mcp_lines lines;
	int r = 0;

	mcp_events_init(&events, LIMIT);
	mcp_lines_init(&lines, LIMIT);
	for (size_t at = 0; at < len && r == 0; at += piece) {
		const size_t n = len - at < piece ? len - at : piece;
		r = as_events
		    ? mcp_events_feed(&events, text + at, n, take, sum)
		    : mcp_lines_feed(&lines, text + at, n, take, sum);
		CHECK(r == 0 || r == MCP_E_MESSAGE_TOO_LONG);
	}
	mcp_events_fini(&events);
	mcp_lines_fini(&lines);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	const char *text = (const char *)data + 1;
	for (int as_events = 0; as_events < 2; as_events++) {
		struct sum whole = { 0 }, pieces = { 0 };
		const int a = feed(as_events, text, size - 1, size, &whole);
		const int b =
		    feed(as_events, text, size - 1, data[0] % 17 + 1u, &pieces);
		CHECK(a == b && whole.n == pieces.n &&
		    whole.hash == pieces.hash && whole.bytes == pieces.bytes);
	}
	return 0;
}
