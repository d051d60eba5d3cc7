/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/auto.h"
#include "mcp/stream.h"

void
mcp_lines_init(struct mcp_lines *lines, size_t limit)
{
	json_out_init(&lines->rest, limit);
}

void
mcp_lines_fini(struct mcp_lines *lines)
{
	json_out_fini(&lines->rest);
}

static int
status_of(const struct json_out *out)
{
	const int status = json_out_status(out);

	return status == JSON_E_TOO_LONG ? MCP_E_MESSAGE_TOO_LONG : status;
}

static int
line_tell(const char *raw_text, size_t len, mcp_stream_fn *fn, void *arg)
{
	if (len > 0 && raw_text[len - 1] == '\r')
		len--;
	return len == 0 || fn(arg, raw_text, len) ? 0 : MCP_E_STOPPED;
}

/* The end of a line, whose beginning may be kept already. */
static int
line_end(struct mcp_lines *lines, const char *raw_text, size_t len,
    mcp_stream_fn *fn, void *arg)
{
	if (lines->rest.len == 0)
		return len > lines->rest.limit
		    ? MCP_E_MESSAGE_TOO_LONG
		    : line_tell(raw_text, len, fn, arg);
	json_out_raw(&lines->rest, raw_text, len);
	int r = status_of(&lines->rest);
	if (r == 0)
		r = line_tell(lines->rest.bytes, lines->rest.len, fn, arg);
	json_out_reset(&lines->rest);
	/* One long line is no reason to keep its memory for ever. */
	if (lines->rest.capacity > 65536)
		json_out_fini(&lines->rest);
	return r;
}

int
mcp_lines_feed(struct mcp_lines *lines, const char *raw_bytes, size_t len,
    mcp_stream_fn *fn, void *arg)
{
	const char *at = raw_bytes, *end = raw_bytes + len;

	while (at < end) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));
		if (feed == NULL) {
			json_out_raw(&lines->rest, at, (size_t)(end - at));
			return status_of(&lines->rest);
		}
		const int r = line_end(lines, at, (size_t)(feed - at), fn, arg);
		if (r != 0)
			return r;
		at = feed + 1;
	}
	return 0;
}

void
mcp_events_init(struct mcp_events *events, size_t limit)
{
	*events = (struct mcp_events){ 0 };
	json_out_init(&events->line, limit);
	json_out_init(&events->data, limit);
}

void
mcp_events_fini(struct mcp_events *events)
{
	json_out_fini(&events->line);
	json_out_fini(&events->data);
}

static int
event_end(struct mcp_events *events, mcp_stream_fn *fn, void *arg)
{
	bool goes_on = true;

	/* One that was cut off in its middle can be asked for again. */
	strcpy(events->id, events->next_id);
	/* The line feed behind the last line of data is not part of it. */
	if (events->has_data && events->data.len > 1)
		goes_on = fn(arg, events->data.bytes, events->data.len - 1);
	json_out_reset(&events->data);
	events->has_data = false;
	events->name[0] = '\0';
	return goes_on ? 0 : MCP_E_STOPPED;
}

static int
data_add(struct mcp_events *events, const char *value, size_t len)
{
	json_out_raw(&events->data, value, len);
	json_out_text(&events->data, "\n");
	events->has_data = true;
	return status_of(&events->data);
}

static int
id_set(struct mcp_events *events, const char *value, size_t len)
{
	if (len >= sizeof(events->next_id) || memchr(value, '\0', len) != NULL)
		return 0;
	memcpy(events->next_id, value, len);
	events->next_id[len] = '\0';
	return 0;
}

static int
name_set(struct mcp_events *events, const char *value, size_t len)
{
	/* A name that is longer is none that anybody waits for. */
	if (len >= sizeof(events->name))
		len = sizeof(events->name) - 1;
	memcpy(events->name, value, len);
	events->name[len] = '\0';
	return 0;
}

static int
retry_set(struct mcp_events *events, const char *value, size_t len)
{
	uint32_t ms = 0;

	if (len == 0 || len > 9)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return 0;
		ms = ms * 10 + (uint32_t)(value[i] - '0');
	}
	events->retry_ms = ms < MCP_RETRY_MAX_MS ? ms : MCP_RETRY_MAX_MS;
	return 0;
}

static const struct {
	const char *name;
	int (*take)(struct mcp_events *events, const char *value, size_t len);
} fields[] = {
	{ "data", data_add },
	{ "id", id_set },
	{ "event", name_set },
	{ "retry", retry_set },
};

static int
event_line(struct mcp_events *events, const char *line, size_t len,
    mcp_stream_fn *fn, void *arg)
{
	if (len == 0)
		return event_end(events, fn, arg);
	const char *colon = memchr(line, ':', len), *end = line + len;
	const size_t name_len = colon == NULL ? len : (size_t)(colon - line);
	const char *value = colon == NULL ? end : colon + 1;
	value += value < end && *value == ' ';
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strlen(fields[i].name) == name_len &&
		    memcmp(line, fields[i].name, name_len) == 0)
			return fields[i].take(
			    events, value, (size_t)(end - value));
	return 0;
}

static int
kept_line_end(struct mcp_events *events, mcp_stream_fn *fn, void *arg)
{
	static const char mark[] = "\xef\xbb\xbf";
	const char *line = events->line.bytes;
	size_t len = events->line.len;

	if (!events->begun && len >= 3 && memcmp(line, mark, 3) == 0) {
		line += 3;
		len -= 3;
	}
	events->begun = true;
	const int r = event_line(events, line, len, fn, arg);
	json_out_reset(&events->line);
	return r;
}

static size_t
line_length(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && at[n] != '\n' && at[n] != '\r')
		n++;
	return n;
}

int
mcp_events_feed(struct mcp_events *events, const char *raw_bytes, size_t len,
    mcp_stream_fn *fn, void *arg)
{
	const char *at = raw_bytes, *end = raw_bytes + len;

	while (at < end) {
		if (events->after_cr && *at == '\n') {
			events->after_cr = false;
			at++;
			continue;
		}
		events->after_cr = false;
		const size_t n = line_length(at, end);
		json_out_raw(&events->line, at, n);
		int r = status_of(&events->line);
		at += n;
		if (r == 0 && at < end) {
			events->after_cr = *at++ == '\r';
			r = kept_line_end(events, fn, arg);
		}
		if (r != 0)
			return r;
	}
	return 0;
}
