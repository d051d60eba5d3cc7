/* SPDX-License-Identifier: Apache-2.0 */
#include "client/sse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void
sse_init(struct sse *sse, sse_event_fn *event, void *arg)
{
	*sse = (struct sse){ .event = event, .arg = arg };
}

void
sse_fini(struct sse *sse)
{
	free(sse->line.bytes);
	free(sse->data.bytes);
	sse_init(sse, sse->event, sse->arg);
}

static int
buffer_add(struct sse_buffer *buffer, const char *bytes, size_t len)
{
	if (len > SSE_EVENT_MAX - buffer->len)
		return SSE_E_TOO_LONG;
	if (buffer->len + len > buffer->capacity) {
		const size_t wanted = (buffer->len + len) * 2 + 256;
		char *grown = realloc(buffer->bytes, wanted);

		if (grown == NULL)
			return -ENOMEM;
		buffer->bytes = grown;
		buffer->capacity = wanted;
	}
	if (len > 0)
		memcpy(buffer->bytes + buffer->len, bytes, len);
	buffer->len += len;
	return 0;
}

static void
id_take(struct sse *sse, const char *value, size_t len)
{
	if (len >= SSE_ID_MAX || memchr(value, '\0', len) != NULL)
		return;
	memcpy(sse->id, value, len);
	sse->id[len] = '\0';
}

static void
retry_take(struct sse *sse, const char *value, size_t len)
{
	uint32_t ms = 0;

	if (len == 0 || len > 7)
		return;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return;
		ms = ms * 10 + (uint32_t)(value[i] - '0');
	}
	sse->retry_ms = ms;
}

static int
field_take(struct sse *sse, const char *name, size_t name_len,
    const char *value, size_t len)
{
	int r = 0;

	if (name_len == 4 && memcmp(name, "data", 4) == 0) {
		if (sse->n_data++ > 0)
			r = buffer_add(&sse->data, "\n", 1);
		if (r == 0)
			r = buffer_add(&sse->data, value, len);
	} else if (name_len == 2 && memcmp(name, "id", 2) == 0) {
		id_take(sse, value, len);
	} else if (name_len == 5 && memcmp(name, "retry", 5) == 0) {
		retry_take(sse, value, len);
	}
	return r;
}

static int
line_end(struct sse *sse)
{
	const char *line = sse->line.bytes;
	const size_t len = sse->line.len;

	sse->line.len = 0;
	if (len == 0) {
		if (sse->n_data > 0)
			sse->event(
			    sse->arg, sse->id, sse->data.bytes, sse->data.len);
		sse->data.len = sse->n_data = 0;
		return 0;
	}
	const char *colon = memchr(line, ':', len);
	if (colon == line)
		return 0; /* a comment, to keep the connection */
	if (colon == NULL)
		return field_take(sse, line, len, "", 0);

	const char *value = colon + 1;
	if (value < line + len && *value == ' ')
		value++;
	return field_take(sse, line, (size_t)(colon - line), value,
	    (size_t)(line + len - value));
}

int
sse_push(struct sse *sse, const char *raw_bytes, size_t len)
{
	size_t from = 0;
	int r = 0;

	for (size_t at = 0; at < len && r == 0; at++) {
		const char c = raw_bytes[at];

		if (c != '\n' && c != '\r') {
			sse->last = c;
			continue;
		}
		const bool is_second = c == '\n' && sse->last == '\r';
		sse->last = c;
		if (!is_second) {
			r = buffer_add(&sse->line, raw_bytes + from, at - from);
			if (r == 0)
				r = line_end(sse);
		}
		from = at + 1;
	}
	return r == 0 ? buffer_add(&sse->line, raw_bytes + from, len - from)
		      : r;
}
