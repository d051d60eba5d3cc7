/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Messages out of a stream of bytes, however it is cut into pieces: lines
 * (MCP's stdio transport) and server-sent events (HTML 9.2; what is no data
 * of an event can be looked at while it is told). One limit holds for one
 * message.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/out.h"

#define MCP_E_MESSAGE_TOO_LONG 1
#define MCP_E_STOPPED 2 /* the callback said so; the stream is of no more use */

/* One message, without the bytes that end it; borrowed. True: go on. */
typedef bool mcp_stream_fn(void *arg, const char *raw_text, size_t len);

struct mcp_lines {
	struct json_out rest; /* of a line that is not complete */
};

void mcp_lines_init(struct mcp_lines *lines, size_t limit);
void mcp_lines_fini(struct mcp_lines *lines);

/* Empty lines are passed over. MCP_E_…, -ENOMEM. */
int mcp_lines_feed(struct mcp_lines *lines, const char *raw_bytes, size_t len,
    mcp_stream_fn *fn, void *arg);

#define MCP_EVENT_ID_MAX 1024 /* with the NUL; a longer one is as if none was */
#define MCP_EVENT_NAME_MAX 32
#define MCP_RETRY_MAX_MS 3600000u

struct mcp_events {
	/* Of the event that is told: the last id that any had, "" for none;
	 * its name, "" for none. */
	char id[MCP_EVENT_ID_MAX];
	char name[MCP_EVENT_NAME_MAX];
	uint32_t retry_ms; /* as the server asked last; 0: it did not */
	char next_id[MCP_EVENT_ID_MAX]; /* of the event that is being read */
	struct json_out line;
	struct json_out data;
	bool has_data;
	bool begun; /* a byte order mark can no longer come */
	bool after_cr; /* a line feed belongs to the line before */
};

void mcp_events_init(struct mcp_events *events, size_t limit);
void mcp_events_fini(struct mcp_events *events);
int mcp_events_feed(struct mcp_events *events, const char *raw_bytes,
    size_t len, mcp_stream_fn *fn, void *arg);
