/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "json/out.h"

void
json_out_init(struct json_out *out, size_t limit)
{
	*out = (struct json_out){ .limit = limit };
}

void
json_out_fini(struct json_out *out)
{
	free(out->bytes);
	json_out_init(out, out->limit);
}

struct json_span
json_out_written(const struct json_out *out)
{
	return (struct json_span){ .at = out->len == 0 ? NULL : out->bytes,
		.len = out->len };
}

void
json_out_reset(struct json_out *out)
{
	out->len = 0;
	out->status = 0;
}

char *
json_out_steal(struct json_out *out, size_t *len)
{
	char *bytes = out->bytes;

	if (out->status != 0 || bytes == NULL)
		return NULL;
	*len = out->len;
	json_out_init(out, out->limit);
	return bytes;
}

int
json_out_status(const struct json_out *out)
{
	return out->status;
}

static int
out_grow(struct json_out *out, size_t need)
{
	size_t capacity = out->capacity < 256 ? 256 : out->capacity;

	while (capacity < need)
		capacity *= 2;
	if (capacity > out->limit)
		capacity = out->limit;

	char *bytes = realloc(out->bytes, capacity);
	if (bytes == NULL)
		return -ENOMEM;
	out->bytes = bytes;
	out->capacity = capacity;
	return 0;
}

static char *
out_reserve(struct json_out *out, size_t len)
{
	if (out->status != 0)
		return NULL;
	if (len > out->limit - out->len) {
		out->status = JSON_E_TOO_LONG;
		return NULL;
	}
	if (len > out->capacity - out->len)
		out->status = out_grow(out, out->len + len);
	return out->status == 0 ? out->bytes + out->len : NULL;
}

void
json_out_raw(struct json_out *out, const char *bytes, size_t len)
{
	if (len == 0)
		return;
	char *room = out_reserve(out, len);
	if (room == NULL)
		return;
	memcpy(room, bytes, len);
	out->len += len;
}

void
json_out_text(struct json_out *out, const char *text)
{
	json_out_raw(out, text, strlen(text));
}

void
json_out_span(struct json_out *out, struct json_span value)
{
	json_out_raw(out, value.at, value.len);
}

void
json_out_uint(struct json_out *out, uint64_t number)
{
	char digits[24];
	const int n = snprintf(
	    digits, sizeof(digits), "%llu", (unsigned long long)number);

	json_out_raw(out, digits, (size_t)n);
}

static void
put_escape(struct json_out *out, unsigned char c)
{
	static const char names[] = "btnvfr";
	char text[8] = { '\\', (char)c };

	if (c == '"' || c == '\\') {
		json_out_raw(out, text, 2);
	} else if (c >= '\b' && c <= '\r' && c != '\v') {
		text[1] = names[c - '\b'];
		json_out_raw(out, text, 2);
	} else {
		snprintf(text, sizeof(text), "\\u%04x", c);
		json_out_raw(out, text, 6);
	}
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character that is not plain; returns how many bytes it took. */
static size_t
put_special(
    struct json_out *out, const unsigned char *at, const unsigned char *end)
{
	if (*at < 0x80) {
		put_escape(out, *at);
		return 1;
	}
	uint32_t character;
	const size_t length = utf8_next(at, (size_t)(end - at), &character);
	if (length == 0) {
		json_out_raw(out, "\xef\xbf\xbd", 3);
		return 1;
	}
	if (character < 0xa0)
		put_escape(out, (unsigned char)character);
	else
		json_out_raw(out, (const char *)at, length);
	return length;
}

void
json_out_string(struct json_out *out, const char *raw_bytes, size_t len)
{
	const unsigned char *at = (const unsigned char *)raw_bytes;
	const unsigned char *end = at + len;

	json_out_raw(out, "\"", 1);
	while (at < end && out->status == 0) {
		const unsigned char *start = at;
		while (at < end && is_plain(*at))
			at++;
		json_out_raw(out, (const char *)start, (size_t)(at - start));
		if (at < end)
			at += put_special(out, at, end);
	}
	json_out_raw(out, "\"", 1);
}
