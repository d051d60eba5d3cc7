/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Server-sent events (WHATWG HTML, "Server-sent events"): bytes in as they
 * come, events out. An event is bounded; a longer one breaks the stream.
 */

#include <stddef.h>
#include <stdint.h>

#define SSE_EVENT_MAX (64u << 20)
#define SSE_ID_MAX 256

#define SSE_E_TOO_LONG 1 /* a line or an event beyond the maximum */

/* One event with data; both texts are borrowed for the call. */
typedef void
sse_event_fn(void *arg, const char *id, const char *raw_data, size_t len);

struct sse_buffer {
	char *bytes; /* owned */
	size_t len, capacity;
};

struct sse {
	sse_event_fn *event;
	void *arg;
	struct sse_buffer line, data;
	char id[SSE_ID_MAX]; /* of the last event that had one, or "" */
	uint32_t retry_ms; /* as the server asked, or 0 */
	size_t n_data; /* data lines of this event so far */
	char last; /* the byte before: \r\n is one end of a line */
};

void sse_init(struct sse *sse, sse_event_fn *event, void *arg);
void sse_fini(struct sse *sse);

/* SSE_E_TOO_LONG, -ENOMEM: the stream is of no more use. */
int sse_push(struct sse *sse, const char *raw_bytes, size_t len);
